//! Controllers, kubelet and network together, in virtual time.

use std::time::Duration;

use flink_operator_oracle::history::End;
use http::Method;
use serde_json::json;

use super::rig::{JOB, Rig};
use super::{RestTrouble, Settings, Trouble, WireError};
use crate::api::Propagation;
use crate::flink::job::State;
use crate::points::{Action, Cut, Failure};

const HA: &str = "high-availability.type: kubernetes\nhigh-availability.storageDir: file:///ha\njob-result-store.delete-on-commit: false\n";
const REST: &str = "http://a-rest.default:8081";

fn condition(object: &serde_json::Value, kind: &str) -> serde_json::Value {
    let list = object["status"]["conditions"].as_array().unwrap();
    list.iter()
        .find(|condition| condition["type"] == kind)
        .cloned()
        .unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_deploy_comes_up_and_its_job_runs() {
    let rig = Rig::new();
    rig.deploy("flink:1.20", "");
    rig.pass(1.0).await;
    let deployment = rig.api.get("Deployment", "default", "a").unwrap();
    assert_eq!(
        condition(&deployment, "Available")["reason"],
        "MinimumReplicasUnavailable"
    );
    assert_eq!(deployment["status"]["unavailableReplicas"], 1);
    assert_eq!(rig.job_manager()["status"]["phase"], "Running");
    assert_eq!(
        rig.get(&format!("{REST}/config")).await,
        Err(WireError::Refused),
        "no endpoint is ready"
    );
    rig.pass(12.0).await;
    let deployment = rig.api.get("Deployment", "default", "a").unwrap();
    assert_eq!(condition(&deployment, "Available")["status"], "True");
    assert_eq!(deployment["status"]["availableReplicas"], 1);
    let (code, overview) = rig.get(&format!("{REST}/jobs/overview")).await.unwrap();
    assert_eq!(code, 200);
    assert_eq!(overview["jobs"][0]["tasks"]["running"], 1);
    let worker = &rig.pods("taskmanager")[0];
    assert_eq!(worker["metadata"]["name"], "a-taskmanager-1-1");
    assert_eq!(
        worker["metadata"]["ownerReferences"][0]["kind"],
        "Deployment"
    );
    assert_eq!(worker["spec"]["restartPolicy"], "Never");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_cluster_writes_nothing() {
    let rig = Rig::new();
    rig.deploy("flink:1.20", "");
    rig.pass(30.0).await;
    let before = rig.api.history().len();
    rig.pass(3_600.0).await;
    assert_eq!(rig.api.history().len(), before);
    assert!(rig.cluster.snapshots().len() > 300, "its checkpoints go on");
}

#[tokio::test(start_paused = true)]
async fn a_pod_waits_for_its_configuration_and_says_so() {
    let rig = Rig::new();
    let uid = rig.deployment("flink:1.20");
    rig.pass(5.0).await;
    assert_eq!(rig.job_manager()["status"]["phase"], "Pending");
    let said = rig.events("FailedMount");
    assert_eq!(said.len(), 1);
    assert!(
        said[0].contains("configmap \"flink-config-a\" not found"),
        "{said:?}"
    );
    assert!(rig.cluster.runs().is_empty());
    rig.children(&uid, "");
    rig.pass(20.0).await;
    assert_eq!(
        rig.cluster.jobs("default", "a"),
        [(JOB.to_owned(), State::Running)]
    );
    assert_eq!(
        rig.job_manager()["status"]["containerStatuses"][0]["restartCount"],
        0
    );
}

#[tokio::test(start_paused = true)]
async fn the_configuration_of_the_start_stays_until_the_next_start() {
    let rig = Rig::new();
    rig.deploy("flink:1.20", "");
    rig.pass(20.0).await;
    let other = "$internal.pipeline.job-id: ffffffffffffffffffffffffffffffff\n";
    rig.api
        .update("ConfigMap", "default", "flink-config-a", |map| {
            map["data"]["flink-conf.yaml"] = json!(other);
        })
        .unwrap();
    rig.pass(20.0).await;
    assert_eq!(rig.cluster.jobs("default", "a")[0].0, JOB);
    rig.cluster.kill_job_manager("default", "a");
    rig.pass(20.0).await;
    assert_eq!(
        rig.cluster.jobs("default", "a")[0].0,
        "ffffffffffffffffffffffffffffffff"
    );
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_pulled_is_named() {
    let rig = Rig::new();
    rig.deploy("missing:1", "");
    rig.pass(5.0).await;
    let waiting = rig.job_manager()["status"]["containerStatuses"][0]["state"]["waiting"].clone();
    assert_eq!(waiting["reason"], "ImagePullBackOff");
    assert!(waiting["message"].as_str().unwrap().contains("missing:1"));
    assert_eq!(rig.events("Failed").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_crashing_container_is_restarted_with_pauses() {
    let rig = Rig::new();
    rig.deploy("crashing:1", "");
    rig.pass(5.0).await;
    let status = rig.job_manager()["status"]["containerStatuses"][0].clone();
    assert_eq!(status["state"]["waiting"]["reason"], "CrashLoopBackOff");
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 1);
    assert_eq!(status["restartCount"], 1, "the first restart comes at once");
    rig.pass(300.0).await;
    let later = rig.job_manager()["status"]["containerStatuses"][0]["restartCount"]
        .as_i64()
        .unwrap();
    assert!((5..8).contains(&later), "{later}");
}

#[tokio::test(start_paused = true)]
async fn a_pod_without_room_and_a_refused_pod_are_said() {
    let rig = Rig::new();
    rig.cluster
        .set_trouble("default", "a", Some(Trouble::Unschedulable));
    rig.deploy("flink:1.20", "");
    rig.pass(5.0).await;
    let scheduled = condition(&rig.job_manager(), "PodScheduled");
    assert_eq!(
        (scheduled["status"].as_str(), scheduled["reason"].as_str()),
        (Some("False"), Some("Unschedulable"))
    );
    let rig = Rig::new();
    rig.cluster
        .set_trouble("default", "a", Some(Trouble::Quota));
    rig.deploy("flink:1.20", "");
    rig.pass(5.0).await;
    assert!(rig.pods("jobmanager").is_empty());
    let failure = condition(
        &rig.api.get("Deployment", "default", "a").unwrap(),
        "ReplicaFailure",
    );
    assert!(
        failure["message"]
            .as_str()
            .unwrap()
            .contains("exceeded quota")
    );
    rig.cluster.set_trouble("default", "a", None);
    rig.pass(20.0).await;
    assert_eq!(rig.cluster.jobs("default", "a").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn deleted_in_background_the_job_manager_outlives_its_deployment() {
    let rig = Rig::new();
    rig.deploy("flink:1.20", "");
    rig.pass(20.0).await;
    rig.delete_deployment(Propagation::Background);
    rig.pass(0.5).await;
    assert!(rig.api.get("Deployment", "default", "a").is_none());
    assert!(
        rig.cluster.runs()[0].ended.is_none(),
        "404 does not mean stopped"
    );
    rig.pass(5.0).await;
    // Its TaskManager goes first, so that the job may try to start again meanwhile.
    assert!(rig.cluster.runs().iter().all(|run| run.ended.is_some()));
    assert!(rig.api.list("Pod", "default").is_empty());
    assert!(
        rig.api
            .get("ConfigMap", "default", "flink-config-a")
            .is_none()
    );
}

#[tokio::test(start_paused = true)]
async fn deleted_in_foreground_the_deployment_goes_last() {
    let rig = Rig::new();
    rig.deploy("flink:1.20", "");
    rig.pass(20.0).await;
    rig.delete_deployment(Propagation::Foreground);
    rig.pass(1.0).await;
    assert!(rig.api.get("Deployment", "default", "a").is_some());
    rig.pass(5.0).await;
    assert!(rig.api.get("Deployment", "default", "a").is_none());
    assert!(rig.api.list("Pod", "default").is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_orphan_keeps_running_and_is_adopted() {
    let rig = Rig::new();
    rig.deploy("flink:1.20", "");
    rig.pass(20.0).await;
    rig.delete_deployment(Propagation::Orphan);
    rig.pass(10.0).await;
    assert!(rig.cluster.runs()[0].ended.is_none());
    let pod = rig.job_manager()["metadata"]["uid"].clone();
    let uid = rig.deployment("flink:1.20");
    rig.pass(10.0).await;
    assert_eq!(rig.job_manager()["metadata"]["uid"], pod);
    assert_eq!(
        rig.job_manager()["metadata"]["ownerReferences"][0]["uid"],
        uid
    );
    assert_eq!(rig.cluster.runs().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn ha_maps_stay_behind_and_bring_the_state_back() {
    let rig = Rig::new();
    rig.deploy("flink:1.20", HA);
    rig.pass(40.0).await;
    rig.delete_deployment(Propagation::Foreground);
    rig.pass(10.0).await;
    let map = rig
        .api
        .get("ConfigMap", "default", &format!("a-{JOB}-config-map"))
        .unwrap();
    assert!(
        map["data"]
            .as_object()
            .unwrap()
            .keys()
            .any(|key| key.starts_with("checkpointID-"))
    );
    assert!(map["metadata"]["ownerReferences"].is_null());
    rig.deploy("flink:1.20", HA);
    rig.pass(40.0).await;
    let runs = rig.cluster.runs();
    assert_eq!(runs.len(), 2);
    assert!(runs[1].restored.as_ref().unwrap().progress > 0);
}

#[tokio::test(start_paused = true)]
async fn before_1_15_an_ended_job_takes_its_deployment_with_it() {
    let rig = Rig::new();
    rig.deploy("flink:1.14", HA);
    rig.pass(20.0).await;
    assert_eq!(rig.api.list("ConfigMap", "default").len(), 5);
    rig.cluster.finish_jobs("default", "a");
    rig.pass(10.0).await;
    assert!(rig.api.get("Deployment", "default", "a").is_none());
    assert!(rig.api.list("Pod", "default").is_empty());
    assert!(rig.api.list("ConfigMap", "default").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_killed_job_manager_is_restarted_and_takes_over_its_task_managers() {
    let rig = Rig::new();
    rig.deploy("flink:1.20", HA);
    rig.pass(40.0).await;
    let worker = rig.pods("taskmanager")[0]["metadata"]["uid"].clone();
    rig.cluster.kill_job_manager("default", "a");
    rig.pass(1.0).await;
    assert_eq!(
        rig.job_manager()["status"]["containerStatuses"][0]["restartCount"],
        1
    );
    rig.pass(30.0).await;
    assert_eq!(rig.pods("taskmanager")[0]["metadata"]["uid"], worker);
    let runs = rig.cluster.runs();
    assert!(runs[1].restored.is_some() && runs[1].container == 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_task_manager_is_replaced() {
    let rig = Rig::new();
    rig.deploy("flink:1.20", "");
    rig.pass(25.0).await;
    rig.cluster.kill_task_managers("default", "a");
    rig.pass(20.0).await;
    assert_eq!(
        rig.pods("taskmanager")[0]["metadata"]["name"],
        "a-taskmanager-1-2"
    );
    let ends: Vec<_> = rig
        .cluster
        .runs()
        .iter()
        .map(|run| run.ended.map(|(_, end)| end))
        .collect();
    assert_eq!(ends, [Some(End::Restarted), None]);
}

#[tokio::test(start_paused = true)]
async fn all_ways_lead_to_the_job_manager() {
    let rig = Rig::new();
    rig.deploy("flink:1.20", "");
    rig.pass(20.0).await;
    let proxy = "https://kubernetes/api/v1/namespaces/default/services/a-rest:rest/proxy";
    for base in [
        REST,
        "http://a-rest.default.svc.cluster.local:8081",
        proxy,
        &format!("http://{}:8081", rig.address()),
    ] {
        assert_eq!(
            rig.get(&format!("{base}/config")).await.unwrap().0,
            200,
            "{base}"
        );
    }
    assert_eq!(
        rig.get("http://b-rest.default:8081/config").await,
        Err(WireError::NoSuchHost)
    );
    assert_eq!(
        rig.get("http://10.9.9.9:8081/config").await,
        Err(WireError::Unreachable)
    );
    assert_eq!(
        rig.get(&proxy.replace("a-rest", "b-rest")).await.unwrap().0,
        404
    );
}

#[tokio::test(start_paused = true)]
async fn the_service_proxy_of_the_api_server_passes_calls_on() {
    let rig = Rig::new();
    rig.deploy("flink:1.20", "");
    let path = "/api/v1/namespaces/default/services/a-rest:rest/proxy/jobs/overview";
    let get = || async {
        let request = http::Request::get(path).body(Vec::new()).unwrap();
        rig.api
            .client("op")
            .request::<serde_json::Value>(request)
            .await
    };
    assert!(
        get()
            .await
            .unwrap_err()
            .to_string()
            .contains("no endpoints available")
    );
    rig.pass(20.0).await;
    assert_eq!(get().await.unwrap()["jobs"][0]["state"], "RUNNING");
}

#[tokio::test(start_paused = true)]
async fn a_change_passes_a_crash_point_and_its_reply_can_be_lost() {
    let rig = Rig::new();
    rig.deploy("flink:1.20", "");
    rig.pass(20.0).await;
    rig.api.on_mutation(|point| {
        assert!(point.call.starts_with("PATCH /jobs/"), "{}", point.call);
        Action::FailAfter(Failure::Reset)
    });
    let cancel = format!("{REST}/jobs/{JOB}?mode=cancel");
    assert_eq!(
        rig.ask(Method::PATCH, &cancel).await,
        Err(WireError::Closed)
    );
    rig.pass(1.0).await;
    assert_eq!(
        rig.cluster.jobs("default", "a"),
        [(JOB.to_owned(), State::Canceled)]
    );
    let calls = rig.cluster.calls();
    let call = calls.iter().find(|call| call.method == "PATCH").unwrap();
    assert_eq!((call.code, call.received), (202, None));
}

#[tokio::test(start_paused = true)]
async fn a_late_request_arrives_though_nobody_waits_and_a_cut_line_is_silent() {
    let rig = Rig::new();
    rig.deploy("flink:1.20", "");
    rig.pass(20.0).await;
    rig.api
        .on_mutation(|_| Action::DelayBefore(Duration::from_secs(9)));
    let cancel = format!("{REST}/jobs/{JOB}?mode=cancel");
    let given_up =
        tokio::time::timeout(Duration::from_secs(4), rig.ask(Method::PATCH, &cancel)).await;
    assert!(given_up.is_err());
    assert_eq!(rig.cluster.jobs("default", "a")[0].1, State::Running);
    rig.pass(10.0).await;
    assert_eq!(rig.cluster.jobs("default", "a")[0].1, State::Canceled);
    rig.api.control("op").cut(Cut::Silent);
    let url = format!("{REST}/config");
    assert!(
        tokio::time::timeout(Duration::from_secs(60), rig.get(&url))
            .await
            .is_err()
    );
    rig.api.control("op").mend();
    assert!(rig.get(&url).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn rest_can_be_spoiled_in_many_ways() {
    let rig = Rig::new();
    rig.deploy("flink:1.20", "");
    rig.pass(20.0).await;
    let url = format!("{REST}/config");
    let within = |seconds: u64| {
        tokio::time::timeout(Duration::from_secs(seconds), rig.ask(Method::GET, &url))
    };
    let set = |trouble| rig.cluster.set_rest_trouble("default", "a", Some(trouble));
    set(RestTrouble::Hang);
    assert!(within(600).await.is_err());
    set(RestTrouble::Refuse);
    assert_eq!(within(1).await.unwrap(), Err(WireError::Refused));
    set(RestTrouble::Status(500));
    assert_eq!(within(1).await.unwrap().unwrap().0, 500);
    set(RestTrouble::Garbage);
    assert!(
        serde_json::from_slice::<serde_json::Value>(&within(1).await.unwrap().unwrap().1).is_err()
    );
    set(RestTrouble::Huge(100_000_000));
    assert_eq!(within(1).await.unwrap().unwrap().1.len(), 100_000_000);
    set(RestTrouble::Slow(Duration::from_secs(5)));
    assert!(within(4).await.is_err());
    set(RestTrouble::Dripping(Duration::from_millis(100)));
    assert!(within(4).await.is_err());
    set(RestTrouble::Truncated);
    assert_eq!(within(1).await.unwrap(), Err(WireError::Closed));
    set(RestTrouble::SilentBody);
    assert!(within(4).await.is_err());
    rig.cluster.set_rest_trouble("default", "a", None);
    assert_eq!(within(1).await.unwrap().unwrap().0, 200);
    rig.cluster.freeze_job_manager("default", "a");
    assert!(within(60).await.is_err());
    rig.cluster.thaw_job_manager("default", "a");
    assert_eq!(within(1).await.unwrap().unwrap().0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_frozen_job_manager_is_killed_after_its_grace_period_and_another_leads_beside_it() {
    let rig = Rig::new();
    rig.deploy("flink:1.20", HA);
    rig.pass(40.0).await;
    rig.cluster.freeze_job_manager("default", "a");
    rig.delete_deployment(Propagation::Background);
    rig.pass(1.0).await;
    rig.deploy("flink:1.20", HA);
    rig.pass(25.0).await;
    assert_eq!(
        rig.pods("jobmanager").len(),
        2,
        "the old pod is terminating"
    );
    let runs = rig.cluster.runs();
    assert_eq!(
        runs[0].ended.unwrap().1,
        End::Killed,
        "its TaskManagers were collected"
    );
    assert!(runs[1].working.unwrap() > runs[0].ended.unwrap().0);
    rig.pass(10.0).await;
    assert_eq!(rig.pods("jobmanager").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn on_a_lost_node_deleted_pods_stay_and_work_on() {
    let rig = Rig::new();
    rig.deploy("flink:1.20", "");
    rig.pass(20.0).await;
    rig.cluster.lose_node("default", "a", true);
    rig.delete_deployment(Propagation::Background);
    rig.pass(120.0).await;
    assert!(rig.job_manager()["metadata"]["deletionTimestamp"].is_string());
    assert!(rig.cluster.runs()[0].ended.is_none());
    rig.cluster.lose_node("default", "a", false);
    rig.pass(10.0).await;
    assert!(rig.api.list("Pod", "default").is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_address_may_lead_to_somebody_else_later() {
    let settings = Settings {
        reuse_addresses: true,
        ..Settings::default()
    };
    let rig = Rig::with(settings);
    rig.deploy("flink:1.20", "");
    rig.pass(20.0).await;
    let address = rig.address();
    rig.delete_deployment(Propagation::Foreground);
    rig.pass(10.0).await;
    rig.deploy("flink:1.20", "");
    rig.pass(2.0).await;
    assert_eq!(rig.address(), address);
}

#[tokio::test(start_paused = true)]
async fn reads_are_numbered_and_can_be_lost() {
    let rig = Rig::new();
    rig.deploy("flink:1.20", "");
    rig.pass(20.0).await;
    rig.cluster.on_read(|read| match read.number {
        2 => {
            assert_eq!(
                (read.instance.as_str(), read.path.as_str()),
                ("op", "/config")
            );
            Action::FailAfter(Failure::Reset)
        }
        _ => Action::Proceed,
    });
    let url = format!("{REST}/config");
    let mut fates = Vec::new();
    for _ in 0..3 {
        fates.push(rig.get(&url).await.is_ok());
    }
    assert_eq!(fates, [true, false, true]);
    assert_eq!(rig.cluster.read_count(), 3);
}
