//! A resource of a kind that is accepted and not carried out, slim: metadata and conditions.

use super::SlimMeta;
use flink_operator_api::names::SNAPSHOT_TRIGGER_TYPE_LABEL;
use operator_core::announce::{Seen, Unsupported};
use operator_core::name::{ResourceVersion, Uid};
use serde::Deserialize;
use serde_json::Value;
use std::marker::PhantomData;

/// Says at compile time which kind is meant: a watch is typed by its kind.
pub trait Mark: Clone + std::fmt::Debug + Send + Sync + 'static {
    /// The kind.
    const KIND: Unsupported;
}

/// Marks `FlinkSessionJob`s.
#[derive(Clone, Debug)]
pub struct SessionJobs;

/// Marks `FlinkStateSnapshot`s.
#[derive(Clone, Debug)]
pub struct StateSnapshots;

/// Marks `FlinkBlueGreenDeployment`s.
#[derive(Clone, Debug)]
pub struct BlueGreenDeployments;

impl Mark for SessionJobs {
    const KIND: Unsupported = Unsupported::FlinkSessionJob;
}

impl Mark for StateSnapshots {
    const KIND: Unsupported = Unsupported::FlinkStateSnapshot;
}

impl Mark for BlueGreenDeployments {
    const KIND: Unsupported = Unsupported::FlinkBlueGreenDeployment;
}

/// A resource of the kind that `M` marks.
#[derive(Clone, Debug, Deserialize)]
#[serde(bound = "")]
pub struct SlimAccepted<M> {
    /// Metadata.
    #[serde(default)]
    pub metadata: SlimMeta,
    /// The status.
    #[serde(default)]
    pub status: Option<SlimConditions>,
    #[serde(skip)]
    mark: PhantomData<M>,
}

/// The part of a status that is looked at.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct SlimConditions {
    /// The conditions, in whatever form they are.
    #[serde(default)]
    pub conditions: Option<Vec<Value>>,
    /// How far a snapshot is.
    #[serde(default)]
    pub state: Option<Value>,
}

impl<M: Mark> SlimAccepted<M> {
    /// Gives what is decided on.
    pub fn seen(self) -> Seen {
        let labels = &self.metadata.labels;
        let of_upgrade = labels
            .get(SNAPSHOT_TRIGGER_TYPE_LABEL)
            .is_some_and(|cause| cause == "UPGRADE");
        let state = self
            .status
            .as_ref()
            .and_then(|status| status.state.as_ref());
        let done = match M::KIND {
            // Those of upgrades record what was done before they were made.
            Unsupported::FlinkStateSnapshot => {
                of_upgrade || state.is_some_and(|state| state == "COMPLETED")
            }
            Unsupported::FlinkSessionJob | Unsupported::FlinkBlueGreenDeployment => false,
        };
        Seen {
            kind: M::KIND,
            namespace: self.metadata.namespace,
            name: self.metadata.name,
            uid: Uid::new(self.metadata.uid),
            resource_version: ResourceVersion::new(self.metadata.resource_version),
            generation: self.metadata.generation,
            deleting: self.metadata.deletion_timestamp.is_some(),
            done,
            finalizers: self.metadata.finalizers,
            conditions: self
                .status
                .and_then(|status| status.conditions)
                .unwrap_or_default(),
        }
    }
}
