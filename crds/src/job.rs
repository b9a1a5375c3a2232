//! `spec.job`: the job of an application cluster or of a session job.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::{null_as_default, text_enum};

text_enum! {
    /// Whether a job is meant to run.
    #[derive(Default)]
    pub enum JobState {
        /// The job is meant to run.
        #[default]
        Running = "running",
        /// The job is meant to be stopped, with or without its state as the upgrade mode says.
        Suspended = "suspended",
    }
}

text_enum! {
    /// How the state of a job is carried over an upgrade or a suspension.
    #[derive(Default)]
    pub enum UpgradeMode {
        /// Stop with a savepoint and start from it.
        Savepoint = "savepoint",
        /// Start from the newest checkpoint.
        LastState = "last-state",
        /// Start without state.
        #[default]
        Stateless = "stateless",
    }
}

/// A Flink job: what to run, how wide, and how its state is carried over changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobSpec {
    /// Jar of the job. Application: a path inside the image (local:///...). Session job: a URI from which
    /// the operator fetches the jar. If absent, the main class has to be on the cluster's class path.
    #[serde(rename = "jarURI", default, skip_serializing_if = "Option::is_none")]
    pub jar_uri: Option<String>,

    /// Parallelism of the job. At least 1, unless taskManager.replicas is set and decides.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "is_zero"
    )]
    pub parallelism: i32,

    /// Main class of the job, if the jar's manifest does not name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_class: Option<String>,

    /// Arguments of the job's main method, one element each.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub args: Vec<String>,

    /// Whether the job is meant to run: running (default) or suspended.
    #[serde(default, deserialize_with = "null_as_default")]
    pub state: JobState,

    /// Any new number triggers a savepoint of the running job. Deprecated: create a FlinkStateSnapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub savepoint_trigger_nonce: Option<i64>,

    /// Savepoint or checkpoint from which the very first start restores; later it is used only together
    /// with a new savepointRedeployNonce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_savepoint_path: Option<String>,

    /// Any new number triggers a checkpoint of the running job. Deprecated: create a FlinkStateSnapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_trigger_nonce: Option<i64>,

    /// How state is carried over an upgrade or a suspension: savepoint (stop with a savepoint), last-state
    /// (newest checkpoint) or stateless (default: no state).
    #[serde(default, deserialize_with = "null_as_default")]
    pub upgrade_mode: UpgradeMode,

    /// Whether a start may leave out state of the restore point that no operator of the job claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_non_restored_state: Option<bool>,

    /// Any new number, together with initialSavepointPath, redeploys the job from that path and drops its
    /// current state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub savepoint_redeploy_nonce: Option<i64>,

    /// Any new number clears what the autoscaler has stored for this job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaler_reset_nonce: Option<i64>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the signature that serde asks for
fn is_zero(number: &i32) -> bool {
    *number == 0
}
