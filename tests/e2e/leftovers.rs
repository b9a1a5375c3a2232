//! Proof that nothing is left of a cluster: no object in its namespace, no process on the machine.

use std::fs;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use serde_json::Value;

use crate::resource::END;
use crate::scene::Scene;

/// Waits until the namespace is as empty as before the first cluster.
///
/// What the operator does not wait for, Kubernetes' own garbage collection removes a moment later.
pub(crate) async fn none(scene: &Scene) {
    let empty = async || objects(scene).await.is_empty().then_some(());
    scene
        .until(END, "no object of a cluster is left", empty)
        .await;
    let ended = async || processes(scene).is_empty().then_some(());
    scene.until(END, "no process of a pod is left", ended).await;
}

/// Lists what exists besides what every namespace has.
pub(crate) async fn objects(scene: &Scene) -> Vec<String> {
    let kinds = [
        ("Deployment", scene.list::<Deployment>().await),
        ("ReplicaSet", scene.list::<ReplicaSet>().await),
        ("Pod", scene.list::<Pod>().await),
        ("Service", scene.list::<Service>().await),
        ("ConfigMap", scene.list::<ConfigMap>().await),
    ];
    let name = |object: &Value| object["metadata"]["name"].as_str().unwrap().to_owned();
    let mut left = Vec::new();
    for (kind, objects) in kinds {
        left.extend(
            objects
                .iter()
                .map(|object| format!("{kind} {}", name(object))),
        );
    }
    left.retain(|object| object != "ConfigMap kube-root-ca.crt");
    left
}

/// Finds the processes of this test's pods.
pub(crate) fn processes(scene: &Scene) -> Vec<String> {
    processes_of(&scene.chronicle.pod_uids())
}

/// Finds the processes that see the files of one of these pods, by their mounts.
pub(crate) fn processes_of(pods: &[String]) -> Vec<String> {
    let is_process = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    let names = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    let sees_a_pod = |id: &String| {
        let mounts = fs::read_to_string(format!("/proc/{id}/mountinfo")).unwrap_or_default();
        pods.iter().any(|uid| mounts.contains(uid.as_str()))
    };
    names
        .filter(|name| is_process(name))
        .filter(sees_a_pod)
        .collect()
}
