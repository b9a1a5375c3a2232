//! The in-memory API server through a real kube client.

#![allow(clippy::unwrap_used)]

mod apply;
mod deletes;
mod faults;
mod garbage;
mod reads;
mod schemas;
mod watches;
mod writes;

use flink_operator_world::api::ApiServer;
use flink_operator_world::clock::Clock;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ApiResource, DynamicObject, PostParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};

/// Starts a server and a client of it.
fn server() -> (ApiServer, kube::Client) {
    let server = ApiServer::new(Clock::new());
    let client = server.client("op-1");
    (server, client)
}

/// Gives the API of the Flink kind in the default namespace.
fn flinks(client: &kube::Client) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("flink.apache.org", "v1beta1", "FlinkDeployment");
    Api::namespaced_with(client.clone(), "default", &ApiResource::from_gvk(&kind))
}

fn flink(name: &str, spec: &Value) -> DynamicObject {
    from(json!({
        "apiVersion": "flink.apache.org/v1beta1",
        "kind": "FlinkDeployment",
        "metadata": { "name": name },
        "spec": spec,
    }))
}

fn config_maps(client: &kube::Client) -> Api<ConfigMap> {
    Api::namespaced(client.clone(), "default")
}

fn config_map(name: &str) -> ConfigMap {
    from(json!({ "metadata": { "name": name }, "data": { "key": "value" } }))
}

fn deployment_json(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": name, "namespace": "default" },
        "spec": {
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "main", "image": "flink:1.20" }] },
            },
        },
    })
}

fn from<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// Gives the status with which the server refused.
fn refusal<T: std::fmt::Debug>(result: Result<T, kube::Error>) -> Box<kube::core::Status> {
    match result.unwrap_err() {
        kube::Error::Api(status) => status,
        other => panic!("not a refusal: {other:?}"),
    }
}

async fn create<K>(api: &Api<K>, object: K) -> K
where
    K: Clone + serde::Serialize + serde::de::DeserializeOwned + std::fmt::Debug,
{
    api.create(&PostParams::default(), &object).await.unwrap()
}
