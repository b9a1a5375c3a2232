//! The kind `FlinkSessionJob`: a job of its own on a session cluster.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::null_as_default;
use crate::{FlinkConfiguration, FlinkSessionJobStatus, JobSpec};

/// What a user asks for with a `FlinkSessionJob`.
///
/// The cluster is a `FlinkDeployment` without `job` in the same namespace.
#[allow(clippy::duplicated_attributes)] // each printed column has its own
#[derive(Clone, Debug, Default, PartialEq, CustomResource, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "flink.apache.org",
    version = "v1beta1",
    kind = "FlinkSessionJob",
    plural = "flinksessionjobs",
    singular = "flinksessionjob",
    shortname = "sessionjob",
    namespaced,
    status = "FlinkSessionJobStatus",
    schema = "manual",
    derive = "PartialEq",
    derive = "Default",
    doc = "A Flink job on a session cluster.",
    printcolumn(
        name = "Job Status",
        type_ = "string",
        json_path = ".status.jobStatus.state",
        priority = 0
    ),
    printcolumn(
        name = "Lifecycle State",
        type_ = "string",
        json_path = ".status.lifecycleState",
        priority = 0
    ),
    printcolumn(
        name = "Cluster",
        type_ = "string",
        json_path = ".spec.deploymentName",
        priority = 1
    ),
    printcolumn(
        name = "Parallelism",
        type_ = "integer",
        json_path = ".spec.job.parallelism",
        priority = 1
    ),
    printcolumn(
        name = "Restore Point",
        type_ = "date",
        json_path = ".status.lineage.newest.at",
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
pub struct FlinkSessionJobSpec {
    /// Name of the session cluster, a FlinkDeployment in the same namespace. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_name: Option<String>,

    /// The job. Must be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobSpec>,

    /// Any new number stops and starts the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_nonce: Option<i64>,

    /// Options of the job and, under kubernetes.operator, of the operator for this resource. Options of
    /// the cluster have no effect here.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "FlinkConfiguration::is_empty"
    )]
    pub flink_configuration: FlinkConfiguration,
}
