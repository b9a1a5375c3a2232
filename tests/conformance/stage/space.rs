//! A namespace of one test, and what a user does in it.

use std::time::Duration;

use http::{Method, Request, StatusCode};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::plane::Plane;

/// How long anything may take that is waited for: an operator looks once a minute whether a CRD was updated.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// A namespace with an administrator's client.
#[derive(Clone)]
pub(crate) struct Space {
    pub(crate) client: Client,
    pub(crate) name: String,
}

/// An answer of the API server, whatever its status.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) code: StatusCode,
    pub(crate) body: Value,
    /// Texts of `Warning` headers.
    pub(crate) warnings: Vec<String>,
}

impl Reply {
    /// Returns the message of a refusal.
    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    /// Returns the body of a success.
    pub(crate) fn ok(self) -> Value {
        assert!(self.code.is_success(), "{}: {}", self.code, self.message());
        self.body
    }
}

/// Sends a request as the administrator.
pub(crate) async fn send(
    client: &Client,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Reply {
    let kind = match method {
        Method::PATCH => "application/merge-patch+json",
        _ => "application/json",
    };
    let bytes = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", kind);
    let response = client
        .send(request.body(Body::from(bytes)).unwrap())
        .await
        .unwrap();
    let (head, body) = response.into_parts();
    let warnings = head.headers.get_all("warning").iter();
    let body = body.collect_bytes().await.unwrap();
    Reply {
        code: head.status,
        warnings: warnings
            .map(|warning| warning.to_str().unwrap().to_owned())
            .collect(),
        body: serde_json::from_slice(&body)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&body))),
    }
}

/// Waits until an answer is there; `what` and the last state are told if it never comes.
pub(crate) async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(state) => assert!(
                Instant::now() < deadline,
                "waited {PATIENCE:?} in vain for: {what}\n{state}"
            ),
        }
        sleep(Duration::from_millis(50)).await;
    }
}

impl Space {
    /// Makes a namespace.
    pub(crate) async fn new(plane: &Plane, name: &str) -> Self {
        let client = plane.client().await;
        let body = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        send(&client, Method::POST, "/api/v1/namespaces", Some(&body))
            .await
            .ok();
        Self {
            client,
            name: name.to_owned(),
        }
    }

    /// Returns the path of a FlinkDeployment, or of what is below it.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.all())
    }

    /// Returns the path of all `FlinkDeployment`s.
    pub(crate) fn all(&self) -> String {
        format!(
            "/apis/flink.apache.org/v1beta1/namespaces/{}/flinkdeployments",
            self.name
        )
    }

    /// Sends a request as the administrator.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        send(&self.client, method, path, body).await
    }

    /// Creates a FlinkDeployment.
    pub(crate) async fn create(&self, object: &Value) -> Value {
        self.send(Method::POST, &self.all(), Some(object))
            .await
            .ok()
    }

    /// Merges into a FlinkDeployment.
    pub(crate) async fn edit(&self, name: &str, change: &Value) -> Value {
        self.send(Method::PATCH, &self.path(name), Some(change))
            .await
            .ok()
    }

    /// Asks for the deletion of a FlinkDeployment.
    pub(crate) async fn delete(&self, name: &str) {
        self.send(Method::DELETE, &self.path(name), None).await.ok();
    }

    /// Reads a FlinkDeployment.
    pub(crate) async fn get(&self, name: &str) -> Option<Value> {
        let reply = self.send(Method::GET, &self.path(name), None).await;
        (reply.code != StatusCode::NOT_FOUND).then(|| reply.ok())
    }

    /// Waits until a FlinkDeployment looks as wanted.
    pub(crate) async fn until(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Value {
        eventually(&format!("{name}: {what}"), async || {
            let object = self.get(name).await.unwrap_or_default();
            if holds(&object) {
                Ok(object)
            } else {
                Err(format!("{:#}", object["status"]))
            }
        })
        .await
    }

    /// Waits until a FlinkDeployment is in a state of its life, with its newest spec.
    pub(crate) async fn until_state(&self, name: &str, state: &str) -> Value {
        self.until(name, state, |object| {
            let status = &object["status"];
            status["lifecycleState"] == state
                && status["observedGeneration"] == object["metadata"]["generation"]
        })
        .await
    }

    /// Waits until a FlinkDeployment is gone.
    pub(crate) async fn until_gone(&self, name: &str) {
        eventually(&format!("{name} is gone"), async || {
            match self.get(name).await {
                None => Ok(()),
                Some(object) => Err(format!("{object:#}")),
            }
        })
        .await;
    }

    /// Names everything that carries the labels of a cluster.
    pub(crate) async fn parts(&self, cluster: &str) -> Vec<String> {
        let mut names = Vec::new();
        for (group, plural) in [
            ("apis/apps/v1", "deployments"),
            ("api/v1", "pods"),
            ("api/v1", "services"),
            ("api/v1", "configmaps"),
        ] {
            let path = format!(
                "/{group}/namespaces/{}/{plural}?labelSelector=app%3D{cluster}",
                self.name
            );
            let list = self.send(Method::GET, &path, None).await.ok();
            let items = list["items"].as_array().unwrap();
            names.extend(
                items
                    .iter()
                    .map(|item| format!("{plural}/{}", item["metadata"]["name"].as_str().unwrap())),
            );
        }
        names
    }

    /// Lists the events about an object: reason and message.
    pub(crate) async fn events(&self, name: &str) -> Vec<(String, String)> {
        let path = format!(
            "/api/v1/namespaces/{}/events?fieldSelector=involvedObject.name%3D{name}",
            self.name
        );
        let list = self.send(Method::GET, &path, None).await.ok();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let items = list["items"].as_array().unwrap();
        items
            .iter()
            .map(|event| (text(&event["reason"]), text(&event["message"])))
            .collect()
    }
}

/// A small application that is valid in every respect.
pub(crate) fn application(name: &str) -> Value {
    json!({
        "apiVersion": "flink.apache.org/v1beta1",
        "kind": "FlinkDeployment",
        "metadata": { "name": name },
        "spec": {
            "image": "flink:1.20",
            "flinkVersion": "v1_20",
            "serviceAccount": "flink",
            "flinkConfiguration": { "taskmanager.numberOfTaskSlots": "2" },
            "jobManager": { "resource": { "cpu": 1, "memory": "2048m" } },
            "taskManager": { "resource": { "cpu": 1, "memory": "2048m" } },
            "job": {
                "jarURI": "local:///opt/flink/examples/streaming/StateMachineExample.jar",
                "parallelism": 2,
                "upgradeMode": "stateless",
            },
        },
    })
}
