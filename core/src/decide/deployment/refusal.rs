//! Stops that failed: the job runs on where Flink leaves it running, and it is said why, and when it is tried again.

use super::change;
use super::draft::Draft;
use super::leftovers::time;
use super::stop::{self, LOOK};
use super::verdict::Pending;
use super::view::View;
use crate::decision::{Notice, Revisit, Step};
use crate::fact::Fact;
use crate::name::{Ids, JobId};
use crate::question::{Question, Wanted};
use crate::status::conditions::Reason;
use crate::status::error::{self, Problem};
use flink_operator_api::{FlinkJobState, Operation, OperationKind, Trigger};
use jiff::{SignedDuration, Timestamp};

/// How soon a stop that failed is tried again at first, and later.
const RETRY: (SignedDuration, SignedDuration) =
    (SignedDuration::from_secs(15), SignedDuration::from_mins(10));

/// Notes the failure with its cause, once that is known.
pub(super) fn not_stopped(
    view: &View<'_>,
    mut draft: Draft,
    trigger: &Trigger,
    cause: &str,
) -> Step {
    match meanwhile(view, &draft, trigger) {
        Meanwhile::NotAsked => {
            return Step::Ask(Wanted::from([Question::RootCause(JobId::new(
                &trigger.job,
            ))]));
        }
        Meanwhile::Lags => {
            stop::pending(view, &mut draft, trigger, Pending::Statistics);
            return draft.rest(view, Revisit::after(LOOK, "the cause"));
        }
        Meanwhile::Failed(failure) => {
            let cause = format!("{}; the job failed meanwhile: {failure}", plain(cause));
            refused(view.now, &mut draft, trigger, &cause);
        }
        Meanwhile::Nothing => refused(view.now, &mut draft, trigger, cause),
    }
    let revisit = failed_revisit(view, &draft);
    draft.rest(view, revisit)
}

/// What failed in the job since it was asked to stop. Where a task fails, the cause of the failed stop says only that
/// something came in between.
enum Meanwhile<'a> {
    NotAsked,
    /// What Flink says may be a copy of before.
    Lags,
    Failed(&'a str),
    Nothing,
}

fn meanwhile<'a>(view: &View<'a>, draft: &Draft, trigger: &Trigger) -> Meanwhile<'a> {
    let asked_at = time(trigger.asked_at.as_deref());
    let since = |at: Timestamp| asked_at.is_some_and(|asked| at > asked);
    let failure = match &view.observed.answers.root_cause {
        Fact::NotAsked => return Meanwhile::NotAsked,
        Fact::Unknown(_) => return Meanwhile::Nothing,
        Fact::Known(seen) => seen.value.as_ref(),
    };
    if let Some(failure) = failure.filter(|failure| failure.at.is_some_and(since)) {
        return Meanwhile::Failed(&failure.cause);
    }
    // A job that fails changes its state; one that cannot write does not.
    let lags = |at: &Timestamp| view.now.duration_since(*at) < view.options.statistics_lag;
    match draft.job_changed_at().filter(|at| since(*at)) {
        Some(at) if lags(&at) => Meanwhile::Lags,
        Some(_) | None => Meanwhile::Nothing,
    }
}

/// Some causes end with a full stop of their own.
fn plain(cause: &str) -> &str {
    cause.trim_end_matches('.')
}

/// Notes that a stop failed for good.
pub(super) fn refused(now: Timestamp, draft: &mut Draft, trigger: &Trigger, cause: &str) {
    let Some(operation) = draft.status().operation.as_mut() else {
        return;
    };
    operation.trigger = None;
    operation.not_after = None;
    // As long again as has been tried, from the first request to the last: how long Flink took to refuse does not count.
    let begun = time(Some(&operation.started_at));
    let tried = time(trigger.asked_at.as_deref()).zip(begun);
    let tried = tried.map_or(RETRY.0, |(asked, begun)| asked.duration_since(begun));
    let pause = tried.clamp(RETRY.0, RETRY.1);
    let next = now + pause;
    operation.not_before = Some(next.to_string());
    let directory = trigger.directory.as_deref().unwrap_or_default();
    let job = &trigger.job;
    let cause = plain(cause);
    let message =
        format!("job {job} could not be stopped with a savepoint in {directory}: {cause}");
    let notice = Notice::warning("JobManagerDeployment", "SavepointError", message.clone());
    draft.fail(
        Problem::UpgradeFailure,
        Some("SavepointError"),
        &message,
        notice,
    );
    let next = next.strftime("%FT%TZ");
    let message = format!(
        "{message}. The job runs on with the previous spec; it is tried again at {next}, or at once after an edit"
    );
    draft.degrade(Reason::SavepointFailed, message.clone());
    draft.wait(Reason::SavepointFailed, message);
}

pub(super) fn is_failed(operation: &Operation) -> bool {
    operation.kind == OperationKind::Stop && operation.trigger.is_none()
}

/// An earlier attempt failed: the next one comes when it is due, or when somebody has changed something.
pub(super) fn failed_before(
    view: &View<'_>,
    mut draft: Draft,
    ids: &Ids,
    operation: &Operation,
) -> Step {
    let due = time(operation.not_before.as_deref()).is_none_or(|due| view.now >= due);
    let edited = operation.generation != view.meta.generation;
    if !edited {
        draft.keep(view, &[Reason::SavepointFailed]);
    }
    if due || edited || !runs(&draft) {
        return change::decide(view, draft, ids);
    }
    if draft.says(Reason::SavepointFailed) {
        draft.repeat(Reason::SavepointFailed);
    } else if !draft.is_degraded() {
        // Something else was wrong meanwhile, and is no more.
        let next = operation.not_before.as_deref().unwrap_or_default();
        draft.wait(
            Reason::SavepointFailed,
            format!("the last stop with a savepoint failed, see status.error; it is tried again at {next}, or at once after an edit"),
        );
    }
    let revisit = failed_revisit(view, &draft);
    draft.rest(view, revisit)
}

fn runs(draft: &Draft) -> bool {
    draft.job_state() == Some(FlinkJobState::Running)
}

fn failed_revisit(view: &View<'_>, draft: &Draft) -> Revisit {
    let due = draft
        .operation()
        .and_then(|operation| time(operation.not_before.as_deref()));
    let left = due.map_or(LOOK, |due| view.now.duration_until(due).max(LOOK));
    let look = if runs(draft) {
        view.options.reconcile_interval
    } else {
        // A task that failed while it stopped is being started again.
        view.options.progress_interval
    };
    Revisit::after(left.min(look), "the next attempt")
}

/// Takes back that a stop failed: nothing has to be stopped any more.
pub(super) fn forget_failure(draft: &mut Draft) {
    if draft.operation().is_some_and(is_failed) {
        draft.status().operation = None;
        if error::is(draft.doc.typed.error.as_deref(), Problem::UpgradeFailure) {
            draft.status().error = None;
        }
    }
}
