//! Configuration, metrics, and the end of an instance.

#![allow(clippy::float_cmp)] // counts are written without a fraction

use super::rig::{Rig, Start, key, sleep};
use flink_operator_world::api::Match;
use flink_operator_world::points::{Action, Cut, Failure};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

#[actix::test]
async fn a_bad_configuration_is_reported_and_the_last_good_one_stays() {
    let mut rig = Rig::new();
    let interval = "kubernetes.operator.reconcile.interval";
    rig.configure(&[(interval, "15 s")]);
    let operator = rig.start_configured("op");
    rig.create("default", "basic", |_| {});
    rig.until_state("default", "basic", "STABLE").await;
    rig.break_configuration("watched: [\n");
    sleep(60).await;
    let problem = operator.health().configuration_problem().unwrap();
    let details = operator.health().readiness().details.join("\n");
    assert!(
        details.contains(&problem) && details.contains("last good"),
        "{details}"
    );
    assert!(operator.health().readiness().ready);
    rig.create("default", "second", |_| {});
    rig.until_state("default", "second", "STABLE").await;
    rig.configure(&[("kubernetes.operator.watched.namespaces", "Not_A_Name")]);
    sleep(60).await;
    assert!(
        operator
            .health()
            .configuration_problem()
            .unwrap()
            .contains("Not_A_Name")
    );
    rig.configure(&[(interval, "20 s")]);
    sleep(60).await;
    assert_eq!(operator.health().configuration_problem(), None);
}

#[actix::test]
async fn metrics_have_upstream_s_names_and_parse() {
    let mut rig = Rig::new().with_namespaces(&["team-a"]);
    let _operator = rig.start(Start::named("op-1"));
    rig.create("team-a", "basic", |_| {});
    rig.until_state("team-a", "basic", "STABLE").await;
    sleep(60).await;
    rig.edit("team-a", "basic", |object| {
        object["spec"]["job"]["parallelism"] = json!(4);
    });
    rig.until("upgraded", |rig| {
        let status = &rig.resource("team-a", "basic").unwrap()["status"];
        status["lifecycleState"] == "STABLE" && status["observedGeneration"] == 2
    })
    .await;
    sleep(5).await;
    let samples = samples(&rig.metrics());
    let upstream = r#"host="op_1",name="flink_operator",namespace="default""#;
    let scope = format!(r#"{upstream},resourcens="team_a",resourcetype="FlinkDeployment""#);
    let namespaced = |name: &str| {
        samples
            .get(&format!("flink_k8soperator_namespace_{name}{{{scope}}}"))
            .copied()
    };
    assert_eq!(namespaced("Count"), Some(1.0));
    assert_eq!(namespaced("JmDeploymentStatus_READY_Count"), Some(1.0));
    assert_eq!(namespaced("JmDeploymentStatus_MISSING_Count"), Some(0.0));
    assert_eq!(namespaced("Lifecycle_State_STABLE_Count"), Some(1.0));
    assert_eq!(namespaced("Lifecycle_State_UPGRADING_Count"), Some(0.0));
    assert_eq!(
        namespaced("Lifecycle_Transition_Upgrade_TimeSeconds_count"),
        Some(1.0)
    );
    let system = |name: &str| {
        samples
            .get(&format!("flink_k8soperator_{name}{{{upstream}}}"))
            .copied()
    };
    assert_eq!(
        system("FlinkDeployment_Lifecycle_Transition_Upgrade_TimeSeconds_count"),
        Some(1.0)
    );
    assert!(system("KubeClient_HttpRequest_PUT_Count").unwrap() > 3.0);
    assert!(system("KubeClient_HttpResponse_201_Count").unwrap() > 3.0);
    assert_eq!(samples["flink_operator_actors{activity=\"idle\"}"], 1.0);
    assert_eq!(samples["flink_operator_leading"], 1.0);
    assert!(samples["flink_operator_stored_bytes"] > 1000.0);
    assert!(
        samples
            .keys()
            .any(|name| name.starts_with("flink_operator_flink_requests_total{outcome=\"ok\""))
    );
    rig.world
        .api
        .delete("FlinkDeployment", "team-a", "basic")
        .unwrap();
    rig.until("deleted", |rig| rig.resource("team-a", "basic").is_none())
        .await;
    sleep(5).await;
    let samples = self::samples(&rig.metrics());
    assert_eq!(
        samples[&format!("flink_k8soperator_namespace_Count{{{scope}}}")],
        0.0,
        "the series stays"
    );
    assert_eq!(
        samples[&format!("flink_k8soperator_namespace_Lifecycle_State_STABLE_Count{{{scope}}}")],
        0.0
    );
}

/// Parses Prometheus text strictly: names, labels in braces, one number.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let name = |text: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | ':'))
    };
    let mut samples = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (metric, labels) = series
            .split_once('{')
            .map_or((series, ""), |(metric, labels)| {
                (metric, labels.strip_suffix('}').unwrap())
            });
        assert!(name(metric), "{line}");
        for label in labels.split("\",").filter(|label| !label.is_empty()) {
            let (label, value) = label.split_once("=\"").unwrap();
            assert!(
                name(label) && !value.trim_end_matches('"').contains('"'),
                "{line}"
            );
        }
        assert!(
            samples
                .insert(series.to_owned(), value.parse().unwrap())
                .is_none(),
            "twice: {line}"
        );
    }
    samples
}

#[actix::test]
async fn an_instance_that_is_cut_does_nothing_any_more() {
    let mut rig = Rig::new();
    let one = rig.start(Start::named("one"));
    rig.create("default", "basic", |_| {});
    rig.until("under way", |rig| {
        rig.world
            .api
            .get("Deployment", "default", "basic")
            .is_some()
    })
    .await;
    rig.world.api.control("one").cut(Cut::Silent);
    let health = one.health().clone();
    drop(one);
    sleep(1).await;
    let before = rig.world.api.journal_records().len();
    sleep(600).await;
    assert_eq!(rig.world.api.journal_records().len(), before);
    assert_eq!(
        health.liveness(Duration::ZERO),
        Ok(()),
        "its parts have ended"
    );
    let _two = rig.start(Start::named("two"));
    rig.until_state("default", "basic", "STABLE").await;
    assert_eq!(
        rig.world.cluster.runs().len(),
        1,
        "the second one continued what the first began"
    );
}

#[actix::test]
async fn a_shutdown_waits_for_its_passes_but_not_for_ever() {
    let mut rig = Rig::new();
    let operator = rig.start(Start::named("op"));
    let line = rig.world.api.control("op");
    line.on(Match::mutating().resource("deployments"))
        .act(Action::DelayAfter(Duration::from_secs(3)));
    rig.create("default", "basic", |_| {});
    rig.until("under way", |rig| {
        rig.world
            .api
            .get("Deployment", "default", "basic")
            .is_some()
    })
    .await;
    let ended = operator.shutdown(Duration::from_secs(10)).await;
    assert!(ended.passes_ended);
    assert!(
        rig.world
            .api
            .get("ConfigMap", "default", "flink-config-basic")
            .is_some(),
        "the pass ended as it began"
    );

    let operator = rig.start(Start::named("slow"));
    let line = rig.world.api.control("slow");
    line.on(Match::mutating())
        .always()
        .act(Action::FailBefore(Failure::Hang));
    rig.create("default", "second", |_| {});
    sleep(1).await;
    let began = tokio::time::Instant::now();
    assert!(
        !operator
            .shutdown(Duration::from_millis(1500))
            .await
            .passes_ended
    );
    assert!(began.elapsed() < Duration::from_secs(4));
}

#[actix::test]
async fn two_instances_can_run_in_one_process() {
    let mut rig = Rig::new().with_namespaces(&["a", "b"]);
    let one = rig.start(Start::named("one").watching(super::rig::these(&["a"])));
    let two = rig.start(Start::named("two").watching(super::rig::these(&["b"])));
    for namespace in ["a", "b"] {
        rig.create(namespace, "basic", |_| {});
        rig.until_state(namespace, "basic", "STABLE").await;
    }
    assert!(one.health().actor(&key("a", "basic")).is_some());
    assert!(one.health().actor(&key("b", "basic")).is_none());
    assert!(two.health().actor(&key("b", "basic")).is_some());
}
