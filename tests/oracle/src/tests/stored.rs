use serde_json::{Value, json};

use crate::history::{End, Verb};
use crate::story::{JOB, Story, stateful, stateless};

fn statistics(path: &str) -> Value {
    json!({ "latest": { "completed": { "id": 3, "external_path": path, "discarded": false }, "savepoint": null } })
}

/// A stateful job about which something is heard, and which is then deleted.
fn heard_and_deleted(path: &str, reply: Value, status: Value) -> Vec<&'static str> {
    let mut story = Story::new();
    story.resource(stateful());
    story.deploy("at1", None);
    story.call("GET", path, None, reply);
    story.status(json!({ "operation": { "kind": "End" } }));
    story.status(status);
    story.delete_deployment();
    story.broken()
}

#[test]
fn a_checkpoint_that_was_seen_and_not_stored_is_caught() {
    let path = format!("/jobs/{JOB}/checkpoints");
    assert_eq!(
        heard_and_deleted(&path, statistics("file:/cp/chk-3"), json!({})),
        ["stored-before-deleted"]
    );
    let stored = json!({ "lineage": { "newest": { "path": "file:/cp/chk-3" } } });
    assert_eq!(
        heard_and_deleted(&path, statistics("file:/cp/chk-3"), stored),
        [""; 0]
    );
    let nowhere = statistics("<checkpoint-not-externally-addressable>");
    assert_eq!(heard_and_deleted(&path, nowhere, json!({})), [""; 0]);
    let mut discarded = statistics("file:/cp/chk-3");
    discarded["latest"]["completed"]["discarded"] = json!(true);
    assert_eq!(heard_and_deleted(&path, discarded, json!({})), [""; 0]);
}

#[test]
fn a_checkpoint_that_was_seen_is_lost_with_a_job_manager_that_falls_silent() {
    let path = format!("/jobs/{JOB}/checkpoints");
    let told = |story: &mut Story| {
        story.resource(stateful());
        let run = story.deploy("at1", None);
        story.call("GET", &path, None, statistics("file:/cp/chk-3"));
        run
    };
    let end = |story: &mut Story| {
        story
            .pass(10)
            .status(json!({ "operation": { "kind": "End" } }))
            .delete_deployment();
        story.broken()
    };
    let caught = ["stored-before-deleted"];
    for (killed, expected) in [(End::Killed, &[][..]), (End::Restarted, &caught)] {
        let mut story = Story::new();
        let run = told(&mut story);
        story.end_run(run, killed);
        assert_eq!(end(&mut story), expected, "{killed:?}");
    }
    for (asked, code, expected) in [
        ("/jobs/overview", 0, &[][..]),
        ("/jobs/overview", 500, &[]),
        ("/jobs/overview", 200, &caught),
        ("/taskmanagers", 500, &caught),
    ] {
        let mut story = Story::new();
        told(&mut story);
        story.call("GET", asked, None, json!({ "jobs": [] }));
        story.history.calls[1].code = code;
        assert_eq!(end(&mut story), expected, "{asked} {code}");
    }
    let mut story = Story::new();
    let run = told(&mut story);
    story.end_run(run, End::Killed);
    story.call("GET", &path, None, statistics("file:/cp/chk-3"));
    assert_eq!(end(&mut story), caught, "the next process said it again");
}

#[test]
fn a_checkpoint_need_not_be_stored_beside_a_newer_one() {
    for (seen, stored, expected) in [(1, 2, &[][..]), (2, 1, &["stored-before-deleted"])] {
        let mut story = Story::new();
        story.resource(stateful());
        let run = story.deploy("at1", None);
        for number in [1, 2] {
            story.snapshot(run, &format!("file:/cp/chk-{number}"), number, false);
        }
        let newest = format!("file:/cp/chk-{stored}");
        story
            .call(
                "GET",
                &format!("/jobs/{JOB}/checkpoints"),
                None,
                statistics(&format!("file:/cp/chk-{seen}")),
            )
            .status(json!({ "lineage": { "newest": { "path": newest } }, "operation": { "kind": "End" } }))
            .delete_deployment();
        assert_eq!(story.broken(), expected, "{seen} seen, {stored} stored");
    }
}

#[test]
fn a_savepoint_that_was_seen_and_not_stored_is_caught() {
    let path = format!("/jobs/{JOB}/savepoints/t1");
    let reply = json!({ "operation": { "location": "file:/sp/s1" } });
    assert_eq!(
        heard_and_deleted(&path, reply.clone(), json!({})),
        ["stored-before-deleted"]
    );
    let stored = json!({ "jobStatus": { "upgradeSavepointPath": "file:/sp/s1" } });
    assert_eq!(heard_and_deleted(&path, reply, stored), [""; 0]);
}

#[test]
fn an_end_that_was_seen_and_not_stored_is_caught() {
    let reply = json!({ "jobs": [{ "jid": JOB, "state": "FINISHED" }] });
    assert_eq!(
        heard_and_deleted("/jobs/overview", reply.clone(), json!({})),
        ["stored-before-deleted"]
    );
    assert_eq!(
        heard_and_deleted(
            "/jobs/overview",
            reply,
            json!({ "jobStatus": { "state": "FINISHED" } })
        ),
        [""; 0]
    );
}

#[test]
fn an_end_that_was_seen_is_lost_with_the_process() {
    let mut story = Story::new();
    story.resource(stateful());
    let run = story.deploy("at1", None);
    let reply = json!({ "jobs": [{ "jid": JOB, "state": "CANCELED" }] });
    let pod = story.history.runs[run].pod.clone();
    story.pod(&pod);
    story.call("GET", "/jobs/overview", None, reply);
    story.status(json!({ "operation": { "kind": "End" } }));
    story.put("Pod", &pod, None).delete_deployment();
    assert_eq!(story.broken(), [""; 0]);
}

#[test]
fn what_was_never_heard_need_not_be_stored() {
    let mut story = Story::new();
    story.resource(stateful());
    story.deploy("at1", None);
    story.call(
        "GET",
        &format!("/jobs/{JOB}/checkpoints"),
        None,
        statistics("file:/cp/chk-3"),
    );
    story.history.calls[0].received = None;
    story
        .status(json!({ "operation": { "kind": "End" } }))
        .delete_deployment();
    assert_eq!(story.broken(), [""; 0]);
}

#[test]
fn a_final_state_that_is_overwritten_is_caught() {
    let mut story = Story::new();
    story.resource(stateless());
    let run = story.deploy("at1", None);
    story.end_run(run, End::Finished);
    story.status(json!({ "jobStatus": { "state": "FINISHED" } }));
    story.status(json!({ "jobStatus": { "state": "RECONCILING" } }));
    assert_eq!(story.broken(), ["terminal-stays"]);
}

#[test]
fn a_deploy_may_replace_a_final_state() {
    let mut story = Story::new();
    story.resource(stateless());
    let run = story.deploy("at1", None);
    story
        .edit(|spec| spec["job"]["parallelism"] = json!(2))
        .end(run);
    story.status(json!({ "operation": { "kind": "Deploy", "attempt": { "id": "at2" } }, "jobStatus": { "state": "RECONCILING" } }));
    assert_eq!(story.broken(), [""; 0]);
}

#[test]
fn an_unguarded_status_is_caught() {
    let mut story = Story::new();
    story.resource(stateless());
    story.request(
        Verb::Update,
        "flinkdeployments/status",
        "a",
        Some(json!({ "metadata": {} })),
    );
    assert_eq!(story.broken(), ["guarded-status"]);
    let mut story = Story::new();
    story.resource(stateless());
    let patch = json!({ "metadata": { "resourceVersion": "1" } });
    story.request(
        Verb::Patch,
        "flinkdeployments/status",
        "a",
        Some(patch.clone()),
    );
    assert_eq!(story.broken(), ["guarded-status"]);
    let mut story = Story::new();
    story.request(Verb::Patch, "flinksessionjobs/status", "a", Some(patch));
    assert_eq!(
        story.broken(),
        [""; 0],
        "the conditions of a kind that is not carried out"
    );
    story.request(
        Verb::Patch,
        "flinksessionjobs/status",
        "a",
        Some(json!({ "metadata": {} })),
    );
    assert_eq!(story.broken(), ["guarded-status"]);
}

#[test]
fn a_secret_in_a_status_is_caught() {
    let mut story = Story::new();
    story.put(
        "Secret",
        "keys",
        Some(json!({ "stringData": { "password": "correct horse", "port": "8081" } })),
    );
    story.resource(stateless());
    story.status(json!({ "error": "cannot use port 8081" }));
    story.status(json!({ "error": "cannot log in with \"correct horse\"" }));
    assert_eq!(story.broken(), ["secrets-stay"]);
}
