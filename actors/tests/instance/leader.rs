//! Leader election between whole instances: hand-over, take-over, loss.

use super::rig::{Rig, Start, key, sleep};
use flink_operator_actors::health::{Part, Role};
use flink_operator_actors::instance::Instance;
use flink_operator_world::api::{Match, Verb};
use flink_operator_world::points::{Action, Cut, Failure};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

const ELECTION: [(&str, &str); 2] = [
    ("leader-election.enabled", "true"),
    ("leader-election.lease-name", "flink-operator-lease"),
];

fn lease(rig: &Rig) -> Value {
    rig.world
        .api
        .get("Lease", "default", "flink-operator-lease")
        .unwrap_or_default()
}

fn holder(rig: &Rig) -> String {
    lease(rig)["spec"]["holderIdentity"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn role(instance: &Instance) -> Role {
    instance.health().role()
}

/// Counts requests of an instance that change anything but the lease.
fn changes(rig: &Rig, instance: &str) -> usize {
    let records = rig.world.api.journal_records();
    let requests = records.iter().map(|record| &record.request);
    requests
        .filter(|request| {
            request.instance == instance && request.mutates() && request.resource != "leases"
        })
        .count()
}

#[actix::test]
async fn one_leads_and_the_other_keeps_its_stores_warm() {
    let mut rig = Rig::new();
    let one = rig.start(Start::named("one").with(&ELECTION));
    sleep(1).await;
    let two = rig.start(Start::named("two").with(&ELECTION));
    rig.create("default", "basic", |_| {});
    rig.until_state("default", "basic", "STABLE").await;
    sleep(120).await;
    assert_eq!((role(&one), role(&two)), (Role::Leading, Role::Standby));
    assert_eq!(holder(&rig), "one");
    assert_eq!(lease(&rig)["spec"]["leaseTransitions"], 1);
    assert_eq!(changes(&rig, "two"), 0);
    assert!(two.stores().deployment("default", "basic").is_some());
    assert!(two.health().readiness().ready, "a standby is ready");
    assert!(two.health().actor(&key("default", "basic")).is_none());
}

#[actix::test]
async fn a_leader_that_ends_hands_over_within_a_second() {
    let mut rig = Rig::new();
    let one = rig.start(Start::named("one").with(&ELECTION));
    sleep(1).await;
    let two = rig.start(Start::named("two").with(&ELECTION));
    rig.create("default", "basic", |_| {});
    rig.until_state("default", "basic", "STABLE").await;
    let began = Instant::now();
    let ended = one.shutdown(Duration::from_secs(10)).await;
    assert!(ended.passes_ended && ended.lease_released, "{ended:?}");
    rig.until("handed over", |_| role(&two) == Role::Leading)
        .await;
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    rig.edit("default", "basic", |object| {
        object["spec"]["job"]["parallelism"] = json!(4);
    });
    rig.until("upgraded", |rig| {
        let status = &rig.resource("default", "basic").unwrap()["status"];
        status["lifecycleState"] == "STABLE" && status["observedGeneration"] == 2
    })
    .await;
}

#[actix::test]
async fn a_leader_that_vanishes_is_replaced_after_its_lease() {
    let mut rig = Rig::new();
    let one = rig.start(Start::named("one").with(&ELECTION));
    sleep(1).await;
    let two = rig.start(Start::named("two").with(&ELECTION));
    sleep(10).await;
    rig.world.api.control("one").cut(Cut::Silent);
    drop(one);
    let waited = rig
        .until("taken over", |_| role(&two) == Role::Leading)
        .await;
    assert!(
        waited > Duration::from_secs(12),
        "not while the lease may be valid: {waited:?}"
    );
    assert!(waited < Duration::from_secs(16), "{waited:?}");
    assert_eq!(holder(&rig), "two");
}

#[actix::test]
async fn a_leader_that_cannot_renew_stops_acting_before_anybody_else_begins() {
    let mut rig = Rig::new();
    let one = rig.start(Start::named("one").with(&ELECTION));
    sleep(1).await;
    let two = rig.start(Start::named("two").with(&ELECTION));
    sleep(10).await;
    let leases = Match::any().resource("leases");
    rig.world
        .api
        .control("one")
        .on(leases)
        .always()
        .act(Action::FailBefore(Failure::Hang));
    let began = Instant::now();
    one.lost().await;
    let lost = began.elapsed();
    assert!(lost < Duration::from_secs(11), "{lost:?}");
    assert_eq!((role(&one), role(&two)), (Role::Standby, Role::Standby));
    // It sees the change, but must leave it alone.
    let before = changes(&rig, "one");
    rig.create("default", "basic", |_| {});
    rig.until("taken over", |_| role(&two) == Role::Leading)
        .await;
    assert!(began.elapsed() > lost + Duration::from_secs(2));
    rig.until_state("default", "basic", "STABLE").await;
    assert_eq!(changes(&rig, "one"), before);
    assert_eq!(
        one.health().liveness(Duration::from_secs(30)),
        Ok(()),
        "the elector has ended as it should"
    );
}

#[actix::test]
async fn a_lease_taken_by_force_is_noticed_at_the_next_renewal() {
    let mut rig = Rig::new();
    let one = rig.start(Start::named("one").with(&ELECTION));
    sleep(10).await;
    rig.world
        .api
        .update("Lease", "default", "flink-operator-lease", |lease| {
            lease["spec"]["holderIdentity"] = json!("java-operator");
        })
        .unwrap();
    let began = Instant::now();
    one.lost().await;
    assert!(began.elapsed() < Duration::from_secs(3));
    sleep(60).await;
    assert_eq!(holder(&rig), "java-operator", "it is not fought for");
}

#[actix::test]
async fn a_third_party_s_change_of_the_lease_costs_nothing() {
    let mut rig = Rig::new();
    let one = rig.start(Start::named("one").with(&ELECTION));
    for _ in 0..5 {
        sleep(5).await;
        rig.world
            .api
            .update("Lease", "default", "flink-operator-lease", |lease| {
                lease["metadata"]["annotations"] = json!({ "note": "looked at" });
            })
            .unwrap();
    }
    sleep(30).await;
    assert_eq!(
        (role(&one), holder(&rig)),
        (Role::Leading, "one".to_owned())
    );
}

#[actix::test]
async fn a_release_waits_for_a_renewal_that_is_under_way() {
    let mut rig = Rig::new();
    let one = rig.start(Start::named("one").with(&ELECTION));
    sleep(10).await;
    let renewal = Match::any().verb(Verb::Update).resource("leases");
    let line = rig.world.api.control("one");
    line.on(renewal)
        .act(Action::DelayAfter(Duration::from_secs(2)));
    // Somewhere in the next renewal's reply.
    rig.until("renewing", |rig| {
        let records = rig.world.api.journal_records();
        records
            .last()
            .is_some_and(|record| record.request.verb == Some(Verb::Update))
    })
    .await;
    assert!(one.shutdown(Duration::from_secs(10)).await.lease_released);
    assert_eq!(holder(&rig), "");
}

#[actix::test]
async fn an_elector_that_waits_gives_signs_of_life() {
    let mut rig = Rig::new();
    rig.world
        .api
        .control("one")
        .forbid(Match::any().resource("leases"));
    let one = rig.start(Start::named("one").with(&ELECTION));
    sleep(300).await;
    assert_eq!(role(&one), Role::Standby);
    assert_eq!(one.health().liveness(Duration::from_secs(10)), Ok(()));
    assert_eq!(Part::Elector.as_str(), "elector");
}
