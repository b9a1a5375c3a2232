//! From what a start gets its state: the newest restore point of the current lineage, or nothing.

use super::change;
use super::deploy::Purpose;
use super::draft::Draft;
use crate::diff::{self, ChangeKind};
use crate::status::conditions::Reason;
use crate::status::recorded::Recorded;
use flink_operator_api::{
    FlinkDeploymentSpec, JobStatus, LAST_STATE_MARKER, Lineage, ReconciliationState, Restore,
    RestorePoint, RestorePointKind, UpgradeMode,
};

/// From what the job of a start gets its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Nothing: by the user's wish, or because there is no state.
    Nothing,
    /// A savepoint or retained checkpoint.
    Path {
        /// Where it is.
        path: String,
        /// The history that the start goes on with.
        lineage: Lineage,
    },
    /// There is state, and it is not known where.
    Blocked(Reason, String),
}

impl Source {
    /// Returns what an attempt stores of it, and the history that goes with it.
    pub(super) fn attempt(self) -> Result<(Restore, Option<Lineage>), (Reason, String)> {
        match self {
            Self::Nothing => Ok((Restore::None, None)),
            Self::Path { path, lineage } => Ok((Restore::Savepoint { path }, Some(lineage))),
            Self::Blocked(reason, message) => Err((reason, message)),
        }
    }
}

/// Says from what a start with this spec gets its state.
pub(super) fn source(draft: &Draft, spec: &FlinkDeploymentSpec, purpose: Purpose) -> Source {
    let recorded = draft.recorded.as_ref();
    if purpose == Purpose::Recovery {
        // Its spec gives state up. It starts from where it was started before, as upstream does.
        let restored = recorded.is_some_and(|recorded| mode(recorded) == UpgradeMode::Savepoint);
        return if restored {
            known(draft)
        } else {
            Source::Nothing
        };
    }
    let initial = || match initial_path(spec) {
        Some(path) => begins_at(path),
        None => Source::Nothing,
    };
    let Some(recorded) = recorded.filter(|recorded| !is_first_attempt(draft, recorded)) else {
        return initial();
    };
    if redeploys(recorded, spec) {
        return initial();
    }
    if change::is_stateless(spec) {
        return Source::Nothing;
    }
    match mode(recorded) {
        UpgradeMode::LastState => Source::Blocked(
            Reason::StatefulUpgradeNotAvailable,
            format!(
                "the job was suspended with its state in metadata of high availability, from which this version cannot \
                 start it yet. {WAYS}"
            ),
        ),
        // The Java operator leaves paths of earlier stops where they are.
        UpgradeMode::Stateless if draft.doc.typed.lineage.is_none() => match known(draft) {
            Source::Path { path, .. } => blocked(&format!(
                "the record says that the job was stopped without its state, and the status names {path}, which may be older \
                 than that"
            )),
            source @ (Source::Nothing | Source::Blocked(..)) => source,
        },
        UpgradeMode::Savepoint | UpgradeMode::Stateless => known(draft),
    }
}

/// Returns whether an edit asks to start anew from `initialSavepointPath`.
pub(super) fn redeploys(recorded: &Recorded, spec: &FlinkDeploymentSpec) -> bool {
    let mode = recorded.spec.mode.unwrap_or_default();
    diff::diff(&recorded.spec, spec, mode).kind == ChangeKind::SavepointRedeploy
        && initial_path(spec).is_some()
}

/// Finds where the newest known state is.
pub(super) fn known(draft: &Draft) -> Source {
    let status = &draft.doc.typed;
    if let Some(lineage) = &status.lineage
        && let Some(newest) = &lineage.newest
    {
        return match &newest.path {
            Some(path) => Source::Path {
                path: path.clone(),
                lineage: lineage.clone(),
            },
            None => blocked(
                "the newest state of the job is a checkpoint whose files Flink has deleted when the job ended",
            ),
        };
    }
    match status.job_status.as_ref().and_then(recorded_path) {
        Some(path) if path == LAST_STATE_MARKER => {
            blocked("only metadata of high availability tell where the job's newest state is")
        }
        Some(path) => begins_at(path),
        None => Source::Nothing,
    }
}

macro_rules! ways {
    () => {
        "Set spec.job.initialSavepointPath to a savepoint or retained checkpoint and change \
         spec.job.savepointRedeployNonce to start from it, or set spec.job.upgradeMode to stateless and change \
         spec.restartNonce to start empty"
    };
}

/// The ways on that need no state of the cluster as it is.
pub(super) const WAYS: &str = ways!();

/// The ways out where nobody but a person knows the newest state; ends with upstream's words.
pub(super) const WAYS_OUT: &str = concat!(ways!(), ". Manual restore required.");

fn blocked(why: &str) -> Source {
    Source::Blocked(Reason::ManualRestoreRequired, format!("{why}. {WAYS_OUT}"))
}

/// What upstream restores from, in the form of any release.
fn recorded_path(job: &JobStatus) -> Option<&str> {
    let last = job
        .savepoint_info
        .as_ref()
        .and_then(|info| info.last_savepoint.as_ref());
    let path = job.upgrade_savepoint_path.as_deref();
    path.or_else(|| last?.location.as_deref())
        .filter(|path| !path.is_empty())
}

/// A history that begins with a path of which nothing else is known.
fn begins_at(path: &str) -> Source {
    let newest = RestorePoint {
        segment: 0,
        id: None,
        path: Some(path.to_owned()),
        kind: RestorePointKind::Savepoint,
        at: None,
    };
    Source::Path {
        path: path.to_owned(),
        lineage: Lineage {
            newest: Some(newest),
            ..Lineage::default()
        },
    }
}

fn initial_path(spec: &FlinkDeploymentSpec) -> Option<&str> {
    let path = spec.job.as_ref()?.initial_savepoint_path.as_deref()?;
    (!path.trim().is_empty()).then_some(path)
}

/// Forgets all restore points: the user has given the state up, or there is none. The list of savepoints remains.
pub(super) fn forget(draft: &mut Draft) {
    draft.status().lineage = None;
    if let Some(job) = draft.status().job_status.as_mut() {
        job.upgrade_savepoint_path = None;
        if let Some(info) = job.savepoint_info.as_mut() {
            info.last_savepoint = None;
        }
    }
}

/// With what state a job was or is to be restored, by its record.
pub(super) fn mode(recorded: &Recorded) -> UpgradeMode {
    let job = recorded.spec.job.as_ref();
    job.map_or(UpgradeMode::Stateless, |job| job.upgrade_mode)
}

/// Nothing has run yet: the record is that of an attempt which was not completed.
fn is_first_attempt(draft: &Draft, recorded: &Recorded) -> bool {
    let upgrading = draft.reconciliation_state() == ReconciliationState::Upgrading;
    recorded.is_first_deployment() && upgrading && !recorded.is_running()
}
