//! Reading and writing metadata of objects held as plain JSON.

use serde_json::{Map, Value, json};

pub(crate) const FOREGROUND: &str = "foregroundDeletion";
/// Holds a CRD until the objects of its kind are gone.
pub(crate) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";
pub(crate) const ORPHAN: &str = "orphan";

/// A reference to the object that an object belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) blocks: bool,
}

/// Gives a text field of the metadata, empty if absent.
pub(crate) fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

pub(crate) fn name(object: &Value) -> &str {
    text(object, "name")
}

pub(crate) fn namespace(object: &Value) -> &str {
    text(object, "namespace")
}

pub(crate) fn uid(object: &Value) -> &str {
    text(object, "uid")
}

/// Gives the resourceVersion, 0 if absent.
pub(crate) fn version(object: &Value) -> u64 {
    text(object, "resourceVersion").parse().unwrap_or_default()
}

pub(crate) fn is_deleting(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

pub(crate) fn finalizers(object: &Value) -> Vec<&str> {
    let listed = object["metadata"]["finalizers"].as_array();
    listed
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

pub(crate) fn has_finalizer(object: &Value, finalizer: &str) -> bool {
    finalizers(object).contains(&finalizer)
}

/// Replaces the finalizers; an empty list removes the field.
pub(crate) fn set_finalizers(object: &mut Value, finalizers: &[String]) {
    let metadata = metadata_mut(object);
    if finalizers.is_empty() {
        metadata.remove("finalizers");
    } else {
        metadata.insert("finalizers".into(), json!(finalizers));
    }
}

pub(crate) fn owners(object: &Value) -> Vec<Owner> {
    let Some(listed) = object["metadata"]["ownerReferences"].as_array() else {
        return Vec::new();
    };
    let text =
        |reference: &Value, field: &str| reference[field].as_str().unwrap_or_default().to_owned();
    listed
        .iter()
        .map(|reference| Owner {
            api_version: text(reference, "apiVersion"),
            kind: text(reference, "kind"),
            name: text(reference, "name"),
            uid: text(reference, "uid"),
            blocks: reference["blockOwnerDeletion"]
                .as_bool()
                .unwrap_or_default(),
        })
        .collect()
}

/// Gives the metadata for writing; an object without any gets some.
pub(crate) fn metadata_mut(object: &mut Value) -> &mut Map<String, Value> {
    let metadata = object
        .as_object_mut()
        .expect("only JSON objects get past the router")
        .entry("metadata")
        .or_insert_with(|| json!({}));
    if !metadata.is_object() {
        *metadata = json!({});
    }
    metadata.as_object_mut().expect("made an object just above")
}

/// Copies one top-level field from another object, removing it where the other has none.
pub(crate) fn copy_field(from: &Value, to: &mut Value, field: &str) {
    let target = to
        .as_object_mut()
        .expect("only JSON objects get past the router");
    match from.get(field) {
        Some(value) => target.insert(field.to_owned(), value.clone()),
        None => target.remove(field),
    };
}

/// Copies one metadata field from another object, removing it where the other has none.
pub(crate) fn copy_metadata(from: &Value, to: &mut Value, field: &str) {
    let value = from["metadata"].get(field).cloned();
    let metadata = metadata_mut(to);
    match value {
        Some(value) => metadata.insert(field.to_owned(), value),
        None => metadata.remove(field),
    };
}

/// Removes nulls in metadata and empty maps and lists there, as typed metadata loses them.
pub(crate) fn tidy_metadata(object: &mut Value) {
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    };
    metadata_mut(object).retain(|_, value| !empty(value));
}
