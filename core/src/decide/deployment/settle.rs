//! What the status is after effects: begins with the intent, and believes only what is sure.

use super::draft::Draft;
use super::view::View;
use super::{deploy, end, leftovers, refusal, snapshots};
use crate::decision::{Decision, Notice, Settled};
use crate::effect::{Effect, Outcome, Receipt};
use crate::fact::Why;
use crate::name::Uid;
use crate::observed::Observed;
use crate::resource::Status;
use crate::status::conditions::Reason;
use crate::status::error::Problem;
use flink_operator_api::Trigger;
use jiff::{SignedDuration, Timestamp};

const NOT_SAID: &str = "the API server did not say whether savepoint";

/// How long it is tried to record a savepoint as a resource.
const RECORDING_TAKES: SignedDuration = SignedDuration::from_secs(30);

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
            Outcome::Refused(why) => refused(&view, &mut draft, effect, why),
            // Perhaps applied: the next pass looks, and the intent says what for.
            Outcome::Unknown(why) => unknown(&view, &mut draft, effect, why),
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
        (Effect::RecordSnapshot { .. }, _) => snapshots::recorded(draft),
        (
            Effect::CreateDeployment { .. }
            | Effect::AddFinalizer
            | Effect::RemoveFinalizer
            | Effect::SaveStatus
            | Effect::RemoveGraphs { .. }
            | Effect::CreateChild { .. }
            | Effect::DeleteDeployment { .. }
            | Effect::StopWithSavepoint { .. }
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

/// Where no snapshot resource can be made, the status's own list records the savepoint.
fn not_recorded(view: &View<'_>, draft: &mut Draft, trigger: &Trigger, why: &Why) {
    let path = trigger.path.as_deref().unwrap_or_default();
    let message = format!(
        "savepoint {path} could not be recorded as a FlinkStateSnapshot ({why}); it is recorded in \
         status.jobStatus.savepointInfo. Install the CRD and the rights of the chart, or set \
         kubernetes.operator.snapshot.resource.enabled to false"
    );
    draft.notice(Notice::warning("Snapshot", "SavepointError", message));
    snapshots::list(draft, trigger, view.options.savepoints.format);
}

/// A cluster whose savepoint is stored does not stay for a record that cannot be made.
fn unknown(view: &View<'_>, draft: &mut Draft, effect: &Effect, why: &Why) {
    let Some(operation) = draft.operation().cloned() else {
        return;
    };
    let (Effect::RecordSnapshot { .. }, Some(trigger)) = (effect, operation.trigger) else {
        return;
    };
    // Asked again, the server names one that it made without having been able to say so.
    let mut stored = view.stored.typed.conditions.iter().flatten();
    let again = stored.any(|condition| {
        let message = condition.message.as_deref();
        message.is_some_and(|message| message.starts_with(NOT_SAID))
    });
    if again && view.since(&operation.started_at) >= RECORDING_TAKES {
        return not_recorded(view, draft, &trigger, why);
    }
    let path = trigger.path.as_deref().unwrap_or_default();
    draft.wait(
        Reason::DeletingCluster,
        format!("{NOT_SAID} {path} is recorded as a FlinkStateSnapshot ({why}); asking again"),
    );
}

/// Surely not applied, and the server said why: so does the status.
fn refused(view: &View<'_>, draft: &mut Draft, effect: &Effect, why: &Why) {
    let trigger = draft
        .operation()
        .and_then(|operation| operation.trigger.clone());
    if let (Effect::RecordSnapshot { .. }, Some(trigger)) = (effect, &trigger) {
        return not_recorded(view, draft, trigger, why);
    }
    if let Effect::StopWithSavepoint { .. } = effect {
        // Only a request that is wrong in itself is refused for good; else the next pass looks.
        if let (Why::Status { code: 400, message }, Some(trigger)) = (why, &trigger) {
            refusal::refused(view.now, draft, trigger, message);
        }
        return;
    }
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
