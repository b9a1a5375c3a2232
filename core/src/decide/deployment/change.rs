//! Edits: whether the current spec asks for something else than what is deployed, and what that takes.

use super::deploy::{self, Purpose};
use super::draft::Draft;
use super::restore::{self, Source};
use super::view::View;
use super::{carry, end, java, recover, refusal, rest, valid};
use crate::build;
use crate::decision::{Notice, Revisit, Step};
use crate::diff::{self, ChangeKind};
use crate::name::Ids;
use crate::status::conditions::Reason;
use crate::status::error::{self, Problem};
use crate::status::recorded::Recorded;
use crate::status::recorded_overrides;
use flink_operator_api::{FlinkDeploymentSpec, JobState, ReconciliationState, UpgradeMode};

/// What the current spec asks for.
pub(super) enum Current {
    /// A running job.
    Run(Box<FlinkDeploymentSpec>),
    /// A suspended job.
    Suspend(Box<FlinkDeploymentSpec>),
    /// It cannot be carried out; the spec that was deployed last goes on, if there is one.
    Invalid(Option<Box<FlinkDeploymentSpec>>, String),
    /// It asks for what this version does not do.
    Waits(Reason, String),
}

/// Reads what the current spec asks for.
pub(super) fn current(view: &View<'_>, draft: &Draft) -> Current {
    let checked = valid::check(view);
    let spec = match (view.spec, checked) {
        (Ok(spec), None) => spec,
        (_, Some(message)) => return Current::Invalid(last_valid(draft), message),
        (Err(broken), None) => return Current::Invalid(last_valid(draft), broken.to_string()),
    };
    if let Some((reason, message)) = valid::not_supported(spec) {
        return Current::Waits(reason, message);
    }
    let spec = with_overrides(view, draft, spec);
    match spec.job.as_ref().map(|job| job.state) {
        Some(JobState::Suspended) => Current::Suspend(Box::new(spec)),
        Some(JobState::Running) | None => Current::Run(Box::new(spec)),
    }
}

/// Gives the spec to be carried out: the user's, with what the autoscaler of the Java operator decided.
pub(super) fn with_overrides(
    view: &View<'_>,
    draft: &Draft,
    spec: &FlinkDeploymentSpec,
) -> FlinkDeploymentSpec {
    let recorded = draft.recorded.as_ref();
    let Some(recorded) = recorded.filter(|recorded| recorded_overrides::are_in(recorded)) else {
        return spec.clone();
    };
    let settings = &view.observed.settings;
    let config = build::resource_config(spec, &view.meta.key.namespace, settings);
    recorded_overrides::keep(recorded, spec, &config)
}

fn last_valid(draft: &Draft) -> Option<Box<FlinkDeploymentSpec>> {
    let recorded = draft.recorded.clone()?.with_state(JobState::Running);
    Some(Box::new(recorded.spec))
}

/// Decides for a resource without an operation.
pub(super) fn decide(view: &View<'_>, mut draft: Draft, ids: &Ids) -> Step {
    if let Some(step) = java::left_off(view, &mut draft, ids) {
        return step;
    }
    let Some(recorded) = draft.recorded.clone() else {
        return deploy_current(view, draft, ids);
    };
    match current(view, &draft) {
        Current::Invalid(_, message) => {
            complain(&mut draft, &message);
            recover::decide(view, draft, ids, &recorded)
        }
        Current::Waits(reason, message) => {
            announce(&mut draft, reason, &message);
            rest::observe_again(view, draft)
        }
        Current::Run(spec) | Current::Suspend(spec) => {
            forget_complaint(&mut draft);
            edited(view, draft, ids, &recorded, &spec)
        }
    }
}

/// Deploys the current spec, there being nothing deployed.
pub(super) fn deploy_current(view: &View<'_>, mut draft: Draft, ids: &Ids) -> Step {
    match current(view, &draft) {
        Current::Run(spec) => {
            forget_complaint(&mut draft);
            deploy::start(view, draft, ids, &spec, Purpose::Spec)
        }
        Current::Suspend(spec) => {
            let begun = |recorded: &Recorded| !recorded.is_first_deployment();
            if draft.recorded.as_ref().is_some_and(begun) {
                return rest::suspended(view, draft, &spec);
            }
            rest::created_suspended(view, draft)
        }
        Current::Invalid(Some(spec), message)
            if draft
                .recorded
                .as_ref()
                .is_some_and(|old| !old.is_first_deployment()) =>
        {
            // An upgrade that began is completed with the last spec that was valid.
            complain(&mut draft, &message);
            deploy::start(view, draft, ids, &spec, Purpose::LastValid)
        }
        Current::Invalid(_, message) => deploy::invalid(view, draft, &message),
        Current::Waits(reason, message) => {
            announce(&mut draft, reason, &message);
            draft.rest(view, Revisit::on_change("not supported"))
        }
    }
}

/// Compares the current spec with the deployed one.
fn edited(
    view: &View<'_>,
    mut draft: Draft,
    ids: &Ids,
    recorded: &Recorded,
    spec: &FlinkDeploymentSpec,
) -> Step {
    if let Some(stable) = rolled_back_to(&draft, spec) {
        let text = draft.reconciliation().last_stable_spec.clone();
        draft.reconciliation().last_reconciled_spec = text;
        draft.reconciliation().state = Some(ReconciliationState::Deployed);
        draft.recorded = Some(stable.clone());
        return edited(view, draft, ids, &stable, spec);
    }
    let change = diff::diff(&recorded.spec, spec, recorded.spec.mode.unwrap_or_default());
    match change.kind {
        ChangeKind::Ignore => {
            refusal::forget_failure(&mut draft);
            if draft.doc.typed.observed_generation != Some(view.meta.generation) {
                draft.status().observed_generation = Some(view.meta.generation);
            }
            return recover::decide(view, draft, ids, recorded);
        }
        ChangeKind::Scale | ChangeKind::Upgrade | ChangeKind::SavepointRedeploy => {}
    }
    let suspended = !recorded.is_running();
    let wants_run = spec
        .job
        .as_ref()
        .is_none_or(|job| job.state == JobState::Running);
    if suspended && !wants_run {
        // Carried out when it is resumed.
        return rest::at_rest(view, draft);
    }
    if suspended {
        return resume(view, draft, ids, spec, &change);
    }
    if change.kind == ChangeKind::SavepointRedeploy {
        tell_change(view, &mut draft, &change);
        return end::begin(view, draft, ids);
    }
    carry::decide(view, draft, ids, recorded, spec, &change)
}

/// Starts a suspended job again.
fn resume(
    view: &View<'_>,
    mut draft: Draft,
    ids: &Ids,
    spec: &FlinkDeploymentSpec,
    change: &diff::SpecDiff,
) -> Step {
    if let Source::Blocked(reason, message) = restore::source(&draft, spec, Purpose::Spec) {
        return blocked(view, draft, reason, &message);
    }
    tell_change(view, &mut draft, change);
    let left = view.observed.deployment.value().and_then(Option::as_ref);
    if left.is_some_and(|left| left.owned_by(view.uid().as_str())) {
        // The Java operator leaves the cluster of a job that it stopped with a savepoint.
        return end::begin_stopped(view, draft, ids);
    }
    deploy::start(view, draft, ids, spec, Purpose::Spec)
}

/// Says why a start with state cannot be made; nothing is started.
pub(super) fn blocked(view: &View<'_>, mut draft: Draft, reason: Reason, message: &str) -> Step {
    if reason == Reason::ManualRestoreRequired {
        manual_restore(&mut draft, message);
    } else {
        announce(&mut draft, reason, message);
    }
    rest::observe_again(view, draft)
}

/// Says that only a person can find the newest state, in upstream's form of an upgrade that failed.
pub(super) fn manual_restore(draft: &mut Draft, message: &str) {
    let reason = Reason::ManualRestoreRequired;
    let notice = Notice::warning("JobManagerDeployment", "UpgradeFailed", message);
    draft.fail(
        Problem::UpgradeFailure,
        Some("UpgradeFailed"),
        message,
        notice,
    );
    draft.degrade(reason, message);
    draft.wait(reason, message);
}

/// Returns what Java rolled back to, if that is what the user asks for by now: it runs already.
fn rolled_back_to(draft: &Draft, spec: &FlinkDeploymentSpec) -> Option<Recorded> {
    let reconciliation = draft.doc.typed.reconciliation_status.as_ref()?;
    if reconciliation.state != Some(ReconciliationState::RolledBack) {
        return None;
    }
    let stable = Recorded::read(reconciliation.last_stable_spec.as_deref()?).ok()?;
    let change = diff::diff(&stable.spec, spec, stable.spec.mode.unwrap_or_default());
    (change.kind == ChangeKind::Ignore).then_some(stable)
}

/// Returns whether a spec says that the job's state may be dropped; a session cluster has none.
pub(super) fn is_stateless(spec: &FlinkDeploymentSpec) -> bool {
    let job = spec.job.as_ref();
    job.is_none_or(|job| job.upgrade_mode == UpgradeMode::Stateless)
}

/// Returns whether the current spec does without the state of the running job.
pub(super) fn gives_up(view: &View<'_>, draft: &Draft) -> bool {
    redeploys(view, draft)
        || matches!(current(view, draft), Current::Run(spec) | Current::Suspend(spec) if is_stateless(&spec))
}

/// Returns whether the current spec asks to start anew from `initialSavepointPath`.
pub(super) fn redeploys(view: &View<'_>, draft: &Draft) -> bool {
    match (current(view, draft), &draft.recorded) {
        (Current::Run(spec) | Current::Suspend(spec), Some(recorded)) => {
            restore::redeploys(recorded, &spec)
        }
        (Current::Invalid(..) | Current::Waits(..), _) | (_, None) => false,
    }
}

/// Says once per generation what changed, in upstream's words.
pub(super) fn tell_change(view: &View<'_>, draft: &mut Draft, change: &diff::SpecDiff) {
    let told = draft
        .operation()
        .is_some_and(|operation| operation.generation == view.meta.generation);
    if !told {
        let message = format!("{}, starting reconciliation.", change.summary());
        draft.notice(Notice::normal(
            "JobManagerDeployment",
            "SpecChanged",
            message,
        ));
    }
}

/// Sets a waiting reason, with a Warning when it is new.
pub(super) fn announce(draft: &mut Draft, reason: Reason, message: &str) {
    let known = draft.said("Progressing", reason) == Some(message);
    if !known {
        draft.notice(Notice::warning("Operator", reason.as_str(), message));
    }
    draft.wait(reason, message);
}

/// Reports an invalid edit; whatever runs is not disturbed.
pub(super) fn complain(draft: &mut Draft, message: &str) {
    draft.fail(
        Problem::Validation,
        None,
        message,
        Notice::warning("Operator", "ValidationError", message),
    );
    draft.degrade(Reason::InvalidSpec, message);
}

/// Takes back the report of an edit that has been corrected.
fn forget_complaint(draft: &mut Draft) {
    if error::is(draft.doc.typed.error.as_deref(), Problem::Validation) {
        draft.status().error = None;
    }
}
