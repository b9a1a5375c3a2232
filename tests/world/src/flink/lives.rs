//! Whole lives of clusters, against what was observed of the real ones.

use http::Method;
use serde_json::json;

use flink_operator_oracle::history::End;

use super::process::{JobManager, Phase};
use super::rig::{HA, JOB, OTHER, Rig, TRIGGER, ha_and};

#[test]
fn a_start_is_refused_then_503_then_empty_then_initializing_then_running() {
    let mut rig = Rig::new("1.20", &[]);
    rig.pass(2_900);
    assert_eq!(rig.code(Method::GET, "/config", None), 0);
    rig.pass(150);
    assert_eq!(rig.code(Method::GET, "/config", None), 503);
    rig.pass(200);
    assert_eq!(rig.get("/config")["flink-version"], "1.20.5");
    assert_eq!(rig.get("/jobs/overview"), json!({ "jobs": [] }));
    rig.pass(1_000);
    assert_eq!(rig.state(), "INITIALIZING");
    assert_eq!(rig.get("/jobs/overview")["jobs"][0]["tasks"]["total"], 0);
    rig.pass(400);
    let overview = rig.get("/jobs/overview");
    assert_eq!(overview["jobs"][0]["state"], "RUNNING");
    assert_eq!(
        overview["jobs"][0]["tasks"]["scheduled"], 1,
        "RUNNING comes before its tasks run"
    );
    rig.pass(5_000);
    assert_eq!(rig.get("/jobs/overview")["jobs"][0]["tasks"]["running"], 1);
    assert_eq!(rig.runs.len(), 1);
    assert!(rig.runs[0].working.is_some());
}

#[test]
fn handlers_open_one_after_the_other() {
    let mut rig = Rig::new("1.20", &[]);
    rig.pass(3_300);
    assert_eq!(rig.code(Method::GET, "/config", None), 200);
    assert_eq!(rig.code(Method::GET, "/overview", None), 503);
    rig.pass(300);
    assert_eq!(rig.code(Method::GET, "/overview", None), 200);
}

#[test]
fn in_1_13_ha_maps_are_born_without_labels() {
    for (version, bare) in [("1.13", 3), ("1.14", 0)] {
        let mut rig = Rig::new(version, &HA);
        rig.pass(3_250);
        let unlabelled = |rig: &Rig| {
            rig.maps
                .0
                .values()
                .filter(|map| map.labels.is_empty())
                .count()
        };
        assert_eq!(unlabelled(&rig), bare, "{version}");
        rig.pass(2_000);
        assert_eq!((rig.maps.0.len(), unlabelled(&rig)), (4, 0), "{version}");
    }
}

#[test]
fn a_job_manager_killed_during_a_stop_forgets_it_and_can_be_asked_again() {
    let mut rig = Rig::new("1.20", &HA);
    rig.pass(40_000);
    assert_eq!(rig.stop(TRIGGER), 202);
    rig.pass(100).restart(false, &HA).pass(25_000);
    assert_eq!(
        rig.code(
            Method::GET,
            &format!("/jobs/{JOB}/savepoints/{TRIGGER}"),
            None
        ),
        404
    );
    assert_eq!(rig.state(), "RUNNING");
    assert_eq!(rig.stop(TRIGGER), 202);
    rig.pass(1_000);
    assert_eq!(rig.state(), "FINISHED");
}

#[test]
fn views_of_one_job_lag_and_the_overview_does_not() {
    let mut rig = Rig::new("1.20", &[]);
    rig.pass(20_000);
    let path = format!("/jobs/{JOB}");
    assert_eq!(rig.get(&path)["state"], "RUNNING");
    assert_eq!(
        rig.code(Method::PATCH, &format!("{path}?mode=cancel"), None),
        202
    );
    rig.pass(500);
    assert_eq!(rig.state(), "CANCELED");
    assert_eq!(rig.get(&path)["state"], "RUNNING");
    rig.pass(3_000);
    assert_eq!(rig.get(&path)["state"], "CANCELED");
}

#[test]
fn a_cancelled_job_is_cancelled_again_and_a_finished_one_conflicts() {
    for (version, args, again) in [
        ("1.20", "", 202),
        ("1.13", "", 404),
        ("1.20", "--finish-at;2s", 409),
        ("1.14", "--finish-at;2s", 404),
    ] {
        let mut rig = Rig::new(version, &[("$internal.application.program-args", args)]);
        rig.process.pace.shutdown = jiff::SignedDuration::from_secs(60);
        rig.pass(12_000);
        let cancel = format!("/jobs/{JOB}?mode=cancel");
        if args.is_empty() {
            assert_eq!(rig.code(Method::PATCH, &cancel, None), 202);
            rig.pass(500);
        }
        assert_eq!(
            rig.code(Method::PATCH, &cancel, None),
            again,
            "{version} {args}"
        );
    }
}

#[test]
fn without_ha_a_killed_process_starts_the_job_from_nothing_again() {
    let mut rig = Rig::new("1.20", &[]);
    rig.pass(40_000);
    let first = rig.get("/jobs/overview")["jobs"][0]["start-time"].clone();
    assert!(rig.files.snapshots.len() >= 2);
    rig.restart(false, &[]).pass(20_000);
    assert_eq!(rig.restored(), [None, None]);
    assert_ne!(rig.get("/jobs/overview")["jobs"][0]["start-time"], first);
    assert_eq!(rig.runs[0].ended.unwrap().1, End::Killed);
    let statistics = rig.get(&format!("/jobs/{JOB}/checkpoints"));
    assert_eq!(statistics["latest"]["restored"], json!(null));
}

#[test]
fn ids_that_collide_with_a_retained_checkpoint_make_the_job_restart() {
    let mut rig = Rig::new("1.20", &[]);
    rig.pass(29_000);
    let kept = rig.files.snapshots.last().unwrap().checkpoint;
    assert_eq!(kept, 2, "chk-2 stays behind");
    rig.restart(false, &[]).pass(35_000);
    let failed = &rig.get(&format!("/jobs/{JOB}/checkpoints"))["latest"]["failed"];
    assert_eq!(failed["id"], 2);
    assert_eq!(failed["failure_message"], "Failure to finalize checkpoint.");
    assert_eq!(rig.runs[1].ended.unwrap().1, End::Restarted);
}

#[test]
fn with_ha_a_killed_process_restores_the_newest_checkpoint_after_the_lease() {
    for version in ["1.13", "1.15", "1.20", "2.3"] {
        let mut rig = Rig::new(version, &HA);
        rig.pass(40_000);
        let newest = rig.files.snapshots.last().unwrap().checkpoint;
        rig.restart(false, &HA).pass(10_000);
        assert_eq!(
            rig.code(Method::GET, "/config", None),
            503,
            "{version}: the lease keeps it out"
        );
        rig.pass(12_000);
        assert_eq!(rig.restored(), [None, Some(newest)], "{version}");
        let statistics = rig.get(&format!("/jobs/{JOB}/checkpoints"));
        assert_eq!(statistics["latest"]["restored"]["id"], newest, "{version}");
        assert_eq!(
            statistics["latest"]["restored"]["is_savepoint"], false,
            "{version}"
        );
        let restored = rig.runs[1].restored.clone().unwrap();
        assert!(restored.from_ha && restored.progress > 0, "{version}");
    }
}

#[test]
fn a_graceful_stop_gives_the_lease_back_only_from_2_0() {
    for (version, code) in [("1.20", 503), ("2.3", 200)] {
        let mut rig = Rig::new(version, &HA);
        rig.pass(40_000).restart(true, &HA).pass(5_000);
        assert_eq!(rig.code(Method::GET, "/config", None), code, "{version}");
    }
}

#[test]
fn a_stored_graph_wins_over_the_new_configuration() {
    let mut rig = Rig::new("1.20", &HA);
    rig.pass(9_000);
    assert!(rig.files.snapshots.is_empty(), "no checkpoint yet");
    let conf = ha_and(&[
        ("execution.savepoint.path", "file:///dummy"),
        ("execution.checkpointing.interval", "1 h"),
    ]);
    rig.restart(true, &conf).pass(40_000);
    assert_eq!(
        rig.restored(),
        [None, None],
        "a silent empty start, the dummy path being ignored"
    );
    assert!(
        !rig.files.snapshots.is_empty(),
        "the old interval is in force"
    );
}

#[test]
fn with_graph_keys_removed_the_new_configuration_holds_and_state_comes_from_ha() {
    let mut rig = Rig::new("1.20", &HA);
    rig.pass(40_000);
    let newest = rig.files.snapshots.last().unwrap().checkpoint;
    let conf = ha_and(&[
        ("execution.savepoint.path", "file:///dummy"),
        ("parallelism.default", "3"),
    ]);
    rig.restart(true, &conf).remove_graph_keys().pass(40_000);
    assert_eq!(
        rig.restored(),
        [None, Some(newest)],
        "the path is not looked at"
    );
    assert_eq!(rig.get("/jobs/overview")["jobs"][0]["tasks"]["total"], 3);
}

#[test]
fn a_dummy_path_without_graph_and_checkpoint_fails_the_job() {
    for (version, exits) in [("1.20", vec![2]), ("2.3", vec![])] {
        let conf = ha_and(&[("execution.savepoint.path", "file:///dummy")]);
        let mut rig = Rig::new(version, &conf);
        rig.pass(4_600);
        assert_eq!(rig.state(), "FAILED", "{version}");
        assert_eq!(
            rig.maps.0.keys().collect::<Vec<_>>(),
            ["a-cluster-config-map"],
            "{version}: the job map is gone"
        );
        rig.pass(5_000);
        assert_eq!(rig.exits, exits, "{version}");
        if !exits.is_empty() {
            rig.restart(false, &conf).pass(30_000);
            assert_eq!(
                rig.states(),
                [],
                "the kept result makes a ready JobManager without jobs"
            );
        }
    }
}

#[test]
fn an_unreadable_pointer_destroys_the_ha_data() {
    let mut rig = Rig::new("1.20", &HA);
    rig.pass(40_000);
    rig.files
        .unreadable
        .insert("file:///ha/a/completedCheckpoint".into());
    rig.restart(false, &HA).pass(25_000);
    assert_eq!(rig.state(), "FAILED");
    rig.files.unreadable.clear();
    assert_eq!(rig.maps.0.len(), 1, "storage is back, the pointer is not");
    let path = rig.files.snapshots.last().unwrap().path.clone();
    let conf = ha_and(&[
        ("job-result-store.storage-path", "file:///ha/results/2"),
        ("execution.savepoint.path", &path),
    ]);
    rig.restart(true, &conf).pass(40_000);
    assert_eq!(
        rig.runs.last().unwrap().restored.as_ref().unwrap().path,
        path
    );
}

#[test]
fn an_unreadable_graph_ends_the_process_and_keeps_the_data() {
    let mut rig = Rig::new("1.20", &HA);
    rig.pass(40_000);
    rig.files.graphs.clear();
    rig.restart(false, &HA).pass(25_000);
    assert_eq!(rig.exits, [239]);
    assert_eq!(rig.maps.0.len(), 2);
}

#[test]
fn a_graph_of_another_job_runs_beside_the_new_one_in_1_x_and_spoils_it_in_2_x() {
    let new_id = ha_and(&[
        ("$internal.pipeline.job-id", OTHER),
        ("job-result-store.storage-path", "file:///ha/results/2"),
    ]);
    let mut rig = Rig::new("1.20", &HA);
    rig.pass(40_000).restart(true, &new_id).pass(40_000);
    assert_eq!(
        rig.states(),
        [
            (JOB.to_owned(), "RUNNING".to_owned()),
            (OTHER.to_owned(), "RUNNING".to_owned())
        ]
    );
    let mut rig = Rig::new("2.3", &HA);
    rig.pass(40_000).restart(true, &new_id).pass(40_000);
    assert_eq!(
        rig.states(),
        [
            (JOB.to_owned(), "FAILED".to_owned()),
            (OTHER.to_owned(), "FAILED".to_owned())
        ]
    );
    assert!(
        !rig.maps.0.contains_key(&format!("a-{JOB}-config-map")),
        "and the old checkpoint is lost"
    );
    let mut rig = Rig::new("2.3", &HA);
    rig.pass(40_000)
        .restart(true, &new_id)
        .remove_graph_keys()
        .pass(40_000);
    assert_eq!(rig.states(), [(OTHER.to_owned(), "RUNNING".to_owned())]);
}

#[test]
fn an_ended_job_is_remembered_only_with_a_kept_result() {
    let finish = ("$internal.application.program-args", "--finish-at;15s");
    let kept = ha_and(&[finish]);
    let mut rig = Rig::new("1.20", &kept);
    rig.pass(30_000);
    assert_eq!(rig.state(), "FINISHED");
    rig.restart(false, &kept).pass(40_000);
    assert_eq!(rig.states(), [], "Ready, and the list is empty for good");
    let deleted = ha_and(&[finish, ("job-result-store.delete-on-commit", "true")]);
    for conf in [deleted.as_slice(), &[finish]] {
        let mut rig = Rig::new("1.20", conf);
        rig.pass(30_000).restart(false, conf).pass(40_000);
        assert_eq!(
            rig.restored(),
            [None, None],
            "the whole job runs again from nothing"
        );
    }
}

#[test]
fn a_crash_during_clean_up_leaves_traces() {
    let conf = ha_and(&[("$internal.application.program-args", "--finish-at;15s")]);
    for (version, after, state) in [("2.3", 500, "FINISHED"), ("1.20", 500, "absent")] {
        let mut rig = Rig::new(version, &conf);
        while rig.code(Method::GET, "/jobs/overview", None) != 200 || rig.state() != "FINISHED" {
            rig.pass(10);
        }
        rig.pass(after).restart(false, &conf).pass(30_000);
        assert_eq!(rig.state(), state, "{version}");
    }
    let mut rig = Rig::new("1.20", &conf);
    while rig.code(Method::GET, "/jobs/overview", None) != 200 || rig.state() != "FINISHED" {
        rig.pass(10);
    }
    rig.restart(false, &conf).pass(30_000);
    assert_eq!(
        rig.exits,
        [1],
        "an empty result file keeps the JobManager from starting"
    );
}

#[test]
fn before_1_15_any_end_deletes_the_deployment_and_all_ha_data() {
    let conf = ha_and(&[("$internal.application.program-args", "--finish-at;15s")]);
    let mut rig = Rig::new("1.14", &conf);
    rig.pass(40_000);
    assert!(rig.deployment_deleted);
    assert_eq!(rig.maps.0.len(), 0);
    assert_eq!(rig.process.phase, Phase::Ended);
    let mut rig = Rig::new("1.15", &conf);
    rig.pass(40_000);
    assert!(!rig.deployment_deleted);
    assert_eq!(rig.state(), "FINISHED");
}

#[test]
fn main_that_throws_is_recorded_as_a_failed_job() {
    let mut rig = Rig::new(
        "1.20",
        &[("$internal.application.program-args", "--fail-in-main")],
    );
    rig.pass(10_000);
    assert_eq!(rig.state(), "FAILED");
    assert_eq!(
        rig.get("/jobs/overview")["jobs"][0]["name"],
        "(application driver)"
    );
    assert_eq!(
        rig.code(Method::GET, &format!("/jobs/{JOB}/checkpoints"), None),
        404
    );
    let result = rig.get(&format!("/jobs/{JOB}/execution-result"));
    assert!(
        result["job-execution-result"]["failure-cause"]["stack-trace"]
            .as_str()
            .unwrap()
            .contains("main method")
    );
}

#[test]
fn a_failing_task_restarts_the_job_from_its_checkpoint() {
    let mut rig = Rig::new(
        "1.20",
        &[("$internal.application.program-args", "--fail-at;25s")],
    );
    rig.pass(45_000);
    assert_eq!(rig.runs[0].ended.unwrap().1, End::Restarted);
    assert_eq!(rig.restored()[1], Some(2));
    assert!(rig.runs[1].restored.as_ref().unwrap().progress < rig.runs[0].progress);
    let history = rig.get(&format!("/jobs/{JOB}/exceptions"));
    assert!(
        history["exceptionHistory"]["entries"][0]["stacktrace"]
            .as_str()
            .unwrap()
            .contains("asked to fail")
    );
    let mut rig = Rig::new(
        "1.20",
        &[
            ("$internal.application.program-args", "--fail-at;5s"),
            ("execution.checkpointing.interval", ""),
        ],
    );
    rig.pass(45_000);
    assert_eq!(
        rig.state(),
        "FAILED",
        "without checkpoints there is no restart"
    );
}

#[test]
fn a_lost_task_manager_restarts_the_job_and_is_replaced() {
    let mut rig = Rig::new("1.20", &HA);
    rig.pass(25_000);
    rig.workers.clear();
    rig.pass(2_000);
    assert_eq!(rig.state(), "RUNNING", "nobody has noticed");
    assert!(rig.runs[0].ended.is_some(), "and nothing works");
    rig.pass(1_000);
    assert_eq!(rig.state(), "RESTARTING");
    rig.pass(15_000);
    assert_eq!(rig.get("/jobs/overview")["jobs"][0]["tasks"]["running"], 1);
    assert_eq!(rig.restored(), [None, Some(1)]);
}

#[test]
fn a_paused_leader_that_wakes_up_late_touches_nothing() {
    let mut rig = Rig::new("1.20", &HA);
    rig.pass(40_000);
    rig.with(JobManager::freeze);
    let frozen = rig.process.who.clone();
    rig.pass(16_000);
    assert!(rig.runs[0].ended.is_none(), "its TaskManagers go on");
    let lease = rig.files.leases.values_mut().next().unwrap();
    lease.holder = "another".into();
    lease.until = None;
    let before = rig.maps.clone();
    rig.with(JobManager::thaw);
    rig.pass(10_000);
    assert_eq!(rig.maps, before, "{}", frozen.pod);
    assert_eq!(rig.runs[0].ended.unwrap().1, End::Killed);
    assert_eq!(rig.code(Method::GET, "/jobs/overview", None), 503);
}

#[test]
fn deleting_all_ha_maps_ends_the_process_and_the_next_one_starts_empty() {
    let mut rig = Rig::new("1.20", &HA);
    rig.pass(40_000);
    rig.maps.0.clear();
    rig.pass(10);
    assert_eq!(rig.exits, [1]);
    rig.restart(false, &HA).pass(40_000);
    assert_eq!(rig.restored(), [None, None]);
}
