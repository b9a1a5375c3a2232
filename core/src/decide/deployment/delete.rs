//! Deletion: the cluster is ended, then the finalizer goes. It always ends.

use super::change;
use super::draft::Draft;
use super::end::{self, Progress};
use super::stop;
use super::view::View;
use crate::decision::{Notice, Revisit, Step};
use crate::effect::Effect;
use crate::name::Ids;
use crate::status::conditions::Reason;
use flink_operator_api::{JobManagerDeploymentStatus, OperationKind, ResourceLifecycleState};
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
        return super::rest::observe_again(view, draft);
    }
    if is_unsupported(&draft) && matches!(view.observed.deployment.value(), Some(Some(_))) {
        change::announce(
            &mut draft,
            Reason::NotSupported,
            "this version cannot end a session cluster or a standalone cluster yet: delete its Deployments by hand, or \
             let the operator that made it delete it",
        );
        return draft.rest(
            view,
            Revisit::after(view.options.progress_interval, "not supported"),
        );
    }
    stop::note_told(view, &mut draft);
    let ending = draft
        .operation()
        .is_some_and(|operation| operation.kind == OperationKind::End);
    if !ending {
        draft.begin(view, ids, OperationKind::End);
    }
    // Counted from the request, which every CRD stores.
    let waited: SignedDuration = view.now.duration_since(deleted_at);
    match end::cluster_gone(view, draft, waited, view.options.cleanup_timeout) {
        Progress::Step(step) => *step,
        Progress::Gone(mut draft) => {
            draft.wait(
                Reason::DeletingCluster,
                "nothing of the cluster is left; the resource is let go",
            );
            draft.act(
                view,
                vec![Effect::RemoveFinalizer],
                Revisit::on_change("deleted"),
            )
        }
    }
}

/// A cluster that another operator made, of a kind that this version does not carry out.
fn is_unsupported(draft: &Draft) -> bool {
    draft
        .recorded
        .as_ref()
        .is_some_and(|recorded| super::valid::not_supported(&recorded.spec).is_some())
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
