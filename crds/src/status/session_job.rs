//! The status of a `FlinkSessionJob`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    ClusterIdentity, Condition, JobStatus, Lineage, Operation, ReconciliationStatus,
    ResourceLifecycleState,
};

/// The status of a `FlinkSessionJob`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlinkSessionJobStatus {
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

    /// Which spec was submitted, and which one was stable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconciliation_status: Option<ReconciliationStatus>,

    /// Ready, Progressing, Degraded, Suspended and Running, each with its reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Option<Vec<Condition>>,

    /// The operation under way; absent at rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,

    /// Identity of the cluster that the job was submitted to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterIdentity>,

    /// The history of the job's state since it was last reset, and its newest restore point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Lineage>,
}
