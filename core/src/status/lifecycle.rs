//! `status.lifecycleState`: one word for where a resource stands, computed as upstream does.

use super::recorded::Recorded;
use flink_operator_api::{
    FlinkDeploymentStatus, FlinkJobState, JobManagerDeploymentStatus, OperationKind,
    ReconciliationState, ResourceLifecycleState as State,
};

/// Texts in `status.error` that mean a resource does not recover by itself.
const UNRECOVERABLE: [&str; 3] = [
    "Manual restore required.",
    "It is possible that the job has finished or terminally failed, or the configmaps have been deleted.",
    "HA metadata is not available",
];

/// Computes the life-cycle state; the first matching row of upstream's table wins.
pub fn of(status: &FlinkDeploymentStatus, recorded: Option<&Recorded>) -> State {
    if let Some(state @ (State::Deleting | State::Deleted)) = status.lifecycle_state {
        return state;
    }
    let error = status.error.as_deref().unwrap_or_default();
    let Some(recorded) = recorded else {
        return if error.is_empty() {
            State::Created
        } else {
            State::Failed
        };
    };
    let reconciliation = status.reconciliation_status.as_ref();
    let state = reconciliation.and_then(|r| r.state);
    let stopping = status.operation.as_ref().is_some_and(|operation| {
        operation.kind == OperationKind::Stop && operation.trigger.is_some()
    });
    match state {
        // A stop goes on while upstream's fields still say that all is as before: Java would begin it anew.
        Some(ReconciliationState::Deployed) if stopping && !is_unrecoverable(error) => {
            return State::Upgrading;
        }
        Some(ReconciliationState::Upgrading) | None => return State::Upgrading,
        Some(ReconciliationState::RollingBack) => return State::RollingBack,
        Some(ReconciliationState::Deployed | ReconciliationState::RolledBack) => {}
    }
    if !recorded.is_running() {
        return State::Suspended;
    }
    let job = status.job_status.as_ref().and_then(|job| job.state);
    let job_manager = status.job_manager_deployment_status;
    let lost = matches!(
        job_manager,
        None | Some(JobManagerDeploymentStatus::Missing | JobManagerDeploymentStatus::Error)
    );
    if job == Some(FlinkJobState::Failed) || (lost && is_unrecoverable(error)) {
        return State::Failed;
    }
    if state == Some(ReconciliationState::RolledBack) {
        return State::RolledBack;
    }
    if is_stable(status) {
        State::Stable
    } else {
        State::Deployed
    }
}

fn is_unrecoverable(error: &str) -> bool {
    UNRECOVERABLE.iter().any(|text| error.contains(text))
}

/// Returns whether the deployed spec has proven itself: both recorded texts are there and equal.
pub fn is_stable(status: &FlinkDeploymentStatus) -> bool {
    status
        .reconciliation_status
        .as_ref()
        .is_some_and(|reconciliation| {
            reconciliation.last_reconciled_spec.is_some()
                && reconciliation.last_reconciled_spec == reconciliation.last_stable_spec
        })
}
