//! Going on from states that only the Java operator leaves: half an upgrade, or half a rollback,
//! without an operation of ours.

use super::change::{self, Current};
use super::draft::Draft;
use super::view::View;
use super::{carry, cluster, deploy, end, rest, stop};
use crate::decision::{Revisit, Step};
use crate::diff::{self, ChangeKind};
use crate::name::{Ids, Uid};
use crate::observed::Deployment;
use crate::status::conditions::Reason;
use crate::status::recorded::Recorded;
use flink_operator_api::{
    Attempt, FlinkDeploymentSpec, FlinkJobState, JobManagerDeploymentStatus as JobManager,
    ReconciliationState,
};

/// Goes on from where the Java operator left off; `None` if it left nothing half done.
pub(super) fn left_off(view: &View<'_>, draft: &mut Draft, ids: &Ids) -> Option<Step> {
    let state = draft.reconciliation_state();
    let recorded = draft.recorded.clone()?;
    match state {
        ReconciliationState::Deployed | ReconciliationState::RolledBack => return None,
        ReconciliationState::Upgrading | ReconciliationState::RollingBack => {}
    }
    if !view.is_fresh() {
        return Some(Step::Ask(deploy::proofs()));
    }
    if state == ReconciliationState::RollingBack {
        return rolling_back(view, draft, &recorded);
    }
    if recorded.is_running() {
        return begun_end(view, draft, ids, &recorded);
    }
    if let Some(deployment) = submitted(view, draft, &recorded) {
        let uid = Uid::new(&deployment.uid);
        deploy::deployed(draft, &Attempt::default(), &uid);
        return Some(draft.clone().rest(view, Revisit::now("adopted")));
    }
    if recorded.is_first_deployment() {
        draft.forget_recorded();
        return Some(change::deploy_current(view, draft.clone(), ids));
    }
    let left = view.observed.deployment.value().and_then(Option::as_ref);
    let owned = left.is_some_and(|left| left.owned_by(view.uid().as_str()));
    if owned && stop::is_stopped(&recorded) {
        // Stopped with a savepoint, which is recorded; its cluster has still to go.
        return Some(end::begin_stopped(view, draft.clone(), ids));
    }
    Some(change::deploy_current(view, draft.clone(), ids))
}

/// Returns the Deployment that Java created without having been able to record it.
///
/// Java records the old one as missing before it creates the new one, so that a recorded JobManager
/// is the old one's: the generation alone does not tell, for a recovered one carries none.
fn submitted<'a>(view: &View<'a>, draft: &Draft, recorded: &Recorded) -> Option<&'a Deployment> {
    let status = view.stored.typed.job_manager_deployment_status;
    let cluster::Identity::Ours(deployment) = cluster::identify(view, draft) else {
        return None;
    };
    let observed = draft.doc.typed.observed_generation;
    let target = observed.or_else(|| recorded.generation());
    let missing = status.is_none_or(|status| status == JobManager::Missing);
    (missing && !deployment.deleting && deployment.generation == target).then_some(deployment)
}

/// Java was ending the old cluster: that goes on only if the current spec still wants it.
fn begun_end(view: &View<'_>, draft: &mut Draft, ids: &Ids, recorded: &Recorded) -> Option<Step> {
    let spec = match change::current(view, draft) {
        Current::Run(spec) | Current::Suspend(spec) => spec,
        Current::Invalid(_, message) => {
            change::complain(draft, &message);
            return Some(rest::observe_again(view, draft.clone()));
        }
        Current::Waits(reason, message) => {
            change::announce(draft, reason, &message);
            return Some(rest::observe_again(view, draft.clone()));
        }
    };
    let untouched =
        !matches!(draft.job_state(), Some(FlinkJobState::Cancelling)) && !draft.job_is_terminal();
    let mode = recorded.spec.mode.unwrap_or_default();
    let change = diff::diff(&recorded.spec, &spec, mode);
    if untouched && change.kind == ChangeKind::Ignore {
        // Taken back before anything was done.
        draft.reconciliation().state = Some(ReconciliationState::Deployed);
        return None;
    }
    if change::gives_up(view, draft) {
        return Some(end::begin(view, draft.clone(), ids));
    }
    Some(carry::decide(
        view,
        draft.clone(),
        ids,
        recorded,
        &spec,
        &change,
    ))
}

/// Java was rolling back. If it has started the stable spec, that is taken over; another edit is
/// carried out like any; else the resource waits, for this version does not roll back.
fn rolling_back(view: &View<'_>, draft: &mut Draft, recorded: &Recorded) -> Option<Step> {
    if submitted(view, draft, recorded).is_some() {
        draft.reconciliation().state = Some(ReconciliationState::RolledBack);
        return None;
    }
    if let Current::Run(spec) | Current::Suspend(spec) = change::current(view, draft)
        && !asks_for_nothing(recorded, &spec)
    {
        return None;
    }
    let reason = if recorded.is_stateless() {
        Reason::NotSupported
    } else {
        Reason::StatefulUpgradeNotAvailable
    };
    change::announce(
        draft,
        reason,
        "the Java operator was rolling back to status.reconciliationStatus.lastStableSpec, which this version cannot \
         finish yet; let the Java operator finish it, or edit the spec with upgradeMode stateless to start empty",
    );
    Some(draft.clone().rest(view, Revisit::on_change("rollback")))
}

fn asks_for_nothing(recorded: &Recorded, spec: &FlinkDeploymentSpec) -> bool {
    let mode = recorded.spec.mode.unwrap_or_default();
    diff::diff(&recorded.spec, spec, mode).kind == ChangeKind::Ignore
}
