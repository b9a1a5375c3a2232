//! The whole life of an application on Flink 1.20.

use serde_json::{Value, json};

use crate::flink::{ask, one_at_a_time, pods, runs};
use crate::leftovers;
use crate::operator::Operator;
use crate::requests::{forbidden, sent};
use crate::resource::{FlinkResource, SOON, condition, holds, job_id};
use crate::scene::Scene;
use crate::stage::play;

#[test]
fn a_job_lives_from_create_to_delete() {
    play("life", async |scene| {
        let operator = Operator::start(scene).await;
        let basic = scene.example("basic.yaml", |_| {}).await;

        let first = create(scene, &basic).await;
        let second = edit(scene, &basic, &first).await;
        suspend(scene, &basic).await;
        let third = resume(&basic, &second).await;
        let fourth = restart(&basic, &third).await;
        delete(scene, &basic).await;

        let ran: Vec<String> = runs(scene).into_iter().map(|run| run.job).collect();
        assert_eq!(
            ran,
            [first, second, third, fourth],
            "each job ran once, and no other"
        );
        assert!(one_at_a_time(&runs(scene)), "{:#?}", runs(scene));
        assert_eq!(
            forbidden(&sent(scene)).len(),
            0,
            "the shipped rights suffice"
        );
        operator.stop().await;
    });
}

async fn create(scene: &Scene, basic: &FlinkResource<'_>) -> String {
    let status = basic.stable().await;
    assert_eq!(condition(&status, "Ready")["reason"], "JobRunning");
    assert!(!holds(&status, "Degraded"), "{status:#}");
    assert_eq!(status["error"], Value::Null);

    let job = job_id(&status);
    let overview = ask(scene, &basic.name, "/jobs/overview").await.unwrap();
    assert_eq!(overview["jobs"].as_array().unwrap().len(), 1, "{overview}");
    assert_eq!(overview["jobs"][0]["jid"], json!(job));
    assert_eq!(overview["jobs"][0]["state"], "RUNNING");
    assert_eq!(
        status["clusterInfo"]["flink-version"]
            .as_str()
            .map(|version| &version[..4]),
        Some("1.20")
    );
    assert_eq!(
        pods(scene, &basic.name, "taskmanager").await.len(),
        1,
        "two slots for a parallelism of two"
    );
    job
}

/// An edit without state: another job in another cluster, once the old one is gone.
async fn edit(scene: &Scene, basic: &FlinkResource<'_>, first: &str) -> String {
    let old = scene.chronicle.pod_uids();
    basic.edit(json!({ "job": { "parallelism": 1 } })).await;
    let status = basic.stable().await;
    let second = job_id(&status);
    assert_ne!(second, first, "a stateless edit starts a new job");

    let job = ask(scene, &basic.name, &format!("/jobs/{second}"))
        .await
        .unwrap();
    let vertices = job["vertices"].as_array().unwrap();
    assert!(
        vertices.iter().all(|vertex| vertex["parallelism"] == 1),
        "{vertices:#?}"
    );
    let mut left = pods(scene, &basic.name, "jobmanager").await;
    left.extend(pods(scene, &basic.name, "taskmanager").await);
    let left_of_old = left
        .iter()
        .filter(|pod| old.iter().any(|uid| pod["metadata"]["uid"] == json!(uid)));
    assert_eq!(left_of_old.count(), 0, "the old pods are gone");
    second
}

async fn suspend(scene: &Scene, basic: &FlinkResource<'_>) {
    basic.edit(json!({ "job": { "state": "suspended" } })).await;
    basic.suspended().await;
    leftovers::none(scene).await;
}

async fn resume(basic: &FlinkResource<'_>, second: &str) -> String {
    basic.edit(json!({ "job": { "state": "running" } })).await;
    let status = basic.stable().await;
    assert!(!holds(&status, "Suspended"), "{status:#}");
    assert_ne!(job_id(&status), second);
    job_id(&status)
}

async fn restart(basic: &FlinkResource<'_>, third: &str) -> String {
    basic.edit(json!({ "restartNonce": 1 })).await;
    let status = basic.stable().await;
    assert_ne!(
        job_id(&status),
        third,
        "a restart nonce starts the job again"
    );
    job_id(&status)
}

async fn delete(scene: &Scene, basic: &FlinkResource<'_>) {
    basic.delete().await;
    basic
        .until(SOON, "says that it is being deleted", |resource| {
            resource.is_null() || resource["status"]["lifecycleState"] == "DELETING"
        })
        .await;
    basic.gone().await;
    leftovers::none(scene).await;
}
