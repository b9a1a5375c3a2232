//! The kind `FlinkDeployment`: a Flink cluster with one job of its own, or a session cluster.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::null_as_default;
use crate::{
    FlinkConfiguration, FlinkDeploymentStatus, FlinkVersion, IngressSpec, JobManagerSpec, JobSpec,
    KubernetesDeploymentMode, PodTemplate, TaskManagerSpec,
};

/// What a user asks for with a `FlinkDeployment`.
///
/// With `job` it is an application cluster, which lives and dies with that job; without, a session
/// cluster. The two cannot be switched after creation.
#[allow(clippy::duplicated_attributes)] // each printed column has its own
#[derive(Clone, Debug, Default, PartialEq, CustomResource, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "flink.apache.org",
    version = "v1beta1",
    kind = "FlinkDeployment",
    plural = "flinkdeployments",
    singular = "flinkdeployment",
    shortname = "flinkdep",
    namespaced,
    status = "FlinkDeploymentStatus",
    schema = "manual",
    derive = "PartialEq",
    derive = "Default",
    doc = "A Flink cluster on Kubernetes: an application cluster with its job, or a session cluster.",
    scale(
        spec_replicas_path = ".spec.taskManager.replicas",
        status_replicas_path = ".status.taskManager.replicas",
        label_selector_path = ".status.taskManager.labelSelector"
    ),
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
        name = "Flink Version",
        type_ = "string",
        json_path = ".spec.flinkVersion",
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
pub struct FlinkDeploymentSpec {
    /// The job of an application cluster. Absent: a session cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobSpec>,

    /// Any new number stops and starts the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_nonce: Option<i64>,

    /// Options of Flink and, under kubernetes.operator, of the operator for this resource.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "FlinkConfiguration::is_empty"
    )]
    pub flink_configuration: FlinkConfiguration,

    /// Container image of JobManager and TaskManagers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,

    /// When the image is pulled: `Always`, `IfNotPresent` or `Never`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<String>,

    /// Service account of the pods. Must be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,

    /// Minor version of Flink in the image. Must be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flink_version: Option<FlinkVersion>,

    /// Ingress for the REST endpoint and web UI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<IngressSpec>,

    /// Pod template of JobManager and TaskManagers. Flink's own container is flink-main-container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<PodTemplate>,

    /// Settings of the JobManager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_manager: Option<JobManagerSpec>,

    /// Settings of the TaskManagers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_manager: Option<TaskManagerSpec>,

    /// Log configuration by file name: log4j-console.properties or logback-console.xml.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_configuration: Option<BTreeMap<String, String>>,

    /// Who creates TaskManagers: native (default: Flink itself) or standalone (the operator).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<KubernetesDeploymentMode>,
}
