//! Resources that the Java operator left behind are adopted without a restart.

use serde_json::{Value, json};

use crate::play::{NAME, NAMESPACE, Operator, application, pass};
use crate::scene::scene;

/// Turns what our operator left into what Java's leaves: no fields and annotations of ours.
fn as_java(scene: &crate::scene::Scene) {
    let strip = |resource: &mut Value| {
        let status = resource["status"].as_object_mut().unwrap();
        for field in ["operation", "cluster", "lineage"] {
            status.remove(field);
        }
        let conditions = status["conditions"].as_array_mut().unwrap();
        conditions.retain(|condition| condition["type"] == "Running");
    };
    scene
        .world
        .api
        .update("FlinkDeployment", NAMESPACE, NAME, strip)
        .unwrap();
    let bare = |deployment: &mut Value| {
        let annotations = deployment["metadata"]["annotations"]
            .as_object_mut()
            .unwrap();
        annotations.retain(|name, _| name == "flinkdeployment.flink.apache.org/generation");
    };
    scene
        .world
        .api
        .update("Deployment", NAMESPACE, NAME, bare)
        .unwrap();
}

#[test]
fn a_running_job_is_adopted_by_one_status_write_and_then_there_is_silence() {
    scene(async |mut scene| {
        scene.run(application()).await;
        scene.operator.take().unwrap().crash();
        as_java(&scene);
        let (deployment, mark) = (scene.deployment(), scene.mark());
        scene.operator = Some(Operator::start(&scene.world, "op-2"));
        pass(300.0).await;
        assert_eq!(
            scene.writes_since(mark),
            ["update flinkdeployments/status default/basic"]
        );
        assert_eq!(scene.deployment(), deployment);
        assert_eq!(
            scene.status()["cluster"]["deploymentUid"],
            deployment.as_str()
        );
        assert_eq!(scene.status()["lifecycleState"], "STABLE");
        assert_eq!(
            scene.world.cluster.runs().len(),
            1,
            "the job was not restarted"
        );
        scene
    });
}

#[test]
fn an_adopted_job_can_be_edited_and_deleted() {
    scene(async |mut scene| {
        scene.run(application()).await;
        scene.operator.take().unwrap().crash();
        as_java(&scene);
        scene.operator = Some(Operator::start(&scene.world, "op-2"));
        pass(30.0).await;
        scene.edit(|spec| spec["restartNonce"] = json!(1));
        scene.until_state("STABLE").await;
        scene.delete();
        scene
            .until("gone", |scene| scene.resource().is_null())
            .await;
        scene
    });
}

#[test]
fn a_job_that_java_suspended_is_resumed() {
    scene(async |mut scene| {
        scene.run(application()).await;
        scene.edit(|spec| spec["job"]["state"] = json!("suspended"));
        scene.until_state("SUSPENDED").await;
        scene.operator.take().unwrap().crash();
        let strip = |resource: &mut Value| {
            let status = resource["status"].as_object_mut().unwrap();
            for field in ["operation", "cluster", "lineage", "conditions"] {
                status.remove(field);
            }
        };
        scene
            .world
            .api
            .update("FlinkDeployment", NAMESPACE, NAME, strip)
            .unwrap();
        scene.operator = Some(Operator::start(&scene.world, "op-2"));
        pass(120.0).await;
        assert!(scene.deployment().is_empty());
        scene.edit(|spec| spec["job"]["state"] = json!("running"));
        scene.until_state("STABLE").await;
        scene
    });
}
