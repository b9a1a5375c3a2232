//! Broken objects and failing pods are named, and nobody else notices.

use super::*;
use serde_json::json;

fn error(world: &World) -> String {
    resource(world).unwrap()["status"]["error"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn named_in_error(field: &'static str, change: impl FnOnce(&mut Value)) {
    in_virtual_time(async {
        let world = world();
        let _operator = Operator::start(&world, "op-1");
        let mut healthy = application();
        healthy["metadata"]["name"] = json!("healthy");
        world.api.create(healthy).unwrap();
        let mut broken = application();
        change(&mut broken);
        world.api.create(broken).unwrap();
        until_so(&world, "named", |world| error(world).contains(field)).await;
        assert!(told(&world, "ValidationError"));
        until_so(&world, "healthy", |world| {
            let other = world
                .api
                .get("FlinkDeployment", NAMESPACE, "healthy")
                .unwrap();
            other["status"]["lifecycleState"] == "STABLE"
        })
        .await;
        assert!(world.api.get("Deployment", NAMESPACE, NAME).is_none());
    });
}

#[test]
fn negative_memory_is_named() {
    named_in_error("spec.jobManager.resource.memory", |object| {
        object["spec"]["jobManager"]["resource"]["memory"] = json!("-1g");
    });
}

#[test]
fn a_value_that_is_no_duration_is_named() {
    named_in_error(
        "kubernetes.operator.periodic.savepoint.interval",
        |object| {
            object["spec"]["flinkConfiguration"]["kubernetes.operator.periodic.savepoint.interval"] =
                json!("soon");
        },
    );
}

#[test]
fn a_missing_parallelism_is_named() {
    named_in_error("spec.job.parallelism", |object| {
        object["spec"]["job"]["parallelism"] = json!(0)
    });
}

fn failing(events: [&'static str; 2], condition: &'static str, change: impl FnOnce(&mut Value)) {
    in_virtual_time(async {
        let world = world();
        let _operator = Operator::start(&world, "op-1");
        let mut object = application();
        change(&mut object);
        world.api.create(object).unwrap();
        let heard = |world: &World| events.iter().any(|event| told(world, event));
        until_so(&world, "told", |world| {
            heard(world) && reason(world, "Degraded") == condition
        })
        .await;
        edit(&world, |spec| {
            spec["image"] = json!("flink:1.20");
            spec["jobManager"]["resource"]["cpu"] = json!(1);
        });
        until_stable(&world).await;
    });
}

#[test]
fn a_bad_image_is_named_and_an_edit_mends_it() {
    failing(
        ["ErrImagePull", "ImagePullBackOff"],
        "DeploymentFailed",
        |object| object["spec"]["image"] = json!("missing:1"),
    );
}

#[test]
fn an_unschedulable_pod_is_named_and_an_edit_mends_it() {
    failing(["Unschedulable"; 2], "Unschedulable", |object| {
        object["spec"]["jobManager"]["resource"]["cpu"] = json!(900)
    });
}
