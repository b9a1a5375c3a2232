//! What a pass may do to the world, and what came of it.

use crate::fact::Why;
use crate::name::{AttemptId, JobId, ResourceVersion, TriggerId, Uid};
use crate::observed::ChildKind;
use crate::question::{Question, Wanted};
use jiff::Timestamp;
use serde_json::Value;

/// One act on the world. Effects are data: they compare, and they are carried out in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Adds our finalizer, under the resource's version.
    AddFinalizer,
    /// Removes our finalizer, under the resource's version.
    RemoveFinalizer,
    /// Writes what is settled so far into the status, under the last reply's version.
    SaveStatus,
    /// Removes job graphs from one HA ConfigMap by PUT under its version, so that Flink starts the
    /// job with its new settings and not an old one.
    RemoveGraphs {
        /// The ConfigMap.
        name: String,
        /// Its uid.
        uid: Uid,
        /// The version it was read at.
        resource_version: ResourceVersion,
        /// The keys to remove.
        keys: Vec<String>,
    },
    /// Creates the JobManager Deployment by POST; "already exists" means look.
    CreateDeployment {
        /// The attempt whose annotation the body carries.
        attempt: AttemptId,
        /// The whole object.
        body: Box<Value>,
        /// After this time the request must not be sent any more.
        not_after: Timestamp,
    },
    /// Creates one child of the JobManager Deployment by POST.
    CreateChild {
        /// The kind of the child.
        kind: ChildKind,
        /// The whole object but for its owner.
        body: Box<Value>,
        /// The Deployment that owns it.
        owner: Owner,
        /// After this time the request must not be sent any more.
        not_after: Timestamp,
    },
    /// Deletes a JobManager Deployment in the foreground, by uid, never orphaning.
    DeleteDeployment {
        /// The Deployment's name.
        name: String,
        /// The Deployment's uid, a precondition.
        uid: Uid,
        /// What has to be proven right before.
        because: Deletion,
    },
    /// Deletes one ConfigMap of HA data, by uid and version.
    DeleteHaMap {
        /// The ConfigMap.
        name: String,
        /// Its uid, a precondition.
        uid: Uid,
        /// The version it was read at, a precondition.
        resource_version: ResourceVersion,
    },
    /// Asks Flink to stop a job with a savepoint. Only the same trigger id may be sent again: a second stop under
    /// another one destroys the first.
    StopWithSavepoint {
        /// The job.
        job: JobId,
        /// The id under which it is asked about.
        trigger: TriggerId,
        /// Where the savepoint is to be put.
        directory: String,
        /// Whether windows and timers fire as if the input had ended.
        drain: bool,
        /// How the savepoint is written.
        format: SavepointFormat,
        /// After this time the request must not be sent any more.
        not_after: Timestamp,
    },
    /// Records a savepoint as a `FlinkStateSnapshot` that is complete from the beginning. Its name is fixed, so that
    /// a repeat finds it there.
    RecordSnapshot {
        /// The whole object, with its status.
        body: Box<Value>,
    },
    /// Asks Flink to cancel a job. Repeating it is harmless.
    Cancel {
        /// The job.
        job: JobId,
        /// After this time the request must not be sent any more.
        not_after: Timestamp,
    },
}

/// Why a Deployment is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// Its job ends without keeping state, or has ended.
    Ended,
    /// Its ConfigMap never existed, so that it cannot have run.
    NeverRan,
}

/// How a savepoint is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SavepointFormat {
    /// The same for every state backend.
    Canonical,
    /// That of the state backend in use.
    Native,
}

/// The Deployment that owns a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The one that an earlier effect of the same list creates.
    JustCreated,
    /// One that was seen.
    Seen(Uid),
}

/// What came of an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Applied.
    Done(Receipt),
    /// Surely not applied.
    Refused(Why),
    /// Perhaps applied: leads to looking, never to repeating.
    Unknown(Why),
}

/// What an applied effect returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// Nothing of interest.
    Nothing,
    /// The uid of the object that was created.
    Created(Uid),
}

impl Effect {
    /// Returns what must be asked at the API server, or at Flink, right before this effect.
    pub fn proofs(&self) -> Wanted {
        match self {
            Self::AddFinalizer
            | Self::RemoveGraphs { .. }
            | Self::SaveStatus
            | Self::RecordSnapshot { .. } => Wanted::new(),
            Self::RemoveFinalizer => Wanted::from([Question::Pods]),
            Self::CreateDeployment { .. } => {
                Wanted::from([Question::Pods, Question::Children, Question::Ha])
            }
            Self::CreateChild { .. } => Wanted::from([Question::Children]),
            Self::DeleteDeployment { because, .. } => match because {
                Deletion::Ended => Wanted::new(),
                Deletion::NeverRan => Wanted::from([Question::Children]),
            },
            Self::DeleteHaMap { .. } => Wanted::from([Question::Pods, Question::Ha]),
            Self::StopWithSavepoint { .. } | Self::Cancel { .. } => Wanted::from([Question::Jobs]),
        }
    }

    /// Returns whether the resource's version alone guards the effect, so that it needs no fresh read.
    pub fn is_guarded(&self) -> bool {
        match self {
            Self::AddFinalizer | Self::SaveStatus => true,
            Self::RemoveFinalizer
            | Self::RemoveGraphs { .. }
            | Self::CreateDeployment { .. }
            | Self::CreateChild { .. }
            | Self::DeleteDeployment { .. }
            | Self::DeleteHaMap { .. }
            | Self::StopWithSavepoint { .. }
            | Self::RecordSnapshot { .. }
            | Self::Cancel { .. } => false,
        }
    }

    /// Returns whether the effect is harmless only if our additive status fields are stored before.
    pub fn relies_on_intent(&self) -> bool {
        match self {
            Self::CreateDeployment { .. }
            | Self::CreateChild { .. }
            | Self::DeleteDeployment { .. }
            | Self::StopWithSavepoint { .. }
            | Self::Cancel { .. } => true,
            Self::AddFinalizer
            | Self::RemoveFinalizer
            | Self::SaveStatus
            | Self::RemoveGraphs { .. }
            | Self::RecordSnapshot { .. }
            | Self::DeleteHaMap { .. } => false,
        }
    }

    /// Names the effect in logs and metrics: a closed set.
    pub fn label(&self) -> &'static str {
        match self {
            Self::AddFinalizer => "add-finalizer",
            Self::RemoveFinalizer => "remove-finalizer",
            Self::SaveStatus => "save-status",
            Self::RemoveGraphs { .. } => "remove-graphs",
            Self::CreateDeployment { .. } => "create-deployment",
            Self::CreateChild { .. } => "create-child",
            Self::DeleteDeployment { .. } => "delete-deployment",
            Self::DeleteHaMap { .. } => "delete-ha-map",
            Self::StopWithSavepoint { .. } => "stop-with-savepoint",
            Self::RecordSnapshot { .. } => "record-snapshot",
            Self::Cancel { .. } => "cancel",
        }
    }
}

impl Outcome {
    /// Returns whether the effect was applied for sure.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }
}
