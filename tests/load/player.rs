//! The controllers and nodes of a cluster without either: Deployments become available, pods ready, and
//! JobManagers answer, all on time and as cheaply as possible.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::Method;
use jiff::Timestamp;
use kube::Client;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::follow::{Followed, Meta, follow};
use crate::stage::flink::{Application, Counts, JobManager};
use crate::stage::space::send;

/// From the creation of a Deployment until it is available and its pod ready.
const AVAILABLE_AFTER: Duration = Duration::from_secs(1);
/// From then until the job runs.
const RUNNING_AFTER: Duration = Duration::from_secs(1);

const LABELS: &str = "labelSelector=type%3Dflink-native-kubernetes";

/// Plays until it is dropped.
pub(crate) struct Player {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

struct Shared {
    client: Client,
    counts: Arc<Counts>,
    clusters: Mutex<HashMap<String, Cluster>>,
    changed: Notify,
}

#[derive(Default)]
struct Cluster {
    deployed: Option<Instant>,
    /// The id of its job, once its configuration is there.
    job: Option<String>,
    job_manager: Option<JobManager>,
}

#[derive(Clone, Debug, Deserialize)]
struct Deployment {
    metadata: Meta,
}

impl Followed for Deployment {
    fn metadata(&self) -> &Meta {
        &self.metadata
    }
}

#[derive(Clone, Debug, Deserialize)]
struct ConfigMap {
    metadata: Meta,
    #[serde(default)]
    data: HashMap<String, String>,
}

impl Followed for ConfigMap {
    fn metadata(&self) -> &Meta {
        &self.metadata
    }
}

impl Player {
    /// Begins to play; returns when nothing can be missed any more.
    pub(crate) async fn start(client: &Client) -> Self {
        let shared = Arc::new(Shared {
            client: client.clone(),
            counts: Arc::default(),
            clusters: Mutex::default(),
            changed: Notify::new(),
        });
        let deployed = Arc::clone(&shared);
        let configured = Arc::clone(&shared);
        let path = format!("/apis/apps/v1/deployments?{LABELS}");
        let seen = move |deployment: Deployment| deployed.deployed(deployment.metadata);
        let deployments = follow(client, &path, seen).await;
        let path = format!("/api/v1/configmaps?{LABELS}");
        let maps = follow(client, &path, move |map: ConfigMap| {
            configured.configured(&map);
        })
        .await;
        Self {
            shared,
            tasks: vec![deployments, maps],
        }
    }

    /// Returns what was asked of all JobManagers so far.
    pub(crate) fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// Returns when each Deployment was seen, by namespace and name.
    pub(crate) fn deployed(&self) -> HashMap<String, Instant> {
        let clusters = self.shared.clusters.lock().unwrap();
        clusters
            .iter()
            .filter_map(|(key, cluster)| Some((key.clone(), cluster.deployed?)))
            .collect()
    }

    /// Returns how many JobManagers have been asked something since they were last counted.
    pub(crate) fn asked_since(&self, before: &HashMap<String, u64>) -> usize {
        let now = self.calls();
        now.iter()
            .filter(|(key, calls)| **calls > before.get(*key).copied().unwrap_or_default())
            .count()
    }

    /// Returns what was asked of each JobManager.
    pub(crate) fn calls(&self) -> HashMap<String, u64> {
        let clusters = self.shared.clusters.lock().unwrap();
        clusters
            .iter()
            .filter_map(|(key, cluster)| Some((key.clone(), cluster.job_manager.as_ref()?.calls())))
            .collect()
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Shared {
    fn deployed(self: &Arc<Self>, deployment: Meta) {
        let key = deployment.key();
        let mut clusters = self.clusters.lock().unwrap();
        let cluster = clusters.entry(key.clone()).or_default();
        if cluster.deployed.is_some() {
            return;
        }
        let now = Instant::now();
        cluster.deployed = Some(now);
        let shared = Arc::clone(self);
        tokio::spawn(async move { shared.play(deployment, key, now).await });
    }

    fn configured(&self, map: &ConfigMap) {
        let Some(cluster) = map.metadata.name.strip_prefix("flink-config-") else {
            return;
        };
        let conf = map.data.get("flink-conf.yaml").map_or("", String::as_str);
        let job = conf
            .lines()
            .find_map(|line| line.strip_prefix("$internal.pipeline.job-id: "));
        let key = format!("{}/{cluster}", map.metadata.namespace);
        self.clusters.lock().unwrap().entry(key).or_default().job = job.map(ToOwned::to_owned);
        self.changed.notify_waiters();
    }

    /// Waits for a configuration, as a pod does that mounts it.
    async fn job(&self, key: &str) -> String {
        loop {
            let changed = self.changed.notified();
            if let Some(job) = self
                .clusters
                .lock()
                .unwrap()
                .get(key)
                .and_then(|cluster| cluster.job.clone())
            {
                return job;
            }
            changed.await;
        }
    }

    async fn play(&self, deployment: Meta, key: String, since: Instant) {
        let Meta {
            name,
            namespace,
            uid,
            resource_version: _,
        } = deployment;
        let pod = format!("{name}-pod");
        let pods = format!("/api/v1/namespaces/{namespace}/pods");
        let body = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": pod, "labels": { "app": name, "component": "jobmanager", "type": "flink-native-kubernetes" },
                "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": uid, "controller": true }] },
            "spec": { "serviceAccountName": "flink", "automountServiceAccountToken": false,
                "containers": [{ "name": "flink-main-container", "image": "flink:1.20" }] },
        });
        send(&self.client, Method::POST, &pods, Some(&body))
            .await
            .ok();
        let job = self.job(&key).await;
        tokio::time::sleep_until((since + AVAILABLE_AFTER).into()).await;
        let application = Application {
            savepoint: None,
            job,
            name: name.clone(),
            parallelism: 2,
            running_after: RUNNING_AFTER,
            checkpoints: None,
        };
        let job_manager = JobManager::start(application, Arc::clone(&self.counts)).await;
        let address = job_manager.address.to_string();
        self.clusters
            .lock()
            .unwrap()
            .entry(key)
            .or_default()
            .job_manager = Some(job_manager);
        let now = Timestamp::now().strftime("%FT%TZ").to_string();
        let holds =
            |kind: &str| json!({ "type": kind, "status": "True", "lastTransitionTime": now });
        let status = json!({ "status": {
            "phase": "Running", "podIP": address, "podIPs": [{ "ip": address }],
            "conditions": [holds("PodScheduled"), holds("Initialized"), holds("ContainersReady"), holds("Ready")],
            "containerStatuses": [{ "name": "flink-main-container", "image": "flink:1.20", "imageID": "", "ready": true, "started": true,
                "restartCount": 0, "state": { "running": { "startedAt": now } } }],
        } });
        send(
            &self.client,
            Method::PATCH,
            &format!("{pods}/{pod}/status"),
            Some(&status),
        )
        .await
        .ok();
        let available = json!({ "status": {
            "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
            "conditions": [{ "type": "Available", "status": "True", "reason": "MinimumReplicasAvailable",
                "lastTransitionTime": now, "lastUpdateTime": now }],
        } });
        let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}/status");
        send(&self.client, Method::PATCH, &path, Some(&available))
            .await
            .ok();
    }
}
