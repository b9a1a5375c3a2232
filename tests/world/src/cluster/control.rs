//! The handle on a simulated cluster: starting it, turning its faults, asking what happened.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use flink_operator_oracle::history::{Call, Run, Snapshot};
use http::Request;
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::kube::Kube;
use super::pod::Role;
use super::settings::{NodePace, Settings, Trouble};
use super::state::State;
use super::wire::{FlinkWire, RestTrouble};
use crate::api::ApiServer;
use crate::flink::files::Files;
use crate::flink::job;
use crate::flink::pace::Pace;
use crate::flink::process::{Ground, JobManager};
use crate::points::Action;

/// Simulated controllers, node and network; clones are the same cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) api: ApiServer,
    state: Mutex<State>,
    rest: Mutex<BTreeMap<(String, String), RestTrouble>>,
    reads: Mutex<Reads>,
    wake: Notify,
}

type ReadHook = Box<dyn FnMut(&ReadPoint) -> Action + Send>;

/// One request to a JobManager that changes nothing, on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadPoint {
    /// Counts the reads of this world from 1.
    pub number: u64,
    /// Which instance sends it.
    pub instance: String,
    /// Path and query as the JobManager sees them.
    pub path: String,
}

#[derive(Default)]
struct Reads {
    count: u64,
    hook: Option<ReadHook>,
}

impl fmt::Debug for Reads {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Reads")
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// Makes a cluster on an API server. It stands still until [`Cluster::run`] runs.
    pub fn new(api: &ApiServer, settings: Settings) -> Self {
        let inner = Inner {
            api: api.clone(),
            state: Mutex::new(State::new(api.clone(), settings)),
            rest: Mutex::default(),
            reads: Mutex::default(),
            wake: Notify::new(),
        };
        let cluster = Self {
            inner: Arc::new(inner),
        };
        let weak = Arc::downgrade(&cluster.inner);
        api.set_proxy(move |call| {
            let inner = weak.upgrade();
            Box::pin(
                async move { FlinkWire::proxied(inner.map(|inner| Self { inner }), call).await },
            )
        });
        cluster
    }

    /// Makes a cluster and runs it as a task until the runtime ends.
    pub fn start(api: &ApiServer, settings: Settings) -> Self {
        let cluster = Self::new(api, settings);
        tokio::spawn(cluster.clone().run());
        cluster
    }

    /// Follows the API server until dropped.
    pub async fn run(self) {
        let mut changes = self.inner.api.subscribe();
        loop {
            while changes.try_next().is_some() {}
            let next = self.state().step();
            let now = self.inner.api.clock().now();
            let due =
                next.map(|next| Duration::try_from(next.duration_since(now)).unwrap_or_default());
            tokio::select! {
                biased;
                () = self.inner.wake.notified() => {}
                _ = changes.next() => {}
                () = sleep(due.unwrap_or_default()), if due.is_some() => {}
            }
        }
    }

    /// Gives the way of one operator instance to JobManagers. It shares the line of the instance's wire to the API
    /// server: who is cut off is cut off from both.
    pub fn wire(&self, instance: &str) -> FlinkWire {
        FlinkWire::new(self, instance)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.inner
            .state
            .lock()
            .expect("nothing panics while the cluster takes a step")
    }

    pub(super) fn wake(&self) {
        self.inner.wake.notify_one();
    }

    /// Sets who decides what becomes of reads. They are not crash points and have numbers of their own: a lost read
    /// leaves nothing behind, but what an instance then believes is worth a plan.
    pub fn on_read(&self, hook: impl FnMut(&ReadPoint) -> Action + Send + 'static) {
        self.reads().hook = Some(Box::new(hook));
    }

    /// Tells how many reads have been sent so far.
    pub fn read_count(&self) -> u64 {
        self.reads().count
    }

    fn reads(&self) -> MutexGuard<'_, Reads> {
        self.inner
            .reads
            .lock()
            .expect("no hook panics while a read passes")
    }

    pub(super) fn pass_read(&self, instance: &str, path: String) -> Action {
        let mut reads = self.reads();
        reads.count += 1;
        let point = ReadPoint {
            number: reads.count,
            instance: instance.to_owned(),
            path,
        };
        reads
            .hook
            .as_mut()
            .map(|hook| hook(&point))
            .unwrap_or_default()
    }

    pub(super) fn rest_trouble_of(&self, namespace: &str, cluster: &str) -> Option<RestTrouble> {
        let troubles = self
            .inner
            .rest
            .lock()
            .expect("nothing panics while troubles are looked up");
        troubles
            .get(&(namespace.to_owned(), cluster.to_owned()))
            .cloned()
    }

    /// Changes how fast Flink works, for processes that start from now on.
    pub fn set_flink_pace(&self, pace: Pace) {
        self.state().settings.flink = pace;
    }

    /// Changes how fast controllers and kubelet work.
    pub fn set_node_pace(&self, pace: NodePace) {
        self.state().settings.node = pace;
    }

    /// Gives the pods of a cluster a trouble, or ends it; pods that have started already keep theirs.
    pub fn set_trouble(&self, namespace: &str, cluster: &str, trouble: Option<Trouble>) {
        let key = (namespace.to_owned(), cluster.to_owned());
        let mut state = self.state();
        match trouble {
            Some(trouble) => state.settings.troubles.insert(key, trouble),
            None => state.settings.troubles.remove(&key),
        };
        drop(state);
        self.wake();
    }

    /// Gives the REST endpoint of a cluster a trouble, or ends it.
    pub fn set_rest_trouble(&self, namespace: &str, cluster: &str, trouble: Option<RestTrouble>) {
        let key = (namespace.to_owned(), cluster.to_owned());
        let mut troubles = self
            .inner
            .rest
            .lock()
            .expect("nothing panics while troubles are set");
        match trouble {
            Some(trouble) => troubles.insert(key, trouble),
            None => troubles.remove(&key),
        };
    }

    /// Does something with every JobManager process of a cluster; gives the results.
    pub fn with_job_managers<T>(
        &self,
        namespace: &str,
        cluster: &str,
        mut act: impl FnMut(&mut JobManager, &mut Ground<'_>) -> T,
    ) -> Vec<T> {
        let results = {
            let mut state = self.state();
            let mut kube = Kube::new(&self.inner.api, state.clock.now());
            let of_cluster = |pod: &&super::pod::Pod| {
                pod.namespace == namespace && pod.app == cluster && pod.role == Role::JobManager
            };
            let uids: Vec<String> = state
                .pods
                .values()
                .filter(of_cluster)
                .map(|pod| pod.uid.clone())
                .collect();
            let act_on = |uid: String| {
                state.with_process(&uid, &mut kube, |process, ground| act(process, ground))
            };
            uids.into_iter().filter_map(act_on).collect()
        };
        self.wake();
        results
    }

    /// Kills the JobManager container of a cluster as SIGKILL does; the kubelet starts it again.
    pub fn kill_job_manager(&self, namespace: &str, cluster: &str) {
        self.with_job_managers(namespace, cluster, |process, ground| {
            process.exit(137, ground);
        });
    }

    /// Stops the JobManager process of a cluster for a while, as SIGSTOP or a very long pause does.
    pub fn freeze_job_manager(&self, namespace: &str, cluster: &str) {
        self.with_job_managers(namespace, cluster, JobManager::freeze);
    }

    /// Lets a stopped JobManager go on.
    pub fn thaw_job_manager(&self, namespace: &str, cluster: &str) {
        self.with_job_managers(namespace, cluster, JobManager::thaw);
    }

    /// Loses the node of a cluster's pods, or finds it again. Meanwhile deleted pods stay, marked, and their processes
    /// go on.
    pub fn lose_node(&self, namespace: &str, cluster: &str, lost: bool) {
        let key = (namespace.to_owned(), cluster.to_owned());
        let mut state = self.state();
        if lost {
            state.lost_nodes.insert(key);
        } else {
            state.lost_nodes.remove(&key);
            let of_cluster =
                |pod: &&mut super::pod::Pod| pod.namespace == namespace && pod.app == cluster;
            state
                .pods
                .values_mut()
                .filter(of_cluster)
                .for_each(|pod| pod.stopping = None);
        }
        drop(state);
        self.wake();
    }

    /// Deletes the TaskManager pods of a cluster with no grace, as the loss of their node does.
    pub fn kill_task_managers(&self, namespace: &str, cluster: &str) {
        let names: Vec<(String, String)> = {
            let state = self.state();
            let lost = state.pods.values().filter(|pod| {
                pod.namespace == namespace && pod.app == cluster && pod.role == Role::TaskManager
            });
            lost.map(|pod| (pod.name.clone(), pod.uid.clone()))
                .collect()
        };
        let mut kube = Kube::new(&self.inner.api, self.inner.api.clock().now());
        for (name, uid) in names {
            kube.remove_pod(namespace, &name, &uid);
        }
    }

    /// Lets the jobs of a cluster end by themselves.
    pub fn finish_jobs(&self, namespace: &str, cluster: &str) {
        self.on_jobs(namespace, cluster, |process, index, ground| {
            process.end_job(index, flink_operator_oracle::history::End::Finished, ground);
        });
    }

    /// Lets the jobs of a cluster fail for good.
    pub fn fail_jobs(&self, namespace: &str, cluster: &str, message: &str) {
        self.on_jobs(namespace, cluster, |process, index, ground| {
            process.fail_job(index, message, ground);
        });
    }

    /// Lets a task of each job of a cluster fail.
    pub fn fail_tasks(&self, namespace: &str, cluster: &str, message: &str) {
        self.on_jobs(namespace, cluster, |process, index, ground| {
            process.fail_task(index, message, ground);
        });
    }

    /// Lets the JobManagers of a cluster forget the results of all operations, as they do after some minutes.
    pub fn forget_results(&self, namespace: &str, cluster: &str) {
        self.with_job_managers(namespace, cluster, |process, _| process.forget_results());
    }

    /// Stops the jobs of a cluster with a savepoint under a trigger id, as a user with curl does; gives the replies.
    pub fn stop_jobs(
        &self,
        namespace: &str,
        cluster: &str,
        trigger: &str,
        directory: &str,
    ) -> Vec<http::StatusCode> {
        let body = json!({ "targetDirectory": directory, "triggerId": trigger }).to_string();
        let replies = self.with_job_managers(namespace, cluster, |process, ground| {
            let jobs: Vec<String> = process
                .jobs
                .iter()
                .map(|job| job.graph.job.clone())
                .collect();
            let stop = |job: String| {
                let request = Request::post(format!("/jobs/{job}/stop"));
                let request = request.body(body.clone().into());
                let request = request.expect("a job id makes a path");
                Some(process.answer(&request, ground)?.code)
            };
            jobs.into_iter().filter_map(stop).collect::<Vec<_>>()
        });
        replies.into_iter().flatten().collect()
    }

    fn on_jobs(
        &self,
        namespace: &str,
        cluster: &str,
        act: impl Fn(&mut JobManager, usize, &mut Ground<'_>),
    ) {
        self.with_job_managers(namespace, cluster, |process, ground| {
            for index in 0..process.jobs.len() {
                act(process, index, ground);
            }
        });
    }

    /// Lists the jobs that the JobManagers of a cluster know now: id and state.
    pub fn jobs(&self, namespace: &str, cluster: &str) -> Vec<(String, job::State)> {
        let state = self.state();
        let of_cluster = state
            .pods
            .values()
            .filter(|pod| pod.namespace == namespace && pod.app == cluster);
        let processes = of_cluster.filter_map(|pod| pod.process.as_ref());
        let jobs = processes.flat_map(|process| &process.jobs);
        jobs.map(|job| (job.graph.job.clone(), job.state)).collect()
    }

    /// Changes the shared storage: what can be read and written, what is there.
    pub fn with_files<T>(&self, change: impl FnOnce(&mut Files) -> T) -> T {
        change(&mut self.state().files)
    }

    /// Lists all runs so far, as they stand.
    pub fn runs(&self) -> Vec<Run> {
        let state = self.state();
        let mut runs = state.runs.clone();
        let now: Timestamp = state.clock.now();
        // The progress of live runs is known to their processes only.
        for process in state.pods.values().filter_map(|pod| pod.process.as_ref()) {
            for job in &process.jobs {
                if let Some(run) = job.run {
                    runs[run].progress = job.progress(now);
                }
            }
        }
        runs
    }

    /// Lists all checkpoints and savepoints so far.
    pub fn snapshots(&self) -> Vec<Snapshot> {
        self.state().files.snapshots.clone()
    }

    /// Lists all calls of operator instances to JobManagers so far.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }
}
