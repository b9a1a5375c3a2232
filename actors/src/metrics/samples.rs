//! Summaries as upstream makes them: quantiles over the newest samples.

use super::names::Maker;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType, Quantile, Summary};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The quantiles that upstream shows.
const QUANTILES: [f64; 6] = [0.5, 0.75, 0.95, 0.98, 0.99, 0.999];

/// A family of summaries; clones are the same family.
#[derive(Clone, Debug)]
pub(super) struct Samples(Arc<Family>);

#[derive(Debug)]
struct Family {
    desc: Desc,
    keep: usize,
    reservoirs: Mutex<BTreeMap<Vec<String>, Reservoir>>,
}

#[derive(Debug, Default)]
struct Reservoir {
    newest: VecDeque<f64>,
    count: u64,
    sum: f64,
}

impl Samples {
    /// Makes and registers a family.
    pub(super) fn make(
        maker: &Maker<'_>,
        scope: &str,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<Self> {
        let opts = maker.opts(scope, name, help);
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        let desc = Desc::new(opts.name, opts.help, labels, opts.const_labels)?;
        maker.register(Self(Arc::new(Family {
            desc,
            keep: maker.switches.samples,
            reservoirs: Mutex::default(),
        })))
    }

    /// Notes a sample under the values of the labels, in their order.
    pub(super) fn note(&self, labels: &[&str], sample: f64) {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        let mut reservoirs = self.lock();
        let reservoir = reservoirs.entry(labels).or_default();
        if reservoir.newest.len() >= self.0.keep {
            reservoir.newest.pop_front();
        }
        reservoir.newest.push_back(sample);
        reservoir.count += 1;
        reservoir.sum += sample;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Vec<String>, Reservoir>> {
        self.0
            .reservoirs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Samples {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.0.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let desc = &self.0.desc;
        let metrics = self
            .lock()
            .iter()
            .map(|(values, reservoir)| reservoir.metric(&labels(desc, values)))
            .collect();
        let mut family = MetricFamily::default();
        family.set_name(desc.fq_name.clone());
        family.set_help(desc.help.clone());
        family.set_field_type(MetricType::SUMMARY);
        family.set_metric(metrics);
        vec![family]
    }
}

fn labels(desc: &Desc, values: &[String]) -> Vec<LabelPair> {
    let variable = desc
        .variable_labels
        .iter()
        .zip(values)
        .map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name(name.clone());
            pair.set_value(value.clone());
            pair
        });
    let mut labels: Vec<LabelPair> = variable
        .chain(desc.const_label_pairs.iter().cloned())
        .collect();
    labels.sort_by(|one, other| one.name().cmp(other.name()));
    labels
}

impl Reservoir {
    fn metric(&self, labels: &[LabelPair]) -> Metric {
        let mut sorted: Vec<f64> = self.newest.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let quantiles = QUANTILES.map(|wanted| {
            let mut quantile = Quantile::default();
            quantile.set_quantile(wanted);
            quantile.set_value(at(&sorted, wanted));
            quantile
        });
        let mut summary = Summary::default();
        summary.set_sample_count(self.count);
        summary.set_sample_sum(self.sum);
        summary.set_quantile(quantiles.to_vec());
        let mut metric = Metric::from_label(labels.to_vec());
        metric.set_summary(summary);
        metric
    }
}

/// Returns the value at a quantile of sorted samples: the nearest rank.
fn at(sorted: &[f64], quantile: f64) -> f64 {
    // A reservoir holds far fewer samples than a float counts exactly.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    let rank = (quantile * sorted.len() as f64).ceil() as usize;
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::names::{Identity, Maker, Switches};
    use super::Samples;
    use operator_core::config::Configuration;
    use prometheus::{Encoder, Registry, TextEncoder};

    #[test]
    fn quantiles_are_over_the_newest_samples_and_counts_over_all() {
        let registry = Registry::new();
        let size: Configuration = [("kubernetes.operator.metrics.histogram.sample.size", "100")]
            .into_iter()
            .collect();
        let switches = Switches::read(&size).unwrap();
        let identity = Identity {
            host: "pod-1".into(),
            namespace: "flink".into(),
            name: "op".into(),
        };
        let maker = Maker {
            registry: &registry,
            identity: &identity,
            switches: &switches,
        };
        let samples = Samples::make(
            &maker,
            "flink_k8soperator_namespace",
            "X_TimeSeconds",
            "times",
            &["resourcens"],
        )
        .unwrap();
        for sample in 0..300 {
            samples.note(&["a"], f64::from(sample));
        }
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&registry.gather(), &mut text)
            .unwrap();
        let text = String::from_utf8(text).unwrap();
        let labels = r#"host="pod_1",name="op",namespace="flink",resourcens="a""#;
        assert!(
            text.contains("# TYPE flink_k8soperator_namespace_X_TimeSeconds summary"),
            "{text}"
        );
        let line = format!(r#"X_TimeSeconds{{{labels},quantile="0.5"}} 249"#);
        assert!(text.contains(&line), "{text}");
        assert!(
            text.contains(&format!("X_TimeSeconds_count{{{labels}}} 300")),
            "{text}"
        );
    }
}
