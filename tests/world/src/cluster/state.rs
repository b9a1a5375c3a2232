//! Everything behind the cluster's lock, and one step of it.

use std::collections::{BTreeMap, BTreeSet};

use flink_operator_oracle::history::{Call, Run};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::deployments::Desk;
use super::kube::Kube;
use super::pod::{Pod, Role, Stage};
use super::settings::Settings;
use crate::api::ApiServer;
use crate::clock::Clock;
use crate::flink::files::Files;
use crate::flink::ha::{HaMap, HaMaps, Layout};
use crate::flink::process::{Demand, Ground, JobManager, Worker};

/// A step that goes on for longer than this has lost its way.
const ROUNDS: usize = 100;

/// The controllers, the node and all processes on it.
#[derive(Debug)]
pub(super) struct State {
    pub(super) api: ApiServer,
    pub(super) clock: Clock,
    pub(super) settings: Settings,
    pub(super) files: Files,
    pub(super) runs: Vec<Run>,
    pub(super) calls: Vec<Call>,
    pub(super) pods: BTreeMap<String, Pod>,
    pub(super) desks: BTreeMap<String, Desk>,
    pub(super) ips: u32,
    /// Clusters whose node does not answer: namespace and app label.
    pub(super) lost_nodes: BTreeSet<(String, String)>,
}

impl State {
    pub(super) fn new(api: ApiServer, settings: Settings) -> Self {
        Self {
            clock: api.clock().clone(),
            api,
            settings,
            files: Files::default(),
            runs: Vec::new(),
            calls: Vec::new(),
            pods: BTreeMap::new(),
            desks: BTreeMap::new(),
            ips: 0,
            lost_nodes: BTreeSet::new(),
        }
    }

    /// Lets everything happen that is due; tells when to come again.
    ///
    /// # Panics
    /// If the step has no end, which is a fault of the simulation.
    pub(super) fn step(&mut self) -> Option<Timestamp> {
        for _ in 0..ROUNDS {
            let now = self.clock.now();
            let mut kube = Kube::new(&self.api, now);
            self.run_deployments(&mut kube, now);
            self.run_kubelet(&mut kube, now);
            if !kube.changed && self.next().is_none_or(|next| next > now) {
                return self.next();
            }
        }
        panic!(
            "controllers and kubelet do not come to rest: an object differs from what was just written"
        )
    }

    fn next(&self) -> Option<Timestamp> {
        self.pods
            .values()
            .filter_map(Pod::next)
            .chain(self.next_deployment())
            .min()
    }

    /// Lets a JobManager process act, and does what it demands.
    pub(super) fn advance_process(&mut self, uid: &str, kube: &mut Kube, now: Timestamp) {
        debug_assert_eq!(now, self.clock.now(), "time stands still during a step");
        self.with_process(uid, kube, JobManager::advance);
    }

    /// Does something with the process of a pod in its surroundings: HA maps are read before and written
    /// after, demands are carried out. `None` if the pod has no process.
    pub(super) fn with_process<T>(
        &mut self,
        uid: &str,
        kube: &mut Kube,
        act: impl FnOnce(&mut JobManager, &mut Ground<'_>) -> T,
    ) -> Option<T> {
        let mut process = self.pods.get_mut(uid)?.process.take()?;
        let (namespace, cluster) = (process.who.namespace.clone(), process.who.cluster.clone());
        let before = if process.conf.high_availability() {
            load(kube, &namespace, &cluster)
        } else {
            HaMaps::default()
        };
        let mut maps = before.clone();
        let workers = self.workers(&namespace, &cluster);
        let mut demands = Vec::new();
        let clock = self.clock.clone();
        let mut order = || clock.moment().order;
        let mut ground = Ground {
            now: self.clock.now(),
            order: &mut order,
            maps: &mut maps,
            files: &mut self.files,
            runs: &mut self.runs,
            workers: &workers,
            demands: &mut demands,
        };
        let result = act(&mut process, &mut ground);
        save(kube, &namespace, &before, &maps);
        if let Some(pod) = self.pods.get_mut(uid) {
            pod.process = Some(process);
        }
        for demand in demands {
            self.carry_out(uid, &namespace, &cluster, demand, kube);
        }
        Some(result)
    }

    /// Lists the TaskManager pods of a cluster.
    fn workers(&self, namespace: &str, cluster: &str) -> Vec<Worker> {
        let of_cluster = |pod: &&Pod| {
            let ended = matches!(pod.stage, Stage::Ended { .. });
            pod.role == Role::TaskManager
                && pod.namespace == namespace
                && pod.app == cluster
                && !ended
        };
        let worker = |pod: &Pod| Worker {
            name: pod.name.clone(),
            // One that is being stopped still works; it is lost when it is gone.
            running: pod.running_since(),
        };
        self.pods.values().filter(of_cluster).map(worker).collect()
    }

    fn carry_out(
        &mut self,
        uid: &str,
        namespace: &str,
        cluster: &str,
        demand: Demand,
        kube: &mut Kube,
    ) {
        match demand {
            Demand::StartWorker(name) => {
                let Some(pod) = self.pods.get(uid) else {
                    return;
                };
                if let Some(job_manager) = kube.get("Pod", namespace, &pod.name) {
                    kube.create(worker_pod(&job_manager, cluster, &name));
                }
            }
            Demand::StopWorkers => {
                for worker in self.workers(namespace, cluster) {
                    kube.delete("Pod", namespace, &worker.name);
                }
            }
            Demand::DeleteDeployment => kube.delete("Deployment", namespace, cluster),
            Demand::Exit(code) => {
                let (pace, now) = (self.settings.node, self.clock.now());
                if let Some(pod) = self.pods.get_mut(uid) {
                    pod.container_ended(code, true, &pace, now);
                }
            }
        }
    }
}

/// Reads the HA ConfigMaps of a cluster.
fn load(kube: &Kube, namespace: &str, cluster: &str) -> HaMaps {
    let mut maps = HaMaps::default();
    for object in kube.list_in("ConfigMap", namespace) {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        if Layout::owns(cluster, name) {
            let map = HaMap {
                labels: texts(&object["metadata"]["labels"]),
                annotations: texts(&object["metadata"]["annotations"]),
                data: texts(&object["data"]),
            };
            maps.0.insert(name.to_owned(), map);
        }
    }
    maps
}

fn texts(object: &Value) -> BTreeMap<String, String> {
    let fields = object.as_object().into_iter().flatten();
    fields
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// Writes what a process has changed in its HA ConfigMaps.
fn save(kube: &mut Kube, namespace: &str, before: &HaMaps, after: &HaMaps) {
    for (name, map) in &after.0 {
        match before.0.get(name) {
            Some(old) if old == map => {}
            Some(_) => kube.update("ConfigMap", namespace, name, |object| fill(object, map)),
            None => {
                let mut object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "namespace": namespace } });
                fill(&mut object, map);
                kube.create(object);
            }
        }
    }
    for name in before.0.keys().filter(|name| !after.0.contains_key(*name)) {
        kube.delete("ConfigMap", namespace, name);
    }
}

fn fill(object: &mut Value, map: &HaMap) {
    object["metadata"]["labels"] = json!(map.labels);
    object["metadata"]["annotations"] = json!(map.annotations);
    object["data"] = json!(map.data);
}

/// Makes a TaskManager pod as a native JobManager does: owned by the Deployment, never restarted.
fn worker_pod(job_manager: &Value, cluster: &str, name: &str) -> Value {
    let spec = &job_manager["spec"];
    let image = super::kubelet::image_of(job_manager);
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": job_manager["metadata"]["namespace"],
            "labels": { "app": cluster, "component": "taskmanager", "type": "flink-native-kubernetes" },
            "ownerReferences": job_manager["metadata"]["ownerReferences"],
        },
        "spec": {
            "containers": [{ "name": "flink-main-container", "image": image }],
            "restartPolicy": "Never",
            "serviceAccountName": spec["serviceAccountName"],
            "terminationGracePeriodSeconds": 30,
        },
        "status": { "phase": "Pending" },
    })
}
