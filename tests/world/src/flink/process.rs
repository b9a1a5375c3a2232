//! One JobManager process, from the start of its container to its end.
//!
//! A pure state machine: it is told the time and what it can see (`Ground`), and leaves its wishes there.
//! `running` moves its jobs, `snapshots` takes their checkpoints and savepoints, `rest` answers requests.

use std::collections::{BTreeMap, BTreeSet};

use flink_operator_oracle::history::{Moment, Run};
use jiff::Timestamp;
use serde_json::Value;

use super::conf::Conf;
use super::files::Files;
use super::ha::{HaMaps, Layout};
use super::job::{Job, Progress};
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
    /// HA ConfigMaps that were created without labels get them.
    LabelMaps,
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
    /// The loss of TaskManagers is noticed.
    LossNoticed,
    /// The adaptive scheduler has waited for slots long enough.
    SlotsGivenUp,
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
            self.lose_tasks(ground);
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
            Event::LabelMaps => {
                self.layout.label(ground.maps);
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
}
