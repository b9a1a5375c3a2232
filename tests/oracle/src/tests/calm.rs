use serde_json::json;

use crate::history::{End, Goal, Verb};
use crate::story::{JOB, Story, stateless};

fn running() -> (Story, usize) {
    let mut story = Story::new();
    story.resource(stateless());
    let run = story.deploy("at1", None);
    (story, run)
}

#[test]
fn a_running_goal_needs_a_job_at_work_and_a_stable_status() {
    let (mut story, _) = running();
    story.calm(Goal::Running);
    assert_eq!(story.broken(), [""; 0]);
    let (mut story, run) = running();
    story.calm(Goal::Running).end_run(run, End::Killed);
    assert_eq!(story.broken(), ["converges"], "no job");
    let (mut story, _) = running();
    story
        .edit(|spec| spec["restartNonce"] = json!(1))
        .calm(Goal::Running);
    assert_eq!(
        story.broken(),
        ["converges"],
        "an edit that was not taken up"
    );
    let (mut story, _) = running();
    story.intent("at2").calm(Goal::Running);
    assert_eq!(story.broken(), ["converges"], "an operation without end");
}

#[test]
fn other_goals_need_what_they_say() {
    let (mut story, _) = running();
    story
        .status(json!({ "lifecycleState": "SUSPENDED" }))
        .calm(Goal::Suspended);
    assert_eq!(story.broken(), ["converges"], "a job is alive");
    let (mut story, _) = running();
    story.calm(Goal::Gone);
    assert_eq!(story.broken(), ["converges"], "it is still there");
    let (mut story, run) = running();
    story
        .end_run(run, End::Finished)
        .calm(Goal::Ended("FINISHED".into()));
    assert_eq!(story.broken(), ["converges"], "the status does not know");
    for (message, expected) in [("waits for C", vec![]), ("", vec!["converges"])] {
        let (mut story, _) = running();
        story.status(json!({ "conditions": [{ "type": "Progressing", "reason": "Later", "message": message }] }));
        story.calm(Goal::Waiting("Later".into()));
        assert_eq!(story.broken(), expected, "{message:?}");
    }
}

#[test]
fn what_was_suspended_before_it_was_deployed_stays_created_and_says_why() {
    let says = |reason: &str| json!([{ "type": "Ready", "reason": reason, "message": "as asked" }]);
    for (state, reason, expected) in [
        ("CREATED", "Suspended", vec![]),
        ("CREATED", "WaitingForJob", vec!["converges"]),
        ("UPGRADING", "Suspended", vec!["converges"]),
    ] {
        let mut story = Story::new();
        story.resource(stateless());
        story
            .status(json!({ "lifecycleState": state, "conditions": says(reason) }))
            .calm(Goal::Suspended);
        assert_eq!(story.broken(), expected, "{state} {reason}");
    }
    let mut story = Story::new();
    story.resource(stateless()).intent("at1");
    story.create_deployment("at1");
    story.delete_deployment().put("Deployment", "a", None).status(
        json!({ "operation": null, "lifecycleState": "CREATED", "conditions": says("Suspended") }),
    );
    story.calm(Goal::Suspended);
    assert_eq!(story.broken(), [""; 0], "its deploy was given up");
    let (mut story, run) = running();
    story.end(run).status(
        json!({ "operation": null, "lifecycleState": "CREATED", "conditions": says("Suspended") }),
    );
    story.calm(Goal::Suspended);
    assert_eq!(story.broken(), ["converges"], "it had been deployed");
}

#[test]
fn any_change_at_rest_is_caught() {
    let (mut story, _) = running();
    story.calm(Goal::Running).pass(600);
    story.request(
        Verb::Patch,
        "flinkdeployments",
        "a",
        Some(json!({ "metadata": { "finalizers": [] } })),
    );
    assert_eq!(story.broken(), ["comes-to-rest"]);
    let (mut story, _) = running();
    story.calm(Goal::Running).pass(600);
    story.request(Verb::Create, "events", "a.1", Some(json!({})));
    assert_eq!(story.broken(), ["comes-to-rest"], "events too");
    let (mut story, _) = running();
    story
        .status(json!({ "operation": { "kind": "End" } }))
        .status(json!({ "operation": null }));
    story.calm(Goal::Running).pass(600);
    story.call(
        "PATCH",
        &format!("/jobs/{JOB}?mode=cancel"),
        None,
        json!({}),
    );
    assert_eq!(story.broken(), ["comes-to-rest"]);
}

#[test]
fn a_restart_that_flink_makes_at_rest_is_reported_and_nothing_else() {
    for (end, seconds, expected) in [
        (End::Restarted, 60, false),
        (End::Restarted, 90, true),
        (End::Killed, 60, true),
    ] {
        let (mut story, run) = running();
        story.calm(Goal::Running).pass(600);
        story.end_run(run, end).pass(seconds);
        story.status(json!({ "error": "it restarts" }));
        let broken = story.broken();
        assert_eq!(
            broken.contains(&"comes-to-rest"),
            expected,
            "{end:?} {seconds}"
        );
    }
}

#[test]
fn work_before_the_time_is_up_and_leases_are_fine() {
    let (mut story, _) = running();
    story.calm(Goal::Running).pass(30);
    story.status(json!({ "error": null }));
    story
        .pass(600)
        .request(Verb::Update, "leases", "lock", None);
    assert_eq!(story.broken(), [""; 0]);
}

#[test]
fn checkpoints_alone_may_be_written_every_five_minutes() {
    let newest = |path: &str| json!({ "lineage": { "newest": { "path": path } } });
    let (mut story, _) = running();
    story
        .calm(Goal::Running)
        .pass(400)
        .status(newest("file:/cp/1"));
    story.pass(300).status(newest("file:/cp/2"));
    assert_eq!(story.broken(), [""; 0]);
    let (mut story, _) = running();
    story
        .calm(Goal::Running)
        .pass(400)
        .status(newest("file:/cp/1"));
    story.pass(299).status(newest("file:/cp/2"));
    assert_eq!(story.broken(), ["comes-to-rest"], "too soon");
    let (mut story, _) = running();
    story
        .calm(Goal::Running)
        .pass(400)
        .status(json!({ "error": "something else" }));
    assert_eq!(story.broken(), ["comes-to-rest"]);
}
