//! `status.operation` and `status.cluster`: what the operator is doing, stored before it is done.
//!
//! These fields are not upstream's. They are written before the effect that they announce, so that any
//! replica can find out after a crash how far it came. All of them absent means that nothing is known
//! (the Java operator wrote last), not that nothing happened.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::text::text_enum;

text_enum! {
    /// What an operation is for.
    ///
    /// The schema allows any text here, so that a newer operator does not need a newer CRD. An operator
    /// that does not know the word cannot read the status, and thus leaves the resource alone.
    pub enum OperationKind {
        /// A cluster is created.
        Deploy = "Deploy",
        /// A job is submitted to a session cluster.
        Submit = "Submit",
        /// A job is stopped with a savepoint.
        Stop = "Stop",
        /// A job or cluster is ended without a new savepoint.
        End = "End",
        /// A savepoint or checkpoint of the running job is taken.
        Snapshot = "Snapshot",
        /// The last stable spec is brought back.
        Rollback = "Rollback",
    }
}

/// An operation under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Identity of the operation.
    pub id: String,

    /// What it is for, such as Deploy, Submit, Stop or End.
    #[schemars(with = "String")]
    pub kind: OperationKind,

    /// Generation of the resource that it carries out.
    pub generation: i64,

    /// When it began (RFC 3339).
    pub started_at: String,

    /// Until when its requests may be carried out (RFC 3339); a later one is void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,

    /// When a step that failed is tried again at the earliest (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,

    /// The attempt to start a cluster or job that belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,

    /// The savepoint or stop requested from Flink that belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
}

/// One attempt to start a cluster or job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Identity of the attempt; the Deployment that it creates carries it.
    pub id: String,

    /// Job id that the job is started with. Absent for a session cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,

    /// Part of the path of the job result store that is new with each deploy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_store_id: Option<String>,

    /// What the job restores from.
    #[serde(default)]
    pub restore: Restore,

    /// Hash of all objects rendered for the attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub children_hash: Option<String>,
}

/// What a start restores from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Restore {
    /// Nothing: the job starts without state.
    #[default]
    None,
    /// A savepoint or retained checkpoint.
    Savepoint {
        /// Where it is.
        path: String,
    },
    /// The newest checkpoint that high-availability metadata names.
    LastState,
}

impl JsonSchema for Restore {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Restore".into()
    }

    /// Written by hand: what is derived for a tagged enum is not structural.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": {
                "kind": { "type": "string", "description": "none, savepoint or lastState." },
                "path": { "type": "string", "description": "Where the savepoint is." },
            },
        })
    }
}

/// A savepoint, or a stop with a savepoint, requested from Flink.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trigger {
    /// Flink's id of the request. Absent where Flink chooses it (1.13 and 1.14) and has not answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,

    /// Job that was asked.
    pub job: String,

    /// Flink's start time of that job in milliseconds since the epoch: tells one run from the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<i64>,

    /// Highest checkpoint id seen before the request; what it makes has a higher one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub highest_id: Option<i64>,

    /// When it was asked for first (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<String>,

    /// Directory that the savepoint was asked to be put into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,

    /// Where the savepoint is, once Flink has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// Identity of a cluster that the operator created.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterIdentity {
    /// The attempt that created it. Absent for a cluster adopted from the Java operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_id: Option<String>,

    /// Uid of the JobManager's Deployment.
    pub deployment_uid: String,

    /// Part of the path of the job result store that is new with each deploy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_store_id: Option<String>,
}
