//! The options that decisions of this kind read, resolved once per pass.

use crate::config::{Configuration, Key, Value, options};
use crate::observed::Observed;
use crate::status::recorded::Recorded;
use flink_operator_api::FlinkDeploymentSpec;
use jiff::SignedDuration;

/// How often checkpoint progress alone is written to the status.
const CHECKPOINT_REPORT: SignedDuration = SignedDuration::from_mins(5);

/// Flink's own default of `rest.port`.
pub(super) const DEFAULT_REST_PORT: u16 = 8081;

/// Resolved options.
pub(super) struct Options {
    /// How often a resource at rest is looked at.
    pub reconcile_interval: SignedDuration,
    /// How often a resource in progress is looked at, at most.
    pub progress_interval: SignedDuration,
    /// How long Flink may take to cancel a job that is not deleted.
    pub cancel_timeout: SignedDuration,
    /// How long a deletion waits for Flink before the cluster is deleted all the same.
    pub cleanup_timeout: SignedDuration,
    /// A fixed delay between REST answering and READY, if somebody set one.
    pub rest_ready_delay: Option<SignedDuration>,
    pub recovery_enabled: bool,
    pub savepoint_on_deletion: bool,
    pub high_availability: bool,
    pub checkpoint_report_interval: SignedDuration,
    pub rest_port: u16,
}

impl Options {
    /// Resolves the options: of the deployed spec, with the operator's keys of the current one.
    ///
    /// A value that cannot be read falls back to its default here; validation reports it.
    pub(super) fn of(
        observed: &Observed,
        spec: Option<&FlinkDeploymentSpec>,
        recorded: Option<&Recorded>,
    ) -> Self {
        let namespace = &observed.resource.meta.key.namespace;
        let deployed = recorded.map(|recorded| &recorded.spec).or(spec);
        let version = deployed.and_then(|spec| spec.flink_version);
        let settings = &observed.settings;
        let mut config = settings.for_resource(namespace, version);
        // Operator-wide options are read from the operator's configuration alone: not from resources.
        let operator = config.clone();
        if let Some(deployed) = deployed {
            config.overlay(&crate::config::flatten(&deployed.flink_configuration.0));
        }
        if let Some(current) = spec {
            let flat = crate::config::flatten(&current.flink_configuration.0);
            for (key, value) in flat
                .iter()
                .filter(|(key, _)| key.starts_with("kubernetes.operator."))
            {
                config.set(key, value);
            }
        }
        Self {
            reconcile_interval: duration(&operator, &options::RECONCILE_INTERVAL),
            progress_interval: duration(&operator, &options::OBSERVER_PROGRESS_CHECK_INTERVAL),
            cancel_timeout: duration(&operator, &options::FLINK_CLIENT_CANCEL_TIMEOUT),
            cleanup_timeout: duration(&operator, &options::RESOURCE_CLEANUP_TIMEOUT),
            rest_ready_delay: operator
                .has(&options::OBSERVER_REST_READY_DELAY)
                .then(|| duration(&operator, &options::OBSERVER_REST_READY_DELAY)),
            recovery_enabled: flag(&config, &options::JM_DEPLOYMENT_RECOVERY_ENABLED),
            savepoint_on_deletion: flag(&config, &options::JOB_SAVEPOINT_ON_DELETION),
            high_availability: is_highly_available(&config),
            checkpoint_report_interval: CHECKPOINT_REPORT,
            rest_port: read(&config, &options::REST_PORT).unwrap_or(DEFAULT_REST_PORT),
        }
    }
}

/// Returns whether high availability is on, as Flink reads its option.
pub(super) fn is_highly_available(config: &Configuration) -> bool {
    let mode = config
        .find(&options::HA_TYPE)
        .ok()
        .flatten()
        .unwrap_or_default();
    !(mode.is_empty()
        || mode.eq_ignore_ascii_case("none")
        || mode.eq_ignore_ascii_case("standalone"))
}

fn read<T: Value>(config: &Configuration, key: &Key<T>) -> Option<T> {
    config
        .get(key)
        .ok()
        .or_else(|| key.option().default.and_then(|text| T::parse(text).ok()))
}

fn duration(config: &Configuration, key: &Key<std::time::Duration>) -> SignedDuration {
    read(config, key)
        .and_then(|value| SignedDuration::try_from(value).ok())
        .unwrap_or(SignedDuration::from_secs(10))
}

fn flag(config: &Configuration, key: &Key<bool>) -> bool {
    read(config, key).unwrap_or(false)
}
