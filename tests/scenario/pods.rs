//! Pods that cannot start: the status says why as soon as the pod does.

use std::time::Duration;

use flink_operator_world::cluster::Trouble;
use serde_json::{Value, json};

use crate::play::{NAME, NAMESPACE, application, pass};
use crate::scene::{Scene, scene};

/// From what a pod says until the status says it: one look.
const LOOK: Duration = Duration::from_secs(1);

fn with_image(image: &str) -> Value {
    let mut resource = application();
    resource["spec"]["image"] = json!(image);
    resource
}

fn waiting_reason(scene: &Scene) -> Option<String> {
    let pods = scene.world.api.list("Pod", NAMESPACE);
    let statuses = pods
        .iter()
        .filter_map(|pod| pod["status"]["containerStatuses"].as_array())
        .flatten();
    let mut reasons = statuses.filter_map(|status| status["state"]["waiting"]["reason"].as_str());
    reasons
        .find(|reason| *reason != "ContainerCreating")
        .map(str::to_owned)
}

fn complains_about(scene: &Scene, reason: &str) -> bool {
    let status = scene.status();
    let error = status["error"].as_str().unwrap_or_default();
    let degraded = scene.condition("Degraded");
    let message = degraded["message"].as_str().unwrap_or_default().to_owned();
    error.contains(reason)
        && degraded["reason"] == "DeploymentFailed"
        && message.contains(reason)
        && status["jobManagerDeploymentStatus"] == "ERROR"
}

#[test]
fn an_image_that_cannot_be_pulled_is_named_within_one_look_and_an_edit_heals_it() {
    scene(async |scene| {
        scene.create(with_image("missing:1"));
        scene
            .until("failing to pull", |scene| waiting_reason(scene).is_some())
            .await;
        scene
            .within(LOOK, "complaining", |scene| {
                complains_about(scene, "ImagePull")
            })
            .await;
        assert!(
            !scene.events("ImagePullBackOff").is_empty()
                || !scene.events("ErrImagePull").is_empty()
        );
        assert_eq!(scene.condition("Ready")["status"], "False");
        scene.edit(|spec| spec["image"] = json!("flink:1.20"));
        scene.until_state("STABLE").await;
        assert_eq!(scene.status()["error"], Value::Null);
        assert_eq!(scene.condition("Degraded")["status"], "False");
        scene
    });
}

#[test]
fn a_container_that_crashes_again_and_again_is_named_within_one_look() {
    scene(async |scene| {
        scene.create(with_image("crashing:1"));
        let crashes = |scene: &Scene| waiting_reason(scene).as_deref() == Some("CrashLoopBackOff");
        scene.until("crashing", crashes).await;
        scene
            .within(LOOK, "complaining", |scene| {
                complains_about(scene, "CrashLoopBackOff")
            })
            .await;
        // Between two crashes the container runs for a moment, which is no recovery.
        scene
            .stays(300.0, "complaining", |scene| {
                complains_about(scene, "CrashLoopBackOff")
            })
            .await;
        assert_eq!(scene.events("CrashLoopBackOff").len(), 1, "told once");
        scene
    });
}

#[test]
fn a_pod_that_no_node_takes_is_named_within_one_look_and_goes_on_when_there_is_room() {
    scene(async |scene| {
        scene
            .world
            .cluster
            .set_trouble(NAMESPACE, NAME, Some(Trouble::Unschedulable));
        scene.create(application());
        scene
            .until("unschedulable", |scene| {
                let pods = scene.world.api.list("Pod", NAMESPACE);
                let conditions = pods
                    .iter()
                    .filter_map(|pod| pod["status"]["conditions"].as_array())
                    .flatten();
                conditions
                    .into_iter()
                    .any(|condition| condition["reason"] == "Unschedulable")
            })
            .await;
        scene
            .within(LOOK, "complaining", |scene| {
                scene.has_reason("Degraded", "Unschedulable")
            })
            .await;
        assert_eq!(scene.events("Unschedulable").len(), 1);
        assert_eq!(
            scene.status()["jobManagerDeploymentStatus"],
            "DEPLOYING",
            "it may still come"
        );
        scene.world.cluster.set_trouble(NAMESPACE, NAME, None);
        for pod in scene.world.api.list("Pod", NAMESPACE) {
            scene
                .world
                .api
                .delete("Pod", NAMESPACE, pod["metadata"]["name"].as_str().unwrap())
                .unwrap();
        }
        scene.until_state("STABLE").await;
        scene
    });
}

#[test]
fn a_quota_that_refuses_the_pod_is_named_within_one_look() {
    scene(async |scene| {
        scene
            .world
            .cluster
            .set_trouble(NAMESPACE, NAME, Some(Trouble::Quota));
        scene.create(application());
        scene
            .until("refused", |scene| {
                let deployment = scene.get("Deployment", NAME).unwrap_or_default();
                let conditions = deployment["status"]["conditions"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default();
                conditions
                    .iter()
                    .any(|condition| condition["type"] == "ReplicaFailure")
            })
            .await;
        scene
            .within(LOOK, "complaining", |scene| {
                complains_about(scene, "FailedCreate")
            })
            .await;
        let message = scene.condition("Degraded")["message"].clone();
        assert!(message.as_str().unwrap().contains("quota"), "{message}");
        scene.world.cluster.set_trouble(NAMESPACE, NAME, None);
        scene.until_state("STABLE").await;
        assert_eq!(scene.condition("Degraded")["status"], "False");
        scene
    });
}

#[test]
fn a_job_manager_whose_rest_api_is_silent_says_what_it_waits_for() {
    scene(async |scene| {
        scene.run(application()).await;
        scene.world.cluster.set_rest_trouble(
            NAMESPACE,
            NAME,
            Some(flink_operator_world::cluster::RestTrouble::Hang),
        );
        scene.until_reason("Progressing", "JobManagerSilent").await;
        let deployment = scene.deployment();
        scene
            .stays(600.0, "left alone", |scene| {
                scene.deployment() == deployment
            })
            .await;
        scene.world.cluster.set_rest_trouble(NAMESPACE, NAME, None);
        scene
            .until("answering", |scene| {
                scene.status()["jobStatus"]["state"] == "RUNNING"
            })
            .await;
        scene
    });
}

#[test]
fn task_managers_that_no_node_takes_are_named_while_the_job_waits_for_them() {
    scene(async |scene| {
        scene.create(application());
        scene.until("begun", |scene| scene.pods() > 0).await;
        let unschedulable = Some(Trouble::Unschedulable);
        // From now on: the JobManager's pod has its node.
        scene
            .world
            .cluster
            .set_trouble(NAMESPACE, NAME, unschedulable);
        scene.until_reason("Degraded", "Unschedulable").await;
        let message = scene.condition("Progressing")["message"].to_string();
        assert!(
            message.contains("basic-taskmanager-1-1") && message.contains("Insufficient cpu"),
            "{message}"
        );
        assert_eq!(scene.status()["jobManagerDeploymentStatus"], "READY");
        pass(600.0).await;
        assert_eq!(scene.events("Unschedulable").len(), 1, "told once");
        scene.world.cluster.set_trouble(NAMESPACE, NAME, None);
        scene.edit(|spec| spec["restartNonce"] = json!(1));
        scene.until_state("STABLE").await;
        assert_eq!(scene.condition("Degraded")["status"], "False");
        scene
    });
}
