//! `status.jobStatus`: the job as Flink reports it, and the snapshots in upstream's older form.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::text_enum;

/// What `upgradeSavepointPath` holds when the next start restores from high-availability metadata
/// instead of a path.
pub const LAST_STATE_MARKER: &str = "KUBERNETES_OPERATOR_LAST_STATE";

text_enum! {
    /// The state of a job in Flink's own words.
    pub enum FlinkJobState {
        /// The JobManager is preparing the job.
        Initializing = "INITIALIZING",
        /// No task has started yet.
        Created = "CREATED",
        /// Tasks are scheduled or running.
        Running = "RUNNING",
        /// The job failed and its tasks are being cancelled.
        Failing = "FAILING",
        /// The job failed for good.
        Failed = "FAILED",
        /// The job is being cancelled.
        Cancelling = "CANCELLING",
        /// The job was cancelled.
        Canceled = "CANCELED",
        /// The job came to its own end.
        Finished = "FINISHED",
        /// The job restarts after a failure.
        Restarting = "RESTARTING",
        /// The JobManager gave the job up; another one may recover it.
        Suspended = "SUSPENDED",
        /// The job's state is not known and being found out.
        Reconciling = "RECONCILING",
    }
}

impl FlinkJobState {
    /// Says whether the job has ended for good: no JobManager will recover it.
    pub const fn is_globally_terminal(self) -> bool {
        match self {
            Self::Failed | Self::Canceled | Self::Finished => true,
            Self::Initializing
            | Self::Created
            | Self::Running
            | Self::Failing
            | Self::Cancelling
            | Self::Restarting
            | Self::Suspended
            | Self::Reconciling => false,
        }
    }
}

text_enum! {
    /// What caused a savepoint or checkpoint.
    pub enum SnapshotTriggerType {
        /// A user, by a nonce or a snapshot resource.
        Manual = "MANUAL",
        /// The schedule.
        Periodic = "PERIODIC",
        /// An upgrade or suspension.
        Upgrade = "UPGRADE",
        /// Not known any more.
        Unknown = "UNKNOWN",
    }
}

text_enum! {
    /// The binary format of a savepoint.
    pub enum SavepointFormatType {
        /// Independent of the state backend.
        Canonical = "CANONICAL",
        /// The state backend's own.
        Native = "NATIVE",
        /// Not known any more.
        Unknown = "UNKNOWN",
    }
}

text_enum! {
    /// How much a checkpoint contains.
    pub enum CheckpointType {
        /// All state.
        Full = "FULL",
        /// What changed since the one before.
        Incremental = "INCREMENTAL",
        /// Not known any more.
        Unknown = "UNKNOWN",
    }
}

/// The job as last observed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    /// Name that Flink reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_name: Option<String>,

    /// Flink's job id: 32 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,

    /// Flink's job state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<FlinkJobState>,

    /// When the job started: milliseconds since the epoch, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,

    /// When a change of state was last seen: milliseconds since the epoch, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_time: Option<String>,

    /// Location that the next start restores from; a marker text stands for high-availability metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade_savepoint_path: Option<String>,

    /// Savepoints, where snapshot resources are not used. Deprecated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub savepoint_info: Option<SavepointInfo>,

    /// Checkpoints, where snapshot resources are not used. Deprecated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_info: Option<CheckpointInfo>,
}

/// Savepoints of a job, in the form that precedes snapshot resources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SavepointInfo {
    /// The newest completed savepoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_savepoint: Option<Savepoint>,

    /// Flink's id of the savepoint in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_id: Option<String>,

    /// When the savepoint in progress was triggered: milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_timestamp: Option<i64>,

    /// What caused the savepoint in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_type: Option<SnapshotTriggerType>,

    /// Format of the savepoint in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format_type: Option<SavepointFormatType>,

    /// Completed savepoints, oldest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub savepoint_history: Option<Vec<Savepoint>>,

    /// When the last periodic savepoint was triggered: milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_periodic_savepoint_timestamp: Option<i64>,
}

/// A completed savepoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Savepoint {
    /// When it was triggered: milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_stamp: Option<i64>,

    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,

    /// What caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_type: Option<SnapshotTriggerType>,

    /// Its format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format_type: Option<SavepointFormatType>,

    /// The nonce that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_nonce: Option<i64>,
}

/// Checkpoints of a job that were asked for, in the form that precedes snapshot resources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointInfo {
    /// The newest completed checkpoint that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_checkpoint: Option<Checkpoint>,

    /// Flink's id of the checkpoint in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_id: Option<String>,

    /// When the checkpoint in progress was triggered: milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_timestamp: Option<i64>,

    /// What caused the checkpoint in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_type: Option<SnapshotTriggerType>,

    /// Type of the checkpoint in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format_type: Option<CheckpointType>,

    /// When the last periodic checkpoint was triggered: milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_periodic_checkpoint_timestamp: Option<i64>,
}

/// A completed checkpoint that was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// When it was triggered: milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_stamp: Option<i64>,

    /// What caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_type: Option<SnapshotTriggerType>,

    /// Its type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format_type: Option<CheckpointType>,

    /// The nonce that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_nonce: Option<i64>,
}
