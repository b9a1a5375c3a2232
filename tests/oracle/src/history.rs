//! What happened in a world, as plain data.
//!
//! A world writes these down while it plays; the rules read them afterwards. Nothing here knows how the
//! world works, so the same rules can judge a simulation, a recorded run on a real cluster, or a
//! hand-written case in a unit test.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Places something in the history: before or after everything else, and when.
///
/// `order` comes from one counter for the whole world, because in virtual time many things happen in the
/// same millisecond and only their order tells cause from effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Moment {
    /// Position among all things that happened.
    pub order: u64,
    /// Virtual time.
    pub at: Timestamp,
}

impl Moment {
    /// Makes a moment.
    pub const fn new(order: u64, at: Timestamp) -> Self {
        Self { order, at }
    }
}

/// Records that an object was created, changed or removed, whoever did it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// When.
    pub moment: Moment,
    /// Kind of the object, `Deployment` for example.
    pub kind: String,
    /// Namespace, empty for objects without one.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// The object before; `None` when it was created.
    pub old: Option<Value>,
    /// The object after; `None` when it was removed.
    pub new: Option<Value>,
}

/// Names what a request to the API server asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// Reads one object.
    Get,
    /// Reads many objects.
    List,
    /// Follows changes.
    Watch,
    /// POST.
    Create,
    /// PUT.
    Update,
    /// PATCH of any form.
    Patch,
    /// DELETE of one object.
    Delete,
    /// DELETE of many objects.
    DeleteCollection,
}

impl Verb {
    /// Tells whether the request can change something.
    pub const fn mutates(self) -> bool {
        match self {
            Self::Get | Self::List | Self::Watch => false,
            Self::Create | Self::Update | Self::Patch | Self::Delete | Self::DeleteCollection => {
                true
            }
        }
    }
}

/// Records one request of an operator instance to the API server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// When the server took it up: its effect, if any, is the change that follows.
    pub moment: Moment,
    /// Which operator instance sent it.
    pub instance: String,
    /// What it asks for.
    pub verb: Verb,
    /// Plural of the resource, `deployments` for example.
    pub resource: String,
    /// Subresource, empty for the object itself.
    pub subresource: String,
    /// Namespace, empty for objects without one.
    pub namespace: String,
    /// Name; empty where the server chooses it or for lists.
    pub name: String,
    /// Body as sent.
    pub body: Option<Value>,
    /// Whether the server applied it, whatever reply reached the sender.
    pub applied: bool,
}

/// Records one call of an operator instance to a JobManager.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// When the JobManager took it up.
    pub moment: Moment,
    /// Which operator instance sent it.
    pub instance: String,
    /// Namespace of the cluster that was reached.
    pub namespace: String,
    /// Cluster id, which is the name of the resource.
    pub cluster: String,
    /// HTTP method.
    pub method: String,
    /// Path without any proxy prefix, with its query.
    pub path: String,
    /// Body as sent.
    pub body: Option<Value>,
    /// Status of the reply as sent, 0 if none was sent.
    pub code: u16,
    /// Body of the reply as it was sent, if that was JSON.
    pub reply: Option<Value>,
    /// When the reply reached the sender, if it did.
    pub received: Option<Moment>,
}

/// Says how a run of a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// The job came to its own end, or was stopped with a savepoint.
    Finished,
    /// The job was cancelled.
    Canceled,
    /// The job failed for good.
    Failed,
    /// The process died or was stopped; the job itself has not ended.
    Killed,
    /// The job is started again by the same process.
    Restarted,
}

impl End {
    /// Tells whether the job will never run again by itself.
    pub const fn terminal(self) -> bool {
        match self {
            Self::Finished | Self::Canceled | Self::Failed => true,
            Self::Killed | Self::Restarted => false,
        }
    }
}

/// What a run was restored from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// Path of the snapshot.
    pub path: String,
    /// Its checkpoint id.
    pub checkpoint: u64,
    /// How far the state in it had come.
    pub progress: u64,
    /// Whether Flink found it in HA metadata rather than in `execution.savepoint.path`.
    pub from_ha: bool,
}

/// Records that a job ran, from its registration in one JobManager process to its end there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Namespace of the cluster.
    pub namespace: String,
    /// Cluster id, which is the name of the resource.
    pub cluster: String,
    /// The JobManager Deployment.
    pub deployment: String,
    /// The pod's uid.
    pub pod: String,
    /// Restart count of the container.
    pub container: u32,
    /// The job's id.
    pub job: String,
    /// When the job was registered.
    pub started: Moment,
    /// When its tasks began to work, if they did.
    pub working: Option<Moment>,
    /// When and how it ended, if it did.
    pub ended: Option<(Moment, End)>,
    /// What it was restored from; `None` is an empty start.
    pub restored: Option<Restored>,
    /// How far its state came.
    pub progress: u64,
}

impl Run {
    /// Tells whether tasks of this run were at work right after `moment`.
    pub fn works_at(&self, moment: Moment) -> bool {
        self.working.is_some_and(|from| from <= moment)
            && self.ended.is_none_or(|(end, _)| end > moment)
    }

    /// Tells whether this run existed right after `moment`, at work or not.
    pub fn alive_at(&self, moment: Moment) -> bool {
        self.started <= moment && self.ended.is_none_or(|(end, _)| end > moment)
    }
}

/// Records a completed checkpoint or savepoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Where its metadata is.
    pub path: String,
    /// Namespace of the cluster that wrote it.
    pub namespace: String,
    /// Cluster that wrote it.
    pub cluster: String,
    /// The job that wrote it.
    pub job: String,
    /// Its checkpoint id.
    pub checkpoint: u64,
    /// Whether it is a savepoint.
    pub savepoint: bool,
    /// Whether it is the savepoint of a stop, after which the job ends.
    pub stop: bool,
    /// How far the state had come.
    pub progress: u64,
    /// Index of the run that wrote it in [`History::runs`].
    pub run: usize,
    /// When it was completed.
    pub completed: Moment,
    /// When its files were removed, if they were.
    pub discarded: Option<Moment>,
}

/// How a resource has to be in the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Goal {
    /// STABLE, with exactly one job at work.
    Running,
    /// SUSPENDED, with nothing alive.
    Suspended,
    /// Waiting, with a condition that has this reason.
    Waiting(String),
    /// The job has ended, and status says so in this word.
    Ended(String),
    /// Gone, with all that belonged to it.
    Gone,
    /// Any of these: what is right depends on what was still to be known.
    OneOf(Vec<Goal>),
}

/// From when on nothing disturbs the world any more, and what has to come of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calm {
    /// After the last fault and the last edit.
    pub since: Moment,
    /// By when the operator must have come to rest.
    pub rest_by: Timestamp,
    /// Where each resource has to be then: namespace, name and goal.
    pub goals: Vec<(String, String, Goal)>,
}

/// Everything that happened in a world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Every change of an object, in order.
    pub changes: Vec<Change>,
    /// Every request of an operator instance to the API server, in order.
    pub requests: Vec<Request>,
    /// Every call of an operator instance to a JobManager, in order.
    pub calls: Vec<Call>,
    /// Every run of a job, in order of registration.
    pub runs: Vec<Run>,
    /// Every completed checkpoint and savepoint, in order.
    pub snapshots: Vec<Snapshot>,
    /// Where calm begins, if the plan had an end.
    pub calm: Option<Calm>,
    /// The end of the history.
    pub end: Moment,
}
