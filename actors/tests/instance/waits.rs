//! A resource that is not at rest says what it waits for and since when, whatever is in its way.

use super::rig::{Rig, Start, key};
use flink_operator_actors::health::{ActorHealth, Snapshot};
use flink_operator_actors::instance::Instance;
use flink_operator_world::api::Match;
use flink_operator_world::cluster::Trouble;
use flink_operator_world::points::{Action, Failure};
use serde_json::{Value, json};
use std::time::Duration;

/// Life-cycle states in which nothing is waited for.
const AT_REST: [&str; 3] = ["STABLE", "SUSPENDED", "DELETED"];

/// Returns the name of a resource that is not at rest and does not say why, or not since when.
fn stuck_in_silence(snapshot: &Snapshot) -> Option<String> {
    let mut actors = snapshot.actors.iter();
    let found = actors.find(|actor| {
        let rests = actor
            .health
            .lifecycle
            .is_some_and(|state| AT_REST.contains(&state));
        let says = actor.waiting.as_ref().is_some_and(|waits| {
            !waits.reason.is_empty() && !waits.message.is_empty() && waits.since <= snapshot.at
        });
        !rests && !says
    });
    found.map(|actor| format!("{}: {:?}", actor.name, actor.health))
}

/// Lets time pass, and looks at everybody all the while.
async fn watch_for(operator: &Instance, seconds: u64) {
    for _ in 0..seconds * 4 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        assert_eq!(stuck_in_silence(&operator.health().snapshot()), None);
    }
}

fn actor(operator: &Instance, name: &str) -> ActorHealth {
    operator.health().actor(&key("default", name)).unwrap()
}

fn reason(operator: &Instance, name: &str) -> String {
    actor(operator, name)
        .waits()
        .map(|waits| waits.reason)
        .unwrap_or_default()
}

#[actix::test]
async fn whoever_is_not_at_rest_says_why_and_since_when() {
    let mut rig = Rig::new();
    let operator = rig.start(Start::named("op"));
    let troubles = [
        ("no-image", Trouble::ImagePull),
        ("no-node", Trouble::Unschedulable),
        ("no-quota", Trouble::Quota),
        ("not-ready", Trouble::NeverReady),
    ];
    for (name, trouble) in troubles {
        rig.world
            .cluster
            .set_trouble("default", name, Some(trouble));
        rig.create("default", name, |_| {});
    }
    rig.create("default", "fine", |_| {});
    rig.create("default", "invalid", |object| {
        object["spec"]["flinkConfiguration"]["kubernetes.namespace"] = json!("elsewhere");
    });
    rig.create("default", "session", |object| {
        object["spec"].as_object_mut().unwrap().remove("job");
    });
    watch_for(&operator, 60).await;
    for (name, expected) in [
        ("no-image", "DeploymentFailed"),
        ("no-node", "Unschedulable"),
        ("no-quota", "DeploymentFailed"),
        ("not-ready", "WaitingForJobManager"),
        ("fine", ""),
        ("invalid", "InvalidSpec"),
        ("session", "NotSupported"),
    ] {
        assert_eq!(reason(&operator, name), expected, "{name}");
    }
    let since = actor(&operator, "no-node").waits().unwrap().since;
    watch_for(&operator, 60).await;
    let later = actor(&operator, "no-node").waits().unwrap().since;
    assert_eq!(later, since, "the time of a reason goes on");
    rig.world.cluster.freeze_job_manager("default", "fine");
    watch_for(&operator, 60).await;
    assert_eq!(reason(&operator, "fine"), "JobManagerSilent");
    rig.world.cluster.thaw_job_manager("default", "fine");
    watch_for(&operator, 120).await;
    assert_eq!(reason(&operator, "fine"), "");
}

#[actix::test]
async fn a_server_that_refuses_or_hangs_is_named_by_every_resource_that_needs_it() {
    let mut rig = Rig::new();
    let operator = rig.start(Start::named("op"));
    let line = rig.world.api.control("op");
    line.forbid(Match::mutating().resource("deployments"));
    rig.create("default", "refused", |_| {});
    watch_for(&operator, 60).await;
    let waits = actor(&operator, "refused").waits().unwrap();
    assert!(waits.message.contains("403"), "{waits:?}");
    line.clear();
    rig.until_state("default", "refused", "STABLE").await;

    line.on(Match::mutating())
        .always()
        .act(Action::FailBefore(Failure::Hang));
    rig.create("default", "hung", |_| {});
    watch_for(&operator, 60).await;
    let waits = actor(&operator, "hung").waits().unwrap();
    assert_eq!(waits.reason, "PassFails", "{waits:?}");
    line.clear();
    rig.until_state("default", "hung", "STABLE").await;
    let page: Value = serde_json::to_value(operator.health().snapshot()).unwrap();
    assert_eq!(page["counts"]["waiting"], 0, "{page:#}");
}
