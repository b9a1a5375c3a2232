//! Every rule is broken here at least once, and a life by the book breaks none.

mod calm;
mod deletions;
mod deploys;
mod runs;
mod stops;
mod stored;

use serde_json::json;

use crate::history::Goal;
use crate::story::{JOB, Story, stateful, stateless};

#[test]
fn a_stateless_life_by_the_book_breaks_nothing() {
    let mut story = Story::new();
    story.resource(stateless());
    let first = story.deploy("at1", None);
    story.snapshot(first, "file:/cp/chk-1", 10, false);
    story
        .edit(|spec| spec["job"]["parallelism"] = json!(2))
        .end(first);
    let second = story.deploy("at2", None);
    story.change_resource(|object| {
        object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    });
    story
        .end(second)
        .put("FlinkDeployment", "a", None)
        .calm(Goal::Gone);
    assert_eq!(story.broken(), [""; 0]);
}

#[test]
fn a_stateful_life_by_the_book_breaks_nothing() {
    let mut story = Story::new();
    story.resource(stateful());
    let first = story.deploy("at1", None);
    story.snapshot(first, "file:/cp/chk-1", 10, false);
    story.edit(|spec| spec["job"]["parallelism"] = json!(2));
    story.status(json!({ "operation": { "kind": "Stop", "trigger": { "id": "t1" } } }));
    story.call(
        "POST",
        &format!("/jobs/{JOB}/stop"),
        Some(json!({ "triggerId": "t1" })),
        json!({ "request-id": "t1" }),
    );
    let savepoint = story.snapshot(first, "file:/sp/s1", 20, true);
    story.end_run(first, crate::history::End::Finished);
    story.call(
        "GET",
        &format!("/jobs/{JOB}/savepoints/t1"),
        None,
        json!({ "operation": { "location": "file:/sp/s1" } }),
    );
    story.status(
        json!({ "jobStatus": { "state": "FINISHED", "upgradeSavepointPath": "file:/sp/s1" } }),
    );
    story.delete_deployment().cluster_goes();
    story.deploy("at2", Some(savepoint));
    story.calm(Goal::Running);
    assert_eq!(story.broken(), [""; 0]);
}

#[test]
fn rules_have_distinct_ids_and_whole_sentences() {
    let mut ids = std::collections::BTreeSet::new();
    for rule in crate::rules() {
        assert!(ids.insert(rule.id), "{} twice", rule.id);
        assert!(
            rule.says.ends_with('.') && (1..=9).contains(&rule.invariant),
            "{rule:?}"
        );
    }
    assert_eq!(
        ids.len(),
        30,
        "a new rule needs a history that breaks it: add it here and in this number"
    );
}

#[test]
fn two_plays_of_a_plan_are_compared_request_by_request() {
    let play = |image: &str| {
        let mut story = Story::new();
        story.resource(stateless());
        story.status(json!({ "error": image }));
        story.history
    };
    assert_eq!(crate::first_difference(&play("x"), &play("x")), None);
    assert!(
        crate::first_difference(&play("x"), &play("y"))
            .unwrap()
            .contains("request #")
    );
    let mut longer = play("x");
    longer.requests.push(longer.requests[0].clone());
    assert_eq!(
        crate::first_difference(&play("x"), &longer).unwrap(),
        "1 requests against 2"
    );
}
