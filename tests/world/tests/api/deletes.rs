//! Deleting: preconditions, finalizers, grace.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use serde_json::json;

use flink_operator_world::api::DeleteOptions;

use super::{config_map, config_maps, create, flink, flinks, refusal, server};

#[tokio::test(start_paused = true)]
async fn a_plain_object_goes_at_once_and_the_answer_names_its_uid() {
    let (server, client) = server();
    let created = create(&config_maps(&client), config_map("a")).await;
    let status = config_maps(&client)
        .delete("a", &DeleteParams::default())
        .await
        .unwrap()
        .right()
        .unwrap();
    assert_eq!(status.details.unwrap().uid, created.uid().unwrap());
    assert_eq!(server.get("ConfigMap", "default", "a"), None);
    assert!(
        refusal(
            config_maps(&client)
                .delete("a", &DeleteParams::default())
                .await
        )
        .is_not_found()
    );
}

#[tokio::test(start_paused = true)]
async fn preconditions_guard_against_another_incarnation() {
    let (_, client) = server();
    let api = config_maps(&client);
    let created = create(&api, config_map("a")).await;
    let only = |uid: Option<String>, version: Option<String>| {
        DeleteParams::default().preconditions(Preconditions {
            uid,
            resource_version: version,
        })
    };
    let other = refusal(api.delete("a", &only(Some("another".into()), None)).await);
    assert!(other.is_conflict());
    assert!(
        other
            .message
            .contains("the UID in the precondition (another) does not match"),
        "{}",
        other.message
    );
    assert!(refusal(api.delete("a", &only(None, Some("1".into()))).await).is_conflict());
    api.delete("a", &only(created.uid(), created.resource_version()))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn finalizers_hold_an_object_until_the_last_is_gone() {
    let (server, client) = server();
    let api = flinks(&client);
    let mut object = flink("a", &json!({}));
    object.metadata.finalizers = Some(vec!["one".into(), "two".into()]);
    create(&api, object).await;
    let marked = api
        .delete("a", &DeleteParams::default())
        .await
        .unwrap()
        .left()
        .unwrap();
    assert!(marked.metadata.deletion_timestamp.is_some());
    assert_eq!(
        marked.metadata.generation,
        Some(2),
        "a deletion is a change of what is wanted"
    );
    assert_eq!(marked.metadata.deletion_grace_period_seconds, Some(0));
    let again = api
        .delete("a", &DeleteParams::default())
        .await
        .unwrap()
        .left()
        .unwrap();
    assert_eq!(
        again.resource_version(),
        marked.resource_version(),
        "a second deletion changes nothing"
    );

    let finalizers = |list: &[&str]| Patch::Merge(json!({ "metadata": { "finalizers": list } }));
    let more = refusal(
        api.patch(
            "a",
            &PatchParams::default(),
            &finalizers(&["one", "two", "three"]),
        )
        .await,
    );
    assert!(
        more.message.contains("no new finalizers can be added"),
        "{}",
        more.message
    );
    api.patch("a", &PatchParams::default(), &finalizers(&["two"]))
        .await
        .unwrap();
    assert!(server.get("FlinkDeployment", "default", "a").is_some());
    api.patch("a", &PatchParams::default(), &finalizers(&[]))
        .await
        .unwrap();
    assert_eq!(server.get("FlinkDeployment", "default", "a"), None);
}

#[tokio::test(start_paused = true)]
async fn a_scheduled_pod_gets_its_grace_period() {
    let (server, client) = server();
    let api: Api<Pod> = Api::namespaced(client, "default");
    let pod = |name: &str, node: Option<&str>| {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "namespace": "default" },
            "spec": { "nodeName": node, "containers": [{ "name": "c", "image": "i" }] },
        })
    };
    server.create(pod("waiting", None)).unwrap();
    server.create(pod("running", Some("node"))).unwrap();
    api.delete("waiting", &DeleteParams::default())
        .await
        .unwrap();
    assert_eq!(
        server.get("Pod", "default", "waiting"),
        None,
        "nothing runs, nothing to wait for"
    );
    let marked = api
        .delete("running", &DeleteParams::default())
        .await
        .unwrap()
        .left()
        .unwrap();
    assert_eq!(marked.metadata.deletion_grace_period_seconds, Some(30));
    assert_eq!(
        marked.metadata.deletion_timestamp.unwrap().0.to_string(),
        "2026-01-01T00:00:30Z"
    );
    server
        .delete_with("Pod", "default", "running", &DeleteOptions::now())
        .unwrap();
    assert_eq!(server.get("Pod", "default", "running"), None);
}

#[tokio::test(start_paused = true)]
async fn many_are_deleted_by_label() {
    let (server, client) = server();
    let api = config_maps(&client);
    for (name, app) in [("a", "x"), ("b", "x"), ("c", "y")] {
        let mut object = config_map(name);
        object.metadata.labels = Some([("app".to_owned(), app.to_owned())].into());
        api.create(&PostParams::default(), &object).await.unwrap();
    }
    let only = kube::api::ListParams::default().labels("app=x");
    api.delete_collection(&DeleteParams::default(), &only)
        .await
        .unwrap();
    let left: Vec<_> = server.list("ConfigMap", "default");
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["metadata"]["name"], "c");
}
