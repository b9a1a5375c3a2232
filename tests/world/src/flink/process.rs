//! One JobManager process, from the start of its container to its end.
//!
//! A pure state machine: it is told the time and what it can see (`Ground`), and leaves its wishes there.
//! `running` moves its jobs, `snapshots` takes their checkpoints and savepoints, `rest` answers requests.

use std::collections::{BTreeMap, BTreeSet};

use flink_operator_oracle::history::{End, Moment, Run};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::conf::Conf;
use super::files::{Files, Graph, Lease, Written};
use super::ha::{HaMaps, Layout};
use super::job::{Job, Progress, State};
use super::pace::Pace;
use super::program::Program;
use super::version::Version;

/// Who a process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Namespace.
    pub namespace: String,
    /// Cluster id.
    pub cluster: String,
    /// Uid of the Deployment that owns the pod.
    pub deployment: String,
    /// Name of the pod.
    pub pod: String,
    /// Uid of the pod.
    pub pod_uid: String,
    /// Restart count of the container.
    pub container: u32,
    /// Flink version of the image.
    pub version: Version,
}

/// A TaskManager pod that belongs to the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Pod name.
    pub name: String,
    /// Since when its container has been running.
    pub running: Option<Timestamp>,
}

/// What a process wants done outside itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Create a TaskManager pod.
    StartWorker(String),
    /// Delete idle TaskManager pods.
    StopWorkers,
    /// Delete the Deployment of the cluster.
    DeleteDeployment,
    /// The process has ended with this code.
    Exit(i32),
}

/// What a process sees and may touch during one step.
pub struct Ground<'a> {
    /// Virtual time.
    pub now: Timestamp,
    /// Draws the next place in the order of the world.
    pub order: &'a mut dyn FnMut() -> u64,
    /// The cluster's HA ConfigMaps.
    pub maps: &'a mut HaMaps,
    /// Shared storage.
    pub files: &'a mut Files,
    /// The ledger of runs.
    pub runs: &'a mut Vec<Run>,
    /// The cluster's TaskManager pods.
    pub workers: &'a [Worker],
    /// Wishes, in order.
    pub demands: &'a mut Vec<Demand>,
}

impl Ground<'_> {
    /// Gives the present moment, later than all given before.
    pub fn moment(&mut self) -> Moment {
        Moment::new((self.order)(), self.now)
    }
}

/// Where a process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The port is not bound: connections are refused.
    Starting,
    /// REST answers 503.
    Electing,
    /// REST answers.
    Leading {
        /// Since when.
        since: Timestamp,
    },
    /// The process is gone.
    Ended,
}

/// Something that will happen by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The port is bound.
    Listen,
    /// Another try to become leader.
    Elect,
    /// `main` returns, or throws.
    MainDone,
    /// The clean-up of an ended job is done.
    CleanedUp(String),
    /// Idle TaskManagers are given back.
    ReleaseWorkers,
    /// The cluster shuts itself down.
    Shutdown(i32),
    /// Nothing but a reason to look again.
    Look,
    /// Something about a job, void if the job was started again meanwhile.
    Job {
        job: String,
        epoch: u32,
        what: Happening,
    },
}

/// Something that will happen to a job by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    /// State is found and read.
    Initialized,
    /// All tasks run.
    TasksUp,
    /// The next periodic checkpoint is due.
    CheckpointDue,
    /// A checkpoint completes.
    CheckpointDone(u64),
    /// A savepoint under a trigger id completes.
    OperationDone(String),
    /// All tasks have stopped after a cancel.
    Canceled,
    /// The job is started again.
    Restart,
    /// The program's work is done.
    FinishDue,
    /// The program lets a task fail.
    FailDue,
}

/// One JobManager process.
#[derive(Debug)]
pub struct JobManager {
    /// Who it is.
    pub who: Identity,
    /// Its configuration, as mounted when it started.
    pub conf: Conf,
    /// How long things take.
    pub pace: Pace,
    /// The user's program.
    pub program: Program,
    /// Where it stands.
    pub phase: Phase,
    /// Its jobs, in order of registration.
    pub jobs: Vec<Job>,
    /// A stopped process does nothing, but its TaskManagers go on.
    pub frozen: bool,
    pub(super) agenda: BTreeMap<(Timestamp, u64), Event>,
    pub(super) scheduled: u64,
    pub(super) layout: Layout,
    pub(super) requested: BTreeMap<String, Timestamp>,
    pub(super) workers_asked: u32,
    pub(super) caches: BTreeMap<(String, &'static str), (Timestamp, Value)>,
    pub(super) answered: usize,
    pub(super) ending: BTreeSet<String>,
    pub(super) strays: BTreeMap<(String, String), Timestamp>,
    pub(super) disposals: BTreeMap<String, Progress>,
}

impl JobManager {
    /// Starts a process.
    pub fn boot(who: Identity, conf: Conf, pace: Pace, now: Timestamp) -> Self {
        let layout = Layout {
            cluster: who.cluster.clone(),
            version: who.version,
        };
        let program = Program::of(&conf);
        let mut process = Self {
            who,
            conf,
            pace,
            program,
            phase: Phase::Starting,
            jobs: Vec::new(),
            frozen: false,
            agenda: BTreeMap::new(),
            scheduled: 0,
            layout,
            requested: BTreeMap::new(),
            workers_asked: 0,
            caches: BTreeMap::new(),
            answered: 0,
            ending: BTreeSet::new(),
            strays: BTreeMap::new(),
            disposals: BTreeMap::new(),
        };
        process.schedule(now + pace.listen, Event::Listen);
        process
    }

    /// Tells when something happens next by itself.
    pub fn next(&self) -> Option<Timestamp> {
        if self.frozen || self.phase == Phase::Ended {
            return None;
        }
        self.agenda.keys().next().map(|(at, _)| *at)
    }

    /// Lets everything happen that is due.
    pub fn advance(&mut self, ground: &mut Ground<'_>) {
        if self.frozen {
            self.notice_lost_tasks(ground);
            return;
        }
        while self.phase != Phase::Ended {
            let due = self
                .agenda
                .first_entry()
                .filter(|entry| entry.key().0 <= ground.now);
            let Some(entry) = due else { break };
            let event = entry.remove();
            self.happen(event, ground);
        }
        if matches!(self.phase, Phase::Leading { .. }) {
            self.watch_ha_maps(ground);
            self.tend_workers(ground);
        }
    }

    pub(super) fn schedule(&mut self, at: Timestamp, event: Event) {
        self.scheduled += 1;
        self.agenda.insert((at, self.scheduled), event);
    }

    pub(super) fn schedule_job(&mut self, at: Timestamp, index: usize, what: Happening) {
        let job = &self.jobs[index];
        let event = Event::Job {
            job: job.graph.job.clone(),
            epoch: job.epoch,
            what,
        };
        self.schedule(at, event);
    }

    fn happen(&mut self, event: Event, ground: &mut Ground<'_>) {
        match event {
            Event::Listen => {
                self.phase = Phase::Electing;
                self.schedule(ground.now + self.pace.election, Event::Elect);
            }
            Event::Elect => self.try_to_lead(ground),
            Event::MainDone => self.submit(ground),
            Event::CleanedUp(job) => self.commit_result(&job, ground),
            Event::ReleaseWorkers => {
                if self.jobs.iter().all(|job| job.state.terminal()) {
                    ground.demands.push(Demand::StopWorkers);
                }
            }
            Event::Shutdown(code) => {
                if self.shuts_down_cluster() {
                    ground.demands.push(Demand::DeleteDeployment);
                }
                self.exit(code, ground);
            }
            Event::Look => {}
            Event::Job { job, epoch, what } => {
                let index = self
                    .jobs
                    .iter()
                    .position(|candidate| candidate.graph.job == job);
                if let Some(index) = index.filter(|index| self.jobs[*index].epoch == epoch) {
                    self.happen_to_job(index, what, ground);
                }
            }
        }
    }

    /// Gives the key under which the cluster's lease is kept.
    fn lease_key(&self) -> String {
        format!("{}/{}", self.who.namespace, self.who.cluster)
    }

    /// Gives the name under which this process holds leases.
    pub(super) fn holder(&self) -> String {
        format!("{}-{}", self.who.pod_uid, self.who.container)
    }

    pub(super) fn highly_available(&self) -> bool {
        self.conf.high_availability()
    }

    fn try_to_lead(&mut self, ground: &mut Ground<'_>) {
        if self.highly_available() {
            let key = self.lease_key();
            let free_at = match ground.files.leases.get(&key) {
                None => None,
                Some(lease) if lease.holder == self.holder() => None,
                Some(Lease {
                    until: Some(until), ..
                }) => Some(*until).filter(|until| *until > ground.now),
                // Its holder lives: look again after a retry period.
                Some(Lease { until: None, .. }) => Some(ground.now + SignedDuration::from_secs(5)),
            };
            if let Some(at) = free_at {
                self.schedule(at, Event::Elect);
                return;
            }
            ground.files.leases.insert(
                key,
                Lease {
                    holder: self.holder(),
                    until: None,
                },
            );
            self.layout.elect(ground.maps, &self.holder(), ground.now);
        }
        self.phase = Phase::Leading { since: ground.now };
        let main = self.program.main.unwrap_or(self.pace.main);
        self.schedule(ground.now + main, Event::MainDone);
        self.recover(ground);
    }

    /// Starts the jobs whose graphs are in the HA maps, whatever the configuration says now.
    fn recover(&mut self, ground: &mut Ground<'_>) {
        if !self.highly_available() {
            return;
        }
        if self.who.version.has_result_store() && self.results_torn(ground) {
            self.exit(1, ground);
            return;
        }
        for (job, value) in self.layout.graphs(ground.maps) {
            if self.result(&job, ground).is_some() {
                continue;
            }
            let Some(graph) = ground.files.graph(&value).cloned() else {
                self.exit(239, ground);
                return;
            };
            self.register(graph, true, ground);
        }
    }

    fn results_torn(&self, ground: &Ground<'_>) -> bool {
        let prefix = format!("{}/", self.result_directory());
        ground
            .files
            .results
            .iter()
            .any(|(file, o)| file.starts_with(&prefix) && o.written == Written::Torn)
    }

    /// Gives the directory of the job result store.
    pub(super) fn result_directory(&self) -> String {
        let storage = self
            .conf
            .text("high-availability.storageDir")
            .unwrap_or("file:///ha");
        self.conf.text("job-result-store.storage-path").map_or_else(
            || format!("{storage}/job-result-store/{}", self.who.cluster),
            str::to_owned,
        )
    }

    /// Finds how a job ended in an earlier process, if that is remembered.
    pub(super) fn result(
        &self,
        job: &str,
        ground: &Ground<'_>,
    ) -> Option<(End, Written, Timestamp)> {
        if !self.highly_available() || !self.who.version.has_result_store() {
            return None;
        }
        let file = format!("{}/{job}.json", self.result_directory());
        ground
            .files
            .results
            .get(&file)
            .map(|outcome| (outcome.end, outcome.written, outcome.at))
    }

    /// `main` has returned: its job is submitted, unless there is a reason not to.
    fn submit(&mut self, ground: &mut Ground<'_>) {
        let graph = self.graph(ground);
        if self.program.fails_in_main {
            self.main_failed("org.apache.flink.client.program.ProgramInvocationException: The main method caused an error", graph, ground);
            return;
        }
        if let Some((end, written, at)) = self.result(&graph.job, ground) {
            if written == Written::Dirty {
                if self.who.version.survives_failed_start() {
                    self.jobs
                        .push(Job::record(graph.clone(), state_of(end), at));
                }
                self.commit_result(&graph.job, ground);
            }
            return;
        }
        if self.jobs.iter().any(|job| job.graph.job == graph.job) {
            return;
        }
        if !self.jobs.is_empty() && self.who.version.refuses_foreign_jobs() {
            for index in 0..self.jobs.len() {
                self.fail_job(
                    index,
                    "Base job ID is not found in the recovered jobs",
                    ground,
                );
            }
            let mut driver = Job::record(graph, State::Failed, ground.now);
            "(application driver)".clone_into(&mut driver.graph.name);
            self.jobs.push(driver);
            return;
        }
        self.register(graph, false, ground);
    }

    /// Builds the graph that `main` submits.
    fn graph(&self, ground: &mut Ground<'_>) -> Graph {
        let job = self.conf.text("$internal.pipeline.job-id").map_or_else(
            || {
                format!(
                    "{}{}{}",
                    ground.files.next_name(),
                    ground.files.next_name(),
                    "00000000"
                )
            },
            str::to_owned,
        );
        Graph {
            job,
            name: self
                .conf
                .text("pipeline.name")
                .unwrap_or("Flink Streaming Job")
                .to_owned(),
            parallelism: self.conf.number("parallelism.default", 1),
            interval: self.conf.duration(&["execution.checkpointing.interval"]),
            savepoint_path: self
                .conf
                .first(&["execution.state-recovery.path", "execution.savepoint.path"])
                .map(str::to_owned),
            arguments: self.program.arguments.clone(),
        }
    }

    fn main_failed(&mut self, message: &str, graph: Graph, ground: &mut Ground<'_>) {
        let records = self
            .conf
            .flag("execution.submit-failed-job-on-application-error", false);
        if records && self.who.version.has_result_store() {
            let mut job = Job::new(graph, ground.now);
            "(application driver)".clone_into(&mut job.graph.name);
            job.placeholder = true;
            self.jobs.push(job);
            let index = self.jobs.len() - 1;
            self.fail_job(index, message, ground);
        } else if !self.who.version.survives_failed_start() {
            self.schedule(ground.now + self.pace.shutdown, Event::Shutdown(2));
        }
    }

    /// Tells whether the end of the application makes the process remove its own cluster.
    pub(super) fn shuts_down_cluster(&self) -> bool {
        self.who.version.always_shuts_down()
            || self
                .conf
                .flag("execution.shutdown-on-application-finish", true)
    }

    /// Stops when somebody has deleted the maps it leads by.
    fn watch_ha_maps(&mut self, ground: &mut Ground<'_>) {
        if !self.highly_available() || !self.ending.is_empty() {
            return;
        }
        let ended = self.who.version.always_shuts_down()
            && self.jobs.iter().all(|job| job.state.terminal());
        if !ended && !ground.maps.0.contains_key(&self.layout.graph_map()) {
            self.exit(1, ground);
        }
    }

    /// Ends the process from within.
    pub(super) fn exit(&mut self, code: i32, ground: &mut Ground<'_>) {
        ground.demands.push(Demand::Exit(code));
        self.die(false, ground);
    }

    /// Ends the process: in good order (SIGTERM), or at once (SIGKILL, a crash).
    pub fn die(&mut self, orderly: bool, ground: &mut Ground<'_>) {
        if self.phase == Phase::Ended {
            return;
        }
        for index in 0..self.jobs.len() {
            self.jobs[index].fail_pending("JobMaster terminated", ground.now);
            self.end_run(index, End::Killed, ground);
        }
        let key = self.lease_key();
        let holds = ground
            .files
            .leases
            .get(&key)
            .is_some_and(|lease| lease.holder == self.holder());
        if holds && matches!(self.phase, Phase::Leading { .. }) {
            if orderly {
                self.layout.resign(ground.maps);
            }
            if orderly && self.who.version.releases_lease() {
                ground.files.leases.remove(&key);
            } else {
                let until = Some(ground.now + self.pace.lease);
                ground.files.leases.insert(
                    key,
                    Lease {
                        holder: self.holder(),
                        until,
                    },
                );
            }
        }
        self.tear_results(ground);
        self.agenda.clear();
        self.phase = Phase::Ended;
    }

    /// Stops the process without ending it (SIGSTOP): its lease runs out, its TaskManagers go on.
    pub fn freeze(&mut self, ground: &mut Ground<'_>) {
        self.frozen = true;
        let key = self.lease_key();
        if let Some(lease) = ground
            .files
            .leases
            .get_mut(&key)
            .filter(|lease| lease.holder == self.holder())
        {
            lease.until = Some(ground.now + self.pace.lease);
        }
    }

    /// Lets a stopped process go on. If somebody else leads meanwhile it gives up its jobs and touches nothing.
    pub fn thaw(&mut self, ground: &mut Ground<'_>) {
        self.frozen = false;
        if !self.highly_available() || self.phase == Phase::Ended {
            return;
        }
        let key = self.lease_key();
        let mine = ground
            .files
            .leases
            .get(&key)
            .is_none_or(|lease| lease.holder == self.holder());
        if mine {
            ground.files.leases.insert(
                key,
                Lease {
                    holder: self.holder(),
                    until: None,
                },
            );
            return;
        }
        for index in 0..self.jobs.len() {
            self.end_run(index, End::Killed, ground);
        }
        self.jobs.clear();
        self.agenda.clear();
        self.phase = Phase::Electing;
        self.schedule(ground.now + SignedDuration::from_secs(5), Event::Elect);
    }
}

/// Gives the state that a result stands for.
fn state_of(end: End) -> State {
    match end {
        End::Finished => State::Finished,
        End::Canceled => State::Canceled,
        End::Failed | End::Killed | End::Restarted => State::Failed,
    }
}
