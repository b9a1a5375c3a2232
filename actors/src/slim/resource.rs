//! A managed resource as it stands in a store: metadata, and the text of its parts.

use super::SlimMeta;
use operator_core::name::{Key, Kind, ResourceVersion, Uid};
use operator_core::resource::{Meta, Resource};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Metadata, and spec and status as raw text: parsed once per pass, never kept as trees.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct SlimResource {
    /// Metadata.
    #[serde(default)]
    pub metadata: SlimMeta,
    /// The spec as JSON text.
    #[serde(default)]
    pub spec: Option<Box<RawValue>>,
    /// The status as JSON text.
    #[serde(default)]
    pub status: Option<Box<RawValue>>,
}

impl SlimResource {
    /// Returns the key under which the resource is managed.
    pub fn key(&self, kind: Kind) -> Key {
        Key {
            kind,
            namespace: self.metadata.namespace.clone(),
            name: self.metadata.name.clone(),
        }
    }

    /// Parses the resource. A part that cannot be read is kept as the reason.
    pub fn parse(&self, kind: Kind) -> Resource {
        let meta = Meta {
            key: self.key(kind),
            uid: Uid::new(&self.metadata.uid),
            resource_version: ResourceVersion::new(&self.metadata.resource_version),
            generation: self.metadata.generation,
            deleted_at: self.metadata.deletion_timestamp,
            finalizers: self.metadata.finalizers.clone(),
            labels: self.metadata.labels.clone(),
            annotations: self.metadata.annotations.clone(),
        };
        let spec = self.spec.as_ref().map_or("{}", |raw| raw.get());
        let status = self.status.as_ref().map(|raw| raw.get());
        Resource::parse(meta, spec, status)
    }
}
