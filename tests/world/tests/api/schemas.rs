//! CRDs: pruning, defaults, validation, scale, and a schema that is too old.

use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams, ValidationDirective};
use serde_json::{Value, json};

use super::{create, flink, flinks, refusal, server};

fn crd(status: &Value) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": "flinkdeployments.flink.apache.org" },
        "spec": {
            "group": "flink.apache.org",
            "scope": "Namespaced",
            "names": { "kind": "FlinkDeployment", "plural": "flinkdeployments", "singular": "flinkdeployment", "listKind": "FlinkDeploymentList" },
            "versions": [{
                "name": "v1beta1", "served": true, "storage": true,
                "subresources": {
                    "status": {},
                    "scale": {
                        "specReplicasPath": ".spec.taskManager.replicas",
                        "statusReplicasPath": ".status.taskManager.replicas",
                        "labelSelectorPath": ".status.taskManager.labelSelector",
                    },
                },
                "schema": { "openAPIV3Schema": { "type": "object", "properties": {
                    "spec": { "type": "object", "properties": {
                        "image": { "type": "string" },
                        "mode": { "type": "string", "enum": ["native", "standalone"], "default": "native" },
                        "taskManager": { "type": "object", "properties": { "replicas": { "type": "integer", "minimum": 0 } } },
                    } },
                    "status": status,
                } } },
            }],
        },
    })
}

fn older() -> Value {
    crd(&json!({ "type": "object", "properties": { "phase": { "type": "string" } } }))
}

fn newer() -> Value {
    crd(&json!({ "type": "object", "properties": {
        "phase": { "type": "string" },
        "operation": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
    } }))
}

async fn with_status(api: &Api<DynamicObject>) -> DynamicObject {
    let mut object = create(api, flink("a", &json!({ "image": "i", "unknown": 1 }))).await;
    assert_eq!(
        object.data["spec"],
        json!({ "image": "i", "mode": "native" })
    );
    object.data["status"] = json!({ "phase": "p", "operation": { "id": "1" } });
    api.replace_status("a", &PostParams::default(), &object)
        .await
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_older_crd_prunes_what_it_does_not_know_in_silence() {
    let (server, client) = server();
    server.install_crd(&older());
    let stored = with_status(&flinks(&client)).await;
    assert_eq!(stored.data["status"], json!({ "phase": "p" }));
}

#[tokio::test(start_paused = true)]
async fn going_back_to_an_older_crd_hides_fields_that_were_stored() {
    let (server, client) = server();
    server.install_crd(&newer());
    let api = flinks(&client);
    let stored = with_status(&api).await;
    assert_eq!(stored.data["status"]["operation"]["id"], "1");
    server.install_crd(&older());
    assert_eq!(
        api.get("a").await.unwrap().data["status"],
        json!({ "phase": "p" })
    );
}

#[tokio::test(start_paused = true)]
async fn broken_objects_are_refused_with_the_field() {
    let (server, client) = server();
    server.install_crd(&older());
    let api = flinks(&client);
    let broken = flink(
        "a",
        &json!({ "mode": "x", "taskManager": { "replicas": "two" } }),
    );
    let status = refusal(api.create(&PostParams::default(), &broken).await);
    assert!(status.is_invalid());
    let mut fields: Vec<String> = status
        .details
        .unwrap()
        .causes
        .into_iter()
        .map(|cause| cause.field)
        .collect();
    fields.sort();
    assert_eq!(fields, ["spec.mode", "spec.taskManager.replicas"]);
}

#[tokio::test(start_paused = true)]
async fn a_strict_client_is_told_of_unknown_fields() {
    let (server, client) = server();
    server.install_crd(&older());
    let api = flinks(&client);
    create(&api, flink("a", &json!({}))).await;
    let strict = PatchParams {
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::default()
    };
    let status = refusal(
        api.patch(
            "a",
            &strict,
            &Patch::Merge(json!({ "spec": { "typo": 1 } })),
        )
        .await,
    );
    assert!(status.is_invalid());
    assert!(
        status
            .message
            .contains("strict decoding error: unknown field \"spec.typo\""),
        "{}",
        status.message
    );
}

#[tokio::test(start_paused = true)]
async fn scale_reads_and_writes_where_the_crd_says() {
    let (server, client) = server();
    server.install_crd(&older());
    let api = flinks(&client);
    create(
        &api,
        flink("a", &json!({ "taskManager": { "replicas": 2 } })),
    )
    .await;
    assert_eq!(
        api.get_scale("a").await.unwrap().spec.unwrap().replicas,
        Some(2)
    );
    let patch = Patch::Merge(json!({ "spec": { "replicas": 5 } }));
    api.patch_scale("a", &PatchParams::default(), &patch)
        .await
        .unwrap();
    let object = api.get("a").await.unwrap();
    assert_eq!(object.data["spec"]["taskManager"]["replicas"], 5);
    assert_eq!(object.metadata.generation, Some(2));
}
