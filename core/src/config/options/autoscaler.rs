//! Options of the autoscaler. Each has a fallback name under `kubernetes.operator.`, its only name up
//! to release 1.6. Where the first release is not known for sure, `since` says "1.15 or before".

use std::time::Duration;

use super::options;
use crate::config::{BusyTimeAggregator, KeyGroupAdjustMode, MemorySize};

/// Adds the fallback names to every row and hands it to `options!`.
macro_rules! autoscaler {
    ($(
        $(#[doc = $text:literal])+
        $name:ident: $type:ty = $key:literal $(| $alias:literal)*, $(default $default:literal,)?
        since $since:literal;
    )+) => {
        $(
            $(#[doc = $text])+
            pub static $name: crate::config::Key<$type> =
                crate::config::Key::new(crate::config::ConfigOption {
                    key: concat!("job.autoscaler.", $key),
                    aliases: &[
                        $(concat!("job.autoscaler.", $alias),)*
                        concat!("kubernetes.operator.job.autoscaler.", $key),
                        $(concat!("kubernetes.operator.job.autoscaler.", $alias),)*
                    ],
                    kind: <$type as crate::config::Value>::KIND,
                    default: options!(@default $($default)?),
                    scope: crate::config::Scope::Resource,
                    live: true,
                    since: $since,
                    text: concat!($($text),+).trim_ascii(),
                });
        )+

        pub(super) static TABLE: &[&crate::config::ConfigOption] = &[$($name.option(),)+];
    };
}

autoscaler! {
    /// Collects metrics of the job and computes parallelisms.
    AUTOSCALER_ENABLED: bool = "enabled", default "false", since "1.4";
    /// Applies them; otherwise they are only reported.
    AUTOSCALER_SCALING_ENABLED: bool = "scaling.enabled", default "true", since "1.4";
    /// Time over which metrics are averaged.
    AUTOSCALER_METRICS_WINDOW: Duration = "metrics.window", default "15 min", since "1.4";
    /// Time after a start during which nothing is scaled.
    AUTOSCALER_STABILIZATION_INTERVAL: Duration = "stabilization.interval",
        default "5 min", since "1.4";
    /// Times at which nothing is scaled: daily ranges and Quartz cron expressions.
    AUTOSCALER_EXCLUDED_PERIODS: Vec<String> = "excluded.periods", default "", since "1.8";
    /// Utilization that a vertex should have.
    AUTOSCALER_UTILIZATION_TARGET: f64 = "utilization.target" | "target.utilization",
        default "0.7", since "1.11";
    /// Utilization from which a vertex is scaled up.
    AUTOSCALER_UTILIZATION_MAX: f64 = "utilization.max", since "1.11";
    /// Utilization below which a vertex is scaled down.
    AUTOSCALER_UTILIZATION_MIN: f64 = "utilization.min", since "1.11";
    /// Distance of both bounds from the target (deprecated).
    AUTOSCALER_TARGET_UTILIZATION_BOUNDARY: f64 = "target.utilization.boundary",
        default "0.3", since "1.4";
    /// Time for which a scale-down is held back.
    AUTOSCALER_SCALE_DOWN_INTERVAL: Duration = "scale-down.interval" | "scale-up.grace-period",
        default "1 h", since "1.10";
    /// Largest share by which a vertex is scaled down at once.
    AUTOSCALER_SCALE_DOWN_MAX_FACTOR: f64 = "scale-down.max-factor", default "0.6", since "1.4";
    /// Largest factor by which a vertex is scaled up at once.
    AUTOSCALER_SCALE_UP_MAX_FACTOR: f64 = "scale-up.max-factor",
        default "100000.0", since "1.15 or before";
    /// Time in which a backlog should be worked off after a scaling.
    AUTOSCALER_CATCH_UP_DURATION: Duration = "catch-up.duration", default "30 min", since "1.4";
    /// Time that a restart is expected to take.
    AUTOSCALER_RESTART_TIME: Duration = "restart.time", default "5 min", since "1.4";
    /// Measures restart times instead.
    AUTOSCALER_RESTART_TIME_TRACKING_ENABLED: bool = "restart.time-tracking.enabled",
        default "false", since "1.15 or before";
    /// Upper bound of measured restart times.
    AUTOSCALER_RESTART_TIME_TRACKING_LIMIT: Duration = "restart.time-tracking.limit",
        default "15 min", since "1.15 or before";
    /// Lag from which a job counts as working off a backlog.
    AUTOSCALER_BACKLOG_PROCESSING_LAG_THRESHOLD: Duration = "backlog-processing.lag-threshold",
        default "5 min", since "1.15 or before";
    /// Least parallelism of a vertex.
    AUTOSCALER_VERTEX_MIN_PARALLELISM: i32 = "vertex.min-parallelism", default "1", since "1.15 or before";
    /// Largest parallelism of a vertex.
    AUTOSCALER_VERTEX_MAX_PARALLELISM: i32 = "vertex.max-parallelism",
        default "200", since "1.15 or before";
    /// Vertices that are left alone.
    AUTOSCALER_VERTEX_EXCLUDE_IDS: Vec<String> = "vertex.exclude.ids", default "", since "1.15 or before";
    /// Stops scaling up a vertex that it did not help.
    AUTOSCALER_SCALING_EFFECTIVENESS_DETECTION_ENABLED: bool =
        "scaling.effectiveness.detection.enabled", default "false", since "1.15 or before";
    /// Share of the expected gain from which a scaling counts as effective.
    AUTOSCALER_SCALING_EFFECTIVENESS_THRESHOLD: f64 = "scaling.effectiveness.threshold",
        default "0.1", since "1.15 or before";
    /// Least time between equal scaling events.
    AUTOSCALER_SCALING_EVENT_INTERVAL: Duration = "scaling.event.interval",
        default "30 min", since "1.15 or before";
    /// Scalings remembered per vertex.
    AUTOSCALER_HISTORY_MAX_COUNT: i32 = "history.max.count", default "3", since "1.15 or before";
    /// Age up to which scalings are remembered.
    AUTOSCALER_HISTORY_MAX_AGE: Duration = "history.max.age", default "1 d", since "1.15 or before";
    /// How busy times of subtasks become one.
    AUTOSCALER_BUSY_TIME_AGGREGATOR: BusyTimeAggregator = "metrics.busy-time.aggregator",
        default "MAX", since "1.15 or before";
    /// Names of custom metric evaluators.
    AUTOSCALER_CUSTOM_EVALUATORS: Vec<String> = "metrics.custom-evaluators",
        default "", since "main";
    /// Class of a custom evaluator. Java plugins do not run here.
    AUTOSCALER_CUSTOM_EVALUATOR_CLASS: String = "metrics.custom-evaluator.<name>.class",
        since "main";
    /// Parameter of a custom evaluator.
    AUTOSCALER_CUSTOM_EVALUATOR_PARAMETER: String = "metrics.custom-evaluator.<name>.<parameter>",
        since "main";
    /// Names of custom scaling executors.
    AUTOSCALER_CUSTOM_EXECUTORS: Vec<String> = "scaling.custom-executors",
        default "", since "main";
    /// Class of a custom executor. Java plugins do not run here.
    AUTOSCALER_CUSTOM_EXECUTOR_CLASS: String = "scaling.custom-executor.<name>.class",
        since "main";
    /// Parameter of a custom executor.
    AUTOSCALER_CUSTOM_EXECUTOR_PARAMETER: String = "scaling.custom-executor.<name>.<parameter>",
        since "main";
    /// How parallelism is aligned with key groups or partitions: `BALANCED`, `EVENLY_SPREAD`, `OFF` or
    /// a custom name.
    AUTOSCALER_PARALLELISM_ALIGNMENT_MODE: String = "scaling.parallelism-alignment.mode",
        default "BALANCED", since "main";
    /// Class of a custom alignment mode. Java plugins do not run here.
    AUTOSCALER_PARALLELISM_ALIGNMENT_CLASS: String =
        "scaling.parallelism-alignment.mode.<name>.class", since "main";
    /// Parameter of a custom alignment mode.
    AUTOSCALER_PARALLELISM_ALIGNMENT_PARAMETER: String =
        "scaling.parallelism-alignment.mode.<name>.<parameter>", since "main";
    /// How parallelism is aligned with key groups or partitions (deprecated).
    AUTOSCALER_KEY_GROUP_ADJUST_MODE: KeyGroupAdjustMode =
        "scaling.key-group.partitions.adjust.mode", default "EVENLY_SPREAD", since "1.15 or before";
    /// Uses the observed instead of an assumed linear scalability.
    AUTOSCALER_OBSERVED_SCALABILITY_ENABLED: bool = "observed-scalability.enabled",
        default "false", since "1.12";
    /// Observations needed for that.
    AUTOSCALER_OBSERVED_SCALABILITY_MIN_OBSERVATIONS: i32 =
        "observed-scalability.min-observations", default "3", since "1.12";
    /// Least scalability coefficient.
    AUTOSCALER_OBSERVED_SCALABILITY_COEFFICIENT_MIN: f64 =
        "observed-scalability.coefficient-min", default "0.5", since "1.12";
    /// Lag from which the observed processing rate of sources is used.
    AUTOSCALER_OBSERVED_RATE_LAG_THRESHOLD: Duration =
        "observed-true-processing-rate.lag-threshold", default "30 s", since "1.15 or before";
    /// Difference of both rates from which the observed one is preferred.
    AUTOSCALER_OBSERVED_RATE_SWITCH_THRESHOLD: f64 =
        "observed-true-processing-rate.switch-threshold", default "0.15", since "1.15 or before";
    /// Observations needed for that.
    AUTOSCALER_OBSERVED_RATE_MIN_OBSERVATIONS: i32 =
        "observed-true-processing-rate.min-observations", default "2", since "1.15 or before";
    /// Share of time in garbage collection from which nothing is scaled down.
    AUTOSCALER_MEMORY_GC_PRESSURE_THRESHOLD: f64 = "memory.gc-pressure.threshold",
        default "1.0", since "1.15 or before";
    /// Share of heap in use from which nothing is scaled down.
    AUTOSCALER_MEMORY_HEAP_USAGE_THRESHOLD: f64 = "memory.heap-usage.threshold",
        default "1.0", since "1.15 or before";
    /// Adjusts TaskManager memory to its use.
    AUTOSCALER_MEMORY_TUNING_ENABLED: bool = "memory.tuning.enabled",
        default "false", since "1.8";
    /// Gives TaskManagers more memory when their number shrinks.
    AUTOSCALER_MEMORY_TUNING_SCALE_DOWN_COMPENSATION_ENABLED: bool =
        "memory.tuning.scale-down-compensation.enabled", default "true", since "1.8";
    /// Memory beyond what is used, as a share.
    AUTOSCALER_MEMORY_TUNING_OVERHEAD: f64 = "memory.tuning.overhead",
        default "0.2", since "1.8";
    /// Gives saved memory to managed memory.
    AUTOSCALER_MEMORY_TUNING_MAXIMIZE_MANAGED: bool = "memory.tuning.maximize-managed-memory",
        default "false", since "1.8";
    /// Most CPU that the job may use.
    AUTOSCALER_QUOTA_CPU: f64 = "quota.cpu", since "1.9";
    /// Most memory that the job may use.
    AUTOSCALER_QUOTA_MEMORY: MemorySize = "quota.memory", since "1.9";
    /// Deadline of the autoscaler's REST calls.
    AUTOSCALER_FLINK_REST_CLIENT_TIMEOUT: Duration = "flink.rest-client.timeout",
        default "10 s", since "1.15 or before";
}
