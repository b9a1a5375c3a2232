//! Stops with savepoint that do not go as they should: what happens, what is said, and how it goes on.

use std::time::Duration;

use flink_operator_world::cluster::RestTrouble;
use serde_json::json;

use crate::play::{NAME, NAMESPACE, highly_available, pass};
use crate::scene::{Scene, scene};
use crate::stateful::{path, restored, scale, stateful, with_savepoints};

async fn failed(scene: &Scene) {
    scene
        .until("failed", |scene| {
            scene.has_reason("Degraded", "SavepointFailed")
        })
        .await;
    assert_eq!(scene.status()["jobStatus"]["state"], "RUNNING");
    assert_eq!(scene.events("SavepointError").len(), 1);
}

/// Lets Flink be in the middle of the stop.
async fn in_the_middle(scene: &Scene) {
    scene
        .until("stopping", |scene| {
            scene.has_reason("Progressing", "StoppingWithSavepoint")
        })
        .await;
}

fn slow_savepoints(scene: &Scene) {
    scene
        .world
        .cluster
        .set_flink_pace(flink_operator_world::flink::pace::Pace {
            savepoint: jiff::SignedDuration::from_secs(20),
            ..flink_operator_world::flink::pace::Pace::default()
        });
}

#[test]
fn an_unwritable_directory_leaves_the_job_running_until_it_can_be_written() {
    scene(async |scene| {
        scene.run(stateful()).await;
        pass(25.0).await;
        scene
            .world
            .cluster
            .with_files(|files| files.unwritable.insert("file:///sp".into()));
        scale(&scene, 4);
        failed(&scene).await;
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
        scene.run(stateful()).await;
        pass(25.0).await;
        scene
            .world
            .cluster
            .with_files(|files| files.unwritable.insert("file:///sp".into()));
        scale(&scene, 4);
        failed(&scene).await;
        pass(3_600.0).await;
        let stops: Vec<_> = scene
            .world
            .cluster
            .calls()
            .into_iter()
            .filter(|call| call.path.ends_with("/stop"))
            .collect();
        assert!((6..=16).contains(&stops.len()), "{}", stops.len());
        let ids: std::collections::BTreeSet<_> = stops
            .iter()
            .map(|call| call.body.as_ref().unwrap()["triggerId"].to_string())
            .collect();
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
        scene.run(stateful()).await;
        pass(25.0).await;
        scene
            .world
            .cluster
            .with_files(|files| files.unwritable.insert("file:///sp".into()));
        scale(&scene, 4);
        failed(&scene).await;
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
        scene.run(stateful()).await;
        pass(25.0).await;
        scene
            .world
            .cluster
            .with_files(|files| files.unwritable.insert("file:///sp".into()));
        scale(&scene, 4);
        failed(&scene).await;
        scale(&scene, 2);
        scene
            .until("at rest", |scene| scene.status()["operation"].is_null())
            .await;
        scene.until_state("STABLE").await;
        assert_eq!(scene.status()["error"], serde_json::Value::Null);
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
        scene.run(resource).await;
        pass(25.0).await;
        scale(&scene, 4);
        scene
            .until("failed", |scene| {
                scene.has_reason("Degraded", "SavepointFailed")
            })
            .await;
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
        scene.run(resource).await;
        pass(25.0).await;
        scale(&scene, 4);
        scene.until_state("STABLE").await;
        assert_eq!(restored(&scene), Some(path(&scene)));
        scene
    });
}

#[test]
fn a_job_manager_that_goes_silent_is_waited_for() {
    scene(async |scene| {
        slow_savepoints(&scene);
        scene.run(stateful()).await;
        pass(25.0).await;
        scale(&scene, 4);
        in_the_middle(&scene).await;
        scene.world.cluster.freeze_job_manager(NAMESPACE, NAME);
        scene
            .until("silent", |scene| {
                scene.has_reason("Progressing", "JobManagerSilent")
            })
            .await;
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
        slow_savepoints(&scene);
        scene.run(with_savepoints(highly_available())).await;
        pass(25.0).await;
        scale(&scene, 4);
        in_the_middle(&scene).await;
        pass(5.0).await;
        scene.world.cluster.kill_job_manager(NAMESPACE, NAME);
        scene.until_state("STABLE").await;
        let stops: std::collections::BTreeSet<_> = scene
            .world
            .cluster
            .calls()
            .into_iter()
            .filter(|call| call.path.ends_with("/stop"))
            .map(|call| call.body.unwrap()["triggerId"].to_string())
            .collect();
        assert_eq!(stops.len(), 1, "the same id again");
        assert_eq!(restored(&scene), Some(path(&scene)));
        scene
    });
}

#[test]
fn a_job_manager_killed_in_the_middle_without_high_availability_is_not_believed() {
    scene(async |scene| {
        slow_savepoints(&scene);
        scene.run(stateful()).await;
        pass(25.0).await;
        scale(&scene, 4);
        in_the_middle(&scene).await;
        pass(5.0).await;
        let deployment = scene.deployment();
        scene.world.cluster.kill_job_manager(NAMESPACE, NAME);
        scene
            .until("older state", |scene| {
                scene.has_reason("Degraded", "RestoredFromOlderState")
            })
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

#[test]
fn a_cluster_deleted_in_the_middle_needs_a_person() {
    scene(async |scene| {
        slow_savepoints(&scene);
        scene.run(stateful()).await;
        pass(25.0).await;
        scale(&scene, 4);
        in_the_middle(&scene).await;
        scene
            .world
            .api
            .delete("Deployment", NAMESPACE, NAME)
            .unwrap();
        scene
            .until("manual", |scene| {
                scene.has_reason("Degraded", "ManualRestoreRequired")
            })
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
        slow_savepoints(&scene);
        scene.run(stateful()).await;
        pass(25.0).await;
        scale(&scene, 4);
        in_the_middle(&scene).await;
        pass(1.0).await;
        scene.world.cluster.finish_jobs(NAMESPACE, NAME);
        scene
            .until("a person", |scene| {
                scene.has_reason("Degraded", "ManualRestoreRequired")
            })
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
        scene.run(stateful()).await;
        pass(25.0).await;
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
        slow_savepoints(&scene);
        scene.run(stateful()).await;
        pass(25.0).await;
        scale(&scene, 4);
        in_the_middle(&scene).await;
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
