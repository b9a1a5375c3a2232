//! State that must not be given up by halves: stops of which nobody told, runs that Flink began again, ends without a trace.

use super::scene::*;
use crate::fact::Fact;
use crate::observed::{Checkpoint, Checkpoints, Trigger};
use flink_operator_api::{OperationKind, ReconciliationState, Restore, RestorePoint};
use serde_json::{Value, json};

/// A job that runs and keeps its state, whose checkpoint 7 is known.
fn keeping() -> Scene {
    Scene::running_with(stateful).with_checkpoint(7).settled()
}

fn scaled(spec: &mut Value) {
    spec["job"]["parallelism"] = json!(4);
}

/// The same, asked to stop with a savepoint.
fn stopping() -> Scene {
    let scene = keeping().edit(scaled);
    let stop = scene.act(2);
    assert_eq!(labels(&stop), ["stop-with-savepoint"]);
    scene.crash_after_intent(&stop)
}

fn redeploys(spec: &mut Value) {
    spec["job"]["initialSavepointPath"] = json!("s3://a/other");
    spec["job"]["savepointRedeployNonce"] = json!(1);
}

fn takes_back(spec: &mut Value) {
    spec["job"]["initialSavepointPath"] = Value::Null;
    spec["job"]["savepointRedeployNonce"] = Value::Null;
    spec["job"]["upgradeMode"] = json!("savepoint");
    spec["job"]["parallelism"] = json!(2);
}

fn newest(decision: &crate::decision::Decision) -> RestorePoint {
    let lineage = typed(&decision.status).lineage.clone().unwrap();
    lineage.newest.unwrap()
}

fn restore_of(decision: &crate::decision::Decision) -> Restore {
    let intent = typed(decision.intent.as_ref().unwrap());
    let operation = intent.operation.as_ref().unwrap();
    operation.attempt.as_ref().unwrap().restore.clone()
}

#[test]
fn a_stop_is_not_forgotten_by_who_gives_the_state_up_and_takes_that_back() {
    let stateless = |spec: &mut Value| spec["job"]["upgradeMode"] = json!("stateless");
    let invalid = |spec: &mut Value| spec["job"]["parallelism"] = json!(0);
    let gives_up: [fn(&mut Value); 2] = [redeploys, stateless];
    let then: [fn(&mut Value); 2] = [takes_back, invalid];
    for gives_up in gives_up {
        for then in then {
            let scene = stopping().after(2).edit(gives_up).with_job("RUNNING");
            let cancel = scene.with_trigger(Trigger::InProgress);
            let decision = cancel.act(3);
            assert_eq!(labels(&decision), ["cancel"]);
            let gone = cancel.crash_after_intent(&decision).without_cluster();
            let back = gone.clone().edit(then).act(4);
            assert_eq!(back.effects, []);
            assert_eq!(reason(&back, "Degraded"), "ManualRestoreRequired");
            let status = typed(&back.status);
            let operation = status.operation.as_ref().unwrap();
            assert_eq!(operation.kind, OperationKind::Stop);
            assert!(operation.trigger.as_ref().unwrap().id.is_some());
            let state = status.reconciliation_status.as_ref().unwrap().state;
            assert_eq!(state, Some(ReconciliationState::Deployed));
            assert_eq!(newest(&back).path.as_deref(), Some("s3://a/chk-7"));
            // It stays so, until the state is given up for good.
            let stored = gone.clone().edit(then).settled().after(600);
            assert_eq!(stored.act(5).effects, []);
            let for_good = stored.edit(takes_back).edit(gives_up);
            let ends = for_good.act(6);
            let starts = for_good.with_status(&ends.status).act(7);
            assert_ne!(starts.effects, [], "{}", message(&starts, "Progressing"));
            // Nobody took it back.
            assert_ne!(gone.act(4).effects, []);
        }
    }
}

#[test]
fn a_stop_is_not_forgotten_while_a_start_waits() {
    let scene = stopping().after(2).edit(redeploys).with_job("RUNNING");
    let cancel = scene.with_trigger(Trigger::InProgress);
    let decision = cancel.act(3);
    let gone = cancel.crash_after_intent(&decision).without_cluster();
    let waits = gone.with_children("").act(4);
    assert_eq!(waits.effects, []);
    let operation = typed(&waits.status).operation.clone().unwrap();
    assert!(operation.trigger.is_some());
}

#[test]
fn the_savepoint_of_a_stop_that_is_told_while_the_cluster_ends_is_stored() {
    let scene = stopping().after(2).edit(redeploys).with_job("RUNNING");
    let cancel = scene.with_trigger(Trigger::InProgress);
    let decision = cancel.act(3);
    let told = cancel.crash_after_intent(&decision).after(1);
    let told = told.with_job("FINISHED");
    let told = told.with_trigger(Trigger::Completed("s3://b/told".into()));
    let ends = told.act(4);
    assert_eq!(labels(&ends), ["record-snapshot", "delete-deployment"]);
    let mut gone = told.without_cluster();
    gone.store(&ends, &done(&ends));
    let back = gone.edit(takes_back).act(5);
    let told = Restore::Savepoint {
        path: "s3://b/told".into(),
    };
    assert_eq!(restore_of(&back), told);
}

#[test]
fn newer_data_of_high_availability_outlive_a_redeploy_that_is_taken_back() {
    let scene = Scene::running_with(|spec| {
        stateful(spec);
        spec["flinkConfiguration"]["high-availability.type"] = json!("kubernetes");
        spec["flinkConfiguration"]["high-availability.storageDir"] = json!("s3://h");
    });
    let scene = scene.with_checkpoint(7).settled().edit(redeploys);
    let cancel = scene.act(2);
    let gone = scene.crash_after_intent(&cancel).without_cluster();
    let map = format!("basic-{JOB}-config-map");
    let gone = gone.with_ha(&map, &["checkpointID-0000000000000000012"]);
    assert_eq!(labels(&gone.act(3)), ["delete-ha-map"]);
    let back = gone.edit(takes_back).act(3);
    assert_eq!(back.effects, []);
    let said = message(&back, "Progressing");
    assert!(said.contains("hold checkpoint 12"), "{said}");
}

/// A job that was restored from savepoint 3 and ended, with what it has made, as Flink's statistics tell it.
fn ended(state: &str, made: Option<i64>) -> Scene {
    let starts = |spec: &mut Value| {
        stateful(spec);
        spec["job"]["initialSavepointPath"] = json!("s3://a/sp");
    };
    let scene = Scene::running_with(starts).with_restored(Some(3)).settled();
    let scene = scene.after(60).with_job(state).with_root_cause(None);
    let mut scene = scene.settled().after(60).with_restored(Some(3));
    if let (Some(made), Fact::Known(seen)) = (made, &mut scene.observed.answers.checkpoints) {
        seen.value.highest_id = Some(made);
    }
    scene
}

#[test]
fn a_job_that_made_no_checkpoint_left_what_it_began_with() {
    for state in ["FINISHED", "FAILED", "CANCELED"] {
        let mut scene = ended(state, None);
        for pass in 0..3 {
            let decision = scene.act(3);
            assert_eq!(
                newest(&decision).path.as_deref(),
                Some("s3://a/sp"),
                "{state} {pass}"
            );
            scene = scene.settled();
        }
        let again = scene.act(4);
        assert_eq!(typed(&again.status), &scene.stored(), "{state}: at rest");
        let edited = scene.clone().edit(scaled).act(5);
        assert_eq!(labels(&edited), ["delete-deployment"], "{state}");
        // It was told, so that its JobManager is not needed any more.
        let mut lost = scene.edit(scaled).without_cluster();
        lost.observed.answers.checkpoints = Fact::NotAsked;
        let manual = reason(&lost.act(6), "Degraded") == "ManualRestoreRequired";
        assert!(!manual, "{state}");
    }
}

#[test]
fn what_a_job_began_with_is_not_what_it_left() {
    // It made checkpoints, and Flink removed them when it finished.
    let mut removed = ended("FINISHED", Some(9));
    for _ in 0..2 {
        let decision = removed.act(3);
        assert_eq!(
            (newest(&decision).id, newest(&decision).path),
            (Some(9), None)
        );
        removed = removed.settled();
    }
    let edited = removed.edit(scaled).act(4);
    assert_eq!(edited.effects, []);
    assert_eq!(reason(&edited, "Degraded"), "ManualRestoreRequired");
    // Nobody was there to tell.
    let starts = |spec: &mut Value| {
        stateful(spec);
        spec["job"]["initialSavepointPath"] = json!("s3://a/sp");
    };
    let ran = Scene::running_with(starts).with_restored(Some(3)).settled();
    let mut lost = ran.after(60).with_job("FINISHED");
    lost.observed.answers.checkpoints = Fact::NotAsked;
    let mut lost = lost.settled().edit(scaled).without_cluster();
    lost.observed.answers.checkpoints = Fact::NotAsked;
    let lost = lost.act(4);
    assert_eq!(lost.effects, []);
    assert_eq!(reason(&lost, "Degraded"), "ManualRestoreRequired");
}

#[test]
fn without_high_availability_later_checkpoints_of_a_run_that_began_again_prove_nothing() {
    let again = keeping().after(600).with_job_since("RUNNING", 9000);
    let statistics = Checkpoints {
        restored_id: Some(9),
        highest_id: Some(10),
        newest: Some(Checkpoint {
            id: 10,
            path: "s3://a/chk-10".into(),
            savepoint: false,
            at: None,
        }),
        ..Checkpoints::default()
    };
    let mut again = again.settled().after(60).with_job_since("RUNNING", 9000);
    let subject = again.subject_of_flink();
    again.observed.answers.checkpoints = Fact::known(statistics, subject, again.now);
    let decision = again.act(3);
    assert_eq!(reason(&decision, "Degraded"), "RestoredFromOlderState");
    assert_eq!(newest(&decision).id, Some(7));
    let edited = again.clone().edit(scaled).act(4);
    assert_eq!(edited.effects, [], "its state does not take the place");
    // Nor does that of the run after it.
    let mut third = again.settled().after(60).with_job_since("RUNNING", 19_000);
    third.observed.answers.checkpoints = Fact::NotAsked;
    let third = third.settled().after(60).with_job_since("RUNNING", 19_000);
    let third = third.with_restored(Some(9)).act(5);
    assert_eq!(reason(&third, "Degraded"), "RestoredFromOlderState");
    assert_eq!(newest(&third).id, Some(7));
}

#[test]
fn a_failed_stop_does_not_hide_what_happened_since() {
    let failed = stopping()
        .after(2)
        .with_job("RUNNING")
        .with_trigger(Trigger::Failed {
            cause: "why".into(),
            savepoint: None,
        })
        .with_root_cause(None)
        .settled();
    for seconds in [5, 60] {
        let again = failed.clone().after(seconds);
        let again = again.with_job_since("RUNNING", 9000).with_restored(None);
        let decision = again.settled().after(30).with_restored(None).act(4);
        assert_eq!(decision.effects, []);
        assert_eq!(reason(&decision, "Degraded"), "RestoredFromOlderState");
    }
    let older = failed.clone().after(5).with_job_since("RUNNING", 9000);
    let older = older.with_restored(None).settled().after(5);
    let told = older.with_restored(None).act(4);
    assert_ne!(
        reason(&told, "Progressing"),
        "SavepointFailed",
        "it is not tried"
    );

    let crashes = failed.after(2).crashing(Some("CrashLoopBackOff"));
    assert_ne!(reason(&crashes.act(4), "Degraded"), "SavepointFailed");
    let again = crashes.settled().after(2).with_ready_pod();
    let again = again.with_job("RUNNING").with_checkpoint(8).act(5);
    let told = message(&again, "Progressing");
    assert!(
        told.contains("tried again at 2026-01-01T00:00:17"),
        "{told}"
    );
}
