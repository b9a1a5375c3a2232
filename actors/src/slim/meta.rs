//! Metadata, slim.

use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The part of an object's metadata that is looked at.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SlimMeta {
    /// The name.
    pub name: String,
    /// The namespace.
    pub namespace: String,
    /// The uid.
    pub uid: String,
    /// The version that was read.
    pub resource_version: String,
    /// Counts changes of the spec.
    pub generation: i64,
    /// When it was created.
    pub creation_timestamp: Option<String>,
    /// When deletion was asked for.
    pub deletion_timestamp: Option<Timestamp>,
    /// Finalizers.
    pub finalizers: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Owners.
    pub owner_references: Vec<OwnerReference>,
}

/// One owner of an object.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct OwnerReference {
    /// The kind of the owner.
    pub kind: String,
    /// The uid of the owner.
    pub uid: String,
}

impl SlimMeta {
    /// Returns the uids of all owners.
    pub fn owners(&self) -> Vec<String> {
        self.owner_references
            .iter()
            .map(|owner| owner.uid.clone())
            .collect()
    }
}
