//! What stands in the way of a start: rests of an earlier cluster, requests that may still arrive,
//! and objects of somebody else.

use super::deploy::LOOK;
use super::draft::Draft;
use super::view::View;
use crate::decision::{Notice, Revisit, Step};
use crate::effect::{Deletion, Effect};
use crate::name::{Ids, Uid};
use crate::observed::{Child, ChildKind, Deployment};
use crate::status::conditions::Reason;
use crate::status::error::Problem;
use flink_operator_api::{FlinkDeploymentSpec, OperationKind};
use jiff::{SignedDuration, Timestamp};

/// How long after its window a request may still arrive.
pub(super) const LATE: SignedDuration = SignedDuration::from_secs(5);

/// Finds what is left of an earlier cluster; creation needs a look that saw nothing.
pub(super) fn find(view: &View<'_>, draft: &mut Draft) -> Option<Revisit> {
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
        return Some(Revisit::after(view.options.progress_interval, "name taken"));
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

/// A Deployment of this resource that the status does not speak of: a late request of a former
/// leader, or the status was lost. It is taken down if no state can be lost with it.
pub(super) fn unrecorded(
    view: &View<'_>,
    mut draft: Draft,
    deployment: &Deployment,
    ids: &Ids,
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
    if may_run && !super::change::is_stateless(spec) {
        super::change::announce(
            &mut draft,
            Reason::StatefulUpgradeNotAvailable,
            "a JobManager Deployment of this resource is there that the status does not know; its job may hold state. \
             Delete it by hand if its work may end, or set spec.job.upgradeMode to stateless",
        );
        return draft.rest(
            view,
            Revisit::after(view.options.progress_interval, "unrecorded Deployment"),
        );
    }
    draft.begin(view, ids, OperationKind::End);
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

/// Names an object that stands in the way and is not ours to delete.
pub(super) fn name_taken(draft: &mut Draft, kind: &str, name: &str) {
    let message = format!(
        "{kind} {name} exists and does not belong to this resource; delete or rename it, or give the resource another name"
    );
    let notice = Notice::warning("Operator", Reason::NameTaken.as_str(), &message);
    draft.fail(Problem::Reconciliation, None, &message, notice);
    draft.wait(Reason::NameTaken, &message);
    draft.degrade(Reason::NameTaken, message);
}

/// Returns how long requests of an earlier attempt may still arrive.
pub(super) fn earlier_attempt(view: &View<'_>, draft: &Draft) -> Option<SignedDuration> {
    let operation = draft.operation()?;
    operation.attempt.as_ref()?;
    let harmless = time(operation.not_after.as_deref())? + LATE;
    (view.now < harmless).then(|| harmless.duration_since(view.now))
}

pub(super) fn is_configuration(view: &View<'_>, child: &Child) -> bool {
    child.kind == ChildKind::ConfigMap && child.name == format!("flink-config-{}", view.name())
}

pub(super) fn time(text: Option<&str>) -> Option<Timestamp> {
    text.and_then(|text| text.parse().ok())
}
