//! How many resources are in which state, per namespace, under upstream's names.

use super::lifecycle::{self, Measured, Track};
use super::names::{Maker, NAMESPACE, OWN, SYSTEM, Switches};
use super::samples::Samples;
use crate::pass::Summary;
use flink_operator_api::{FlinkJobState, JobManagerDeploymentStatus, ResourceLifecycleState};
use operator_core::name::Key;
use prometheus::IntGaugeVec;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Counts what was seen last of each resource.
pub(super) struct Counts {
    switches: Switches,
    count: IntGaugeVec,
    by_version: IntGaugeVec,
    by_minor_version: IntGaugeVec,
    by_job_state: IntGaugeVec,
    by_job_manager: BTreeMap<&'static str, IntGaugeVec>,
    by_lifecycle: BTreeMap<&'static str, IntGaugeVec>,
    times: Times,
    known: BTreeMap<Key, Known>,
    namespaces: BTreeSet<(&'static str, String)>,
}

struct Times {
    state: BTreeMap<&'static str, [Samples; 2]>,
    transition: BTreeMap<&'static str, [Samples; 2]>,
}

#[derive(Default)]
struct Known {
    track: Track,
    summary: Summary,
}

impl Counts {
    pub(super) fn make(maker: &Maker<'_>) -> prometheus::Result<Self> {
        let scope = ["resourcens", "resourcetype"];
        let gauges = |name: &str, help: &str| maker.gauges(NAMESPACE, name, help, &scope);
        let mut by_job_manager = BTreeMap::new();
        for status in JobManagerDeploymentStatus::ALL
            .iter()
            .map(|status| status.as_str())
        {
            let name = format!("JmDeploymentStatus_{status}_Count");
            by_job_manager.insert(
                status,
                gauges(&name, "Resources by status of the JobManager")?,
            );
        }
        let (mut by_lifecycle, mut state, mut transition) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for name in ResourceLifecycleState::ALL
            .iter()
            .map(|state| state.as_str())
        {
            by_lifecycle.insert(
                name,
                gauges(
                    &format!("Lifecycle_State_{name}_Count"),
                    "Resources by life-cycle state",
                )?,
            );
            let metric = format!("Lifecycle_State_{name}_TimeSeconds");
            state.insert(name, times(maker, &metric, "Seconds spent in the state")?);
        }
        for name in lifecycle::NAMES {
            let metric = format!("Lifecycle_Transition_{name}_TimeSeconds");
            transition.insert(
                name,
                times(maker, &metric, "Seconds that the transition took")?,
            );
        }
        let with = |label| [scope[0], scope[1], label];
        Ok(Self {
            switches: maker.switches.clone(),
            count: gauges("Count", "Resources")?,
            by_version: maker.gauges(
                NAMESPACE,
                "FlinkVersion_Count",
                "Resources by Flink version",
                &with("FlinkVersion"),
            )?,
            by_minor_version: maker.gauges(
                NAMESPACE,
                "FlinkMinorVersion_Count",
                "Resources by minor Flink version",
                &with("FlinkMinorVersion"),
            )?,
            by_job_state: maker.gauges(
                OWN,
                "resources_by_job_state",
                "Resources by state of their job",
                &with("state"),
            )?,
            by_job_manager,
            by_lifecycle,
            times: Times { state, transition },
            known: BTreeMap::new(),
            namespaces: BTreeSet::new(),
        })
    }

    /// Notes how a resource stands.
    pub(super) fn see(&mut self, key: &Key, summary: Option<&Summary>, now: Duration) {
        if !self.switches.resources {
            return;
        }
        let scope = self.scope(key);
        let new = !self.known.contains_key(key);
        if new && self.namespaces.insert(scope.clone()) {
            self.begin_at_zero(&scope);
        }
        let known = self.known.remove(key).unwrap_or_default();
        if new {
            self.add(&scope, 1);
        }
        let Some(summary) = summary else {
            if new {
                self.add_states(&scope, &known.summary, 1);
            }
            self.known.insert(key.clone(), known);
            return;
        };
        if !new {
            self.add_states(&scope, &known.summary, -1);
        }
        self.add_states(&scope, summary, 1);
        let mut track = known.track;
        if let Some(state) = summary.lifecycle
            && self.switches.lifecycle
        {
            for measured in track.see(state, now) {
                self.measure(&scope, measured);
            }
        }
        self.known.insert(
            key.clone(),
            Known {
                track,
                summary: summary.clone(),
            },
        );
    }

    /// Forgets a resource.
    pub(super) fn forget(&mut self, key: &Key) {
        let Some(known) = self.known.remove(key) else {
            return;
        };
        let scope = self.scope(key);
        self.add(&scope, -1);
        self.add_states(&scope, &known.summary, -1);
    }

    fn scope(&self, key: &Key) -> (&'static str, String) {
        (key.kind.as_str(), self.switches.value(&key.namespace))
    }

    /// Makes every series of a namespace, so that a missing one never stands for zero.
    fn begin_at_zero(&self, (kind, namespace): &(&'static str, String)) {
        let labels = [namespace.as_str(), kind];
        let lifecycle = self
            .by_lifecycle
            .values()
            .filter(|_| self.switches.lifecycle);
        for gauges in self.by_job_manager.values().chain(lifecycle) {
            gauges.with_label_values(&labels).set(0);
        }
    }

    fn add(&self, (kind, namespace): &(&'static str, String), by: i64) {
        self.count
            .with_label_values(&[namespace.as_str(), kind])
            .add(by);
    }

    fn add_states(&self, (kind, namespace): &(&'static str, String), summary: &Summary, by: i64) {
        let labels = [namespace.as_str(), kind];
        if let Some(gauges) = summary
            .job_manager
            .and_then(|status| self.by_job_manager.get(status))
        {
            gauges.with_label_values(&labels).add(by);
        }
        if let Some(gauges) = summary
            .lifecycle
            .and_then(|state| self.by_lifecycle.get(state))
            && self.switches.lifecycle
        {
            gauges.with_label_values(&labels).add(by);
        }
        if let Some(state) = summary.job.filter(|state| {
            FlinkJobState::ALL
                .iter()
                .any(|known| known.as_str() == *state)
        }) {
            self.by_job_state
                .with_label_values(&[labels[0], labels[1], state])
                .add(by);
        }
        let version = summary
            .flink_version
            .as_deref()
            .filter(|version| !version.is_empty());
        let shown = self.switches.value(version.unwrap_or("UNKNOWN"));
        self.by_version
            .with_label_values(&[labels[0], labels[1], &shown])
            .add(by);
        let minor = self.switches.value(&minor(version.unwrap_or_default()));
        self.by_minor_version
            .with_label_values(&[labels[0], labels[1], &minor])
            .add(by);
    }

    fn measure(&self, (kind, namespace): &(&'static str, String), measured: Measured) {
        let (families, seconds) = match measured {
            Measured::State(state, seconds) => (self.times.state.get(state), seconds),
            Measured::Transition(name, seconds) => (self.times.transition.get(name), seconds),
        };
        let Some([system, per_namespace]) = families else {
            return;
        };
        // Whole seconds of a life-cycle state stay far below what a float counts exactly.
        #[allow(clippy::cast_precision_loss)]
        let seconds = seconds as f64;
        system.note(&[], seconds);
        if self.switches.per_namespace_times {
            per_namespace.note(&[namespace, kind], seconds);
        }
    }
}

/// Makes a summary for all resources of the kind and one per namespace.
fn times(maker: &Maker<'_>, name: &str, help: &str) -> prometheus::Result<[Samples; 2]> {
    let system = format!("FlinkDeployment_{name}");
    Ok([
        Samples::make(maker, SYSTEM, &system, help, &[])?,
        Samples::make(
            maker,
            NAMESPACE,
            name,
            help,
            &["resourcens", "resourcetype"],
        )?,
    ])
}

/// Returns major and minor of a version, as upstream does.
fn minor(version: &str) -> String {
    let parts: Vec<&str> = version.split('.').collect();
    match parts[..] {
        [major, minor, ..] if !major.is_empty() && !minor.is_empty() => format!("{major}.{minor}"),
        _ => "MALFORMED".to_owned(),
    }
}
