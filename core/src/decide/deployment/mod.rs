//! Decisions for a `FlinkDeployment`: one module per concern, tried in one order.
//!
//! Deletion comes first, then the finalizer, then an operation that has begun, then an edit, then
//! recovery, then rest. What an operation remembers is in `status.operation`; how far it came is
//! read off the world.

mod change;
mod checkpoints;
mod cluster;
mod delete;
mod deploy;
mod draft;
mod end;
mod failure;
pub mod ha;
mod jobs;
mod leftovers;
mod observe;
mod options;
mod recover;
mod render;
mod rest;
mod resume;
mod settle;
mod valid;
mod view;

pub use settle::settle;

#[cfg(test)]
mod tests;

use crate::decision::{Decision, Revisit, Step};
use crate::effect::Effect;
use crate::name::Ids;
use crate::observed::Observed;
use crate::question::Wanted;
use crate::resource::Status;
use flink_operator_api::OperationKind;
use jiff::Timestamp;
use view::View;

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
    match draft.operation().map(|operation| operation.kind) {
        Some(OperationKind::Deploy) => resume::resume(&view, draft, ids),
        Some(OperationKind::End) => end::decide(&view, draft, ids),
        Some(
            OperationKind::Submit
            | OperationKind::Stop
            | OperationKind::Snapshot
            | OperationKind::Rollback,
        ) => rest::unknown_operation(&view, draft),
        None => change::decide(&view, draft, ids),
    }
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
