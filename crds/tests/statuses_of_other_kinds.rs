//! Statuses of session jobs, snapshots and blue/green deployments, as the Java operator's releases and
//! this one store them, are read and written back without loss. Each file of a folder is one.

#![allow(clippy::unwrap_used)]

use flink_operator_api::{
    BlueGreenState, FlinkBlueGreenDeploymentStatus, FlinkJobState, FlinkSessionJobStatus,
    FlinkStateSnapshotStatus, OperationKind, ReconciliationState, ResourceLifecycleState, Restore,
    SnapshotState, UNSET_TIMESTAMP,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use stored::{dropped, pruned, stored};

mod stored;

const SESSION_JOBS: &str = "session-job-statuses";
const SNAPSHOTS: &str = "state-snapshot-statuses";
const BLUE_GREEN: &str = "blue-green-statuses";

fn read<S: DeserializeOwned>(status: &Value) -> S {
    serde_json::from_value(status.clone()).unwrap()
}

/// Reads and writes back every status of a folder, also with fields of a later version in it.
fn kept<S: DeserializeOwned + Serialize + Default + PartialEq + std::fmt::Debug>(
    kind: &str,
    folder: &str,
    files: usize,
) {
    let stored = stored(folder);
    assert_eq!(stored.len(), files, "{folder}");
    for (name, status) in stored {
        assert_eq!(dropped(kind, &status), [""; 0], "{folder}: {name}");
        let known: S = read(&status);
        let written = serde_json::to_value(&known).unwrap();
        assert_eq!(written, pruned(status.clone()), "{folder}: {name}");

        let mut later = status;
        with_unknown_fields(&mut later);
        assert_eq!(read::<S>(&later), known, "{folder}: {name}");
        // What the types do not know is kept by overlaying what they write over what is stored.
        let mut overlaid = later.clone();
        json_merge(&mut overlaid, &serde_json::to_value(&known).unwrap());
        assert_eq!(overlaid, later, "{folder}: {name}");
    }
    let empty = serde_json::to_value(S::default()).unwrap();
    assert_eq!(empty, json!({}));
}

/// Adds a field to every object, as a later version might.
fn with_unknown_fields(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(with_unknown_fields);
            fields.insert("ofALaterVersion".into(), json!({ "a": [1, null] }));
        }
        Value::Array(items) => items.iter_mut().for_each(with_unknown_fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn json_merge(under: &mut Value, over: &Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (name, value) in over {
                json_merge(under.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (Value::Array(under), Value::Array(over)) if under.len() == over.len() => {
            under
                .iter_mut()
                .zip(over)
                .for_each(|(under, over)| json_merge(under, over));
        }
        (under, over) => *under = over.clone(),
    }
}

#[test]
fn statuses_of_session_jobs_are_written_back_as_they_were() {
    kept::<FlinkSessionJobStatus>("FlinkSessionJob", SESSION_JOBS, 5);
}

#[test]
fn statuses_of_snapshots_are_written_back_as_they_were() {
    kept::<FlinkStateSnapshotStatus>("FlinkStateSnapshot", SNAPSHOTS, 7);
}

#[test]
fn statuses_of_blue_green_deployments_are_written_back_as_they_were() {
    kept::<FlinkBlueGreenDeploymentStatus>("FlinkBlueGreenDeployment", BLUE_GREEN, 6);
}

#[test]
fn a_session_job_of_any_release_is_understood() {
    let stored = stored(SESSION_JOBS);
    let oldest: FlinkSessionJobStatus = read(&stored["v1.0-running"]);
    let job = oldest.job_status.unwrap();
    assert_eq!(job.state, Some(FlinkJobState::Running));
    assert_eq!(oldest.lifecycle_state, None);

    let failed: FlinkSessionJobStatus = read(&stored["v1.7-failed"]);
    assert_eq!(failed.lifecycle_state, Some(ResourceLifecycleState::Failed));
    let checkpoints = failed.job_status.unwrap().checkpoint_info.unwrap();
    assert_eq!(checkpoints.last_checkpoint.unwrap().trigger_nonce, Some(12));

    let suspended: FlinkSessionJobStatus = read(&stored["main-suspended-with-savepoint"]);
    let reconciliation = suspended.reconciliation_status.unwrap();
    assert_eq!(reconciliation.state, Some(ReconciliationState::Deployed));
    assert_eq!(
        reconciliation.last_reconciled_spec,
        reconciliation.last_stable_spec
    );
    let path = suspended.job_status.unwrap().upgrade_savepoint_path;
    assert_eq!(path.as_deref(), Some("s3://state/savepoint-9d1e3a-7"));
}

#[test]
fn a_submission_under_way_says_what_and_where() {
    let status: FlinkSessionJobStatus = read(&stored(SESSION_JOBS)["own-submitting"]);
    let operation = status.operation.unwrap();
    assert_eq!(operation.kind, OperationKind::Submit);
    let attempt = operation.attempt.unwrap();
    assert_eq!(attempt.job_id, status.job_status.unwrap().job_id);
    assert!(matches!(attempt.restore, Restore::Savepoint { .. }));
    let newest = status.lineage.unwrap().newest.unwrap();
    assert_eq!(
        newest.path.as_deref(),
        Some("s3://state/savepoint-9d1e3a-7")
    );
    assert_eq!(
        status.cluster.unwrap().deployment_uid,
        "b0a9e1c2-1111-4222-8333-444455556666"
    );
}

#[test]
fn a_snapshot_of_any_release_is_understood() {
    let stored = stored(SNAPSHOTS);
    let state = |name: &str| {
        let status: FlinkStateSnapshotStatus = read(&stored[name]);
        status.state
    };
    assert_eq!(state("v1.10-completed"), Some(SnapshotState::Completed));
    assert_eq!(state("v1.15-failed"), Some(SnapshotState::Failed));
    assert_eq!(
        state("main-tried-again"),
        Some(SnapshotState::TriggerPending)
    );
    assert_eq!(state("main-abandoned"), Some(SnapshotState::Abandoned));
    assert_eq!(state("own-in-progress"), Some(SnapshotState::InProgress));
    assert_eq!(state("empty"), None);

    let again: FlinkStateSnapshotStatus = read(&stored["main-tried-again"]);
    assert_eq!(again.failures, Some(3));
    let unnamed: FlinkStateSnapshotStatus = read(&stored["main-checkpoint-without-path"]);
    assert_eq!(unnamed.path.as_deref(), Some(""), "empty is not absent");
}

#[test]
fn a_blue_green_deployment_of_any_release_is_understood() {
    let stored = stored(BLUE_GREEN);
    let active: FlinkBlueGreenDeploymentStatus = read(&stored["v1.14-active"]);
    assert_eq!(active.blue_green_state, Some(BlueGreenState::ActiveBlue));
    assert_eq!(active.abort_timestamp.as_deref(), Some(UNSET_TIMESTAMP));
    let text = active.last_reconciled_spec.unwrap();
    assert_eq!(
        Some(text.as_str()),
        stored["v1.14-active"]["lastReconciledSpec"].as_str()
    );

    let aborted: FlinkBlueGreenDeploymentStatus = read(&stored["main-aborted"]);
    assert_eq!(
        aborted.job_status.unwrap().state,
        Some(FlinkJobState::Failing)
    );
    assert!(
        aborted.error.unwrap().starts_with("Aborting deployment"),
        "plain text, no JSON"
    );
}

#[test]
fn a_state_of_a_later_version_is_not_mistaken_for_none() {
    let error = serde_json::from_value::<FlinkStateSnapshotStatus>(json!({ "state": "MELTED" }));
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("unknown variant `MELTED`, expected one of `TRIGGER_PENDING`"),
        "{error}"
    );
    let error = serde_json::from_value::<FlinkBlueGreenDeploymentStatus>(
        json!({ "blueGreenState": "RED" }),
    );
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("unknown variant `RED`, expected one of `INITIALIZING_BLUE`"),
        "{error}"
    );
}
