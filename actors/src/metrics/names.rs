//! Upstream's scopes and labels, so that dashboards made for it go on working.

use operator_core::config::{ConfigError, Configuration, options};
use prometheus::core::Collector;
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};
use std::time::Duration;

/// Metrics of the operator itself.
pub(super) const SYSTEM: &str = "flink_k8soperator";
/// Metrics per namespace of resources.
pub(super) const NAMESPACE: &str = "flink_k8soperator_namespace";
/// Metrics that upstream does not have.
pub(super) const OWN: &str = "flink_operator";

/// Who this operator is: the labels of every metric that upstream has too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name of the pod.
    pub host: String,
    /// The operator's own namespace.
    pub namespace: String,
    /// The name of the operator.
    pub name: String,
}

/// Which metrics are made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // each is an option of its own
pub struct Switches {
    /// Counts of resources.
    pub resources: bool,
    /// Counts by life-cycle state, and times.
    pub lifecycle: bool,
    /// Times per namespace too.
    pub per_namespace_times: bool,
    /// Requests to the API server.
    pub requests: bool,
    /// From when on a request to the API server is slow.
    pub slow_request: Duration,
    /// Samples that a summary keeps.
    pub samples: usize,
    /// Whether characters other than letters, digits, `:` and `_` in label values become `_`.
    pub filter_label_values: bool,
}

impl Switches {
    /// Reads the switches from the operator's configuration.
    pub fn read(config: &Configuration) -> Result<Self, ConfigError> {
        let reporter = "kubernetes.operator.metrics.reporter.";
        let unfiltered = config.below(reporter).any(|(key, value)| {
            key.ends_with(".filterLabelValueCharacters")
                && value.trim().eq_ignore_ascii_case("false")
        });
        let resources = config.get(&options::RESOURCE_METRICS_ENABLED)?;
        let lifecycle = resources && config.get(&options::RESOURCE_LIFECYCLE_METRICS_ENABLED)?;
        let samples = config.get(&options::METRICS_HISTOGRAM_SAMPLE_SIZE)?;
        Ok(Self {
            resources,
            lifecycle,
            per_namespace_times: config
                .get(&options::RESOURCE_LIFECYCLE_NAMESPACE_HISTOGRAMS_ENABLED)?,
            requests: config.get(&options::KUBERNETES_CLIENT_METRICS_ENABLED)?,
            slow_request: config.get(&options::KUBERNETES_CLIENT_METRICS_SLOW_REQUEST_THRESHOLD)?,
            samples: usize::try_from(samples).unwrap_or_default().max(1),
            filter_label_values: !unfiltered,
        })
    }

    /// Writes a label value as upstream's reporter does.
    pub(super) fn value(&self, text: &str) -> String {
        if !self.filter_label_values {
            return text.to_owned();
        }
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, ':' | '_');
        text.chars()
            .map(|letter| if allowed(letter) { letter } else { '_' })
            .collect()
    }
}

/// Makes metrics and registers them.
pub(super) struct Maker<'a> {
    pub(super) registry: &'a Registry,
    pub(super) identity: &'a Identity,
    pub(super) switches: &'a Switches,
}

impl Maker<'_> {
    /// Names a metric in a scope; upstream's scopes get the operator's labels.
    pub(super) fn opts(&self, scope: &str, name: &str, help: &str) -> Opts {
        let opts = Opts::new(format!("{scope}_{name}"), help);
        if scope == OWN {
            return opts;
        }
        let Identity {
            host,
            namespace,
            name,
        } = self.identity;
        opts.const_label("host", self.switches.value(host))
            .const_label("namespace", self.switches.value(namespace))
            .const_label("name", self.switches.value(name))
    }

    pub(super) fn gauge(
        &self,
        scope: &str,
        name: &str,
        help: &str,
    ) -> prometheus::Result<IntGauge> {
        self.register(IntGauge::with_opts(self.opts(scope, name, help))?)
    }

    pub(super) fn gauges(
        &self,
        scope: &str,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntGaugeVec> {
        self.register(IntGaugeVec::new(self.opts(scope, name, help), labels)?)
    }

    pub(super) fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        self.register(IntCounterVec::new(self.opts(OWN, name, help), labels)?)
    }

    pub(super) fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> prometheus::Result<HistogramVec> {
        let opts = HistogramOpts::from(self.opts(OWN, name, help)).buckets(buckets.to_vec());
        self.register(HistogramVec::new(opts, labels)?)
    }

    /// Registers a collector under all its names.
    pub(super) fn register<C: Collector + Clone + 'static>(
        &self,
        collector: C,
    ) -> prometheus::Result<C> {
        self.registry.register(Box::new(collector.clone()))?;
        Ok(collector)
    }
}

/// Makes an unregistered family of gauges, for collectors that fill it when they are asked.
pub(super) fn free_gauges(name: &str, help: &str, labels: &[&str]) -> GaugeVec {
    GaugeVec::new(Opts::new(format!("{OWN}_{name}"), help), labels)
        .expect("names and labels are literals in this crate")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Switches;
    use operator_core::config::Configuration;

    #[test]
    fn label_values_are_filtered_unless_a_reporter_says_no() {
        let switches = Switches::read(&Configuration::default()).unwrap();
        assert_eq!(switches.value("my-ns.1:x"), "my_ns_1:x");
        let unfiltered: Configuration = [(
            "kubernetes.operator.metrics.reporter.prom.filterLabelValueCharacters",
            "false",
        )]
        .into_iter()
        .collect();
        assert_eq!(Switches::read(&unfiltered).unwrap().value("my-ns"), "my-ns");
    }

    #[test]
    fn a_switch_that_is_no_boolean_is_refused_by_name() {
        let wrong: Configuration = [("kubernetes.operator.resource.metrics.enabled", "perhaps")]
            .into_iter()
            .collect();
        let error = Switches::read(&wrong).unwrap_err().to_string();
        assert!(error.contains("resource.metrics.enabled"), "{error}");
    }
}
