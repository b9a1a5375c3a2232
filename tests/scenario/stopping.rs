//! Stops with savepoint that do not go as they should: what happens, what is said, and how it goes on.

use std::collections::BTreeSet;
use std::time::Duration;

use flink_operator_world::cluster::RestTrouble;
use flink_operator_world::flink::files::Files;
use flink_operator_world::flink::pace::Pace;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::play::{NAME, NAMESPACE, highly_available, pass};
use crate::scene::{Scene, scene};
use crate::stateful::{checkpointed, path, restored, scale, stateful, with_savepoints};

/// Edits a job whose savepoints cannot be written.
async fn refused(scene: &Scene) {
    checkpointed(scene, stateful()).await;
    scene
        .world
        .cluster
        .with_files(|files| files.unwritable.insert("file:///sp".into()));
    scale(scene, 4);
    scene.until_reason("Degraded", "SavepointFailed").await;
    assert_eq!(scene.status()["jobStatus"]["state"], "RUNNING");
    assert_eq!(scene.events("SavepointError").len(), 1);
}

/// Edits a job, and lets Flink be in the middle of a stop that takes its time.
async fn in_the_middle(scene: &Scene, resource: Value) {
    scene.world.cluster.set_flink_pace(Pace {
        savepoint: SignedDuration::from_secs(20),
        ..Pace::default()
    });
    checkpointed(scene, resource).await;
    scale(scene, 4);
    scene
        .until_reason("Progressing", "StoppingWithSavepoint")
        .await;
}

/// Gives the trigger ids of all stops that were asked for, one for each request.
fn stops(scene: &Scene) -> Vec<String> {
    let calls = scene.world.cluster.calls().into_iter();
    let stops = calls.filter(|call| call.path.ends_with("/stop"));
    let id = |body: Value| body["triggerId"].to_string();
    stops.filter_map(|call| call.body.map(id)).collect()
}

#[test]
fn an_unwritable_directory_leaves_the_job_running_until_it_can_be_written() {
    scene(async |scene| {
        refused(&scene).await;
        let message = scene.condition("Degraded")["message"].clone();
        let message = message.as_str().unwrap();
        assert!(
            message.contains("Failed to create savepoint directory"),
            "{message}"
        );
        assert!(message.contains("it is tried again at"), "{message}");
        assert_eq!(scene.status()["lifecycleState"], "STABLE");
        pass(60.0).await;
        scene
            .world
            .cluster
            .with_files(|files| files.unwritable.clear());
        scene.until_state("STABLE").await;
        assert_eq!(restored(&scene), Some(path(&scene)));
        assert_eq!(scene.condition("Degraded")["status"], "False");
        scene
    });
}

#[test]
fn attempts_become_rare_and_each_is_another_stop() {
    scene(async |scene| {
        refused(&scene).await;
        pass(3_600.0).await;
        let stops = stops(&scene);
        assert!((6..=16).contains(&stops.len()), "{}", stops.len());
        let ids: BTreeSet<&String> = stops.iter().collect();
        assert_eq!(ids.len(), stops.len());
        assert_eq!(
            scene.events("SavepointError").len(),
            1,
            "the same is told once"
        );
        scene
    });
}

#[test]
fn another_directory_takes_effect_at_once_and_without_a_restart() {
    scene(async |scene| {
        refused(&scene).await;
        scene.edit(|spec| {
            spec["flinkConfiguration"]["state.savepoints.dir"] = json!("file:///other");
        });
        scene
            .within(Duration::from_secs(60), "stable", |scene| {
                scene.status()["lifecycleState"] == "STABLE"
                    && scene.world.cluster.runs().len() == 2
            })
            .await;
        assert!(path(&scene).starts_with("file:/other/"), "{}", path(&scene));
        scene
    });
}

#[test]
fn reverting_the_edit_ends_the_attempts() {
    scene(async |scene| {
        refused(&scene).await;
        scale(&scene, 2);
        scene
            .until("at rest", |scene| scene.status()["operation"].is_null())
            .await;
        scene.until_state("STABLE").await;
        assert_eq!(scene.status()["error"], Value::Null);
        pass(600.0).await;
        assert_eq!(scene.world.cluster.runs().len(), 1);
        assert_eq!(scene.condition("Degraded")["status"], "False");
        scene
    });
}

#[test]
fn a_task_that_fails_while_saving_leaves_the_job_running() {
    scene(async |scene| {
        let mut resource = stateful();
        resource["spec"]["job"]["args"] = json!(["--stop-fails", "saving"]);
        checkpointed(&scene, resource).await;
        scale(&scene, 4);
        scene.until_reason("Degraded", "SavepointFailed").await;
        let message = scene.condition("Degraded")["message"].clone();
        let cause = "; the job failed meanwhile: java.lang.RuntimeException: asked to fail";
        assert!(message.as_str().unwrap().contains(cause), "{message}");
        scene
            .until("running", |scene| {
                scene.status()["jobStatus"]["state"] == "RUNNING"
            })
            .await;
        scene.edit(|spec| spec["job"]["upgradeMode"] = json!("stateless"));
        scene.until_state("STABLE").await;
        scene
    });
}

#[test]
fn a_task_that_fails_after_the_savepoint_loses_nothing() {
    scene(async |scene| {
        let mut resource = stateful();
        resource["spec"]["job"]["args"] = json!(["--stop-fails", "closing"]);
        checkpointed(&scene, resource).await;
        scale(&scene, 4);
        scene.until_state("STABLE").await;
        assert_eq!(restored(&scene), Some(path(&scene)));
        scene
    });
}

#[test]
fn a_job_manager_that_goes_silent_is_waited_for() {
    scene(async |scene| {
        in_the_middle(&scene, stateful()).await;
        scene.world.cluster.freeze_job_manager(NAMESPACE, NAME);
        scene.until_reason("Progressing", "JobManagerSilent").await;
        pass(300.0).await;
        assert_eq!(scene.world.cluster.runs().len(), 1);
        scene.world.cluster.thaw_job_manager(NAMESPACE, NAME);
        scene.until_state("STABLE").await;
        assert_eq!(restored(&scene), Some(path(&scene)));
        scene
    });
}

#[test]
fn a_job_manager_killed_in_the_middle_recovers_with_high_availability_and_is_asked_again() {
    scene(async |scene| {
        in_the_middle(&scene, with_savepoints(highly_available())).await;
        pass(5.0).await;
        scene.world.cluster.kill_job_manager(NAMESPACE, NAME);
        scene.until_state("STABLE").await;
        let stops = stops(&scene);
        let ids: BTreeSet<&String> = stops.iter().collect();
        assert!(stops.len() > 1);
        assert_eq!(ids.len(), 1, "the same id again");
        assert_eq!(restored(&scene), Some(path(&scene)));
        scene
    });
}

#[test]
fn a_job_manager_killed_in_the_middle_without_high_availability_is_not_believed() {
    scene(async |scene| {
        in_the_middle(&scene, stateful()).await;
        pass(5.0).await;
        let deployment = scene.deployment();
        scene.world.cluster.kill_job_manager(NAMESPACE, NAME);
        scene
            .until_reason("Degraded", "RestoredFromOlderState")
            .await;
        let newest = scene.status()["lineage"]["newest"]["path"].clone();
        pass(120.0).await;
        assert_eq!(scene.deployment(), deployment, "Flink's own restarts only");
        assert_eq!(scene.status()["lineage"]["newest"]["path"], newest);
        let nonce = json!(1);
        scene.edit(|spec| {
            spec["job"]["initialSavepointPath"] = newest.clone();
            spec["job"]["savepointRedeployNonce"] = nonce;
        });
        scene.until_state("STABLE").await;
        assert_eq!(json!(restored(&scene).unwrap()), newest);
        scene
    });
}

/// Half a result keeps every later JobManager from starting.
#[test]
fn a_job_manager_that_dies_at_the_end_of_the_job_needs_a_person() {
    scene(async |scene| {
        in_the_middle(&scene, with_savepoints(highly_available())).await;
        let runs = || scene.world.cluster.runs();
        while runs()[0].ended.is_none() {
            assert_eq!(runs().len(), 1);
            pass(0.02).await;
        }
        scene.world.cluster.kill_job_manager(NAMESPACE, NAME);
        scene
            .until_reason("Progressing", "ManualRestoreRequired")
            .await;
        assert!(scene.has_reason("Degraded", "DeploymentFailed"));
        pass(1_800.0).await;
        assert_eq!(scene.events("ManualRestoreRequired").len(), 1);
        let newest = |files: &mut Files| files.snapshots.last().unwrap().path.clone();
        let saved = scene.world.cluster.with_files(newest);
        assert!(saved.contains("/savepoint-"), "{saved}");
        scene.edit(|spec| {
            spec["job"]["initialSavepointPath"] = json!(saved);
            spec["job"]["savepointRedeployNonce"] = json!(1);
        });
        scene.until_state("STABLE").await;
        assert_eq!(restored(&scene), Some(saved));
        scene
    });
}

#[test]
fn a_cluster_deleted_in_the_middle_needs_a_person() {
    scene(async |scene| {
        in_the_middle(&scene, stateful()).await;
        scene
            .world
            .api
            .delete("Deployment", NAMESPACE, NAME)
            .unwrap();
        scene
            .until_reason("Degraded", "ManualRestoreRequired")
            .await;
        scene
            .until("failed", |scene| {
                scene.status()["lifecycleState"] == "FAILED"
            })
            .await;
        let error = scene.status()["error"].clone();
        let error = error.as_str().unwrap();
        assert!(error.contains("Manual restore required."), "{error}");
        assert!(error.contains("file:///sp"), "{error}");
        scene
            .stays(300.0, "nothing started", |scene| {
                scene.deployment().is_empty()
            })
            .await;
        assert_eq!(scene.events("UpgradeFailed").len(), 1);
        scene.edit(|spec| spec["job"]["upgradeMode"] = json!("stateless"));
        scene.until_state("STABLE").await;
        scene
    });
}

#[test]
fn a_job_that_ends_by_itself_meanwhile_is_not_taken_for_stopped() {
    scene(async |scene| {
        in_the_middle(&scene, stateful()).await;
        pass(1.0).await;
        scene.world.cluster.finish_jobs(NAMESPACE, NAME);
        scene
            .until_reason("Degraded", "ManualRestoreRequired")
            .await;
        assert_eq!(scene.status()["jobStatus"]["state"], "FINISHED");
        assert_eq!(scene.world.cluster.runs().len(), 1);
        scene
    });
}

#[test]
fn a_slow_savepoint_is_waited_for_beyond_every_window() {
    scene(async |scene| {
        scene
            .world
            .cluster
            .set_flink_pace(flink_operator_world::flink::pace::Pace {
                savepoint: jiff::SignedDuration::from_secs(100),
                ..flink_operator_world::flink::pace::Pace::default()
            });
        checkpointed(&scene, stateful()).await;
        scale(&scene, 4);
        scene
            .within(Duration::from_secs(300), "stable", |scene| {
                scene.status()["lifecycleState"] == "STABLE"
                    && scene.world.cluster.runs().len() == 2
            })
            .await;
        let stops = scene
            .world
            .cluster
            .calls()
            .into_iter()
            .filter(|call| call.path.ends_with("/stop"))
            .count();
        assert_eq!(stops, 1);
        scene
    });
}

#[test]
fn a_job_manager_that_answers_500_is_waited_for() {
    scene(async |scene| {
        in_the_middle(&scene, stateful()).await;
        scene
            .world
            .cluster
            .set_rest_trouble(NAMESPACE, NAME, Some(RestTrouble::Status(500)));
        pass(60.0).await;
        assert_eq!(scene.world.cluster.runs().len(), 1);
        scene.world.cluster.set_rest_trouble(NAMESPACE, NAME, None);
        scene.until_state("STABLE").await;
        assert_eq!(restored(&scene), Some(path(&scene)));
        scene
    });
}
