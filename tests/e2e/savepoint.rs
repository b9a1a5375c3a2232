//! Edits of a job that keeps its state, on real Flink: no number is missing afterwards, and none is counted twice.

use serde_json::{Value, json};

use crate::counting::{Counting, arguments, high_availability};
use crate::flink::{ask, one_at_a_time, runs};
use crate::journal::Repeats;
use crate::leftovers;
use crate::operator::Operator;
use crate::requests::{forbidden, sent};
use crate::resource::{condition, job_id};
use crate::scene::Scene;
use crate::stage::{full_scope, play};

#[test]
fn a_job_keeps_its_state_on_1_20() {
    play("savepoint", async |scene| {
        let operator = Operator::start(scene).await;
        let counting = Counting::create(scene, |_| {}).await;
        let mut jobs = vec![counting.begins().await];

        let upgrades = if full_scope() { 10 } else { 3 };
        for parallelism in [1, 2].into_iter().cycle().take(upgrades) {
            jobs.push(rescale(scene, &counting, parallelism, jobs.last().unwrap()).await);
        }
        assert_eq!(counting.snapshots().await.len(), upgrades);
        let change = json!({ "job": { "state": "suspended" } });
        let path = suspend(scene, &counting, change).await;
        jobs.push(resume(&counting, json!({}), jobs.last().unwrap(), &path).await);

        let change = json!({ "job": { "state": "suspended" } });
        let path = suspend(scene, &counting, change).await;
        counting.resource.delete().await;
        counting.resource.gone().await;
        let heir = inherit(scene, jobs.last().unwrap(), &path).await;
        jobs.push(job_id(&heir.resource.now().await["status"]));

        end(scene, &heir, &jobs).await;
        operator.stop().await;
    });
}

/// With high availability: what the old cluster leaves in ConfigMaps must not start anything.
#[test]
fn a_job_keeps_its_state_on_the_newest_flink_2() {
    play("savepoint-2", async |scene| {
        let operator = Operator::start(scene).await;
        let counting = Counting::create(scene, |resource| {
            let spec = &mut resource["spec"];
            spec["image"] = json!("flink:2.3");
            spec["flinkVersion"] = json!("v2_3");
            high_availability(resource);
        });
        let counting = counting.await;
        let mut jobs = vec![counting.begins().await];
        jobs.push(rescale(scene, &counting, 1, jobs.last().unwrap()).await);
        let change = json!({ "job": { "state": "suspended" } });
        let path = suspend(scene, &counting, change).await;

        // The savepoint of a task that fails in its last moment is as good as any other.
        let fails = json!({ "args": arguments(&["--stop-fails", "closing"]) });
        jobs.push(resume(&counting, fails, jobs.last().unwrap(), &path).await);
        counting.trouble();
        let change = json!({ "job": { "args": arguments(&[]), "parallelism": 2 } });
        jobs.push(counting.upgrade(change, jobs.last().unwrap()).await);

        end(scene, &counting, &jobs).await;
        operator.stop().await;
    });
}

#[test]
fn a_job_keeps_its_state_on_1_15() {
    play("savepoint-1-15", async |scene| {
        let operator = Operator::start(scene).await;
        let counting = Counting::create(scene, |resource| {
            let spec = &mut resource["spec"];
            spec["image"] = json!("flink:1.15");
            spec["flinkVersion"] = json!("v1_15");
            let configuration = spec["flinkConfiguration"].as_object_mut().unwrap();
            for (now, then) in [
                ("execution.checkpointing.dir", "state.checkpoints.dir"),
                (
                    "execution.checkpointing.savepoint-dir",
                    "state.savepoints.dir",
                ),
            ] {
                let directory = configuration.remove(now).unwrap();
                configuration.insert(then.to_owned(), directory);
            }
        });
        let counting = counting.await;
        let mut jobs = vec![counting.begins().await];
        jobs.push(rescale(scene, &counting, 1, jobs.last().unwrap()).await);
        end(scene, &counting, &jobs).await;
        operator.stop().await;
    });
}

/// Changes the parallelism, which moves state between tasks.
async fn rescale(scene: &Scene, counting: &Counting<'_>, parallelism: u32, before: &str) -> String {
    let change = json!({ "job": { "parallelism": parallelism } });
    let job = counting.upgrade(change, before).await;
    let journal = counting.journal();
    assert_eq!(journal.parallelism(&job), Some(parallelism));
    let page = format!("/jobs/{job}");
    let told = ask(scene, &counting.resource.name, &page).await.unwrap();
    let counts = |vertex: &&Value| {
        let name = vertex["name"].as_str();
        name.is_some_and(|name| name.contains("count-per-key"))
    };
    let vertex = told["vertices"].as_array().unwrap().iter().find(counts);
    assert_eq!(vertex.unwrap()["parallelism"], parallelism);
    job
}

/// Suspends the job and returns the savepoint that is left.
async fn suspend(scene: &Scene, counting: &Counting<'_>, change: Value) -> String {
    let before = counting.snapshots().await.len();
    counting.resource.edit(change).await;
    let status = counting.resource.suspended().await;
    leftovers::none(scene).await;
    counting.journal().assert_continuous(Repeats::Never);
    assert_eq!(counting.snapshots().await.len(), before + 1);
    let path = counting.newest_savepoint().await;
    assert_eq!(status["jobStatus"]["upgradeSavepointPath"], path);
    assert_eq!(status["jobStatus"]["state"], "FINISHED");
    let newest = &status["lineage"]["newest"];
    assert_eq!(
        (&newest["kind"], &newest["path"]),
        (&json!("savepoint"), &json!(path))
    );
    assert!(newest["id"].is_u64(), "{newest}");
    assert_eq!(condition(&status, "Suspended")["status"], "True");
    assert_eq!(status["error"], Value::Null);
    path
}

/// Resumes the job, with some changes, from the savepoint that was left.
async fn resume(counting: &Counting<'_>, mut job: Value, before: &str, path: &str) -> String {
    job["state"] = json!("running");
    counting.resource.edit(json!({ "job": job })).await;
    let status = counting.resource.stable().await;
    let job = counting.went_on(&status, before, Repeats::Never).await;
    counting.restored(&job, path).await;
    job
}

/// Creates another resource that begins with the state of one that is gone.
async fn inherit<'a>(scene: &'a Scene, before: &str, path: &str) -> Counting<'a> {
    let heir = Counting::create(scene, |resource| {
        resource["metadata"]["name"] = json!("heir");
        resource["spec"]["job"]["initialSavepointPath"] = json!(path);
    });
    let heir = heir.await;
    let job = job_id(&heir.resource.stable().await);
    heir.counts(&job).await;
    heir.restored(&job, path).await;
    let journal = heir.journal();
    journal.assert_continuous(Repeats::Never);
    assert!(journal.jobs().ends_with(&[before.to_owned(), job]));
    heir
}

/// Deletes the job; over its whole life each job has run once and alone, and has counted where the last one ended.
async fn end(scene: &Scene, counting: &Counting<'_>, jobs: &[String]) {
    counting.resource.delete().await;
    counting.resource.gone().await;
    leftovers::none(scene).await;
    counting.journal().assert_continuous(Repeats::Never);
    assert_eq!(counting.journal().jobs(), jobs);
    let ran: Vec<String> = runs(scene).into_iter().map(|run| run.job).collect();
    assert_eq!(ran, jobs, "each job ran once, and no other");
    assert!(one_at_a_time(&runs(scene)), "{:#?}", runs(scene));
    let forbidden = forbidden(&sent(scene)).len();
    assert_eq!(forbidden, 0, "the shipped rights suffice");
}
