//! One resource's life, carried out by a whole instance.

use super::rig::{Rig, Start, key, sleep};
use serde_json::json;
use std::time::Duration;

#[actix::test]
async fn a_deployment_lives_from_creation_to_deletion() {
    let mut rig = Rig::new();
    let operator = rig.start(Start::named("op"));
    rig.create("default", "basic", |_| {});
    rig.until_state("default", "basic", "STABLE").await;
    rig.edit("default", "basic", |object| {
        object["spec"]["job"]["parallelism"] = json!(4);
    });
    rig.until("upgraded", |rig| {
        let status = &rig.resource("default", "basic").unwrap()["status"];
        status["lifecycleState"] == "STABLE" && status["observedGeneration"] == 2
    })
    .await;
    rig.edit("default", "basic", |object| {
        object["spec"]["job"]["state"] = json!("suspended");
    });
    rig.until_state("default", "basic", "SUSPENDED").await;
    rig.world
        .api
        .delete("FlinkDeployment", "default", "basic")
        .unwrap();
    rig.until("deleted", |rig| rig.resource("default", "basic").is_none())
        .await;
    sleep(1).await;
    assert!(
        operator.health().actor(&key("default", "basic")).is_none(),
        "its actor has been retired"
    );
    assert!(operator.shutdown(Duration::from_secs(5)).await.passes_ended);
}

#[actix::test]
async fn a_quiet_resource_costs_no_request() {
    let mut rig = Rig::new();
    let _operator = rig.start(Start::named("op"));
    rig.create("default", "basic", |_| {});
    rig.until_state("default", "basic", "STABLE").await;
    sleep(60).await;
    let before = rig.requests("op");
    sleep(600).await;
    assert_eq!(rig.requests("op"), before);
}
