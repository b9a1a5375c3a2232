//! The rules for a `FlinkStateSnapshot`.

use super::{Violation, Violations};
use flink_operator_api::{FlinkStateSnapshotSpec, SnapshotState};

/// Whether the resource is there whose job a snapshot is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Nobody looked.
    NotAsked,
    /// It was looked for and is not there.
    Absent,
    /// It is there.
    Present,
}

/// Checks a snapshot; `state` is how far its status says it is.
pub fn flink_state_snapshot(
    namespace: &str,
    spec: &FlinkStateSnapshotSpec,
    state: Option<SnapshotState>,
    target: Target,
) -> Vec<Violation> {
    let mut found = Violations::default();
    if spec.savepoint.is_some() == spec.checkpoint.is_some() {
        found.add(
            "N1",
            "spec",
            "Exactly one of checkpoint or savepoint configurations has to be set.",
        );
    }
    // A savepoint that exists already needs no job (rule N2).
    let exists = spec
        .savepoint
        .as_ref()
        .is_some_and(|savepoint| savepoint.already_exists);
    if exists {
        return found.0;
    }
    let Some(reference) = &spec.job_reference else {
        found.add(
            "N3",
            "spec.jobReference",
            "Job reference must be supplied for this snapshot",
        );
        return found.0;
    };
    let triggered = state.is_some_and(|state| state != SnapshotState::TriggerPending);
    let absent = match target {
        // A reference without kind or name is never found.
        Target::NotAsked => reference.kind.is_none() || reference.name.is_none(),
        Target::Absent => true,
        Target::Present => false,
    };
    if absent && !triggered {
        let name = reference.name.as_deref().unwrap_or("null");
        found.add(
            "N4",
            "spec.jobReference",
            format!("Target for snapshot {namespace}/{name} was not found"),
        );
    }
    found.0
}
