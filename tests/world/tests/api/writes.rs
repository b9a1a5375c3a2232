//! Creating, replacing and patching.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::json;

use super::{
    config_map, config_maps, create, deployment_json, flink, flinks, from, refusal, server,
};

#[tokio::test(start_paused = true)]
async fn a_new_object_gets_identity_and_version() {
    let (server, client) = server();
    let created = create(&flinks(&client), flink("a", &json!({ "image": "i" }))).await;
    assert!(!created.uid().unwrap().is_empty());
    assert_eq!(created.metadata.generation, Some(1));
    assert_eq!(created.metadata.namespace.as_deref(), Some("default"));
    assert_eq!(
        created.creation_timestamp().unwrap().0.to_string(),
        "2026-01-01T00:00:00Z"
    );
    let other = create(&config_maps(&client), config_map("b")).await;
    assert!(
        other.resource_version().unwrap().parse::<u64>().unwrap()
            > created.resource_version().unwrap().parse().unwrap()
    );
    assert_eq!(other.metadata.generation, None);
    assert_eq!(
        server.history().len(),
        3,
        "two objects and the default namespace"
    );
}

#[tokio::test(start_paused = true)]
async fn a_name_is_taken_once() {
    let (_, client) = server();
    let api = config_maps(&client);
    create(&api, config_map("a")).await;
    let status = refusal(api.create(&PostParams::default(), &config_map("a")).await);
    assert!(status.is_already_exists());
    assert_eq!(status.message, "configmaps \"a\" already exists");
    assert_eq!(status.details.unwrap().name, "a");
}

#[tokio::test(start_paused = true)]
async fn generated_names_differ() {
    let (_, client) = server();
    let api = config_maps(&client);
    let template = || from(json!({ "metadata": { "generateName": "event-" } }));
    let (first, second) = (
        create(&api, template()).await,
        create(&api, template()).await,
    );
    assert!(
        first.name_any().starts_with("event-") && first.name_any().len() == 11,
        "{}",
        first.name_any()
    );
    assert_ne!(first.name_any(), second.name_any());
}

#[tokio::test(start_paused = true)]
async fn a_stale_put_is_a_conflict_and_an_unchanged_one_writes_nothing() {
    let (server, client) = server();
    let api = config_maps(&client);
    let first = create(&api, config_map("a")).await;
    let mut changed = first.clone();
    changed
        .data
        .as_mut()
        .unwrap()
        .insert("key".into(), "new".into());
    let second = api
        .replace("a", &PostParams::default(), &changed)
        .await
        .unwrap();
    assert_ne!(first.resource_version(), second.resource_version());
    assert!(refusal(api.replace("a", &PostParams::default(), &changed).await).is_conflict());
    let before = server.history().len();
    let third = api
        .replace("a", &PostParams::default(), &second)
        .await
        .unwrap();
    assert_eq!(third.resource_version(), second.resource_version());
    assert_eq!(server.history().len(), before);
}

#[tokio::test(start_paused = true)]
async fn custom_objects_need_a_version_and_built_in_ones_do_not() {
    let (_, client) = server();
    create(&config_maps(&client), config_map("a")).await;
    config_maps(&client)
        .replace("a", &PostParams::default(), &config_map("a"))
        .await
        .unwrap();
    create(&flinks(&client), flink("a", &json!({}))).await;
    let status = refusal(
        flinks(&client)
            .replace("a", &PostParams::default(), &flink("a", &json!({ "x": 1 })))
            .await,
    );
    assert_eq!(status.code, 422);
    assert!(
        status
            .message
            .contains("metadata.resourceVersion: Invalid value: 0: must be specified"),
        "{}",
        status.message
    );
}

#[tokio::test(start_paused = true)]
async fn a_put_meant_for_another_incarnation_is_a_conflict() {
    let (server, client) = server();
    let api = config_maps(&client);
    let mut first = create(&api, config_map("a")).await;
    server.delete("ConfigMap", "default", "a").unwrap();
    let second = create(&api, config_map("a")).await;
    first.metadata.resource_version = second.metadata.resource_version.clone();
    let status = refusal(api.replace("a", &PostParams::default(), &first).await);
    assert!(
        status.is_conflict() && status.message.contains("Precondition failed: UID"),
        "{}",
        status.message
    );
}

#[tokio::test(start_paused = true)]
async fn spec_and_status_are_written_apart() {
    let (_, client) = server();
    let api = flinks(&client);
    let mut object = flink("a", &json!({ "image": "i" }));
    object.data["status"] = json!({ "phase": "wishful" });
    let mut object = create(&api, object).await;
    assert_eq!(object.data.get("status"), None, "created without status");

    object.data["status"] = json!({ "phase": "Running" });
    object.data["spec"]["image"] = "other".into();
    object.metadata.annotations = Some([("a".to_owned(), "b".to_owned())].into());
    let mut object = api
        .replace_status("a", &PostParams::default(), &object)
        .await
        .unwrap();
    assert_eq!(object.data["status"]["phase"], "Running");
    assert_eq!(
        object.data["spec"]["image"], "i",
        "a status write leaves the spec"
    );
    assert_eq!(object.metadata.annotations, None, "and the metadata");
    assert_eq!(object.metadata.generation, Some(1), "and the generation");

    object.data["status"] = json!({ "phase": "Failed" });
    object.data["spec"]["image"] = "other".into();
    let object = api
        .replace("a", &PostParams::default(), &object)
        .await
        .unwrap();
    assert_eq!(
        object.data["status"]["phase"], "Running",
        "a spec write leaves the status"
    );
    assert_eq!(object.metadata.generation, Some(2));
    let stale = refusal(
        api.replace_status("a", &PostParams::default(), &flink("a", &json!({})))
            .await,
    );
    assert_eq!(stale.code, 422, "a status write needs a version too");
}

#[tokio::test(start_paused = true)]
async fn annotations_do_not_count_as_a_generation() {
    let (_, client) = server();
    let api: Api<Deployment> = Api::namespaced(client, "default");
    create(&api, from(deployment_json("a"))).await;
    let patch = |patch| async {
        api.patch("a", &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap()
    };
    let annotated = patch(json!({ "metadata": { "annotations": { "a": "b" } } })).await;
    assert_eq!(annotated.metadata.generation, Some(1));
    let scaled = patch(json!({ "spec": { "replicas": 0 } })).await;
    assert_eq!(scaled.metadata.generation, Some(2));
}

#[tokio::test(start_paused = true)]
async fn patches_merge_follow_operations_and_guard_versions() {
    let (_, client) = server();
    let api = config_maps(&client);
    let first = create(&api, config_map("a")).await;
    let params = PatchParams::default();
    let merge = json!({ "data": { "key": null, "other": "1" } });
    let merged = api.patch("a", &params, &Patch::Merge(merge)).await.unwrap();
    assert_eq!(
        merged.data.unwrap(),
        [("other".to_owned(), "1".to_owned())].into()
    );

    let stale = json!({ "metadata": { "resourceVersion": first.resource_version() }, "data": { "x": "y" } });
    assert!(refusal(api.patch("a", &params, &Patch::Merge(stale)).await).is_conflict());

    let operations = |value: &str| -> json_patch::Patch {
        from(json!([
            { "op": "test", "path": "/data/other", "value": value },
            { "op": "replace", "path": "/data/other", "value": "2" },
        ]))
    };
    let changed = api
        .patch("a", &params, &Patch::Json::<()>(operations("1")))
        .await
        .unwrap();
    assert_eq!(changed.data.unwrap()["other"], "2");
    assert_eq!(
        refusal(
            api.patch("a", &params, &Patch::Json::<()>(operations("1")))
                .await
        )
        .code,
        422
    );
    assert!(refusal(api.patch("b", &params, &Patch::Merge(json!({}))).await).is_not_found());
}

#[tokio::test(start_paused = true)]
async fn strategic_patches_are_for_built_in_kinds() {
    let (_, client) = server();
    let api: Api<Deployment> = Api::namespaced(client.clone(), "default");
    create(&api, from(deployment_json("a"))).await;
    let containers = json!({ "spec": { "template": { "spec": { "containers": [{ "name": "main", "image": "new" }, { "name": "side", "image": "s" }] } } } });
    let patched = api
        .patch("a", &PatchParams::default(), &Patch::Strategic(containers))
        .await
        .unwrap();
    let names: Vec<String> = patched
        .spec
        .unwrap()
        .template
        .spec
        .unwrap()
        .containers
        .into_iter()
        .map(|container| container.name)
        .collect();
    assert_eq!(names, ["main", "side"]);
    create(&flinks(&client), flink("a", &json!({}))).await;
    let status = refusal(
        flinks(&client)
            .patch("a", &PatchParams::default(), &Patch::Strategic(json!({})))
            .await,
    );
    assert_eq!(status.code, 415);
}

#[tokio::test(start_paused = true)]
async fn names_bodies_and_namespaces_must_fit_the_path() {
    let (server, client) = server();
    let api = config_maps(&client);
    create(&api, config_map("a")).await;
    assert_eq!(
        refusal(
            api.replace("a", &PostParams::default(), &config_map("b"))
                .await
        )
        .code,
        400
    );
    let nowhere: Api<Pod> = Api::namespaced(client.clone(), "nowhere");
    let pod = from(
        json!({ "metadata": { "name": "a" }, "spec": { "containers": [{ "name": "c", "image": "i" }] } }),
    );
    let status = refusal(nowhere.create(&PostParams::default(), &pod).await);
    assert_eq!(
        (status.code, status.message.as_str()),
        (404, "namespaces \"nowhere\" not found")
    );
    let long = refusal(
        api.create(&PostParams::default(), &config_map(&"x".repeat(300)))
            .await,
    );
    assert!(
        long.is_invalid() && long.message.contains("must be no more than 253 characters"),
        "{}",
        long.message
    );

    server.create_namespace("leaving");
    server.create(json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a", "namespace": "leaving" } })).unwrap();
    server.delete("Namespace", "", "leaving").unwrap();
    let leaving: Api<k8s_openapi::api::core::v1::ConfigMap> = Api::namespaced(client, "leaving");
    let status = refusal(
        leaving
            .create(&PostParams::default(), &config_map("b"))
            .await,
    );
    assert!(status.is_forbidden());
    assert_eq!(
        status.details.unwrap().causes[0].reason,
        "NamespaceTerminating"
    );
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_answers_and_stores_nothing() {
    let (server, client) = server();
    let api = config_maps(&client);
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    api.create(&dry, &config_map("a")).await.unwrap();
    assert_eq!(server.get("ConfigMap", "default", "a"), None);
}

#[tokio::test(start_paused = true)]
async fn the_world_writes_status_and_spec_at_once() {
    let (server, client) = server();
    server.create(deployment_json("a")).unwrap();
    server
        .update("Deployment", "default", "a", |object| {
            object["status"]["availableReplicas"] = 1.into();
            object["spec"]["replicas"] = 2.into();
        })
        .unwrap();
    let api: Api<Deployment> = Api::namespaced(client, "default");
    let seen = api.get("a").await.unwrap();
    assert_eq!(seen.metadata.generation, Some(2));
    assert_eq!(seen.status.unwrap().available_replicas, Some(1));
}
