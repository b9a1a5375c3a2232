//! Starting a cluster by the deploy protocol.
//!
//! Stored intent, then the Deployment, then its uid stored, then its children, the configuration
//! last: no JobManager can start before, and a former leader stops at the uid.

use super::draft::Draft;
use super::render::{self, Rendered};
use super::view::View;
use super::{ha, leftovers, restore};
use crate::decision::{Notice, Revisit, Step};
use crate::effect::{Effect, Owner};
use crate::name::{AttemptId, Ids, Uid};
use crate::question::{Question, Wanted};
use crate::status::conditions::Reason;
use crate::status::error::Problem;
use crate::status::recorded::Recorded;
use flink_operator_api::{
    Attempt, FlinkDeploymentSpec, FlinkJobState, JobManagerDeploymentStatus, JobState,
    LAST_STATE_MARKER, Lineage, Operation, OperationKind, ReconciliationState, Restore,
    UpgradeMode,
};
use jiff::{SignedDuration, Timestamp};

/// How long the requests of one attempt may be sent.
pub(super) const ATTEMPT: SignedDuration = SignedDuration::from_secs(15);
/// How often objects are looked at that nothing watches.
pub(super) const LOOK: SignedDuration = SignedDuration::from_millis(500);

/// Why a cluster is started, which says what is recorded with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The user's current spec, for the first time or after an end.
    Spec,
    /// The last valid spec, to complete an operation that an invalid edit must not stop.
    LastValid,
    /// The spec that was deployed already: its Deployment was lost.
    Recovery,
}

/// What must be known right before a Deployment is created.
pub(super) fn proofs() -> Wanted {
    Wanted::from([Question::Pods, Question::Children, Question::Ha])
}

/// Begins a start, if nothing of an earlier cluster is left.
pub(super) fn start(
    view: &View<'_>,
    mut draft: Draft,
    ids: &Ids,
    spec: &FlinkDeploymentSpec,
    purpose: Purpose,
) -> Step {
    let missing = view.observed.missing(&proofs());
    if !missing.is_empty() {
        return Step::Ask(proofs());
    }
    if let Some(Some(deployment)) = view.observed.deployment.value()
        && deployment.owned_by(view.uid().as_str())
    {
        return leftovers::unrecorded(view, draft, deployment, ids, spec);
    }
    if let Some(blocked) = leftovers::find(view, &mut draft) {
        return draft.rest(view, blocked);
    }
    if let Some(wait) = leftovers::earlier_attempt(view, &draft) {
        draft.wait(
            Reason::WaitingForAttempt,
            "a request of an earlier attempt may still arrive; waiting until it cannot",
        );
        return draft.rest(view, Revisit::after(wait, "earlier attempt"));
    }
    let Some(maps) = view.observed.answers.ha.value() else {
        return unknown(view, draft, "high-availability data");
    };
    let (restore, lineage) = match restore::source(&draft, spec, purpose).attempt() {
        Ok(source) => source,
        Err((reason, message)) => return super::change::blocked(view, draft, reason, &message),
    };
    let attempt = Attempt {
        id: ids.attempt.as_str().to_owned(),
        job_id: Some(render::job_id(view, spec, ids).as_str().to_owned()),
        result_store_id: Some(ids.result_store.as_str().to_owned()),
        restore,
        children_hash: None,
    };
    let generation = match purpose {
        Purpose::Spec => view.meta.generation,
        Purpose::LastValid | Purpose::Recovery => draft
            .doc
            .typed
            .observed_generation
            .unwrap_or(view.meta.generation),
    };
    let rendered = match render::render(view, spec, &attempt, generation) {
        Ok(rendered) => rendered,
        Err(problem) => return invalid(view, draft, &problem.to_string()),
    };
    let attempt = Attempt {
        children_hash: Some(rendered.hash.clone()),
        ..attempt
    };
    draft.keep_refusal(view);
    record_attempt(view, &mut draft, spec, &attempt, lineage, purpose);
    let not_after = view.now + ATTEMPT;
    draft.status().operation = Some(Operation {
        id: ids.operation.clone(),
        kind: OperationKind::Deploy,
        generation,
        started_at: view.now.to_string(),
        not_after: Some(not_after.to_string()),
        not_before: None,
        attempt: Some(attempt),
        trigger: None,
    });
    let message = creating(&draft, &view.now.to_string());
    draft.starting(view, message);
    for warning in &rendered.warnings {
        draft.notice(Notice::warning("Operator", "ConfigurationWarning", warning));
    }
    draft.notice(Notice::normal(
        "JobManagerDeployment",
        "Submit",
        "Starting deployment",
    ));
    let mut effects = ha::remove_graphs(maps);
    effects.extend(create_all(&rendered, &ids.attempt, not_after));
    draft.act(
        view,
        effects,
        Revisit::after(view.options.progress_interval, "deploying"),
    )
}

/// Says what is being done, and from what the job is to start.
pub(super) fn creating(draft: &Draft, since: &str) -> String {
    let attempt = draft
        .operation()
        .and_then(|operation| operation.attempt.as_ref());
    match attempt.map(|attempt| &attempt.restore) {
        Some(Restore::Savepoint { path }) => {
            let lineage = draft.doc.typed.lineage.as_ref();
            let newest = lineage.and_then(|lineage| lineage.newest.as_ref());
            let taken = newest.and_then(|newest| newest.at.as_deref());
            let taken = taken
                .map(|at| format!(", taken at {at}"))
                .unwrap_or_default();
            format!(
                "creating the objects of the cluster, since {since}; the job starts from {path}{taken}"
            )
        }
        Some(Restore::None | Restore::LastState) | None => {
            format!("creating the objects of the cluster, since {since}")
        }
    }
}

/// What upstream records right before it submits, so that it could go on from here.
pub(super) fn record_attempt(
    view: &View<'_>,
    draft: &mut Draft,
    spec: &FlinkDeploymentSpec,
    attempt: &Attempt,
    lineage: Option<Lineage>,
    purpose: Purpose,
) {
    if purpose == Purpose::Spec && !draft.is_refused() {
        draft.status().error = None;
    }
    draft.status().cluster = None;
    if attempt.restore == Restore::None {
        restore::forget(draft);
    }
    draft.status().lineage = lineage;
    let millis = view.now.as_millisecond();
    draft.reconciliation().reconciliation_timestamp = Some(millis);
    draft.set_job_manager(JobManagerDeploymentStatus::Missing);
    let job = draft.job();
    job.job_id.clone_from(&attempt.job_id);
    job.start_time = None;
    let (path, mode) = match &attempt.restore {
        Restore::None => (None, UpgradeMode::Stateless),
        Restore::Savepoint { path } => (Some(path.clone()), UpgradeMode::Savepoint),
        Restore::LastState => (Some(LAST_STATE_MARKER.to_owned()), UpgradeMode::LastState),
    };
    job.upgrade_savepoint_path = path;
    if let Some(info) = draft.status().cluster_info.as_mut() {
        info.clear();
    }
    if purpose == Purpose::Recovery {
        return;
    }
    let upgrading = draft.reconciliation_state() == ReconciliationState::Upgrading;
    let still_first = |old: &Recorded| upgrading && old.is_first_deployment();
    let first = draft.recorded.as_ref().is_none_or(still_first);
    let mut recorded = Recorded::new(spec.clone(), first)
        .with_state(JobState::Suspended)
        .with_mode(mode);
    carry_nonces(draft.recorded.as_ref(), &mut recorded);
    draft.record(recorded);
    draft.reconciliation().state = Some(ReconciliationState::Upgrading);
    if purpose == Purpose::Spec {
        draft.status().observed_generation = Some(view.meta.generation);
    }
}

/// Keeps the nonces of triggers that have not been carried out, as upstream does.
fn carry_nonces(old: Option<&Recorded>, new: &mut Recorded) {
    let old = old.and_then(|old| old.spec.job.as_ref());
    if let (Some(old), Some(new)) = (old, new.spec.job.as_mut()) {
        new.savepoint_trigger_nonce = old.savepoint_trigger_nonce;
        new.checkpoint_trigger_nonce = old.checkpoint_trigger_nonce;
    }
}

pub(super) fn create_all(
    rendered: &Rendered,
    attempt: &AttemptId,
    not_after: Timestamp,
) -> Vec<Effect> {
    let mut effects = vec![
        Effect::CreateDeployment {
            attempt: attempt.clone(),
            body: Box::new(rendered.deployment.clone()),
            not_after,
        },
        Effect::SaveStatus,
    ];
    effects.extend(
        rendered
            .children
            .iter()
            .map(|(kind, body)| Effect::CreateChild {
                kind: *kind,
                body: Box::new(body.clone()),
                owner: Owner::JustCreated,
                not_after,
            }),
    );
    effects
}

/// Records that the cluster has been created completely.
pub(super) fn deployed(draft: &mut Draft, attempt: &Attempt, uid: &Uid) {
    note_cluster(draft, uid);
    draft.status().operation = None;
    draft.status().error = None;
    draft.recovered();
    draft.set_job_manager(JobManagerDeploymentStatus::Deploying);
    if attempt.job_id.is_some() {
        draft.job().job_id.clone_from(&attempt.job_id);
    }
    draft.job().state = Some(FlinkJobState::Reconciling);
    draft.reconciliation().state = Some(ReconciliationState::Deployed);
    if let Some(recorded) = draft.recorded.clone() {
        draft.record(recorded.with_state(JobState::Running));
    }
    super::rest::task_managers(draft);
    draft.wait(
        Reason::WaitingForJobManager,
        "waiting for the JobManager's pod to become ready",
    );
}

/// Remembers the Deployment of the running attempt.
pub(super) fn note_cluster(draft: &mut Draft, uid: &Uid) {
    let attempt = draft
        .operation()
        .and_then(|operation| operation.attempt.clone());
    draft.status().cluster = Some(flink_operator_api::ClusterIdentity {
        attempt_id: attempt.as_ref().map(|attempt| attempt.id.clone()),
        deployment_uid: uid.as_str().to_owned(),
        result_store_id: attempt.and_then(|attempt| attempt.result_store_id),
    });
}

/// Reports a spec that cannot be rendered.
pub(super) fn invalid(view: &View<'_>, mut draft: Draft, message: &str) -> Step {
    draft.fail(
        Problem::Validation,
        None,
        message,
        Notice::warning("Operator", "ValidationError", message),
    );
    draft.degrade(Reason::InvalidSpec, message);
    draft.wait(
        Reason::InvalidSpec,
        format!("waiting for an edit of the spec: {message}"),
    );
    draft.rest(view, Revisit::on_change("invalid spec"))
}

pub(super) fn unknown(view: &View<'_>, mut draft: Draft, what: &str) -> Step {
    draft.wait(
        Reason::WaitingForCleanup,
        format!("the API server did not answer about {what}; looking again"),
    );
    draft.rest(view, Revisit::after(LOOK, "unknown"))
}
