//! Reading: one, many, selected, in pages, metadata alone, and what the server says of itself.

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::ResourceExt;
use kube::api::{Api, ListParams, PostParams};
use serde_json::json;

use super::{config_map, config_maps, create, flink, flinks, refusal, server};

async fn five(client: &kube::Client) -> Api<ConfigMap> {
    let api = config_maps(client);
    for name in ["a", "b", "c", "d", "e"] {
        let mut object = config_map(name);
        object.metadata.labels = Some([("letter".to_owned(), name.to_owned())].into());
        create(&api, object).await;
    }
    api
}

fn names<K: ResourceExt>(items: &[K]) -> Vec<String> {
    items.iter().map(ResourceExt::name_any).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_not_found() {
    let (_, client) = server();
    let api: Api<Pod> = Api::namespaced(client, "default");
    let status = refusal(api.get("a").await);
    assert!(status.is_not_found());
    assert_eq!(status.details.clone().unwrap().kind, "pods");
    assert_eq!(api.get_opt("a").await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn lists_are_selected_by_label_field_and_namespace() {
    let (server, client) = server();
    let api = five(&client).await;
    let some = api
        .list(&ListParams::default().labels("letter in (a,c),letter!=c"))
        .await
        .unwrap();
    assert_eq!(names(&some.items), ["a"]);
    let one = api
        .list(&ListParams::default().fields("metadata.name=d"))
        .await
        .unwrap();
    assert_eq!(names(&one.items), ["d"]);
    server.create_namespace("other");
    let elsewhere: Api<ConfigMap> = Api::namespaced(client.clone(), "other");
    create(&elsewhere, config_map("z")).await;
    let all: Api<ConfigMap> = Api::all(client);
    assert_eq!(
        names(&all.list(&ListParams::default()).await.unwrap().items),
        ["a", "b", "c", "d", "e", "z"]
    );
    assert_eq!(
        names(&elsewhere.list(&ListParams::default()).await.unwrap().items),
        ["z"]
    );
}

#[tokio::test(start_paused = true)]
async fn pages_show_one_moment() {
    let (server, client) = server();
    let api = five(&client).await;
    let first = api.list(&ListParams::default().limit(2)).await.unwrap();
    assert_eq!(names(&first.items), ["a", "b"]);
    assert_eq!(first.metadata.remaining_item_count, Some(3));
    server.delete("ConfigMap", "default", "d").unwrap();
    server.create(json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "ca", "namespace": "default" } })).unwrap();
    let token = first.metadata.continue_.unwrap();
    let rest = api
        .list(&ListParams::default().limit(10).continue_token(&token))
        .await
        .unwrap();
    assert_eq!(
        names(&rest.items),
        ["c", "d", "e"],
        "as it was when the list began"
    );
    assert_eq!(
        rest.metadata.resource_version,
        first.metadata.resource_version
    );
    server.compact();
    server
        .update("ConfigMap", "default", "a", |object| {
            object["data"]["key"] = "new".into();
        })
        .unwrap();
    let gone = refusal(
        api.list(&ListParams::default().limit(2).continue_token(&token))
            .await,
    );
    assert_eq!((gone.code, gone.reason.as_str()), (410, "Expired"));
}

#[tokio::test(start_paused = true)]
async fn metadata_can_be_read_alone() {
    let (_, client) = server();
    five(&client).await;
    let api = config_maps(&client);
    let one = api.get_metadata("a").await.unwrap();
    assert_eq!(one.name_any(), "a");
    let list = api.list_metadata(&ListParams::default()).await.unwrap();
    assert_eq!(list.items.len(), 5);
    assert_eq!(
        list.items[0].metadata.labels.as_ref().unwrap()["letter"],
        "a"
    );
}

#[tokio::test(start_paused = true)]
async fn a_kind_without_crd_leads_nowhere() {
    let (server, client) = server();
    create(&flinks(&client), flink("a", &json!({}))).await;
    server.remove_kind("FlinkDeployment");
    let status = refusal(flinks(&client).get("a").await);
    assert_eq!(
        (status.code, status.message.as_str()),
        (404, "404 page not found")
    );
}

#[tokio::test(start_paused = true)]
async fn the_server_tells_its_version_and_kinds() {
    let (_, client) = server();
    assert_eq!(
        client.apiserver_version().await.unwrap().git_version,
        "v1.35.4"
    );
    let kinds = client
        .list_api_group_resources("flink.apache.org/v1beta1")
        .await
        .unwrap();
    assert!(
        kinds
            .resources
            .iter()
            .any(|resource| resource.name == "flinkdeployments/status")
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_can_ask_what_it_may_do() {
    use flink_operator_world::api::{Match, Verb};
    use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;

    let (server, client) = server();
    server
        .control("op-1")
        .forbid(Match::any().verb(Verb::List).resource("pods"));
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    for (verb, allowed) in [("list", false), ("get", true)] {
        let review = super::from(
            json!({ "spec": { "resourceAttributes": { "verb": verb, "resource": "pods" } } }),
        );
        let answer = api.create(&PostParams::default(), &review).await.unwrap();
        assert_eq!(answer.status.unwrap().allowed, allowed, "{verb}");
    }
    let pods: Api<Pod> = Api::namespaced(client, "default");
    let status = refusal(pods.list(&ListParams::default()).await);
    assert_eq!(
        status.message,
        "pods is forbidden: User \"op-1\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\""
    );
}
