//! What the facts of this pass mean for the status: JobManager, job, checkpoints.
//!
//! Observation never starts or stops anything. What it learns is stored before anything is deleted.

use super::cluster::{self, Identity};
use super::draft::Draft;
use super::view::View;
use super::{checkpoints, failure, jobs};
use crate::decision::Notice;
use crate::fact::{Fact, Why};
use crate::name::{JobId, TriggerId};
use crate::observed::Deployment;
use crate::question::{Question, Wanted};
use crate::status::conditions::Reason;
use crate::status::error::{JOB_NOT_FOUND, Problem};
use flink_operator_api::{
    FlinkJobState, JobManagerDeploymentStatus as JobManager, ReconciliationState,
};

/// The draft after observation, or what has to be looked at before.
pub(super) enum Applied {
    Ask(Wanted),
    Draft(Box<Draft>),
}

/// Says what to look at in the first round.
pub(super) fn wanted(view: &View<'_>) -> Wanted {
    let mut wanted = Wanted::new();
    let status = &view.stored.typed;
    if view.recorded.is_none() {
        return wanted;
    }
    let job = status.job_status.as_ref();
    let state = job.and_then(|job| job.state);
    if view.observed.ready_job_managers().is_empty() {
        if failure::mounting_takes_long(view) {
            wanted.insert(Question::PodEvents);
        }
        return wanted;
    }
    wanted.insert(Question::Jobs);
    let seen = job.is_some_and(|job| job.start_time.is_some());
    if let (true, Some(id)) = (seen, job.and_then(|job| job.job_id.as_ref())) {
        wanted.insert(Question::Checkpoints(JobId::new(id)));
    }
    let trigger = status
        .operation
        .as_ref()
        .and_then(|operation| operation.trigger.as_ref());
    if let Some(trigger) = trigger.filter(|trigger| trigger.path.is_none())
        && let Some(id) = &trigger.id
    {
        wanted.insert(Question::Trigger(
            JobId::new(&trigger.job),
            TriggerId::new(id),
        ));
    }
    let info = status.cluster_info.as_ref();
    let has = |key: &str| info.is_some_and(|info| info.contains_key(key));
    if !has("flink-version") {
        wanted.insert(Question::FlinkInfo);
    }
    let waits = seen
        && state
            .is_some_and(|state| state != FlinkJobState::Running && !state.is_globally_terminal());
    if waits && failure::tasks_take_long(view) {
        wanted.insert(Question::TaskManagerPods);
    }
    if state != Some(FlinkJobState::Running) || !has("total-cpu") {
        wanted.insert(Question::TaskManagers);
    }
    wanted
}

/// Applies the facts of this pass to the stored status.
pub(super) fn apply(view: &View<'_>) -> Applied {
    let mut draft = Draft::new(view);
    if !expects_cluster(&draft) {
        return Applied::Draft(Box::new(draft));
    }
    match cluster::identify(view, &draft) {
        Identity::Ours(deployment) => {
            cluster::adopt(&mut draft, deployment);
            ours(view, &mut draft, deployment);
        }
        // What stands there instead, if anything, is dealt with when the cluster is started again.
        Identity::Absent | Identity::Leftover | Identity::Stranger if view.is_fresh() => {
            absent(&mut draft);
        }
        // A stale store must not make an absence of what was just created.
        Identity::Absent | Identity::Leftover | Identity::Stranger => {
            return Applied::Ask(Wanted::from([Question::Pods]));
        }
        Identity::Unknown => {}
    }
    if let Some(wanted) = jobs::more(view, &draft) {
        return Applied::Ask(wanted);
    }
    Applied::Draft(Box::new(draft))
}

/// Returns whether a cluster should be there, or is being ended, so that it is worth looking at.
fn expects_cluster(draft: &Draft) -> bool {
    let Some(recorded) = &draft.recorded else {
        return false;
    };
    match draft.reconciliation_state() {
        ReconciliationState::Deployed | ReconciliationState::RolledBack => {
            recorded.is_running()
                && draft
                    .operation()
                    .is_none_or(|operation| operation.attempt.is_none())
        }
        // The record of an attempt says "suspended"; the old cluster, being ended, "running".
        ReconciliationState::Upgrading | ReconciliationState::RollingBack => recorded.is_running(),
    }
}

/// The Deployment is there: JobManager and job can be looked at.
fn ours(view: &View<'_>, draft: &mut Draft, deployment: &Deployment) {
    let ready = !view.observed.ready_job_managers().is_empty();
    match &view.observed.answers.jobs {
        Fact::Known(seen) if ready => {
            answering(view, draft, &seen.value);
        }
        Fact::Unknown(why) if ready => silent(draft, why),
        Fact::NotAsked if ready => {}
        Fact::Known(_) | Fact::Unknown(_) | Fact::NotAsked => starting(view, draft, deployment),
    }
}

fn answering(view: &View<'_>, draft: &mut Draft, listed: &[crate::observed::Job]) {
    if draft.job_manager() != JobManager::Ready && !rest_delay_is_over(view) {
        draft.set_job_manager(JobManager::DeployedNotReady);
        draft.wait(Reason::WaitingForJobManager, "the JobManager answers; waiting for the configured kubernetes.operator.observer.rest-ready.delay");
        return;
    }
    draft.set_job_manager(JobManager::Ready);
    if draft
        .recorded
        .as_ref()
        .is_some_and(|recorded| recorded.spec.job.is_some())
    {
        jobs::apply(view, draft, listed);
    }
    checkpoints::apply(view, draft);
    jobs::cluster_info(view, draft);
    clear_error(draft);
}

/// Upstream waits a fixed time between the open port and READY; here only if somebody sets it.
fn rest_delay_is_over(view: &View<'_>) -> bool {
    let Some(delay) = view.options.rest_ready_delay else {
        return true;
    };
    let pods = view
        .observed
        .job_managers
        .value()
        .map_or(&[][..], Vec::as_slice);
    let mut ready = pods.iter().filter_map(|pod| pod.ready_since);
    ready.any(|since| view.now.duration_since(since) >= delay)
}

/// The pod is ready and REST does not answer.
fn silent(draft: &mut Draft, why: &Why) {
    if draft.job_state() == Some(FlinkJobState::Running) {
        draft.job().state = Some(FlinkJobState::Reconciling);
    }
    if draft.job_manager() == JobManager::Ready {
        draft.wait(
            Reason::JobManagerSilent,
            format!(
                "the JobManager does not answer ({}); the job's state is unknown",
                plain(why)
            ),
        );
    } else {
        draft.set_job_manager(JobManager::DeployedNotReady);
        draft.wait(
            Reason::WaitingForJobManager,
            "the JobManager's pod is ready; waiting for its REST API",
        );
    }
}

/// Says why in words that stay the same from look to look.
fn plain(why: &Why) -> &'static str {
    match why {
        Why::Refused => "connection refused",
        Why::TimedOut | Why::CircuitOpen => "no answer in time",
        Why::Closed => "connection closed",
        Why::Status { .. } => "an error status",
        Why::NotUnderstood(_) => "a reply that is not Flink's",
        Why::NoJobManager => "no ready pod",
        Why::Taken => "its name is taken by another object",
        Why::SubjectChanged => "it was replaced meanwhile",
        Why::NotSent(_) => "the request was not sent",
    }
}

/// The Deployment is there, without a ready pod.
fn starting(view: &View<'_>, draft: &mut Draft, deployment: &Deployment) {
    if matches!(draft.job_state(), Some(FlinkJobState::Running)) {
        draft.job().state = Some(FlinkJobState::Reconciling);
    }
    if !failure::apply(view, draft, deployment) {
        draft.set_job_manager(JobManager::Deploying);
        draft.wait(
            Reason::WaitingForJobManager,
            "waiting for the JobManager's pod to become ready",
        );
        failure::unschedulable(view, draft);
        clear_error(draft);
    }
}

/// The Deployment is gone, which a fresh read has shown.
fn absent(draft: &mut Draft) {
    if !draft.job_is_terminal() && draft.job_state().is_some() {
        draft.job().state = Some(FlinkJobState::Reconciling);
    }
    let before = draft.job_manager();
    draft.set_job_manager(JobManager::Missing);
    let ending = draft.operation().is_some()
        || draft.reconciliation_state() != ReconciliationState::Deployed;
    if !ending && !matches!(before, JobManager::Missing | JobManager::Error) {
        let message = "Missing JobManager deployment";
        draft.fail(
            Problem::MissingJobManager,
            None,
            message,
            Notice::warning("JobManagerDeployment", "Missing", message),
        );
    }
}

/// A healthy, proven cluster has no error.
fn clear_error(draft: &mut Draft) {
    let lost = draft.doc.typed.error.as_deref() == Some(JOB_NOT_FOUND);
    let failed = draft.job_state() == Some(FlinkJobState::Failed);
    // What an operation is about is taken back with it.
    let pending = draft.operation().is_some();
    let healthy = !pending && draft.job_manager() != JobManager::Error && !failed && !lost;
    if healthy && crate::status::lifecycle::is_stable(&draft.doc.typed) {
        draft.status().error = None;
    }
}
