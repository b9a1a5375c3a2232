//! Nothing to do: what is recorded then, and when to look again.

use super::checkpoints::{self, Carries};
use super::deploy::Purpose;
use super::draft::Draft;
use super::restore::{self, Source};
use super::view::View;
use crate::decision::{Decision, Revisit, Step};
use crate::resource::Status;
use crate::status::conditions::Reason;
use crate::status::recorded::Recorded;
use flink_operator_api::{
    FlinkDeploymentSpec, JobManagerDeploymentStatus as JobManager, JobState, ReconciliationState,
    TaskManagerInfo, UpgradeMode,
};
use jiff::SignedDuration;

/// The shortest pause between two looks at a cluster that starts.
const SHORTEST: SignedDuration = SignedDuration::from_millis(250);

/// How often it is looked from what a job was restored that runs, until Flink's statistics tell.
const VERIFY: SignedDuration = SignedDuration::from_secs(1);

/// How long a JobManager that has just become ready may take to submit its job.
const MAIN_TAKES: SignedDuration = SignedDuration::from_secs(60);

/// Ends a pass over a resource that is none of ours any more.
pub(super) fn nothing(view: &View<'_>) -> Step {
    Step::Act(Box::new(Decision {
        intent: None,
        effects: Vec::new(),
        needs_additive: false,
        status: Status::FlinkDeployment(Box::new(view.stored.clone())),
        notices: Vec::new(),
        revisit: Revisit::on_change("deleted"),
    }))
}

/// Ends a pass over a resource that only a change can move.
pub(super) fn at_rest(view: &View<'_>, draft: Draft) -> Step {
    draft.rest(view, Revisit::on_change("at rest"))
}

/// An operation that a newer version of the operator began is left to it.
pub(super) fn unknown_operation(view: &View<'_>, mut draft: Draft) -> Step {
    draft.wait(
        Reason::NotSupported,
        "status.operation holds an operation that this version does not know; run the version that began it",
    );
    draft.rest(view, Revisit::on_change("unknown operation"))
}

/// Created with `state: suspended`, or suspended before anything was deployed: nothing is until that changes.
pub(super) fn created_suspended(view: &View<'_>, mut draft: Draft) -> Step {
    if draft.recorded.is_some() {
        // Of an attempt that was given up.
        draft.forget_recorded();
        draft.status().job_status = None;
    }
    draft.wait(
        Reason::Suspended,
        "created as suspended; set spec.job.state to running to deploy it",
    );
    draft.rest(view, Revisit::on_change("suspended"))
}

/// Records a spec as suspended, after its cluster has been ended.
pub(super) fn suspended(view: &View<'_>, mut draft: Draft, spec: &FlinkDeploymentSpec) -> Step {
    draft.status().error = None;
    let mode = match restore::source(&draft, spec, Purpose::Spec) {
        Source::Nothing => {
            restore::forget(&mut draft);
            UpgradeMode::Stateless
        }
        Source::Path { path, lineage } => {
            draft.status().lineage = Some(lineage);
            draft.job().upgrade_savepoint_path = Some(path);
            UpgradeMode::Savepoint
        }
        // Whoever resumes the job is told what is missing.
        Source::Blocked(..) => draft
            .recorded
            .as_ref()
            .map_or(UpgradeMode::Stateless, restore::mode),
    };
    draft.reconciliation().reconciliation_timestamp = Some(view.now.as_millisecond());
    let recorded = Recorded::new(spec.clone(), false)
        .with_state(JobState::Suspended)
        .with_mode(mode);
    draft.record(recorded);
    draft.reconciliation().state = Some(ReconciliationState::Deployed);
    draft.mark_stable();
    draft.status().observed_generation = Some(view.meta.generation);
    task_managers(&mut draft);
    draft.rest(view, Revisit::on_change("suspended"))
}

/// Fills what the scale subresource shows.
pub(super) fn task_managers(draft: &mut Draft) {
    let Some(recorded) = draft.recorded.clone() else {
        return;
    };
    let running = recorded.is_running();
    let replicas = if running {
        super::render::task_manager_count(&recorded.spec)
    } else {
        0
    };
    let name = draft.resource_name.clone();
    draft.status().task_manager = Some(TaskManagerInfo {
        label_selector: Some(if running {
            format!("component=taskmanager,app={name}")
        } else {
            String::new()
        }),
        replicas: Some(replicas),
    });
}

/// Returns whether a JobManager has become ready so lately that it may not have submitted its job yet.
pub(super) fn main_may_run(view: &View<'_>) -> bool {
    let pods = view.observed.job_managers.value();
    let young = |since| view.now.duration_since(since) < MAIN_TAKES;
    let mut ready = pods.into_iter().flatten().filter_map(|pod| pod.ready_since);
    ready.any(young)
}

/// Ends a pass over a cluster that is to be looked at again.
pub(super) fn observe_again(view: &View<'_>, draft: Draft) -> Step {
    let revisit = next_look(view, &draft);
    draft.rest(view, revisit)
}

fn next_look(view: &View<'_>, draft: &Draft) -> Revisit {
    let runs = draft.recorded.as_ref().is_some_and(Recorded::is_running);
    if runs && draft.job_is_terminal() && draft.job_manager() == JobManager::Ready {
        // What the job left is known once the statistics are no copy of before its end.
        let ended = draft.job_changed_at();
        let since = ended.map_or(SignedDuration::MAX, |ended| view.now.duration_since(ended));
        let settled = view.options.statistics_lag;
        if since < settled {
            return Revisit::after(settled - since, "what the job left");
        }
    }
    if !runs || draft.job_is_terminal() {
        return Revisit::on_change("at rest");
    }
    let running = draft.job_state() == Some(flink_operator_api::FlinkJobState::Running);
    let unverified = checkpoints::carries(view, draft) == Carries::NotKnownYet;
    match draft.job_manager() {
        // From what a start restored is told soon after it, and until then it cannot be edited with its state.
        JobManager::Ready if running && unverified => Revisit::after(VERIFY, "what was restored"),
        JobManager::Ready if running => Revisit::after(poll(view), "poll"),
        // Pods are watched: a start that has no ready pod yet wakes the resource by itself.
        JobManager::Deploying if view.observed.ready_job_managers().is_empty() => {
            Revisit::after(view.options.reconcile_interval, "starting")
        }
        JobManager::Ready | JobManager::DeployedNotReady | JobManager::Deploying => {
            Revisit::after(growing(view, draft), "starting")
        }
        JobManager::Missing | JobManager::Error => {
            Revisit::after(view.options.reconcile_interval, "failed")
        }
    }
}

/// Looks often right after a start and less often later.
fn growing(view: &View<'_>, draft: &Draft) -> SignedDuration {
    let since = draft
        .doc
        .typed
        .reconciliation_status
        .as_ref()
        .and_then(|r| r.reconciliation_timestamp);
    let waited = since.map_or(SHORTEST, |since| {
        SignedDuration::from_millis(view.now.as_millisecond() - since)
    });
    (waited / 8)
        .max(SHORTEST)
        .min(view.options.progress_interval.max(SHORTEST))
}

/// Spreads polls evenly: each resource looks at its own moment within the interval.
fn poll(view: &View<'_>) -> SignedDuration {
    let interval = view.options.reconcile_interval.as_millis().max(1);
    let phase = view.uid().as_str().bytes().fold(0_i128, |hash, byte| {
        (hash.wrapping_mul(31).wrapping_add(i128::from(byte))).rem_euclid(1_000_003)
    });
    let into = (i128::from(view.now.as_millisecond()) + phase * 7919).rem_euclid(interval);
    let left = interval - into;
    let delay = if left < interval / 2 {
        left + interval
    } else {
        left
    };
    SignedDuration::from_millis(i64::try_from(delay).unwrap_or(i64::MAX))
}
