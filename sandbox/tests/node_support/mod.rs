//! What the tests of the node share: a sandbox, objects from JSON, and waiting.
#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "each test program uses its own part"
)]

use std::fmt::{Debug, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use flink_sandbox::{Options, Sandbox};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Event, Namespace, Pod};
use kube::api::{ListParams, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// How many lines of a log a failure shows.
const LAST_LINES: usize = 40;

/// Starts a sandbox that runs pods.
pub(crate) async fn sandbox(state_dir: &tempfile::TempDir) -> Sandbox {
    let binary = env!("CARGO_BIN_EXE_flink-sandbox").into();
    let options = Options {
        state_dir: Some(state_dir.path().into()),
        binary: Some(binary),
        ..Options::default()
    };
    Sandbox::up(options).await.unwrap()
}

/// One namespace of a sandbox, for one scenario.
pub(crate) struct Scene {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) logs: PathBuf,
}

impl Scene {
    pub(crate) async fn new(sandbox: &Sandbox, namespace: &str) -> Self {
        let client = sandbox.client().await.unwrap();
        let namespaces = Api::<Namespace>::all(client.clone());
        let object = serde_json::from_value(json!({ "metadata": { "name": namespace } })).unwrap();
        namespaces
            .create(&PostParams::default(), &object)
            .await
            .unwrap();
        let scene = Self {
            client,
            namespace: namespace.to_owned(),
            logs: sandbox.instance().pod_logs(),
        };
        let accounts = scene.api::<k8s_openapi::api::core::v1::ServiceAccount>();
        scene
            .eventually("the service account is there", async || {
                accounts.get_opt("default").await.unwrap()
            })
            .await;
        scene
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) async fn create<K>(&self, object: Value) -> K
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Serialize,
        K::DynamicType: Default,
    {
        let object = serde_json::from_value(object).unwrap();
        self.api::<K>()
            .create(&PostParams::default(), &object)
            .await
            .unwrap()
    }

    /// Creates a pod with one container, named `c`, of a plain image.
    pub(crate) async fn create_pod(&self, name: &str, pod: Value, container: Value) -> Pod {
        let mut object = json!({
            "metadata": { "name": name },
            "spec": { "terminationGracePeriodSeconds": 5, "containers": [{ "name": "c", "image": "busybox" }] },
        });
        merge(&mut object["spec"]["containers"][0], container);
        merge(&mut object, pod);
        self.create(object).await
    }

    pub(crate) async fn pod(&self, name: &str) -> Pod {
        self.api::<Pod>().get(name).await.unwrap()
    }

    /// Waits until the pod's status, as JSON, is as wanted; returns it.
    pub(crate) async fn status(
        &self,
        name: &str,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let status = async || {
            let pod = self.api::<Pod>().get_opt(name).await.unwrap()?;
            let status = serde_json::to_value(pod.status).unwrap();
            wanted(&status).then_some(status)
        };
        self.eventually(&format!("pod {name} {what}"), status).await
    }

    pub(crate) async fn phase(&self, name: &str, phase: &str) -> Value {
        self.status(name, &format!("is {phase}"), |status| {
            status["phase"] == phase
        })
        .await
    }

    pub(crate) async fn ready(&self, name: &str) -> Value {
        self.status(name, "is ready", |status| {
            condition(status, "Ready")["status"] == "True"
        })
        .await
    }

    pub(crate) async fn gone(&self, name: &str) {
        let api = self.api::<Pod>();
        self.eventually(&format!("pod {name} is gone"), async || {
            api.get_opt(name).await.unwrap().is_none().then_some(())
        })
        .await;
    }

    /// Returns the log of a start of the container `c`.
    pub(crate) fn log(&self, pod: &str, start: u32) -> String {
        std::fs::read_to_string(flink_sandbox::logs::log_file(
            &self.logs,
            &self.namespace,
            pod,
            "c",
            start,
        ))
        .unwrap_or_default()
    }

    pub(crate) async fn logged(&self, pod: &str, text: &str) {
        self.eventually(&format!("pod {pod} logs {text:?}"), async || {
            self.log(pod, 0).contains(text).then_some(())
        })
        .await;
    }

    /// Waits for an event on a pod.
    pub(crate) async fn event(&self, pod: &str, reason: &str, note: &str) {
        let events = self.api::<Event>();
        let found = async || {
            let events = events
                .list(&ListParams::default().fields(&format!("involvedObject.name={pod}")))
                .await
                .unwrap();
            let wanted = |event: &&Event| {
                event.reason.as_deref() == Some(reason)
                    && event
                        .message
                        .as_deref()
                        .is_some_and(|text| text.contains(note))
            };
            events.iter().find(wanted).map(ResourceExt::name_any)
        };
        self.eventually(&format!("pod {pod} has the event {reason} {note:?}"), found)
            .await;
    }

    /// Waits until something is there, and says what it waited for if it does not come.
    pub(crate) async fn eventually<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        self.within(Duration::from_secs(60), what, look).await
    }

    pub(crate) async fn within<T>(
        &self,
        patience: Duration,
        what: &str,
        look: impl AsyncFn() -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(
                Instant::now() < deadline,
                "{}: waited {patience:?} in vain until {what}; there are\n{}",
                self.namespace,
                self.pods_and_logs().await
            );
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Tells how the pods stand and how their logs end, for a failure that may not come again.
    async fn pods_and_logs(&self) -> String {
        let pods = self.api::<Pod>().list(&ListParams::default()).await;
        let mut told = String::new();
        for pod in pods.unwrap() {
            let status = serde_json::to_value(&pod.status).unwrap();
            let ready = &condition(&status, "Ready")["status"];
            let name = pod.name_any();
            let leaving = if pod.metadata.deletion_timestamp.is_some() {
                ", being deleted"
            } else {
                ""
            };
            writeln!(
                told,
                "pod {name}: {}, ready {ready}{leaving}",
                status["phase"]
            )
            .unwrap();
            let logs = std::fs::read_dir(self.logs.join(&self.namespace).join(&name));
            for log in logs.into_iter().flatten() {
                let log = log.unwrap().path();
                let text = std::fs::read_to_string(&log).unwrap();
                let lines: Vec<&str> = text.lines().collect();
                let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
                writeln!(told, "{}:\n{}", log.display(), last.join("\n")).unwrap();
            }
        }
        told
    }
}

/// Finds a condition in a pod's status.
pub(crate) fn condition(status: &Value, kind: &str) -> Value {
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    conditions
        .into_iter()
        .find(|condition| condition["type"] == kind)
        .unwrap_or_default()
}

/// Adds the members of one JSON object to another, deeply.
pub(crate) fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}
