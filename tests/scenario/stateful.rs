//! Jobs with state: edits, suspension and resumption carry it over in a savepoint.

use serde_json::{Value, json};

use crate::play::{NAME, NAMESPACE, pass};
use crate::scene::{Scene, scene};

/// A job that keeps its state in savepoints when it is changed.
pub(crate) fn stateful() -> Value {
    let mut resource = crate::play::application();
    resource["spec"]["job"]["upgradeMode"] = json!("savepoint");
    let configuration = &mut resource["spec"]["flinkConfiguration"];
    configuration["state.savepoints.dir"] = json!("file:///sp");
    configuration["state.checkpoints.dir"] = json!("file:///cp");
    configuration["execution.checkpointing.interval"] = json!("10 s");
    resource
}

/// The savepoint that the last run was restored from.
fn restored(scene: &Scene) -> Option<String> {
    let runs = scene.world.cluster.runs();
    let last = runs.last().expect("something ran");
    last.restored.as_ref().map(|restored| restored.path.clone())
}

#[test]
fn an_edit_stops_the_job_with_a_savepoint_and_starts_the_new_spec_from_it() {
    scene(async |scene| {
        scene.run(stateful()).await;
        pass(25.0).await;
        let old = scene.status()["jobStatus"]["jobId"].clone();
        scene.edit(|spec| spec["job"]["parallelism"] = json!(4));
        scene
            .until("stopping", |scene| {
                scene.has_reason("Progressing", "StoppingWithSavepoint")
            })
            .await;
        assert_eq!(scene.status()["lifecycleState"], "UPGRADING");
        scene.until_state("STABLE").await;
        let status = scene.status();
        let path = status["jobStatus"]["upgradeSavepointPath"]
            .as_str()
            .unwrap();
        assert!(path.starts_with("file:/sp/savepoint-"), "{path}");
        assert_eq!(restored(&scene).as_deref(), Some(path));
        assert_ne!(status["jobStatus"]["jobId"], old);
        assert_eq!(status["operation"], Value::Null);
        assert_eq!(status["error"], Value::Null);
        let snapshots = scene.world.api.list("FlinkStateSnapshot", NAMESPACE);
        assert_eq!(snapshots.len(), 1);
        assert_eq!(snapshots[0]["status"]["path"], json!(path));
        assert_eq!(snapshots[0]["status"]["state"], "COMPLETED");
        pass(30.0).await;
        assert_eq!(scene.events("Restored").len(), 1);
        println!(
            "{}",
            flink_operator_oracle::tell(&scene.world.verdict(|_| true, None).history)
        );
        let _ = NAME;
        scene
    });
}
