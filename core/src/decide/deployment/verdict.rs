//! What came of a stop with savepoint: one total function of what Flink says of the trigger and of the job.
//!
//! That Flink accepted the request proves nothing, and neither does a trigger that it does not know: results live in
//! the JobManager's process and are forgotten after a while.

use crate::observed::Checkpoint;

/// What is known when the result of a stop is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Evidence {
    pub job: Job,
    pub told: Told,
    /// Whether the trigger was asked about when no request of it could arrive any more.
    pub after_window: bool,
    /// What the statistics of the ended job say; they lag behind its end.
    pub left: Left,
    /// What the present run of the job was restored from, if it is another one than that which was to be stopped.
    pub restored: Restored,
    /// Whether a JobManager without the job may still be about to start it.
    pub may_start: bool,
}

/// How the job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// Nobody says.
    Unknown,
    /// The JobManager does not list it.
    Absent,
    /// It has not ended.
    Alive(Run),
    /// It has ended.
    Ended(Run),
}

/// Which run of the job is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Run {
    /// The one that was to be stopped.
    Same,
    /// One that Flink started since.
    Other,
}

/// What Flink says of the trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Nothing,
    InProgress,
    /// The savepoint is there, and the job has ended, well or not.
    SavepointAt(String),
    Failed(String),
    NotFound,
}

/// The newest thing that an ended job left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// The statistics may still be a copy of before the end.
    NotKnownYet,
    /// The savepoint of a stop that is newer than the request.
    Stop(Checkpoint),
    /// Something else.
    Other,
}

/// What another run was restored from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restored {
    NotKnownYet,
    /// The newest checkpoint of the run that was to be stopped, or a newer one.
    Newest,
    /// Something older, or nothing.
    Older,
    /// What the run before it had begun with, or nothing; but that run may have been stopped with a savepoint.
    Nothing,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Looks again.
    Pending(Pending),
    /// The job was stopped, and this is what it left.
    Stopped(String, Option<Checkpoint>),
    /// The job goes on.
    NotStopped(String),
    /// The request was never received, or forgotten with the JobManager: the same one again.
    SendAgain,
    /// The job ended by itself.
    EndedByItself,
    /// Flink runs the job again from older state than the run that was to be stopped had.
    Older,
    /// The result is lost with the process that knew it.
    Lost,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pending {
    /// Flink is at it.
    Savepoint,
    /// A request may still arrive.
    Request,
    /// The JobManager does not answer.
    JobManager,
    /// The statistics of the job catch up with its state.
    Statistics,
    /// The JobManager has been started again and has not listed the job yet.
    JobStarts,
}

/// Judges the evidence.
pub(super) fn judge(evidence: Evidence) -> Verdict {
    let Evidence {
        job,
        told,
        after_window,
        left,
        restored,
        may_start,
    } = evidence;
    let run = match job {
        Job::Unknown => return Verdict::Pending(Pending::JobManager),
        Job::Absent => {
            return match told {
                Told::Nothing => Verdict::Pending(Pending::JobManager),
                Told::InProgress => Verdict::Pending(Pending::Savepoint),
                Told::SavepointAt(path) => Verdict::Stopped(path, None),
                Told::Failed(_) | Told::NotFound if may_start => {
                    Verdict::Pending(Pending::JobStarts)
                }
                Told::Failed(_) | Told::NotFound => Verdict::Lost,
            };
        }
        Job::Alive(run) | Job::Ended(run) => run,
    };
    if run == Run::Other {
        match restored {
            Restored::NotKnownYet => return Verdict::Pending(Pending::Statistics),
            Restored::Older => return Verdict::Older,
            Restored::Nothing => return Verdict::Lost,
            Restored::Newest => {}
        }
    }
    match told {
        Told::Nothing => Verdict::Pending(Pending::JobManager),
        Told::SavepointAt(path) => Verdict::Stopped(path, None),
        Told::InProgress | Told::Failed(_) | Told::NotFound if job == Job::Ended(run) => match left
        {
            Left::NotKnownYet => Verdict::Pending(Pending::Statistics),
            Left::Stop(savepoint) => Verdict::Stopped(savepoint.path.clone(), Some(savepoint)),
            Left::Other => Verdict::EndedByItself,
        },
        Told::InProgress => Verdict::Pending(Pending::Savepoint),
        Told::Failed(cause) => Verdict::NotStopped(cause),
        Told::NotFound if after_window => Verdict::SendAgain,
        Told::NotFound => Verdict::Pending(Pending::Request),
    }
}
