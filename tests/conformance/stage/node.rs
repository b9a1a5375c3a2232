//! A node that starts JobManager pods without starting anything: it plays the kubelet of one namespace.
//!
//! As a kubelet does, it waits for the ConfigMaps that a pod mounts, reports the pod's address and
//! readiness, and removes the pod from the API server only when its process has ended.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::TryStreamExt;
use http::Method;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::flink::{Application, Counts, JobManager};
use super::space::Space;

/// An image of this name cannot be pulled.
pub(crate) const BAD_IMAGE: &str = "no-such-image:1";

/// A pod with this image waits for a volume that never comes.
pub(crate) const STUCK_IMAGE: &str = "flink:stuck";

/// How long pods and jobs take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// From the mounted ConfigMap until the JobManager answers.
    pub(crate) pod: Duration,
    /// From then until all tasks run.
    pub(crate) job: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            pod: Duration::from_millis(300),
            job: Duration::from_millis(300),
        }
    }
}

/// The node, until it is dropped.
pub(crate) struct Node {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    space: Space,
    pace: Pace,
    counts: Arc<Counts>,
    /// By uid; a pod that is being prepared has none yet.
    pods: Mutex<BTreeMap<String, Option<JobManager>>>,
    /// The ids of all jobs that were ever started, in order.
    jobs: Mutex<Vec<String>>,
}

impl Node {
    /// Begins to run the JobManager pods of a namespace.
    pub(crate) fn start(space: &Space, pace: Pace) -> Self {
        let shared = Arc::new(Shared {
            space: space.clone(),
            pace,
            counts: Arc::default(),
            pods: Mutex::default(),
            jobs: Mutex::default(),
        });
        let task = tokio::spawn(run(Arc::clone(&shared)));
        Self { shared, task }
    }

    /// Returns what was asked of all JobManagers so far.
    pub(crate) fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// Returns the jobs that run now.
    pub(crate) fn running(&self) -> Vec<String> {
        self.shared
            .pods
            .lock()
            .unwrap()
            .values()
            .flatten()
            .map(|job_manager| job_manager.job().to_owned())
            .collect()
    }

    /// Returns the jobs that were ever started.
    pub(crate) fn started(&self) -> Vec<String> {
        self.shared.jobs.lock().unwrap().clone()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(shared: Arc<Shared>) {
    let pods: Api<Pod> = Api::namespaced(shared.space.client.clone(), &shared.space.name);
    let config = watcher::Config::default().labels("component=jobmanager");
    let mut changes = std::pin::pin!(watcher(pods, config).default_backoff().applied_objects());
    while let Ok(Some(pod)) = changes.try_next().await {
        let uid = pod.uid().unwrap();
        if pod.metadata.deletion_timestamp.is_some() {
            let ran = shared.pods.lock().unwrap().remove(&uid);
            drop(ran);
            shared.remove(&pod).await;
            continue;
        }
        let new = !shared.pods.lock().unwrap().contains_key(&uid);
        if new {
            shared.pods.lock().unwrap().insert(uid, None);
            let shared = Arc::clone(&shared);
            tokio::spawn(async move { shared.start(pod).await });
        }
    }
}

impl Shared {
    fn path(&self, pod: &Pod) -> String {
        format!(
            "/api/v1/namespaces/{}/pods/{}",
            self.space.name,
            pod.name_any()
        )
    }

    async fn remove(&self, pod: &Pod) {
        let options = json!({ "gracePeriodSeconds": 0, "preconditions": { "uid": pod.uid() } });
        // Gone already is as good.
        self.space
            .send(Method::DELETE, &self.path(pod), Some(&options))
            .await;
    }

    async fn start(&self, pod: Pod) {
        let binding = json!({ "apiVersion": "v1", "kind": "Binding", "metadata": { "name": pod.name_any() },
            "target": { "apiVersion": "v1", "kind": "Node", "name": "played" } });
        let bound = self
            .space
            .send(
                Method::POST,
                &format!("{}/binding", self.path(&pod)),
                Some(&binding),
            )
            .await;
        if !bound.code.is_success() {
            return; // deleted meanwhile
        }
        let image = pod
            .spec
            .as_ref()
            .and_then(|spec| spec.containers[0].image.clone())
            .unwrap_or_default();
        if image == BAD_IMAGE {
            let waiting = json!({ "waiting": { "reason": "ErrImagePull", "message": format!("failed to pull {image}: not found") } });
            self.report(&pod, json!({ "phase": "Pending" }), false, waiting)
                .await;
            return;
        }
        if image == STUCK_IMAGE {
            let creating = json!({ "waiting": { "reason": "ContainerCreating" } });
            self.report(&pod, json!({ "phase": "Pending" }), false, creating)
                .await;
            return;
        }
        let config = self.configuration(&pod).await;
        sleep(self.pace.pod).await;
        let number = |key: &str| config.get(key).and_then(|text| text.parse().ok());
        let job = config["$internal.pipeline.job-id"].clone();
        let application = Application {
            name: config.get("pipeline.name").cloned().unwrap_or_default(),
            parallelism: number("parallelism.default").unwrap_or(1),
            running_after: self.pace.job,
            checkpoints: config
                .contains_key("execution.checkpointing.interval")
                .then_some(Duration::from_secs(1)),
            savepoint: config.get("execution.savepoint.path").cloned(),
            job: job.clone(),
        };
        let job_manager = JobManager::start(application, Arc::clone(&self.counts)).await;
        let address = job_manager.address.to_string();
        {
            let mut pods = self.pods.lock().unwrap();
            let Some(place) = pods.get_mut(&pod.uid().unwrap()) else {
                return;
            };
            *place = Some(job_manager);
            self.jobs.lock().unwrap().push(job.clone());
        }
        if config
            .get("high-availability.type")
            .is_some_and(|kind| kind == "kubernetes")
        {
            self.elect(&pod.labels()["app"], &job).await;
        }
        let status = json!({ "phase": "Running", "podIP": address, "podIPs": [{ "ip": address }], "hostIP": "127.0.0.1" });
        self.report(
            &pod,
            status,
            true,
            json!({ "running": { "startedAt": Timestamp::now().strftime("%FT%TZ").to_string() } }),
        )
        .await;
    }

    /// Waits for the ConfigMap that holds Flink's configuration, and reads it.
    async fn configuration(&self, pod: &Pod) -> BTreeMap<String, String> {
        let cluster = &pod.labels()["app"];
        let path = format!(
            "/api/v1/namespaces/{}/configmaps/flink-config-{cluster}",
            self.space.name
        );
        // As long as it takes: a pod that waits for a volume just waits.
        let map = loop {
            let reply = self.space.send(Method::GET, &path, None).await;
            if reply.code.is_success() {
                break reply.body;
            }
            sleep(Duration::from_millis(50)).await;
        };
        let text = map["data"]["flink-conf.yaml"].as_str().unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.split_once(": "));
        lines
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    /// Writes what an elected leader of Flink 1.20 writes: who leads, and the graph of its job.
    async fn elect(&self, cluster: &str, job: &str) {
        let path = format!("/api/v1/namespaces/{}/configmaps", self.space.name);
        let map = |name: String, data: Value| {
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": data, "metadata": { "name": name, "labels": {
                "app": cluster, "type": "flink-native-kubernetes", "configmap-type": "high-availability" } } })
        };
        let mut leaders = json!({ "org.apache.flink.k8s.leader.dispatcher": "00000000-0000-0000-0000-000000000001,pekko.tcp://flink@127.0.0.1:6123/user/rpc/dispatcher_0" });
        leaders[format!("jobGraph-{job}")] = json!("rO0ABXNyAA==");
        for body in [
            map(format!("{cluster}-cluster-config-map"), leaders),
            map(
                format!("{cluster}-{job}-config-map"),
                json!({ "counter": "1" }),
            ),
        ] {
            // One that stayed from an earlier leader is taken over.
            self.space.send(Method::POST, &path, Some(&body)).await;
        }
    }

    async fn report(&self, pod: &Pod, mut status: Value, ready: bool, state: Value) {
        let condition = |kind: &str, holds: bool| {
            json!({ "type": kind, "status": if holds { "True" } else { "False" },
                "lastTransitionTime": Timestamp::now().strftime("%FT%TZ").to_string() })
        };
        status["conditions"] = json!([
            condition("PodScheduled", true),
            condition(
                "PodReadyToStartContainers",
                state["waiting"]["reason"] != "ContainerCreating"
            ),
            condition("Initialized", true),
            condition("ContainersReady", ready),
            condition("Ready", ready),
        ]);
        status["containerStatuses"] = json!([{ "name": "flink-main-container", "image": "flink", "imageID": "",
            "ready": ready, "started": ready, "restartCount": 0, "state": state }]);
        let reply = self
            .space
            .send(
                Method::PATCH,
                &format!("{}/status", self.path(pod)),
                Some(&json!({ "status": status })),
            )
            .await;
        assert!(
            reply.code.is_success() || reply.code.as_u16() == 404,
            "{}",
            reply.message()
        );
    }
}
