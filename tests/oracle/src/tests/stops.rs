use serde_json::{Value, json};

use crate::history::{End, Goal, Verb};
use crate::story::{JOB, Story, stateful};

const FIRST: &str = "00000000000000000000000000000001";
const SECOND: &str = "00000000000000000000000000000002";
const PATH: &str = "file:/sp/s1";

fn deployed() -> (Story, usize) {
    let mut story = Story::new();
    story.resource(stateful());
    let run = story.deploy("at1", None);
    story.edit(|spec| spec["job"]["parallelism"] = json!(2));
    (story, run)
}

fn location() -> Value {
    json!({ "location": PATH, "failure-cause": null })
}

fn failure() -> Value {
    json!({ "failure-cause": { "stack-trace": "java.io.IOException: disk full" } })
}

/// What the operator stores when it has been told that a stop succeeded.
fn settled() -> Value {
    json!({ "operation": { "kind": "End", "trigger": null },
        "jobStatus": { "state": "FINISHED", "upgradeSavepointPath": PATH } })
}

#[test]
fn an_upgrade_by_the_book_breaks_nothing() {
    let (mut story, run) = deployed();
    story.ask_to_stop(FIRST).hear_of_stop(FIRST, &json!(null));
    let savepoint = story.stopped(run, PATH, 20);
    story.hear_of_stop(FIRST, &location()).status(settled());
    record(&mut story, PATH);
    story.delete_deployment().cluster_goes();
    story.deploy("at2", Some(savepoint));
    story.calm(Goal::Running);
    assert_eq!(story.broken(), [""; 0]);
}

#[test]
fn a_second_stop_needs_the_result_of_the_first() {
    for (told, expected) in [
        (None, &["one-stop"][..]),
        (Some(json!(null)), &["one-stop"]),
        (Some(failure()), &[]),
    ] {
        let (mut story, _) = deployed();
        story.ask_to_stop(FIRST);
        if let Some(told) = told.clone() {
            story.hear_of_stop(FIRST, &told);
        }
        story.ask_to_stop(SECOND);
        assert_eq!(story.broken(), expected, "{told:?}");
    }
}

#[test]
fn the_same_stop_may_be_sent_again() {
    let (mut story, _) = deployed();
    story.ask_to_stop(FIRST).post_stop(&FIRST.to_uppercase());
    story.history.calls[1].body.as_mut().unwrap()["triggerId"] = json!(FIRST);
    assert_eq!(story.broken(), [""; 0]);
}

#[test]
fn a_second_stop_may_follow_into_another_process() {
    let (mut story, run) = deployed();
    story.ask_to_stop(FIRST).end_run(run, End::Killed);
    let again = story.run("d1", "a-d1", None);
    story.history.runs[again].container = 1;
    story.ask_to_stop(SECOND);
    assert_eq!(story.broken(), [""; 0]);
}

#[test]
fn what_another_instance_was_told_counts_once_it_is_stored() {
    for (stored, expected) in [(false, &["one-stop"][..]), (true, &[])] {
        let (mut story, _) = deployed();
        story.ask_to_stop(FIRST).hear_of_stop(FIRST, &failure());
        story.history.calls.last_mut().unwrap().instance = "other".into();
        if stored {
            story.status(json!({ "operation": { "trigger": null } }));
        }
        // The intent of the second stop must not count as the handing over.
        story.post_stop(SECOND);
        let broken = story.broken();
        let broken: Vec<_> = broken.iter().filter(|rule| **rule == "one-stop").collect();
        assert_eq!(broken, expected.iter().collect::<Vec<_>>(), "{stored}");
    }
}

#[test]
fn a_late_stop_of_before_is_caught() {
    let (mut story, _) = deployed();
    story.ask_to_stop(FIRST);
    let late = story.history.calls.pop().unwrap();
    story.ask_to_stop(SECOND);
    let moment = story.moment();
    story
        .history
        .calls
        .push(crate::history::Call { moment, ..late });
    assert_eq!(story.broken(), ["one-stop"]);
}

#[test]
fn a_stop_that_was_not_accepted_is_none() {
    let (mut story, _) = deployed();
    story.ask_to_stop(FIRST);
    story.history.calls[0].code = 0;
    story.ask_to_stop(SECOND);
    assert_eq!(story.broken(), [""; 0]);
}

#[test]
fn a_stop_without_an_id_is_caught() {
    let (mut story, _) = deployed();
    story.ask_to_stop(FIRST);
    story.history.calls[0].body = Some(json!({ "targetDirectory": "file:///sp" }));
    assert_eq!(story.broken(), ["intent-before-end"]);
}

#[test]
fn a_cluster_that_is_deleted_before_its_savepoint_is_stored_is_caught() {
    let unsaid = json!({ "operation": { "kind": "End", "trigger": null }, "jobStatus": { "state": "FINISHED" } });
    for (status, expected) in [(settled(), &[][..]), (unsaid, &["stopped-is-stored"])] {
        let (mut story, run) = deployed();
        story.ask_to_stop(FIRST);
        story.stopped(run, PATH, 20);
        story.status(status.clone()).delete_deployment();
        assert_eq!(story.broken(), expected, "{status}");
    }
}

#[test]
fn a_path_in_the_other_spelling_is_stored() {
    let (mut story, run) = deployed();
    story.ask_to_stop(FIRST);
    story.stopped(run, PATH, 20);
    story.status(settled());
    story
        .status(json!({ "jobStatus": { "upgradeSavepointPath": "file:///sp/s1" } }))
        .delete_deployment();
    assert_eq!(story.broken(), [""; 0]);
}

#[test]
fn a_savepoint_need_not_be_stored_where_state_is_given_up_or_nobody_can_tell_of_it() {
    let (mut story, run) = deployed();
    story.ask_to_stop(FIRST);
    story.stopped(run, PATH, 20);
    story.edit(|spec| spec["job"]["upgradeMode"] = json!("stateless"));
    story.delete_deployment();
    assert_eq!(story.broken(), [""; 0], "given up");
    let (mut story, run) = deployed();
    story.ask_to_stop(FIRST);
    story.stopped(run, PATH, 20);
    story.put("Pod", "a-d1", None).delete_deployment();
    assert_eq!(story.broken(), [""; 0], "the process is gone");
    let (mut story, run) = deployed();
    story.ask_to_stop(FIRST);
    story.stopped(run, PATH, 20);
    let status =
        json!({ "containerStatuses": [{ "restartCount": 1, "state": { "running": {} } }] });
    let pod = json!({ "metadata": { "name": "a-d1", "uid": "a-d1", "labels": { "app": "a" } }, "status": status });
    story.put("Pod", "a-d1", Some(pod)).delete_deployment();
    assert_eq!(story.broken(), [""; 0], "the next process knows nothing");
}

#[test]
fn a_loss_that_nobody_is_told_of_is_caught() {
    let manual = json!({ "operation": null, "error": "the result of stop 1 is lost. Manual restore required." });
    for (status, expected) in [
        (json!({ "operation": null }), &["loss-is-said"][..]),
        (manual, &[]),
        (settled(), &[]),
    ] {
        let (mut story, run) = deployed();
        story.ask_to_stop(FIRST);
        story.stopped(run, PATH, 20);
        story.cluster_goes().status(status.clone());
        story.calm(Goal::OneOf(Vec::new()));
        let broken = story.broken();
        let broken: Vec<_> = broken.iter().filter(|rule| **rule != "converges").collect();
        assert_eq!(broken, expected.iter().collect::<Vec<_>>(), "{status}");
    }
}

#[test]
fn a_loss_is_one_too_where_flink_itself_started_the_job_again() {
    let older = |message: &str| {
        let condition =
            json!({ "type": "Degraded", "reason": "RestoredFromOlderState", "message": message });
        json!({ "operation": null, "conditions": [condition] })
    };
    let named = older(&format!("what came of stop {FIRST} is not known"));
    let another =
        json!({ "operation": null, "jobStatus": { "upgradeSavepointPath": "file:/sp/s2" } });
    let loss = &["loss-is-said"][..];
    for (status, expected) in [(another, loss), (older("so it is"), loss), (named, &[])] {
        let (mut story, run) = deployed();
        story.ask_to_stop(FIRST);
        story.stopped(run, PATH, 20);
        let again = story.run("d1", "a-d1-again", None);
        story.history.runs[again].container = 1;
        story.put("Pod", "a-d1", None);
        story.post_stop(FIRST);
        story.stopped(again, "file:/sp/s2", 5);
        story.status(status.clone());
        story.calm(Goal::OneOf(Vec::new()));
        let broken = story.broken();
        let broken: Vec<_> = broken.iter().filter(|rule| **rule != "converges").collect();
        // The second savepoint is stored, or can be told of by nobody either.
        assert_eq!(broken.first(), expected.first().as_ref(), "{status}");
    }
}

#[test]
fn a_stop_that_somebody_else_asked_for_is_no_loss_of_ours() {
    let (mut story, run) = deployed();
    story.stopped(run, PATH, 20);
    story.cluster_goes();
    story.status(json!({ "conditions": [{ "type": "Ready", "reason": "Waiting", "message": "for somebody" }] }));
    story.calm(Goal::Waiting("Waiting".into()));
    assert_eq!(story.broken(), [""; 0]);
}

#[test]
fn a_start_that_passes_over_a_stop_nobody_was_told_of_is_caught() {
    let (mut story, run) = deployed();
    let older = story.snapshot(run, "file:/cp/chk-1", 10, false);
    story.ask_to_stop(FIRST);
    story.stopped(run, PATH, 20);
    story.cluster_goes();
    story.deploy("at2", Some(older));
    assert_eq!(story.broken(), ["no-older-state"]);
}

#[test]
fn a_start_where_a_manual_restore_is_asked_for_is_caught_unless_the_state_is_given_up() {
    for (change, expected) in [
        (json!({ "parallelism": 3 }), &["manual-waits"][..]),
        (json!({ "upgradeMode": "stateless" }), &[]),
        (
            json!({ "savepointRedeployNonce": 1, "initialSavepointPath": "file:///sp/mine" }),
            &[],
        ),
    ] {
        let (mut story, run) = deployed();
        story.end_run(run, End::Killed).cluster_goes();
        story.status(json!({ "error": "it is lost. Manual restore required." }));
        story.edit(|spec| {
            for (key, value) in change.as_object().unwrap() {
                spec["job"][key.as_str()] = value.clone();
            }
        });
        story.deploy("at2", None);
        assert_eq!(story.broken(), expected, "{change}");
    }
}

#[test]
fn what_was_found_again_may_start() {
    let (mut story, run) = deployed();
    story.ask_to_stop(FIRST);
    story.status(json!({ "error": "it is lost. Manual restore required." }));
    let savepoint = story.stopped(run, PATH, 20);
    story.status(settled()).status(json!({ "error": null }));
    story.delete_deployment().cluster_goes();
    story.deploy("at2", Some(savepoint));
    assert_eq!(story.broken(), [""; 0]);
}

fn record(story: &mut Story, path: &str) {
    let body = json!({ "metadata": { "name": "a-savepoint-upgrade-1767225600000" },
        "spec": { "jobReference": { "kind": "FlinkDeployment", "name": "a" },
            "savepoint": { "path": path, "alreadyExists": true } } });
    story.request(
        Verb::Create,
        "flinkstatesnapshots",
        "a-savepoint-upgrade-1767225600000",
        Some(body),
    );
}

#[test]
fn a_record_of_what_is_not_there_not_stored_or_recorded_already_is_caught() {
    for (path, stored, times, expected) in [
        (PATH, true, 1, &[][..]),
        (PATH, true, 2, &["true-records"]),
        (PATH, false, 1, &["true-records"]),
        ("file:/sp/nowhere", true, 1, &["true-records"]),
    ] {
        let (mut story, run) = deployed();
        story.ask_to_stop(FIRST);
        story.stopped(run, PATH, 20);
        if stored {
            story.status(settled());
        }
        for _ in 0..times {
            record(&mut story, path);
        }
        assert_eq!(story.broken(), expected, "{path} {stored} {times}");
    }
}

#[test]
fn a_record_of_one_name_has_one_content() {
    let (mut story, run) = deployed();
    story.ask_to_stop(FIRST);
    story.stopped(run, PATH, 20);
    story.status(settled());
    record(&mut story, PATH);
    record(&mut story, "file:/sp/s2");
    story.history.requests.last_mut().unwrap().applied = false;
    assert_eq!(story.broken(), ["same-bytes"]);
}

#[test]
fn a_start_from_less_than_the_last_start_began_with_is_caught() {
    let mut story = Story::new();
    story.resource(
        json!({ "job": { "upgradeMode": "savepoint", "initialSavepointPath": "file:///sp/old" } }),
    );
    // A savepoint from elsewhere.
    let brought = story.snapshot(usize::MAX, "file:/sp/old", 10, true);
    story.history.snapshots[brought].cluster = "elsewhere".into();
    let run = story.deploy("at1", Some(brought));
    story.edit(|spec| spec["job"]["parallelism"] = json!(2));
    story.end_run(run, End::Killed);
    story.status(json!({ "operation": { "kind": "End" } }));
    story.delete_deployment().cluster_goes();
    story.deploy("at2", None);
    assert_eq!(story.broken(), ["no-older-state"]);
}

#[test]
fn a_checkpoint_that_flink_discarded_at_the_end_is_no_state_to_keep() {
    let (mut story, run) = deployed();
    let checkpoint = story.snapshot(run, "file:/cp/chk-1", 10, false);
    story.status(json!({ "lineage": { "newest": { "path": "file:/cp/chk-1" } } }));
    story.end_run(run, End::Finished);
    let moment = story.moment();
    story.history.snapshots[checkpoint].discarded = Some(moment);
    story.status(json!({ "operation": { "kind": "End" }, "jobStatus": { "state": "FINISHED", "jobId": JOB } }));
    story.delete_deployment().cluster_goes();
    story.deploy("at2", None);
    assert_eq!(story.broken(), [""; 0]);
}

#[test]
fn one_of_several_goals_is_enough() {
    let waits = || Goal::Waiting("ManualRestoreRequired".into());
    for (goals, expected) in [
        (vec![waits(), Goal::Running], &[][..]),
        (vec![waits(), Goal::Suspended], &["converges"]),
    ] {
        let mut story = Story::new();
        story.resource(stateful());
        story.deploy("at1", None);
        story.calm(Goal::OneOf(goals.clone()));
        assert_eq!(story.broken(), expected, "{goals:?}");
    }
}

#[test]
fn older_state_that_flink_itself_went_back_to_is_said() {
    let says =
        json!([{ "type": "Degraded", "reason": "RestoredFromOlderState", "message": "so it is" }]);
    let nothing = json!([{ "type": "Ready", "reason": "JobRunning", "message": "all is well" }]);
    for (conditions, container, expected) in [
        (&nothing, 1, &["older-is-said"][..]),
        (&says, 1, &[]),
        (&nothing, 0, &[]),
    ] {
        let mut story = Story::new();
        story.resource(stateful());
        let run = story.deploy("at1", None);
        story.snapshot(run, "file:/cp/chk-1", 10, false);
        story.status(json!({ "lineage": { "newest": { "path": "file:/cp/chk-1" } } }));
        story.end_run(run, End::Killed);
        let again = story.run("d1", "a-d1", None);
        story.history.runs[again].container = container;
        story.status(json!({ "conditions": conditions }));
        story.calm(Goal::Running);
        assert_eq!(story.broken(), expected, "{conditions} {container}");
    }
}
