//! The life of a job that keeps no state.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flink_operator_world::points::{Action, Failure};
use serde_json::json;

use crate::play::{NAME, Operator, application, pass};
use crate::scene::{Scene, is_at, scene, uid};

#[test]
fn a_new_resource_gets_a_cluster_and_becomes_stable() {
    scene(async |scene| {
        scene.run(application()).await;
        for (kind, name) in [
            ("Service", "basic"),
            ("Service", "basic-rest"),
            ("ConfigMap", "flink-config-basic"),
        ] {
            let child = scene
                .get(kind, name)
                .unwrap_or_else(|| panic!("{kind} {name} is missing"));
            assert_eq!(
                child["metadata"]["ownerReferences"][0]["uid"],
                scene.deployment(),
                "{kind} {name}"
            );
        }
        let deployment = scene.get("Deployment", NAME).unwrap();
        assert_eq!(
            deployment["metadata"]["ownerReferences"][0]["uid"],
            scene.resource()["metadata"]["uid"]
        );
        assert_eq!(scene.condition("Ready")["status"], "True");
        assert_eq!(scene.status()["jobManagerDeploymentStatus"], "READY");
        assert_eq!(
            scene.status()["taskManager"],
            json!({ "labelSelector": "component=taskmanager,app=basic", "replicas": 1 })
        );
        assert_eq!(scene.events("Submit").len(), 1);
        scene
    });
}

#[test]
fn an_edit_without_state_replaces_the_cluster_and_the_job() {
    scene(async |scene| {
        scene.run(application()).await;
        let (job, deployment) = (
            scene.status()["jobStatus"]["jobId"].clone(),
            scene.deployment(),
        );
        scene.edit(|spec| spec["job"]["parallelism"] = json!(4));
        scene.until_state("STABLE").await;
        assert_ne!(scene.deployment(), deployment);
        assert_ne!(scene.status()["jobStatus"]["jobId"], job);
        assert_eq!(scene.status()["taskManager"]["replicas"], 2);
        assert_eq!(scene.events("SpecChanged").len(), 1);
        let runs = scene.world.cluster.runs();
        assert_eq!(runs.len(), 2);
        assert_eq!(
            runs[0].ended.unwrap().1,
            flink_operator_oracle::history::End::Canceled,
            "Flink closes sources and sinks"
        );
        scene
    });
}

#[test]
fn an_edit_during_an_upgrade_is_taken_up_by_the_same_upgrade() {
    scene(async |scene| {
        scene.run(application()).await;
        scene.edit(|spec| spec["job"]["parallelism"] = json!(4));
        scene
            .until("being ended", |scene| {
                scene.status()["operation"]["kind"] == "End"
            })
            .await;
        scene.edit(|spec| spec["job"]["parallelism"] = json!(6));
        scene.until_state("STABLE").await;
        assert_eq!(scene.status()["taskManager"]["replicas"], 3);
        assert_eq!(
            scene.world.cluster.runs().len(),
            2,
            "the spec in between never ran"
        );
        scene
    });
}

#[test]
fn an_edit_during_the_start_is_carried_out_after_it() {
    scene(async |scene| {
        scene.create(application());
        scene
            .until("deployed", |scene| scene.get("Deployment", NAME).is_some())
            .await;
        scene.edit(|spec| spec["job"]["parallelism"] = json!(4));
        scene.until_state("STABLE").await;
        assert_eq!(scene.status()["taskManager"]["replicas"], 2);
        scene
    });
}

#[test]
fn a_suspended_job_leaves_nothing_behind_and_can_be_resumed() {
    scene(async |scene| {
        scene.run(application()).await;
        scene.edit(|spec| spec["job"]["state"] = json!("suspended"));
        scene.until_state("SUSPENDED").await;
        assert_eq!((scene.pods(), scene.deployment()), (0, String::new()));
        assert!(scene.get("ConfigMap", "flink-config-basic").is_none());
        assert_eq!(scene.condition("Suspended")["status"], "True");
        assert_eq!(scene.status()["taskManager"]["replicas"], 0);
        scene.edit(|spec| spec["job"]["state"] = json!("running"));
        scene.until_state("STABLE").await;
        assert_eq!(scene.condition("Suspended")["status"], "False");
        scene
    });
}

#[test]
fn a_start_that_is_suspended_before_it_is_complete_is_taken_back() {
    scene(async |scene| {
        let refused = Arc::new(AtomicBool::new(true));
        let in_hook = Arc::clone(&refused);
        scene.world.api.on_mutation(move |point| {
            let creates = point.call.starts_with("create services ");
            if creates && in_hook.load(Ordering::Relaxed) {
                Action::FailBefore(Failure::Status(500))
            } else {
                Action::Proceed
            }
        });
        scene.create(application());
        scene
            .until("half deployed", |scene| !scene.deployment().is_empty())
            .await;
        scene.edit(|spec| spec["job"]["state"] = json!("suspended"));
        let at_rest = |scene: &Scene| {
            let status = scene.status();
            status["operation"].is_null()
                && status["lifecycleState"] == "CREATED"
                && scene.deployment().is_empty()
                && scene.pods() == 0
                && scene.has_reason("Progressing", "Suspended")
        };
        scene.until("taken back", at_rest).await;
        refused.store(false, Ordering::Relaxed);
        scene.stays(120.0, "at rest", at_rest).await;
        scene.edit(|spec| spec["job"]["state"] = json!("running"));
        scene.until_state("STABLE").await;
        scene
    });
}

#[test]
fn a_resource_created_as_suspended_waits_for_its_state_to_change() {
    scene(async |scene| {
        let mut resource = application();
        resource["spec"]["job"]["state"] = json!("suspended");
        scene.create(resource);
        scene.until_reason("Progressing", "Suspended").await;
        scene
            .stays(120.0, "undeployed", |scene| scene.deployment().is_empty())
            .await;
        scene.edit(|spec| spec["job"]["state"] = json!("running"));
        scene.until_state("STABLE").await;
        scene
    });
}

#[test]
fn another_restart_nonce_restarts_the_job() {
    scene(async |scene| {
        scene.run(application()).await;
        let deployment = scene.deployment();
        scene.edit(|spec| spec["restartNonce"] = json!(7));
        scene.until_state("STABLE").await;
        assert_ne!(scene.deployment(), deployment);
        scene
    });
}

#[test]
fn a_change_that_does_not_concern_the_cluster_causes_no_action() {
    scene(async |scene| {
        scene.run(application()).await;
        pass(5.0).await;
        let (deployment, mark) = (scene.deployment(), scene.mark());
        scene.edit(|spec| {
            spec["flinkConfiguration"]["kubernetes.operator.job.upgrade.ignore-pending-savepoint"] =
                json!("true");
        });
        scene.until_state("STABLE").await;
        pass(60.0).await;
        assert_eq!(scene.deployment(), deployment);
        assert_eq!(
            scene.writes_since(mark),
            ["update flinkdeployments/status default/basic"]
        );
        scene
    });
}

#[test]
fn two_resources_of_one_name_in_two_namespaces_do_not_touch_each_other() {
    scene(async |scene| {
        scene.world.api.create_namespace("other");
        let mut other = application();
        other["metadata"]["namespace"] = json!("other");
        scene.create(other);
        scene.run(application()).await;
        let theirs = |scene: &Scene| {
            scene
                .world
                .api
                .get("FlinkDeployment", "other", NAME)
                .unwrap_or_default()
        };
        scene
            .until("both stable", |scene| is_at(&theirs(scene), "STABLE"))
            .await;
        let deployment = uid(scene.world.api.get("Deployment", "other", NAME));
        scene.edit(|spec| spec["restartNonce"] = json!(1));
        scene.until_state("STABLE").await;
        scene.delete();
        scene
            .until("gone", |scene| scene.resource().is_null())
            .await;
        assert_eq!(
            uid(scene.world.api.get("Deployment", "other", NAME)),
            deployment
        );
        assert!(is_at(&theirs(&scene), "STABLE"));
        scene
    });
}

#[test]
fn a_restarted_operator_changes_nothing_about_stable_resources() {
    scene(async |mut scene| {
        scene.run(application()).await;
        pass(5.0).await;
        scene.operator.take().unwrap().crash();
        let mark = scene.mark();
        scene.operator = Some(Operator::start(&scene.world, "op-2"));
        pass(120.0).await;
        assert_eq!(scene.writes_since(mark), [""; 0]);
        scene
    });
}
