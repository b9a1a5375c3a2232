//! Paths of the API server, all in one place.

use operator_core::name::{Key, Kind};
use operator_core::observed::ChildKind;

pub(super) fn resource(key: &Key) -> String {
    let plural = match key.kind {
        Kind::FlinkDeployment => "flinkdeployments",
    };
    format!(
        "/apis/flink.apache.org/v1beta1/namespaces/{}/{plural}/{}",
        key.namespace, key.name
    )
}

pub(super) fn snapshots(namespace: &str) -> String {
    format!("/apis/flink.apache.org/v1beta1/namespaces/{namespace}/flinkstatesnapshots")
}

pub(super) fn deployments(namespace: &str) -> String {
    format!("/apis/apps/v1/namespaces/{namespace}/deployments")
}

pub(super) fn children(namespace: &str, kind: ChildKind) -> String {
    let plural = match kind {
        ChildKind::Service => "services",
        ChildKind::ConfigMap => "configmaps",
        ChildKind::Secret => "secrets",
    };
    format!("/api/v1/namespaces/{namespace}/{plural}")
}

/// The pods of a cluster: a stranger's pods may carry the same app label, but not the type.
pub(super) fn pods_of_cluster(namespace: &str, cluster: &str) -> String {
    const TYPES: &str = "type%20in%20%28flink-native-kubernetes%2Cflink-standalone-kubernetes%29";
    format!("{}%2C{TYPES}", of_cluster(namespace, "pods", cluster))
}

pub(super) fn task_managers(namespace: &str, cluster: &str) -> String {
    let pods = pods_of_cluster(namespace, cluster);
    format!("{pods}%2Ccomponent%3Dtaskmanager")
}

/// Everything of one kind that carries the labels of a cluster.
pub(super) fn of_cluster(namespace: &str, plural: &str, cluster: &str) -> String {
    // Names of resources need no escaping here: the API server allows lower-case letters, digits, - and dots.
    format!("/api/v1/namespaces/{namespace}/{plural}?labelSelector=app%3D{cluster}")
}

pub(super) fn events_of(namespace: &str, pod: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/events?fieldSelector=involvedObject.name%3D{pod}")
}
