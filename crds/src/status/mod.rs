//! What the operator says about a resource, and what it has to remember.
//!
//! Upstream's fields have upstream's names and meaning; `operation`, `cluster` and `lineage` are
//! additive. Of all fields absence is kept apart from emptiness: reading and writing a status back
//! changes nothing.

mod blue_green;
mod conditions;
mod job;
mod lineage;
mod operation;
mod reconciliation;
mod session_job;
mod state_snapshot;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use blue_green::{BlueGreenState, FlinkBlueGreenDeploymentStatus, UNSET_TIMESTAMP};
pub use conditions::{Condition, ConditionStatus};
pub use job::{
    Checkpoint, CheckpointInfo, CheckpointType, FlinkJobState, JobStatus, LAST_STATE_MARKER,
    Savepoint, SavepointFormatType, SavepointInfo, SnapshotTriggerType,
};
pub use lineage::{Lineage, RestorePoint, RestorePointKind, Segment};
pub use operation::{Attempt, ClusterIdentity, Operation, OperationKind, Restore, Trigger};
pub use reconciliation::{ReconciliationState, ReconciliationStatus, ResourceLifecycleState};
pub use session_job::FlinkSessionJobStatus;
pub use state_snapshot::{FlinkStateSnapshotStatus, SnapshotState};

use crate::text::text_enum;

text_enum! {
    /// Where the JobManager's Kubernetes Deployment stands.
    pub enum JobManagerDeploymentStatus {
        /// The JobManager answers over REST.
        Ready = "READY",
        /// The JobManager runs, but REST calls would be too early.
        DeployedNotReady = "DEPLOYED_NOT_READY",
        /// The Deployment exists and is not available yet.
        Deploying = "DEPLOYING",
        /// There is no Deployment.
        Missing = "MISSING",
        /// The Deployment cannot become available by itself.
        Error = "ERROR",
    }
}

/// The status of a `FlinkDeployment`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlinkDeploymentStatus {
    /// The job as last observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_status: Option<JobStatus>,

    /// The last error, as JSON text with type and message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,

    /// Generation of the spec that was last acted upon or found to need no action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Where the resource stands as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle_state: Option<ResourceLifecycleState>,

    /// Facts about the running cluster, such as flink-version and total-memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_info: Option<BTreeMap<String, String>>,

    /// Where the JobManager's Deployment stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_manager_deployment_status: Option<JobManagerDeploymentStatus>,

    /// Which spec was submitted, and which one was stable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconciliation_status: Option<ReconciliationStatus>,

    /// The TaskManagers, as the scale subresource shows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_manager: Option<TaskManagerInfo>,

    /// Ready, Progressing, Degraded, Suspended and Running, each with its reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Option<Vec<Condition>>,

    /// The operation under way; absent at rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,

    /// Identity of the cluster that the operator created, while its Deployment lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterIdentity>,

    /// The history of the job's state since it was last reset, and its newest restore point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Lineage>,
}

/// The TaskManagers of an application cluster, as the scale subresource shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskManagerInfo {
    /// Label selector of the TaskManager pods; empty while the job does not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<String>,

    /// Number of TaskManagers that the job's parallelism needs; 0 while it does not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
}
