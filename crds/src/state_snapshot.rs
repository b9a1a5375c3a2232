//! The kind `FlinkStateSnapshot`: one savepoint or checkpoint of a job.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::text::{null_as_default, text_enum};
use crate::{FlinkStateSnapshotStatus, SavepointFormatType};

/// What a user asks for with a `FlinkStateSnapshot`: a savepoint or a checkpoint of one job.
///
/// A snapshot is taken once; changes after creation have no effect.
#[allow(clippy::duplicated_attributes)] // each printed column has its own
#[derive(Clone, Debug, PartialEq, Eq, CustomResource, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "flink.apache.org",
    version = "v1beta1",
    kind = "FlinkStateSnapshot",
    plural = "flinkstatesnapshots",
    singular = "flinkstatesnapshot",
    shortname = "flinksnp",
    namespaced,
    status = "FlinkStateSnapshotStatus",
    schema = "manual",
    derive = "PartialEq",
    derive = "Default",
    doc = "A savepoint or checkpoint of a Flink job.",
    printcolumn(
        name = "Path",
        type_ = "string",
        json_path = ".status.path",
        priority = 0
    ),
    printcolumn(
        name = "Result Timestamp",
        type_ = "string",
        json_path = ".status.resultTimestamp",
        priority = 0
    ),
    printcolumn(
        name = "Snapshot State",
        type_ = "string",
        json_path = ".status.state",
        priority = 0
    ),
    printcolumn(
        name = "Job",
        type_ = "string",
        json_path = ".spec.jobReference.name",
        priority = 1
    ),
    printcolumn(
        name = "Restore Point",
        type_ = "date",
        json_path = ".status.resultTimestamp",
        priority = 1
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].reason",
        priority = 1
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct FlinkStateSnapshotSpec {
    /// The job, in the same namespace. Must be set, unless the savepoint already exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_reference: Option<JobReference>,

    /// Asks for a savepoint. Either this or checkpoint must be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub savepoint: Option<SavepointSpec>,

    /// Asks for a checkpoint. Either this or savepoint must be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointSpec>,

    /// How often a failed snapshot is tried again; any negative number (default -1) means without end.
    #[serde(default = "without_end", deserialize_with = "null_as_without_end")]
    pub backoff_limit: i32,
}

impl Default for FlinkStateSnapshotSpec {
    fn default() -> Self {
        Self {
            job_reference: None,
            savepoint: None,
            checkpoint: None,
            backoff_limit: without_end(),
        }
    }
}

const fn without_end() -> i32 {
    -1
}

fn null_as_without_end<'de, D: Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(without_end()))
}

text_enum! {
    /// The kinds of resources that have a job.
    pub enum JobKind {
        /// An application cluster.
        FlinkDeployment = "FlinkDeployment",
        /// A job on a session cluster.
        FlinkSessionJob = "FlinkSessionJob",
    }
}

/// Names the resource whose job a snapshot is of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobReference {
    /// Kind of the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<JobKind>,

    /// Name of the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A savepoint to take, or one that exists already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SavepointSpec {
    /// Directory for the savepoint; absent: that of the job's configuration. With alreadyExists the
    /// savepoint itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,

    /// Binary format: CANONICAL (default, independent of the state backend) or NATIVE.
    #[serde(default = "canonical", deserialize_with = "null_as_canonical")]
    pub format_type: SavepointFormatType,

    /// Whether the savepoint's data goes with this resource (default true). Needs the job running then.
    #[serde(default = "yes", deserialize_with = "null_as_yes")]
    pub dispose_on_delete: bool,

    /// Whether the savepoint exists already (default false): then nothing is asked of Flink.
    #[serde(default, deserialize_with = "null_as_default")]
    pub already_exists: bool,
}

impl Default for SavepointSpec {
    fn default() -> Self {
        Self {
            path: None,
            format_type: canonical(),
            dispose_on_delete: yes(),
            already_exists: false,
        }
    }
}

const fn canonical() -> SavepointFormatType {
    SavepointFormatType::Canonical
}

fn null_as_canonical<'de, D: Deserializer<'de>>(from: D) -> Result<SavepointFormatType, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(canonical()))
}

const fn yes() -> bool {
    true
}

fn null_as_yes<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(yes()))
}

/// A checkpoint to take. It has nothing to choose: it is a full one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckpointSpec {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::{FlinkStateSnapshotSpec, SavepointFormatType, SavepointSpec};

    #[test]
    fn what_is_absent_or_null_is_as_in_the_java_operator() {
        for savepoint in [
            json!({}),
            json!({ "path": null, "formatType": null, "disposeOnDelete": null, "alreadyExists": null }),
        ] {
            let read: SavepointSpec = serde_json::from_value(savepoint).unwrap();
            assert_eq!(read, SavepointSpec::default());
            assert_eq!(read.format_type, SavepointFormatType::Canonical);
            assert!(read.dispose_on_delete && !read.already_exists);
        }
        for spec in [
            json!({}),
            json!({ "backoffLimit": null, "savepoint": null }),
        ] {
            let read: FlinkStateSnapshotSpec = serde_json::from_value(spec).unwrap();
            assert_eq!(read, FlinkStateSnapshotSpec::default());
            assert_eq!(read.backoff_limit, -1);
        }
    }

    #[test]
    fn an_empty_checkpoint_is_one() {
        let asked = json!({ "checkpoint": {}, "backoffLimit": 0 });
        let read: FlinkStateSnapshotSpec = serde_json::from_value(asked.clone()).unwrap();
        assert!(read.checkpoint.is_some() && read.savepoint.is_none());
        assert_eq!(serde_json::to_value(&read).unwrap(), asked);
    }
}
