//! The least that a creation can take here: the operator's requests up to the Deployment, without the
//! operator. Whoever creates a resource sends them, one after the other as the operator has to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use kube::Client;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::bench::{CREATORS, NAMESPACES, namespaces, sorted};
use crate::stage::audit::Asked;
use crate::stage::space::{application, eventually, send};

/// What the operator asks from the sight of a resource to its Deployment; reads are one round, and then the
/// configuration that the list did not have.
const REQUESTS: [(&str, &str); 9] = [
    ("patch", "flinkdeployments"),
    ("get", "configmaps"),
    ("get", "deployments"),
    ("get", "flinkdeployments"),
    ("list", "configmaps"),
    ("list", "pods"),
    ("list", "services"),
    ("update", "flinkdeployments/status"),
    ("create", "deployments"),
];

/// How the names of the namespaces begin.
const PREFIX: &str = "raw";

/// Checks that these are the requests which the operator has sent for one resource.
pub(crate) fn compare(asked: &[Asked]) {
    let own: Vec<&Asked> = asked
        .iter()
        .filter(|asked| asked.verb != "watch" && asked.resource != "events")
        // Whether the CRD is good enough is asked once in the life of a process.
        .filter(|asked| !asked.dry_run)
        .collect();
    let first = own
        .iter()
        .position(|asked| asked.verb == "patch" && asked.resource == "flinkdeployments");
    let last = own
        .iter()
        .position(|asked| asked.verb == "create" && asked.resource == "deployments");
    let mut sent: Vec<_> = own[first.unwrap()..=last.unwrap()]
        .iter()
        .map(|asked| (asked.verb.as_str(), asked.resource.as_str()))
        .collect();
    // The order within the round of reads varies.
    let reads = sent.len().saturating_sub(2);
    sent[1..reads].sort_unstable();
    assert_eq!(
        sent, REQUESTS,
        "the operator's requests have changed: change the raw ones, too"
    );
}

/// Sends the requests for so many resources; returns how long each took, sorted.
///
/// `model` is a namespace with a resource `alone` that the operator has brought up.
pub(crate) async fn run(client: &Client, model: &str, resources: usize) -> Vec<Duration> {
    let spaces = Arc::new(namespaces(client, PREFIX).await);
    let path = format!("/apis/flink.apache.org/v1beta1/namespaces/{model}/flinkdeployments/alone");
    let status = send(client, Method::GET, &path, None).await.ok()["status"].take();
    let path = format!("/apis/apps/v1/namespaces/{model}/deployments/alone");
    let mut deployment = send(client, Method::GET, &path, None).await.ok();
    deployment["status"] = Value::Null;
    let model = Arc::new((status, deployment));
    let next = Arc::new(AtomicUsize::new(0));
    let mut creators = JoinSet::new();
    for _ in 0..CREATORS {
        let (client, spaces, next, model) = (
            client.clone(),
            Arc::clone(&spaces),
            Arc::clone(&next),
            Arc::clone(&model),
        );
        creators.spawn(async move {
            // The operator does not hold a user up, so the rest of a creation goes on beside the next one.
            let mut creations = JoinSet::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= resources {
                    return creations.join_all().await;
                }
                let (space, name) = (
                    spaces[number % spaces.len()].clone(),
                    format!("raw-{number}"),
                );
                let began = Instant::now();
                let all =
                    format!("/apis/flink.apache.org/v1beta1/namespaces/{space}/flinkdeployments");
                let created = send(&client, Method::POST, &all, Some(&application(&name)))
                    .await
                    .ok();
                let (client, model) = (client.clone(), Arc::clone(&model));
                creations.spawn(async move {
                    requests(&client, &space, &name, created, &model).await;
                    began.elapsed()
                });
            }
        });
    }
    sorted(creators.join_all().await.into_iter().flatten())
}

/// Leaves nothing for the operator to watch.
pub(crate) async fn remove(client: &Client) {
    for number in 0..NAMESPACES {
        empty(client, &format!("{PREFIX}-{number}")).await;
    }
}

async fn empty(client: &Client, space: &str) {
    let all = |api: &str, plural: &str| format!("/{api}/namespaces/{space}/{plural}");
    let deployments = all("apis/apps/v1", "deployments");
    let pods = all("api/v1", "pods");
    let count = async |path: &str| {
        let list = send(client, Method::GET, path, None).await.ok();
        list["items"].as_array().map_or(0, Vec::len)
    };
    eventually("each Deployment has its pod", async || {
        let (deployments, pods) = (count(&deployments).await, count(&pods).await);
        if pods == deployments {
            Ok(())
        } else {
            Err(format!("{pods} pods of {deployments}"))
        }
    })
    .await;
    let resources = all("apis/flink.apache.org/v1beta1", "flinkdeployments");
    for path in [resources, deployments, pods] {
        let options = json!({ "propagationPolicy": "Background", "gracePeriodSeconds": 0 });
        send(client, Method::DELETE, &path, Some(&options))
            .await
            .ok();
    }
}

async fn requests(
    client: &Client,
    space: &str,
    name: &str,
    created: Value,
    model: &(Value, Value),
) {
    let all = format!("/apis/flink.apache.org/v1beta1/namespaces/{space}/flinkdeployments");
    let deployments = format!("/apis/apps/v1/namespaces/{space}/deployments");
    // An annotation where the operator adds its finalizer, so that these can be deleted.
    let patch = json!({ "metadata": { "resourceVersion": created["metadata"]["resourceVersion"], "annotations": { "raw": "x" } } });
    let patched = send(
        client,
        Method::PATCH,
        &format!("{all}/{name}"),
        Some(&patch),
    )
    .await
    .ok();
    let list =
        |plural: &str| format!("/api/v1/namespaces/{space}/{plural}?labelSelector=app%3D{name}");
    let (resource, deployment) = (format!("{all}/{name}"), format!("{deployments}/{name}"));
    let (pods, maps, services) = (list("pods"), list("configmaps"), list("services"));
    tokio::join!(
        send(client, Method::GET, &resource, None),
        send(client, Method::GET, &deployment, None),
        send(client, Method::GET, &pods, None),
        send(client, Method::GET, &maps, None),
        send(client, Method::GET, &services, None),
    );
    let map = format!("/api/v1/namespaces/{space}/configmaps/flink-config-{name}");
    send(client, Method::GET, &map, None).await;
    let (status, deployment) = model;
    let mut object = patched;
    object["status"] = status.clone();
    send(
        client,
        Method::PUT,
        &format!("{resource}/status"),
        Some(&object),
    )
    .await
    .ok();
    let mut body = deployment.clone();
    let annotations = body["metadata"]["annotations"].take();
    body["metadata"] =
        json!({ "name": name, "labels": body["metadata"]["labels"], "annotations": annotations });
    send(client, Method::POST, &deployments, Some(&body))
        .await
        .ok();
}
