use serde_json::json;

use crate::history::{End, Goal};
use crate::story::{Story, last_state, stateful, stateless};

#[test]
fn two_jobs_at_work_are_caught() {
    let mut story = Story::new();
    story.resource(stateless());
    story.deploy("at1", None);
    story.run("d1", "a-other", None);
    assert_eq!(story.broken(), ["one-job"]);
}

#[test]
fn one_job_after_the_other_is_fine_and_a_job_without_tasks_does_not_count() {
    let mut story = Story::new();
    story.resource(stateless());
    let first = story.deploy("at1", None);
    story.end_run(first, End::Restarted);
    story.run("d1", "a-d1", None);
    let idle = story.run("d1", "a-d1", None);
    story.history.runs[idle].working = None;
    assert_eq!(story.broken(), [""; 0]);
}

#[test]
fn an_empty_start_beside_a_stored_savepoint_is_caught() {
    let mut story = stopped_with_savepoint();
    story.deploy("at2", None);
    assert_eq!(story.broken(), ["no-older-state"]);
}

#[test]
fn a_start_from_an_older_checkpoint_is_caught() {
    let mut story = stopped_with_savepoint();
    story.deploy("at2", Some(0));
    assert_eq!(story.broken(), ["no-older-state"]);
}

#[test]
fn a_stateless_spec_gives_the_state_up() {
    let mut story = stopped_with_savepoint();
    story.edit(|spec| spec["job"]["upgradeMode"] = json!("stateless"));
    story.deploy("at2", None);
    assert_eq!(story.broken(), [""; 0]);
}

#[test]
fn a_redeploy_nonce_gives_the_state_up_once() {
    let mut story = stopped_with_savepoint();
    story.edit(|spec| spec["job"]["savepointRedeployNonce"] = json!(1));
    let second = story.deploy("at2", None);
    story.snapshot(second, "file:/cp/second/chk-1", 5, false);
    story.end(second);
    story.status(json!({ "lineage": { "newest": { "path": "file:/cp/second/chk-1" } } }));
    story.edit(|spec| spec["job"]["parallelism"] = json!(3));
    story.deploy("at3", None);
    assert_eq!(
        story.broken(),
        ["no-older-state"],
        "the new lineage has state of its own to lose"
    );
}

#[test]
fn a_checkpoint_that_only_ha_metadata_knew_counts() {
    let mut story = Story::new();
    story.resource(last_state());
    let first = story.deploy("at1", None);
    story.snapshot(first, "file:/cp/chk-1", 10, false);
    story
        .end_run(first, End::Killed)
        .status(json!({ "operation": { "kind": "End" } }))
        .delete_deployment()
        .cluster_goes();
    story.edit(|spec| spec["job"]["parallelism"] = json!(2));
    story.deploy("at2", None);
    assert_eq!(story.broken(), ["no-older-state"]);
}

#[test]
fn a_checkpoint_that_nobody_could_know_does_not_count() {
    let mut story = Story::new();
    story.resource(stateful());
    let first = story.deploy("at1", None);
    let known = story.snapshot(first, "file:/cp/chk-1", 10, false);
    story.status(json!({ "lineage": { "newest": { "path": "file:/cp/chk-1" } } }));
    story.snapshot(first, "file:/cp/chk-2", 20, false);
    story.end_run(first, End::Killed).cluster_goes();
    story.deploy("at2", Some(known));
    assert_eq!(story.broken(), [""; 0]);
}

#[test]
fn a_savepoint_counts_once_an_instance_was_told_and_lived_on() {
    for lived_on in [true, false] {
        let mut story = Story::new();
        story.resource(stateful());
        let first = story.deploy("at1", None);
        story.snapshot(first, "file:/sp/s1", 20, true);
        story.end_run(first, End::Finished);
        let reply = json!({ "operation": { "location": "file:/sp/s1" } });
        story.call("GET", "/jobs/x/savepoints/t1", None, reply);
        if !lived_on {
            story.history.calls[0].instance = "crashed".into();
        }
        story.cluster_goes();
        story.edit(|spec| spec["job"]["parallelism"] = json!(2));
        story.deploy("at2", None);
        let expected: &[&str] = if lived_on { &["no-older-state"] } else { &[] };
        assert_eq!(story.broken(), expected);
    }
}

#[test]
fn a_resource_of_the_same_name_created_later_owes_nothing() {
    let mut story = stopped_with_savepoint();
    story.put("FlinkDeployment", "a", None);
    story
        .resource(stateful())
        .change_resource(|object| object["metadata"]["uid"] = json!("r2"));
    story.intent("at2");
    let mut body = story.deployment_body("at2");
    body["metadata"]["ownerReferences"][0]["uid"] = json!("r2");
    body["metadata"]["uid"] = json!("d2");
    story.put("Deployment", "a", Some(body));
    story.run("d2", "a-d2", None);
    assert_eq!(story.broken(), [""; 0]);
}

#[test]
fn an_initial_savepoint_that_is_passed_over_is_caught() {
    let mut story = Story::new();
    story.resource(
        json!({ "job": { "upgradeMode": "stateless", "initialSavepointPath": "file:///sp/old" } }),
    );
    story.deploy("at1", None);
    assert_eq!(story.broken(), ["initial-savepoint"]);
}

#[test]
fn a_second_start_of_an_ended_job_is_caught_unless_edited() {
    for edited in [false, true] {
        let mut story = Story::new();
        story.resource(stateless());
        let first = story.deploy("at1", None);
        story.end_run(first, End::Finished);
        story.status(
            json!({ "jobStatus": { "state": "FINISHED" }, "operation": { "kind": "End" } }),
        );
        story.delete_deployment().cluster_goes();
        if edited {
            story.edit(|spec| spec["restartNonce"] = json!(1));
        }
        story.deploy("at2", None);
        story.calm(Goal::Running);
        let expected: &[&str] = if edited { &[] } else { &["ended-is-ended"] };
        assert_eq!(story.broken(), expected);
    }
}

#[test]
fn a_failed_job_may_start_again_if_the_spec_says_so() {
    let mut story = Story::new();
    let mut spec = stateless();
    spec["flinkConfiguration"] = json!({ "kubernetes.operator.job.restart.failed": "true" });
    story.resource(spec);
    let first = story.deploy("at1", None);
    story.end_run(first, End::Failed);
    story.status(json!({ "jobStatus": { "state": "FAILED" }, "operation": { "kind": "End" } }));
    story.delete_deployment().cluster_goes();
    story.deploy("at2", None);
    assert_eq!(story.broken(), [""; 0]);
}

/// A stateful resource whose job was stopped: checkpoint 0 is older, savepoint 1 is stored.
fn stopped_with_savepoint() -> Story {
    let mut story = Story::new();
    story.resource(stateful());
    let first = story.deploy("at1", None);
    story.snapshot(first, "file:/cp/chk-1", 10, false);
    story.snapshot(first, "file:/sp/s1", 20, true);
    story.end_run(first, End::Finished);
    story.status(json!({ "operation": { "kind": "Stop" }, "jobStatus": { "state": "FINISHED", "upgradeSavepointPath": "file:/sp/s1" } }));
    story.delete_deployment().cluster_goes();
    story.edit(|spec| spec["job"]["parallelism"] = json!(2));
    story
}
