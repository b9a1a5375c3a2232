//! The kind `FlinkBlueGreenDeployment`: two clusters that take turns, so that a new one is running
//! before the old one goes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

use crate::configuration::form_of;
use crate::text::text_enum;
use crate::{FlinkBlueGreenDeploymentStatus, FlinkDeploymentSpec, IngressSpec};

/// What a user asks for with a `FlinkBlueGreenDeployment`.
#[allow(clippy::duplicated_attributes)] // each printed column has its own
#[derive(Clone, Debug, Default, PartialEq, CustomResource, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "flink.apache.org",
    version = "v1beta1",
    kind = "FlinkBlueGreenDeployment",
    plural = "flinkbluegreendeployments",
    singular = "flinkbluegreendeployment",
    shortname = "flinkbgdep",
    namespaced,
    status = "FlinkBlueGreenDeploymentStatus",
    schema = "manual",
    derive = "PartialEq",
    derive = "Default",
    doc = "A Flink application whose changes go from a blue cluster to a green one and back.",
    printcolumn(
        name = "Job Status",
        type_ = "string",
        json_path = ".status.jobStatus.state",
        priority = 0
    ),
    printcolumn(
        name = "Blue Green State",
        type_ = "string",
        json_path = ".status.blueGreenState",
        priority = 1
    ),
    printcolumn(
        name = "Flink Version",
        type_ = "string",
        json_path = ".spec.template.spec.flinkVersion",
        priority = 1
    ),
    printcolumn(
        name = "Parallelism",
        type_ = "integer",
        json_path = ".spec.template.spec.job.parallelism",
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
pub struct FlinkBlueGreenDeploymentSpec {
    /// Options of the transitions, under kubernetes.operator.bluegreen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<BTreeMap<String, String>>,

    /// Ingress for the REST endpoint and web UI of whichever cluster is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<IngressSpec>,

    /// What both clusters are made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<FlinkDeploymentTemplate>,
}

/// What the two `FlinkDeployment`s of a `FlinkBlueGreenDeployment` are made from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlinkDeploymentTemplate {
    /// Accepted for compatibility; the clusters do not get these labels and annotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<TemplateMetadata>,

    /// Spec of both clusters. They are application clusters: job must be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<FlinkDeploymentSpec>,
}

/// Metadata as the user wrote it.
///
/// It stays raw JSON, since nothing in it has an effect: what is odd in it must not keep the resource
/// from being read.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct TemplateMetadata(pub Map<String, Value>);

impl<'de> Deserialize<'de> for TemplateMetadata {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Value::deserialize(from)? {
            Value::Object(metadata) => Ok(Self(metadata)),
            other => Err(de::Error::custom(format_args!(
                "template.metadata must be a map such as labels and annotations, found {}",
                form_of(&other)
            ))),
        }
    }
}

impl JsonSchema for TemplateMetadata {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "TemplateMetadata".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        crate::schema::object_meta()
    }
}

text_enum! {
    /// The two clusters of a `FlinkBlueGreenDeployment`, in the words of the label that tells them apart.
    pub enum BlueGreenDeploymentType {
        /// The cluster that is deployed first.
        Blue = "BLUE",
        /// The other one.
        Green = "GREEN",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::FlinkDeploymentTemplate;

    #[test]
    fn metadata_is_kept_and_never_in_the_way() {
        let written =
            json!({ "metadata": { "labels": { "a": "b" }, "creationTimestamp": "yesterday" } });
        let read: FlinkDeploymentTemplate = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), written);
    }

    #[test]
    fn a_text_is_no_metadata() {
        let error = serde_json::from_value::<FlinkDeploymentTemplate>(json!({ "metadata": "a" }));
        assert_eq!(
            error.unwrap_err().to_string(),
            "template.metadata must be a map such as labels and annotations, found a text"
        );
    }
}
