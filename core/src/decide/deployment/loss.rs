//! Stops whose result nobody tells: what was asked for stays stored and is named, so that a person can look for it.

use super::draft::Draft;
use super::stop;
use super::verdict::Pending;
use super::view::View;
use super::{change, checkpoints, deploy, rest, restore};
use crate::decision::{Revisit, Step};
use crate::name::Ids;
use crate::status::conditions::Reason;
use flink_operator_api::{
    JobManagerDeploymentStatus as JobManager, OperationKind, ReconciliationState, Trigger,
    UpgradeMode,
};

/// The Deployment is gone. With its pods gone as well, nobody can tell any more what came of the stop.
pub(super) fn cluster_gone(view: &View<'_>, mut draft: Draft, trigger: &Trigger) -> Step {
    if !view.observed.missing(&deploy::proofs()).is_empty() {
        return Step::Ask(deploy::proofs());
    }
    let pods = view.observed.answers.pods.value();
    if pods.is_some_and(|pods| pods.iter().all(|pod| pod.ended)) {
        return lost(view, draft, trigger);
    }
    draft.wait(
        Reason::WaitingForPods,
        "the JobManager Deployment is gone in the middle of a stop with savepoint; waiting for its pods to be gone",
    );
    draft.rest(view, Revisit::after(deploy::LOOK, "pods"))
}

/// The JobManager does not tell the result. One that cannot start may never do.
pub(super) fn untold(view: &View<'_>, mut draft: Draft, trigger: &Trigger) -> Step {
    let manual = Reason::ManualRestoreRequired;
    if draft.stands(manual) {
        draft.repeat(manual);
        return rest::observe_again(view, draft);
    }
    // Between two crashes it may look as if it came up.
    if draft.job_manager() == JobManager::Error || draft.said("Progressing", manual).is_some() {
        let why = "does not start (see the condition Degraded); once it does, this goes on by itself. Until then";
        change::announce(&mut draft, manual, &unknown_result(trigger, why));
        return rest::observe_again(view, draft);
    }
    stop::pending(view, &mut draft, trigger, Pending::JobManager);
    draft.rest(view, Revisit::after(stop::look(view, trigger), "stopping"))
}

/// The result is lost with the process that knew it.
pub(super) fn lost(view: &View<'_>, mut draft: Draft, trigger: &Trigger) -> Step {
    let message = unknown_result(trigger, "has forgotten it or is gone. Now");
    change::manual_restore(&mut draft, &message);
    if draft.job_manager() == JobManager::Missing {
        // Nothing comes back by itself.
        return draft.rest(view, Revisit::on_change("a person"));
    }
    rest::observe_again(view, draft)
}

/// Flink itself runs the job again, from older state; whether it was stopped before that is not known any more.
pub(super) fn older(view: &View<'_>, mut draft: Draft, trigger: &Trigger) -> Step {
    checkpoints::older(&mut draft);
    let why = "was started again and runs it from older state. Until that is replaced";
    draft.wait(Reason::RestoredFromOlderState, unknown_result(trigger, why));
    rest::observe_again(view, draft)
}

/// A user did without the state, took that back, and meanwhile the cluster went that could have told of an earlier stop.
pub(super) fn taken_back(view: &View<'_>, mut draft: Draft, ids: &Ids, trigger: &Trigger) -> Step {
    draft.begin(view, ids, OperationKind::Stop);
    if let Some(operation) = draft.status().operation.as_mut() {
        operation.trigger = Some(trigger.clone());
    }
    draft.status().cluster = None;
    draft.set_job_manager(JobManager::Missing);
    draft.reconciliation().state = Some(ReconciliationState::Deployed);
    if let Some(recorded) = draft.recorded.clone() {
        draft.record(recorded.with_mode(UpgradeMode::Savepoint));
    }
    lost(view, draft, trigger)
}

/// Says that only a person who looks into the directory can tell whether the savepoint is there.
fn unknown_result(trigger: &Trigger, why: &str) -> String {
    let Trigger { job, .. } = trigger;
    let short: String = job.chars().take(6).collect();
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    format!(
        "job {job} was asked at {} to stop with a savepoint in {} (trigger {}), and its JobManager, which alone knew the \
         result, {why} only a person can tell: look there for savepoint-{short}-* with a _metadata file of that time or later; without one the \
         newest state known is in status.lineage.newest. {}",
        text(&trigger.asked_at),
        text(&trigger.directory),
        text(&trigger.id),
        restore::WAYS_OUT,
    )
}
