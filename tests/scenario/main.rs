//! The behaviours of the whole operator, one sentence each, in a world of virtual time.
#![allow(clippy::unwrap_used)] // a panic is the failure of a test

mod broken;
mod life;
mod play;
mod rest;
mod waiting;

use flink_operator_world::cluster::World;
use play::*;
use serde_json::Value;
use std::time::Duration;

/// Reads the resource that most plays are about.
fn resource(world: &World) -> Option<Value> {
    world.api.get("FlinkDeployment", NAMESPACE, NAME)
}

fn lifecycle(world: &World) -> String {
    resource(world).map_or_else(String::new, |found| {
        found["status"]["lifecycleState"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    })
}

/// Returns the reason of a condition.
fn reason(world: &World, type_: &str) -> String {
    let found = resource(world).unwrap_or_default();
    let conditions = found["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let condition = conditions
        .iter()
        .find(|condition| condition["type"] == type_);
    condition
        .and_then(|condition| condition["reason"].as_str())
        .unwrap_or_default()
        .to_owned()
}

/// Lets time pass until something holds; the status is shown if it never does.
async fn until_so(world: &World, what: &str, holds: impl Fn(&World) -> bool) {
    let late = until(world, Duration::from_secs(180), holds).await;
    assert!(
        late.is_ok(),
        "never {what}: {:#}",
        resource(world).unwrap_or_default()["status"]
    );
}

async fn until_stable(world: &World) {
    until_so(world, "STABLE at the newest generation", |world| {
        let Some(found) = resource(world) else {
            return false;
        };
        found["status"]["lifecycleState"] == "STABLE"
            && found["status"]["observedGeneration"] == found["metadata"]["generation"]
    })
    .await;
}

fn edit(world: &World, change: impl FnOnce(&mut Value)) {
    world
        .api
        .update("FlinkDeployment", NAMESPACE, NAME, |found| {
            change(&mut found["spec"])
        })
        .unwrap();
}

/// Says whether an event with this reason was told about the resource.
fn told(world: &World, reason: &str) -> bool {
    world
        .api
        .list("Event", NAMESPACE)
        .iter()
        .any(|event| event["reason"] == reason)
}
