//! One job as its JobManager sees it: states, times, checkpoints, asynchronous operations.
//!
//! This is bookkeeping; what makes a job move is in `process` and its neighbours.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::checkpoints::Coordinator;
use super::files::Graph;

/// State of a job as Flink names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Registered; state is being found and read.
    Initializing,
    /// Accepted, nothing scheduled yet.
    Created,
    /// Scheduled; says nothing about its tasks.
    Running,
    /// Going down after a failure that cannot be recovered from.
    Failing,
    /// Ended by a failure.
    Failed,
    /// Being cancelled.
    Cancelling,
    /// Cancelled.
    Canceled,
    /// Ended by itself or by a stop.
    Finished,
    /// Waiting to be started again after a failure.
    Restarting,
}

impl State {
    /// Lists all states.
    pub const ALL: [Self; 9] = [
        Self::Initializing,
        Self::Created,
        Self::Running,
        Self::Failing,
        Self::Failed,
        Self::Cancelling,
        Self::Canceled,
        Self::Finished,
        Self::Restarting,
    ];

    /// Gives the name in REST replies.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Initializing => "INITIALIZING",
            Self::Created => "CREATED",
            Self::Running => "RUNNING",
            Self::Failing => "FAILING",
            Self::Failed => "FAILED",
            Self::Cancelling => "CANCELLING",
            Self::Canceled => "CANCELED",
            Self::Finished => "FINISHED",
            Self::Restarting => "RESTARTING",
        }
    }

    /// Tells whether the state is final.
    pub const fn terminal(self) -> bool {
        match self {
            Self::Failed | Self::Canceled | Self::Finished => true,
            Self::Initializing
            | Self::Created
            | Self::Running
            | Self::Failing
            | Self::Cancelling
            | Self::Restarting => false,
        }
    }
}

/// Where the tasks of a job stand; all of them alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tasks {
    /// Not made yet.
    None,
    /// Waiting for slots.
    Scheduled,
    /// Being sent to TaskManagers.
    Deploying,
    /// At work.
    Running,
    /// Gone with their TaskManagers, which is not noticed yet.
    Lost,
    /// Ended together with the job.
    Ended,
}

impl Tasks {
    /// Tells whether they are with TaskManagers, and are lost with them.
    pub const fn sent(self) -> bool {
        match self {
            Self::Deploying | Self::Running => true,
            Self::None | Self::Scheduled | Self::Lost | Self::Ended => false,
        }
    }
}

/// What an asynchronous operation was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A savepoint, the job goes on.
    Savepoint,
    /// A savepoint, after which the job is cancelled.
    SavepointAndCancel,
    /// A stop with savepoint.
    Stop,
    /// A checkpoint out of turn.
    Checkpoint,
}

impl Purpose {
    /// Tells whether the operation ends the job.
    pub const fn ends_job(self) -> bool {
        match self {
            Self::Stop | Self::SavepointAndCancel => true,
            Self::Savepoint | Self::Checkpoint => false,
        }
    }
}

/// Where an asynchronous operation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not decided yet.
    Pending,
    /// Succeeded: path of the savepoint, or empty for a checkpoint.
    Done(String),
    /// Failed with an innermost message.
    Failed(String),
}

/// An asynchronous operation under its trigger id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What was asked.
    pub purpose: Purpose,
    /// Target directory.
    pub directory: String,
    /// The checkpoint id that it uses, once it has one.
    pub checkpoint: Option<u64>,
    /// Where the savepoint is being written.
    pub path: Option<String>,
    /// Where it stands.
    pub progress: Progress,
    /// When it was decided; results are forgotten some time after.
    pub decided: Option<Timestamp>,
}

/// A failure in the job's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// When.
    pub at: Timestamp,
    /// Exception class.
    pub class: String,
    /// Message.
    pub message: String,
    /// Name of the failing task, if it was one.
    pub task: Option<String>,
}

/// One job of a JobManager.
#[derive(Clone, Debug)]
pub struct Job {
    /// What was submitted.
    pub graph: Graph,
    /// State.
    pub state: State,
    /// Counts turns in the job's life: agenda entries of earlier ones are void.
    pub epoch: u32,
    /// Counts starts within this process after the first.
    pub restarts: u32,
    /// When it was registered in this process: `start-time`.
    pub start: Timestamp,
    /// When it ended.
    pub end: Option<Timestamp>,
    /// When each state was last entered.
    pub stamps: BTreeMap<State, Timestamp>,
    /// Where its tasks stand.
    pub tasks: Tasks,
    /// Since when its tasks have been at work.
    pub working: Option<Timestamp>,
    /// How far its state had come when the tasks began to work.
    pub base: u64,
    /// Index of the current run in the ledger.
    pub run: Option<usize>,
    /// Checkpoints and savepoints.
    pub coordinator: Coordinator,
    /// Asynchronous operations by trigger id.
    pub operations: BTreeMap<String, Operation>,
    /// Failures, oldest first.
    pub problems: Vec<Problem>,
    /// A record that stands for a failed `main` or an earlier end: there are no statistics.
    pub placeholder: bool,
}

impl Job {
    /// Registers a job.
    pub fn new(graph: Graph, now: Timestamp) -> Self {
        Self {
            graph,
            state: State::Initializing,
            epoch: 0,
            restarts: 0,
            start: now,
            end: None,
            stamps: BTreeMap::from([(State::Initializing, now)]),
            tasks: Tasks::None,
            working: None,
            base: 0,
            run: None,
            coordinator: Coordinator::default(),
            operations: BTreeMap::new(),
            problems: Vec::new(),
            placeholder: false,
        }
    }

    /// Makes a record of an ended job that never ran in this process.
    pub fn record(graph: Graph, state: State, at: Timestamp) -> Self {
        let mut job = Self::new(graph, at);
        job.enter(state, at);
        job.end = Some(at);
        job.placeholder = true;
        job
    }

    /// Enters a state.
    pub fn enter(&mut self, state: State, now: Timestamp) {
        self.state = state;
        self.stamps.insert(state, now);
    }

    /// Tells how far the state has come, in milliseconds of work.
    pub fn progress(&self, now: Timestamp) -> u64 {
        let worked = self
            .working
            .map_or(SignedDuration::ZERO, |since| now.duration_since(since));
        self.base + u64::try_from(worked.as_millis()).unwrap_or(0)
    }

    /// Decides all pending operations as failed; gives the directories in which their savepoints were begun.
    pub fn fail_pending(&mut self, message: &str, now: Timestamp) -> Vec<String> {
        let mut begun = Vec::new();
        for operation in self.operations.values_mut() {
            if operation.progress == Progress::Pending {
                operation.progress = Progress::Failed(message.to_owned());
                operation.decided = Some(now);
                begun.extend(operation.path.clone());
                if let Some(id) = operation.checkpoint {
                    self.coordinator.fail(id, message, now);
                }
            }
        }
        begun
    }

    /// Gives the trigger id of a pending operation of some kind.
    pub fn pending(&self, matches: impl Fn(Purpose) -> bool) -> Option<&str> {
        let mut all = self.operations.iter();
        all.find(|(_, o)| o.progress == Progress::Pending && matches(o.purpose))
            .map(|(id, _)| id.as_str())
    }
}
