//! The status of a `FlinkStateSnapshot`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Condition, Operation};
use crate::text::text_enum;

text_enum! {
    /// How far a snapshot is.
    pub enum SnapshotState {
        /// It has not been asked of Flink yet, or is about to be asked again.
        TriggerPending = "TRIGGER_PENDING",
        /// Flink is taking it.
        InProgress = "IN_PROGRESS",
        /// It is there.
        Completed = "COMPLETED",
        /// It failed for good.
        Failed = "FAILED",
        /// The job went away, or was not running, so that it cannot be taken.
        Abandoned = "ABANDONED",
    }
}

impl SnapshotState {
    /// Says whether nothing more will happen.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Abandoned => true,
            Self::TriggerPending | Self::InProgress => false,
        }
    }
}

/// The status of a `FlinkStateSnapshot`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlinkStateSnapshotStatus {
    /// How far the snapshot is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<SnapshotState>,

    /// Flink's id of the snapshot in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_id: Option<String>,

    /// When the snapshot was last asked of Flink (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_timestamp: Option<String>,

    /// When the snapshot was completed or last failed (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_timestamp: Option<String>,

    /// Where the snapshot is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,

    /// The last error, as JSON text with type and message, or why the snapshot was abandoned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,

    /// How often the snapshot failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<i32>,

    /// Generation of the spec that the status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready, Progressing and Degraded, each with its reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Option<Vec<Condition>>,

    /// The operation under way; absent at rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
}

#[cfg(test)]
mod tests {
    use super::SnapshotState;

    #[test]
    fn what_is_final_stays_so() {
        let last: Vec<_> = SnapshotState::ALL
            .iter()
            .filter(|state| state.is_final())
            .collect();
        assert_eq!(
            last,
            [
                &SnapshotState::Completed,
                &SnapshotState::Failed,
                &SnapshotState::Abandoned
            ]
        );
    }
}
