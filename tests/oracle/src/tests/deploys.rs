use serde_json::json;

use crate::history::Verb;
use crate::story::{JOB, Story, stateless};

#[test]
fn a_deployment_without_stored_attempt_is_caught() {
    let mut story = Story::new();
    story.resource(stateless());
    story.create_deployment("at1");
    assert_eq!(story.broken(), ["intent-first"]);
}

#[test]
fn a_deployment_of_another_attempt_than_the_stored_one_is_caught() {
    let mut story = Story::new();
    story.resource(stateless()).intent("at1");
    story.create_deployment("at2");
    assert_eq!(story.broken(), ["intent-first"]);
}

#[test]
fn a_status_that_lost_its_operation_to_an_old_crd_is_no_intent() {
    let mut story = Story::new();
    story.resource(stateless());
    let pruned = json!({ "metadata": { "resourceVersion": "1" }, "status": {} });
    story.request(Verb::Update, "flinkdeployments/status", "a", Some(pruned));
    story.create_deployment("at1");
    assert_eq!(story.broken(), ["intent-first"]);
}

#[test]
fn a_refused_creation_is_no_creation() {
    let mut story = Story::new();
    story.resource(stateless());
    let body = story.deployment_body("at1");
    story
        .request(Verb::Create, "deployments", "a", Some(body))
        .applied = false;
    assert_eq!(story.broken(), [""; 0]);
}

#[test]
fn an_attempt_that_creates_twice_is_caught() {
    let mut story = Story::new();
    story.resource(stateless()).intent("at1");
    story.create_deployment("at1");
    story.put("Deployment", "a", None);
    story.create_deployment("at1");
    assert_eq!(story.broken(), ["attempt-once"]);
}

#[test]
fn configuration_before_the_stored_uid_is_caught() {
    let mut story = Story::new();
    story.resource(stateless()).intent("at1");
    let uid = story.create_deployment("at1");
    story.children(&uid);
    assert_eq!(story.broken(), ["uid-before-start"]);
}

#[test]
fn the_configuration_of_another_attempt_is_caught() {
    let mut story = Story::new();
    story.resource(stateless()).intent("at1");
    let uid = story.create_deployment("at1");
    story.intent("at2");
    story.status(json!({ "cluster": { "deploymentUid": uid, "attemptId": "at2" } }));
    story.children(&uid);
    assert_eq!(story.broken(), ["own-attempt"]);
}

#[test]
fn anything_left_of_the_predecessor_is_caught() {
    let left: [(&str, &str); 4] = [
        ("Pod", "a-old"),
        ("ConfigMap", "flink-config-a"),
        ("ConfigMap", "pod-template-a"),
        ("Service", "a-rest"),
    ];
    for (kind, name) in left {
        let mut story = Story::new();
        story.resource(stateless());
        story.put(
            kind,
            name,
            Some(json!({ "metadata": { "name": name, "labels": { "app": "a" } } })),
        );
        story.deploy("at1", None);
        assert_eq!(story.broken(), ["clean-ground"], "{kind} {name}");
    }
}

#[test]
fn what_somebody_else_made_is_caught_only_if_a_job_manager_would_start_with_it() {
    let strangers: [(&str, &str, &[&str]); 2] = [
        ("Service", "a-rest", &[]),
        ("ConfigMap", "flink-config-a", &["clean-ground"]),
    ];
    for (kind, name, broken) in strangers {
        let mut story = Story::new();
        story.resource(stateless());
        story.put(kind, name, Some(json!({ "metadata": { "name": name } })));
        story.deploy("at1", None);
        assert_eq!(story.broken(), broken, "{kind} {name}");
    }
}

#[test]
fn graphs_left_in_ha_metadata_are_caught() {
    for (map, key) in [
        ("a-cluster-config-map", "jobGraph-"),
        ("a-cluster-config-map", "executionPlan-"),
        ("a-dispatcher-leader", "jobGraph-"),
    ] {
        let mut story = Story::new();
        story.resource(stateless());
        let object = json!({ "metadata": { "name": map, "labels": { "app": "a" } }, "data": { format!("{key}{JOB}"): "x" } });
        story.put("ConfigMap", map, Some(object));
        story.deploy("at1", None);
        assert_eq!(story.broken(), ["graphs-removed"], "{map} {key}");
    }
}

#[test]
fn other_bytes_for_the_same_attempt_are_caught() {
    let mut story = Story::new();
    story.resource(stateless());
    story.deploy("at1", None);
    let other = json!({ "metadata": { "name": "a-rest", "labels": { "app": "b" },
        "ownerReferences": [{ "kind": "Deployment", "name": "a", "uid": "d1" }] } });
    story
        .request(Verb::Create, "services", "a-rest", Some(other))
        .applied = false;
    assert_eq!(story.broken(), ["same-bytes"]);
}
