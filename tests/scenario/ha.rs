//! High-availability data: Flink's old memory must not decide what a new start runs.

use serde_json::json;

use crate::play::{NAMESPACE, highly_available};
use crate::scene::scene;

const OLD_JOB: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn job_graphs_are_removed_before_a_deploy_and_everything_else_is_kept() {
    scene(async |scene| {
        let graph = format!("jobGraph-{OLD_JOB}");
        scene.create(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": "basic-cluster-config-map", "namespace": NAMESPACE,
                "labels": { "app": "basic", "type": "flink-native-kubernetes", "configmap-type": "high-availability" },
            },
            "data": { graph.as_str(): "rO0ABX", "sessionId": "kept" },
        }));
        scene.create(highly_available());
        scene
            .until("deployed", |scene| !scene.deployment().is_empty())
            .await;
        let history = scene.world.api.history();
        let created = history
            .iter()
            .position(|change| change.key.kind.kind == "Deployment")
            .unwrap();
        let before = history[..created]
            .iter()
            .rev()
            .find(|change| change.key.name == "basic-cluster-config-map")
            .unwrap();
        assert_eq!(
            before.new.as_ref().unwrap()["data"],
            json!({ "sessionId": "kept" })
        );
        scene.until_state("STABLE").await;
        assert_ne!(scene.status()["jobStatus"]["jobId"], OLD_JOB);
        scene
    });
}

#[test]
fn an_end_without_state_removes_the_data_and_a_resume_starts_empty() {
    scene(async |scene| {
        scene.run(highly_available()).await;
        assert!(!scene.ha_maps().is_empty());
        scene.edit(|spec| spec["job"]["state"] = json!("suspended"));
        scene.until_state("SUSPENDED").await;
        assert_eq!(scene.ha_maps(), [""; 0]);
        scene.edit(|spec| spec["job"]["state"] = json!("running"));
        scene.until_state("STABLE").await;
        let runs = scene.world.cluster.runs();
        assert!(runs.iter().all(|run| run.restored.is_none()), "{runs:#?}");
        scene
    });
}

#[test]
fn a_deletion_removes_the_data() {
    scene(async |scene| {
        scene.run(highly_available()).await;
        scene.delete();
        scene
            .until("gone", |scene| scene.resource().is_null())
            .await;
        assert_eq!(scene.ha_maps(), [""; 0]);
        scene
    });
}

#[test]
fn config_maps_that_only_look_like_data_are_left_alone() {
    scene(async |scene| {
        let labels = json!({ "app": "basic", "type": "flink-native-kubernetes", "configmap-type": "high-availability" });
        for name in ["basic-notes", "basic-0123-config-map", "autoscaler-basic"] {
            scene.create(json!({ "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": { "name": name, "namespace": NAMESPACE, "labels": labels }, "data": { "jobGraph-1": "x" } }));
        }
        scene.run(highly_available()).await;
        scene.delete();
        scene
            .until("gone", |scene| scene.resource().is_null())
            .await;
        for name in ["basic-notes", "basic-0123-config-map", "autoscaler-basic"] {
            assert_eq!(
                scene.get("ConfigMap", name).unwrap()["data"]["jobGraph-1"],
                "x",
                "{name}"
            );
        }
        scene
    });
}

#[test]
fn a_restarted_job_manager_recovers_its_job_by_itself() {
    scene(async |scene| {
        scene.run(highly_available()).await;
        let (deployment, job) = (
            scene.deployment(),
            scene.status()["jobStatus"]["jobId"].clone(),
        );
        crate::play::pass(60.0).await;
        scene.world.cluster.kill_job_manager(NAMESPACE, "basic");
        scene
            .until("started again", |scene| {
                scene.world.cluster.runs().len() == 2
            })
            .await;
        scene
            .until("running", |scene| {
                scene.status()["jobStatus"]["state"] == "RUNNING"
            })
            .await;
        crate::play::pass(60.0).await;
        assert_eq!(
            (
                scene.deployment(),
                scene.status()["jobStatus"]["jobId"].clone()
            ),
            (deployment, job)
        );
        assert!(scene.world.cluster.runs()[1].restored.is_some());
        scene
    });
}
