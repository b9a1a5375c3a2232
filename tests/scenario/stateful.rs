//! Jobs with state: edits, suspension and resumption carry it over in a savepoint.

use flink_operator_world::cluster::Trouble;
use serde_json::{Value, json};

use crate::play::{NAME, NAMESPACE, application, highly_available, pass};
use crate::scene::{Scene, scene};

const NOT_AVAILABLE: &str = "StatefulUpgradeNotAvailable";

/// Makes a resource keep its state in savepoints when it is changed.
pub(crate) fn with_savepoints(mut resource: Value) -> Value {
    resource["spec"]["job"]["upgradeMode"] = json!("savepoint");
    let configuration = &mut resource["spec"]["flinkConfiguration"];
    configuration["state.savepoints.dir"] = json!("file:///sp");
    configuration["state.checkpoints.dir"] = json!("file:///cp");
    configuration["execution.checkpointing.interval"] = json!("10 s");
    resource
}

pub(crate) fn stateful() -> Value {
    with_savepoints(application())
}

pub(crate) fn scale(scene: &Scene, parallelism: u32) {
    scene.edit(|spec| spec["job"]["parallelism"] = json!(parallelism));
}

fn set_state(scene: &Scene, state: &str) {
    scene.edit(|spec| spec["job"]["state"] = json!(state));
}

/// Creates a resource, and waits until its job runs and has checkpoints.
pub(crate) async fn checkpointed(scene: &Scene, resource: Value) {
    scene.run(resource).await;
    pass(25.0).await;
}

/// What the last run was restored from.
pub(crate) fn restored(scene: &Scene) -> Option<String> {
    let runs = scene.world.cluster.runs();
    let last = runs.last().expect("something ran");
    last.restored.as_ref().map(|restored| restored.path.clone())
}

pub(crate) fn path(scene: &Scene) -> String {
    let status = scene.status();
    let path = status["jobStatus"]["upgradeSavepointPath"].as_str();
    path.unwrap_or_default().to_owned()
}

fn snapshots(scene: &Scene) -> Vec<Value> {
    scene.world.api.list("FlinkStateSnapshot", NAMESPACE)
}

/// An edit whose upgrade is complete, with the savepoint where everybody looks for it.
async fn upgraded(scene: &Scene, resource: Value) {
    checkpointed(scene, resource).await;
    let old = scene.status()["jobStatus"]["jobId"].clone();
    scale(scene, 4);
    scene
        .until_reason("Progressing", "StoppingWithSavepoint")
        .await;
    assert_eq!(scene.status()["lifecycleState"], "UPGRADING");
    scene.until_state("STABLE").await;
    let status = scene.status();
    assert!(path(scene).starts_with("file:/sp/savepoint-"));
    assert_eq!(restored(scene), Some(path(scene)));
    assert_ne!(status["jobStatus"]["jobId"], old);
    assert_eq!(status["operation"], Value::Null);
    assert_eq!(status["error"], Value::Null);
    pass(30.0).await;
    assert_eq!(scene.events("StoppedWithSavepoint").len(), 1);
    assert_eq!(scene.events("Restored").len(), 1);
    assert_eq!(scene.events("Suspended").len(), 1);
    assert_eq!(scene.world.cluster.runs().len(), 2);
}

#[test]
fn an_edit_stops_the_job_with_a_savepoint_and_starts_the_new_spec_from_it() {
    scene(async |scene| {
        upgraded(&scene, stateful()).await;
        let snapshots = snapshots(&scene);
        assert_eq!(snapshots.len(), 1);
        let (spec, status) = (&snapshots[0]["spec"], &snapshots[0]["status"]);
        assert_eq!(spec["savepoint"]["alreadyExists"], true);
        assert_eq!(spec["savepoint"]["disposeOnDelete"], false);
        assert_eq!(spec["jobReference"]["name"], NAME);
        assert_eq!(status["path"], json!(path(&scene)));
        assert_eq!(status["state"], "COMPLETED");
        assert_eq!(
            snapshots[0]["metadata"]["labels"]["snapshot.trigger-type"],
            "UPGRADE"
        );
        assert_eq!(scene.events("NotSupported"), [""; 0], "nothing to announce");
        scene
    });
}

#[test]
fn the_same_with_high_availability_leaves_no_old_job_behind() {
    scene(async |scene| {
        upgraded(&scene, with_savepoints(highly_available())).await;
        let job = scene.status()["jobStatus"]["jobId"].clone();
        let of_job = format!("{NAME}-{}-config-map", job.as_str().unwrap());
        assert_eq!(
            scene.ha_maps(),
            [of_job, format!("{NAME}-cluster-config-map")]
        );
        scene
    });
}

#[test]
fn by_setting_the_savepoint_is_recorded_in_the_status() {
    scene(async |scene| {
        let mut resource = stateful();
        resource["spec"]["flinkConfiguration"]["kubernetes.operator.snapshot.resource.enabled"] =
            json!("false");
        upgraded(&scene, resource).await;
        assert_eq!(snapshots(&scene), [Value::Null; 0]);
        let info = scene.status()["jobStatus"]["savepointInfo"].clone();
        assert_eq!(info["lastSavepoint"]["location"], json!(path(&scene)));
        assert_eq!(info["savepointHistory"].as_array().unwrap().len(), 1);
        assert_eq!(info["savepointHistory"][0]["triggerType"], "UPGRADE");
        scene
    });
}

#[test]
fn ten_edits_in_a_row_lose_nothing() {
    scene(async |scene| {
        scene.run(stateful()).await;
        for parallelism in 3..13 {
            pass(17.0).await;
            scale(&scene, parallelism);
            scene.until_state("STABLE").await;
            assert_eq!(restored(&scene), Some(path(&scene)));
        }
        pass(30.0).await;
        let runs = scene.world.cluster.runs();
        assert_eq!(runs.len(), 11);
        for pair in runs.windows(2) {
            let restored = pair[1].restored.as_ref().unwrap();
            assert_eq!(restored.progress, pair[0].progress, "all that was done");
        }
        assert_eq!(snapshots(&scene).len(), 10);
        let segments = scene.status()["lineage"]["segments"].clone();
        assert_eq!(segments.as_array().unwrap().len(), 11);
        scene
    });
}

#[test]
fn a_suspended_job_is_resumed_from_its_savepoint() {
    scene(async |scene| {
        checkpointed(&scene, stateful()).await;
        set_state(&scene, "suspended");
        scene.until_state("SUSPENDED").await;
        assert_eq!((scene.pods(), scene.deployment()), (0, String::new()));
        let savepoint = path(&scene);
        assert!(savepoint.starts_with("file:/sp/"), "{savepoint}");
        pass(600.0).await;
        set_state(&scene, "running");
        scene.until_state("STABLE").await;
        assert_eq!(restored(&scene), Some(savepoint));
        scene
    });
}

#[test]
fn what_was_edited_while_suspended_is_started_from_the_savepoint() {
    scene(async |scene| {
        checkpointed(&scene, stateful()).await;
        set_state(&scene, "suspended");
        scene.until_state("SUSPENDED").await;
        scale(&scene, 4);
        pass(30.0).await;
        set_state(&scene, "running");
        scene.until_state("STABLE").await;
        assert_eq!(restored(&scene), Some(path(&scene)));
        scene
    });
}

#[test]
fn a_first_start_restores_the_initial_savepoint() {
    scene(async |scene| {
        checkpointed(&scene, stateful()).await;
        set_state(&scene, "suspended");
        scene.until_state("SUSPENDED").await;
        let savepoint = path(&scene);
        scene.delete();
        scene
            .until("gone", |scene| scene.resource().is_null())
            .await;
        let mut again = stateful();
        again["spec"]["job"]["initialSavepointPath"] = json!(savepoint);
        scene.run(again).await;
        assert_eq!(restored(&scene), Some(savepoint));
        scale(&scene, 4);
        scene.until_state("STABLE").await;
        assert_eq!(restored(&scene), Some(path(&scene)));
        scene
    });
}

#[test]
fn a_savepoint_that_is_not_there_fails_the_job_and_a_correction_starts_it() {
    scene(async |scene| {
        let mut resource = stateful();
        resource["spec"]["job"]["initialSavepointPath"] = json!("file:///sp/none");
        scene.create(resource);
        scene
            .until("failed", |scene| {
                scene.status()["jobStatus"]["state"] == "FAILED"
            })
            .await;
        assert!(
            scene.status()["error"]
                .as_str()
                .unwrap()
                .contains("Cannot find checkpoint or savepoint")
        );
        scene.edit(|spec| spec["job"]["upgradeMode"] = json!("stateless"));
        scene.edit(|spec| spec["restartNonce"] = json!(1));
        scene.until_state("STABLE").await;
        assert_eq!(restored(&scene), None);
        scene
    });
}

#[test]
fn a_redeploy_nonce_goes_back_to_any_savepoint() {
    scene(async |scene| {
        checkpointed(&scene, stateful()).await;
        scale(&scene, 3);
        scene.until_state("STABLE").await;
        let first = path(&scene);
        pass(25.0).await;
        scale(&scene, 4);
        scene.until_state("STABLE").await;
        pass(25.0).await;
        scene.edit(|spec| {
            spec["job"]["initialSavepointPath"] = json!(first);
            spec["job"]["savepointRedeployNonce"] = json!(1);
        });
        scene.until_state("STABLE").await;
        assert_eq!(restored(&scene), Some(first));
        pass(25.0).await;
        scale(&scene, 5);
        scene.until_state("STABLE").await;
        assert_eq!(restored(&scene), Some(path(&scene)));
        scene
    });
}

/// Flink lists a failed job then, of which it has no statistics.
#[test]
fn a_program_that_throws_in_main_after_a_stop_is_corrected_without_losing_state() {
    for seconds in [0.0, 600.0] {
        scene(async |scene| {
            checkpointed(&scene, stateful()).await;
            scene.edit(|spec| spec["job"]["args"] = json!(["--fail-in-main"]));
            let failed = |scene: &Scene| scene.status()["jobStatus"]["state"] == "FAILED";
            scene.until("failed", failed).await;
            let savepoint = path(&scene);
            pass(seconds).await;
            assert!(scene.has_reason("Degraded", "JobFailed"));
            scene.edit(|spec| spec["job"]["args"] = json!([]));
            scene.until_state("STABLE").await;
            assert_eq!(restored(&scene), Some(savepoint));
            scene
        });
    }
}

#[test]
fn a_broken_start_after_a_stop_is_corrected_without_losing_state() {
    scene(async |scene| {
        checkpointed(&scene, stateful()).await;
        scene
            .world
            .cluster
            .set_trouble(NAMESPACE, NAME, Some(Trouble::ImagePull));
        scene.edit(|spec| spec["image"] = json!("flink:no-such-tag"));
        scene.until_reason("Degraded", "DeploymentFailed").await;
        let savepoint = path(&scene);
        scene.world.cluster.set_trouble(NAMESPACE, NAME, None);
        scene.edit(|spec| spec["image"] = json!("flink:1.20"));
        scene.until_state("STABLE").await;
        assert_eq!(restored(&scene), Some(savepoint));
        scene
    });
}

#[test]
fn a_failed_job_is_started_again_by_an_edit_from_its_newest_checkpoint() {
    scene(async |scene| {
        checkpointed(&scene, stateful()).await;
        scene.world.cluster.fail_jobs(NAMESPACE, NAME, "by hand");
        scene
            .until("failed", |scene| {
                scene.status()["jobStatus"]["state"] == "FAILED"
            })
            .await;
        scene.edit(|spec| spec["restartNonce"] = json!(1));
        scene.until_state("STABLE").await;
        let from = restored(&scene).unwrap();
        assert!(from.contains("/chk-"), "{from}");
        scene
    });
}

#[test]
fn a_finished_job_whose_checkpoints_are_gone_is_not_started_from_less() {
    scene(async |scene| {
        scene.run(stateful()).await;
        pass(45.0).await;
        scene.world.cluster.finish_jobs(NAMESPACE, NAME);
        pass(60.0).await;
        scene.edit(|spec| spec["restartNonce"] = json!(1));
        scene
            .until_reason("Degraded", "ManualRestoreRequired")
            .await;
        scene
            .stays(300.0, "one run", |scene| {
                scene.world.cluster.runs().len() == 1
            })
            .await;
        scene.edit(|spec| spec["job"]["upgradeMode"] = json!("stateless"));
        scene.until_state("STABLE").await;
        assert_eq!(restored(&scene), None);
        scene
    });
}

#[test]
fn an_edit_that_asks_for_the_last_state_waits_and_says_what_can_be_done() {
    scene(async |scene| {
        let mut resource = with_savepoints(highly_available());
        resource["spec"]["job"]["upgradeMode"] = json!("last-state");
        scene.run(resource).await;
        let deployment = scene.deployment();
        scale(&scene, 4);
        let waits = |scene: &Scene| scene.has_reason("Progressing", NOT_AVAILABLE);
        scene.until("waiting", waits).await;
        scene
            .stays(600.0, "running", |scene| {
                waits(scene) && scene.deployment() == deployment
            })
            .await;
        assert_eq!(scene.events(NOT_AVAILABLE).len(), 1, "told once");
        scene.edit(|spec| spec["job"]["upgradeMode"] = json!("savepoint"));
        scene.until_state("STABLE").await;
        assert_eq!(restored(&scene), Some(path(&scene)));
        scene
    });
}

#[test]
fn an_ignorable_edit_of_a_job_with_state_stops_nothing() {
    scene(async |scene| {
        scene.run(stateful()).await;
        scene.edit(|spec| {
            spec["flinkConfiguration"]["kubernetes.operator.savepoint.cleanup.enabled"] =
                json!("false");
        });
        scene.until_state("STABLE").await;
        pass(30.0).await;
        assert_eq!(scene.world.cluster.runs().len(), 1);
        scene
    });
}

#[test]
fn a_deletion_that_asks_for_a_savepoint_waits_and_says_so() {
    scene(async |scene| {
        let mut resource = stateful();
        resource["spec"]["flinkConfiguration"]["kubernetes.operator.job.savepoint-on-deletion"] =
            json!("true");
        scene.run(resource).await;
        let deployment = scene.deployment();
        scene.delete();
        let waits = |scene: &Scene| scene.has_reason("Progressing", NOT_AVAILABLE);
        scene.until("waiting", waits).await;
        scene
            .stays(300.0, "running", |scene| scene.deployment() == deployment)
            .await;
        scene.edit(|spec| {
            spec["flinkConfiguration"]["kubernetes.operator.job.savepoint-on-deletion"] =
                json!("false");
        });
        scene
            .until("gone", |scene| scene.resource().is_null())
            .await;
        scene
    });
}
