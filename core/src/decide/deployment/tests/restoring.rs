//! From what a start restores.

use super::scene::*;
use crate::effect::Effect;
use crate::fact::{Fact, Why};
use flink_operator_api::{Restore, UpgradeMode};
use serde_json::{Value, json};

/// A job that runs, keeps its state in savepoints, and has taken checkpoint 7.
fn keeping() -> Scene {
    Scene::running_with(stateful).with_checkpoint(7).settled()
}

/// The same, asked to start anew from another savepoint.
fn redeploying() -> Scene {
    keeping().edit(|spec| {
        spec["job"]["initialSavepointPath"] = json!("s3://a/other");
        spec["job"]["savepointRedeployNonce"] = json!(1);
    })
}

/// The same with its cluster gone.
fn redeployed() -> Scene {
    let scene = redeploying();
    let cancel = scene.act(2);
    assert_eq!(
        labels(&cancel),
        ["cancel"],
        "{}",
        message(&cancel, "Progressing")
    );
    scene.crash_after_intent(&cancel).without_cluster()
}

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

#[test]
fn a_redeploy_that_is_suspended_starts_from_there_when_it_is_resumed() {
    let suspend = |spec: &mut Value| spec["job"]["state"] = json!("suspended");
    let suspended = redeployed().edit(suspend).settled();
    let decision = suspended
        .edit(|spec| spec["job"]["state"] = json!("running"))
        .act(4);
    assert_eq!(restore_of(&decision), from("s3://a/other"));
}

#[test]
fn an_invalid_edit_during_a_redeploy_does_not_start_the_old_spec_empty() {
    let broken = redeployed().edit(|spec| spec["job"]["parallelism"] = json!(0));
    let decision = broken.act(3);
    assert_eq!(reason(&decision, "Degraded"), "InvalidSpec");
    assert_eq!(restore_of(&decision), from("s3://a/chk-7"));
}

#[test]
fn a_savepoint_of_before_a_stateless_start_does_not_come_back() {
    let scene = keeping().edit(|spec| {
        spec["job"]["upgradeMode"] = json!("stateless");
        spec["image"] = json!("flink:wrong");
        spec["flinkConfiguration"]["kubernetes.operator.snapshot.resource.enabled"] =
            json!("false");
    });
    let scene = scene.with_listed_savepoint("s3://b/old");
    let cancel = scene.act(2);
    let gone = scene.crash_after_intent(&cancel).without_cluster();
    let begun = gone.act(3);
    assert_eq!(restore_of(&begun), Restore::None);
    let info = typed(begun.intent.as_ref().unwrap()).job_status.clone();
    let info = info.unwrap().savepoint_info.unwrap();
    assert_eq!(info.last_savepoint, None);
    assert_eq!(info.savepoint_history.unwrap().len(), 1, "the list stays");

    let suspended = gone.edit(|spec| spec["job"]["state"] = json!("suspended"));
    let resumed = suspended.settled().edit(|spec| {
        spec["job"]["state"] = json!("running");
        spec["job"]["upgradeMode"] = json!("savepoint");
    });
    assert_eq!(restore_of(&resumed.act(5)), Restore::None);
}

#[test]
fn an_ended_job_that_flink_has_no_statistics_of_starts_from_where_it_was_to_start() {
    let failed = |path: Option<&str>| {
        let first = |spec: &mut Value| {
            stateful(spec);
            spec["job"]["initialSavepointPath"] = json!(path);
        };
        let scene = Scene::running_with(first).with_root_cause(None);
        let scene = scene.with_job("FAILED").without_statistics().settled();
        scene
            .after(90)
            .edit(|spec| spec["image"] = json!("flink:mended"))
    };
    let from_savepoint = failed(Some("s3://a/sp")).without_statistics();
    let ends = from_savepoint.act(3);
    assert_eq!(
        labels(&ends),
        ["delete-deployment"],
        "{}",
        message(&ends, "Progressing")
    );
    let gone = from_savepoint.crash_after_intent(&ends).without_cluster();
    assert_eq!(restore_of(&gone.act(4)), from("s3://a/sp"));
    // Its JobManager has been started again since: it may have run and left something newer.
    let forgotten = failed(Some("s3://a/sp"))
        .without_jobs()
        .without_statistics()
        .act(3);
    assert_eq!(forgotten.effects, []);
    assert_eq!(reason(&forgotten, "Degraded"), "ManualRestoreRequired");
    // What another answer would say is waited for.
    let mut silent = failed(Some("s3://a/sp"));
    silent.observed.answers.checkpoints = Fact::Unknown(Why::TimedOut);
    assert_eq!(silent.act(3).effects, []);
}

#[test]
fn a_job_that_failed_before_it_restored_anything_has_no_older_state() {
    let first = |spec: &mut Value| spec["job"]["initialSavepointPath"] = json!("s3://a/sp");
    let scene = Scene::running_with(first).with_root_cause(None);
    let failed = scene.with_job("FAILED").with_restored(None).settled();
    let decision = failed.after(60).with_restored(None).act(3);
    assert_eq!(reason(&decision, "Degraded"), "JobFailed");
}

/// It was created, and perhaps with its configuration: then it has run.
#[test]
fn a_start_that_may_have_run_is_not_made_again_because_of_an_edit() {
    let mut scene = Scene::created().edit(stateful);
    let first = scene.act(1);
    scene.store(&first, &super::scene::done(&first)[..2]);
    let deleted = scene.after(3_600).without_cluster();
    let edits: [fn(&mut Value); 3] = [
        |_| {},
        |spec| spec["image"] = json!("flink:other"),
        |spec| spec["job"]["parallelism"] = json!(0),
    ];
    for (number, edit) in edits.into_iter().enumerate() {
        let decision = deleted.clone().edit(edit).act(2);
        assert_eq!(labels(&decision), [""; 0], "edit {number}");
    }
    let given_up = deleted.edit(|spec| spec["job"]["upgradeMode"] = json!("stateless"));
    assert_eq!(restore_of(&given_up.act(2)), Restore::None);
}
