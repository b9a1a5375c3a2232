//! From Flink's words to the core's facts.

use flink_rest::{
    CheckpointStatistics, ClusterConfig, JobExceptions, JobOverview, JobState, UnixMillis,
};
use jiff::Timestamp;
use operator_core::fact::Why;
use operator_core::name::JobId;
use operator_core::observed::{Checkpoint, Checkpoints, FlinkInfo, Job, JobFailure, Trigger};

/// The longest cause of a failure that is passed on, in characters.
const LONGEST_CAUSE: usize = 1500;

/// Converts an entry of the overview. A job is RUNNING only with all its tasks.
pub fn job(entry: &JobOverview) -> Job {
    let all_up = entry.tasks.is_some_and(|tasks| tasks.are_all_up());
    let state = match &entry.state {
        JobState::Running if !all_up => "CREATED".to_owned(),
        state => state.to_string(),
    };
    Job {
        id: JobId::new(entry.jid.to_string()),
        name: entry.name.clone(),
        state,
        start_time: entry.start_time.map_or(0, millis),
    }
}

/// Converts checkpoint statistics; what is discarded or has no path is no restore point.
pub fn checkpoints(statistics: &CheckpointStatistics) -> Checkpoints {
    let latest = &statistics.latest;
    let listed = [&latest.completed, &latest.savepoint]
        .into_iter()
        .flatten()
        .chain(&statistics.history);
    let newest = listed
        .filter(|one| one.restore_path().is_some())
        .max_by_key(|one| one.id);
    let newest_of_all = statistics.history.iter().max_by_key(|one| one.id);
    let completed = statistics.newest_completed().map(|one| one.id);
    let restored = latest.restored.as_ref().map(|restored| restored.id);
    Checkpoints {
        newest: newest.and_then(checkpoint),
        newest_stop: newest_of_all
            .filter(|one| one.is_stop())
            .and_then(checkpoint),
        pending_since: newest_of_all
            .filter(|one| one.status == flink_rest::CheckpointStatus::InProgress)
            .and_then(|one| one.trigger_timestamp)
            .and_then(|at| Timestamp::from_millisecond(millis(at)).ok()),
        highest_id: completed
            .max(restored)
            .and_then(|id| i64::try_from(id).ok()),
        restored_id: latest
            .restored
            .as_ref()
            .and_then(|restored| i64::try_from(restored.id).ok()),
        state_size: latest
            .completed
            .as_ref()
            .and_then(|one| one.state_size)
            .and_then(|size| i64::try_from(size).ok()),
    }
}

/// Converts one that can be restored from.
fn checkpoint(one: &flink_rest::Checkpoint) -> Option<Checkpoint> {
    Some(Checkpoint {
        id: i64::try_from(one.id).ok()?,
        path: one.restore_path()?.to_owned(),
        savepoint: one.is_savepoint,
        at: one.trigger_timestamp.and_then(moment),
    })
}

/// Converts what a cluster says of itself.
pub fn flink_info(config: &ClusterConfig) -> FlinkInfo {
    FlinkInfo {
        version: config.flink_version.clone(),
        revision: config.flink_revision.clone(),
    }
}

/// Finds the cause of a failure: the newest entry, cut to a readable length.
pub fn root_cause(exceptions: &JobExceptions) -> Option<JobFailure> {
    let newest = exceptions.history.entries.first();
    let newest = newest.map(|entry| (entry.stacktrace.as_str(), entry.timestamp));
    let root = exceptions.root_exception.as_deref();
    let (trace, at) = newest
        .or_else(|| Some((root?, exceptions.timestamp)))
        .filter(|(trace, _)| !trace.is_empty())?;
    let innermost = flink_rest::innermost_cause(trace).to_owned();
    let first = trace.lines().next().unwrap_or_default();
    let text = if first.contains(&innermost) {
        first.to_owned()
    } else {
        format!("{first}; caused by: {innermost}")
    };
    Some(JobFailure {
        cause: text.chars().take(LONGEST_CAUSE).collect(),
        at: at.and_then(moment),
    })
}

/// Converts a failed call.
pub fn why(error: &flink_rest::Error) -> Why {
    match error {
        flink_rest::Error::Refused { .. } => Why::Refused,
        flink_rest::Error::TimedOut { .. } => Why::TimedOut,
        flink_rest::Error::Closed { .. } => Why::Closed,
        flink_rest::Error::Status { status, cause, .. } => Why::Status {
            code: status.as_u16(),
            message: cause.clone(),
        },
        flink_rest::Error::TooLarge { .. } | flink_rest::Error::NotUnderstood { .. } => {
            Why::NotUnderstood(error.to_string())
        }
        flink_rest::Error::NotSent { .. } => Why::NotSent(error.to_string()),
    }
}

fn millis(at: UnixMillis) -> i64 {
    at.0
}

fn moment(at: UnixMillis) -> Option<Timestamp> {
    Timestamp::from_millisecond(at.0).ok()
}

/// Converts the state of a savepoint or stop; an id that is not known is an answer, too.
pub fn trigger(
    status: Result<flink_rest::Operation<String>, flink_rest::Error>,
) -> Result<Trigger, Why> {
    match status {
        Ok(flink_rest::Operation::InProgress) => Ok(Trigger::InProgress),
        Ok(flink_rest::Operation::Done(location)) => Ok(Trigger::Completed(location)),
        Ok(flink_rest::Operation::Failed(cause)) => {
            let savepoint = match cause.reason() {
                flink_rest::Reason::StoppedButFailed { path } => Some(path),
                _ => None,
            };
            let cause = cause.innermost().chars().take(LONGEST_CAUSE).collect();
            Ok(Trigger::Failed { cause, savepoint })
        }
        Err(flink_rest::Error::Status {
            reason: flink_rest::Reason::OperationNotFound,
            ..
        }) => Ok(Trigger::NotFound),
        Err(error) => Err(why(&error)),
    }
}
