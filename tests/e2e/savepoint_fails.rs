//! Stops with savepoint that do not go well: the job goes on, it is said why, and the user can go on, too.

use std::fs;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::counting::{Counting, arguments, high_availability};
use crate::flink::{ask, one_at_a_time, pods, runs};
use crate::journal::Repeats;
use crate::leftovers;
use crate::operator::Operator;
use crate::resource::{SOON, condition, holds, is_stable, job_id};
use crate::scene::Scene;
use crate::stage::play;
use crate::trouble::{named, warned};

/// For a container that crashes to be given pauses, and for the longest of them.
const CRASHES: Duration = Duration::from_secs(120);
/// For a call to a silent JobManager to be given up, and another look.
const SILENCE: Duration = Duration::from_secs(40);

#[test]
fn a_savepoint_that_fails_leaves_the_job_running() {
    play("savepoint-fails", async |scene| {
        let operator = Operator::start(scene).await;
        let counting = Counting::create(scene, |resource| {
            let spec = &mut resource["spec"];
            spec["job"]["args"] = arguments(&["--stop-fails", "saving"]);
            spec["flinkConfiguration"]["execution.checkpointing.interval"] = json!("1 s");
        });
        let counting = counting.await;
        let first = counting.begins().await;

        unwritable(scene, &counting, &first).await;
        let second = failing_task(scene, &counting, &first).await;
        let third = failing_main(&counting, &second).await;

        counting.resource.delete().await;
        counting.resource.gone().await;
        leftovers::none(scene).await;
        assert_eq!(counting.journal().jobs(), [first, second, third]);
        assert!(one_at_a_time(&runs(scene)), "{:#?}", runs(scene));
        operator.stop().await;
    });
}

/// Nothing can be written: the job never notices, and taking the edit back ends the matter.
async fn unwritable(scene: &Scene, counting: &Counting<'_>, first: &str) {
    counting.block_savepoints();
    let change = json!({ "job": { "parallelism": 1 } });
    counting.resource.edit(change).await;
    let status = refused(scene, counting, "/flink-data/savepoints").await;
    let overview = ask(scene, &counting.resource.name, "/jobs/overview").await;
    assert_eq!(overview.unwrap()["jobs"][0]["state"], "RUNNING");
    assert_eq!(job_id(&status), first);
    counting.counts(first).await;

    let change = json!({ "job": { "parallelism": 2 } });
    counting.resource.edit(change).await;
    let status = counting.resource.stable().await;
    assert!(!holds(&status, "Degraded"), "{status:#}");
    assert_eq!(status["error"], Value::Null);
    assert_eq!(job_id(&status), first, "the job was never stopped");
    counting.journal().assert_continuous(Repeats::Never);
    counting.unblock_savepoints();
}

/// A task throws: Flink starts the job again from its last checkpoint, and another edit tries at once.
async fn failing_task(scene: &Scene, counting: &Counting<'_>, first: &str) -> String {
    counting.has_checkpoint(first).await;
    counting.trouble();
    let change = json!({ "job": { "parallelism": 1 } });
    counting.resource.edit(change).await;
    let cause = "the job was told to fail while it takes a savepoint";
    let status = refused(scene, counting, cause).await;
    assert_eq!(job_id(&status), first);
    counting.all_tasks_run(first).await;
    counting.counts(first).await;
    assert_eq!(counting.snapshots().await, Vec::<Value>::new());

    counting.mend();
    counting.resource.edit(json!({ "restartNonce": 1 })).await;
    let status = counting.resource.stable().await;
    let second = counting.went_on(&status, first, Repeats::WithinAJob).await;
    assert_eq!(counting.snapshots().await.len(), 1);
    second
}

/// The new program throws before there is a job: Flink lists a failed one, and the next edit starts from the same savepoint.
async fn failing_main(counting: &Counting<'_>, second: &str) -> String {
    let program = |more: &[&str]| json!({ "job": { "args": arguments(more) } });
    counting
        .resource
        .edit(program(&["--mode", "fail-in-main"]))
        .await;
    let failed = |resource: &Value| {
        let status = &resource["status"];
        status["jobStatus"]["state"] == "FAILED" && job_id(status) != second
    };
    let what = "has failed in main";
    counting.resource.until(SOON, what, failed).await;
    counting.resource.edit(program(&[])).await;
    let status = counting.resource.stable().await;
    counting.went_on(&status, second, Repeats::WithinAJob).await
}

/// Waits until it is said, in every way there is, that the savepoint failed; returns the status.
async fn refused(scene: &Scene, counting: &Counting<'_>, words: &str) -> Value {
    let resource = &counting.resource;
    let status = named(resource, "SavepointFailed", words).await;
    scene.chronicle.note(&format!(
        "the status of a savepoint that failed: {status:#}"
    ));
    let error = status["error"].as_str().unwrap_or_default();
    assert!(error.contains(words), "{error}");
    assert_eq!(status["reconciliationStatus"]["state"], "DEPLOYED");
    assert_eq!(status["operation"]["kind"], "Stop");
    assert_eq!(status["operation"]["trigger"], Value::Null);
    assert!(status["operation"]["notBefore"].is_string(), "{status:#}");
    warned(scene, resource, words).await;
    status
}

#[test]
fn a_silent_job_manager_is_waited_for() {
    play("savepoint-silent", async |scene| {
        let operator = Operator::start(scene).await;
        let counting = Counting::create(scene, |resource| {
            resource["spec"]["job"]["args"] = arguments(&["--snapshot-takes", "10 min"]);
        });
        let counting = counting.await;
        let first = counting.begins().await;
        counting.trouble();
        let change = json!({ "job": { "parallelism": 1 } });
        counting.resource.edit(change).await;
        let asked = counting.is_stopping().await;

        let before = cluster(scene, &counting).await;
        let process = Pid::from_raw(counting.job_manager_process().await);
        kill(process, Signal::SIGSTOP).unwrap();
        scene.chronicle.note("the JobManager is silent");
        let silent = |resource: &Value| {
            let progressing = condition(&resource["status"], "Progressing");
            progressing["status"] == "True" && progressing["reason"] == "JobManagerSilent"
        };
        let what = "is told to wait for the JobManager";
        let status = counting.resource.until(SILENCE, what, silent).await["status"].take();
        scene
            .chronicle
            .note(&format!("the status meanwhile: {status:#}"));
        assert_eq!(
            status["operation"]["trigger"], asked["operation"]["trigger"],
            "it is the same stop"
        );
        assert_eq!(cluster(scene, &counting).await, before, "nothing is ended");

        counting.mend();
        kill(process, Signal::SIGCONT).unwrap();
        scene.chronicle.note("the JobManager speaks again");
        let status = counting.resource.stable().await;
        let second = counting.went_on(&status, &first, Repeats::Never).await;
        assert_eq!(counting.snapshots().await.len(), 1);
        assert_eq!(counting.savepoints_begun(), 1);

        counting.resource.delete().await;
        counting.resource.gone().await;
        leftovers::none(scene).await;
        let ran: Vec<String> = runs(scene).into_iter().map(|run| run.job).collect();
        assert_eq!(ran, [first, second]);
        operator.stop().await;
    });
}

/// A JobManager that dies while it writes how the job ended does not come up again by itself.
#[test]
fn a_person_is_asked_where_the_job_manager_cannot_start_any_more() {
    play("savepoint-torn", async |scene| {
        let operator = Operator::start(scene).await;
        let counting = Counting::create(scene, |resource| {
            let spec = &mut resource["spec"];
            spec["job"]["args"] = arguments(&["--snapshot-takes", "10 min"]);
            spec["flinkConfiguration"]["execution.checkpointing.interval"] = json!("1 s");
            high_availability(resource);
        });
        let counting = counting.await;
        let first = counting.begins().await;
        counting.has_checkpoint(&first).await;
        counting.trouble();
        let change = json!({ "job": { "parallelism": 1 } });
        counting.resource.edit(change).await;
        let asked = counting.is_stopping().await;

        let torn = counting.tear_result(&first);
        let process = Pid::from_raw(counting.job_manager_process().await);
        kill(process, Signal::SIGKILL).unwrap();
        let at_a_loss = |resource: &Value| {
            let status = &resource["status"];
            let progressing = condition(status, "Progressing");
            progressing["reason"] == "ManualRestoreRequired"
                && condition(status, "Degraded")["reason"] == "DeploymentFailed"
        };
        let what = "says that a person is needed";
        let status = counting.resource.until(CRASHES, what, at_a_loss).await["status"].take();
        scene
            .chronicle
            .note(&format!("the status meanwhile: {status:#}"));
        let trigger = &asked["operation"]["trigger"];
        assert_eq!(&status["operation"]["trigger"], trigger, "it is unsettled");
        let id = trigger["id"].as_str().unwrap();
        warned(scene, &counting.resource, id).await;

        counting.mend();
        fs::remove_file(torn).unwrap();
        scene.chronicle.note("the JobManager can start");
        let done = |resource: &Value| is_stable(resource) && job_id(&resource["status"]) != first;
        let what = "has gone on by itself";
        let status = counting.resource.until(CRASHES, what, done).await["status"].take();
        let second = counting.went_on(&status, &first, Repeats::WithinAJob).await;
        assert_eq!(counting.snapshots().await.len(), 1);

        counting.resource.delete().await;
        counting.resource.gone().await;
        leftovers::none(scene).await;
        assert_eq!(counting.journal().jobs(), [first, second]);
        assert!(one_at_a_time(&runs(scene)), "{:#?}", runs(scene));
        operator.stop().await;
    });
}

/// Returns the identities of all pods.
async fn cluster(scene: &Scene, counting: &Counting<'_>) -> Vec<Value> {
    let mut all = pods(scene, &counting.resource.name, "jobmanager").await;
    all.extend(pods(scene, &counting.resource.name, "taskmanager").await);
    let alive = all
        .iter()
        .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    alive.map(|pod| pod["metadata"]["uid"].clone()).collect()
}
