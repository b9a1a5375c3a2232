//! Operator-wide options: base configuration, some of them per namespace or Flink version.

use std::collections::BTreeMap;
use std::time::Duration;

use super::options;
use crate::config::DeletionPropagation;

options! {
    Namespace live "kubernetes.operator." {
        /// Time until a steady resource is looked at again.
        RECONCILE_INTERVAL: Duration = "reconcile.interval" | "reconciler.reschedule.interval",
            default "1 min", since "1.0";
        /// Time until a resource is looked at again while it deploys, cancels or takes a savepoint.
        OBSERVER_PROGRESS_CHECK_INTERVAL: Duration = "observer.progress-check.interval",
            default "10 s", since "1.0";
        /// Delay between the first answer of the REST endpoint and READY. Applies only if it is set:
        /// without it (upstream: 10 s) the endpoint is probed, and READY means that it answers.
        OBSERVER_REST_READY_DELAY: Duration = "observer.rest-ready.delay", since "1.0";
        /// Deadline of one REST call to a JobManager.
        FLINK_CLIENT_TIMEOUT: Duration = "flink.client.timeout" | "observer.flink.client.timeout",
            default "10 s", since "1.0";
        /// Time for a cancelled job to end.
        FLINK_CLIENT_CANCEL_TIMEOUT: Duration =
            "flink.client.cancel.timeout" | "reconciler.flink.cancel.job.timeout",
            default "1 min", since "1.0";
        /// Time for Deployments and pods to vanish.
        RESOURCE_CLEANUP_TIMEOUT: Duration =
            "resource.cleanup.timeout" | "reconciler.flink.cluster.shutdown.timeout",
            default "5 min", since "1.0";
        /// Deadline of the run request of a session job.
        JOB_SUBMISSION_TIMEOUT: Duration = "job.submission.timeout", default "10 min", since "1.14";
        /// Puts a stack trace into status.error.
        EXCEPTION_STACKTRACE_ENABLED: bool = "exception.stacktrace.enabled",
            default "false", since "1.3";
        /// Characters of a stack trace in status.error.
        EXCEPTION_STACKTRACE_MAX_LENGTH: i32 = "exception.stacktrace.max.length",
            default "2048", since "1.3";
        /// Characters of each field of status.error.
        EXCEPTION_FIELD_MAX_LENGTH: i32 = "exception.field.max.length", default "2048", since "1.3";
        /// Number of causes kept in status.error.
        EXCEPTION_THROWABLE_LIST_MAX_COUNT: i32 = "exception.throwable.list.max.count",
            default "2", since "1.3";
        /// Labels added to status.error, by regular expression on the messages.
        EXCEPTION_LABEL_MAPPER: BTreeMap<String, String> = "exception.label.mapper",
            default "", since "1.6";
        /// Lines of the stack trace in `JobException` events.
        EVENTS_EXCEPTIONS_STACKTRACE_LINES: i32 = "events.exceptions.stacktrace-lines",
            default "5", since "1.12";
        /// `JobException` events per look at a resource.
        EVENTS_EXCEPTIONS_LIMIT: i32 = "events.exceptions.limit-per-reconciliation",
            default "10", since "1.12";
        /// What happens to the objects that a deleted Deployment owns.
        RESOURCE_DELETION_PROPAGATION: DeletionPropagation = "resource.deletion.propagation",
            default "Foreground", since "1.5";
        /// Upper bound of savepoint.history.max.count of resources.
        SAVEPOINT_HISTORY_MAX_COUNT_THRESHOLD: i32 = "savepoint.history.max.count.threshold",
            since "1.1";
        /// Upper bound of savepoint.history.max.age of resources.
        SAVEPOINT_HISTORY_MAX_AGE_THRESHOLD: Duration = "savepoint.history.max.age.threshold",
            since "1.1";
        /// Creates, changes and removes Ingress objects.
        INGRESS_MANAGE: bool = "ingress.manage", default "true", since "1.13";
    }
    Base live "kubernetes.operator." {
        /// Directory for jars of session jobs while they are uploaded.
        USER_ARTIFACTS_BASE_DIR: String = "user.artifacts.base.dir",
            default "/opt/flink/artifacts", since "1.0";
        /// Schemes that the jarURI of a session job may have.
        USER_ARTIFACTS_ALLOWED_SCHEMES: Vec<String> = "user.artifacts.allowed-schemes",
            default "https", since "1.15";
        /// Refuses jarURI hosts with private or local addresses.
        USER_ARTIFACTS_DISALLOW_RESTRICTED_HOSTS: bool = "user.artifacts.disallow-restricted-hosts",
            default "true", since "1.15";
        /// Namespaces to watch, separated by commas. The default means all; `JOSDK_WATCH_CURRENT`
        /// means the operator's own.
        WATCHED_NAMESPACES: String = "watched.namespaces",
            default "JOSDK_ALL_NAMESPACES", since "1.1";
        /// Follows changes of the watched namespaces.
        DYNAMIC_NAMESPACES_ENABLED: bool = "dynamic.namespaces.enabled",
            default "false", since "1.1";
        /// Deadline for canary resources, and how often they are touched.
        HEALTH_CANARY_RESOURCE_TIMEOUT: Duration = "health.canary.resource.timeout",
            default "1 min", since "1.5";
    }
    Base restart "kubernetes.operator." {
        /// Passes that act at the same time; -1 means no limit.
        RECONCILE_PARALLELISM: i32 = "reconcile.parallelism" | "reconciler.max.parallelism",
            default "50", since "1.0";
        /// Label selector that resources must match.
        LABEL_SELECTOR: String = "label.selector", since "1.1";
        /// Follows changes of the configuration files.
        DYNAMIC_CONFIG_ENABLED: bool = "dynamic.config.enabled", default "true", since "1.0";
        /// How often the configuration files are read again.
        DYNAMIC_CONFIG_CHECK_INTERVAL: Duration = "dynamic.config.check.interval",
            default "5 min", since "1.0";
        /// Life of cached configurations. Accepted for compatibility: nothing is cached by time here.
        CONFIG_CACHE_TIMEOUT: Duration = "config.cache.timeout", default "10 min", since "1.0";
        /// Number of cached configurations. Accepted for compatibility.
        CONFIG_CACHE_SIZE: i32 = "config.cache.size", default "1000", since "1.0";
        /// First pause after a failed pass.
        RETRY_INITIAL_INTERVAL: Duration = "retry.initial.interval", default "5 s", since "1.1";
        /// Factor between the pauses of a series of failures.
        RETRY_INTERVAL_MULTIPLIER: f64 = "retry.interval.multiplier", default "1.5", since "1.1";
        /// Longest pause after a failed pass.
        RETRY_MAX_INTERVAL: Duration = "retry.max.interval", since "1.7";
        /// Failures in a row after which only a change leads to another pass.
        RETRY_MAX_ATTEMPTS: i32 = "retry.max.attempts", default "15", since "1.1";
        /// Window of the rate limit of each resource.
        RATE_LIMITER_REFRESH_PERIOD: Duration = "rate-limiter.refresh-period",
            default "15 s", since "1.7";
        /// Passes per window and resource; 0 or less switches the limit off.
        RATE_LIMITER_LIMIT: i32 = "rate-limiter.limit", default "5", since "1.7";
        /// Lets several operators stand by, of which one acts.
        LEADER_ELECTION_ENABLED: bool = "leader-election.enabled", default "false", since "1.3";
        /// Name of the Lease. Required with leader election.
        LEADER_ELECTION_LEASE_NAME: String = "leader-election.lease-name", since "1.3";
        /// Time after which a silent leader is replaced.
        LEADER_ELECTION_LEASE_DURATION: Duration = "leader-election.lease-duration",
            default "15 s", since "1.3";
        /// Time after which a leader that cannot renew gives up.
        LEADER_ELECTION_RENEW_DEADLINE: Duration = "leader-election.renew-deadline",
            default "10 s", since "1.3";
        /// Pause between tries to gain or renew the lease.
        LEADER_ELECTION_RETRY_PERIOD: Duration = "leader-election.retry-period",
            default "2 s", since "1.3";
        /// How often the autoscaler looks at the nodes' free resources; unset means never (upstream
        /// prints its default as -1 min).
        CLUSTER_RESOURCE_VIEW_REFRESH_INTERVAL: Duration = "cluster.resource-view.refresh-interval",
            since "1.8";
        /// Serves health probes.
        HEALTH_PROBE_ENABLED: bool = "health.probe.enabled", default "true", since "1.2";
        /// Port of the health probes.
        HEALTH_PROBE_PORT: u16 = "health.probe.port", default "8085", since "1.2";
        /// Ends the operator if a watch cannot be opened at the start.
        STARTUP_STOP_ON_INFORMER_ERROR: bool = "startup.stop-on-informer-error",
            default "true", since "1.3";
        /// Time for running passes to end at shutdown.
        TERMINATION_TIMEOUT: Duration = "termination.timeout", default "10 s", since "1.4";
        /// Class of a listener plugin. Java plugins do not run here; the key is known so that it can
        /// be reported.
        PLUGINS_LISTENERS_CLASS: String = "plugins.listeners.<name>.class", since "1.1";
        /// Parameter of a listener plugin, as above.
        PLUGINS_LISTENERS_PARAMETER: String = "plugins.listeners.<name>.<parameter>", since "1.1";
        /// Default of any option for the resources of one namespace.
        DEFAULTS_OF_NAMESPACE: String = "default-configuration.namespace.<namespace>.<key>",
            since "1.6";
        /// Default of any option for one Flink version (`v1_20`), or from it on (`v1_20+`).
        DEFAULTS_OF_VERSION: String = "default-configuration.flink-version.<version>.<key>",
            since "1.6";
    }
}
