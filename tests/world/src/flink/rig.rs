//! A bench for unit tests: one cluster in hand-moved time, without a Kubernetes around it.

use bytes::Bytes;
use flink_operator_oracle::history::Run;
use http::{Method, Request};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::conf::Conf;
use super::files::Files;
use super::ha::HaMaps;
use super::pace::Pace;
use super::process::{Demand, Ground, Identity, JobManager, Worker};
use super::rest::Reply;
use super::version::Version;

pub(super) const JOB: &str = "0123456789abcdef0123456789abcdef";
pub(super) const OTHER: &str = "fedcba9876543210fedcba9876543210";
pub(super) const TRIGGER: &str = "00112233445566778899aabbccddeeff";

/// Everything that outlives a process, and the process.
pub(super) struct Rig {
    pub(super) now: Timestamp,
    pub(super) order: u64,
    pub(super) maps: HaMaps,
    pub(super) files: Files,
    pub(super) runs: Vec<Run>,
    pub(super) workers: Vec<Worker>,
    pub(super) exits: Vec<i32>,
    pub(super) deployment_deleted: bool,
    pub(super) process: JobManager,
    version: Version,
    started: u32,
}

impl Rig {
    /// Starts a cluster with this configuration on top of a usual one.
    pub(super) fn new(version: &str, conf: &[(&str, &str)]) -> Self {
        let version = Version::parse(version).unwrap();
        let now = Timestamp::from_second(1_000_000).unwrap();
        let process = JobManager::boot(identity(version, 0), usual(conf), Pace::default(), now);
        Self {
            now,
            order: 0,
            maps: HaMaps::default(),
            files: Files::default(),
            runs: Vec::new(),
            workers: Vec::new(),
            exits: Vec::new(),
            deployment_deleted: false,
            process,
            version,
            started: 0,
        }
    }

    /// Does one thing with the process in its surroundings, and then what it demands.
    pub(super) fn with<T>(&mut self, act: impl FnOnce(&mut JobManager, &mut Ground<'_>) -> T) -> T {
        let mut demands = Vec::new();
        let order = &mut self.order;
        let mut draw = || {
            *order += 1;
            *order
        };
        let mut ground = Ground {
            now: self.now,
            order: &mut draw,
            maps: &mut self.maps,
            files: &mut self.files,
            runs: &mut self.runs,
            workers: &self.workers,
            demands: &mut demands,
        };
        let result = act(&mut self.process, &mut ground);
        for demand in demands {
            match demand {
                Demand::StartWorker(name) => {
                    self.workers.push(Worker {
                        name,
                        running: Some(self.now + SignedDuration::from_secs(2)),
                    });
                }
                Demand::StopWorkers => self.workers.clear(),
                Demand::DeleteDeployment => self.deployment_deleted = true,
                Demand::Exit(code) => self.exits.push(code),
            }
        }
        result
    }

    /// Lets this many milliseconds pass.
    pub(super) fn pass(&mut self, millis: i64) -> &mut Self {
        let end = self.now + SignedDuration::from_millis(millis);
        loop {
            self.with(JobManager::advance);
            // Once more, so that the process sees what came of its demands.
            self.with(JobManager::advance);
            match self.process.next().filter(|next| *next <= end) {
                Some(next) => self.now = next.max(self.now),
                None => break,
            }
        }
        self.now = end;
        self.with(JobManager::advance);
        self
    }

    /// Kills the process at once and starts the next one with another configuration.
    pub(super) fn restart(&mut self, orderly: bool, conf: &[(&str, &str)]) -> &mut Self {
        self.with(|process, ground| process.die(orderly, ground));
        self.started += 1;
        let identity = identity(self.version, self.started);
        self.process = JobManager::boot(identity, usual(conf), Pace::default(), self.now);
        self
    }

    /// Removes the stored graphs, as the operator does before a deploy.
    pub(super) fn remove_graph_keys(&mut self) -> &mut Self {
        for map in self.maps.0.values_mut() {
            map.data.retain(|key, _| {
                !key.starts_with("jobGraph-") && !key.starts_with("executionPlan-")
            });
        }
        self
    }

    pub(super) fn call(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Option<Reply> {
        let bytes = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(bytes)
            .unwrap();
        self.with(|process, ground| process.answer(&request, ground))
    }

    pub(super) fn get(&mut self, path: &str) -> Value {
        let reply = self
            .call(Method::GET, path, None)
            .expect("the port is bound");
        assert!(
            reply.code.is_success(),
            "{path}: {} {}",
            reply.code,
            reply.body
        );
        reply.body
    }

    pub(super) fn code(&mut self, method: Method, path: &str, body: Option<Value>) -> u16 {
        self.call(method, path, body)
            .map_or(0, |reply| reply.code.as_u16())
    }

    pub(super) fn stop(&mut self, trigger: &str) -> u16 {
        let body = json!({ "targetDirectory": "file:///sp", "triggerId": trigger });
        self.code(Method::POST, &format!("/jobs/{JOB}/stop"), Some(body))
    }

    pub(super) fn outcome(&mut self, trigger: &str) -> Value {
        self.get(&format!("/jobs/{JOB}/savepoints/{trigger}"))
    }

    /// Gives the state of every job in the overview, by id.
    pub(super) fn states(&mut self) -> Vec<(String, String)> {
        let overview = self.get("/jobs/overview");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut states: Vec<_> = overview["jobs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|job| (text(&job["jid"]), text(&job["state"])))
            .collect();
        states.sort();
        states
    }

    pub(super) fn state(&mut self) -> String {
        let states = self.states();
        states
            .into_iter()
            .find(|(job, _)| job == JOB)
            .map_or_else(|| "absent".to_owned(), |(_, state)| state)
    }

    /// Lists what the runs were restored from, by checkpoint id.
    pub(super) fn restored(&self) -> Vec<Option<u64>> {
        self.runs
            .iter()
            .map(|run| run.restored.as_ref().map(|restored| restored.checkpoint))
            .collect()
    }
}

fn identity(version: Version, container: u32) -> Identity {
    Identity {
        namespace: "ns".into(),
        cluster: "a".into(),
        deployment: "d1".into(),
        pod: "a-1".into(),
        pod_uid: format!("p{container}"),
        container,
        version,
    }
}

fn usual(extra: &[(&str, &str)]) -> Conf {
    let mut pairs = vec![
        ("$internal.pipeline.job-id", JOB),
        ("pipeline.name", "a"),
        ("execution.checkpointing.interval", "10 s"),
        (
            "execution.checkpointing.externalized-checkpoint-retention",
            "RETAIN_ON_CANCELLATION",
        ),
        ("execution.shutdown-on-application-finish", "false"),
        ("execution.submit-failed-job-on-application-error", "true"),
        ("state.checkpoints.dir", "file:///cp"),
        ("state.savepoints.dir", "file:///sp"),
    ];
    pairs.extend_from_slice(extra);
    Conf::of(pairs)
}

/// Configuration of high availability as the operator writes it.
pub(super) const HA: [(&str, &str); 4] = [
    ("high-availability.type", "kubernetes"),
    ("high-availability.storageDir", "file:///ha"),
    ("job-result-store.delete-on-commit", "false"),
    ("job-result-store.storage-path", "file:///ha/results/1"),
];

/// Adds to the configuration of high availability.
pub(super) fn ha_and<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    HA.iter().chain(more).copied().collect()
}
