use serde_json::json;

use crate::history::{End, Verb};
use crate::story::{JOB, Story, last_state, stateful, stateless};

fn deployed(spec: serde_json::Value) -> (Story, usize) {
    let mut story = Story::new();
    story.resource(spec);
    let run = story.deploy("at1", None);
    (story, run)
}

#[test]
fn a_deletion_by_name_is_caught() {
    let (mut story, _) = deployed(stateless());
    story.status(json!({ "operation": { "kind": "End" } }));
    story.request(
        Verb::Delete,
        "deployments",
        "a",
        Some(json!({ "propagationPolicy": "Foreground" })),
    );
    assert_eq!(story.broken(), ["delete-by-uid"]);
    let (mut story, _) = deployed(stateless());
    story.request(Verb::DeleteCollection, "configmaps", "", None);
    assert_eq!(story.broken(), ["delete-by-uid"]);
}

#[test]
fn a_deletion_that_was_refused_or_of_a_lease_is_none() {
    let (mut story, _) = deployed(stateless());
    story
        .request(Verb::Delete, "deployments", "a", None)
        .applied = false;
    story.request(Verb::Delete, "leases", "lock", None);
    assert_eq!(story.broken(), [""; 0]);
}

#[test]
fn any_other_propagation_than_foreground_is_caught() {
    for policy in [json!("Orphan"), json!("Background"), json!(null)] {
        let (mut story, _) = deployed(stateless());
        story.status(json!({ "operation": { "kind": "End" } }));
        let options = json!({ "preconditions": { "uid": "d1" }, "propagationPolicy": policy });
        story.request(Verb::Delete, "deployments", "a", Some(options));
        assert_eq!(story.broken(), ["never-orphan"], "{policy}");
    }
}

#[test]
fn an_unannounced_end_is_caught() {
    let (mut story, _) = deployed(stateless());
    story.change_resource(|object| object["status"]["operation"] = json!(null));
    let mut unannounced = Story::new();
    unannounced.resource(stateless()).put(
        "Deployment",
        "a",
        Some(json!({ "metadata": { "name": "a", "uid": "d9" } })),
    );
    unannounced.delete_deployment();
    assert_eq!(unannounced.broken(), ["intent-before-end"]);
    let mut unannounced = Story::new();
    unannounced.resource(stateless()).put(
        "Deployment",
        "a",
        Some(json!({ "metadata": { "name": "a", "uid": "d9" } })),
    );
    unannounced.call(
        "PATCH",
        &format!("/jobs/{JOB}?mode=cancel"),
        None,
        json!({}),
    );
    assert_eq!(unannounced.broken(), ["intent-before-end"]);
}

#[test]
fn a_deploy_that_begins_again_was_announced_by_its_intent() {
    let mut story = Story::new();
    story.resource(stateless()).intent("at1");
    story.create_deployment("at1");
    story.delete_deployment();
    assert_eq!(story.broken(), [""; 0]);
}

#[test]
fn a_stop_under_a_trigger_that_was_not_stored_is_caught() {
    let (mut story, _) = deployed(stateful());
    story.status(json!({ "operation": { "kind": "Stop", "trigger": { "id": "t1" } } }));
    story.call(
        "POST",
        &format!("/jobs/{JOB}/stop"),
        Some(json!({ "triggerId": "t2" })),
        json!({ "request-id": "t2" }),
    );
    assert_eq!(story.broken(), ["intent-before-end"]);
}

fn ha_map(story: &mut Story, name: &str, key: &str) {
    let object = json!({ "metadata": { "name": name, "uid": "m1", "resourceVersion": "5", "labels": { "app": "a" } }, "data": { key: "x" } });
    story.put("ConfigMap", name, Some(object));
}

fn delete_map(story: &mut Story, name: &str) {
    let options = json!({ "preconditions": { "uid": "m1", "resourceVersion": "5" } });
    story.request(Verb::Delete, "configmaps", name, Some(options));
    story.put("ConfigMap", name, None);
}

const CHECKPOINT: &str = "checkpointID-0000000000000000001";

#[test]
fn ha_data_touched_beside_pods_is_caught() {
    let (mut story, _) = deployed(stateless());
    let map = format!("a-{JOB}-config-map");
    ha_map(&mut story, &map, CHECKPOINT);
    delete_map(&mut story, &map);
    assert_eq!(story.broken(), ["ha-after-pods"]);
    let (mut story, _) = deployed(stateless());
    ha_map(&mut story, "a-cluster-config-map", "x");
    story.request(
        Verb::Update,
        "configmaps",
        "a-cluster-config-map",
        Some(json!({})),
    );
    assert_eq!(story.broken(), ["ha-after-pods"]);
}

#[test]
fn ha_data_deleted_without_a_version_is_caught() {
    let (mut story, run) = deployed(stateless());
    story.end(run);
    ha_map(&mut story, "a-cluster-config-map", "x");
    story.request(
        Verb::Delete,
        "configmaps",
        "a-cluster-config-map",
        Some(json!({ "preconditions": { "uid": "m1" } })),
    );
    assert_eq!(story.broken(), ["delete-by-uid"]);
}

#[test]
fn the_only_pointer_to_state_must_stay() {
    let map = format!("a-{JOB}-config-map");
    let ended = |path_stored: bool| {
        let (mut story, run) = deployed(last_state());
        story.snapshot(run, "file:/cp/chk-1", 10, false);
        if path_stored {
            story.status(json!({ "lineage": { "newest": { "path": "file:/cp/chk-1" } } }));
        }
        story.end(run);
        ha_map(&mut story, &map, CHECKPOINT);
        delete_map(&mut story, &map);
        story
    };
    assert_eq!(ended(false).broken(), ["ha-allowed"]);
    assert_eq!(ended(true).broken(), [""; 0]);
}

#[test]
fn disposing_of_the_newest_restore_point_is_caught() {
    for (path, expected) in [
        ("file:///sp/s2", vec!["restore-point-kept"]),
        ("file:///sp/s1", vec![]),
    ] {
        let (mut story, run) = deployed(stateful());
        story.status(json!({ "operation": { "kind": "Snapshot" } }));
        story.snapshot(run, "file:/sp/s1", 10, true);
        story.snapshot(run, "file:/sp/s2", 20, true);
        story.call(
            "POST",
            "/savepoint-disposal",
            Some(json!({ "savepoint-path": path })),
            json!({}),
        );
        assert_eq!(story.broken(), expected, "{path}");
    }
}

#[test]
fn a_resource_that_goes_before_its_job_is_caught() {
    let (mut story, _) = deployed(stateless());
    story.put("FlinkDeployment", "a", None);
    assert_eq!(story.broken(), ["finalizer-last"]);
}

#[test]
fn a_job_that_starts_after_its_resource_went_is_caught() {
    let mut story = Story::new();
    story.resource(stateless()).intent("at1");
    let uid = story.create_deployment("at1");
    story.put("FlinkDeployment", "a", None);
    let run = story.run(&uid, "a-late", None);
    story.end_run(run, End::Killed);
    assert_eq!(story.broken(), ["finalizer-last"]);
}
