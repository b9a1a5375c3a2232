//! Writes down what happens in a namespace while a test runs: transitions of resources, lives of Deployments and pods.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::DynamicObject;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::resource;

/// Follows one namespace until it is dropped.
pub(crate) struct Chronicle {
    book: Arc<Mutex<Book>>,
    _watches: JoinSet<()>,
}

struct Book {
    began: Instant,
    lines: Vec<String>,
    /// The last line about each object, so that only news are written.
    last: BTreeMap<String, String>,
    /// Names of pods by uid.
    pods: BTreeMap<String, String>,
}

impl Chronicle {
    pub(crate) fn begin(client: &Client, namespace: &str) -> Self {
        let book = Arc::new(Mutex::new(Book {
            began: Instant::now(),
            lines: Vec::new(),
            last: BTreeMap::new(),
            pods: BTreeMap::new(),
        }));
        let mut watches = JoinSet::new();
        let pods = Api::<Pod>::namespaced(client.clone(), namespace);
        watches.spawn(follow_pods(pods, book.clone()));
        let deployments = Api::<Deployment>::namespaced(client.clone(), namespace);
        watches.spawn(follow_deployments(deployments, book.clone()));
        let resources = resource::api(client, namespace);
        watches.spawn(follow_resources(resources, book.clone()));
        Self {
            book,
            _watches: watches,
        }
    }

    /// Writes a line of the test's own.
    pub(crate) fn note(&self, text: &str) {
        self.book.lock().unwrap().write(&format!("  {text}"));
    }

    /// Returns everything that has been written.
    pub(crate) fn text(&self) -> String {
        self.book.lock().unwrap().lines.join("\n")
    }

    /// Returns the uids of all pods that were ever seen.
    pub(crate) fn pod_uids(&self) -> Vec<String> {
        self.book.lock().unwrap().pods.keys().cloned().collect()
    }
}

impl Book {
    fn write(&mut self, text: &str) {
        let elapsed = self.began.elapsed().as_secs_f64();
        self.lines.push(format!("{elapsed:7.2} {text}"));
    }

    fn news(&mut self, object: String, text: String) {
        if self.last.get(&object) != Some(&text) {
            self.write(&format!("{object}: {text}"));
            self.last.insert(object, text);
        }
    }
}

async fn follow_pods(api: Api<Pod>, book: Arc<Mutex<Book>>) {
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff());
    while let Some(event) = events.next().await {
        let Ok(event) = event else { continue };
        let mut book = book.lock().unwrap();
        match event {
            watcher::Event::Apply(pod) | watcher::Event::InitApply(pod) => {
                book.pods
                    .insert(pod.uid().unwrap_or_default(), pod.name_any());
                book.news(format!("pod {}", pod.name_any()), pod_state(&pod));
            }
            watcher::Event::Delete(pod) => {
                book.news(format!("pod {}", pod.name_any()), "gone".to_owned());
            }
            watcher::Event::Init | watcher::Event::InitDone => {}
        }
    }
}

fn pod_state(pod: &Pod) -> String {
    let status = serde_json::to_value(&pod.status).unwrap();
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let ready = conditions
        .iter()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
    let waiting = &status["containerStatuses"][0]["state"]["waiting"]["reason"];
    let deleting = pod.metadata.deletion_timestamp.is_some();
    format!(
        "{}{}{}{}",
        status["phase"].as_str().unwrap_or("?"),
        if ready { ", ready" } else { "" },
        waiting
            .as_str()
            .map(|reason| format!(", {reason}"))
            .unwrap_or_default(),
        if deleting { ", being deleted" } else { "" },
    )
}

async fn follow_deployments(api: Api<Deployment>, book: Arc<Mutex<Book>>) {
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff());
    while let Some(event) = events.next().await {
        let Ok(event) = event else { continue };
        let mut book = book.lock().unwrap();
        match event {
            watcher::Event::Apply(deployment) | watcher::Event::InitApply(deployment) => {
                let deleting = deployment.metadata.deletion_timestamp.is_some();
                let state = if deleting { "being deleted" } else { "there" };
                let object = format!("Deployment {}", deployment.name_any());
                book.news(object, state.to_owned());
            }
            watcher::Event::Delete(deployment) => {
                let object = format!("Deployment {}", deployment.name_any());
                book.news(object, "gone".to_owned());
            }
            watcher::Event::Init | watcher::Event::InitDone => {}
        }
    }
}

async fn follow_resources(api: Api<DynamicObject>, book: Arc<Mutex<Book>>) {
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff());
    while let Some(event) = events.next().await {
        let Ok(event) = event else { continue };
        let mut book = book.lock().unwrap();
        match event {
            watcher::Event::Apply(object) | watcher::Event::InitApply(object) => {
                let name = object.name_any();
                let deleting = object.metadata.deletion_timestamp.is_some();
                book.news(name, resource_state(&object.data["status"], deleting));
            }
            watcher::Event::Delete(object) => book.news(object.name_any(), "gone".to_owned()),
            watcher::Event::Init | watcher::Event::InitDone => {}
        }
    }
}

fn resource_state(status: &Value, deleting: bool) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let message = |kind: &str| {
        let condition = resource::condition(status, kind);
        format!(
            "{} ({})",
            text(&condition["message"]),
            text(&condition["reason"])
        )
    };
    format!(
        "{}, JobManager {}, job {}; {}; {}{}",
        text(&status["lifecycleState"]),
        text(&status["jobManagerDeploymentStatus"]),
        text(&status["jobStatus"]["state"]),
        message("Progressing"),
        message("Degraded"),
        if deleting { "; being deleted" } else { "" },
    )
}
