//! Stopping a job with a savepoint, pass by pass.

use super::scene::*;
use crate::decision::{Decision, Step};
use crate::effect::{Effect, Outcome};
use crate::fact::Why;
use crate::observed::Trigger;
use crate::question::Question;
use flink_operator_api::{OperationKind, ReconciliationState, ResourceLifecycleState};
use jiff::Timestamp;
use serde_json::json;

const SAVEPOINT: &str = "s3://b/savepoint-000000-1";

/// A job that runs and whose checkpoint 7 is known, edited.
fn edited() -> Scene {
    Scene::running_with(stateful)
        .with_checkpoint(7)
        .settled()
        .edit(|spec| spec["job"]["parallelism"] = json!(4))
}

/// The same with the stop stored and sent.
fn stopping() -> Scene {
    let scene = edited();
    let decision = scene.act(2);
    scene.crash_after_intent(&decision)
}

fn stopping_with_ha() -> Scene {
    let scene = Scene::running_with(|spec| {
        stateful(spec);
        spec["flinkConfiguration"]["high-availability.type"] = json!("kubernetes");
        spec["flinkConfiguration"]["high-availability.storageDir"] = json!("s3://h");
    });
    let scene = scene
        .with_checkpoint(7)
        .settled()
        .edit(|spec| spec["job"]["parallelism"] = json!(4));
    let decision = scene.act(2);
    scene.crash_after_intent(&decision)
}

fn stop_of(decision: &Decision) -> &Effect {
    let found = decision
        .effects
        .iter()
        .find(|effect| matches!(effect, Effect::StopWithSavepoint { .. }));
    found.unwrap()
}

fn trigger_of(decision: &Decision) -> String {
    match stop_of(decision) {
        Effect::StopWithSavepoint { trigger, .. } => trigger.as_str().to_owned(),
        other => panic!("{other:?}"),
    }
}

fn error(decision: &Decision) -> String {
    typed(&decision.status).error.clone().unwrap_or_default()
}

#[test]
fn trigger_job_and_newest_checkpoint_are_stored_before_the_stop_is_sent() {
    let decision = edited().act(2);
    assert_eq!(labels(&decision), ["stop-with-savepoint"]);
    let intent = typed(decision.intent.as_ref().unwrap());
    let operation = intent.operation.as_ref().unwrap();
    assert_eq!(operation.kind, OperationKind::Stop);
    let trigger = operation.trigger.as_ref().unwrap();
    assert_eq!(trigger.id.as_deref(), Some(trigger_of(&decision).as_str()));
    assert_eq!(
        (trigger.job.as_str(), trigger.start_time),
        (JOB, Some(1000))
    );
    assert_eq!(trigger.highest_id, Some(7));
    assert_eq!(trigger.directory.as_deref(), Some("s3://b"));
    let newest = intent.lineage.as_ref().unwrap().newest.as_ref().unwrap();
    assert_eq!(newest.id, Some(7));
    // Upstream's fields still say what is: the Java operator would begin anew.
    let reconciliation = intent.reconciliation_status.as_ref().unwrap();
    assert_eq!(reconciliation.state, Some(ReconciliationState::Deployed));
    assert_eq!(lifecycle(&decision), ResourceLifecycleState::Upgrading);
    assert_eq!(reason(&decision, "Progressing"), "StoppingWithSavepoint");
}

#[test]
fn what_came_of_it_is_asked_by_its_id() {
    let scene = stopping();
    let wanted = crate::decide::wanted(&scene.observed, scene.now);
    let asks = |question: &Question| matches!(question, Question::Trigger(job, id) if job.as_str() == JOB && id.as_str() == format!("{:032x}", 2));
    assert!(wanted.iter().any(asks), "{wanted:?}");
}

#[test]
fn a_stop_in_progress_is_waited_for_however_long() {
    for seconds in [1, 600, 86_400] {
        let scene = stopping()
            .after(seconds)
            .with_job("RUNNING")
            .with_trigger(Trigger::InProgress);
        let decision = scene.act(3);
        assert_eq!(decision.effects, []);
        assert_eq!(reason(&decision, "Progressing"), "StoppingWithSavepoint");
    }
}

#[test]
fn an_unknown_trigger_is_sent_again_under_its_id_once_no_request_can_arrive() {
    let early = stopping()
        .after(8)
        .with_job("RUNNING")
        .with_trigger(Trigger::NotFound);
    assert_eq!(early.act(3).effects, []);
    let late = stopping()
        .after(9)
        .with_job("RUNNING")
        .with_trigger(Trigger::NotFound);
    let again = late.act(3);
    assert_eq!(labels(&again), ["stop-with-savepoint"]);
    assert_eq!(trigger_of(&again), format!("{:032x}", 2), "the stored id");
}

#[test]
fn nothing_is_deleted_before_the_number_of_the_savepoint_is_known_or_overdue() {
    let told = stopping()
        .after(1)
        .with_job("FINISHED")
        .with_trigger(Trigger::Completed(SAVEPOINT.into()));
    let decision = told.act(3);
    assert_eq!(decision.effects, []);
    let status = typed(&decision.status);
    let job = status.job_status.as_ref().unwrap();
    assert_eq!(job.upgrade_savepoint_path.as_deref(), Some(SAVEPOINT));
    let newest = status.lineage.as_ref().unwrap().newest.as_ref().unwrap();
    assert_eq!((newest.path.as_deref(), newest.id), (Some(SAVEPOINT), None));

    let stored = told.settled();
    let numbered = stored
        .clone()
        .after(1)
        .with_job("FINISHED")
        .with_stop_savepoint(8, SAVEPOINT);
    let ends = numbered.act(4);
    assert_eq!(labels(&ends), ["record-snapshot", "delete-deployment"]);
    let status = typed(ends.intent.as_ref().unwrap());
    let newest = status.lineage.as_ref().unwrap().newest.as_ref().unwrap();
    assert_eq!(newest.id, Some(8));
    assert_eq!(status.operation.as_ref().unwrap().kind, OperationKind::End);

    let overdue = stored.after(8).with_job("FINISHED").with_checkpoint(7);
    assert_eq!(
        labels(&overdue.act(4)),
        ["record-snapshot", "delete-deployment"]
    );
}

#[test]
fn the_cluster_is_deleted_only_after_the_path_was_stored_in_an_earlier_write() {
    let told = stopping()
        .after(1)
        .with_job("FINISHED")
        .with_trigger(Trigger::Completed(SAVEPOINT.into()))
        .with_stop_savepoint(8, SAVEPOINT);
    let decision = told.act(3);
    let status = typed(decision.intent.as_ref().unwrap());
    let job = status.job_status.as_ref().unwrap();
    assert_eq!(job.upgrade_savepoint_path.as_deref(), Some(SAVEPOINT));
    assert_eq!(labels(&decision)[0], "record-snapshot");
}

#[test]
fn a_cluster_does_not_stay_for_a_record_that_cannot_be_made() {
    let ends = |seconds| {
        let scene = stopping()
            .with_job("FINISHED")
            .with_trigger(Trigger::Completed(SAVEPOINT.into()))
            .with_stop_savepoint(8, SAVEPOINT);
        let begun = scene.act(3);
        assert_eq!(labels(&begun)[0], "record-snapshot");
        let mut scene = scene.crash_after_intent(&begun);
        for pause in [1, seconds] {
            scene = scene.after(pause);
            let again = scene.act(4);
            assert_eq!(labels(&again)[0], "record-snapshot");
            let webhook = Why::Status {
                code: 500,
                message: "failed calling webhook".into(),
            };
            scene.store(&again, &[Outcome::Unknown(webhook)]);
        }
        scene.act(5)
    };
    let soon = ends(1);
    assert_eq!(labels(&soon), ["record-snapshot", "delete-deployment"]);
    let late = ends(40);
    assert_eq!(labels(&late), ["delete-deployment"]);
    let info = typed(&late.status)
        .job_status
        .clone()
        .unwrap()
        .savepoint_info;
    let last = info.unwrap().last_savepoint.unwrap();
    assert_eq!(last.location.as_deref(), Some(SAVEPOINT));
}

#[test]
fn a_failed_stop_leaves_the_job_running_and_is_tried_again_later_under_a_new_id() {
    let failed = stopping()
        .after(2)
        .with_job("RUNNING")
        .with_trigger(Trigger::Failed {
            cause: "Checkpoint Coordinator is suspending.".into(),
            savepoint: None,
        })
        .with_root_cause(None);
    let decision = failed.act(3);
    assert_eq!(decision.effects, []);
    assert_eq!(reason(&decision, "Degraded"), "SavepointFailed");
    assert_eq!(reason(&decision, "Ready"), "JobRunning");
    let said = error(&decision);
    assert!(
        said.contains("suspending") && !said.contains("suspending."),
        "{said}"
    );
    assert_eq!(decision.notices.last().unwrap().reason, "SavepointError");
    assert_eq!(lifecycle(&decision), ResourceLifecycleState::Stable);

    let stored = failed.settled();
    let soon = stored
        .clone()
        .after(5)
        .with_job("RUNNING")
        .with_checkpoint(8)
        .act(4);
    assert_eq!((soon.effects, soon.notices), (vec![], vec![]));
    let due = stored
        .after(20)
        .with_job("RUNNING")
        .with_checkpoint(8)
        .act(4);
    assert_eq!(trigger_of(&due), format!("{:032x}", 4), "a new id");
    assert_eq!(reason(&due, "Degraded"), "SavepointFailed");
    assert_eq!(reason(&due, "Progressing"), "StoppingWithSavepoint");
}

#[test]
fn the_pause_after_a_failed_stop_grows_with_the_attempts_and_not_with_how_long_one_took() {
    let refused = |scene: Scene| {
        let failed = Trigger::Failed {
            cause: "why".into(),
            savepoint: None,
        };
        let scene = scene.with_job("RUNNING").with_trigger(failed);
        let scene = scene.with_root_cause(None);
        let operation = typed(&scene.act(3).status).operation.clone().unwrap();
        let next: Timestamp = operation.not_before.unwrap().parse().unwrap();
        (next.duration_since(scene.now).as_secs(), scene.settled())
    };
    // Flink took ten minutes to refuse.
    let (first, mut scene) = refused(stopping().after(600));
    assert_eq!(first, 15);
    let mut pauses = Vec::new();
    for number in 3..9 {
        let pause = pauses.last().map_or(first, |(pause, _)| *pause);
        scene = scene.after(pause).with_job("RUNNING").with_checkpoint(8);
        let again = scene.act(number);
        let trigger = trigger_of(&again);
        let (next, stored) = refused(scene.crash_after_intent(&again).after(2));
        scene = stored;
        pauses.push((next, trigger));
    }
    let ids: std::collections::BTreeSet<_> = pauses.iter().map(|(_, id)| id).collect();
    assert_eq!(ids.len(), pauses.len(), "each under its own id");
    let pauses: Vec<i64> = pauses.iter().map(|(pause, _)| *pause).collect();
    assert!(pauses.is_sorted(), "{pauses:?}");
    assert_eq!(pauses.last(), Some(&600));
}

#[test]
fn a_failed_stop_is_told_while_flink_starts_the_job_again() {
    let failed = |state| {
        stopping()
            .after(2)
            .with_job(state)
            .with_trigger(Trigger::Failed {
                cause: "Checkpoint Coordinator is suspending".into(),
                savepoint: None,
            })
    };
    let soon = |scene: &Scene| scene.act(3).revisit.after.unwrap();
    let running = failed("RUNNING").with_root_cause(None);
    let restarts = failed("RESTARTING").with_root_cause(Some(("why", 1)));
    assert!(soon(&restarts) < soon(&running));
    let stored = restarts.settled().after(1);
    for state in ["RESTARTING", "RUNNING"] {
        let decision = stored.clone().with_job(state).with_checkpoint(8).act(4);
        assert_eq!(
            (
                &decision.effects[..],
                reason(&decision, "Degraded").as_str()
            ),
            (&[][..], "SavepointFailed")
        );
    }
}

#[test]
fn what_failed_in_the_job_is_the_cause_of_a_failed_stop() {
    let failed = |state: &str| {
        let scene = stopping().after(2).with_job(state);
        scene.with_trigger(Trigger::Failed {
            cause: "Checkpoint Coordinator is suspending.".into(),
            savepoint: None,
        })
    };
    assert!(matches!(failed("RUNNING").step(3), Step::Ask(_)));
    let disk = "java.io.IOException: disk full";
    let told = failed("RESTARTING").with_root_cause(Some((disk, 1))).act(3);
    let words = format!("is suspending; the job failed meanwhile: {disk}");
    assert!(error(&told).contains(&words), "{}", error(&told));
    assert!(message(&told, "Degraded").contains(&words));
    // What failed before the stop was asked for is not its cause.
    let old = failed("RUNNING").with_root_cause(Some((disk, 60))).act(3);
    assert!(!error(&old).contains(disk), "{}", error(&old));

    // Flink's list of failures lags: nothing is said of the stop until it is no copy of before.
    let early = failed("RESTARTING").with_root_cause(None);
    let waits = early.act(3);
    assert_eq!(reason(&waits, "Degraded"), "AtRest");
    assert_eq!(reason(&waits, "Progressing"), "StoppingWithSavepoint");
    assert!(
        typed(&waits.status)
            .operation
            .clone()
            .unwrap()
            .trigger
            .is_some()
    );
    let stored = early.settled();
    let again = stored.clone().after(1).with_root_cause(None).act(4);
    assert_eq!(reason(&again, "Degraded"), "AtRest");
    let late = stored.after(10).with_root_cause(None).act(4);
    assert_eq!(reason(&late, "Degraded"), "SavepointFailed");
}

#[test]
fn after_a_failed_stop_an_edit_begins_at_once_and_a_revert_ends_it() {
    let stored = || {
        stopping()
            .after(2)
            .with_job("RUNNING")
            .with_trigger(Trigger::Failed {
                cause: "why".into(),
                savepoint: None,
            })
            .with_root_cause(None)
            .settled()
            .with_checkpoint(8)
    };
    let edited = stored().edit(|spec| spec["job"]["parallelism"] = json!(8));
    assert_eq!(labels(&edited.act(4)), ["stop-with-savepoint"]);
    assert_eq!(reason(&edited.act(4), "Degraded"), "AtRest");
    let reverted = stored()
        .edit(|spec| spec["job"]["parallelism"] = json!(2))
        .act(4);
    assert_eq!(reverted.effects, []);
    assert_eq!(typed(&reverted.status).operation, None);
    assert_eq!(error(&reverted), "");
    assert_eq!(reason(&reverted, "Degraded"), "AtRest");
}

#[test]
fn a_job_that_failed_while_it_stopped_is_stopped_if_its_savepoint_is_named() {
    let scene = stopping()
        .after(2)
        .with_job("FAILED")
        .with_trigger(Trigger::Failed {
            cause: "A savepoint has been created".into(),
            savepoint: Some(SAVEPOINT.into()),
        });
    let decision = scene.with_root_cause(None).act(3);
    let job = typed(&decision.status).job_status.clone().unwrap();
    assert_eq!(job.upgrade_savepoint_path.as_deref(), Some(SAVEPOINT));
}

#[test]
fn a_job_that_was_restarted_from_older_state_is_not_stopped() {
    let scene = stopping()
        .after(20)
        .with_job_since("RUNNING", 9000)
        .with_restored(Some(3))
        .with_trigger(Trigger::NotFound);
    let decision = scene.act(3);
    assert_eq!(decision.effects, []);
    assert_eq!(reason(&decision, "Degraded"), "RestoredFromOlderState");
    let stored = scene.settled();
    // Its state must not take the place of the newest, which may be a savepoint of the stop: not even when it has ended.
    for state in ["RUNNING", "FINISHED"] {
        let scene = stored.clone().after(60).with_job_since(state, 9000);
        let scene = scene.with_restored(Some(3)).with_trigger(Trigger::NotFound);
        let again = scene.act(4);
        assert_eq!(again.effects, [], "{:?}", again.notices);
        let told = message(&again, "Progressing");
        assert!(
            told.contains("s3://b") && told.contains("runs it from older state"),
            "{told}"
        );
        let operation = typed(&again.status).operation.clone().unwrap();
        assert!(operation.trigger.is_some(), "the stop stays unsettled");
    }
    let redeployed = stored.edit(|spec| {
        spec["job"]["initialSavepointPath"] = json!("s3://b/found");
        spec["job"]["savepointRedeployNonce"] = json!(1);
    });
    let redeployed = redeployed
        .with_job_since("RUNNING", 9000)
        .with_restored(Some(3));
    assert_eq!(labels(&redeployed.act(5)), ["cancel"]);
}

#[test]
fn without_high_availability_a_job_that_runs_again_is_not_believed_to_go_on() {
    let decision = stopping()
        .after(20)
        .with_job_since("RUNNING", 9000)
        .with_restored(Some(7))
        .with_trigger(Trigger::NotFound)
        .act(3);
    assert_eq!(decision.effects, []);
    assert_eq!(reason(&decision, "Degraded"), "ManualRestoreRequired");
}

#[test]
fn a_job_that_was_restarted_from_its_newest_checkpoint_is_stopped_under_the_same_id() {
    let scene = stopping_with_ha()
        .after(20)
        .with_job_since("RUNNING", 9000)
        .with_restored(Some(7))
        .with_trigger(Trigger::NotFound);
    let decision = scene.act(3);
    assert_eq!(trigger_of(&decision), format!("{:032x}", 2));
    let intent = typed(decision.intent.as_ref().unwrap());
    let trigger = intent.operation.as_ref().unwrap().trigger.as_ref().unwrap();
    assert_eq!(trigger.start_time, Some(9000));
}

#[test]
fn with_the_job_manager_gone_nobody_but_a_person_can_tell() {
    let decision = stopping().after(20).without_cluster().act(3);
    assert_eq!(decision.effects, []);
    assert_eq!(reason(&decision, "Degraded"), "ManualRestoreRequired");
    assert!(error(&decision).contains("Manual restore required."));
    assert!(error(&decision).contains("s3://b"), "names the directory");
    assert_eq!(lifecycle(&decision), ResourceLifecycleState::Failed);
    let trigger = typed(&decision.status).operation.clone().unwrap().trigger;
    assert!(trigger.is_some(), "it stays unsettled");
}

#[test]
fn a_user_who_gives_the_state_up_is_not_kept_waiting_by_a_stop() {
    let scene = stopping()
        .edit(|spec| spec["job"]["upgradeMode"] = json!("stateless"))
        .with_job("RUNNING")
        .with_trigger(Trigger::InProgress);
    assert_eq!(labels(&scene.act(3)), ["cancel"]);
}

#[test]
fn a_silent_job_manager_is_waited_for() {
    let decision = stopping().after(100).silent(Why::TimedOut).act(3);
    assert_eq!(decision.effects, []);
    assert_eq!(reason(&decision, "Progressing"), "JobManagerSilent");
    assert!(typed(&decision.status).operation.is_some());
}

#[test]
fn a_job_manager_that_cannot_start_may_never_tell_what_came_of_a_stop() {
    let told = |decision: &Decision| {
        let message = message(decision, "Progressing");
        assert!(
            message.contains("s3://b") && message.contains("Manual restore required."),
            "{message}"
        );
        assert_eq!(decision.effects, []);
        assert_eq!(reason(decision, "Progressing"), "ManualRestoreRequired");
        assert!(typed(&decision.status).operation.is_some());
        let said = |notice: &&crate::decision::Notice| notice.reason == "ManualRestoreRequired";
        decision.notices.iter().filter(said).count()
    };
    let scene = stopping_with_ha()
        .after(20)
        .crashing(Some("CrashLoopBackOff"));
    let first = scene.act(3);
    assert_eq!(told(&first), 1);
    // Why it cannot start is said beside it.
    assert_eq!(reason(&first, "Degraded"), "DeploymentFailed");
    assert!(error(&first).contains("CrashLoop"), "{}", error(&first));
    let mut stored = scene.settled();
    for waits in [None, Some("CrashLoopBackOff"), None] {
        stored = stored.after(60).crashing(waits);
        let decision = stored.act(4);
        assert_eq!((told(&decision), decision.notices.len()), (0, 0), "once");
        stored = stored.settled();
    }
    // For a moment it is there, and does not answer.
    let looks = stored.clone().after(1).with_ready_pod();
    assert_eq!(told(&looks.silent(Why::Refused).act(4)), 0);

    let up = stored.after(60).with_ready_pod();
    let up = up.with_job_since("RUNNING", 9000).with_restored(Some(7));
    let decision = up.with_trigger(Trigger::NotFound).act(5);
    assert_eq!(labels(&decision), ["stop-with-savepoint"], "it goes on");
}

#[test]
fn an_unknown_result_stays_unknown_while_the_job_manager_is_silent() {
    let lost = stopping()
        .after(20)
        .with_job_since("RUNNING", 9000)
        .with_restored(Some(7))
        .with_trigger(Trigger::NotFound)
        .settled();
    let silent = lost.after(20).silent(Why::TimedOut).act(4);
    assert_eq!((silent.effects.len(), silent.notices.len()), (0, 0));
    assert_eq!(reason(&silent, "Degraded"), "ManualRestoreRequired");
    assert_eq!(reason(&silent, "Progressing"), "ManualRestoreRequired");
}

#[test]
fn a_stop_whose_request_may_arrive_late_is_seen_through_though_its_edit_was_taken_back() {
    let scene = stopping()
        .edit(|spec| spec["job"]["parallelism"] = json!(2))
        .after(20)
        .with_job("RUNNING")
        .with_trigger(Trigger::NotFound);
    let again = scene.act(3);
    assert_eq!(trigger_of(&again), format!("{:032x}", 2));
}

#[test]
fn a_stop_that_arrived_is_seen_through_though_its_edit_was_taken_back() {
    let scene = stopping()
        .edit(|spec| spec["job"]["parallelism"] = json!(2))
        .after(1)
        .with_job("FINISHED")
        .with_trigger(Trigger::Completed(SAVEPOINT.into()))
        .with_stop_savepoint(8, SAVEPOINT);
    let ends = scene.act(3);
    assert_eq!(labels(&ends), ["record-snapshot", "delete-deployment"]);
}

#[test]
fn a_job_without_checkpoints_that_runs_anew_may_have_left_a_savepoint() {
    let edited = Scene::running_with(stateful)
        .with_restored(None)
        .settled()
        .edit(|spec| spec["job"]["parallelism"] = json!(4));
    let stop = edited.act(2);
    assert_eq!(labels(&stop), ["stop-with-savepoint"]);
    let decision = edited
        .crash_after_intent(&stop)
        .after(60)
        .with_job_since("RUNNING", 9000)
        .with_restored(None)
        .with_trigger(Trigger::NotFound);
    let young = decision.act(3);
    let told = decision
        .settled()
        .after(60)
        .with_restored(None)
        .with_job_since("RUNNING", 9000);
    let told = told.with_trigger(Trigger::NotFound);
    let decision = told.act(4);
    let own = told
        .settled()
        .after(600)
        .with_restored(Some(5))
        .with_job_since("RUNNING", 9000);
    let own = own.with_trigger(Trigger::NotFound).act(5);
    for decision in [young, decision, own] {
        assert_eq!(decision.effects, []);
        assert_eq!(reason(&decision, "Degraded"), "ManualRestoreRequired");
        let operation = typed(&decision.status).operation.clone().unwrap();
        assert!(operation.trigger.is_some(), "it stays unsettled");
    }
}
