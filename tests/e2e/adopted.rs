//! Clusters that a Java operator left running, made here by hand with its statuses of two releases: they
//! are taken over by one status write, and their jobs never notice.

use std::process::Stdio;

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::flink::{ask, runs};
use crate::leftovers;
use crate::operator::{INTERVAL, Operator};
use crate::requests::{Request, sent};
use crate::resource::{END, FlinkResource, START, api, job_id};
use crate::scene::Scene;
use crate::stage::{operator_program, play};

const NAME: &str = "basic-example";
const JOB: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
/// What Java's objects do not have.
const OWN_ANNOTATIONS: [&str; 2] = ["flink.apache.org/attempt", "flink.apache.org/children"];

/// Makes a status as a release stores it, of a spec and a job as Flink lists it.
type Release = fn(&Value, &Value) -> Value;

/// 1.0: a flat record, and neither life cycle nor observed generation.
fn first_release(spec: &Value, job: &Value) -> Value {
    let mut record = spec.clone();
    record["apiVersion"] = json!("flink.apache.org/v1beta1");
    let record = record.to_string();
    json!({
        "jobStatus": {
            "jobName": job["name"], "jobId": JOB, "state": "RUNNING",
            "startTime": job["start-time"].to_string(), "updateTime": job["start-time"].to_string(),
            "savepointInfo": { "savepointHistory": [] },
        },
        "jobManagerDeploymentStatus": "READY",
        "reconciliationStatus": {
            "reconciliationTimestamp": 1_650_000_000_000_i64, "state": "DEPLOYED",
            "lastReconciledSpec": record, "lastStableSpec": record,
        },
    })
}

/// 1.15: a record with metadata, life cycle, observed generation and a condition.
fn newest_release(spec: &Value, job: &Value) -> Value {
    let metadata = json!({ "apiVersion": "flink.apache.org/v1beta1", "firstDeployment": true });
    let record = json!({ "spec": spec, "resource_metadata": metadata }).to_string();
    let mut status = first_release(spec, job);
    status["reconciliationStatus"]["lastReconciledSpec"] = json!(record);
    status["reconciliationStatus"]["lastStableSpec"] = json!(record);
    status["lifecycleState"] = json!("STABLE");
    status["observedGeneration"] = json!(1);
    status["clusterInfo"] = json!({ "total-cpu": "2.0", "total-memory": "4294967296" });
    status["conditions"] = json!([{ "type": "Running", "status": "True", "reason": "Running",
        "message": "Job status RUNNING", "lastTransitionTime": "2026-01-01T00:00:00.123456789Z" }]);
    status
}

/// Prints the objects of a resource by the program itself, without what is ours.
async fn objects(resource: &Value, deployment: Option<&str>) -> Vec<Value> {
    let mut command = tokio::process::Command::new(operator_program());
    command.args(["render", "-f", "-", "--job-id", JOB]);
    if let Some(uid) = deployment {
        command.args(["--deployment-uid", uid]);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input
        .write_all(resource.to_string().as_bytes())
        .await
        .unwrap();
    drop(input);
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).unwrap();
    let mut objects = serde_saphyr::from_multiple::<Value>(&printed).unwrap();
    for object in &mut objects {
        if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
            annotations.retain(|name, _| !OWN_ANNOTATIONS.contains(&name.as_str()));
        }
    }
    objects
}

/// Starts a cluster as Java does and waits until its job runs; returns the resource and the job.
async fn plant(scene: &Scene, release: Release) -> (FlinkResource<'_>, String) {
    let basic = scene
        .example("basic.yaml", |resource| {
            resource["metadata"]["finalizers"] =
                json!(["flinkdeployments.flink.apache.org/finalizer"]);
        })
        .await;
    let mut resource = basic.now().await;
    resource["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("managedFields");
    let is_deployment = |object: &Value| object["kind"] == "Deployment";
    let in_place = |mut object: Value| {
        object["metadata"]["namespace"] = json!(scene.namespace);
        object
    };
    let mut first = objects(&resource, None).await;
    first.retain(is_deployment);
    scene.put(in_place(first.remove(0))).await;
    let uid = scene.list::<Deployment>().await[0]["metadata"]["uid"]
        .as_str()
        .unwrap()
        .to_owned();
    for object in objects(&resource, Some(&uid)).await {
        if !is_deployment(&object) {
            scene.put(in_place(object)).await;
        }
    }
    let running = async || {
        let listed = ask(scene, NAME, "/jobs/overview").await?;
        let job = listed["jobs"].as_array()?.first()?.clone();
        let tasks = &job["tasks"];
        (job["state"] == "RUNNING" && tasks["running"] == tasks["total"]).then_some(job)
    };
    let job = scene
        .until(START, "the job runs with all its tasks", running)
        .await;
    assert_eq!(job["jid"], JOB);
    let mut spec = resource["spec"].clone();
    // Java records defaults and what is not set.
    spec["job"]["state"] = json!("running");
    spec["restartNonce"] = Value::Null;
    let patch = Patch::Merge(json!({ "status": release(&spec, &job) }));
    api(&scene.client, &scene.namespace)
        .patch_status(&basic.name, &PatchParams::default(), &patch)
        .await
        .unwrap();
    (basic, uid)
}

async fn is_adopted(scene: &Scene, release: Release) {
    let (basic, uid) = plant(scene, release).await;
    let operator = Operator::start(scene).await;
    let status = basic.stable().await;
    assert_eq!(
        (
            job_id(&status).as_str(),
            status["cluster"]["deploymentUid"].as_str()
        ),
        (JOB, Some(uid.as_str()))
    );
    let passes = async || Some(operator.actor(&basic.name).await?["passes"].as_u64()?);
    let wanted = passes().await.unwrap_or_default() + 4;
    let looked = async || passes().await.filter(|passes| *passes >= wanted);
    scene
        .until(
            INTERVAL * 4 + END,
            "it has been looked at four times more",
            looked,
        )
        .await;
    let writes: Vec<Request> = sent(scene)
        .into_iter()
        .filter(|request| !["get", "list", "watch"].contains(&request.verb.as_str()))
        .collect();
    let told: Vec<(&str, &str)> = writes
        .iter()
        .map(|write| (write.verb.as_str(), write.resource.as_str()))
        .collect();
    assert_eq!(told, [("update", "flinkdeployments/status")], "{writes:#?}");
    let ran: Vec<String> = runs(scene).into_iter().map(|run| run.job).collect();
    assert_eq!(ran, [JOB], "the job was not started again");

    // From here on it is like any other.
    basic.edit(json!({ "job": { "parallelism": 1 } })).await;
    assert_ne!(job_id(&basic.stable().await), JOB);
    basic.delete().await;
    basic.gone().await;
    leftovers::none(scene).await;
    operator.stop().await;
}

#[test]
fn a_job_of_java_s_first_release_is_adopted() {
    play("adopted-1-0", async |scene| {
        is_adopted(scene, first_release).await;
    });
}

#[test]
fn a_job_of_java_s_newest_release_is_adopted() {
    play("adopted-1-15", async |scene| {
        is_adopted(scene, newest_release).await;
    });
}
