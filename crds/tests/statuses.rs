//! Statuses as each release of the Java operator and this one store them are read and written back
//! without loss. Each file of `statuses/` is one.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use flink_operator_api::{
    Condition, FlinkDeploymentStatus, FlinkJobState, JobManagerDeploymentStatus, Operation,
    OperationKind, ReconciliationState, Restore,
};
use serde_json::{Value, json};

use stored::{dropped, pruned};

mod stored;

fn stored() -> BTreeMap<String, Value> {
    stored::stored("statuses")
}

fn read(status: &Value) -> FlinkDeploymentStatus {
    serde_json::from_value(status.clone()).unwrap()
}

#[test]
fn every_stored_status_is_written_back_as_it_was() {
    let stored = stored();
    assert_eq!(stored.len(), 11);
    for (name, status) in stored {
        let written = serde_json::to_value(read(&status)).unwrap();
        assert_eq!(written, pruned(status), "{name}");
    }
}

#[test]
fn no_stored_status_has_a_field_that_the_schema_drops() {
    for (name, status) in stored() {
        assert_eq!(dropped("FlinkDeployment", &status), [""; 0], "{name}");
    }
    let unknown = json!({ "a": 1 });
    assert_eq!(dropped("FlinkDeployment", &unknown), ["status.a"]);
}

#[test]
fn the_oldest_release_is_understood() {
    let status = read(&stored()["v1.0-running"]);
    let job = status.job_status.unwrap();
    assert_eq!(job.state, Some(FlinkJobState::Running));
    assert_eq!(job.start_time.as_deref(), Some("1655000000000"));
    let history = job.savepoint_info.unwrap().savepoint_history.unwrap();
    assert_eq!(
        history[0].location.as_deref(),
        Some("s3://state/savepoint-3f9c0b-1")
    );
    assert_eq!(status.lifecycle_state, None);
}

#[test]
fn nonces_keep_all_their_bits() {
    let status = read(&stored()["v1.3-periodic-savepoint-under-way"]);
    let savepoints = status.job_status.unwrap().savepoint_info.unwrap();
    assert_eq!(
        savepoints.last_savepoint.unwrap().trigger_nonce,
        Some(-9_007_199_254_740_993)
    );
}

#[test]
fn stored_specs_are_texts_and_stay_so() {
    let stored = stored();
    let text = &stored["v1.9-rolling-back"]["reconciliationStatus"]["lastReconciledSpec"];
    let status = read(&stored["v1.9-rolling-back"])
        .reconciliation_status
        .unwrap();
    assert_eq!(status.state, Some(ReconciliationState::RollingBack));
    assert_eq!(status.last_reconciled_spec.as_deref(), text.as_str());
}

#[test]
fn absent_and_empty_are_told_apart() {
    let absent = read(&json!({}));
    let empty = read(&json!({ "conditions": [], "clusterInfo": {}, "jobStatus": {}, "error": "" }));
    assert_eq!(
        (absent.conditions, absent.cluster_info, absent.error),
        (None, None, None)
    );
    assert_eq!(empty.conditions, Some(vec![]));
    assert_eq!(empty.cluster_info, Some(BTreeMap::new()));
    assert_eq!(empty.error.as_deref(), Some(""));
    assert!(absent.job_status.is_none() && empty.job_status.is_some());
}

#[test]
fn fields_of_a_newer_operator_do_not_hinder_reading() {
    let status = read(&json!({
        "inventedLater": { "a": 1 },
        "jobManagerDeploymentStatus": "READY",
        "operation": {
            "id": "o", "kind": "End", "generation": 1, "startedAt": "2026-07-01T12:00:00Z", "x": 1,
            "attempt": { "id": "a", "restore": { "kind": "none", "x": 1 } },
        },
    }));
    assert_eq!(
        status.job_manager_deployment_status,
        Some(JobManagerDeploymentStatus::Ready)
    );
    let operation = status.operation.unwrap();
    assert_eq!(
        (operation.kind, operation.attempt.unwrap().restore),
        (OperationKind::End, Restore::None)
    );
}

#[test]
fn an_operation_of_a_newer_operator_is_not_mistaken_for_none() {
    let unknown = json!({
        "operation": { "id": "o", "kind": "Teleport", "generation": 1, "startedAt": "now" },
    });
    let error = serde_json::from_value::<FlinkDeploymentStatus>(unknown).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("unknown variant `Teleport`, expected one of `Deploy`"),
        "{error}"
    );
}

#[test]
fn a_savepoint_to_restore_from_has_a_path() {
    let error = serde_json::from_value::<Restore>(json!({ "kind": "savepoint" })).unwrap_err();
    assert!(
        error.to_string().contains("missing field `path`"),
        "{error}"
    );
    for (restore, written) in [
        (Restore::None, json!({ "kind": "none" })),
        (Restore::LastState, json!({ "kind": "lastState" })),
        (
            Restore::Savepoint {
                path: "s3://a".into(),
            },
            json!({ "kind": "savepoint", "path": "s3://a" }),
        ),
    ] {
        assert_eq!(serde_json::to_value(&restore).unwrap(), written);
        assert_eq!(serde_json::from_value::<Restore>(written).unwrap(), restore);
    }
}

#[test]
fn what_makes_an_operation_one_must_be_there() {
    let whole = json!({ "id": "o", "kind": "Stop", "generation": 1, "startedAt": "t" });
    assert!(serde_json::from_value::<Operation>(whole.clone()).is_ok());
    for field in ["id", "kind", "generation", "startedAt"] {
        let mut broken = whole.clone();
        broken.as_object_mut().unwrap().remove(field);
        let error = serde_json::from_value::<Operation>(broken).unwrap_err();
        assert_eq!(error.to_string(), format!("missing field `{field}`"));
    }
}

#[test]
fn upstreams_condition_may_lack_all_but_its_type() {
    assert!(serde_json::from_value::<Condition>(json!({ "type": "Running" })).is_ok());
    assert!(serde_json::from_value::<Condition>(json!({ "status": "True" })).is_err());
}
