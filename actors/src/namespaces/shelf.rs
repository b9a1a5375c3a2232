//! Where watched objects are kept, and whom their changes wake.

use super::Announcing;
use super::set::Scope;
use super::watched::Slim;
use crate::announcer::{Board, Due, Named};
use crate::resource::Wake;
use crate::slim::{Mark, SlimAccepted, SlimDeployment, SlimMeta, SlimPod, SlimResource};
use crate::stores::Stores;
use crate::supervisor::Sighting;
use operator_core::name::{Key, Kind};
use std::marker::PhantomData;

/// Selects what belongs to the JobManagers of both deployment modes.
const JOB_MANAGERS: &str =
    "component=jobmanager,type in (flink-native-kubernetes,flink-standalone-kubernetes)";

/// The part of the stores that one watch fills.
pub(super) trait Shelf: Clone + Send + Sync + 'static {
    /// What it keeps.
    type Object: Slim;

    /// Returns the label selector of its watch, given the one for resources.
    fn selector(resources: Option<&str>) -> Option<String>;
    /// Keeps an object; returns what that tells.
    fn put(&self, object: Self::Object) -> Option<Sighting>;
    /// Removes an object; returns what that tells.
    fn remove(&self, place: &Place) -> Option<Sighting>;
    /// Returns where an object is kept.
    fn place(object: &Self::Object) -> Place;
    /// Lists what is kept.
    fn places(&self) -> Vec<Place>;
    /// Returns the board of a kind that the operator can do without: its CRD may be absent, and rights on it.
    fn optional(&self) -> Option<Board> {
        None
    }
}

/// Where an object is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Its namespace.
    pub(super) namespace: String,
    /// The cluster that it belongs to.
    pub(super) cluster: String,
    /// Its name.
    pub(super) name: String,
}

impl Place {
    fn of(meta: &SlimMeta, cluster: &str) -> Self {
        Self {
            namespace: meta.namespace.clone(),
            cluster: cluster.to_owned(),
            name: meta.name.clone(),
        }
    }

    fn owner(&self) -> Key {
        Key {
            kind: Kind::FlinkDeployment,
            namespace: self.namespace.clone(),
            name: self.cluster.clone(),
        }
    }

    fn wake_owner(&self) -> Sighting {
        Sighting::Changed(self.owner(), Wake::Child)
    }
}

/// Lists what a shelf keeps of a scope, in order.
pub(super) fn covered<S: Shelf>(shelf: &S, scope: &Scope) -> Vec<Place> {
    let mut places = shelf.places();
    places.retain(|place| scope.covers(&place.namespace));
    places.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
    places
}

impl Slim for SlimResource {
    const GROUP: &'static str = "flink.apache.org";
    const VERSION: &'static str = "v1beta1";
    const KIND: &'static str = "FlinkDeployment";
    const PLURAL: &'static str = "flinkdeployments";

    fn meta(&self) -> &SlimMeta {
        &self.metadata
    }
}

impl Slim for SlimDeployment {
    const GROUP: &'static str = "apps";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Deployment";
    const PLURAL: &'static str = "deployments";

    fn meta(&self) -> &SlimMeta {
        &self.metadata
    }
}

impl Slim for SlimPod {
    const GROUP: &'static str = "";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Pod";
    const PLURAL: &'static str = "pods";

    fn meta(&self) -> &SlimMeta {
        &self.metadata
    }
}

impl<M: Mark> Slim for SlimAccepted<M> {
    const GROUP: &'static str = "flink.apache.org";
    const VERSION: &'static str = "v1beta1";
    const KIND: &'static str = M::KIND.as_str();
    const PLURAL: &'static str = M::KIND.plural();

    fn meta(&self) -> &SlimMeta {
        &self.metadata
    }
}

/// Keeps FlinkDeployments.
#[derive(Clone)]
pub(super) struct Resources(pub(super) Stores);

impl Shelf for Resources {
    type Object = SlimResource;

    fn selector(resources: Option<&str>) -> Option<String> {
        resources.map(ToOwned::to_owned)
    }

    fn put(&self, object: SlimResource) -> Option<Sighting> {
        let key = object.key(Kind::FlinkDeployment);
        let wake = match self.0.resource(&key) {
            Some(old) if old.metadata.resource_version == object.metadata.resource_version => {
                return None;
            }
            Some(old) if same_but_for_status(&old.metadata, &object.metadata) => Wake::Touched,
            Some(_) | None => Wake::Edited,
        };
        self.0.put_resource(key.clone(), object);
        Some(Sighting::Changed(key, wake))
    }

    fn remove(&self, place: &Place) -> Option<Sighting> {
        let key = place.owner();
        self.0
            .remove_resource(&key)
            .then_some(Sighting::Vanished(key))
    }

    fn place(object: &SlimResource) -> Place {
        Place::of(&object.metadata, &object.metadata.name)
    }

    fn places(&self) -> Vec<Place> {
        let place = |key: Key| Place {
            namespace: key.namespace,
            cluster: key.name.clone(),
            name: key.name,
        };
        self.0.keys().into_iter().map(place).collect()
    }
}

/// Tells whether nothing changed that a user changes.
fn same_but_for_status(old: &SlimMeta, new: &SlimMeta) -> bool {
    old.uid == new.uid
        && old.generation == new.generation
        && old.deletion_timestamp == new.deletion_timestamp
        && old.finalizers == new.finalizers
        && old.labels == new.labels
        && old.annotations == new.annotations
}

/// Keeps JobManager Deployments.
#[derive(Clone)]
pub(super) struct Deployments(pub(super) Stores);

impl Shelf for Deployments {
    type Object = SlimDeployment;

    fn selector(_: Option<&str>) -> Option<String> {
        Some(JOB_MANAGERS.to_owned())
    }

    fn put(&self, object: SlimDeployment) -> Option<Sighting> {
        let place = Self::place(&object);
        let known = self.0.deployment(&place.namespace, &place.name);
        if known.is_some_and(|known| known == object.facts()) {
            return None;
        }
        self.0.put_deployment(&object);
        Some(place.wake_owner())
    }

    fn remove(&self, place: &Place) -> Option<Sighting> {
        self.0.deployment(&place.namespace, &place.name)?;
        self.0.remove_deployment(&place.namespace, &place.name);
        Some(place.wake_owner())
    }

    fn place(object: &SlimDeployment) -> Place {
        Place::of(&object.metadata, &object.metadata.name)
    }

    fn places(&self) -> Vec<Place> {
        let place = |(namespace, name): (String, String)| Place {
            namespace,
            cluster: name.clone(),
            name,
        };
        self.0.deployment_names().into_iter().map(place).collect()
    }
}

/// Keeps JobManager pods.
#[derive(Clone)]
pub(super) struct Pods(pub(super) Stores);

impl Shelf for Pods {
    type Object = SlimPod;

    fn selector(_: Option<&str>) -> Option<String> {
        Some(JOB_MANAGERS.to_owned())
    }

    fn put(&self, object: SlimPod) -> Option<Sighting> {
        let place = Self::place(&object);
        let facts = object.facts();
        if self
            .0
            .job_managers(&place.namespace, &place.cluster)
            .contains(&facts)
        {
            return None;
        }
        self.0.put_pod(&place.namespace, &place.cluster, &object);
        Some(place.wake_owner())
    }

    fn remove(&self, place: &Place) -> Option<Sighting> {
        self.0
            .remove_pod(&place.namespace, &place.cluster, &place.name);
        Some(place.wake_owner())
    }

    fn place(object: &SlimPod) -> Place {
        Place::of(&object.metadata, object.cluster().unwrap_or_default())
    }

    fn places(&self) -> Vec<Place> {
        let place = |((namespace, cluster), name): ((String, String), String)| Place {
            namespace,
            cluster,
            name,
        };
        self.0.pod_names().into_iter().map(place).collect()
    }
}

/// Keeps what is to be said about resources of a kind that is accepted and not carried out.
#[derive(Clone)]
pub(super) struct Accepted<M>(Announcing, PhantomData<M>);

impl<M> Accepted<M> {
    pub(super) fn new(announcing: &Announcing) -> Self {
        Self(announcing.clone(), PhantomData)
    }
}

impl<M: Mark> Shelf for Accepted<M> {
    type Object = SlimAccepted<M>;

    fn selector(resources: Option<&str>) -> Option<String> {
        resources.map(ToOwned::to_owned)
    }

    fn put(&self, object: SlimAccepted<M>) -> Option<Sighting> {
        if let Some(named) = self.0.board.see(object.seen()) {
            self.0.announcer.do_send(Due(named));
        }
        None
    }

    fn remove(&self, place: &Place) -> Option<Sighting> {
        self.0.board.forget(&Named {
            kind: M::KIND,
            namespace: place.namespace.clone(),
            name: place.name.clone(),
        });
        None
    }

    fn place(object: &SlimAccepted<M>) -> Place {
        Place::of(&object.metadata, &object.metadata.name)
    }

    fn places(&self) -> Vec<Place> {
        let place = |named: Named| Place {
            namespace: named.namespace,
            cluster: named.name.clone(),
            name: named.name,
        };
        let named = self.0.board.all(M::KIND).into_iter();
        named.map(place).collect()
    }

    fn optional(&self) -> Option<Board> {
        Some(self.0.board.clone())
    }
}
