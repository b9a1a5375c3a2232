//! Holds a document against the schema of its kind: unknown fields and wrong forms, each with its path.
//!
//! An API server drops unknown fields in silence unless it is asked not to; a person who renders a file
//! wants to hear of each misspelt one.

use flink_operator_api::crds;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value};

/// The fields of metadata that people write.
const METADATA: [&str; 5] = ["name", "namespace", "labels", "annotations", "finalizers"];

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// The path of the field, such as `spec.job.parallelism`.
    pub(super) path: String,
    /// What is wrong, and what is expected.
    pub(super) text: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.text)
    }
}

/// Finds everything in a resource that the schema of its kind does not have.
pub(super) fn problems(kind: &str, document: &Map<String, Value>) -> Vec<Problem> {
    let mut found = Vec::new();
    let schema = schema_of(kind);
    for (name, value) in document {
        match name.as_str() {
            // A status is the operator's own; render does not read it.
            "apiVersion" | "kind" | "status" => {}
            "metadata" => metadata(value, &mut found),
            "spec" => {
                if let Some(spec) = property(&schema, "spec") {
                    check("spec", value, spec, &mut found);
                }
            }
            unknown => {
                let known = ["apiVersion", "kind", "metadata", "spec", "status"];
                found.push(no_such_field("", unknown, known.into_iter()));
            }
        }
    }
    found
}

fn schema_of(kind: &str) -> JSONSchemaProps {
    let definition = crds().into_iter().find(|crd| crd.spec.names.kind == kind);
    let version = definition.and_then(|crd| crd.spec.versions.into_iter().next());
    version
        .and_then(|version| version.schema?.open_api_v3_schema)
        .expect("every kind of the API has a schema")
}

fn property<'a>(schema: &'a JSONSchemaProps, name: &str) -> Option<&'a JSONSchemaProps> {
    schema.properties.as_ref()?.get(name)
}

/// Checks metadata against the type that every Kubernetes object has.
fn metadata(written: &Value, found: &mut Vec<Problem>) {
    let typed: ObjectMeta = match serde_json::from_value(written.clone()) {
        Ok(typed) => typed,
        Err(error) => {
            return found.push(Problem {
                path: "metadata".to_owned(),
                text: error.to_string(),
            });
        }
    };
    let understood = serde_json::to_value(typed).unwrap_or_default();
    for (name, value) in written.as_object().into_iter().flatten() {
        if !value.is_null() && understood.get(name).is_none() {
            found.push(no_such_field("metadata", name, METADATA.into_iter()));
        }
    }
}

fn check(path: &str, value: &Value, schema: &JSONSchemaProps, found: &mut Vec<Problem>) {
    // Null is absence: an API server drops it.
    if value.is_null() {
        return;
    }
    if let Some(text) = wrong_form(value, schema) {
        return found.push(Problem {
            path: path.to_owned(),
            text,
        });
    }
    match value {
        Value::Object(fields) => object(path, fields, schema, found),
        Value::Array(items) => {
            if let Some(JSONSchemaPropsOrArray::Schema(schema)) = &schema.items {
                for (index, item) in items.iter().enumerate() {
                    check(&format!("{path}[{index}]"), item, schema, found);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn object(
    path: &str,
    fields: &Map<String, Value>,
    schema: &JSONSchemaProps,
    found: &mut Vec<Problem>,
) {
    let open = schema.x_kubernetes_preserve_unknown_fields == Some(true);
    for (name, value) in fields {
        let below = format!("{path}.{name}");
        if let Some(schema) = property(schema, name) {
            check(&below, value, schema, found);
            continue;
        }
        match &schema.additional_properties {
            Some(JSONSchemaPropsOrBool::Schema(schema)) => check(&below, value, schema, found),
            Some(JSONSchemaPropsOrBool::Bool(true)) => {}
            Some(JSONSchemaPropsOrBool::Bool(false)) | None if open => {}
            Some(JSONSchemaPropsOrBool::Bool(false)) | None => {
                let known = schema.properties.iter().flat_map(|known| known.keys());
                found.push(no_such_field(path, name, known.map(String::as_str)));
            }
        }
    }
}

/// Says how a value differs from the form that a schema asks for.
fn wrong_form(value: &Value, schema: &JSONSchemaProps) -> Option<String> {
    if schema.x_kubernetes_int_or_string == Some(true) {
        let fits = value.is_string() || is_whole(value);
        return (!fits).then(|| format!("must be a text or a whole number, found {}", form(value)));
    }
    let (fits, wanted) = match schema.type_.as_deref()? {
        "object" => (value.is_object(), "a map of fields"),
        "array" => (value.is_array(), "a list"),
        "string" => (value.is_string(), "a text (write it in quotes)"),
        "boolean" => (value.is_boolean(), "true or false"),
        "integer" => (is_whole(value), "a whole number"),
        "number" => (value.is_number(), "a number"),
        _ => return None,
    };
    if !fits {
        return Some(format!("must be {wanted}, found {}", form(value)));
    }
    let words = schema.enum_.as_ref()?;
    let words: Vec<&str> = words.iter().filter_map(|word| word.0.as_str()).collect();
    let text = value.as_str()?;
    (!words.contains(&text)).then(|| format!("\"{text}\" must be one of {}", words.join(", ")))
}

fn is_whole(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
}

fn form(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map of fields",
    }
}

fn no_such_field<'a>(parent: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Problem {
    let path = if parent.is_empty() {
        name.to_owned()
    } else {
        format!("{parent}.{name}")
    };
    let text = match nearest(name, known) {
        Some(near) => format!("there is no such field; did you mean {near}?"),
        None => "there is no such field; remove it".to_owned(),
    };
    Problem { path, text }
}

/// Finds the known name that a misspelt one was probably meant to be.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_ascii_lowercase();
    let near = known.map(|known| (distance(&lower, &known.to_ascii_lowercase()), known));
    let (distance, best) = near.min()?;
    (distance <= 1 + name.len() / 4).then_some(best)
}

/// Counts the letters to insert, drop or change on the way from one name to another.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.bytes().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(document: Value) -> Vec<String> {
        let Value::Object(document) = document else {
            panic!("a document is a map");
        };
        problems("FlinkDeployment", &document)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn every_misspelt_field_is_named_with_its_path() {
        let document = json!({
            "apiVersion": "x", "kind": "x", "stauts": {},
            "metadata": { "name": "a", "label": {} },
            "spec": {
                "flinkversion": "v1_20",
                "job": { "jarURI": "x", "paralelism": 2, "entirelyMadeUp": 1 },
                "podTemplate": { "spec": { "containers": [{ "name": "a" }, { "imagee": "b" }] } },
            },
        });
        assert_eq!(
            found(document),
            [
                "metadata.label: there is no such field; did you mean labels?",
                "spec.flinkversion: there is no such field; did you mean flinkVersion?",
                "spec.job.entirelyMadeUp: there is no such field; remove it",
                "spec.job.paralelism: there is no such field; did you mean parallelism?",
                "spec.podTemplate.spec.containers[1].imagee: there is no such field; did you mean image?",
                "stauts: there is no such field; did you mean status?",
            ]
        );
    }

    #[test]
    fn a_wrong_form_is_named_with_what_is_expected() {
        let document = json!({ "spec": {
            "image": 7,
            "flinkVersion": "v0_1",
            "job": { "parallelism": "two", "args": "x" },
            "podTemplate": { "spec": { "containers": {} } },
            "jobManager": { "resource": { "cpu": "1" } },
        }});
        let found = found(document);
        let starts = [
            "spec.image: must be a text",
            "spec.flinkVersion: \"v0_1\" must be one of v1_13",
            "spec.job.parallelism: must be a whole number, found a text",
            "spec.job.args: must be a list, found a text",
            "spec.podTemplate.spec.containers: must be a list, found a map",
            "spec.jobManager.resource.cpu: must be a number, found a text",
        ];
        for start in starts {
            assert!(
                found.iter().any(|text| text.starts_with(start)),
                "{start}: {found:?}"
            );
        }
        assert_eq!(found.len(), starts.len(), "{found:?}");
    }

    #[test]
    fn null_is_absence_and_maps_take_any_key() {
        let document = json!({ "metadata": { "annotations": { "x/y": "z" }, "labels": null }, "spec": {
            "image": null, "flinkConfiguration": { "any.key": 1, "nested": { "k": [1] } },
            "podTemplate": { "metadata": { "labels": { "free": "x" } } },
            "logConfiguration": { "log4j-console.properties": "x" },
        }});
        assert_eq!(found(document), [""; 0]);
    }
}
