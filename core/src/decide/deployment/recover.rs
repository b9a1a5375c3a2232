//! A JobManager Deployment that is gone although its job should run.

use super::deploy::{self, Purpose};
use super::draft::Draft;
use super::view::View;
use super::{change, rest, restore};
use crate::decision::{Notice, Step};
use crate::name::Ids;
use crate::status::conditions::Reason;
use crate::status::recorded::Recorded;
use flink_operator_api::{
    FlinkVersion, JobManagerDeploymentStatus as JobManager, ReconciliationState, UpgradeMode,
};

/// Recovers a lost Deployment where that needs no state, else says what is missing.
pub(super) fn decide(view: &View<'_>, mut draft: Draft, ids: &Ids, recorded: &Recorded) -> Step {
    let lost = draft.job_manager() == JobManager::Missing && recorded.is_running();
    if !lost || draft.job_is_terminal() {
        return rest::observe_again(view, draft);
    }
    if !view.is_fresh() {
        return Step::Ask(deploy::proofs());
    }
    if let Some(obstacle) = obstacle(view, recorded) {
        change::announce(&mut draft, Reason::JobManagerMissing, &obstacle);
        draft.degrade(Reason::JobManagerMissing, obstacle);
        return rest::observe_again(view, draft);
    }
    draft.notice(Notice::warning(
        "Job",
        "RecoverDeployment",
        "Recovering lost deployment",
    ));
    let spec = recorded.spec.clone();
    deploy::start(view, draft, ids, &spec, Purpose::Recovery)
}

/// Says why the Deployment is not created again, and what can be done.
fn obstacle(view: &View<'_>, recorded: &Recorded) -> Option<String> {
    let gone = |why: &str| Some(format!("the JobManager Deployment is gone{why}"));
    let but = |why: &str| gone(&format!("{why}. {}", restore::WAYS));
    let version = recorded.spec.flink_version;
    // The mode of the user's current spec counts: the record holds how the job was last restored.
    let Ok(spec) = view.spec else {
        return gone(
            ", and the spec cannot be read, so that it is not known whether state may be dropped; correct the spec",
        );
    };
    let mode = spec
        .job
        .as_ref()
        .map_or(UpgradeMode::Stateless, |job| job.upgrade_mode);
    let state = view.stored.typed.reconciliation_status.as_ref();
    if state.and_then(|status| status.state) == Some(ReconciliationState::RolledBack) {
        return but(
            ", and the spec failed before: what ran was the one in status.reconciliationStatus.lastStableSpec, which \
             this version does not start again by itself",
        );
    }
    if !view.options.recovery_enabled {
        return gone(
            ", and kubernetes.operator.jm-deployment-recovery.enabled is false; set it to true, or change spec.restartNonce",
        );
    }
    if version.is_none_or(|version| version < FlinkVersion::V1_15) {
        return but(
            "; Flink before 1.15 deletes it at the end of a job, which cannot be told from a loss",
        );
    }
    if view.options.high_availability {
        return but(
            "; recovery from high-availability data is not available in this version, and its ConfigMaps are kept",
        );
    }
    if mode == UpgradeMode::Stateless {
        return None;
    }
    but(
        "; without high availability the newest state is the restore point in status.lineage.newest, from which this \
         version does not start by itself",
    )
}
