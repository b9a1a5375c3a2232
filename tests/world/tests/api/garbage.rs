//! What follows a deletion, in virtual time.

use std::time::Duration;

use kube::api::DeleteParams;
use serde_json::{Value, json};

use flink_operator_world::api::{ApiServer, DeleteOptions, Propagation};

use super::{flink, flinks, server};

fn config_map(name: &str, owner: &Value, blocks: bool) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": "default", "ownerReferences": [{
            "apiVersion": owner["apiVersion"], "kind": owner["kind"],
            "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": blocks,
        }] },
    })
}

/// A resource that owns a chain of two ConfigMaps, the first of them holding it back.
async fn family() -> ApiServer {
    let (server, client) = server();
    tokio::spawn(server.clone().run_garbage_collector(Duration::from_secs(1)));
    let api = flinks(&client);
    super::create(&api, flink("parent", &json!({}))).await;
    let parent = server.get("FlinkDeployment", "default", "parent").unwrap();
    let child = server.create(config_map("child", &parent, true)).unwrap();
    server
        .create(config_map("grandchild", &child, true))
        .unwrap();
    server
}

async fn left(server: &ApiServer, after: u64) -> Vec<String> {
    tokio::time::sleep(Duration::from_secs(after)).await;
    let mut names: Vec<Value> = server.list("FlinkDeployment", "");
    names.extend(server.list("ConfigMap", ""));
    names
        .iter()
        .map(|object| object["metadata"]["name"].as_str().unwrap().to_owned())
        .collect()
}

fn delete(server: &ApiServer, propagation: Propagation) {
    server
        .delete_with(
            "FlinkDeployment",
            "default",
            "parent",
            &DeleteOptions::with(propagation),
        )
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn in_the_background_children_follow_their_owner() {
    let server = family().await;
    delete(&server, Propagation::Background);
    assert_eq!(left(&server, 0).await, ["child", "grandchild"]);
    assert_eq!(left(&server, 5).await, [""; 0]);
    let order: Vec<String> = server
        .history()
        .iter()
        .filter(|change| change.new.is_none())
        .map(|change| change.key.name.clone())
        .collect();
    assert_eq!(order, ["parent", "child", "grandchild"]);
}

#[tokio::test(start_paused = true)]
async fn in_the_foreground_the_owner_goes_last() {
    let server = family().await;
    delete(&server, Propagation::Foreground);
    let waiting = server.get("FlinkDeployment", "default", "parent").unwrap();
    assert_eq!(
        waiting["metadata"]["finalizers"],
        json!(["foregroundDeletion"])
    );
    assert_eq!(left(&server, 10).await, [""; 0]);
    let order: Vec<String> = server
        .history()
        .iter()
        .filter(|change| change.new.is_none())
        .map(|change| change.key.name.clone())
        .collect();
    assert_eq!(order, ["grandchild", "child", "parent"]);
}

#[tokio::test(start_paused = true)]
async fn a_child_with_a_finalizer_holds_its_owner_in_the_foreground() {
    let server = family().await;
    server
        .update("ConfigMap", "default", "child", |child| {
            child["metadata"]["finalizers"] = json!(["mine"]);
        })
        .unwrap();
    delete(&server, Propagation::Foreground);
    assert_eq!(left(&server, 60).await, ["parent", "child"]);
    server
        .update("ConfigMap", "default", "child", |child| {
            child["metadata"]["finalizers"] = json!([]);
        })
        .unwrap();
    assert_eq!(left(&server, 5).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn orphans_stay() {
    let server = family().await;
    delete(&server, Propagation::Orphan);
    assert_eq!(left(&server, 5).await, ["child", "grandchild"]);
    let child = server.get("ConfigMap", "default", "child").unwrap();
    assert_eq!(child["metadata"].get("ownerReferences"), None);
}

#[tokio::test(start_paused = true)]
async fn a_child_of_an_owner_that_never_was_goes_too() {
    let server = family().await;
    let mut ghost = server.get("FlinkDeployment", "default", "parent").unwrap();
    ghost["metadata"]["uid"] = "another-incarnation".into();
    server.create(config_map("late", &ghost, false)).unwrap();
    assert_eq!(left(&server, 3).await, ["parent", "child", "grandchild"]);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_goes_when_it_is_empty() {
    let (server, client) = server();
    tokio::spawn(server.clone().run_garbage_collector(Duration::from_secs(1)));
    server.create_namespace("demo");
    for (name, finalizers) in [("free", json!([])), ("held", json!(["mine"]))] {
        let metadata = json!({ "name": name, "namespace": "demo", "finalizers": finalizers });
        server
            .create(json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata }))
            .unwrap();
    }
    let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(client);
    namespaces
        .delete("demo", &DeleteParams::default())
        .await
        .unwrap();
    assert_eq!(left(&server, 10).await, ["held"]);
    assert_eq!(
        server.get("Namespace", "", "demo").unwrap()["status"]["phase"],
        "Terminating"
    );
    server
        .update("ConfigMap", "demo", "held", |held| {
            held["metadata"]["finalizers"] = json!([]);
        })
        .unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(server.get("Namespace", "", "demo"), None);
}

#[tokio::test(start_paused = true)]
async fn a_crd_waits_for_the_objects_of_its_kind() {
    let (server, client) = server();
    tokio::spawn(server.clone().run_garbage_collector(Duration::from_secs(1)));
    let name = "flinkdeployments.flink.apache.org";
    server.install_crd(&json!({
        "metadata": { "name": name },
        "spec": { "group": "flink.apache.org", "names": { "plural": "flinkdeployments", "kind": "FlinkDeployment" }, "versions": [] },
    }));
    let mut held = flink("held", &json!({}));
    held.metadata.finalizers = Some(vec!["mine".into()]);
    super::create(&flinks(&client), held).await;
    server.delete("CustomResourceDefinition", "", name).unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let marked = server.get("FlinkDeployment", "default", "held").unwrap();
    assert!(marked["metadata"]["deletionTimestamp"].is_string());
    assert!(server.get("CustomResourceDefinition", "", name).is_some());
    server
        .update("FlinkDeployment", "default", "held", |held| {
            held["metadata"]["finalizers"] = json!([]);
        })
        .unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(server.get("CustomResourceDefinition", "", name).is_none());
    let status = super::refusal(flinks(&client).get("held").await);
    assert_eq!(status.message, "404 page not found");
}
