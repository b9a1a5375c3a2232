//! Options of single resources: in defaults and in `spec.flinkConfiguration`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::options;
use crate::config::{CheckpointType, SavepointFormat};

options! {
    Resource live "kubernetes.operator." {
        /// Deploys again when the JobManager Deployment is lost.
        JM_DEPLOYMENT_RECOVERY_ENABLED: bool =
            "jm-deployment-recovery.enabled" | "reconciler.jm-deployment-recovery.enabled",
            default "true", since "1.0";
        /// Time after the end of the job at which the JobManager Deployment is deleted.
        JM_DEPLOYMENT_SHUTDOWN_TTL: Duration = "jm-deployment.shutdown-ttl",
            default "1 d", since "1.3";
        /// Adds a startup probe to the JobManager's main container.
        JM_DEPLOYMENT_STARTUP_PROBE_ENABLED: bool = "jm-deployment.startup.probe.enabled",
            default "true", since "1.6";
        /// Goes back to the last stable spec if a new one does not become stable.
        DEPLOYMENT_ROLLBACK_ENABLED: bool = "deployment.rollback.enabled",
            default "false", since "1.0";
        /// Time to become stable before a rollback.
        DEPLOYMENT_READINESS_TIMEOUT: Duration = "deployment.readiness.timeout",
            default "5 min", since "1.0";
        /// Acts without waiting for a savepoint in progress.
        JOB_UPGRADE_IGNORE_PENDING_SAVEPOINT: bool = "job.upgrade.ignore-pending-savepoint",
            default "false", since "1.0";
        /// Rescales without a restart where Flink can (1.18 and later, adaptive scheduler).
        JOB_UPGRADE_INPLACE_SCALING_ENABLED: bool = "job.upgrade.inplace-scaling.enabled",
            default "true", since "1.6";
        /// Lets upgradeMode savepoint use the last state if no savepoint can be taken.
        JOB_UPGRADE_LAST_STATE_FALLBACK_ENABLED: bool = "job.upgrade.last-state-fallback.enabled",
            default "true", since "1.1";
        /// Takes a savepoint instead of the last state if the newest checkpoint is older.
        JOB_UPGRADE_LAST_STATE_MAX_CHECKPOINT_AGE: Duration =
            "job.upgrade.last-state.max.allowed.checkpoint.age", since "1.5";
        /// Cancels the job and uses its checkpoint for last-state, instead of the HA metadata.
        JOB_UPGRADE_LAST_STATE_JOB_CANCEL_ENABLED: bool =
            "job.upgrade.last-state.job-cancel.enabled", default "false", since "1.10";
        /// Submits a failed job again.
        JOB_RESTART_FAILED: bool = "job.restart.failed", default "false", since "1.3";
        /// Takes a savepoint when the resource is deleted.
        JOB_SAVEPOINT_ON_DELETION: bool = "job.savepoint-on-deletion",
            default "false", since "1.6";
        /// Drains the job at every stop with a savepoint, upgrades included.
        JOB_DRAIN_ON_SAVEPOINT_DELETION: bool = "job.drain-on-savepoint-deletion",
            default "false", since "1.7";
        /// Time after which a savepoint trigger without result is given up.
        SAVEPOINT_TRIGGER_GRACE_PERIOD: Duration =
            "savepoint.trigger.grace-period" | "observer.savepoint.trigger.grace-period",
            default "1 min", since "1.0";
        /// Time after which a checkpoint trigger without result is given up.
        CHECKPOINT_TRIGGER_GRACE_PERIOD: Duration = "checkpoint.trigger.grace-period",
            default "1 min", since "1.7";
        /// Format of the savepoints that the operator takes.
        SAVEPOINT_FORMAT_TYPE: SavepointFormat = "savepoint.format.type",
            default "CANONICAL", since "1.2";
        /// Type of directly triggered checkpoints; not used for FlinkStateSnapshot.
        CHECKPOINT_TYPE: CheckpointType = "checkpoint.type", default "FULL", since "1.7";
        /// Takes savepoints regularly: a duration, or a Quartz cron expression. Empty means never.
        PERIODIC_SAVEPOINT_INTERVAL: String = "periodic.savepoint.interval",
            default "", since "1.1";
        /// Takes checkpoints regularly: a duration, or a Quartz cron expression. Empty means never.
        PERIODIC_CHECKPOINT_INTERVAL: String = "periodic.checkpoint.interval",
            default "", since "1.7";
        /// Disposes of old savepoints that the operator took.
        SAVEPOINT_CLEANUP_ENABLED: bool = "savepoint.cleanup.enabled",
            default "true", since "1.5";
        /// Savepoints to keep.
        SAVEPOINT_HISTORY_MAX_COUNT: i32 = "savepoint.history.max.count",
            default "10", since "1.0";
        /// Age up to which savepoints are kept.
        SAVEPOINT_HISTORY_MAX_AGE: Duration = "savepoint.history.max.age",
            default "1 d", since "1.0";
        /// Sets disposeOnDelete in the savepoint resources that the operator creates.
        SAVEPOINT_DISPOSE_ON_DELETE: bool = "savepoint.dispose-on-delete",
            default "false", since "1.10";
        /// Uses FlinkStateSnapshot resources; only effective if also true in the operator's
        /// configuration.
        SNAPSHOT_RESOURCE_ENABLED: bool = "snapshot.resource.enabled",
            default "true", since "1.10";
        /// Starts unhealthy application clusters again.
        CLUSTER_HEALTH_CHECK_ENABLED: bool =
            "cluster.health-check.enabled" | "job.health-check.enabled",
            default "false", since "1.3";
        /// Window in which job restarts are counted.
        CLUSTER_HEALTH_CHECK_RESTARTS_WINDOW: Duration =
            "cluster.health-check.restarts.window" | "job.restart-check.duration-window",
            default "2 min", since "1.3";
        /// Job restarts within the window that make a cluster unhealthy.
        CLUSTER_HEALTH_CHECK_RESTARTS_THRESHOLD: i32 =
            "cluster.health-check.restarts.threshold" | "job.restart-check.threshold",
            default "64", since "1.3";
        /// Judges health by checkpoint progress too.
        CLUSTER_HEALTH_CHECK_CHECKPOINT_PROGRESS_ENABLED: bool =
            "cluster.health-check.checkpoint-progress.enabled", default "true", since "1.4";
        /// Window in which a checkpoint must complete; at least, and by default, derived from the
        /// job's checkpoint interval, time-out and tolerated failures.
        CLUSTER_HEALTH_CHECK_CHECKPOINT_PROGRESS_WINDOW: Duration =
            "cluster.health-check.checkpoint-progress.window", since "1.4";
        /// Merges lists in pod templates by `name` instead of by position.
        POD_TEMPLATE_MERGE_ARRAYS_BY_NAME: bool = "pod-template.merge-arrays-by-name",
            default "false", since "1.5";
        /// Lets the deletion of a session cluster wait for its session jobs.
        SESSION_DELETION_BLOCK_ON_SESSION_JOBS: bool = "session.deletion.block-on-session-jobs",
            default "true", since "1.15";
        /// Lets it wait for other running jobs too; only with block-on-session-jobs.
        SESSION_DELETION_BLOCK_ON_UNMANAGED_JOBS: bool =
            "session.deletion.block-on-unmanaged-jobs" | "session.block-on-unmanaged-jobs",
            default "true", since "1.13";
        /// Headers for downloads of jars.
        USER_ARTIFACTS_HTTP_HEADER: BTreeMap<String, String> = "user.artifacts.http.header",
            since "1.0";
    }
}
