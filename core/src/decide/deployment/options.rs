//! The options that decisions of this kind read, resolved once per pass.

use crate::config::{
    Configuration, Key, SavepointFormat as Configured, Value, duration as durations, options,
};
use crate::effect::SavepointFormat;
use crate::observed::Observed;
use crate::status::recorded::Recorded;
use flink_operator_api::FlinkDeploymentSpec;
use jiff::SignedDuration;

/// How often checkpoint progress alone is written to the status.
const CHECKPOINT_REPORT: SignedDuration = SignedDuration::from_mins(5);

/// How old Flink lets its copies of statistics become by default.
const REFRESH: SignedDuration = SignedDuration::from_secs(3);

/// What a look is later than the moment from which statistics are no copy of before.
const LATER: SignedDuration = SignedDuration::from_secs(1);

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
    /// How long after the end of a job its statistics may still be a copy of before.
    pub statistics_lag: SignedDuration,
    pub savepoints: Savepoints,
    pub upgrades: Upgrades,
}

/// How savepoints are taken and recorded.
pub(super) struct Savepoints {
    /// Where they are put: of the current spec, since it takes effect without a restart.
    pub directory: Option<String>,
    pub format: SavepointFormat,
    /// Whether a stop fires windows and timers as if the input had ended.
    pub drain: bool,
    /// Whether they are recorded as `FlinkStateSnapshot`s, and not in lists of the status.
    pub as_resources: bool,
    pub dispose_on_delete: bool,
}

/// What chooses how an edit carries state over.
pub(super) struct Upgrades {
    /// Whether a job that does not run may be carried over from its last state instead of from a savepoint.
    pub last_state_fallback: bool,
    /// Whether a job is cancelled for a last-state upgrade, and not just taken down.
    pub cancel_for_last_state: bool,
    /// How old the newest checkpoint may be for a last-state upgrade.
    pub longest_checkpoint_age: Option<SignedDuration>,
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
        let mut current_savepoints = None;
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
            let written = flat.written(options::SAVEPOINTS_DIR.option());
            current_savepoints = written.map(|(_, directory)| directory.to_owned());
        }
        let directory =
            current_savepoints.or_else(|| config.find(&options::SAVEPOINTS_DIR).ok().flatten());
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
            statistics_lag: statistics_lag(&config),
            savepoints: Savepoints {
                directory: directory.filter(|directory| !directory.trim().is_empty()),
                format: match read(&config, &options::SAVEPOINT_FORMAT_TYPE) {
                    Some(Configured::Native) => SavepointFormat::Native,
                    Some(Configured::Canonical) | None => SavepointFormat::Canonical,
                },
                drain: flag(&config, &options::JOB_DRAIN_ON_SAVEPOINT_DELETION),
                as_resources: flag(&config, &options::SNAPSHOT_RESOURCE_ENABLED)
                    && flag(&operator, &options::SNAPSHOT_RESOURCE_ENABLED),
                dispose_on_delete: flag(&config, &options::SAVEPOINT_DISPOSE_ON_DELETE),
            },
            upgrades: Upgrades {
                last_state_fallback: flag(
                    &config,
                    &options::JOB_UPGRADE_LAST_STATE_FALLBACK_ENABLED,
                ),
                cancel_for_last_state: flag(
                    &config,
                    &options::JOB_UPGRADE_LAST_STATE_JOB_CANCEL_ENABLED,
                ),
                longest_checkpoint_age: read(
                    &config,
                    &options::JOB_UPGRADE_LAST_STATE_MAX_CHECKPOINT_AGE,
                )
                .and_then(|age| SignedDuration::try_from(age).ok()),
            },
        }
    }
}

/// Statistics are copies: of the job up to one interval old, of checkpoints since 1.18 up to another.
fn statistics_lag(config: &Configuration) -> SignedDuration {
    let set = |key: &str| {
        let text = config.text(key)?;
        // Flink reads a bare number as milliseconds here.
        let parsed = durations::parse(text).ok();
        parsed.and_then(|long| SignedDuration::try_from(long).ok())
    };
    let refresh = set("web.refresh-interval").unwrap_or(REFRESH);
    let statistics = set("rest.cache.checkpoint-statistics.timeout").unwrap_or(REFRESH);
    refresh.max(statistics) + LATER
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
