//! Passes by hand: one resource driven through its life on the in-memory world, without actors.
#![allow(clippy::unwrap_used, missing_docs)]

use flink_operator_actors::api::Api;
use flink_operator_actors::clock::Clock;
use flink_operator_actors::events;
use flink_operator_actors::flink::{FlinkAccess, Way, through_api_server};
use flink_operator_actors::ids::IdSource;
use flink_operator_actors::lanes::{Lane, Lanes};
use flink_operator_actors::leadership::Leadership;
use flink_operator_actors::pass::{self, End, PassReport};
use flink_operator_actors::shell::{CrdSupport, Shell};
use flink_operator_actors::slim::{SlimDeployment, SlimPod, SlimResource};
use flink_operator_actors::stores::Stores;
use flink_operator_world::api::ApiServer;
use flink_operator_world::clock::Clock as VirtualClock;
use flink_operator_world::cluster::{Cluster, Settings, WorldClock};
use flink_operator_world::points::Action;
use operator_core::config::{Configuration, HostFiles, OperatorSettings};
use operator_core::name::{Key, Kind};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A world with one operator that is driven by hand.
struct Bench {
    api: ApiServer,
    cluster: Cluster,
    shell: Shell,
    key: Key,
}

impl Bench {
    fn new() -> Self {
        let crd = serde_json::to_value(&flink_operator_api::crds()[0]).unwrap();
        Self::with_crd(&crd)
    }

    fn with_crd(crd: &Value) -> Self {
        let api = ApiServer::new(VirtualClock::new()).with_crd(crd);
        tokio::spawn(api.clone().run_garbage_collector(Duration::from_millis(20)));
        let cluster = Cluster::start(&api, Settings::default());
        let clock = Clock::new(WorldClock(api.clock().clone()));
        let leadership = Leadership::alone(clock.clone());
        let access = Api::new(api.client("op"), leadership.clone(), clock.clone());
        let proxied = through_api_server(api.client("op"));
        let flink = FlinkAccess::new(
            Way::Pod,
            cluster.wire("op").transport(),
            proxied,
            clock.clone(),
        );
        let (sink, sender) = events::queue(access.clone(), clock.clone(), "op");
        tokio::spawn(sender.run());
        let base: Configuration = [
            ("kubernetes.operator.reconcile.interval", "15 s"),
            ("parallelism.default", "1"),
        ]
        .into_iter()
        .collect();
        let (_settings, settings) = tokio::sync::watch::channel(Arc::new(OperatorSettings::new(
            base,
            HostFiles::default(),
        )));
        let shell = Shell {
            api: access,
            flink,
            stores: Stores::default(),
            settings,
            clock,
            ids: IdSource::seeded(1),
            leadership,
            events: sink,
            crd: CrdSupport::default(),
        };
        let key = Key {
            kind: Kind::FlinkDeployment,
            namespace: "default".into(),
            name: "basic".into(),
        };
        Self {
            api,
            cluster,
            shell,
            key,
        }
    }

    fn create(&self, change: impl FnOnce(&mut Value)) {
        let mut object = json!({
            "apiVersion": "flink.apache.org/v1beta1", "kind": "FlinkDeployment",
            "metadata": { "name": "basic", "namespace": "default" },
            "spec": {
                "image": "flink:1.20", "flinkVersion": "v1_20", "serviceAccount": "flink",
                "flinkConfiguration": { "taskmanager.numberOfTaskSlots": "2" },
                "jobManager": { "resource": { "memory": "2048m", "cpu": 1 } },
                "taskManager": { "resource": { "memory": "2048m", "cpu": 1 } },
                "job": { "jarURI": "local:///opt/flink/examples/streaming/StateMachineExample.jar", "parallelism": 2, "upgradeMode": "stateless" },
            },
        });
        change(&mut object);
        self.api.create(object).unwrap();
    }

    fn edit(&self, change: impl FnOnce(&mut Value)) {
        self.api
            .update("FlinkDeployment", "default", "basic", change)
            .unwrap();
    }

    fn resource(&self) -> Option<Value> {
        self.api.get("FlinkDeployment", "default", "basic")
    }

    /// Copies the server's state into the stores, as watches without delay would.
    fn sync(&self) {
        let stores = &self.shell.stores;
        stores.remove_resource(&self.key);
        if let Some(resource) = self.resource() {
            let slim: SlimResource = serde_json::from_str(&resource.to_string()).unwrap();
            stores.put_resource(self.key.clone(), slim);
        }
        stores.remove_deployment("default", "basic");
        if let Some(deployment) = self.api.get("Deployment", "default", "basic") {
            let slim: SlimDeployment = serde_json::from_value(deployment).unwrap();
            stores.put_deployment(&slim);
        }
        for ((namespace, name), pod) in stores.pod_names() {
            stores.remove_pod(&namespace, &name, &pod);
        }
        for pod in self.api.list("Pod", "default") {
            if pod["metadata"]["labels"]["component"] == "jobmanager" {
                let slim: SlimPod = serde_json::from_value(pod).unwrap();
                stores.put_pod("default", "basic", &slim);
            }
        }
    }

    async fn pass(&self) -> PassReport {
        self.sync();
        pass::run(&self.shell, &self.key).await
    }

    /// Runs passes, a tenth of a virtual second apart, until the resource looks as wanted.
    async fn until(&self, what: &str, wanted: impl Fn(Option<&Value>) -> bool) {
        for _ in 0..1200 {
            self.pass().await;
            if wanted(self.resource().as_ref()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!(
            "not {what} within two minutes: {:#}",
            self.resource()
                .map_or(Value::Null, |resource| resource["status"].clone())
        );
    }

    async fn until_state(&self, state: &str) {
        self.until(state, |resource| {
            resource.is_some_and(|resource| resource["status"]["lifecycleState"] == state)
        })
        .await;
    }

    fn requests(&self) -> usize {
        self.api.journal_records().len()
    }
}

#[tokio::test(start_paused = true)]
async fn one_life_from_creation_to_deletion() {
    let bench = Bench::new();
    bench.create(|_| {});
    bench.until_state("STABLE").await;
    let before = bench.requests();
    for record in bench.api.journal_records() {
        println!("{record:?}");
    }
    println!("requests until STABLE: {before}");
    let first = bench.resource().unwrap();
    bench.edit(|object| object["spec"]["job"]["parallelism"] = json!(4));
    bench
        .until("upgraded", |resource| {
            let status = &resource.unwrap()["status"];
            status["lifecycleState"] == "STABLE" && status["observedGeneration"] == 2
        })
        .await;
    assert_ne!(
        bench.resource().unwrap()["status"]["jobStatus"]["jobId"],
        first["status"]["jobStatus"]["jobId"]
    );
    bench.edit(|object| object["spec"]["job"]["state"] = json!("suspended"));
    bench.until_state("SUSPENDED").await;
    assert!(bench.api.get("Deployment", "default", "basic").is_none());
    bench.edit(|object| object["spec"]["job"]["state"] = json!("running"));
    bench.until_state("STABLE").await;
    bench
        .api
        .delete("FlinkDeployment", "default", "basic")
        .unwrap();
    bench.until("deleted", |resource| resource.is_none()).await;
    assert!(bench.api.list("Pod", "default").is_empty());
    assert!(bench.cluster.runs().iter().all(|run| run.ended.is_some()));
}

#[tokio::test(start_paused = true)]
async fn a_stable_resource_costs_the_api_server_nothing() {
    let bench = Bench::new();
    bench.create(|_| {});
    bench.until_state("STABLE").await;
    for _ in 0..3 {
        bench.pass().await;
    }
    let before = bench.requests();
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_secs(15)).await;
        let report = bench.pass().await;
        assert_eq!(
            report.end,
            End::Quiet,
            "{:#}",
            bench.resource().unwrap()["status"]
        );
    }
    assert_eq!(bench.requests(), before);
}

/// Counts how often a pass that is to end a job asks Flink for the list of jobs.
async fn lists_of_a_pass(edited_behind_the_stores: bool) -> usize {
    let bench = Bench::new();
    bench.create(|_| {});
    bench.until_state("STABLE").await;
    bench.edit(|resource| resource["spec"]["job"]["parallelism"] = json!(3));
    bench.sync();
    if edited_behind_the_stores {
        bench.edit(|resource| resource["metadata"]["labels"] = json!({ "by": "another" }));
    }
    let lists = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&lists);
    bench.cluster.on_read(move |read| {
        if read.path.starts_with("/jobs/overview") {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        Action::Proceed
    });
    let report = pass::run(&bench.shell, &bench.key).await;
    assert_eq!(report.end, End::Acted);
    lists.load(Ordering::Relaxed)
}

#[tokio::test(start_paused = true)]
async fn flink_is_asked_again_if_somebody_else_has_stored_something_since() {
    assert_eq!(Box::pin(lists_of_a_pass(false)).await, 1);
    assert_eq!(Box::pin(lists_of_a_pass(true)).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_lapse_of_leadership_is_followed_by_another_look() {
    let mut bench = Bench::new();
    bench.shell.leadership = Leadership::standby(bench.shell.clock.clone());
    bench.create(|_| {});
    let report = bench.pass().await;
    assert_eq!(report.end, End::NotLeader);
    let after = report.revisit.and_then(|revisit| revisit.after).unwrap();
    assert!(after.is_positive() && after <= jiff::SignedDuration::from_secs(10));
    let until = bench.shell.clock.monotonic() + Duration::from_secs(60);
    bench.shell.leadership.hold_until(until);
    assert_ne!(bench.pass().await.end, End::NotLeader);
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_waits_for_a_job_manager_lets_others_pass() {
    let bench = Bench::new();
    bench.create(|_| {});
    bench.until_state("STABLE").await;
    bench.cluster.freeze_job_manager("default", "basic");
    bench.sync();
    let lanes = Lanes::new(1);
    let (shell, key, its_lanes) = (bench.shell.clone(), bench.key.clone(), lanes.clone());
    let waiting = tokio::spawn(async move {
        let pass = Box::pin(pass::run(&shell, &key));
        its_lanes.run(Lane::Change, &Arc::default(), pass).await
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!waiting.is_finished(), "the JobManager does not answer");
    let ticket = Arc::default();
    let other = lanes.run(Lane::Change, &ticket, async {});
    let other = tokio::time::timeout(Duration::from_millis(100), other).await;
    assert!(other.is_ok(), "it got its turn");
    assert!(waiting.await.unwrap().unwrap().took > Duration::from_secs(1));
}
