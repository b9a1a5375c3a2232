//! How an edit carries the state of a job over: upstream's decision list as one total function.
//!
//! The numbers of rows are those of the list in docs/upgrades.md; the first row that matches wins.

use flink_operator_api::{JobManagerDeploymentStatus as JobManager, UpgradeMode};

/// What the choice depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // the columns of a decision table
pub(super) struct Situation {
    /// What the current spec asks for.
    pub mode: UpgradeMode,
    pub job: Job,
    pub job_manager: JobManager,
    /// Whether the edit changes the version of Flink.
    pub version_changed: bool,
    /// Whether a savepoint directory is configured.
    pub savepoint_directory: bool,
    /// `job.upgrade.last-state-fallback.enabled`.
    pub fallback: bool,
    /// `job.upgrade.last-state.job-cancel.enabled`.
    pub cancel_for_last_state: bool,
    /// Whether high availability is on in the deployed spec and in the new one.
    pub ha_in_both: bool,
    pub ha_data: HaData,
    pub known: Known,
    /// Whether the deployed job was started from its last state.
    pub recorded_last_state: bool,
    /// Whether it is proven that the JobManager has never been up.
    pub never_started: bool,
    pub checkpoint: CheckpointAge,
}

/// How the job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    Running,
    /// Flink knows it, and it neither runs with all its tasks nor has ended.
    Unsettled,
    Cancelling,
    Canceled,
    Finished,
    Failed,
    /// Nobody says.
    Unknown,
}

/// Whether metadata of high availability is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HaData {
    Present,
    Absent,
    /// Not looked at yet, or the API server did not say.
    Unknown,
}

/// From where the job can be started without its JobManager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// A path.
    Path,
    /// It has no state.
    Nothing,
    /// Only its metadata of high availability tell.
    LastState,
}

/// How old the newest checkpoint is, as far as an upgrade from the last state asks for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CheckpointAge {
    /// Young enough, or nobody limits it.
    Fine,
    /// Too old, and a new one is on its way.
    Pending,
    /// Too old.
    TooOld,
}

/// The rows of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Row {
    /// 1: no state is kept.
    Stateless,
    /// 2: the job has ended; what it left is known.
    Ended,
    /// 2: the job has ended, and only metadata of high availability could tell what it left.
    EndedWithoutPath,
    /// 3: the job is being cancelled.
    Cancelling,
    /// 4: the job runs and is stopped with a savepoint.
    Savepoint,
    /// 5: the job does not run, and nothing but a savepoint will do.
    WaitsToRun,
    /// 7: another version of Flink: a savepoint in place of the last state.
    VersionSavepoint,
    /// 8: another version of Flink, and the job does not run: it is cancelled.
    VersionCancel,
    /// 9: another version of Flink, and the job can neither be stopped nor be cancelled.
    VersionWaits,
    /// 10: the job runs, and its newest checkpoint is young enough: the last state.
    LastState,
    /// 10: the same by cancelling it.
    CancelRunning,
    /// 10: the newest checkpoint is too old, and another one is on its way.
    WaitsForCheckpoint,
    /// 10: the newest checkpoint is too old: a savepoint.
    TooOldSavepoint,
    /// 11: the job does not run and may be cancelled.
    Cancel,
    /// 13: nobody can say how the job stands; its metadata of high availability are there.
    HaData,
    /// 14: the JobManager has never been up, so that the job is where it was.
    NeverStarted,
    /// 15: the JobManager is gone or broken, and nothing tells where the job was.
    Nowhere,
    /// 16: whatever is going on comes to an end first.
    Waits,
    /// The list cannot be followed further without knowing the metadata of high availability.
    AsksForHaData,
}

impl Job {
    fn is_terminal(self) -> bool {
        match self {
            Self::Canceled | Self::Finished | Self::Failed => true,
            Self::Running | Self::Unsettled | Self::Cancelling | Self::Unknown => false,
        }
    }
}

impl Situation {
    fn job_manager_answers(&self) -> bool {
        self.job_manager == JobManager::Ready
    }

    fn is_cancellable(&self) -> bool {
        self.job_manager_answers() && self.job != Job::Unknown && !self.job.is_terminal()
    }

    /// Cancelling throws metadata of high availability away, so that it is done without them, or if asked for.
    fn may_cancel(&self) -> bool {
        let without = self.ha_data == HaData::Absent || self.cancel_for_last_state;
        self.is_cancellable() && without
    }
}

/// Chooses the row.
pub(super) fn choose(situation: &Situation) -> Row {
    if situation.mode == UpgradeMode::Stateless {
        return Row::Stateless;
    }
    if let Some(row) = ended(situation) {
        return row;
    }
    if situation.job == Job::Cancelling {
        return Row::Cancelling;
    }
    let running = situation.job == Job::Running;
    if situation.mode == UpgradeMode::Savepoint {
        if running {
            return Row::Savepoint;
        }
        if !situation.version_changed && !situation.fallback {
            return otherwise(situation, Row::WaitsToRun);
        }
    }
    last_state(situation)
}

/// Row 2: a job that has ended, and whose end is all that there is.
fn ended(situation: &Situation) -> Option<Row> {
    if !situation.job.is_terminal() {
        return None;
    }
    if situation.job != Job::Canceled && !situation.job_manager_answers() {
        match situation.ha_data {
            HaData::Absent => {}
            HaData::Present => return None,
            HaData::Unknown => return Some(Row::AsksForHaData),
        }
    }
    Some(match situation.known {
        Known::Path | Known::Nothing => Row::Ended,
        Known::LastState => Row::EndedWithoutPath,
    })
}

/// Rows 7 to 13: upgrades from the last state.
fn last_state(situation: &Situation) -> Row {
    let running = situation.job == Job::Running;
    if situation.version_changed {
        if running && situation.savepoint_directory {
            return Row::VersionSavepoint;
        }
        if situation.is_cancellable() {
            return Row::VersionCancel;
        }
        return otherwise(situation, Row::VersionWaits);
    }
    // Without them it may be cancelled: what follows depends on whether they are there.
    if situation.ha_data == HaData::Unknown {
        return Row::AsksForHaData;
    }
    if running {
        return match situation.checkpoint {
            CheckpointAge::Fine if situation.may_cancel() => Row::CancelRunning,
            CheckpointAge::Fine => Row::LastState,
            CheckpointAge::Pending => Row::WaitsForCheckpoint,
            CheckpointAge::TooOld => Row::TooOldSavepoint,
        };
    }
    if situation.may_cancel() {
        return Row::Cancel;
    }
    if situation.ha_in_both && situation.ha_data == HaData::Present {
        return Row::HaData;
    }
    otherwise(situation, Row::Waits)
}

/// Rows 14 to 16, which an application adds where it would wait.
fn otherwise(situation: &Situation, waits: Row) -> Row {
    let gone = matches!(
        situation.job_manager,
        JobManager::Missing | JobManager::Error
    );
    if situation.job_manager != JobManager::Missing
        && !situation.recorded_last_state
        && situation.never_started
    {
        return Row::NeverStarted;
    }
    match situation.ha_data {
        HaData::Unknown if gone => Row::AsksForHaData,
        HaData::Absent if gone => Row::Nowhere,
        HaData::Present | HaData::Absent | HaData::Unknown => waits,
    }
}
