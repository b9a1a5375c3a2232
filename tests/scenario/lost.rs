//! JobManager Deployments that disappear.

use serde_json::{Value, json};

use crate::play::{NAME, NAMESPACE, application, highly_available, pass};
use crate::scene::{Scene, scene};

fn lose(scene: &Scene) {
    scene
        .world
        .api
        .delete("Deployment", NAMESPACE, NAME)
        .unwrap();
}

#[test]
fn a_lost_deployment_of_a_job_without_state_is_created_again() {
    scene(async |scene| {
        scene.run(application()).await;
        let deployment = scene.deployment();
        lose(&scene);
        let recovered =
            |scene: &Scene| !scene.deployment().is_empty() && scene.deployment() != deployment;
        scene.until("recovered", recovered).await;
        scene
            .until("running again", |scene| {
                scene.condition("Ready")["status"] == "True"
            })
            .await;
        assert_eq!(scene.status()["observedGeneration"], 1);
        assert_eq!(scene.events("RecoverDeployment").len(), 1);
        scene
    });
}

#[test]
fn a_lost_deployment_is_created_as_it_was_and_not_as_a_waiting_edit_wants_it() {
    scene(async |scene| {
        scene.run(application()).await;
        // The edit is invalid: what was deployed last goes on.
        scene.edit(|spec| spec["jobManager"]["resource"]["memory"] = json!("-1g"));
        scene.until_reason("Degraded", "InvalidSpec").await;
        lose(&scene);
        scene
            .until("running again", |scene| {
                !scene.deployment().is_empty() && scene.status()["jobStatus"]["state"] == "RUNNING"
            })
            .await;
        assert!(scene.has_reason("Degraded", "InvalidSpec"));
        scene
    });
}

/// Loses the Deployment and expects that nothing but a condition follows.
fn stays_lost(resource: Value) {
    scene(async |scene| {
        scene.run(resource).await;
        lose(&scene);
        scene.until_reason("Degraded", "JobManagerMissing").await;
        let message = scene.condition("Degraded")["message"].clone();
        assert!(
            message
                .as_str()
                .is_some_and(|message| message.contains("Deployment is gone")),
            "{message}"
        );
        scene
            .stays(600.0, "left alone", |scene| scene.deployment().is_empty())
            .await;
        assert_eq!(scene.events("JobManagerMissing").len(), 1);
        assert_eq!(scene.status()["jobManagerDeploymentStatus"], "MISSING");
        scene
    });
}

#[test]
fn with_high_availability_a_lost_deployment_waits_and_its_data_is_kept() {
    scene(async |scene| {
        scene.run(highly_available()).await;
        let maps = scene.ha_maps();
        assert!(!maps.is_empty());
        lose(&scene);
        scene.until_reason("Degraded", "JobManagerMissing").await;
        scene
            .stays(600.0, "left alone", |scene| scene.deployment().is_empty())
            .await;
        assert_eq!(scene.ha_maps(), maps);
        scene
    });
}

#[test]
fn a_lost_deployment_of_a_job_with_state_waits() {
    let mut resource = application();
    resource["spec"]["job"]["upgradeMode"] = json!("savepoint");
    resource["spec"]["flinkConfiguration"]["state.savepoints.dir"] = json!("file:///sp");
    resource["spec"]["flinkConfiguration"]["state.checkpoints.dir"] = json!("file:///cp");
    stays_lost(resource);
}

#[test]
fn before_flink_1_15_a_lost_deployment_waits_because_it_may_be_the_end_of_the_job() {
    let mut resource = application();
    resource["spec"]["image"] = json!("flink:1.14");
    resource["spec"]["flinkVersion"] = json!("v1_14");
    stays_lost(resource);
}

#[test]
fn a_lost_deployment_waits_where_recovery_is_switched_off() {
    let mut resource = application();
    resource["spec"]["flinkConfiguration"]["kubernetes.operator.jm-deployment-recovery.enabled"] =
        json!("false");
    stays_lost(resource);
}

#[test]
fn a_job_that_has_ended_is_not_started_again_when_its_deployment_goes() {
    scene(async |scene| {
        scene.run(application()).await;
        scene.world.cluster.finish_jobs(NAMESPACE, NAME);
        scene
            .until("finished", |scene| {
                scene.status()["jobStatus"]["state"] == "FINISHED"
            })
            .await;
        lose(&scene);
        pass(5.0).await;
        scene
            .stays(600.0, "ended", |scene| scene.deployment().is_empty())
            .await;
        assert_eq!(scene.status()["jobStatus"]["state"], "FINISHED");
        scene
    });
}
