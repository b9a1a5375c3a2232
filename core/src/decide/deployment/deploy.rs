//! Starting a cluster by the deploy protocol, and going on with a start after any crash.
//!
//! Stored intent, then the Deployment, then its uid stored, then its children, the configuration
//! last: no JobManager can start before, and a former leader stops at the uid.

use super::draft::Draft;
use super::ha;
use super::render::{self, Rendered};
use super::view::View;
use crate::decision::{Notice, Revisit, Step};
use crate::effect::{Deletion, Effect, Owner};
use crate::name::{AttemptId, Ids, Uid};
use crate::observed::{Child, ChildKind, Deployment};
use crate::question::{Question, Wanted};
use crate::status::conditions::Reason;
use crate::status::error::Problem;
use crate::status::recorded::Recorded;
use flink_operator_api::{
    Attempt, FlinkDeploymentSpec, FlinkJobState, JobManagerDeploymentStatus, JobState, Operation,
    OperationKind, ReconciliationState, Restore, UpgradeMode,
};
use jiff::{SignedDuration, Timestamp};

/// How long the requests of one attempt may be sent.
const ATTEMPT: SignedDuration = SignedDuration::from_secs(15);
/// How long after that a request may still arrive.
const LATE: SignedDuration = SignedDuration::from_secs(5);
/// How often objects are looked at that nothing watches.
const LOOK: SignedDuration = SignedDuration::from_millis(500);

/// Why a cluster is started, which says what is recorded with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The user's current spec, for the first time or after an end.
    Spec,
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
        return unrecorded(view, draft, deployment, spec);
    }
    if let Some(blocked) = leftovers(view, &mut draft) {
        return draft.rest(view, blocked);
    }
    if let Some(wait) = earlier_attempt(view, &draft) {
        draft.wait(
            Reason::WaitingForAttempt,
            "a request of an earlier attempt may still arrive; waiting until it cannot",
        );
        return draft.rest(view, Revisit::after(wait, "earlier attempt"));
    }
    let Some(maps) = view.observed.answers.ha.value() else {
        return unknown(view, draft, "high-availability data");
    };
    let attempt = Attempt {
        id: ids.attempt.as_str().to_owned(),
        job_id: Some(render::job_id(view, spec, ids).as_str().to_owned()),
        result_store_id: Some(ids.result_store.as_str().to_owned()),
        restore: Restore::None,
        children_hash: None,
    };
    let rendered = match render::render(view, spec, &attempt) {
        Ok(rendered) => rendered,
        Err(problem) => return invalid(view, draft, &problem.to_string()),
    };
    let attempt = Attempt {
        children_hash: Some(rendered.hash.clone()),
        ..attempt
    };
    let generation = match purpose {
        Purpose::Spec => view.meta.generation,
        Purpose::Recovery => draft
            .doc
            .typed
            .observed_generation
            .unwrap_or(view.meta.generation),
    };
    record_attempt(view, &mut draft, spec, &attempt, purpose);
    let not_after = view.now + ATTEMPT;
    draft.status().operation = Some(Operation {
        id: ids.operation.clone(),
        kind: OperationKind::Deploy,
        generation,
        started_at: view.now.to_string(),
        not_after: Some(not_after.to_string()),
        attempt: Some(attempt),
        trigger: None,
    });
    draft.wait(
        Reason::Deploying,
        format!("creating the objects of the cluster, since {}", view.now),
    );
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

/// What upstream records right before it submits, so that it could go on from here.
fn record_attempt(
    view: &View<'_>,
    draft: &mut Draft,
    spec: &FlinkDeploymentSpec,
    attempt: &Attempt,
    purpose: Purpose,
) {
    draft.status().error = None;
    draft.status().cluster = None;
    draft.status().lineage = None;
    let millis = view.now.as_millisecond();
    draft.reconciliation().reconciliation_timestamp = Some(millis);
    draft.set_job_manager(JobManagerDeploymentStatus::Missing);
    let job = draft.job();
    job.job_id.clone_from(&attempt.job_id);
    job.start_time = None;
    job.upgrade_savepoint_path = None;
    if let Some(info) = draft.status().cluster_info.as_mut() {
        info.clear();
    }
    if purpose == Purpose::Recovery {
        return;
    }
    let first = draft.recorded.is_none();
    let mut recorded = Recorded::new(spec.clone(), first)
        .with_state(JobState::Suspended)
        .with_mode(UpgradeMode::Stateless);
    carry_nonces(draft.recorded.as_ref(), &mut recorded);
    draft.record(recorded);
    draft.reconciliation().state = Some(ReconciliationState::Upgrading);
    draft.status().observed_generation = Some(view.meta.generation);
}

/// Keeps the nonces of triggers that have not been carried out, as upstream does.
fn carry_nonces(old: Option<&Recorded>, new: &mut Recorded) {
    let old = old.and_then(|old| old.spec.job.as_ref());
    if let (Some(old), Some(new)) = (old, new.spec.job.as_mut()) {
        new.savepoint_trigger_nonce = old.savepoint_trigger_nonce;
        new.checkpoint_trigger_nonce = old.checkpoint_trigger_nonce;
    }
}

fn create_all(rendered: &Rendered, attempt: &AttemptId, not_after: Timestamp) -> Vec<Effect> {
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

/// Goes on with a start that is stored but not known to be complete.
pub(super) fn resume(view: &View<'_>, mut draft: Draft, ids: &Ids) -> Step {
    let wanted = proofs();
    if !view.observed.missing(&wanted).is_empty() {
        return Step::Ask(wanted);
    }
    let Some(operation) = draft.operation().cloned() else {
        return super::rest::at_rest(view, draft);
    };
    let Some(attempt) = operation.attempt.clone() else {
        return again(view, draft, ids);
    };
    let Some(found) = view.observed.deployment.value() else {
        return unknown(view, draft, "the Deployment");
    };
    let Some(children) = view.observed.answers.children.value() else {
        return unknown(view, draft, "Services and ConfigMaps");
    };
    let Some(deployment) = found else {
        return none_yet(view, draft, ids, &operation, &attempt);
    };
    if !deployment.owned_by(view.uid().as_str()) {
        name_taken(&mut draft, "Deployment", view.name());
        return draft.rest(view, Revisit::on_change("name taken"));
    }
    if deployment.deleting {
        draft.wait(
            Reason::DeletingCluster,
            "waiting for the Deployment of an attempt that failed to be deleted",
        );
        return draft.rest(view, Revisit::after(LOOK, "deleting"));
    }
    if deployment.attempt.as_ref().map(AttemptId::as_str) != Some(attempt.id.as_str()) {
        return other_attempt(view, draft, deployment, children);
    }
    complete(view, draft, &operation, &attempt, deployment, children)
}

/// No Deployment: the same request again while it may be sent, else a new attempt.
fn none_yet(
    view: &View<'_>,
    mut draft: Draft,
    ids: &Ids,
    operation: &Operation,
    attempt: &Attempt,
) -> Step {
    let not_after = time(operation.not_after.as_deref());
    let (Some(not_after), Some(spec)) = (not_after, attempted_spec(view, &draft, operation)) else {
        return again(view, draft, ids);
    };
    let same = render::render(view, &spec, attempt)
        .ok()
        .filter(|rendered| Some(&rendered.hash) == attempt.children_hash.as_ref());
    let created = draft.doc.typed.cluster.is_some();
    let (true, false, Some(rendered)) = (view.now < not_after, created, same) else {
        return again(view, draft, ids);
    };
    if let Some(blocked) = leftovers(view, &mut draft) {
        return draft.rest(view, blocked);
    }
    let Some(maps) = view.observed.answers.ha.value() else {
        return unknown(view, draft, "high-availability data");
    };
    draft.wait(
        Reason::Deploying,
        format!(
            "creating the objects of the cluster, since {}",
            operation.started_at
        ),
    );
    let mut effects = ha::remove_graphs(maps);
    effects.extend(create_all(
        &rendered,
        &AttemptId::new(&attempt.id),
        not_after,
    ));
    draft.act(
        view,
        effects,
        Revisit::after(view.options.progress_interval, "deploying"),
    )
}

/// Begins a new attempt with the newest spec, once the old one's requests cannot arrive any more.
fn again(view: &View<'_>, mut draft: Draft, ids: &Ids) -> Step {
    if let Some(wait) = earlier_attempt(view, &draft) {
        draft.wait(
            Reason::WaitingForAttempt,
            "a request of an earlier attempt may still arrive; waiting until it cannot",
        );
        return draft.rest(view, Revisit::after(wait, "earlier attempt"));
    }
    if is_recovery(&draft) {
        let recorded = draft.recorded.clone();
        return match recorded {
            Some(recorded) => start(view, draft, ids, &recorded.spec, Purpose::Recovery),
            None => super::rest::at_rest(view, draft),
        };
    }
    draft.status().operation = None;
    super::change::deploy_current(view, draft, ids)
}

/// Our Deployment is there: its children are completed, or it is taken back if they cannot be.
fn complete(
    view: &View<'_>,
    mut draft: Draft,
    operation: &Operation,
    attempt: &Attempt,
    deployment: &Deployment,
    children: &[Child],
) -> Step {
    let configured = children
        .iter()
        .any(|child| child.owners.contains(&deployment.uid) && is_configuration(view, child));
    if configured {
        // Everything else was created before it; from here on the JobManager may run.
        deployed(&mut draft, attempt, &Uid::new(&deployment.uid));
        return draft.rest(view, Revisit::now("deployed"));
    }
    let in_the_way = children
        .iter()
        .find(|child| !child.owners.contains(&deployment.uid));
    if let Some(child) = in_the_way.filter(|child| child.owners.is_empty()) {
        name_taken(&mut draft, child.kind.as_str(), &child.name);
        return draft.rest(
            view,
            Revisit::after(view.options.progress_interval, "name taken"),
        );
    }
    let rendered = attempted_spec(view, &draft, operation)
        .and_then(|spec| render::render(view, &spec, attempt).ok());
    let same = rendered.filter(|rendered| {
        Some(&rendered.hash) == attempt.children_hash.as_ref()
            && deployment.children_hash.as_ref() == Some(&rendered.hash)
    });
    if let (Some(rendered), None) = (same, in_the_way) {
        return create_missing(view, draft, &rendered, deployment, children);
    }
    draft.wait(
        Reason::DeletingCluster,
        "the attempt cannot be completed with the current spec and configuration; starting over",
    );
    let effect = Effect::DeleteDeployment {
        name: view.name().to_owned(),
        uid: Uid::new(&deployment.uid),
        because: Deletion::NeverRan,
    };
    draft.act(view, vec![effect], Revisit::after(LOOK, "starting over"))
}

/// Creates the children that a crash left out, in the same order: the configuration last.
fn create_missing(
    view: &View<'_>,
    mut draft: Draft,
    rendered: &Rendered,
    deployment: &Deployment,
    children: &[Child],
) -> Step {
    let uid = Uid::new(&deployment.uid);
    // A new window: these requests are harmless at any time, being owned by this very Deployment.
    let not_after = view.now + ATTEMPT;
    let there = |kind: ChildKind, name: Option<&str>| {
        children
            .iter()
            .any(|child| child.kind == kind && Some(child.name.as_str()) == name)
    };
    let missing: Vec<Effect> = rendered
        .children
        .iter()
        .filter(|(kind, body)| !there(*kind, body["metadata"]["name"].as_str()))
        .map(|(kind, body)| Effect::CreateChild {
            kind: *kind,
            body: Box::new(body.clone()),
            owner: Owner::Seen(uid.clone()),
            not_after,
        })
        .collect();
    note_cluster(&mut draft, &uid);
    draft.wait(Reason::Deploying, "completing the objects of the cluster");
    draft.act(
        view,
        missing,
        Revisit::after(view.options.progress_interval, "deploying"),
    )
}

/// Another attempt's Deployment stands there.
fn other_attempt(
    view: &View<'_>,
    mut draft: Draft,
    deployment: &Deployment,
    children: &[Child],
) -> Step {
    let may_run = deployment.attempt.is_none()
        || children
            .iter()
            .any(|child| child.owners.contains(&deployment.uid) && is_configuration(view, child));
    let java_made_it = deployment.attempt.is_none()
        && deployment.generation == draft.doc.typed.observed_generation;
    if java_made_it {
        // The Java operator took over in the middle and finished what was begun.
        let attempt = Attempt::default();
        deployed(&mut draft, &attempt, &Uid::new(&deployment.uid));
        return draft.rest(view, Revisit::now("adopted"));
    }
    draft.wait(
        Reason::DeletingCluster,
        "a Deployment of an earlier attempt is in the way; deleting it",
    );
    let because = if may_run {
        Deletion::Ended
    } else {
        Deletion::NeverRan
    };
    let effect = Effect::DeleteDeployment {
        name: view.name().to_owned(),
        uid: Uid::new(&deployment.uid),
        because,
    };
    draft.act(view, vec![effect], Revisit::after(LOOK, "deleting"))
}

/// A Deployment of this resource that the status does not speak of: a late request of a former
/// leader, or the status was lost. It is taken down if no state can be lost with it.
fn unrecorded(
    view: &View<'_>,
    mut draft: Draft,
    deployment: &Deployment,
    spec: &FlinkDeploymentSpec,
) -> Step {
    if deployment.deleting {
        draft.wait(
            Reason::DeletingCluster,
            "waiting for the old JobManager Deployment to be gone",
        );
        return draft.rest(view, Revisit::after(LOOK, "old Deployment"));
    }
    let children = view
        .observed
        .answers
        .children
        .value()
        .map_or(&[][..], Vec::as_slice);
    let may_run = view.observed.answers.children.value().is_none()
        || deployment.attempt.is_none()
        || children
            .iter()
            .any(|child| child.owners.contains(&deployment.uid) && is_configuration(view, child));
    let stateless = spec
        .job
        .as_ref()
        .is_none_or(|job| job.upgrade_mode == UpgradeMode::Stateless);
    if may_run && !stateless {
        super::change::announce(
            &mut draft,
            Reason::StatefulUpgradeNotAvailable,
            "a JobManager Deployment of this resource is there that the status does not know; its job may hold state. \
             Delete it by hand if its work may end, or set spec.job.upgradeMode to stateless",
        );
        return draft.rest(view, Revisit::on_change("unrecorded Deployment"));
    }
    draft.wait(
        Reason::DeletingCluster,
        "deleting a JobManager Deployment of this resource that the status does not know",
    );
    let because = if may_run {
        Deletion::Ended
    } else {
        Deletion::NeverRan
    };
    let effect = Effect::DeleteDeployment {
        name: view.name().to_owned(),
        uid: Uid::new(&deployment.uid),
        because,
    };
    draft.act(view, vec![effect], Revisit::after(LOOK, "deleting"))
}

/// Records that the cluster has been created completely.
pub(super) fn deployed(draft: &mut Draft, attempt: &Attempt, uid: &Uid) {
    note_cluster(draft, uid);
    draft.status().operation = None;
    draft.status().error = None;
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

/// Finds what is left of an earlier cluster; creation needs a look that saw nothing.
fn leftovers(view: &View<'_>, draft: &mut Draft) -> Option<Revisit> {
    let found = view.observed.deployment.value();
    let pods = view.observed.answers.pods.value();
    let children = view.observed.answers.children.value();
    let (Some(found), Some(pods), Some(children)) = (found, pods, children) else {
        draft.wait(
            Reason::WaitingForCleanup,
            "the API server did not say what is left of an earlier cluster",
        );
        return Some(Revisit::after(LOOK, "unknown leftovers"));
    };
    if found.is_some() {
        name_taken(draft, "Deployment", view.name());
        return Some(Revisit::on_change("name taken"));
    }
    if let Some(pod) = pods.iter().find(|pod| !pod.ended) {
        draft.wait(
            Reason::WaitingForPods,
            format!("waiting for pod {} of the old cluster to be gone", pod.name),
        );
        return Some(Revisit::after(LOOK, "old pods"));
    }
    let child = children
        .iter()
        .min_by_key(|child| !child.owners.is_empty())?;
    if child.owners.is_empty() {
        name_taken(draft, child.kind.as_str(), &child.name);
        return Some(Revisit::after(view.options.progress_interval, "name taken"));
    }
    let what = format!(
        "waiting for {} {} of the old cluster to be gone",
        child.kind.as_str(),
        child.name
    );
    draft.wait(Reason::WaitingForCleanup, what);
    Some(Revisit::after(LOOK, "old children"))
}

fn name_taken(draft: &mut Draft, kind: &str, name: &str) {
    let message = format!(
        "{kind} {name} exists and does not belong to this resource; delete or rename it, or give the resource another name"
    );
    draft.degrade(Reason::NameTaken, message.clone());
    draft.wait(Reason::NameTaken, message);
}

/// Returns how long requests of an earlier attempt may still arrive.
fn earlier_attempt(view: &View<'_>, draft: &Draft) -> Option<SignedDuration> {
    let operation = draft.operation()?;
    operation.attempt.as_ref()?;
    let harmless = time(operation.not_after.as_deref())? + LATE;
    (view.now < harmless).then(|| harmless.duration_since(view.now))
}

/// The spec that the attempt was rendered from, as long as it is still there.
///
/// The record differs from the user's spec in state and mode, which the configuration depends on.
fn attempted_spec(
    view: &View<'_>,
    draft: &Draft,
    operation: &Operation,
) -> Option<FlinkDeploymentSpec> {
    if is_recovery(draft) {
        return draft
            .recorded
            .as_ref()
            .map(|recorded| recorded.spec.clone());
    }
    let unchanged = operation.generation == view.meta.generation;
    view.spec.ok().filter(|_| unchanged).cloned()
}

/// A recovery leaves the record of the deployed spec as it is.
fn is_recovery(draft: &Draft) -> bool {
    draft.reconciliation_state() == ReconciliationState::Deployed
}

fn is_configuration(view: &View<'_>, child: &Child) -> bool {
    child.kind == ChildKind::ConfigMap && child.name == format!("flink-config-{}", view.name())
}

fn unknown(view: &View<'_>, mut draft: Draft, what: &str) -> Step {
    draft.wait(
        Reason::WaitingForCleanup,
        format!("the API server did not answer about {what}; looking again"),
    );
    draft.rest(view, Revisit::after(LOOK, "unknown"))
}

fn time(text: Option<&str>) -> Option<Timestamp> {
    text.and_then(|text| text.parse().ok())
}
