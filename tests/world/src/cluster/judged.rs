//! An operator played by hand, judged by the oracle: what it does by the book is fine, and each short cut is
//! seen through everything that lies between a wire and a rule.

use std::time::Duration;

use flink_operator_oracle::history::{Calm, Goal};
use flink_operator_oracle::{first_difference, judge};
use http::{Method, Request};
use jiff::SignedDuration;
use kube::Client;
use serde_json::{Value, json};

use super::World;
use super::kubelet::moment;
use super::rig::{JOB, Rig};
use crate::points::Action;

const RESOURCES: &str = "/apis/flink.apache.org/v1beta1/namespaces/default/flinkdeployments";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

/// The steps of an operator, by the requests that it sends.
struct Hand {
    rig: Rig,
    client: Client,
}

impl Hand {
    fn new() -> Self {
        let rig = Rig::new();
        rig.api
            .create(json!({ "apiVersion": "flink.apache.org/v1beta1", "kind": "FlinkDeployment",
                "metadata": { "name": "a", "namespace": "default", "finalizers": ["flinkdeployments.flink.apache.org/finalizer"] },
                "spec": { "job": { "upgradeMode": "stateless" } } }))
            .unwrap();
        let client = rig.api.client("op");
        Self { rig, client }
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> Value {
        let merge = method == Method::PATCH;
        let content = if merge {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content);
        self.client
            .request(request.body(body.to_string().into_bytes()).unwrap())
            .await
            .unwrap()
    }

    fn resource(&self) -> Value {
        self.rig.api.get("FlinkDeployment", "default", "a").unwrap()
    }

    async fn status(&self, change: impl FnOnce(&mut Value)) {
        let mut object = self.resource();
        change(&mut object["status"]);
        self.send(Method::PUT, &format!("{RESOURCES}/a/status"), object)
            .await;
    }

    async fn intent(&self, attempt: &str) {
        self.status(|status| {
            status["operation"] = json!({ "kind": "Deploy", "attempt": { "id": attempt } });
        })
        .await;
    }

    async fn create_deployment(&self, attempt: &str) -> String {
        let resource = self.resource();
        let labels =
            json!({ "app": "a", "component": "jobmanager", "type": "flink-native-kubernetes" });
        let body = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "a", "labels": labels,
                "annotations": { "flink.apache.org/attempt": attempt,
                    "flinkdeployment.flink.apache.org/generation": resource["metadata"]["generation"].to_string() },
                "ownerReferences": [{ "apiVersion": "flink.apache.org/v1beta1", "kind": "FlinkDeployment", "name": "a",
                    "uid": resource["metadata"]["uid"], "controller": false, "blockOwnerDeletion": true }] },
            "spec": { "replicas": 1, "selector": { "matchLabels": labels }, "template": { "metadata": { "labels": labels },
                "spec": { "containers": [{ "name": "flink-main-container", "image": "flink:1.20" }],
                    "volumes": [{ "name": "flink-config-volume", "configMap": { "name": "flink-config-a" } }] } } },
        });
        let created = self.send(Method::POST, DEPLOYMENTS, body).await;
        created["metadata"]["uid"].as_str().unwrap().to_owned()
    }

    async fn save_uid(&self, uid: &str) {
        self.status(|status| status["cluster"] = json!({ "deploymentUid": uid }))
            .await;
    }

    async fn configuration(&self, uid: &str) {
        let conf = format!(
            "$internal.pipeline.job-id: {JOB}\nexecution.shutdown-on-application-finish: false\n"
        );
        let body = json!({ "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "flink-config-a", "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "Deployment",
                "name": "a", "uid": uid, "controller": true, "blockOwnerDeletion": true }] },
            "data": { "flink-conf.yaml": conf } });
        self.send(Method::POST, "/api/v1/namespaces/default/configmaps", body)
            .await;
    }

    async fn deploy(&self, attempt: &str) {
        self.intent(attempt).await;
        let uid = self.create_deployment(attempt).await;
        self.save_uid(&uid).await;
        self.configuration(&uid).await;
        self.rig.pass(20.0).await;
        let generation = self.resource()["metadata"]["generation"].clone();
        self.status(|status| {
            *status = json!({ "lifecycleState": "STABLE", "observedGeneration": generation, "cluster": status["cluster"],
                "jobStatus": { "jobId": JOB, "state": "RUNNING" } });
        })
        .await;
    }

    async fn announce_end(&self) {
        self.status(|status| status["operation"] = json!({ "kind": "End" }))
            .await;
    }

    async fn delete_deployment(&self, policy: &str) {
        let uid =
            self.rig.api.get("Deployment", "default", "a").unwrap()["metadata"]["uid"].clone();
        let options = json!({ "preconditions": { "uid": uid }, "propagationPolicy": policy });
        self.send(Method::DELETE, &format!("{DEPLOYMENTS}/a"), options)
            .await;
    }

    async fn cancel(&self) {
        let url = format!("http://{}:8081/jobs/{JOB}?mode=cancel", self.rig.address());
        self.rig.ask(Method::PATCH, &url).await.unwrap();
        self.rig.pass(1.0).await;
    }

    async fn remove_finalizer(&self) {
        self.send(
            Method::PATCH,
            &format!("{RESOURCES}/a"),
            json!({ "metadata": { "finalizers": null } }),
        )
        .await;
    }

    fn world(&self) -> World {
        World {
            api: self.rig.api.clone(),
            cluster: self.rig.cluster.clone(),
        }
    }

    /// Ends the play; gives the rules that were broken.
    async fn verdict(&self, goal: Goal) -> Vec<&'static str> {
        let goals = vec![("default".to_owned(), "a".to_owned(), goal)];
        let (settle, silence) = (Duration::from_secs(60), Duration::from_secs(540));
        let calm = self.world().calm_down(settle, silence, goals).await;
        let verdict = self
            .world()
            .verdict(|instance| instance == "op", Some(calm));
        assert_eq!(
            verdict.complaint().is_empty(),
            verdict.violations.is_empty()
        );
        let mut broken: Vec<_> = verdict
            .violations
            .iter()
            .map(|violation| violation.rule)
            .collect();
        broken.dedup();
        broken
    }
}

#[tokio::test(start_paused = true)]
async fn a_life_by_the_book_is_fine() {
    let hand = Hand::new();
    hand.deploy("at1").await;
    hand.announce_end().await;
    hand.cancel().await;
    hand.delete_deployment("Foreground").await;
    hand.rig.pass(10.0).await;
    hand.deploy("at2").await;
    assert_eq!(hand.verdict(Goal::Running).await, [""; 0]);
    hand.rig
        .api
        .delete("FlinkDeployment", "default", "a")
        .unwrap();
    hand.announce_end().await;
    hand.cancel().await;
    hand.delete_deployment("Foreground").await;
    hand.rig.pass(10.0).await;
    hand.remove_finalizer().await;
    assert_eq!(hand.verdict(Goal::Gone).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_deploy_without_intent_or_before_the_old_pods_are_gone_is_seen() {
    let hand = Hand::new();
    hand.create_deployment("at1").await;
    assert_eq!(
        hand.verdict(Goal::Waiting("x".into())).await,
        ["intent-first", "converges"]
    );
    let hand = Hand::new();
    hand.deploy("at1").await;
    hand.announce_end().await;
    hand.delete_deployment("Background").await;
    hand.rig.pass(0.1).await;
    hand.deploy("at2").await;
    assert_eq!(
        hand.verdict(Goal::Running).await,
        ["never-orphan", "clean-ground"]
    );
}

#[tokio::test(start_paused = true)]
async fn two_jobs_at_work_are_seen() {
    let hand = Hand::new();
    hand.deploy("at1").await;
    hand.announce_end().await;
    hand.delete_deployment("Orphan").await;
    hand.rig.pass(10.0).await;
    hand.rig
        .api
        .delete("ConfigMap", "default", "flink-config-a")
        .unwrap();
    // Another template, so that the orphan is not taken for the new Deployment's own pod at once.
    hand.rig
        .api
        .update(
            "Pod",
            "default",
            hand.rig.job_manager()["metadata"]["name"].as_str().unwrap(),
            |pod| {
                pod["metadata"]["labels"]["component"] = json!("orphan");
            },
        )
        .unwrap();
    hand.deploy("at2").await;
    assert!(hand.verdict(Goal::Running).await.contains(&"one-job"));
}

#[tokio::test(start_paused = true)]
async fn configuration_before_the_uid_is_stored_is_seen() {
    let hand = Hand::new();
    hand.intent("at1").await;
    let uid = hand.create_deployment("at1").await;
    hand.configuration(&uid).await;
    hand.rig.pass(20.0).await;
    assert!(
        hand.verdict(Goal::Running)
            .await
            .contains(&"uid-before-start")
    );
}

#[tokio::test(start_paused = true)]
async fn an_unannounced_cancel_and_an_early_finalizer_are_seen() {
    let hand = Hand::new();
    let uid = hand.create_deployment("at1").await;
    hand.configuration(&uid).await;
    hand.rig.pass(20.0).await;
    hand.cancel().await;
    assert!(
        hand.verdict(Goal::Gone)
            .await
            .contains(&"intent-before-end")
    );
    let hand = Hand::new();
    hand.deploy("at1").await;
    hand.rig
        .api
        .delete("FlinkDeployment", "default", "a")
        .unwrap();
    hand.remove_finalizer().await;
    assert!(hand.verdict(Goal::Gone).await.contains(&"finalizer-last"));
}

#[tokio::test(start_paused = true)]
async fn a_late_creation_that_nobody_waits_for_counts_as_applied() {
    let hand = Hand::new();
    hand.rig.api.on_mutation(|point| {
        if point.call.starts_with("create deployments") {
            Action::DelayBefore(Duration::from_secs(30))
        } else {
            Action::Proceed
        }
    });
    let given_up =
        tokio::time::timeout(Duration::from_secs(4), hand.create_deployment("at1")).await;
    assert!(given_up.is_err());
    assert_eq!(
        hand.verdict(Goal::Waiting("x".into())).await,
        ["intent-first", "converges"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_write_at_rest_is_seen() {
    let hand = Hand::new();
    hand.deploy("at1").await;
    let since = moment(hand.rig.api.clock().moment());
    hand.rig.pass(600.0).await;
    hand.status(|status| status["error"] = json!("late")).await;
    let goals = vec![("default".to_owned(), "a".to_owned(), Goal::Running)];
    let calm = Calm {
        since,
        rest_by: since.at + SignedDuration::from_secs(60),
        goals,
    };
    let broken = judge(
        &hand
            .rig
            .cluster
            .history(|instance| instance == "op", Some(calm)),
    );
    assert_eq!(
        broken
            .iter()
            .map(|violation| violation.rule)
            .collect::<Vec<_>>(),
        ["comes-to-rest"],
        "{broken:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_same_plan_gives_the_same_history() {
    let mut plays = Vec::new();
    for _ in 0..2 {
        let hand = Hand::new();
        hand.deploy("at1").await;
        hand.rig.cluster.kill_job_manager("default", "a");
        hand.rig.pass(30.0).await;
        hand.announce_end().await;
        hand.cancel().await;
        hand.delete_deployment("Foreground").await;
        hand.rig.pass(10.0).await;
        plays.push(hand.rig.cluster.history(|_| true, None));
    }
    assert_eq!(first_difference(&plays[0], &plays[1]), None);
    assert_eq!(plays[0], plays[1], "down to every change and every run");
    assert!(plays[0].runs.len() >= 2);
}

const FIRST: &str = "00000000000000000000000000000001";
const SECOND: &str = "00000000000000000000000000000002";

/// Deploys a resource that keeps its state.
async fn stateful() -> Hand {
    let hand = Hand::new();
    let keep = |resource: &mut Value| resource["spec"]["job"]["upgradeMode"] = json!("savepoint");
    hand.rig
        .api
        .update("FlinkDeployment", "default", "a", keep)
        .unwrap();
    hand.deploy("at1").await;
    hand
}

impl Hand {
    fn url(&self, path: &str) -> String {
        format!("http://{}:8081/jobs/{JOB}/{path}", self.rig.address())
    }

    /// Asks Flink to stop the job, as the status says.
    async fn stop(&self, trigger: &str) {
        self.status(|status| {
            status["operation"] = json!({ "kind": "Stop", "trigger": { "id": trigger } });
        })
        .await;
        let body = json!({ "targetDirectory": "file:///sp", "triggerId": trigger });
        let (code, _) = self
            .rig
            .send(Method::POST, &self.url("stop"), &body)
            .await
            .unwrap();
        assert_eq!(code, 202);
    }

    /// Asks for the result of a stop.
    async fn result(&self, trigger: &str) -> Value {
        let url = self.url(&format!("savepoints/{trigger}"));
        self.rig.get(&url).await.unwrap().1["operation"].clone()
    }

    /// Gives the rules that have been broken so far.
    fn broken(&self) -> Vec<&'static str> {
        let verdict = self.world().verdict(|instance| instance == "op", None);
        let mut broken: Vec<_> = verdict.violations.iter().map(|found| found.rule).collect();
        broken.dedup();
        broken
    }
}

#[tokio::test(start_paused = true)]
async fn a_savepoint_that_is_not_stored_before_its_cluster_is_deleted_is_seen() {
    for stored in [true, false] {
        let hand = stateful().await;
        hand.stop(FIRST).await;
        hand.rig.pass(1.0).await;
        let location = hand.result(FIRST).await["location"].clone();
        hand.status(|status| {
            status["operation"] = json!({ "kind": "End" });
            status["jobStatus"]["state"] = json!("FINISHED");
            if stored {
                status["jobStatus"]["upgradeSavepointPath"] = location;
            }
        })
        .await;
        hand.delete_deployment("Foreground").await;
        hand.rig.pass(10.0).await;
        let broken = hand.verdict(Goal::Ended("FINISHED".into())).await;
        let expected: &[&str] = if stored {
            &[]
        } else {
            &["stored-before-deleted", "stopped-is-stored", "loss-is-said"]
        };
        assert_eq!(broken, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_stop_is_seen_unless_the_first_is_known_to_have_failed() {
    for told in [true, false] {
        let hand = stateful().await;
        hand.rig
            .cluster
            .with_files(|files| files.unwritable.insert("file:///sp".into()));
        hand.stop(FIRST).await;
        hand.rig.pass(1.0).await;
        if told {
            assert!(hand.result(FIRST).await["failure-cause"].is_object());
        }
        hand.stop(SECOND).await;
        let expected: &[&str] = if told { &[] } else { &["one-stop"] };
        assert_eq!(hand.broken(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_by_a_user_destroys_that_of_the_operator_and_is_not_held_against_it() {
    let hand = stateful().await;
    hand.stop(FIRST).await;
    let replies = hand
        .rig
        .cluster
        .stop_jobs("default", "a", SECOND, "file:///sp");
    assert_eq!(replies, [http::StatusCode::ACCEPTED]);
    hand.rig.pass(20.0).await;
    assert!(hand.result(FIRST).await["failure-cause"].is_object());
    hand.rig.cluster.forget_results("default", "a");
    assert_eq!(hand.result(FIRST).await, json!(null));
    let run = &hand.rig.cluster.runs()[0];
    assert!(
        run.ended.is_some(),
        "without checkpoints it does not restart"
    );
    assert_eq!(hand.broken(), [""; 0]);
}
