//! `flinkConfiguration`: options as the user wrote them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

/// Flink and operator options of one resource, in the form in which the user wrote them: flat keys,
/// nested maps, or both.
///
/// The form is kept because it is what the stored spec holds; making it flat is the business of
/// whoever uses the options. A value that is no map is refused when the resource is read.
///
/// ```
/// use flink_operator_api::FlinkConfiguration;
/// use serde_json::json;
///
/// let options: FlinkConfiguration =
///     [("taskmanager.numberOfTaskSlots", json!(2))].into_iter().collect();
/// assert_eq!(options.get("taskmanager.numberOfTaskSlots"), Some(&json!(2)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct FlinkConfiguration(pub Map<String, Value>);

impl FlinkConfiguration {
    /// Returns the value written under this very key of the top level.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Says whether no option is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for FlinkConfiguration {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Value::deserialize(from)? {
            Value::Object(options) => Ok(Self(options)),
            Value::Null => Ok(Self::default()),
            other => Err(de::Error::custom(format_args!(
                "flinkConfiguration must be a map of option names to values, found {}",
                form_of(&other)
            ))),
        }
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for FlinkConfiguration {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(options: I) -> Self {
        Self(
            options
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        )
    }
}

impl JsonSchema for FlinkConfiguration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "FlinkConfiguration".into()
    }

    /// No `type`, as upstream: the content is free JSON.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
    }
}

/// Names the form of a JSON value for messages.
pub(crate) fn form_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::FlinkConfiguration;

    #[test]
    fn nested_and_flat_forms_are_kept() {
        let written = json!({ "a.b": 1, "c": { "d": [true, "x"], "e": null } });
        let read: FlinkConfiguration = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), written);
    }

    #[test]
    fn anything_but_a_map_is_refused_by_name() {
        for broken in [json!("a: b"), json!(7), json!([]), json!(false)] {
            let error = serde_json::from_value::<FlinkConfiguration>(broken).unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with("flinkConfiguration must be a map"),
                "{error}"
            );
        }
    }
}
