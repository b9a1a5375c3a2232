//! What the status is after effects: begins with the intent, and believes only what is sure.

use super::draft::Draft;
use super::view::View;
use super::{deploy, end, leftovers};
use crate::decision::{Decision, Notice, Settled};
use crate::effect::{Effect, Outcome, Receipt};
use crate::fact::Why;
use crate::name::Uid;
use crate::observed::Observed;
use crate::resource::Status;
use crate::status::conditions::Reason;
use crate::status::error::Problem;
use jiff::Timestamp;

/// Computes the status after these outcomes, in the order of the decision's effects.
pub fn settle(
    observed: &Observed,
    decision: &Decision,
    outcomes: &[Outcome],
    now: Timestamp,
) -> Settled {
    let intended = decision.intent.as_ref().unwrap_or(&decision.status);
    let Status::FlinkDeployment(intent) = intended else {
        return unchanged(intended);
    };
    let Ok(view) = View::of(observed, now) else {
        return unchanged(intended);
    };
    let mut draft = Draft::from_intent(&view, intent);
    let mut created = None;
    for (effect, outcome) in decision.effects.iter().zip(outcomes) {
        match outcome {
            Outcome::Done(receipt) => done(&mut draft, effect, receipt, &mut created),
            Outcome::Refused(why) => refused(&mut draft, effect, why),
            // Perhaps applied: the next pass looks, and the intent says what for.
            Outcome::Unknown(_) => {}
        }
    }
    let complete =
        outcomes.len() == decision.effects.len() && outcomes.iter().all(Outcome::is_done);
    if complete {
        completed(&mut draft, decision, created);
    }
    draft.finish(&view);
    Settled {
        status: Status::FlinkDeployment(Box::new(draft.doc)),
        notices: draft.notices,
    }
}

fn unchanged(status: &Status) -> Settled {
    Settled {
        status: status.clone(),
        notices: Vec::new(),
    }
}

fn done(draft: &mut Draft, effect: &Effect, receipt: &Receipt, created: &mut Option<Uid>) {
    match (effect, receipt) {
        (Effect::CreateDeployment { .. }, Receipt::Created(uid)) => {
            deploy::note_cluster(draft, uid);
            *created = Some(uid.clone());
        }
        (Effect::Cancel { .. }, _) => end::cancelling(draft),
        (
            Effect::CreateDeployment { .. }
            | Effect::AddFinalizer
            | Effect::RemoveFinalizer
            | Effect::SaveStatus
            | Effect::RemoveGraphs { .. }
            | Effect::CreateChild { .. }
            | Effect::DeleteDeployment { .. }
            | Effect::DeleteHaMap { .. },
            _,
        ) => {}
    }
}

/// After the last child of a start: the configuration is there, so that the JobManager may run.
fn completed(draft: &mut Draft, decision: &Decision, created: Option<Uid>) {
    let creates_children = decision
        .effects
        .iter()
        .any(|effect| matches!(effect, Effect::CreateChild { .. }));
    if !creates_children {
        return;
    }
    let stored = draft
        .doc
        .typed
        .cluster
        .as_ref()
        .map(|cluster| Uid::new(&cluster.deployment_uid));
    let attempt = draft
        .operation()
        .and_then(|operation| operation.attempt.clone());
    if let (Some(uid), Some(attempt)) = (created.or(stored), attempt) {
        deploy::deployed(draft, &attempt, &uid);
    }
}

/// Surely not applied, and the server said why: so does the status.
fn refused(draft: &mut Draft, effect: &Effect, why: &Why) {
    if let (Why::Taken, Effect::CreateChild { kind, body, .. }) = (why, effect) {
        let name = body["metadata"]["name"].as_str().unwrap_or_default();
        return leftovers::name_taken(draft, kind.as_str(), name);
    }
    let Why::Status { code, message } = why else {
        return;
    };
    let text = match (effect, code) {
        // Somebody was quicker, or a stale look: the next pass sees what is there.
        (
            Effect::AddFinalizer
            | Effect::RemoveFinalizer
            | Effect::SaveStatus
            | Effect::RemoveGraphs { .. },
            409,
        )
        | (
            Effect::CreateDeployment { .. }
            | Effect::DeleteDeployment { .. }
            | Effect::DeleteHaMap { .. }
            | Effect::Cancel { .. },
            404 | 409,
        ) => return,
        _ => format!("{} refused with HTTP {code}: {message}", effect.label()),
    };
    draft.degrade(Reason::RequestRefused, text.clone());
    draft.fail(
        Problem::Reconciliation,
        None,
        &text,
        Notice::warning("JobManagerDeployment", "Error", text.clone()),
    );
}
