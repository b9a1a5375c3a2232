//! The parts of a cluster's spec: JobManager, TaskManagers, their resources, and the way to deploy them.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::PodTemplate;
use crate::text::text_enum;

text_enum! {
    /// Who creates TaskManagers.
    #[derive(Default)]
    pub enum KubernetesDeploymentMode {
        /// Flink asks Kubernetes for TaskManager pods as it needs them.
        #[default]
        Native = "native",
        /// The operator runs a fixed number of TaskManagers.
        Standalone = "standalone",
    }
}

/// Settings of the JobManager.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobManagerSpec {
    /// CPU and memory of the JobManager. Deprecated by resources, which wins if both are set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,

    /// Requests and limits of the JobManager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,

    /// Number of JobManager pods (default 1). More than one needs high availability.
    #[serde(default = "one", deserialize_with = "null_as_one")]
    pub replicas: i32,

    /// Pod template of the JobManager, merged over spec.podTemplate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<PodTemplate>,
}

impl Default for JobManagerSpec {
    fn default() -> Self {
        Self {
            resource: None,
            resources: None,
            replicas: one(),
            pod_template: None,
        }
    }
}

const fn one() -> i32 {
    1
}

fn null_as_one<'de, D: serde::Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(one()))
}

/// Settings of the TaskManagers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskManagerSpec {
    /// CPU and memory of each TaskManager. Deprecated by resources, which wins if both are set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,

    /// Requests and limits of each TaskManager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,

    /// Number of TaskManagers. If set, the job's parallelism is this number times the slots of each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,

    /// Pod template of the TaskManagers, merged over spec.podTemplate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<PodTemplate>,
}

/// CPU, memory and storage of one process, in the older form.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// CPU cores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<f64>,

    /// Total memory of the process: a Flink memory size (2048m, 2g) or a Kubernetes quantity (2Gi).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,

    /// Ephemeral storage, as a Kubernetes quantity (10Gi).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ephemeral_storage: Option<String>,
}

/// Requests and limits of one process, in the form that containers use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceRequirements {
    /// Least amounts by resource name. cpu and memory also size Flink itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<BTreeMap<String, Quantity>>,

    /// Largest amounts by resource name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<BTreeMap<String, Quantity>>,

    /// Resource claims. Accepted for compatibility; not used by the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<Vec<ResourceClaim>>,
}

/// Names a resource claim of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceClaim {
    /// Name of the claim in the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,

    /// Name of the request within the claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// An amount as it was written: a whole number or a text such as `500m` or `2Gi`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Quantity {
    /// A whole number. 64 bits, since memory is counted in bytes.
    Number(i64),
    /// A number with a suffix, or any other text: reading it is the validator's business.
    Text(String),
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl From<&str> for Quantity {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Quantity {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl JsonSchema for Quantity {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "x-kubernetes-int-or-string": true })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::{JobManagerSpec, ResourceRequirements};

    #[test]
    fn amounts_stay_as_written() {
        let written = json!({
            "requests": { "cpu": 1, "memory": 4_294_967_296_i64, "nvidia.com/gpu": "1" },
            "limits": { "cpu": "1500m" },
            "claims": [{ "name": "gpu", "request": "one" }],
        });
        let read: ResourceRequirements = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), written);
        assert_eq!(read.requests.unwrap()["memory"].to_string(), "4294967296");
    }

    #[test]
    fn one_job_manager_unless_said_otherwise() {
        for absent in [json!({}), json!({ "replicas": null })] {
            assert_eq!(
                serde_json::from_value::<JobManagerSpec>(absent)
                    .unwrap()
                    .replicas,
                1
            );
        }
        assert_eq!(JobManagerSpec::default().replicas, 1);
    }
}
