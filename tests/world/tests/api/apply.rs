//! Server-side apply.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

use super::{config_maps, deployment_json, refusal, server};

fn data(data: &Value) -> Patch<Value> {
    Patch::Apply(
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" }, "data": data }),
    )
}

#[tokio::test(start_paused = true)]
async fn an_apply_creates_changes_and_removes_what_it_owned() {
    let (server, client) = server();
    let api: Api<Ingress> = Api::namespaced(client, "default");
    let ingress = |annotations: Value, class: &str| {
        Patch::Apply(json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": { "name": "a", "annotations": annotations },
            "spec": { "ingressClassName": class, "rules": [{ "host": "h" }] },
        }))
    };
    let params = PatchParams::apply("operator").force();
    let created = api
        .patch(
            "a",
            &params,
            &ingress(json!({ "one": "1", "two": "2" }), "nginx"),
        )
        .await
        .unwrap();
    assert_eq!(created.metadata.generation, Some(1));
    server
        .update("Ingress", "default", "a", |object| {
            object["metadata"]["annotations"]["theirs"] = "3".into();
        })
        .unwrap();
    let changed = api
        .patch("a", &params, &ingress(json!({ "two": "2" }), "other"))
        .await
        .unwrap();
    let annotations: Vec<String> = changed.annotations().keys().cloned().collect();
    assert_eq!(
        annotations,
        ["theirs", "two"],
        "what others own stays, what is no longer applied goes"
    );
    assert_eq!(changed.metadata.generation, Some(2));
    let again = api
        .patch("a", &params, &ingress(json!({ "two": "2" }), "other"))
        .await
        .unwrap();
    assert_eq!(
        again.resource_version(),
        changed.resource_version(),
        "the same again writes nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn a_field_of_somebody_else_is_a_conflict_unless_forced() {
    let (_, client) = server();
    let api = config_maps(&client);
    api.patch(
        "a",
        &PatchParams::apply("one"),
        &data(&json!({ "k": "1", "shared": "s" })),
    )
    .await
    .unwrap();
    let two = PatchParams::apply("two");
    let status = refusal(
        api.patch("a", &two, &data(&json!({ "k": "2", "shared": "s" })))
            .await,
    );
    assert!(status.is_conflict());
    assert_eq!(
        status.message,
        "Apply failed with 1 conflict: conflict with \"one\": .data.k"
    );
    assert_eq!(
        status.details.unwrap().causes[0].reason,
        "FieldManagerConflict"
    );
    let forced = api
        .patch(
            "a",
            &two.clone().force(),
            &data(&json!({ "k": "2", "shared": "s" })),
        )
        .await
        .unwrap();
    assert_eq!(forced.data.unwrap()["k"], "2");
    let left: ConfigMap = api
        .patch("a", &PatchParams::apply("one"), &data(&json!({})))
        .await
        .unwrap();
    let keys: Vec<String> = left.data.unwrap().into_keys().collect();
    assert_eq!(
        keys,
        ["k", "shared"],
        "both belong to the other manager by now, alone or too"
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_writes_a_field_owns_it() {
    let (_, client) = server();
    let api = config_maps(&client);
    api.patch("a", &PatchParams::apply("one"), &data(&json!({ "k": "1" })))
        .await
        .unwrap();
    let editor = PatchParams {
        field_manager: Some("editor".into()),
        ..PatchParams::default()
    };
    api.patch(
        "a",
        &editor,
        &Patch::Merge(json!({ "data": { "k": "edited" } })),
    )
    .await
    .unwrap();
    let status = refusal(
        api.patch("a", &PatchParams::apply("one"), &data(&json!({ "k": "1" })))
            .await,
    );
    assert!(
        status
            .message
            .starts_with("Apply failed with 1 conflict: conflict with \"editor\" using v1"),
        "{}",
        status.message
    );
}

#[tokio::test(start_paused = true)]
async fn containers_are_shared_by_name() {
    let (server, client) = server();
    server.create(deployment_json("a")).unwrap();
    let api: Api<Deployment> = Api::namespaced(client, "default");
    let containers = |list: Value| {
        Patch::Apply(json!({ "apiVersion": "apps/v1", "kind": "Deployment",
            "spec": { "template": { "spec": { "containers": list } } } }))
    };
    let names = |deployment: Deployment| -> Vec<String> {
        deployment
            .spec
            .unwrap()
            .template
            .spec
            .unwrap()
            .containers
            .into_iter()
            .map(|container| container.name)
            .collect()
    };
    let params = PatchParams::apply("sidecars");
    let added = api
        .patch(
            "a",
            &params,
            &containers(json!([{ "name": "side", "image": "s" }])),
        )
        .await
        .unwrap();
    assert_eq!(names(added), ["main", "side"]);
    let removed = api
        .patch("a", &params, &containers(json!([])))
        .await
        .unwrap();
    assert_eq!(names(removed), ["main"]);
}

#[tokio::test(start_paused = true)]
async fn an_apply_needs_a_manager() {
    let (_, client) = server();
    let status = refusal(
        config_maps(&client)
            .patch("a", &PatchParams::default(), &data(&json!({})))
            .await,
    );
    assert!(
        status
            .message
            .contains("fieldManager: Required value: is required for apply patch"),
        "{}",
        status.message
    );
}
