//! Edits: whether the current spec asks for something else than what is deployed, and what that takes.

use super::deploy::{self, Purpose};
use super::draft::Draft;
use super::view::View;
use super::{cluster, end, java, recover, rest, valid};
use crate::build;
use crate::decision::{Notice, Revisit, Step};
use crate::diff::{self, ChangeKind};
use crate::name::Ids;
use crate::status::conditions::Reason;
use crate::status::error::{self, Problem};
use crate::status::recorded::Recorded;
use crate::status::recorded_overrides;
use flink_operator_api::{
    FlinkDeploymentSpec, JobManagerDeploymentStatus, JobState, ReconciliationState, UpgradeMode,
};

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
            if let Some(step) = initial_savepoint(view, &mut draft, &spec) {
                return step;
            }
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

/// A first start from a savepoint carries state, which is not there yet.
fn initial_savepoint(
    view: &View<'_>,
    draft: &mut Draft,
    spec: &FlinkDeploymentSpec,
) -> Option<Step> {
    spec.job.as_ref()?.initial_savepoint_path.as_ref()?;
    // The path counts for the very first start only.
    let first = |recorded: &Recorded| recorded.is_first_deployment();
    if !draft.recorded.as_ref().is_none_or(first) {
        return None;
    }
    announce(
        draft,
        Reason::StatefulUpgradeNotAvailable,
        "spec.job.initialSavepointPath asks to start from a savepoint, which this version cannot do yet; \
         nothing is deployed. Remove it to start empty",
    );
    Some(
        draft
            .clone()
            .rest(view, Revisit::on_change("stateful start")),
    )
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
    if change.kind == ChangeKind::SavepointRedeploy
        || !keeps_no_state(view, &draft, recorded, spec, suspended)
    {
        return stateful(view, draft, recorded);
    }
    tell_change(view, &mut draft, &change);
    if suspended {
        return deploy::start(view, draft, ids, spec, Purpose::Spec);
    }
    end::begin(view, draft, ids)
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

/// Returns whether the edit may drop the job's state: the user says so, or there is none.
fn keeps_no_state(
    view: &View<'_>,
    draft: &Draft,
    recorded: &Recorded,
    spec: &FlinkDeploymentSpec,
    suspended: bool,
) -> bool {
    if is_stateless(spec) {
        return true;
    }
    recorded.is_stateless() && !is_state_known(draft) && (suspended || never_started(view, draft))
}

/// Returns whether a spec says that the job's state may be dropped; a session cluster has none.
pub(super) fn is_stateless(spec: &FlinkDeploymentSpec) -> bool {
    let job = spec.job.as_ref();
    job.is_none_or(|job| job.upgrade_mode == UpgradeMode::Stateless)
}

/// Returns whether the status names state to start from, in the form of any release.
pub(super) fn is_state_known(draft: &Draft) -> bool {
    draft.doc.typed.job_status.as_ref().is_some_and(|job| {
        let savepoints = job.savepoint_info.as_ref();
        let newest = savepoints.and_then(|info| info.last_savepoint.as_ref());
        job.upgrade_savepoint_path.is_some() || newest.is_some_and(|last| last.location.is_some())
    })
}

/// Returns whether the JobManager has provably never been up, so that there is no state to keep.
fn never_started(view: &View<'_>, draft: &Draft) -> bool {
    let cluster::Identity::Ours(deployment) = cluster::identify(view, draft) else {
        return false;
    };
    let started = draft
        .doc
        .typed
        .job_status
        .as_ref()
        .is_some_and(|job| job.start_time.is_some());
    let up = matches!(
        draft.job_manager(),
        JobManagerDeploymentStatus::Ready | JobManagerDeploymentStatus::DeployedNotReady
    );
    deployment.never_available && !started && !up
}

/// An edit that has to carry state over: the job runs on, and the resource says why it waits.
pub(super) fn stateful(view: &View<'_>, mut draft: Draft, recorded: &Recorded) -> Step {
    let message = if recorded.is_running() {
        "the edit has to carry the job's state over, which this version cannot do yet; the job runs on with the \
         previous spec. Set spec.job.upgradeMode to stateless to apply the edit and start empty, or revert it"
    } else {
        "the job was suspended with state, which this version cannot restore yet; set spec.job.upgradeMode to \
         stateless to start empty"
    };
    announce(&mut draft, Reason::StatefulUpgradeNotAvailable, message);
    rest::observe_again(view, draft)
}

/// Says once per generation what changed, in upstream's words.
fn tell_change(view: &View<'_>, draft: &mut Draft, change: &diff::SpecDiff) {
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
    let known = draft
        .doc
        .typed
        .conditions
        .iter()
        .flatten()
        .any(|condition| {
            condition.type_ == "Progressing"
                && condition.reason.as_deref() == Some(reason.as_str())
                && condition.message.as_deref() == Some(message)
        });
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
