//! The kinds that the server knows, one line each.

/// Says whether objects of a kind live in namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Objects live in namespaces.
    Namespaced,
    /// Objects live beside the namespaces.
    Cluster,
}

/// A way in which a kind differs from a plain record such as a `ConfigMap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quirk {
    /// Status is a subresource: it is written there and only there.
    Status,
    /// `metadata.generation` counts changes of what the user wants.
    Generation,
    /// A PUT without resourceVersion is refused.
    Guarded,
    /// A PUT of a missing object creates it.
    CreateOnUpdate,
    /// DELETE answers with the deleted object instead of a `Status`.
    ReturnsDeleted,
    /// DELETE gives the object a grace period in which somebody ends it.
    Graceful,
    /// The kind comes from a CRD: structural schema, strict patch types, apiVersion in list items.
    Custom,
}

/// One kind of the API, with what is particular about it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    /// API group; empty for the core.
    pub group: &'static str,
    /// `Pod`.
    pub kind: &'static str,
    /// `v1`.
    pub version: &'static str,
    /// `pods`.
    pub resource: &'static str,
    /// Where objects live.
    pub scope: Scope,
    /// What is particular.
    pub quirks: &'static [Quirk],
}

use Quirk::{CreateOnUpdate, Custom, Generation, Graceful, Guarded, ReturnsDeleted, Status};
use Scope::{Cluster, Namespaced};

const FLINK: &str = "flink.apache.org";
const CUSTOM: &[Quirk] = &[Status, Generation, Guarded, Custom];

#[rustfmt::skip]
static KINDS: &[Kind] = &[
    kind("", "v1", "ConfigMap", "configmaps", Namespaced, &[]),
    kind("", "v1", "Event", "events", Namespaced, &[CreateOnUpdate]),
    kind("", "v1", "Namespace", "namespaces", Cluster, &[Status]),
    kind("", "v1", "Node", "nodes", Cluster, &[Status]),
    kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", Namespaced, &[Status, ReturnsDeleted]),
    kind("", "v1", "Pod", "pods", Namespaced, &[Status, Generation, Graceful, ReturnsDeleted]),
    kind("", "v1", "Secret", "secrets", Namespaced, &[]),
    kind("", "v1", "Service", "services", Namespaced, &[Status, ReturnsDeleted]),
    kind("", "v1", "ServiceAccount", "serviceaccounts", Namespaced, &[ReturnsDeleted]),
    kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", Cluster, &[Status, Generation, Guarded]),
    kind("apps", "v1", "Deployment", "deployments", Namespaced, &[Status, Generation]),
    kind("apps", "v1", "ReplicaSet", "replicasets", Namespaced, &[Status, Generation]),
    kind("apps", "v1", "StatefulSet", "statefulsets", Namespaced, &[Status, Generation]),
    kind("coordination.k8s.io", "v1", "Lease", "leases", Namespaced, &[Guarded, CreateOnUpdate]),
    kind("events.k8s.io", "v1", "Event", "events", Namespaced, &[CreateOnUpdate]),
    kind("networking.k8s.io", "v1", "Ingress", "ingresses", Namespaced, &[Status, Generation]),
    kind(FLINK, "v1beta1", "FlinkBlueGreenDeployment", "flinkbluegreendeployments", Namespaced, CUSTOM),
    kind(FLINK, "v1beta1", "FlinkDeployment", "flinkdeployments", Namespaced, CUSTOM),
    kind(FLINK, "v1beta1", "FlinkSessionJob", "flinksessionjobs", Namespaced, CUSTOM),
    kind(FLINK, "v1beta1", "FlinkStateSnapshot", "flinkstatesnapshots", Namespaced, CUSTOM),
    // What the conformance script works on; not served until its CRD comes.
    kind("world.flink-operator.test", "v1", "Specimen", "specimens", Namespaced, CUSTOM),
];

const fn kind(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    resource: &'static str,
    scope: Scope,
    quirks: &'static [Quirk],
) -> Kind {
    Kind {
        group,
        kind,
        version,
        resource,
        scope,
        quirks,
    }
}

impl Kind {
    /// Lists every kind.
    pub fn all() -> &'static [Kind] {
        KINDS
    }

    /// Finds a kind by its name or its plural; the core group comes first where two groups share one.
    pub fn find(name: &str) -> Option<&'static Kind> {
        KINDS
            .iter()
            .find(|kind| kind.kind == name || kind.resource == name)
    }

    /// Finds the kind of an object by its `apiVersion` and `kind`.
    pub fn of(api_version: &str, name: &str) -> Option<&'static Kind> {
        KINDS
            .iter()
            .find(|kind| kind.kind == name && kind.api_version() == api_version)
    }

    /// Finds a kind by the parts of a request path.
    pub fn at(group: &str, version: &str, resource: &str) -> Option<&'static Kind> {
        KINDS.iter().find(|kind| {
            kind.group == group && kind.version == version && kind.resource == resource
        })
    }

    /// Tells whether the kind has a quirk.
    pub fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }

    /// Tells whether objects live in namespaces.
    pub fn is_namespaced(&self) -> bool {
        self.scope == Namespaced
    }

    /// Gives `apps/v1`, or `v1` for the core.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Gives `deployments.apps`, or `pods` for the core: how messages name the resource.
    pub fn qualified_resource(&self) -> String {
        if self.group.is_empty() {
            self.resource.to_owned()
        } else {
            format!("{}.{}", self.resource, self.group)
        }
    }

    /// Gives `Deployment.apps`, or `Pod` for the core: how messages about invalid objects name the kind.
    pub fn qualified_kind(&self) -> String {
        if self.group.is_empty() {
            self.kind.to_owned()
        } else {
            format!("{}.{}", self.kind, self.group)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_name_plural_and_path() {
        assert_eq!(Kind::find("Deployment"), Kind::find("deployments"));
        assert_eq!(
            Kind::at("apps", "v1", "deployments"),
            Kind::of("apps/v1", "Deployment")
        );
        assert_eq!(Kind::find("Event").map(|kind| kind.group), Some(""));
        assert_eq!(Kind::find("Cheese"), None);
    }

    #[test]
    fn no_two_lines_share_a_path() {
        for (index, kind) in KINDS.iter().enumerate() {
            let first = KINDS
                .iter()
                .position(|other| (other.group, other.resource) == (kind.group, kind.resource));
            assert_eq!(first, Some(index), "{}", kind.qualified_resource());
        }
    }
}
