//! Deletion: the cluster is ended, then the finalizer goes. It always ends.

use super::change;
use super::draft::Draft;
use super::end::{self, Progress};
use super::view::View;
use crate::decision::{Notice, Revisit, Step};
use crate::effect::Effect;
use crate::name::Ids;
use crate::status::conditions::Reason;
use flink_operator_api::{
    JobManagerDeploymentStatus, Operation, OperationKind, ResourceLifecycleState,
};
use jiff::SignedDuration;

/// Takes the next step of a deletion.
pub(super) fn decide(view: &View<'_>, mut draft: Draft, ids: &Ids) -> Step {
    let Some(deleted_at) = view.meta.deleted_at else {
        return super::rest::at_rest(view, draft);
    };
    if draft.doc.typed.lifecycle_state != Some(ResourceLifecycleState::Deleting) {
        draft.status().lifecycle_state = Some(ResourceLifecycleState::Deleting);
        draft.notice(Notice::normal(
            "Operator",
            "Cleanup",
            "Cleaning up FlinkDeployment",
        ));
    }
    if view.options.savepoint_on_deletion && has_state_to_save(&draft) {
        change::announce(
            &mut draft,
            Reason::StatefulUpgradeNotAvailable,
            "kubernetes.operator.job.savepoint-on-deletion asks for a savepoint before the deletion, which this \
             version cannot take yet; the job runs on. Set it to false in spec.flinkConfiguration to delete without",
        );
        return draft.rest(view, Revisit::on_change("savepoint on deletion"));
    }
    let ending = draft
        .operation()
        .is_some_and(|operation| operation.kind == OperationKind::End);
    if !ending {
        draft.status().operation = Some(Operation {
            id: ids.operation.clone(),
            kind: OperationKind::End,
            generation: view.meta.generation,
            started_at: view.now.to_string(),
            not_after: None,
            attempt: None,
            trigger: None,
        });
    }
    // Counted from the request, which every CRD stores.
    let waited: SignedDuration = view.now.duration_since(deleted_at);
    match end::cluster_gone(view, draft, waited, view.options.cleanup_timeout) {
        Progress::Step(step) => *step,
        Progress::Gone(draft) => draft.act(
            view,
            vec![Effect::RemoveFinalizer],
            Revisit::on_change("deleted"),
        ),
    }
}

fn has_state_to_save(draft: &Draft) -> bool {
    let up = !matches!(
        draft.job_manager(),
        JobManagerDeploymentStatus::Missing | JobManagerDeploymentStatus::Error
    );
    let seen = draft
        .doc
        .typed
        .job_status
        .as_ref()
        .is_some_and(|job| job.start_time.is_some());
    up && seen && !draft.job_is_terminal()
}
