//! Stopping a job with a savepoint: one stored trigger id until it is settled, and nothing of the cluster is touched
//! before path, time and number of the savepoint are stored.

use super::change;
use super::checkpoints;
use super::draft::Draft;
use super::end;
use super::leftovers::{LATE, time};
use super::loss;
use super::refusal;
use super::rest;
use super::snapshots;
use super::verdict::{self, Evidence, Left, Pending, Restored, Run, Told, Verdict};
use super::view::View;
use crate::decision::{Notice, Revisit, Step};
use crate::effect::Effect;
use crate::fact::Fact;
use crate::name::{Ids, JobId, TriggerId};
use crate::observed::{Checkpoint, Job, Trigger as Answer};
use crate::question::{Question, Wanted};
use crate::status::conditions::Reason;
use crate::status::recorded::Recorded;
use flink_operator_api::{
    FlinkJobState, FlinkVersion, JobManagerDeploymentStatus as JobManager, Operation,
    OperationKind, ReconciliationState, RestorePoint, RestorePointKind, Trigger, UpgradeMode,
};
use jiff::{SignedDuration, Timestamp};
use std::str::FromStr;

/// A stop request may be sent for this long.
const WINDOW: SignedDuration = SignedDuration::from_secs(4);
/// How often it is looked how far a stop is, at first.
pub(super) const LOOK: SignedDuration = SignedDuration::from_millis(300);
/// How much longer than the statistics lag their entry for the savepoint may take; its number is not worth more.
const NUMBER_TAKES: SignedDuration = SignedDuration::from_secs(3);
/// How long after its start a job that runs has restored what it restores.
const STARTS_WITHIN: SignedDuration = SignedDuration::from_secs(30);

/// Begins to stop the job, which runs.
pub(super) fn begin(view: &View<'_>, mut draft: Draft, ids: &Ids) -> Step {
    let version = draft
        .recorded
        .as_ref()
        .and_then(|old| old.spec.flink_version);
    if version.is_none_or(|version| version < FlinkVersion::V1_15) {
        change::announce(
            &mut draft,
            Reason::NotSupported,
            "Flink before 1.15 takes no trigger id, so that a stop whose answer is lost could not be found again; the job \
             runs on. Set spec.job.upgradeMode to stateless to apply the edit and start empty, or revert it",
        );
        return rest::observe_again(view, draft);
    }
    let Some(directory) = view.options.savepoints.directory.clone() else {
        change::announce(
            &mut draft,
            Reason::InvalidSpec,
            "there is no directory for the savepoint that the edit needs; set state.savepoints.dir in \
             spec.flinkConfiguration, which counts at once",
        );
        return rest::observe_again(view, draft);
    };
    let Some(job) = listed(view, draft.job_id()) else {
        draft.wait(Reason::WaitingForJob, "waiting for Flink to list the job");
        return rest::observe_again(view, draft);
    };
    let statistics = match &view.observed.answers.checkpoints {
        Fact::NotAsked => return Step::Ask(Wanted::from([Question::Checkpoints(job.id.clone())])),
        Fact::Unknown(_) => {
            draft.wait(
                Reason::JobManagerSilent,
                "waiting for the JobManager to tell the checkpoints of the job before it is stopped",
            );
            return rest::observe_again(view, draft);
        }
        Fact::Known(seen) => &seen.value,
    };
    let trigger = Trigger {
        id: Some(ids.trigger.as_str().to_owned()),
        job: job.id.as_str().to_owned(),
        start_time: Some(job.start_time),
        highest_id: statistics.highest_id,
        asked_at: Some(view.now.to_string()),
        directory: Some(directory),
        path: None,
    };
    let earlier = draft.operation().cloned();
    draft.begin(view, ids, OperationKind::Stop);
    match earlier {
        // Another attempt of the same: how long it has been tried decides how soon it is tried again.
        Some(earlier)
            if refusal::is_failed(&earlier) && earlier.generation == view.meta.generation =>
        {
            if let Some(operation) = draft.status().operation.as_mut() {
                operation.started_at = earlier.started_at;
            }
        }
        Some(_) | None => draft.notice(Notice::normal(
            "JobManagerDeployment",
            "Suspended",
            "Suspending existing deployment.",
        )),
    }
    send(view, draft, trigger)
}

/// Sends the request of a trigger, for the first time or again.
fn send(view: &View<'_>, mut draft: Draft, trigger: Trigger) -> Step {
    let not_after = view.now + WINDOW;
    let effect = Effect::StopWithSavepoint {
        job: JobId::new(&trigger.job),
        trigger: TriggerId::new(trigger.id.clone().unwrap_or_default()),
        directory: trigger.directory.clone().unwrap_or_default(),
        drain: view.options.savepoints.drain,
        format: view.options.savepoints.format,
        not_after,
    };
    pending(view, &mut draft, &trigger, Pending::Savepoint);
    if let Some(operation) = draft.status().operation.as_mut() {
        operation.not_after = Some(not_after.to_string());
        operation.not_before = None;
        operation.trigger = Some(trigger);
    }
    draft.act(view, vec![effect], Revisit::after(LOOK, "stopping"))
}

/// Goes on with a stop that is stored.
pub(super) fn go_on(view: &View<'_>, mut draft: Draft, ids: &Ids) -> Step {
    let Some(operation) = draft.operation().cloned() else {
        return rest::at_rest(view, draft);
    };
    let Some(trigger) = operation.trigger.clone() else {
        return refusal::failed_before(view, draft, ids, &operation);
    };
    if trigger.path.is_some() {
        return stopped(view, draft, ids);
    }
    if change::gives_up(view, &draft) {
        // Whatever comes of the stop: the user does without.
        note_told(view, &mut draft);
        return end::begin(view, draft, ids);
    }
    if draft.job_manager() == JobManager::Missing {
        return loss::cluster_gone(view, draft, &trigger);
    }
    match verdict::judge(evidence(view, &draft, &operation, &trigger)) {
        Verdict::Pending(Pending::JobManager) => loss::untold(view, draft, &trigger),
        Verdict::Pending(what) => {
            pending(view, &mut draft, &trigger, what);
            draft.rest(view, Revisit::after(look(view, &trigger), "stopping"))
        }
        Verdict::Stopped(path, entry) => {
            note_path(view, &mut draft, path, entry.as_ref());
            stopped(view, draft, ids)
        }
        Verdict::NotStopped(cause) => refusal::not_stopped(view, draft, &trigger, &cause),
        // Also if the edit was taken back meanwhile: through a proxy the first request may arrive minutes late, and whoever
        // waits for what comes of it starts the job again.
        Verdict::SendAgain => {
            let job = listed(view, Some(&trigger.job));
            let start_time = job.map(|job| job.start_time).or(trigger.start_time);
            send(
                view,
                draft,
                Trigger {
                    start_time,
                    ..trigger
                },
            )
        }
        Verdict::EndedByItself => {
            draft.status().operation = None;
            checkpoints::note_left(view, &mut draft);
            draft.rest(view, Revisit::now("ended"))
        }
        Verdict::Older => loss::older(view, draft, &trigger),
        Verdict::Lost => loss::lost(view, draft, &trigger),
    }
}

fn listed<'a>(view: &View<'a>, id: Option<&str>) -> Option<&'a Job> {
    let jobs = view.observed.answers.jobs.value()?;
    jobs.iter().find(|job| Some(job.id.as_str()) == id)
}

fn evidence(view: &View<'_>, draft: &Draft, operation: &Operation, trigger: &Trigger) -> Evidence {
    let answers = &view.observed.answers;
    let job = match (&answers.jobs, listed(view, Some(&trigger.job))) {
        (Fact::Unknown(_) | Fact::NotAsked, _) => verdict::Job::Unknown,
        (Fact::Known(_), None) => verdict::Job::Absent,
        (Fact::Known(_), Some(job)) => {
            let run = if Some(job.start_time) == trigger.start_time {
                Run::Same
            } else {
                Run::Other
            };
            let ended =
                FlinkJobState::from_str(&job.state).is_ok_and(FlinkJobState::is_globally_terminal);
            if ended {
                verdict::Job::Ended(run)
            } else {
                verdict::Job::Alive(run)
            }
        }
    };
    let told = match &answers.trigger {
        Fact::Unknown(_) | Fact::NotAsked => Told::Nothing,
        Fact::Known(seen) => match (seen.value.savepoint(), &seen.value) {
            (Some(path), _) => Told::SavepointAt(path.to_owned()),
            (None, Answer::Failed { cause, .. }) => Told::Failed(cause.clone()),
            (None, Answer::InProgress) => Told::InProgress,
            (None, Answer::NotFound | Answer::Completed(_)) => Told::NotFound,
        },
    };
    let asked = match &answers.trigger {
        Fact::Known(seen) => Some(seen.at),
        Fact::Unknown(_) | Fact::NotAsked => None,
    };
    let arrives_until = time(operation.not_after.as_deref()).map(|until| until + LATE);
    Evidence {
        job,
        told,
        after_window: arrives_until.is_none_or(|until| asked.is_some_and(|asked| asked >= until)),
        left: left(view, draft, trigger),
        restored: restored(view, draft, trigger),
        may_start: rest::main_may_run(view),
    }
}

fn left(view: &View<'_>, draft: &Draft, trigger: &Trigger) -> Left {
    let Some(statistics) = checkpoints::of_now(view, draft) else {
        return Left::NotKnownYet;
    };
    let newer = |one: &&Checkpoint| trigger.highest_id.is_none_or(|highest| one.id > highest);
    match statistics.newest_stop.as_ref().filter(newer) {
        Some(savepoint) => Left::Stop(savepoint.clone()),
        None => Left::Other,
    }
}

fn restored(view: &View<'_>, draft: &Draft, trigger: &Trigger) -> Restored {
    let Fact::Known(statistics) = &view.observed.answers.checkpoints else {
        return Restored::NotKnownYet;
    };
    let nothing = match trigger.highest_id {
        Some(_) => Restored::Older,
        None => Restored::Nothing,
    };
    match (statistics.value.restored_id, trigger.highest_id) {
        (Some(id), Some(highest)) if id < highest => Restored::Older,
        // Without high availability Flink goes back to what the job was first started from, whatever came of the stop; and once
        // that is told, the run's own checkpoints, which it may restore later, change nothing.
        (Some(_), _) if !view.options.high_availability => Restored::Nothing,
        (Some(_), None) if draft.stands(Reason::ManualRestoreRequired) => Restored::Nothing,
        (Some(_), _) => Restored::Newest,
        (None, _) if checkpoints::of_now(view, draft).is_some() => nothing,
        // An ended job that runs again changes no state in the status by which its age could be told.
        (None, _) => match listed(view, Some(&trigger.job)) {
            Some(job) if job.state != "INITIALIZING" => {
                let running = view.options.statistics_lag + STARTS_WITHIN;
                let started = Timestamp::from_millisecond(job.start_time).unwrap_or(view.now);
                if statistics.at.duration_since(started) >= running {
                    nothing
                } else {
                    Restored::NotKnownYet
                }
            }
            Some(_) | None => Restored::NotKnownYet,
        },
    }
}

/// Says what is waited for.
pub(super) fn pending(view: &View<'_>, draft: &mut Draft, trigger: &Trigger, what: Pending) {
    let began = draft.operation().map(|operation| &operation.started_at);
    if began != trigger.asked_at.as_ref() {
        // An earlier attempt of the same failed: whether the matter is mended, this one will tell.
        draft.keep(view, &[Reason::SavepointFailed]);
    }
    let since = trigger.asked_at.as_deref().unwrap_or_default();
    let directory = trigger.directory.as_deref().unwrap_or_default();
    let job = &trigger.job;
    let (reason, message) = match what {
        Pending::Savepoint => (
            Reason::StoppingWithSavepoint,
            format!(
                "Flink is stopping job {job} with a savepoint in {directory}, asked for at {since}; until it is complete the job runs on"
            ),
        ),
        Pending::Request => (
            Reason::StoppingWithSavepoint,
            format!(
                "Flink does not know of the stop of job {job}, asked for at {since}; it is asked for again once that request cannot arrive any more"
            ),
        ),
        Pending::JobManager => (
            Reason::JobManagerSilent,
            format!(
                "the JobManager does not say what came of the stop of job {job} with a savepoint, asked for at {since}; waiting for its answer"
            ),
        ),
        Pending::Statistics => (
            Reason::StoppingWithSavepoint,
            format!(
                "waiting for Flink's statistics of job {job}, which lag a few seconds behind its state, to tell what came of the stop asked for at {since}"
            ),
        ),
        Pending::JobStarts => (
            Reason::StoppingWithSavepoint,
            format!(
                "the JobManager was started again during the stop of job {job}, asked for at {since}; waiting whether it lists the job"
            ),
        ),
    };
    draft.wait(reason, message);
}

/// Looks often at first and less often the longer it takes.
pub(super) fn look(view: &View<'_>, trigger: &Trigger) -> SignedDuration {
    let asked = time(trigger.asked_at.as_deref());
    let waited = asked.map_or(LOOK, |asked| view.now.duration_since(asked));
    (waited / 8)
        .max(LOOK)
        .min(view.options.progress_interval.max(LOOK))
}

/// Notes the savepoint of a stop that has been told, where the cluster goes whatever came of it.
pub(super) fn note_told(view: &View<'_>, draft: &mut Draft) {
    let trigger = draft
        .operation()
        .and_then(|operation| operation.trigger.as_ref());
    if trigger.is_none_or(|trigger| trigger.path.is_some()) {
        return;
    }
    let told = view.observed.answers.trigger.value();
    let Some(path) = told.and_then(Answer::savepoint) else {
        return;
    };
    note_path(view, draft, path.to_owned(), None);
}

/// Notes where the savepoint is: that alone must never be lost.
fn note_path(view: &View<'_>, draft: &mut Draft, path: String, entry: Option<&Checkpoint>) {
    if !draft.job_is_terminal() {
        draft.job().state = Some(FlinkJobState::Finished);
        draft.job().update_time = Some(view.now.as_millisecond().to_string());
    }
    draft.job().upgrade_savepoint_path = Some(path.clone());
    let lineage = draft.status().lineage.get_or_insert_default();
    let at = entry.and_then(|entry| entry.at).unwrap_or(view.now);
    lineage.newest = Some(RestorePoint {
        segment: lineage.segments.last().map_or(0, |last| last.number),
        id: entry.map(|entry| entry.id),
        path: Some(path.clone()),
        kind: RestorePointKind::Savepoint,
        at: Some(at.to_string()),
    });
    draft.progress = None;
    if let Some(operation) = draft.status().operation.as_mut()
        && let Some(trigger) = operation.trigger.as_mut()
    {
        trigger.path = Some(path);
    }
}

/// The savepoint is known: once its number is as well, the cluster can go.
fn stopped(view: &View<'_>, mut draft: Draft, ids: &Ids) -> Step {
    number(view, &mut draft);
    let newest = draft.doc.typed.lineage.as_ref();
    let newest = newest.and_then(|lineage| lineage.newest.clone());
    let numbered = newest.as_ref().is_some_and(|newest| newest.id.is_some());
    let patience = view.options.statistics_lag + NUMBER_TAKES;
    let ended = draft.job_changed_at();
    let over = ended.is_none_or(|ended| view.now.duration_since(ended) >= patience);
    let answers = !view.observed.ready_job_managers().is_empty();
    let path = newest.and_then(|newest| newest.path).unwrap_or_default();
    if !numbered && !over && answers {
        draft.wait(
            Reason::StoppingWithSavepoint,
            format!("the job has stopped with savepoint {path}; waiting for Flink's statistics to tell its number"),
        );
        return draft.rest(view, Revisit::after(LOOK, "statistics"));
    }
    let job = draft.job_id().unwrap_or_default().to_owned();
    draft.notice(Notice::normal(
        "Job",
        "StoppedWithSavepoint",
        format!("job {job} was stopped with savepoint {path}"),
    ));
    draft.reconciliation().state = Some(ReconciliationState::Upgrading);
    if let Some(recorded) = draft.recorded.clone() {
        draft.record(end::stopped(recorded));
    }
    draft.status().error = None;
    let trigger = draft
        .operation()
        .and_then(|operation| operation.trigger.clone());
    draft.begin(view, ids, OperationKind::End);
    if let Some(trigger) = trigger {
        if view.options.savepoints.as_resources {
            if let Some(operation) = draft.status().operation.as_mut() {
                operation.trigger = Some(trigger);
            }
        } else {
            snapshots::list(&mut draft, &trigger, view.options.savepoints.format);
        }
    }
    end::decide(view, draft, ids)
}

/// Takes number and time of the savepoint out of the statistics.
fn number(view: &View<'_>, draft: &mut Draft) {
    let Some(statistics) = view.observed.answers.checkpoints.value() else {
        return;
    };
    let Some(lineage) = draft.status().lineage.as_mut() else {
        return;
    };
    if let (Some(newest), Some(entry)) = (lineage.newest.as_mut(), &statistics.newest_stop)
        && newest.id.is_none()
        && newest.path.as_deref() == Some(entry.path.as_str())
    {
        newest.id = Some(entry.id);
        newest.at = entry.at.map(|at| at.to_string()).or(newest.at.take());
    }
}

/// Returns the recorded spec's mark of a job that was stopped with a savepoint.
pub(super) fn is_stopped(recorded: &Recorded) -> bool {
    let job = recorded.spec.job.as_ref();
    !recorded.is_running() && job.is_some_and(|job| job.upgrade_mode == UpgradeMode::Savepoint)
}
