//! `status.lineage`: which runs a job's state has gone through, and its newest restore point.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::text_enum;

/// The history of a job's state since a user last asked to drop it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lineage {
    /// Identity of the last reset: a stateless upgrade or a savepoint redeploy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_id: Option<String>,

    /// Runs of the job since then, oldest first, at most the last 20.
    #[serde(default)]
    pub segments: Vec<Segment>,

    /// The newest restore point known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<RestorePoint>,
}

/// One run of the job: from a start to the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Segment {
    /// Number of the run, counted from the reset: stays true when older runs are dropped from the list.
    #[serde(default)]
    pub number: i64,

    /// Job id of the run.
    pub job_id: String,

    /// Flink's start time of the run in milliseconds since the epoch. Absent until seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<i64>,

    /// Id of the checkpoint that the run restored from; 0 if it is known that it began without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_id: Option<i64>,
}

text_enum! {
    /// What a restore point is.
    pub enum RestorePointKind {
        /// A checkpoint.
        Checkpoint = "checkpoint",
        /// A savepoint.
        Savepoint = "savepoint",
    }
}

/// A checkpoint or savepoint that a job can be started from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestorePoint {
    /// Number of the run that made it. Order is by this number, then by id.
    pub segment: i64,

    /// Flink's checkpoint id, unique within one run. Absent if only the path is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,

    /// Where it is. Absent for a checkpoint that only high-availability metadata can find.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,

    /// checkpoint or savepoint.
    #[schemars(with = "String")]
    pub kind: RestorePointKind,

    /// When it was completed (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}
