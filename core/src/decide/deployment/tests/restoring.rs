//! From what a start restores.

use super::scene::*;
use crate::effect::Effect;
use flink_operator_api::{Restore, UpgradeMode};
use serde_json::json;

fn restore_of(decision: &crate::decision::Decision) -> Restore {
    let intent = typed(decision.intent.as_ref().unwrap());
    let operation = intent.operation.as_ref().unwrap();
    operation.attempt.as_ref().unwrap().restore.clone()
}

fn from(path: &str) -> Restore {
    Restore::Savepoint { path: path.into() }
}

#[test]
fn a_first_start_restores_the_initial_savepoint_and_records_that() {
    let scene =
        Scene::created().edit(|spec| spec["job"]["initialSavepointPath"] = json!("s3://a/sp"));
    let decision = scene.act(1);
    assert_eq!(restore_of(&decision), from("s3://a/sp"));
    let intent = typed(decision.intent.as_ref().unwrap());
    let job = intent.job_status.as_ref().unwrap();
    assert_eq!(job.upgrade_savepoint_path.as_deref(), Some("s3://a/sp"));
    let newest = intent.lineage.as_ref().unwrap().newest.as_ref().unwrap();
    assert_eq!(
        (newest.path.as_deref(), newest.id),
        (Some("s3://a/sp"), None)
    );
    let text = intent.reconciliation_status.as_ref().unwrap();
    let recorded = text.last_reconciled_spec.as_deref().unwrap();
    let recorded = crate::status::recorded::Recorded::read(recorded).unwrap();
    assert_eq!(
        recorded.spec.job.unwrap().upgrade_mode,
        UpgradeMode::Savepoint
    );
    let configured = decision.effects.iter().any(|effect| {
        let Effect::CreateChild { body, .. } = effect else {
            return false;
        };
        body.to_string()
            .contains("execution.savepoint.path: s3://a/sp")
    });
    assert!(configured);
}

#[test]
fn a_changed_initial_savepoint_is_ignored_once_something_was_deployed() {
    let scene = Scene::running().edit(|spec| {
        spec["job"]["initialSavepointPath"] = json!("s3://a/other");
    });
    assert_eq!(scene.act(2).effects, []);
}

#[test]
fn a_redeploy_nonce_starts_anew_from_the_initial_savepoint() {
    let scene = Scene::running().edit(|spec| {
        spec["job"]["initialSavepointPath"] = json!("s3://a/other");
        spec["job"]["savepointRedeployNonce"] = json!(1);
    });
    let cancel = scene.act(2);
    assert_eq!(labels(&cancel), ["cancel"]);
    let gone = scene.crash_after_intent(&cancel).without_cluster();
    let decision = gone.act(3);
    assert_eq!(restore_of(&decision), from("s3://a/other"));
}
