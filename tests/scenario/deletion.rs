//! Deletion: it always ends, in every phase, and takes everything along.

use std::time::Duration;

use flink_operator_world::cluster::RestTrouble;
use serde_json::{Value, json};

use crate::play::{NAME, NAMESPACE, Operator, application, pass};
use crate::scene::{Scene, scene};

fn nothing_left(scene: &Scene) {
    assert_eq!((scene.pods(), scene.deployment()), (0, String::new()));
    for (kind, name) in [
        ("Service", "basic"),
        ("Service", "basic-rest"),
        ("ConfigMap", "flink-config-basic"),
    ] {
        assert!(scene.get(kind, name).is_none(), "{kind} {name} is left");
    }
}

/// Deletes a resource so long after its creation, or after a change of it.
fn deleted_after(seconds: f64, resource: Value, change: Option<fn(&mut Value)>) {
    scene(async |scene| {
        match change {
            None => scene.create(resource),
            Some(change) => {
                scene.run(resource).await;
                scene.edit(change);
            }
        }
        pass(seconds).await;
        scene.delete();
        scene
            .until(&format!("gone when deleted after {seconds} s"), |scene| {
                scene.resource().is_null()
            })
            .await;
        pass(20.0).await;
        nothing_left(&scene);
        scene
    });
}

#[test]
fn a_resource_can_be_deleted_at_every_moment_of_its_start() {
    for millis in [
        0, 1, 3, 5, 7, 9, 11, 13, 15, 17, 20, 60, 100, 600, 2_000, 4_700, 5_200, 6_000, 8_000,
    ] {
        deleted_after(f64::from(millis) / 1_000.0, application(), None);
    }
}

#[test]
fn a_resource_can_be_deleted_at_every_moment_of_an_upgrade() {
    let scale: fn(&mut Value) = |spec| spec["job"]["parallelism"] = json!(4);
    for millis in [
        0, 4, 8, 12, 50, 310, 330, 700, 1_500, 2_300, 3_000, 3_600, 5_000, 9_000,
    ] {
        deleted_after(f64::from(millis) / 1_000.0, application(), Some(scale));
    }
}

#[test]
fn a_suspended_resource_can_be_deleted() {
    deleted_after(
        30.0,
        application(),
        Some(|spec| spec["job"]["state"] = json!("suspended")),
    );
}

#[test]
fn a_failing_resource_can_be_deleted() {
    for image in ["missing:1", "crashing:1"] {
        let mut resource = application();
        resource["spec"]["image"] = json!(image);
        deleted_after(45.0, resource, None);
    }
}

#[test]
fn a_broken_resource_can_be_deleted() {
    deleted_after(
        5.0,
        application(),
        Some(|spec| spec["jobManager"]["resource"]["memory"] = json!("-1")),
    );
    let mut resource = application();
    resource["spec"]["jobManager"]["resource"]["memory"] = json!("-1");
    deleted_after(5.0, resource, None);
}

#[test]
fn a_job_that_has_ended_can_be_deleted() {
    scene(async |scene| {
        scene.run(application()).await;
        scene
            .world
            .cluster
            .fail_jobs(NAMESPACE, NAME, "out of luck");
        scene
            .until("failed", |scene| {
                scene.status()["jobStatus"]["state"] == "FAILED"
            })
            .await;
        assert!(
            scene.status()["error"]
                .as_str()
                .unwrap()
                .contains("out of luck")
        );
        scene.delete();
        scene
            .until("gone", |scene| scene.resource().is_null())
            .await;
        nothing_left(&scene);
        scene
    });
}

#[test]
fn a_lost_cluster_can_be_deleted() {
    scene(async |scene| {
        let mut resource = application();
        resource["spec"]["flinkConfiguration"]["kubernetes.operator.jm-deployment-recovery.enabled"] =
            json!("false");
        scene.run(resource).await;
        scene
            .world
            .api
            .delete("Deployment", NAMESPACE, NAME)
            .unwrap();
        scene.until_reason("Degraded", "JobManagerMissing").await;
        scene.delete();
        scene
            .until("gone", |scene| scene.resource().is_null())
            .await;
        scene
    });
}

#[test]
fn a_hung_job_manager_holds_a_deletion_up_until_the_time_out_and_no_longer() {
    scene(async |scene| {
        let mut resource = application();
        resource["spec"]["flinkConfiguration"]["taskmanager.numberOfTaskSlots"] = json!("1");
        scene.run(resource).await;
        scene
            .world
            .cluster
            .set_rest_trouble(NAMESPACE, NAME, Some(RestTrouble::Hang));
        scene.delete();
        // kubernetes.operator.resource.cleanup.timeout is five minutes.
        scene
            .stays(270.0, "waiting for Flink", |scene| {
                !scene.deployment().is_empty()
            })
            .await;
        assert!(
            scene.has_reason("Progressing", "CancellingJob"),
            "{:#}",
            scene.status()
        );
        scene
            .within(Duration::from_secs(90), "gone", |scene| {
                scene.resource().is_null()
            })
            .await;
        nothing_left(&scene);
        scene
    });
}

#[test]
fn a_frozen_job_manager_holds_a_deletion_up_until_the_time_out_and_no_longer() {
    scene(async |scene| {
        scene.run(application()).await;
        scene.world.cluster.freeze_job_manager(NAMESPACE, NAME);
        scene.delete();
        scene
            .within(Duration::from_secs(400), "gone", |scene| {
                scene.resource().is_null()
            })
            .await;
        nothing_left(&scene);
        scene
    });
}

#[test]
fn pods_on_a_lost_node_hold_the_finalizer_until_they_are_proven_gone() {
    scene(async |scene| {
        scene.run(application()).await;
        scene.world.cluster.lose_node(NAMESPACE, NAME, true);
        scene.delete();
        pass(10.0).await;
        scene
            .stays(600.0, "there", |scene| !scene.resource().is_null())
            .await;
        let message = scene.condition("Progressing")["message"].clone();
        assert!(
            message.as_str().is_some_and(|message| !message.is_empty()),
            "{:#}",
            scene.status()
        );
        scene.world.cluster.lose_node(NAMESPACE, NAME, false);
        scene
            .until("gone", |scene| scene.resource().is_null())
            .await;
        nothing_left(&scene);
        scene
    });
}

#[test]
fn a_resource_deleted_and_created_again_is_another_one() {
    scene(async |scene| {
        scene.run(application()).await;
        let first = scene.resource()["metadata"]["uid"].clone();
        scene.delete();
        scene
            .until("gone", |scene| scene.resource().is_null())
            .await;
        scene.run(application()).await;
        assert_ne!(scene.resource()["metadata"]["uid"], first);
        assert_eq!(scene.status()["observedGeneration"], 1);
        scene
    });
}

#[test]
fn a_deletion_goes_on_where_another_operator_left_off() {
    scene(async |mut scene| {
        scene.run(application()).await;
        scene.delete();
        pass(0.3).await;
        scene.operator.take().unwrap().crash();
        pass(60.0).await;
        assert!(!scene.resource().is_null());
        scene.operator = Some(Operator::start(&scene.world, "op-2"));
        scene
            .until("gone", |scene| scene.resource().is_null())
            .await;
        nothing_left(&scene);
        scene
    });
}
