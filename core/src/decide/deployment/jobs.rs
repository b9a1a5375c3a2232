//! The job as Flink lists it, and what follows for the status.

use super::draft::Draft;
use super::render;
use super::restore;
use super::view::View;
use crate::decision::Notice;
use crate::fact::Fact;
use crate::name::JobId;
use crate::observed::Job;
use crate::question::{Question, Wanted};
use crate::status::conditions::Reason;
use crate::status::error::{JOB_NOT_FOUND, Problem};
use crate::status::recorded::Recorded;
use flink_operator_api::{FlinkJobState, Lineage, ReconciliationState, Segment};
use std::str::FromStr;

/// How many runs of a lineage are remembered.
const SEGMENTS: usize = 20;

/// Asks for the cause of a failure that this pass sees for the first time.
pub(super) fn more(view: &View<'_>, draft: &Draft) -> Option<Wanted> {
    let before = view
        .stored
        .typed
        .job_status
        .as_ref()
        .and_then(|job| job.state);
    let failed =
        draft.job_state() == Some(FlinkJobState::Failed) && before != Some(FlinkJobState::Failed);
    let id = draft.job_id().filter(|_| failed)?;
    let asked = view.observed.answers.root_cause.asked();
    (!asked).then(|| Wanted::from([Question::RootCause(JobId::new(id))]))
}

/// Applies a list of jobs that was obtained.
pub(super) fn apply(view: &View<'_>, draft: &mut Draft, listed: &[Job]) {
    let id = draft.job_id().map(ToOwned::to_owned);
    // Java leaves the id to the first look at some points; an application has one job.
    let found = match &id {
        Some(id) => listed.iter().find(|job| job.id.as_str() == id),
        None => listed.first().filter(|_| listed.len() == 1),
    };
    match found {
        Some(job) => seen(view, draft, job),
        None => not_seen(view, draft),
    }
}

/// Applies what is known of the job.
pub(super) fn seen(view: &View<'_>, draft: &mut Draft, job: &Job) {
    let before = draft.job_state();
    let state = FlinkJobState::from_str(&job.state).unwrap_or(FlinkJobState::Reconciling);
    let stored_start = draft.job().start_time.clone();
    let again = stored_start.map(|start| start != job.start_time.to_string());
    // Terminal is terminal: what says otherwise of the same run was said earlier, and came late.
    if again == Some(false) && draft.job_is_terminal() && !state.is_globally_terminal() {
        return;
    }
    if again == Some(true) && draft.job_is_terminal() {
        draft.degrade(
            Reason::RestoredFromOlderState,
            "the job had ended, and its JobManager, restarted, runs it again; edit spec.job.state to suspended, or delete the resource, to end it",
        );
        return;
    }
    segment(draft, job);
    let status = draft.job();
    status.job_id = Some(job.id.as_str().to_owned());
    status.job_name = Some(job.name.clone());
    status.start_time = Some(job.start_time.to_string());
    status.state = Some(state);
    if before != Some(state) {
        status.update_time = Some(view.now.as_millisecond().to_string());
        let message = match before {
            Some(before) => format!("Job status changed from {before} to {state}"),
            None => format!("Job status changed to {state}"),
        };
        draft.notice(Notice::normal("Job", "JobStatusChanged", message));
        if state == FlinkJobState::Failed {
            failed(view, draft);
        }
    }
    if draft.doc.typed.error.as_deref() == Some(JOB_NOT_FOUND) {
        draft.status().error = None;
    }
    stability(draft, state);
    if !state.is_globally_terminal() && state != FlinkJobState::Running {
        draft.wait(
            Reason::WaitingForJob,
            format!("the JobManager answers; the job is {state}"),
        );
        super::failure::task_managers(view, draft);
    }
}

/// A proven spec: its job runs, or ran to its end.
fn stability(draft: &mut Draft, state: FlinkJobState) {
    let running = draft.recorded.as_ref().is_some_and(Recorded::is_running);
    let proven = state == FlinkJobState::Running || (state == FlinkJobState::Finished && running);
    if proven && draft.reconciliation_state() == ReconciliationState::Deployed {
        draft.mark_stable();
    }
}

fn failed(view: &View<'_>, draft: &mut Draft) {
    let cause = match &view.observed.answers.root_cause {
        Fact::Known(seen) => seen.value.as_ref().map(|failure| failure.cause.clone()),
        Fact::Unknown(_) | Fact::NotAsked => None,
    };
    let message =
        cause.unwrap_or_else(|| "the job failed; its JobManager gave no cause".to_owned());
    draft.fail(
        Problem::Reconciliation,
        None,
        &message,
        Notice::warning("Job", "Error", message.clone()),
    );
}

/// Notes a new life of the job.
fn segment(draft: &mut Draft, job: &Job) {
    let lineage = draft.status().lineage.get_or_insert_with(Lineage::default);
    let known = lineage.segments.last().is_some_and(|last| {
        last.job_id == job.id.as_str() && last.start_time == Some(job.start_time)
    });
    if known || job.start_time <= 0 {
        return;
    }
    let number = lineage.segments.last().map_or(1, |last| last.number + 1);
    lineage.segments.push(Segment {
        number,
        job_id: job.id.as_str().to_owned(),
        start_time: Some(job.start_time),
        restored_id: None,
    });
    let surplus = lineage.segments.len().saturating_sub(SEGMENTS);
    lineage.segments.drain(..surplus);
}

/// The list was obtained and lacks the job.
fn not_seen(view: &View<'_>, draft: &mut Draft) {
    if draft.job_is_terminal() {
        // Flink forgets ended jobs; terminal is terminal.
        return;
    }
    let starting = super::rest::main_may_run(view);
    let seen_before = draft.job().start_time.is_some() && !starting;
    draft.job().state = Some(FlinkJobState::Reconciling);
    if !seen_before {
        draft.wait(
            Reason::WaitingForJob,
            "the JobManager answers; waiting for its main method to submit the job",
        );
        return;
    }
    if draft.operation().is_some() {
        return;
    }
    draft.degrade(
        Reason::JobNotFound,
        format!(
            "the JobManager answers but does not list the job any more. {}",
            restore::WAYS
        ),
    );
    if draft.doc.typed.error.as_deref() != Some(JOB_NOT_FOUND) {
        draft.status().error = Some(JOB_NOT_FOUND.to_owned());
        draft.notice(Notice::warning("Job", "Missing", JOB_NOT_FOUND));
    }
}

/// Version and sizes of the running cluster, in upstream's keys.
pub(super) fn cluster_info(view: &View<'_>, draft: &mut Draft) {
    let answers = &view.observed.answers;
    let mut entries = Vec::new();
    if let Some(flink) = answers.flink.value() {
        entries.push(("flink-version", flink.version.clone()));
        entries.push(("flink-revision", flink.revision.clone()));
    }
    if let Some(&count) = answers.task_managers.value()
        && draft.job_state() == Some(FlinkJobState::Running)
        && let Some(recorded) = &draft.recorded
        && let Some((cpu, memory)) = render::totals(view, &recorded.spec, count)
    {
        entries.push(("total-cpu", cpu));
        entries.push(("total-memory", memory));
    }
    if !entries.is_empty() {
        let info = draft.status().cluster_info.get_or_insert_default();
        info.extend(
            entries
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value)),
        );
    }
}
