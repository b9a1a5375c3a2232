//! The managed resource as one pass sees it, and documents that lose nothing.

use crate::name::{Key, Kind, ResourceVersion, Uid};
use flink_operator_api::{FlinkDeploymentSpec, FlinkDeploymentStatus};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Metadata of a managed resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Kind, namespace and name.
    pub key: Key,
    /// The uid; a resource created again under the same name has another.
    pub uid: Uid,
    /// The version that was read.
    pub resource_version: ResourceVersion,
    /// Counts changes of the spec.
    pub generation: i64,
    /// When deletion was asked for.
    pub deleted_at: Option<Timestamp>,
    /// All finalizers, ours and others'.
    pub finalizers: Vec<String>,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The annotations.
    pub annotations: BTreeMap<String, String>,
}

impl Meta {
    /// Returns whether our finalizer is there.
    pub fn has_finalizer(&self) -> bool {
        self.finalizers
            .iter()
            .any(|name| name == self.key.kind.finalizer())
    }
}

/// A managed resource, parsed once.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Its metadata.
    pub meta: Meta,
    /// What is particular to its kind.
    pub body: Body,
}

/// Spec and status by kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// A `FlinkDeployment`.
    FlinkDeployment {
        /// The spec, or why it cannot be read.
        spec: Box<Result<FlinkDeploymentSpec, Broken>>,
        /// The stored status, or why it cannot be read.
        status: Box<Result<Doc<FlinkDeploymentStatus>, Broken>>,
    },
}

/// The status of a resource, by kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    /// That of a `FlinkDeployment`.
    FlinkDeployment(Box<Doc<FlinkDeploymentStatus>>),
    /// The stored one, which cannot be read and is therefore never written.
    Unreadable(Broken),
}

impl Status {
    /// Returns the document to be written, if this status may be written at all.
    pub fn to_json(&self) -> Option<Value> {
        match self {
            Self::FlinkDeployment(doc) => Some(doc.to_json()),
            Self::Unreadable(_) => None,
        }
    }

    /// Returns whether the stored status of the resource is this one.
    pub fn is_stored_in(&self, resource: &Resource) -> bool {
        match (self, &resource.body) {
            (Self::Unreadable(_), _) => true,
            (Self::FlinkDeployment(doc), Body::FlinkDeployment { status, .. }) => status
                .as_ref()
                .as_ref()
                .is_ok_and(|stored| *stored == **doc),
        }
    }
}

/// Why a part of an object cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct Broken {
    /// The path of the field, such as `spec.job.parallelism`.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Resource {
    /// Parses a resource from its metadata and the JSON text of its parts.
    ///
    /// Never fails: a part that cannot be read is kept as the reason, so that one broken object
    /// is reported and disturbs no other.
    pub fn parse(meta: Meta, spec: &str, status: Option<&str>) -> Self {
        let body = match meta.key.kind {
            Kind::FlinkDeployment => Body::FlinkDeployment {
                spec: Box::new(read("spec", spec)),
                status: Box::new(Doc::read("status", status.unwrap_or("{}"))),
            },
        };
        Self { meta, body }
    }
}

/// A typed document together with everything that its type does not know.
///
/// What another version of the operator wrote survives our writes.
#[derive(Clone, Debug, PartialEq)]
pub struct Doc<T> {
    /// The part that is understood.
    pub typed: T,
    unknown: Unknown,
}

/// Fields that a type does not know, at any depth.
#[derive(Clone, Debug, Default, PartialEq)]
struct Unknown {
    /// Fields of this object.
    here: Map<String, Value>,
    /// Fields of known objects inside this object; they go when that object goes.
    inside: BTreeMap<String, Unknown>,
}

impl<T: Serialize + DeserializeOwned> Doc<T> {
    /// Reads a document from JSON text; `root` begins the path of an error.
    pub fn read(root: &str, text: &str) -> Result<Self, Broken> {
        let typed = read(root, text)?;
        let whole: Value = read(root, text)?;
        let unknown = Unknown::between(&whole, &to_value(&typed));
        Ok(Self { typed, unknown })
    }

    /// Returns the whole document.
    pub fn to_json(&self) -> Value {
        let mut json = to_value(&self.typed);
        self.unknown.fill(&mut json);
        json
    }
}

impl<T: Default> Default for Doc<T> {
    fn default() -> Self {
        Self {
            typed: T::default(),
            unknown: Unknown::default(),
        }
    }
}

impl Unknown {
    /// Collects what `whole` has and `part` lacks. Lists are values, and null is absence.
    fn between(whole: &Value, part: &Value) -> Self {
        let mut unknown = Self::default();
        let (Value::Object(whole), Value::Object(part)) = (whole, part) else {
            return unknown;
        };
        for (name, value) in whole {
            match part.get(name) {
                None if value.is_null() => {}
                None => {
                    unknown.here.insert(name.clone(), value.clone());
                }
                Some(known) => {
                    let deeper = Self::between(value, known);
                    if deeper != Self::default() {
                        unknown.inside.insert(name.clone(), deeper);
                    }
                }
            }
        }
        unknown
    }

    fn fill(&self, json: &mut Value) {
        let Value::Object(json) = json else { return };
        for (name, value) in &self.here {
            json.entry(name.clone()).or_insert_with(|| value.clone());
        }
        for (name, deeper) in &self.inside {
            if let Some(there) = json.get_mut(name) {
                deeper.fill(there);
            }
        }
    }
}

fn to_value<T: Serialize>(typed: &T) -> Value {
    serde_json::to_value(typed).expect("API types have text keys and finite numbers")
}

/// Reads JSON text, naming the path of the field that does not fit.
pub(crate) fn read<T: DeserializeOwned>(root: &str, text: &str) -> Result<T, Broken> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let inner = error.path().to_string();
        let path = if inner == "." {
            root.to_owned()
        } else {
            format!("{root}.{inner}")
        };
        Broken {
            path,
            problem: error.into_inner().to_string(),
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn unknown_fields_survive_a_change_of_known_ones() {
        let text =
            r#"{"error":"old","future":{"a":1},"jobStatus":{"state":"RUNNING","newer":[2]}}"#;
        let mut doc: Doc<FlinkDeploymentStatus> = Doc::read("status", text).unwrap();
        doc.typed.error = None;
        let json = doc.to_json();
        assert_eq!(json["future"], json!({ "a": 1 }));
        assert_eq!(json["jobStatus"]["newer"], json!([2]));
        assert_eq!(json.get("error"), None);
    }

    #[test]
    fn unknown_fields_go_with_the_object_they_are_in() {
        let text = r#"{"operation":{"id":"a","kind":"End","generation":1,"startedAt":"","x":1}}"#;
        let mut doc: Doc<FlinkDeploymentStatus> = Doc::read("status", text).unwrap();
        doc.typed.operation = None;
        assert_eq!(doc.to_json(), json!({}));
    }

    #[test]
    fn a_broken_field_is_named_by_its_path() {
        let error =
            read::<FlinkDeploymentSpec>("spec", r#"{"job":{"parallelism":"two"}}"#).unwrap_err();
        assert_eq!(error.path, "spec.job.parallelism");
    }
}
