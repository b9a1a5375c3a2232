//! Decisions for a `FlinkDeployment`: one module per concern, tried in one order.
//!
//! Deletion comes first, then the finalizer, then an operation that has begun, then an edit, then
//! recovery, then rest. What an operation remembers is in `status.operation`; how far it came is
//! read off the world.

mod carry;
mod change;
mod checkpoints;
mod cluster;
mod delete;
mod deploy;
mod draft;
mod end;
mod failure;
pub mod ha;
mod java;
mod jobs;
mod leftovers;
mod loss;
mod observe;
mod options;
mod recover;
mod refusal;
mod render;
mod rest;
mod restore;
mod resume;
mod settle;
mod snapshots;
mod stop;
mod upgrade;
mod valid;
mod verdict;
mod view;

pub use settle::settle;

#[cfg(test)]
mod tests;

use crate::decision::{Decision, Notice, Revisit, Step};
use crate::effect::Effect;
use crate::name::Ids;
use crate::observed::Observed;
use crate::question::Wanted;
use crate::resource::Status;
use crate::status::conditions::Reason;
use crate::status::error::Problem;
use draft::Draft;
use flink_operator_api::OperationKind;
use jiff::{SignedDuration, Timestamp};
use view::View;

/// When to look again whether a newer CRD was installed.
const CRD_LOOK: SignedDuration = SignedDuration::from_secs(60);

/// Says what to look at before deciding.
pub fn wanted(observed: &Observed, now: Timestamp) -> Wanted {
    View::of(observed, now).map_or_else(|_| Wanted::new(), |view| observe::wanted(&view))
}

/// Returns the port of the cluster's REST API, as its configuration says.
pub fn rest_port(observed: &Observed, now: Timestamp) -> u16 {
    View::of(observed, now).map_or(options::DEFAULT_REST_PORT, |view| view.options.rest_port)
}

/// Decides the next step.
pub fn decide(observed: &Observed, now: Timestamp, ids: &Ids) -> Step {
    let view = match View::of(observed, now) {
        Ok(view) => view,
        // A status that cannot be read may hold an operation: nothing can be done safely.
        Err(unreadable) => return view::unreadable(observed, &unreadable),
    };
    if view.meta.deleted_at.is_some() && !view.meta.has_finalizer() {
        return rest::nothing(&view);
    }
    if view.meta.deleted_at.is_none() && !view.meta.has_finalizer() {
        return add_finalizer(&view);
    }
    let draft = match observe::apply(&view) {
        observe::Applied::Ask(wanted) => return Step::Ask(wanted),
        observe::Applied::Draft(draft) => *draft,
    };
    if view.meta.deleted_at.is_some() {
        return delete::decide(&view, draft, ids);
    }
    let observed_only = observed.crd_outdated.then(|| draft.clone());
    match (go_on(&view, draft, ids), observed_only) {
        (Step::Act(decision), Some(draft)) if decision.needs_additive => crd_outdated(&view, draft),
        (step, _) => step,
    }
}

/// Goes on with what has begun, or begins what the spec asks for.
fn go_on(view: &View<'_>, draft: Draft, ids: &Ids) -> Step {
    match draft.operation().map(|operation| operation.kind) {
        Some(OperationKind::Deploy) => resume::resume(view, draft, ids),
        Some(OperationKind::End) => end::decide(view, draft, ids),
        Some(OperationKind::Stop) => stop::go_on(view, draft, ids),
        Some(OperationKind::Submit | OperationKind::Snapshot | OperationKind::Rollback) => {
            rest::unknown_operation(view, draft)
        }
        None => change::decide(view, draft, ids),
    }
}

/// Stores what was observed and nothing of what would be begun: the API server would drop the half of it.
fn crd_outdated(view: &View<'_>, mut draft: Draft) -> Step {
    let message = "the installed CRD drops status.operation, status.cluster or status.lineage, without which nothing is \
                   deployed or stopped; install this operator's CRDs (flink-operator crds apply)";
    let notice = Notice::warning("Operator", Reason::CrdOutdated.as_str(), message);
    draft.fail(Problem::Reconciliation, None, message, notice);
    draft.degrade(Reason::CrdOutdated, message);
    draft.wait(Reason::CrdOutdated, message);
    draft.rest(view, Revisit::after(CRD_LOOK, "crd-outdated"))
}

fn add_finalizer(view: &View<'_>) -> Step {
    let status = Status::FlinkDeployment(Box::new(view.stored.clone()));
    Step::Act(Box::new(Decision {
        intent: None,
        effects: vec![Effect::AddFinalizer],
        needs_additive: false,
        status,
        notices: Vec::new(),
        revisit: Revisit::after(view.options.progress_interval, "finalizer"),
    }))
}
