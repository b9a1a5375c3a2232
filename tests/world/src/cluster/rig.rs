//! A bench for unit tests: an API server, a garbage collector, a cluster, and the objects of a deploy.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{Cluster, Settings, WireError};
use crate::api::{ApiServer, DeleteOptions, Propagation};
use crate::clock::Clock;

pub(super) const JOB: &str = "0123456789abcdef0123456789abcdef";

pub(super) struct Rig {
    pub(super) api: ApiServer,
    pub(super) cluster: Cluster,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::with(Settings::default())
    }

    pub(super) fn with(settings: Settings) -> Self {
        let api = ApiServer::new(Clock::new());
        tokio::spawn(api.clone().run_garbage_collector(Duration::from_millis(20)));
        let cluster = Cluster::start(&api, settings);
        Self { api, cluster }
    }

    /// Creates the JobManager Deployment; gives its uid.
    pub(super) fn deployment(&self, image: &str) -> String {
        let labels =
            json!({ "app": "a", "component": "jobmanager", "type": "flink-native-kubernetes" });
        let created = self.api.create(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "a", "namespace": "default", "labels": labels },
            "spec": {
                "replicas": 1,
                "selector": { "matchLabels": labels },
                "template": {
                    "metadata": { "labels": labels },
                    "spec": {
                        "containers": [{ "name": "flink-main-container", "image": image,
                            "startupProbe": { "httpGet": { "path": "/config", "port": "rest" }, "periodSeconds": 1 } }],
                        "volumes": [{ "name": "flink-config-volume", "configMap": { "name": "flink-config-a" } }],
                    },
                },
            },
        }));
        created.unwrap()["metadata"]["uid"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Creates the REST Service and the configuration, owned by the Deployment.
    pub(super) fn children(&self, deployment: &str, conf: &str) {
        let metadata = |name: &str| {
            json!({ "name": name, "namespace": "default", "labels": { "app": "a", "type": "flink-native-kubernetes" },
                "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "Deployment", "name": "a", "uid": deployment,
                    "controller": true, "blockOwnerDeletion": true }] })
        };
        self.api
            .create(json!({ "apiVersion": "v1", "kind": "Service", "metadata": metadata("a-rest"), "spec": {
                "ports": [{ "name": "rest", "port": 8081, "targetPort": 8081 }],
                "selector": { "app": "a", "component": "jobmanager", "type": "flink-native-kubernetes" } } }))
            .unwrap();
        let conf = format!(
            "$internal.pipeline.job-id: {JOB}\nexecution.checkpointing.interval: 10 s\nexecution.shutdown-on-application-finish: false\nstate.checkpoints.dir: file:///cp\n{conf}"
        );
        self.api
            .create(json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("flink-config-a"),
                "data": { "flink-conf.yaml": conf } }))
            .unwrap();
    }

    pub(super) fn deploy(&self, image: &str, conf: &str) -> String {
        let uid = self.deployment(image);
        self.children(&uid, conf);
        uid
    }

    pub(super) fn delete_deployment(&self, propagation: Propagation) {
        self.api
            .delete_with(
                "Deployment",
                "default",
                "a",
                &DeleteOptions::with(propagation),
            )
            .unwrap();
    }

    pub(super) async fn pass(&self, seconds: f64) {
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    }

    pub(super) fn pods(&self, component: &str) -> Vec<Value> {
        let pods = self.api.list("Pod", "default");
        pods.into_iter()
            .filter(|pod| pod["metadata"]["labels"]["component"] == component)
            .collect()
    }

    /// Gives the only JobManager pod.
    pub(super) fn job_manager(&self) -> Value {
        let pods = self.pods("jobmanager");
        assert_eq!(pods.len(), 1, "{pods:#?}");
        pods[0].clone()
    }

    pub(super) fn address(&self) -> String {
        self.job_manager()["status"]["podIP"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(super) async fn ask(&self, method: Method, url: &str) -> Result<(u16, Bytes), WireError> {
        self.exchange(method, url, Bytes::new()).await
    }

    pub(super) async fn send(
        &self,
        method: Method,
        url: &str,
        body: &Value,
    ) -> Result<(u16, Bytes), WireError> {
        self.exchange(method, url, body.to_string().into()).await
    }

    async fn exchange(
        &self,
        method: Method,
        url: &str,
        body: Bytes,
    ) -> Result<(u16, Bytes), WireError> {
        let request = Request::builder().method(method).uri(url);
        let request = request.body(body).unwrap();
        let response = self.cluster.wire("op").oneshot(request).await?;
        let code = response.status().as_u16();
        Ok((code, response.into_body().collect().await?.to_bytes()))
    }

    pub(super) async fn get(&self, url: &str) -> Result<(u16, Value), WireError> {
        let (code, bytes) = self.ask(Method::GET, url).await?;
        Ok((code, serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    pub(super) fn events(&self, reason: &str) -> Vec<String> {
        let events = self.api.list("Event", "default");
        let of = events.iter().filter(|event| event["reason"] == reason);
        of.map(|event| event["message"].as_str().unwrap().to_owned())
            .collect()
    }
}
