//! Clusters that cannot start, and one that is lost: the resource says why, and gets well.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, ResourceQuota};
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::flink::{one_at_a_time, pods, runs};
use crate::leftovers;
use crate::operator::{INTERVAL, Operator};
use crate::resource::{FlinkResource, SOON, condition, holds, job_id};
use crate::scene::{Scene, object};
use crate::stage::play;

/// A pass and its requests, on a machine with other work to do.
const PASS: Duration = Duration::from_secs(3);

#[test]
fn a_bad_image_is_named_and_an_edit_corrects_it() {
    play("bad-image", async |scene| {
        let operator = Operator::start(scene).await;
        let bad = scene
            .example("basic.yaml", |resource| {
                resource["spec"]["image"] = json!("flink:no-such-tag");
            })
            .await;
        let known = async || {
            let pods = pods(scene, &bad.name, "jobmanager").await;
            let waiting = &pods.first()?["status"]["containerStatuses"][0]["state"]["waiting"];
            waiting["reason"]
                .as_str()?
                .contains("ImagePull")
                .then_some(())
        };
        scene
            .until(
                SOON,
                "the pod's status says that its image is missing",
                known,
            )
            .await;
        let status = named_within_a_look(&bad, "DeploymentFailed", "flink:no-such-tag").await;
        assert_eq!(status["jobManagerDeploymentStatus"], "ERROR");
        assert!(
            status["error"]
                .as_str()
                .unwrap()
                .contains("flink:no-such-tag"),
            "{}",
            status["error"]
        );
        warned(scene, &bad, "flink:no-such-tag").await;

        bad.edit(json!({ "image": "flink:1.20" })).await;
        let status = bad.stable().await;
        assert_eq!(
            status["error"],
            Value::Null,
            "the complaint goes with its cause"
        );
        assert!(!holds(&status, "Degraded"), "{status:#}");

        bad.delete().await;
        bad.gone().await;
        leftovers::none(scene).await;
        assert_eq!(runs(scene).len(), 1, "{:#?}", runs(scene));
        operator.stop().await;
    });
}

#[test]
fn what_keeps_pods_from_starting_is_named() {
    play("cannot-start", async |scene| {
        let operator = Operator::start(scene).await;
        let large = scene.example("basic.yaml", |resource| {
            resource["metadata"]["name"] = json!("large");
            resource["spec"]["jobManager"]["resource"]["cpu"] = json!(1000);
        });
        let large = large.await;
        let status = named(&large, "Unschedulable", "Insufficient cpu").await;
        assert_ne!(
            status["jobManagerDeploymentStatus"], "ERROR",
            "another node may come"
        );
        warned(scene, &large, "Insufficient cpu").await;

        let crashing = scene.example("basic.yaml", |resource| {
            resource["metadata"]["name"] = json!("crashing");
            resource["spec"]["flinkConfiguration"]["env.java.opts.jobmanager"] =
                json!("-XX:+NoSuchOption");
        });
        let crashing = crashing.await;
        let status = named(&crashing, "DeploymentFailed", "CrashLoop").await;
        assert_eq!(status["jobManagerDeploymentStatus"], "ERROR");

        for resource in [large, crashing] {
            resource.delete().await;
            resource.gone().await;
        }
        leftovers::none(scene).await;
        quota(scene).await;
        operator.stop().await;
    });
}

/// A quota lets no pod come into being at all.
async fn quota(scene: &Scene) {
    let quota = object::<ResourceQuota>(json!({
        "metadata": { "name": "little" },
        "spec": { "hard": { "requests.cpu": "500m" } },
    }));
    let api = scene.api::<ResourceQuota>();
    api.create(&PostParams::default(), &quota).await.unwrap();
    let counted = async || {
        api.get_status("little")
            .await
            .unwrap()
            .status
            .and_then(|status| status.hard)
    };
    scene.until(SOON, "the quota holds", counted).await;
    let refused = scene
        .example("basic.yaml", |resource| {
            resource["metadata"]["name"] = json!("refused");
        })
        .await;
    let status = named(&refused, "DeploymentFailed", "exceeded quota").await;
    assert_eq!(status["jobManagerDeploymentStatus"], "ERROR");
    refused.delete().await;
    refused.gone().await;
    leftovers::none(scene).await;
    assert_eq!(runs(scene).len(), 0, "nothing of all this has ever run");
}

#[test]
fn a_lost_deployment_is_made_again() {
    play("lost", async |scene| {
        let operator = Operator::start(scene).await;
        let basic = scene.example("basic.yaml", |_| {}).await;
        let first = job_id(&basic.stable().await);

        let deployments = scene.api::<Deployment>();
        let old = deployments.get(&basic.name).await.unwrap().metadata.uid;
        deployments
            .delete(&basic.name, &DeleteParams::foreground())
            .await
            .unwrap();
        let replaced = async || {
            let found = deployments.get_opt(&basic.name).await.unwrap()?;
            (found.metadata.uid != old).then_some(())
        };
        scene
            .until(SOON * 2, "there is another Deployment", replaced)
            .await;
        warned(scene, &basic, "Missing JobManager deployment").await;
        let status = basic.stable().await;
        assert_eq!(
            status["error"],
            Value::Null,
            "what has been mended is no error"
        );
        let second = job_id(&status);

        basic.delete().await;
        basic.gone().await;
        leftovers::none(scene).await;
        let ran: Vec<String> = runs(scene).into_iter().map(|run| run.job).collect();
        assert_eq!(ran, [first, second]);
        assert!(one_at_a_time(&runs(scene)), "{:#?}", runs(scene));
        operator.stop().await;
    });
}

/// Waits until the condition `Degraded` names a cause.
pub(crate) async fn named(resource: &FlinkResource<'_>, reason: &str, words: &str) -> Value {
    let says = |resource: &Value| {
        let degraded = condition(&resource["status"], "Degraded");
        let message = degraded["message"].as_str().unwrap_or_default();
        degraded["status"] == "True" && degraded["reason"] == reason && message.contains(words)
    };
    resource
        .until(SOON, &format!("names {words:?} as {reason}"), says)
        .await["status"]
        .take()
}

/// The same, and soon: the cause can be seen since this moment.
async fn named_within_a_look(resource: &FlinkResource<'_>, reason: &str, words: &str) -> Value {
    let began = Instant::now();
    let status = named(resource, reason, words).await;
    assert!(
        began.elapsed() < INTERVAL + PASS,
        "named only after {:?}",
        began.elapsed()
    );
    status
}

/// Waits for a Warning about the resource.
pub(crate) async fn warned(scene: &Scene, resource: &FlinkResource<'_>, words: &str) {
    let warning = async || {
        let events = scene.list::<Event>().await;
        let about = |event: &&Value| {
            event["involvedObject"]["name"] == resource.name
                && event["involvedObject"]["kind"] == "FlinkDeployment"
                && event["type"] == "Warning"
                && event["message"]
                    .as_str()
                    .is_some_and(|message| message.contains(words))
        };
        events.iter().find(about).map(|_| ())
    };
    scene
        .until(SOON, &format!("an event warns of {words:?}"), warning)
        .await;
}
