//! Savepoints and stops, against what was observed of the real ones.

use flink_operator_oracle::history::End;
use http::Method;
use serde_json::json;

use super::rig::{JOB, Rig, TRIGGER};

const SECOND: &str = "ffeeddccbbaa99887766554433221100";

fn running(version: &str) -> Rig {
    let mut rig = Rig::new(version, &[]);
    rig.pass(25_000);
    rig
}

#[test]
fn a_stop_is_pending_then_finished_with_its_location() {
    let mut rig = running("1.20");
    assert_eq!(rig.stop(TRIGGER), 202);
    rig.pass(200);
    assert_eq!(
        rig.outcome(TRIGGER),
        json!({ "status": { "id": "IN_PROGRESS" }, "operation": null })
    );
    assert_eq!(rig.state(), "RUNNING");
    rig.pass(200);
    let location = rig.outcome(TRIGGER)["operation"]["location"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        location.starts_with("file:/sp/savepoint-012345-"),
        "{location}"
    );
    assert_eq!(rig.state(), "FINISHED");
    assert_eq!(rig.runs[0].ended.unwrap().1, End::Finished);
    assert!(rig.files.readable(&location).is_some());
}

#[test]
fn a_savepoint_of_a_stop_shows_late_and_the_checkpoint_before_it_is_discarded() {
    let mut rig = running("1.20");
    rig.get(&format!("/jobs/{JOB}/checkpoints"));
    rig.stop(TRIGGER);
    rig.pass(1_000);
    let stale = rig.get(&format!("/jobs/{JOB}/checkpoints"));
    assert_eq!(stale["latest"]["savepoint"], json!(null));
    rig.pass(3_000);
    let fresh = rig.get(&format!("/jobs/{JOB}/checkpoints"));
    assert_eq!(
        fresh["latest"]["savepoint"]["checkpoint_type"],
        "SYNC_SAVEPOINT"
    );
    assert_eq!(fresh["latest"]["savepoint"]["discarded"], false);
    assert_eq!(fresh["latest"]["completed"]["discarded"], true);
    assert!(
        fresh["latest"]["completed"]["external_path"].is_string(),
        "listed although its files are gone"
    );
}

#[test]
fn the_same_trigger_id_does_nothing_again_and_keeps_failures() {
    let mut rig = running("1.20");
    rig.files.unwritable.insert("file:///sp".into());
    rig.stop(TRIGGER);
    rig.pass(1_000);
    let failed = rig.outcome(TRIGGER);
    assert!(
        failed["operation"]["failure-cause"]["stack-trace"]
            .as_str()
            .unwrap()
            .contains("Failed to create savepoint directory at")
    );
    assert_eq!(rig.state(), "RUNNING");
    rig.files.unwritable.clear();
    assert_eq!(rig.stop(&TRIGGER.to_uppercase()), 202);
    rig.pass(1_000);
    assert_eq!(rig.outcome(TRIGGER), failed);
    assert_eq!(rig.stop(SECOND), 202);
    rig.pass(1_000);
    assert_eq!(rig.state(), "FINISHED");
}

#[test]
fn a_second_stop_under_another_id_destroys_the_first() {
    let mut rig = running("1.20");
    rig.stop(TRIGGER);
    rig.pass(100);
    rig.stop(SECOND);
    rig.pass(100);
    let text = rig.outcome(TRIGGER).to_string() + &rig.outcome(SECOND).to_string();
    assert!(
        text.contains("Checkpoint Coordinator is suspending")
            && text.contains("FailoverRegion is restarting")
    );
    rig.pass(5_000);
    assert_eq!(rig.state(), "RUNNING");
    assert_eq!(rig.runs.len(), 2);
}

#[test]
fn the_id_of_a_savepoint_does_not_stop_the_job() {
    let mut rig = running("1.20");
    let body = json!({ "target-directory": "file:///sp", "triggerId": TRIGGER });
    assert_eq!(
        rig.code(Method::POST, &format!("/jobs/{JOB}/savepoints"), Some(body)),
        202
    );
    rig.pass(1_000);
    assert_eq!(rig.stop(TRIGGER), 202);
    rig.pass(1_000);
    assert_eq!(rig.state(), "RUNNING");
    assert!(rig.outcome(TRIGGER)["operation"]["location"].is_string());
}

#[test]
fn a_pending_savepoint_is_aborted_by_a_stop() {
    let mut rig = running("1.20");
    let body = json!({ "target-directory": "file:///sp", "triggerId": SECOND });
    rig.code(Method::POST, &format!("/jobs/{JOB}/savepoints"), Some(body));
    rig.stop(TRIGGER);
    rig.pass(1_000);
    assert!(rig.outcome(SECOND).to_string().contains("suspending"));
    assert_eq!(rig.state(), "FINISHED");
}

#[test]
fn accepted_says_nothing_about_the_job() {
    let mut rig = Rig::new("1.20", &[]);
    rig.pass(4_600);
    assert_eq!(rig.state(), "RUNNING");
    assert_eq!(rig.stop(TRIGGER), 202);
    assert!(
        rig.outcome(TRIGGER)
            .to_string()
            .contains("Not all required tasks are currently running")
    );
    let unknown = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let body = json!({ "targetDirectory": "file:///sp", "triggerId": TRIGGER });
    assert_eq!(
        rig.code(Method::POST, &format!("/jobs/{unknown}/stop"), Some(body)),
        202
    );
    assert!(
        rig.get(&format!("/jobs/{unknown}/savepoints/{TRIGGER}"))
            .to_string()
            .contains("Could not find Flink job")
    );
}

#[test]
fn malformed_ids_and_a_missing_directory_are_refused() {
    let mut rig = Rig::new("1.20", &[("state.savepoints.dir", "")]);
    rig.pass(25_000);
    let stop = format!("/jobs/{JOB}/stop");
    let call = |rig: &mut Rig, body| rig.call(Method::POST, &stop, Some(body)).unwrap();
    let short = call(
        &mut rig,
        json!({ "targetDirectory": "file:///sp", "triggerId": "abcd" }),
    );
    assert!(short.code == 400 && short.body.to_string().contains("16 bytes"));
    let word = call(
        &mut rig,
        json!({ "targetDirectory": "file:///sp", "triggerId": "hello" }),
    );
    assert!(word.code == 400 && word.body.to_string().contains("For input string"));
    let nowhere = call(&mut rig, json!({ "triggerId": TRIGGER }));
    assert!(
        nowhere
            .body
            .to_string()
            .contains("[execution.checkpointing.savepoint-dir] is not set")
    );
}

#[test]
fn trigger_ids_came_with_1_15_and_unknown_fields_pass_from_1_20() {
    for (version, stop, stranger) in [
        ("1.14", 400, 400),
        ("1.15", 202, 400),
        ("1.18", 202, 400),
        ("1.20", 202, 202),
    ] {
        let mut rig = running(version);
        let body = json!({ "targetDirectory": "file:///sp", "surprise": 1 });
        assert_eq!(
            rig.code(
                Method::POST,
                &format!("/jobs/{JOB}/savepoints"),
                Some(json!({ "cheese": 1 }))
            ),
            stranger,
            "{version}"
        );
        assert_eq!(
            rig.code(Method::POST, &format!("/jobs/{JOB}/stop"), Some(body)) == 400,
            stranger == 400,
            "{version}"
        );
        let mut rig = running(version);
        assert_eq!(rig.stop(TRIGGER), stop, "{version}");
    }
}

#[test]
fn results_are_forgotten_after_their_time_and_with_the_process() {
    let mut rig = Rig::new("1.20", &[("rest.async.store-duration", "10 s")]);
    rig.pass(25_000);
    rig.stop(TRIGGER);
    rig.pass(5_000);
    assert!(rig.outcome(TRIGGER)["operation"]["location"].is_string());
    rig.pass(10_000);
    assert_eq!(
        rig.code(
            Method::GET,
            &format!("/jobs/{JOB}/savepoints/{TRIGGER}"),
            None
        ),
        404
    );
}

#[test]
fn a_cancel_beats_a_pending_stop() {
    let mut rig = running("1.20");
    rig.stop(TRIGGER);
    rig.code(Method::PATCH, &format!("/jobs/{JOB}?mode=cancel"), None);
    rig.pass(1_000);
    assert_eq!(rig.state(), "CANCELED");
    assert!(
        rig.outcome(TRIGGER)
            .to_string()
            .contains("CheckpointCoordinator shutdown")
    );
    assert!(
        rig.files
            .snapshots
            .iter()
            .all(|snapshot| !snapshot.savepoint)
    );
    assert!(
        rig.files.snapshots.last().unwrap().discarded.is_none(),
        "retained on cancellation"
    );
}

#[test]
fn a_stop_that_fails_while_ending_names_its_savepoint_from_1_15() {
    for (version, state, named) in [("1.15", "FAILED", true), ("1.14", "RUNNING", false)] {
        let mut rig = Rig::new(
            version,
            &[("$internal.application.program-args", "--stop-fails;closing")],
        );
        rig.pass(25_000);
        let path = format!("/jobs/{JOB}/stop");
        let reply = rig
            .call(
                Method::POST,
                &path,
                Some(json!({ "targetDirectory": "file:///sp" })),
            )
            .unwrap();
        let trigger = reply.body["request-id"].as_str().unwrap().to_owned();
        rig.pass(5_000);
        assert_eq!(
            rig.outcome(&trigger)
                .to_string()
                .contains("A savepoint has been created at: file:/sp/"),
            named
        );
        assert_eq!(rig.state(), state, "{version}");
        assert!(rig.files.snapshots.last().unwrap().savepoint);
    }
}

#[test]
fn a_task_that_fails_while_saving_leaves_the_job_running() {
    let mut rig = Rig::new(
        "1.20",
        &[("$internal.application.program-args", "--stop-fails;saving")],
    );
    rig.pass(25_000);
    rig.stop(TRIGGER);
    rig.pass(500);
    assert_eq!(rig.state(), "RESTARTING");
    assert!(rig.outcome(TRIGGER).to_string().contains("Task has failed"));
    rig.pass(5_000);
    assert_eq!(rig.state(), "RUNNING");
}

#[test]
fn disposal_removes_files_once() {
    let mut rig = running("1.20");
    rig.code(
        Method::POST,
        &format!("/jobs/{JOB}/savepoints"),
        Some(json!({ "triggerId": TRIGGER })),
    );
    rig.pass(1_000);
    let location = rig.outcome(TRIGGER)["operation"]["location"].clone();
    let mut dispose = || {
        let reply = rig
            .call(
                Method::POST,
                "/savepoint-disposal",
                Some(json!({ "savepoint-path": location })),
            )
            .unwrap();
        assert_eq!(reply.code, 200);
        rig.get(&format!(
            "/savepoint-disposal/{}",
            reply.body["request-id"].as_str().unwrap()
        ))
    };
    assert_eq!(dispose()["operation"], json!({}));
    assert!(
        dispose()["operation"]
            .to_string()
            .contains("Could not dispose savepoint")
    );
}

#[test]
fn checkpoints_can_be_triggered_where_the_version_can() {
    for (version, code) in [("1.16", 404), ("1.18", 202)] {
        let mut rig = running(version);
        let path = format!("/jobs/{JOB}/checkpoints");
        assert_eq!(
            rig.code(Method::POST, &path, Some(json!({ "triggerId": TRIGGER }))),
            code,
            "{version}"
        );
        if code == 202 {
            rig.pass(500);
            let done = rig.get(&format!("{path}/{TRIGGER}"));
            assert_eq!(done["operation"]["checkpointId"], 2);
        }
    }
}

#[test]
fn the_order_of_the_overview_changes_and_paths_of_the_web_submission_are_missing() {
    let mut rig = running("1.20");
    let reply = rig.call(Method::GET, "/jars", None).unwrap();
    assert_eq!(reply.code, 404);
    assert!(
        reply
            .body
            .to_string()
            .contains("Unable to load requested file /jars.")
    );
    let reply = rig.call(Method::POST, "/jars/upload", None).unwrap();
    assert!(reply.body.to_string().contains("Not found: /jars/upload"));
}
