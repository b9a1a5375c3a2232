//! Statuses that are kept as files, and what an API server does to them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use serde_json::Value;

/// The definitions; making them takes longer than a test.
static CRDS: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(flink_operator_api::crds()).unwrap());

/// Reads the statuses of a folder, by the names of the files.
pub(crate) fn stored(folder: &str) -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    files
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (
                name,
                serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap(),
            )
        })
        .collect()
}

/// Removes nulls, as an API server does before it stores an object.
pub(crate) fn pruned(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, field)| !field.is_null());
            Value::Object(kept.map(|(name, field)| (name, pruned(field))).collect())
        }
        Value::Array(items) => items.into_iter().map(pruned).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// Names the fields of a status that the schema of a kind does not have: an API server would drop them.
pub(crate) fn dropped(kind: &str, status: &Value) -> Vec<String> {
    let crds = CRDS.as_array().unwrap();
    let crd = crds.iter().find(|crd| crd["spec"]["names"]["kind"] == kind);
    let schema = &crd.unwrap()["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    unknown("status", status, &schema["properties"]["status"])
}

fn unknown(path: &str, value: &Value, schema: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) if schema.get("additionalProperties").is_none() => {
            let inner = |(name, field): (&String, &Value)| match schema["properties"].get(name) {
                Some(property) => unknown(&format!("{path}.{name}"), field, property),
                None => vec![format!("{path}.{name}")],
            };
            fields.iter().flat_map(inner).collect()
        }
        Value::Array(items) => items
            .iter()
            .flat_map(|item| unknown(path, item, &schema["items"]))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            vec![]
        }
    }
}
