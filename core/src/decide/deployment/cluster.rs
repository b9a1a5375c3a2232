//! Whose Deployment stands under the resource's name.

use super::draft::Draft;
use super::view::View;
use crate::observed::Deployment;
use flink_operator_api::{ClusterIdentity, ReconciliationState};

/// What is known about the Deployment of the resource's name.
pub(super) enum Identity<'a> {
    /// The one that the status speaks of, or one that Java made for this resource.
    Ours(&'a Deployment),
    /// Owned by this resource, but not the one that the status speaks of.
    Leftover,
    /// Owned by somebody else.
    Stranger,
    /// Not there.
    Absent,
    /// Not known.
    Unknown,
}

/// Tells what the Deployment of the resource's name is.
///
/// Attempt id and owner decide. The generation decides only where no attempt is named: Java made it.
pub(super) fn identify<'a>(view: &View<'a>, draft: &Draft) -> Identity<'a> {
    let Some(found) = view.observed.deployment.value() else {
        return Identity::Unknown;
    };
    let Some(deployment) = found else {
        return Identity::Absent;
    };
    if !deployment.owned_by(view.uid().as_str()) {
        return Identity::Stranger;
    }
    match &draft.doc.typed.cluster {
        Some(cluster) if cluster.deployment_uid == deployment.uid => Identity::Ours(deployment),
        // Absent while deployed: Java wrote last, and its owner reference is all there is.
        // The same if its status write dropped what only we know, or an older CRD did.
        None if deployment.attempt.is_none() || is_at_rest(draft) => Identity::Ours(deployment),
        Some(_) | None => Identity::Leftover,
    }
}

/// Deployed, and nothing under way: there is one cluster, and this is it.
fn is_at_rest(draft: &Draft) -> bool {
    draft.operation().is_none() && draft.reconciliation_state() == ReconciliationState::Deployed
}

/// Remembers the Deployment that a Java operator made.
pub(super) fn adopt(draft: &mut Draft, deployment: &Deployment) {
    if draft.doc.typed.cluster.is_none() {
        draft.status().cluster = Some(ClusterIdentity {
            attempt_id: deployment
                .attempt
                .as_ref()
                .map(|attempt| attempt.as_str().to_owned()),
            deployment_uid: deployment.uid.clone(),
            result_store_id: None,
        });
    }
}
