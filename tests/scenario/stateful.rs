//! Jobs with state: what needs it waits, and says so, while the job runs on.

use serde_json::{Value, json};

use crate::play::{application, pass};
use crate::scene::{Scene, scene};

const WAITS: &str = "StatefulUpgradeNotAvailable";

fn stateful() -> Value {
    let mut resource = application();
    resource["spec"]["job"]["upgradeMode"] = json!("savepoint");
    let configuration = &mut resource["spec"]["flinkConfiguration"];
    configuration["state.savepoints.dir"] = json!("file:///sp");
    configuration["state.checkpoints.dir"] = json!("file:///cp");
    configuration["execution.checkpointing.interval"] = json!("10 s");
    resource
}

fn waits(scene: &Scene) -> bool {
    scene.has_reason("Progressing", WAITS)
}

#[test]
fn a_job_with_state_starts_and_is_observed_and_deleted() {
    scene(async |scene| {
        scene.run(stateful()).await;
        scene
            .until("checkpointed", |scene| {
                scene.status()["lineage"]["newest"]["path"].is_string()
            })
            .await;
        scene.delete();
        scene
            .until("gone", |scene| scene.resource().is_null())
            .await;
        scene
    });
}

#[test]
fn an_edit_that_needs_state_waits_while_the_job_runs_on_and_goes_when_it_is_reverted() {
    scene(async |scene| {
        scene.run(stateful()).await;
        let deployment = scene.deployment();
        scene.edit(|spec| spec["job"]["parallelism"] = json!(4));
        scene.until("waiting", waits).await;
        scene
            .stays(600.0, "waiting", |scene| {
                waits(scene) && scene.deployment() == deployment
            })
            .await;
        assert_eq!(scene.status()["jobStatus"]["state"], "RUNNING");
        assert_eq!(scene.events(WAITS).len(), 1, "told once");
        scene.edit(|spec| spec["job"]["parallelism"] = json!(2));
        scene.until("at rest", |scene| !waits(scene)).await;
        scene.until_state("STABLE").await;
        assert_eq!(scene.deployment(), deployment);
        scene
    });
}

#[test]
fn a_waiting_edit_is_carried_out_once_the_user_gives_the_state_up() {
    scene(async |scene| {
        scene.run(stateful()).await;
        let deployment = scene.deployment();
        scene.edit(|spec| spec["job"]["parallelism"] = json!(4));
        scene.until("waiting", waits).await;
        scene.edit(|spec| spec["job"]["upgradeMode"] = json!("stateless"));
        scene.until_state("STABLE").await;
        assert_ne!(scene.deployment(), deployment);
        scene
    });
}

#[test]
fn a_suspend_that_needs_state_waits_while_the_job_runs_on() {
    scene(async |scene| {
        scene.run(stateful()).await;
        let deployment = scene.deployment();
        scene.edit(|spec| spec["job"]["state"] = json!("suspended"));
        scene.until("waiting", waits).await;
        scene
            .stays(600.0, "running", |scene| {
                waits(scene) && scene.deployment() == deployment
            })
            .await;
        assert_eq!(scene.status()["jobStatus"]["state"], "RUNNING");
        scene
    });
}

#[test]
fn an_ignorable_edit_of_a_job_with_state_does_not_wait() {
    scene(async |scene| {
        scene.run(stateful()).await;
        scene.edit(|spec| {
            spec["flinkConfiguration"]["kubernetes.operator.savepoint.cleanup.enabled"] =
                json!("false");
        });
        scene.until_state("STABLE").await;
        pass(30.0).await;
        assert!(!waits(&scene));
        scene
    });
}

#[test]
fn a_start_from_a_savepoint_waits_before_anything_is_deployed() {
    scene(async |scene| {
        let mut resource = application();
        resource["spec"]["job"]["initialSavepointPath"] = json!("file:///sp/savepoint-1");
        scene.create(resource);
        scene.until("waiting", waits).await;
        scene
            .stays(300.0, "undeployed", |scene| {
                waits(scene) && scene.deployment().is_empty()
            })
            .await;
        assert_eq!(scene.events(WAITS).len(), 1);
        scene.edit(|spec| {
            drop(
                spec["job"]
                    .as_object_mut()
                    .unwrap()
                    .remove("initialSavepointPath"),
            );
        });
        scene.until_state("STABLE").await;
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
