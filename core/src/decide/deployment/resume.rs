//! Going on with a start after a crash: by looking how far it came, never by repeating blindly.

use super::deploy::{
    self, ATTEMPT, LOOK, Purpose, create_all, deployed, note_cluster, start, unknown,
};
use super::draft::Draft;
use super::leftovers::{self, is_configuration, time};
use super::render::{self, Rendered};
use super::view::View;
use super::{change, ha, valid};
use crate::decision::{Revisit, Step};
use crate::effect::{Deletion, Effect, Owner};
use crate::name::{AttemptId, Ids, Uid};
use crate::observed::{Child, ChildKind, Deployment};
use crate::status::conditions::Reason;
use flink_operator_api::{Attempt, FlinkDeploymentSpec, Operation, ReconciliationState};

/// Goes on with a start that is stored but not known to be complete.
pub(super) fn resume(view: &View<'_>, mut draft: Draft, ids: &Ids) -> Step {
    let wanted = deploy::proofs();
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
        leftovers::name_taken(&mut draft, "Deployment", view.name());
        return draft.rest(
            view,
            Revisit::after(view.options.progress_interval, "name taken"),
        );
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
    let spec = attempted_spec(view, &draft, operation);
    let created = draft.doc.typed.cluster.is_some();
    if created && !change::gives_up(view, &draft) {
        // Somebody deleted it. It may have run, and its state may be newer than what it was started from.
        let uid = draft.doc.typed.cluster.as_ref();
        let uid = Uid::new(uid.map_or("", |cluster| cluster.deployment_uid.as_str()));
        deployed(&mut draft, attempt, &uid);
        return draft.rest(view, Revisit::now("lost"));
    }
    let (Some(not_after), Some(spec)) = (not_after, spec) else {
        return again(view, draft, ids);
    };
    let same = render::render(view, &spec, attempt, operation.generation)
        .ok()
        .filter(|rendered| Some(&rendered.hash) == attempt.children_hash.as_ref());
    let (true, false, Some(rendered)) = (view.now < not_after, created, same) else {
        return again(view, draft, ids);
    };
    if let Some(blocked) = leftovers::find(view, &mut draft) {
        return draft.rest(view, blocked);
    }
    let Some(maps) = view.observed.answers.ha.value() else {
        return unknown(view, draft, "high-availability data");
    };
    let message = deploy::creating(&draft, &operation.started_at);
    draft.starting(view, message);
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
    if let Some(wait) = leftovers::earlier_attempt(view, &draft) {
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
    change::deploy_current(view, draft, ids)
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
        leftovers::name_taken(&mut draft, child.kind.as_str(), &child.name);
        return draft.rest(
            view,
            Revisit::after(view.options.progress_interval, "name taken"),
        );
    }
    let rendered = attempted_spec(view, &draft, operation)
        .and_then(|spec| render::render(view, &spec, attempt, operation.generation).ok());
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
    // It cannot have run: once it is gone, the next one starts from the same restore point.
    draft.status().cluster = None;
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
    // A new window, stored with the intent: a child that arrives late must be waited for as well.
    let not_after = view.now + ATTEMPT;
    if let Some(operation) = draft.status().operation.as_mut() {
        operation.not_after = Some(not_after.to_string());
    }
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
    draft.starting(view, "completing the objects of the cluster");
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
    let stateless = view.spec.is_ok_and(super::change::is_stateless);
    if may_run && !stateless {
        super::change::announce(
            &mut draft,
            Reason::ManualRestoreRequired,
            "a JobManager Deployment of an earlier attempt is in the way; its job may hold newer state. Delete it by hand if \
             its work may end, or set spec.job.upgradeMode to stateless",
        );
        return draft.rest(
            view,
            Revisit::after(
                view.options.progress_interval,
                "earlier attempt's Deployment",
            ),
        );
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

/// The spec that the attempt was rendered from, as long as it is still there.
///
/// The record differs from the user's spec in state and mode, which the configuration depends on; an
/// attempt with the last valid spec was rendered from the record itself.
fn attempted_spec(
    view: &View<'_>,
    draft: &Draft,
    operation: &Operation,
) -> Option<FlinkDeploymentSpec> {
    let recorded = || {
        draft
            .recorded
            .as_ref()
            .map(|recorded| recorded.spec.clone())
    };
    if is_recovery(draft) {
        return recorded();
    }
    match valid::check(view) {
        Some(_) => recorded(),
        None if operation.generation == view.meta.generation => {
            let spec = view.spec.ok()?;
            Some(super::change::with_overrides(view, draft, spec))
        }
        None => None,
    }
}

/// A recovery leaves the record of the deployed spec as it is.
fn is_recovery(draft: &Draft) -> bool {
    draft.reconciliation_state() == ReconciliationState::Deployed
}
