//! Objects of others that have the names a cluster needs: named, waited for, never touched.

use serde_json::{Value, json};

use crate::play::{NAMESPACE, application};
use crate::scene::{scene, uid};

/// Puts an object in the way and expects that it is named and left alone, and that its going helps.
fn in_the_way(object: Value) {
    scene(async |scene| {
        let (kind, name) = (
            object["kind"].as_str().unwrap().to_owned(),
            object["metadata"]["name"].as_str().unwrap().to_owned(),
        );
        scene.create(object);
        let stranger = uid(scene.get(&kind, &name));
        scene.create(application());
        scene.until_reason("Degraded", "NameTaken").await;
        let message = scene.condition("Degraded")["message"].clone();
        assert!(
            message
                .as_str()
                .unwrap()
                .contains(&format!("{kind} {name}")),
            "{message}"
        );
        scene
            .stays(300.0, "left alone", |scene| {
                uid(scene.get(&kind, &name)) == stranger
            })
            .await;
        assert!(scene.world.cluster.runs().is_empty());
        scene.world.api.delete(&kind, NAMESPACE, &name).unwrap();
        scene.until_state("STABLE").await;
        assert_eq!(scene.condition("Degraded")["status"], "False");
        scene
    });
}

#[test]
fn a_deployment_of_that_name_is_left_alone() {
    let labels = json!({ "app": "web" });
    in_the_way(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "basic", "namespace": NAMESPACE, "labels": labels },
        "spec": { "replicas": 0, "selector": { "matchLabels": labels }, "template": { "metadata": { "labels": labels },
            "spec": { "containers": [{ "name": "web", "image": "web:1" }] } } },
    }));
}

#[test]
fn a_service_of_that_name_is_left_alone() {
    in_the_way(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": "basic-rest", "namespace": NAMESPACE },
        "spec": { "ports": [{ "port": 80 }], "selector": { "app": "web" } },
    }));
}

#[test]
fn a_service_of_that_name_with_the_labels_of_the_cluster_is_left_alone() {
    in_the_way(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": "basic-rest", "namespace": NAMESPACE, "labels": { "app": "basic" } },
        "spec": { "ports": [{ "port": 80 }] },
    }));
}

#[test]
fn a_config_map_of_that_name_is_left_alone() {
    in_the_way(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "flink-config-basic", "namespace": NAMESPACE },
        "data": { "mine": "yes" },
    }));
}

#[test]
fn a_resource_can_be_deleted_beside_a_stranger() {
    scene(async |scene| {
        let map = json!({ "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "flink-config-basic", "namespace": NAMESPACE }, "data": { "mine": "yes" } });
        scene.create(map);
        let stranger = uid(scene.get("ConfigMap", "flink-config-basic"));
        scene.create(application());
        scene.until_reason("Degraded", "NameTaken").await;
        scene.delete();
        scene
            .until("gone", |scene| scene.resource().is_null())
            .await;
        assert_eq!(uid(scene.get("ConfigMap", "flink-config-basic")), stranger);
        scene
    });
}
