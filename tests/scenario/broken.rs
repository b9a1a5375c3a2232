//! Objects that cannot be carried out: the field is named, and nobody else notices.

use serde_json::{Value, json};

use crate::play::{Operator, application, our_crd, pass};
use crate::scene::{Scene, condition, is_at, scene, scene_with};

/// Our CRD with pod templates that the API server does not look into, as older ones of upstream have them: what
/// a newer one would refuse reaches the operator.
fn lenient_crd() -> Value {
    let mut crd = our_crd();
    for version in crd["spec"]["versions"].as_array_mut().unwrap() {
        let spec = &mut version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
        spec["podTemplate"] =
            json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    }
    crd
}

/// Creates a broken resource beside a good one; the field must be named everywhere, the good one be left alone.
fn names_the_field(field: &str, spoil: impl Fn(&mut Value)) {
    scene_with(&lenient_crd(), async |scene| {
        scene.run(application()).await;
        pass(20.0).await;
        let mark = scene.mark();
        let mut broken = application();
        broken["metadata"]["name"] = json!("broken");
        spoil(&mut broken);
        let name = broken["metadata"]["name"].as_str().unwrap().to_owned();
        scene.create(broken);
        let status = |scene: &Scene| {
            scene.get("FlinkDeployment", &name).unwrap_or_default()["status"].clone()
        };
        let complains = |scene: &Scene| {
            let status = status(scene);
            status["error"]
                .as_str()
                .is_some_and(|error| error.contains(field))
                && condition(&status, "Degraded")["message"]
                    .as_str()
                    .is_some_and(|message| message.contains(field))
        };
        scene
            .until(&format!("complaining about {field}"), complains)
            .await;
        pass(120.0).await;
        assert!(complains(&scene));
        assert_eq!(status(&scene)["lifecycleState"], "FAILED");
        let told = scene.events("ValidationError");
        assert!(told.len() == 1 && told[0].contains(field), "{told:?}");
        let elsewhere = scene
            .writes_since(mark)
            .into_iter()
            .filter(|write| write.contains("basic"));
        assert_eq!(
            elsewhere.collect::<Vec<_>>(),
            [""; 0],
            "the other resource does not notice"
        );
        assert!(is_at(&scene.resource(), "STABLE"));
        scene
            .world
            .api
            .delete("FlinkDeployment", "default", &name)
            .unwrap();
        scene
            .until("gone", |scene| {
                scene.get("FlinkDeployment", &name).is_none()
            })
            .await;
        scene
    });
}

#[test]
fn a_pod_template_that_is_none_is_named() {
    names_the_field("spec.podTemplate", |resource| {
        resource["spec"]["podTemplate"] = json!({ "spec": { "containers": "none" } });
    });
}

#[test]
fn a_negative_memory_is_named() {
    names_the_field("memory", |resource| {
        resource["spec"]["jobManager"]["resource"]["memory"] = json!("-2g");
    });
}

#[test]
fn a_name_that_is_too_long_is_named() {
    let name = "n".repeat(200);
    names_the_field("name", |resource| {
        resource["metadata"]["name"] = json!(name);
    });
}

#[test]
fn a_configuration_value_that_cannot_be_read_is_named() {
    names_the_field(
        "kubernetes.operator.periodic.savepoint.interval",
        |resource| {
            resource["spec"]["flinkConfiguration"]["kubernetes.operator.periodic.savepoint.interval"] =
                json!("soon");
        },
    );
}

#[test]
fn a_missing_parallelism_is_named() {
    names_the_field("spec.job.parallelism", |resource| {
        resource["spec"]["job"]["parallelism"] = json!(0);
    });
}

#[test]
fn an_edit_that_breaks_a_running_resource_leaves_its_job_alone_until_it_is_corrected() {
    scene(async |scene| {
        scene.run(application()).await;
        let deployment = scene.deployment();
        scene.edit(|spec| spec["taskManager"]["resource"]["memory"] = json!("-1"));
        scene.until_reason("Degraded", "InvalidSpec").await;
        scene
            .stays(300.0, "running", |scene| scene.deployment() == deployment)
            .await;
        assert_eq!(scene.status()["jobStatus"]["state"], "RUNNING");
        scene.edit(|spec| spec["taskManager"]["resource"]["memory"] = json!("2048m"));
        scene
            .until("healthy", |scene| scene.status()["error"].is_null())
            .await;
        scene.until_state("STABLE").await;
        assert_eq!(scene.deployment(), deployment);
        assert_eq!(scene.condition("Degraded")["status"], "False");
        scene
    });
}

#[test]
fn a_status_that_cannot_be_read_is_left_as_it_is() {
    scene(async |mut scene| {
        scene.run(application()).await;
        let deployment = scene.deployment();
        scene.operator.take().unwrap().crash();
        let written = |resource: &mut Value| {
            resource["status"]["operation"] =
                json!({ "id": "x", "kind": "Teleport", "generation": 1, "startedAt": "" });
        };
        scene
            .world
            .api
            .update("FlinkDeployment", "default", "basic", written)
            .unwrap();
        let mark = scene.mark();
        scene.operator = Some(Operator::start(&scene.world, "op-2"));
        scene.edit(|spec| spec["restartNonce"] = json!(1));
        pass(300.0).await;
        assert_eq!(scene.deployment(), deployment);
        let writes = scene.writes_since(mark);
        assert!(
            writes.iter().all(|write| write.contains(" events ")),
            "only told: {writes:?}"
        );
        assert!(!writes.is_empty());
        scene
    });
}
