//! What disturbs a stop with savepoint, against what was observed of the real ones.

use flink_operator_oracle::history::End;
use http::Method;
use serde_json::{Value, json};

use super::process::JobManager;
use super::rig::{HA, JOB, Rig, TRIGGER};

const SECOND: &str = "ffeeddccbbaa99887766554433221100";
const ADAPTIVE: (&str, &str) = ("jobmanager.scheduler", "adaptive");

fn running(version: &str, conf: &[(&str, &str)]) -> Rig {
    let mut rig = Rig::new(version, conf);
    rig.pass(25_000);
    assert_eq!(rig.state(), "RUNNING", "{version}");
    rig
}

fn is_pending(rig: &mut Rig, trigger: &str) -> bool {
    rig.outcome(trigger)["status"]["id"] == "IN_PROGRESS"
}

fn failure(rig: &mut Rig, trigger: &str) -> String {
    rig.outcome(trigger)["operation"]["failure-cause"]["stack-trace"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn tasks(rig: &mut Rig, name: &str) -> Value {
    rig.get("/jobs/overview")["jobs"][0]["tasks"][name].clone()
}

#[test]
fn a_stop_whose_task_managers_are_killed_fails_when_the_job_starts_again() {
    for version in ["1.15", "1.16", "1.18", "1.20", "2.3"] {
        let mut rig = running(version, &[]);
        rig.stop(TRIGGER);
        rig.pass(100);
        rig.workers.clear();
        rig.pass(2_000);
        assert_eq!(rig.state(), "RUNNING", "{version}");
        assert_eq!(tasks(&mut rig, "running"), 1, "nobody has noticed");
        assert!(is_pending(&mut rig, TRIGGER), "{version}");
        rig.pass(2_000);
        assert_eq!(rig.state(), "RESTARTING", "{version}");
        assert!(is_pending(&mut rig, TRIGGER), "{version}");
        rig.pass(1_000);
        assert!(failure(&mut rig, TRIGGER).contains("FailoverRegion is restarting"));
        rig.pass(5_000);
        assert_eq!(rig.state(), "RUNNING", "{version}");
        assert_eq!(tasks(&mut rig, "running"), 1);
        assert!(
            rig.files
                .snapshots
                .iter()
                .all(|snapshot| !snapshot.savepoint)
        );
        assert!(rig.files.unfinished.is_empty());
    }
}

#[test]
fn a_stop_that_is_asked_of_lost_tasks_is_accepted_and_fails_with_them() {
    let mut rig = running("1.20", &[]);
    rig.workers.clear();
    rig.pass(1_000);
    assert_eq!(rig.stop(TRIGGER), 202);
    rig.pass(1_000);
    assert!(is_pending(&mut rig, TRIGGER));
    rig.pass(10_000);
    assert!(failure(&mut rig, TRIGGER).contains("FailoverRegion is restarting"));
    assert_eq!(rig.state(), "RUNNING");
}

#[test]
fn the_adaptive_scheduler_leaves_a_stop_without_task_managers_pending() {
    for version in ["1.20", "2.3"] {
        let mut rig = running(version, &[ADAPTIVE]);
        rig.stop(TRIGGER);
        rig.pass(100);
        rig.workers.clear();
        rig.pass(120_000);
        assert_eq!(rig.state(), "RUNNING", "{version}");
        assert!(is_pending(&mut rig, TRIGGER), "{version}");
        rig.pass(500_000);
        assert!(
            !is_pending(&mut rig, TRIGGER),
            "the checkpoint has timed out"
        );
        assert_eq!(rig.state(), "RUNNING", "{version}");
        assert_eq!(rig.runs.len(), 2, "{version}");
    }
}

#[test]
fn under_the_adaptive_scheduler_a_second_stop_fails_alone() {
    for version in ["1.20", "2.3"] {
        let mut rig = running(version, &[ADAPTIVE]);
        rig.stop(TRIGGER);
        rig.pass(100);
        assert_eq!(rig.stop(SECOND), 202);
        rig.pass(1_000);
        assert!(rig.outcome(TRIGGER)["operation"]["location"].is_string());
        assert!(failure(&mut rig, SECOND).contains("The Flink job is currently not executing"));
        assert_eq!(rig.state(), "FINISHED", "{version}");
    }
}

#[test]
fn without_slots_an_adaptive_job_is_created_and_then_failed() {
    let mut rig = Rig::new("2.3", &[ADAPTIVE]);
    while rig.process.jobs.iter().all(|job| job.run.is_none()) {
        rig.pass(100);
    }
    for _ in 0..240 {
        rig.workers.clear();
        rig.pass(1_000);
    }
    assert_eq!(rig.state(), "CREATED");
    for _ in 0..90 {
        rig.workers.clear();
        rig.pass(1_000);
    }
    assert_eq!(rig.state(), "FAILED");
}

#[test]
fn a_savepoint_asked_for_while_stopping_succeeds_with_the_stop() {
    let mut rig = running("1.20", &[]);
    rig.stop(TRIGGER);
    rig.pass(200);
    let body = json!({ "target-directory": "file:///sp", "triggerId": SECOND });
    rig.code(Method::POST, &format!("/jobs/{JOB}/savepoints"), Some(body));
    rig.pass(1_000);
    for trigger in [TRIGGER, SECOND] {
        assert!(rig.outcome(trigger)["operation"]["location"].is_string());
    }
    assert_eq!(rig.state(), "FINISHED");
}

#[test]
fn a_stop_meanwhile_fails_with_a_job_that_ends_by_itself() {
    let mut rig = running("1.20", &[]);
    rig.stop(TRIGGER);
    rig.pass(100);
    rig.with(|process, ground| process.end_job(0, End::Finished, ground));
    assert!(failure(&mut rig, TRIGGER).contains("CheckpointCoordinator shutdown"));
    assert_eq!(rig.state(), "FINISHED");
    rig.pass(4_000);
    let statistics = rig.get(&format!("/jobs/{JOB}/checkpoints"));
    assert_eq!(statistics["latest"]["savepoint"], json!(null));
    assert_eq!(statistics["latest"]["completed"]["discarded"], true);
}

#[test]
fn a_stop_of_an_ended_job_is_accepted_and_does_not_find_it() {
    for (version, text) in [
        ("1.18", "is not a streaming job"),
        ("1.20", "Could not find Flink job"),
    ] {
        let mut rig = running(version, &[]);
        rig.with(|process, ground| process.fail_job(0, "asked to fail", ground));
        assert_eq!(rig.stop(TRIGGER), 202);
        assert!(failure(&mut rig, TRIGGER).contains(text), "{version}");
        let mut rig = running(version, &[]);
        rig.stop(TRIGGER);
        rig.pass(1_000);
        assert_eq!(rig.stop(SECOND), 202);
        assert!(failure(&mut rig, SECOND).contains("Could not find Flink job"));
        assert!(rig.outcome(TRIGGER)["operation"]["location"].is_string());
    }
}

#[test]
fn a_stop_of_a_job_that_is_not_there_yet_keeps_its_failure_under_its_id() {
    let mut rig = Rig::new("1.20", &[]);
    rig.pass(3_500);
    assert_eq!(rig.states(), [], "main has not returned");
    assert_eq!(rig.stop(TRIGGER), 202);
    rig.pass(25_000);
    assert_eq!(rig.stop(TRIGGER), 202);
    rig.pass(1_000);
    assert_eq!(rig.state(), "RUNNING");
    assert!(failure(&mut rig, TRIGGER).contains("Could not find Flink job"));
}

#[test]
fn an_evicted_result_makes_the_same_id_a_new_operation() {
    let mut rig = running("1.20", &[]);
    rig.files.unwritable.insert("file:///sp".into());
    rig.stop(TRIGGER);
    rig.pass(1_000);
    assert!(failure(&mut rig, TRIGGER).contains("IO-problem detected"));
    rig.files.unwritable.clear();
    rig.with(|process, _| process.forget_results());
    let path = format!("/jobs/{JOB}/savepoints/{TRIGGER}");
    assert_eq!(rig.code(Method::GET, &path, None), 404);
    assert_eq!(rig.stop(TRIGGER), 202);
    rig.with(|process, _| process.forget_results());
    assert!(
        is_pending(&mut rig, TRIGGER),
        "what is pending is not evicted"
    );
    rig.pass(1_000);
    assert_eq!(rig.state(), "FINISHED");
}

#[test]
fn a_directory_that_cannot_be_written_is_noticed_at_once_and_costs_an_id() {
    let mut rig = running("1.20", &[]);
    rig.files.unwritable.insert("file:///sp".into());
    let before = rig.process.jobs[0].coordinator.next;
    rig.stop(TRIGGER);
    rig.pass(50);
    assert!(failure(&mut rig, TRIGGER).contains("Failed to create savepoint directory at"));
    assert_eq!(rig.process.jobs[0].coordinator.next, before + 1);
    assert_eq!(rig.runs.len(), 1, "it never left RUNNING");
    let taken = rig.files.snapshots.len();
    rig.pass(15_000);
    assert!(rig.files.snapshots.len() > taken, "checkpoints go on");
}

#[test]
fn a_job_manager_killed_during_a_stop_leaves_a_directory_without_metadata() {
    let mut rig = running("1.20", &HA);
    rig.stop(TRIGGER);
    rig.pass(100).restart(false, &HA).pass(25_000);
    let left: Vec<String> = rig.files.unfinished.iter().cloned().collect();
    assert!(left.len() == 1 && left[0].starts_with("file:/sp/savepoint-012345-"));
    assert_eq!(rig.files.readable(&left[0]), None);
    let conf = [("execution.savepoint.path", left[0].as_str())];
    let mut later = Rig::new("2.3", &conf);
    later.files = rig.files.clone();
    later.pass(5_000);
    assert_eq!(later.state(), "FAILED");
    let why = later.get(&format!("/jobs/{JOB}/exceptions")).to_string();
    assert!(
        why.contains("Cannot find meta data file '_metadata'"),
        "{why}"
    );
}

#[test]
fn without_ha_a_job_manager_killed_during_a_stop_starts_the_job_from_nothing() {
    let mut rig = running("1.20", &[]);
    let first = rig.get("/jobs/overview")["jobs"][0]["start-time"].clone();
    rig.stop(TRIGGER);
    rig.pass(100).restart(false, &[]).pass(12_000);
    let path = format!("/jobs/{JOB}/savepoints/{TRIGGER}");
    assert_eq!(rig.code(Method::GET, &path, None), 404);
    assert_eq!(rig.state(), "RUNNING");
    assert_ne!(rig.get("/jobs/overview")["jobs"][0]["start-time"], first);
    assert_eq!(rig.restored(), [None, None]);
}

#[test]
fn without_ha_a_stopped_job_runs_again_when_its_job_manager_is_replaced() {
    for version in ["1.15", "1.18", "1.20", "2.3"] {
        let mut rig = running(version, &[]);
        rig.stop(TRIGGER);
        rig.pass(5_000);
        assert_eq!(rig.state(), "FINISHED", "{version}");
        rig.restart(false, &[]).pass(25_000);
        assert_eq!(rig.state(), "RUNNING", "{version}");
        assert_eq!(rig.restored(), [None, None], "{version}");
    }
}

#[test]
fn with_ha_and_a_kept_result_a_stopped_job_stays_stopped_and_unlisted() {
    for version in ["1.15", "1.18", "1.20", "2.3"] {
        let mut rig = running(version, &HA);
        rig.stop(TRIGGER);
        rig.pass(5_000);
        rig.restart(false, &HA).pass(40_000);
        assert_eq!(rig.states(), [], "{version}");
        assert_eq!(rig.runs.len(), 1, "{version}");
    }
}

#[test]
fn a_frozen_job_manager_goes_on_with_its_stop_when_it_wakes_up() {
    let mut rig = running("1.20", &[]);
    rig.stop(TRIGGER);
    rig.with(JobManager::freeze);
    rig.pass(30_000);
    rig.with(JobManager::thaw);
    rig.pass(1_000);
    assert_eq!(rig.state(), "FINISHED");
}
