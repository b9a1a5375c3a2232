//! Standard conditions: what a person or a tool reads to know whether to wait or to act.

use flink_operator_api::{Condition, ConditionStatus};
use jiff::Timestamp;

/// Why a condition has its status: a closed set, so that dashboards and scripts can match on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The job runs with all its tasks.
    JobRunning,
    /// The job has ended by itself.
    JobFinished,
    /// The job has been cancelled.
    JobCanceled,
    /// The job has failed for good.
    JobFailed,
    /// The job is suspended as the spec asks.
    Suspended,
    /// Nothing is going on.
    AtRest,
    /// Objects of a new cluster are being created.
    Deploying,
    /// The JobManager's pod or its REST API is not ready yet.
    WaitingForJobManager,
    /// The JobManager answers; the job does not run with all its tasks yet.
    WaitingForJob,
    /// Flink has been asked to cancel the job.
    CancellingJob,
    /// Flink stops the job with a savepoint.
    StoppingWithSavepoint,
    /// The JobManager Deployment is being deleted.
    DeletingCluster,
    /// Pods of the old cluster are still there.
    WaitingForPods,
    /// Services or ConfigMaps of the old cluster are still there.
    WaitingForCleanup,
    /// A request that may still arrive has to become harmless before the next attempt.
    WaitingForAttempt,
    /// An object of somebody else has a name that the cluster needs.
    NameTaken,
    /// A step needs to carry state over, which this version cannot do yet.
    StatefulUpgradeNotAvailable,
    /// The spec asks for something that this version does not carry out yet.
    NotSupported,
    /// The spec cannot be carried out as it is.
    InvalidSpec,
    /// The pods of the cluster cannot start.
    DeploymentFailed,
    /// No node can take a pod of the cluster.
    Unschedulable,
    /// The JobManager Deployment is gone.
    JobManagerMissing,
    /// The JobManager does not answer.
    JobManagerSilent,
    /// The JobManager answers but does not know the job any more.
    JobNotFound,
    /// The job was restarted from an older state than the newest one known.
    RestoredFromOlderState,
    /// The job could not be stopped with a savepoint; it runs on.
    SavepointFailed,
    /// There is state, and only a person can tell where.
    ManualRestoreRequired,
    /// The API server refused a request.
    RequestRefused,
    /// The installed CRD drops status fields without which nothing is begun.
    CrdOutdated,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 29] = [
        Self::JobRunning,
        Self::JobFinished,
        Self::JobCanceled,
        Self::JobFailed,
        Self::Suspended,
        Self::AtRest,
        Self::Deploying,
        Self::WaitingForJobManager,
        Self::WaitingForJob,
        Self::CancellingJob,
        Self::StoppingWithSavepoint,
        Self::DeletingCluster,
        Self::WaitingForPods,
        Self::WaitingForCleanup,
        Self::WaitingForAttempt,
        Self::NameTaken,
        Self::StatefulUpgradeNotAvailable,
        Self::NotSupported,
        Self::InvalidSpec,
        Self::DeploymentFailed,
        Self::Unschedulable,
        Self::JobManagerMissing,
        Self::JobManagerSilent,
        Self::JobNotFound,
        Self::RestoredFromOlderState,
        Self::SavepointFailed,
        Self::ManualRestoreRequired,
        Self::RequestRefused,
        Self::CrdOutdated,
    ];

    /// Finds a reason by the word that stands in conditions.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// Returns whether what is waited for comes by itself, without a person.
    pub fn is_progress(self) -> bool {
        match self {
            Self::Deploying
            | Self::WaitingForJobManager
            | Self::WaitingForJob
            | Self::CancellingJob
            | Self::StoppingWithSavepoint
            | Self::DeletingCluster
            | Self::WaitingForPods
            | Self::WaitingForCleanup
            | Self::WaitingForAttempt
            | Self::JobManagerSilent
            | Self::Unschedulable => true,
            Self::JobRunning
            | Self::JobFinished
            | Self::JobCanceled
            | Self::JobFailed
            | Self::Suspended
            | Self::AtRest
            | Self::NameTaken
            | Self::JobManagerMissing
            | Self::StatefulUpgradeNotAvailable
            | Self::NotSupported
            | Self::InvalidSpec
            | Self::DeploymentFailed
            | Self::JobNotFound
            | Self::RestoredFromOlderState
            | Self::SavepointFailed
            | Self::ManualRestoreRequired
            | Self::RequestRefused
            | Self::CrdOutdated => false,
        }
    }

    /// Returns the reason as it stands in conditions and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JobRunning => "JobRunning",
            Self::JobFinished => "JobFinished",
            Self::JobCanceled => "JobCanceled",
            Self::JobFailed => "JobFailed",
            Self::Suspended => "Suspended",
            Self::AtRest => "AtRest",
            Self::Deploying => "Deploying",
            Self::WaitingForJobManager => "WaitingForJobManager",
            Self::WaitingForJob => "WaitingForJob",
            Self::CancellingJob => "CancellingJob",
            Self::StoppingWithSavepoint => "StoppingWithSavepoint",
            Self::DeletingCluster => "DeletingCluster",
            Self::WaitingForPods => "WaitingForPods",
            Self::WaitingForCleanup => "WaitingForCleanup",
            Self::WaitingForAttempt => "WaitingForAttempt",
            Self::NameTaken => "NameTaken",
            Self::StatefulUpgradeNotAvailable => "StatefulUpgradeNotAvailable",
            Self::NotSupported => "NotSupported",
            Self::InvalidSpec => "InvalidSpec",
            Self::DeploymentFailed => "DeploymentFailed",
            Self::Unschedulable => "Unschedulable",
            Self::JobManagerMissing => "JobManagerMissing",
            Self::JobManagerSilent => "JobManagerSilent",
            Self::JobNotFound => "JobNotFound",
            Self::RestoredFromOlderState => "RestoredFromOlderState",
            Self::SavepointFailed => "SavepointFailed",
            Self::ManualRestoreRequired => "ManualRestoreRequired",
            Self::RequestRefused => "RequestRefused",
            Self::CrdOutdated => "CrdOutdated",
        }
    }
}

/// A condition before it is compared with the stored one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wished {
    /// The type, such as `Ready`.
    pub type_: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// The reason as it stands in the condition.
    pub reason: String,
    /// A sentence for a person. Holds no ages, so that it does not change by itself.
    pub message: String,
}

/// Merges conditions into the stored list.
///
/// The time of the last transition moves only when the status does; types of others are kept.
pub fn merge(
    stored: &[Condition],
    wished: Vec<Wished>,
    generation: i64,
    now: Timestamp,
) -> Vec<Condition> {
    let mut merged: Vec<Condition> = stored
        .iter()
        .filter(|old| wished.iter().all(|new| new.type_ != old.type_))
        .cloned()
        .collect();
    for new in wished {
        let old = stored.iter().find(|old| old.type_ == new.type_);
        let status = if new.holds {
            ConditionStatus::True
        } else {
            ConditionStatus::False
        };
        let since = old
            .filter(|old| old.status == Some(status))
            .and_then(|old| old.last_transition_time.clone())
            .unwrap_or_else(|| now.to_string());
        merged.push(Condition {
            type_: new.type_.to_owned(),
            status: Some(status),
            reason: Some(new.reason),
            message: Some(new.message),
            last_transition_time: Some(since),
            observed_generation: Some(generation),
        });
    }
    merged.sort_by(|a, b| a.type_.cmp(&b.type_));
    merged
}
