//! The status of a `FlinkBlueGreenDeployment`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Condition, JobStatus, Lineage, Operation};
use crate::text::text_enum;

text_enum! {
    /// Which cluster is active, or what is on the way to the other one.
    pub enum BlueGreenState {
        /// The first cluster has not been deployed yet.
        InitializingBlue = "INITIALIZING_BLUE",
        /// Blue is active.
        ActiveBlue = "ACTIVE_BLUE",
        /// Green is active.
        ActiveGreen = "ACTIVE_GREEN",
        /// A savepoint of blue is taken for green to start from.
        SavepointingBlue = "SAVEPOINTING_BLUE",
        /// A savepoint of green is taken for blue to start from.
        SavepointingGreen = "SAVEPOINTING_GREEN",
        /// Blue is deployed and not active yet.
        TransitioningToBlue = "TRANSITIONING_TO_BLUE",
        /// Green is deployed and not active yet.
        TransitioningToGreen = "TRANSITIONING_TO_GREEN",
    }
}

/// How the Java operator writes that a time of a `FlinkBlueGreenDeployment` is not set.
pub const UNSET_TIMESTAMP: &str = "1970-01-01T00:00:00Z";

/// The status of a `FlinkBlueGreenDeployment`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlinkBlueGreenDeploymentStatus {
    /// The job of the pair as a whole; only its state is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_status: Option<JobStatus>,

    /// Which cluster is active, or what is on the way to the other one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blue_green_state: Option<BlueGreenState>,

    /// The spec that was last acted upon, as JSON text. Kept byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_reconciled_spec: Option<String>,

    /// When the status was last written (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_reconciled_timestamp: Option<String>,

    /// When the transition under way is given up (RFC 3339). The epoch means that it is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort_timestamp: Option<String>,

    /// When the new cluster became ready (RFC 3339). The epoch means that it is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_ready_timestamp: Option<String>,

    /// Flink's id of the savepoint taken for the transition under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub savepoint_trigger_id: Option<String>,

    /// The last error, as plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,

    /// Generation of the spec that was last acted upon or found to need no action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready, Progressing, Degraded, Suspended and Running, each with its reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Option<Vec<Condition>>,

    /// The operation under way; absent at rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,

    /// The history of the job's state over both clusters, and its newest restore point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Lineage>,
}
