//! `status.reconciliationStatus` and the life cycle computed from it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::text_enum;

text_enum! {
    /// How far the spec has been carried out.
    pub enum ReconciliationState {
        /// The last reconciled spec has been submitted.
        Deployed = "DEPLOYED",
        /// Nothing was submitted yet, or the old job is being replaced.
        Upgrading = "UPGRADING",
        /// The way back to the last stable spec has begun.
        RollingBack = "ROLLING_BACK",
        /// The last stable spec has been submitted again; the last reconciled spec is the failed one.
        RolledBack = "ROLLED_BACK",
    }
}

text_enum! {
    /// Where a resource stands as a whole.
    pub enum ResourceLifecycleState {
        /// Nothing has been done about the resource yet.
        Created = "CREATED",
        /// The job is meant to be stopped, and is.
        Suspended = "SUSPENDED",
        /// The resource is being changed.
        Upgrading = "UPGRADING",
        /// The spec is submitted and not yet known to be stable.
        Deployed = "DEPLOYED",
        /// The spec is submitted and has proved stable.
        Stable = "STABLE",
        /// The resource is on its way back to the last stable spec.
        RollingBack = "ROLLING_BACK",
        /// The last stable spec has been submitted again.
        RolledBack = "ROLLED_BACK",
        /// The job or the resource failed for good.
        Failed = "FAILED",
        /// The resource is being deleted.
        Deleting = "DELETING",
        /// The resource is deleted but for its finalizer.
        Deleted = "DELETED",
    }
}

/// Which spec was submitted, and which one was stable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReconciliationStatus {
    /// When the spec was last written here: milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconciliation_timestamp: Option<i64>,

    /// The spec that was submitted last, as JSON text. Kept byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_reconciled_spec: Option<String>,

    /// The last spec that proved stable, as JSON text. Kept byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_stable_spec: Option<String>,

    /// How far the spec has been carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ReconciliationState>,
}
