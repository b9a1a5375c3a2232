//! `podTemplate`: a Pod as the user wrote it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

use crate::configuration::form_of;

/// A Pod, or a part of one, that is the base of the pods of a Flink cluster.
///
/// It stays raw JSON: a typed Pod would lose the fields that this build does not know, and a
/// container without a name, which is allowed here, could not be read at all. The schema in the CRD is
/// that of a complete Pod in which nothing is required.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct PodTemplate(pub Map<String, Value>);

impl PodTemplate {
    /// Returns `metadata`, if it is there.
    pub fn metadata(&self) -> Option<&Value> {
        self.0.get("metadata")
    }

    /// Returns `spec`, if it is there.
    pub fn spec(&self) -> Option<&Value> {
        self.0.get("spec")
    }
}

impl From<Map<String, Value>> for PodTemplate {
    fn from(pod: Map<String, Value>) -> Self {
        Self(pod)
    }
}

impl<'de> Deserialize<'de> for PodTemplate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Value::deserialize(from)? {
            Value::Object(pod) => Ok(Self(pod)),
            other => Err(de::Error::custom(format_args!(
                "podTemplate must be a Pod with metadata and spec, found {}",
                form_of(&other)
            ))),
        }
    }
}

impl JsonSchema for PodTemplate {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "PodTemplate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        crate::schema::pod()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::PodTemplate;

    #[test]
    fn fields_of_a_later_kubernetes_survive() {
        let written = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "labels": { "a": "b" } },
            "spec": { "inventedLater": { "deep": [1] }, "containers": [{ "image": "no-name" }] },
        });
        let read: PodTemplate = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), written);
        assert_eq!(read.metadata(), Some(&written["metadata"]));
        assert_eq!(read.spec(), Some(&written["spec"]));
    }

    #[test]
    fn a_text_is_no_pod() {
        let error = serde_json::from_value::<PodTemplate>(json!("spec:")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "podTemplate must be a Pod with metadata and spec, found a text"
        );
    }
}
