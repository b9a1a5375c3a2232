//! Watching namespaces: listed, added and removed, unreadable, many; and what a watch never told.

use super::rig::{Rig, Start, key, sleep, these};
use flink_operator_actors::namespaces::NamespaceSet;
use flink_operator_world::api::{DeliveryAction, EventType, Match, Verb};
use serde_json::json;
use std::collections::BTreeSet;

/// Returns the namespaces that an operator has asked watches for; empty stands for the whole cluster.
fn watched(rig: &Rig, operator: &str, plural: &str) -> BTreeSet<String> {
    let records = rig.world.api.journal_records();
    let watches = records
        .iter()
        .map(|record| &record.request)
        .filter(|request| {
            request.instance == operator
                && request.verb == Some(Verb::Watch)
                && request.resource == plural
        });
    watches.map(|request| request.namespace.clone()).collect()
}

#[actix::test]
async fn only_the_listed_namespaces_are_managed() {
    let mut rig = Rig::new().with_namespaces(&["a", "b", "c"]);
    let operator = rig.start(Start::named("op").watching(these(&["a", "b"])));
    for namespace in ["a", "b", "c"] {
        rig.create(namespace, "basic", |_| {});
    }
    rig.until_state("a", "basic", "STABLE").await;
    rig.until_state("b", "basic", "STABLE").await;
    assert_eq!(rig.state("c", "basic"), "");
    assert_eq!(watched(&rig, "op", "pods").len(), 2);
    assert!(operator.health().readiness().ready);
}

#[actix::test]
async fn namespaces_come_and_go_at_run_time() {
    let mut rig = Rig::new().with_namespaces(&["a", "b"]);
    let namespaces = "kubernetes.operator.watched.namespaces";
    rig.configure(&[
        (namespaces, "a"),
        ("kubernetes.operator.dynamic.namespaces.enabled", "true"),
    ]);
    let operator = rig.start_configured("op");
    for namespace in ["a", "b"] {
        rig.create(namespace, "basic", |_| {});
    }
    rig.until_state("a", "basic", "STABLE").await;
    assert_eq!(rig.state("b", "basic"), "");
    rig.configure(&[
        (namespaces, "b"),
        ("kubernetes.operator.dynamic.namespaces.enabled", "true"),
    ]);
    rig.until_state("b", "basic", "STABLE").await;
    sleep(5).await;
    assert!(operator.health().actor(&key("a", "basic")).is_none());
    assert!(
        operator.stores().deployment("a", "basic").is_none(),
        "nothing of it is kept"
    );
    assert!(operator.stores().job_managers("a", "basic").is_empty());
    assert!(
        rig.world.api.get("Deployment", "a", "basic").is_some(),
        "its cluster runs on"
    );
    let before = rig.resource("a", "basic").unwrap();
    rig.edit("a", "basic", |object| {
        object["spec"]["job"]["parallelism"] = json!(4);
    });
    sleep(60).await;
    assert_eq!(
        rig.resource("a", "basic").unwrap()["status"],
        before["status"]
    );
    rig.configure(&[
        (namespaces, "a,b"),
        ("kubernetes.operator.dynamic.namespaces.enabled", "true"),
    ]);
    rig.until("picked up", |rig| {
        rig.resource("a", "basic").unwrap()["status"]["observedGeneration"] == 2
    })
    .await;
}

#[actix::test]
async fn an_unreadable_namespace_degrades_itself_alone_and_heals() {
    let mut rig = Rig::new().with_namespaces(&["good", "bad"]);
    let line = rig.world.api.control("op");
    line.forbid(Match::any().resource("pods").namespace("bad"));
    let operator = rig.start(Start::named("op").watching(these(&["good", "bad"])));
    for namespace in ["good", "bad"] {
        rig.create(namespace, "basic", |_| {});
    }
    rig.until_state("good", "basic", "STABLE").await;
    sleep(120).await;
    assert_eq!(
        rig.state("bad", "basic"),
        "",
        "half a store is no ground for a decision"
    );
    let readiness = operator.health().readiness();
    assert!(readiness.ready, "{readiness:?}");
    let detail = readiness.details.join("\n");
    assert!(
        detail.contains("namespace bad: cannot watch pods"),
        "{detail}"
    );
    assert!(detail.contains("grant"), "{detail}");
    let metrics = rig.metrics();
    assert!(
        metrics.contains(r#"flink_operator_watch_trouble{resource="pods",resourcens="bad"} 1"#),
        "{metrics}"
    );
    assert!(
        metrics.contains(r#"flink_operator_watch_ready{resourcens="bad"} 0"#),
        "{metrics}"
    );
    line.clear();
    rig.until_state("bad", "basic", "STABLE").await;
    assert_eq!(operator.health().readiness().details, Vec::<String>::new());
}

#[actix::test]
async fn rights_that_are_lost_for_a_while_lose_nothing() {
    let mut rig = Rig::new();
    let operator = rig.start(Start::named("op"));
    rig.create("default", "basic", |_| {});
    rig.until_state("default", "basic", "STABLE").await;
    let line = rig.world.api.control("op");
    line.forbid(Match::any().verb(Verb::Watch).verb(Verb::List));
    line.end_watches();
    sleep(60).await;
    assert!(!operator.health().readiness().details.is_empty());
    rig.edit("default", "basic", |object| {
        object["spec"]["job"]["parallelism"] = json!(4);
    });
    rig.create("default", "second", |_| {});
    line.clear();
    rig.until_state("default", "second", "STABLE").await;
    rig.until("upgraded", |rig| {
        rig.resource("default", "basic").unwrap()["status"]["observedGeneration"] == 2
    })
    .await;
    sleep(60).await;
    assert_eq!(operator.health().readiness().details, Vec::<String>::new());
}

#[actix::test]
async fn many_namespaces_share_one_watch_per_kind_where_rights_allow() {
    let names: Vec<String> = (0..12).map(|number| format!("team-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut rig = Rig::new()
        .with_namespaces(&names)
        .with_namespaces(&["other"]);
    let _operator = rig.start(Start::named("op").watching(these(&names)));
    rig.create("team-11", "basic", |_| {});
    rig.create("other", "basic", |_| {});
    rig.until_state("team-11", "basic", "STABLE").await;
    assert_eq!(rig.state("other", "basic"), "");
    assert_eq!(watched(&rig, "op", "pods"), BTreeSet::from([String::new()]));
}

#[actix::test]
async fn many_namespaces_are_watched_one_by_one_where_rights_do_not_allow_more() {
    let names: Vec<String> = (0..12).map(|number| format!("team-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut rig = Rig::new().with_namespaces(&names);
    let line = rig.world.api.control("op");
    line.forbid(Match::any().namespace("").resource("deployments"));
    let operator = rig.start(Start::named("op").watching(these(&names)));
    rig.create("team-11", "basic", |_| {});
    rig.until_state("team-11", "basic", "STABLE").await;
    assert_eq!(watched(&rig, "op", "pods").len(), 12);
    assert_eq!(operator.health().watches().len(), 12);
}

#[actix::test]
async fn a_selector_picks_the_resources_that_are_managed() {
    let mut rig = Rig::new();
    let _operator = rig.start(Start::named("op").with(&[("label.selector", "team=a")]));
    rig.create("default", "mine", |object| {
        object["metadata"]["labels"] = json!({ "team": "a" });
    });
    rig.create("default", "theirs", |_| {});
    rig.until_state("default", "mine", "STABLE").await;
    assert_eq!(rig.state("default", "theirs"), "");
}

#[actix::test]
async fn a_deletion_that_no_watch_told_is_found_by_listing_again() {
    let mut rig = Rig::new();
    let operator = rig.start(Start::named("op"));
    rig.create("default", "basic", |_| {});
    rig.until_state("default", "basic", "STABLE").await;
    rig.world.api.on_delivery(|delivery| match delivery.event {
        EventType::Deleted => DeliveryAction::Drop,
        _ => DeliveryAction::Deliver,
    });
    rig.world
        .api
        .delete("FlinkDeployment", "default", "basic")
        .unwrap();
    // It cannot end before it is known that the pods are gone.
    sleep(500).await;
    assert!(rig.resource("default", "basic").is_none());
    assert!(operator.health().actor(&key("default", "basic")).is_none());
    assert!(operator.stores().deployment("default", "basic").is_none());
    assert!(
        operator
            .stores()
            .job_managers("default", "basic")
            .is_empty()
    );
}

#[actix::test]
async fn an_edit_that_no_watch_told_is_found_by_listing_again() {
    let mut rig = Rig::new();
    let _operator = rig.start(Start::named("op"));
    rig.create("default", "basic", |_| {});
    rig.until_state("default", "basic", "STABLE").await;
    sleep(30).await;
    let mut dropped = false;
    rig.world.api.on_delivery(move |_| {
        if std::mem::replace(&mut dropped, true) {
            DeliveryAction::Deliver
        } else {
            DeliveryAction::Drop
        }
    });
    rig.edit("default", "basic", |object| {
        object["spec"]["job"]["parallelism"] = json!(4);
    });
    sleep(200).await;
    assert_eq!(
        rig.resource("default", "basic").unwrap()["status"]["observedGeneration"],
        2
    );
}

#[actix::test]
async fn an_expired_watch_lists_again() {
    let mut rig = Rig::new();
    let operator = rig.start(Start::named("op"));
    rig.create("default", "basic", |_| {});
    rig.until_state("default", "basic", "STABLE").await;
    rig.world.api.control("op").expire_watches();
    rig.create("default", "second", |_| {});
    rig.until_state("default", "second", "STABLE").await;
    assert_eq!(operator.health().readiness().details, Vec::<String>::new());
}

#[actix::test]
async fn a_missing_crd_is_said_with_its_cure() {
    let mut rig = Rig::new();
    rig.world.api.remove_kind("FlinkDeployment");
    let operator = rig.start(Start::named("op"));
    sleep(5).await;
    let readiness = operator.health().readiness();
    assert!(!readiness.ready);
    assert!(
        readiness
            .details
            .join("\n")
            .contains("flink-operator crds apply"),
        "{readiness:?}"
    );
}

#[test]
fn sets_compare_whatever_their_order() {
    assert_eq!(NamespaceSet::parse("b,a", "own"), Ok(these(&["a", "b"])));
}
