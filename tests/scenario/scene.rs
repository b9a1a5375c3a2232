//! A world with one operator, as scenarios use it: what users do, and what they see.

use std::future::Future;
use std::time::Duration;

use flink_operator_world::api::{Record, Verb};
use flink_operator_world::cluster::{Settings, World};
use serde_json::Value;

use crate::play::{self, NAME, NAMESPACE, Operator};

/// How long anything may take unless a scenario says otherwise.
const BOUND: Duration = Duration::from_secs(120);
/// The instance that scenarios start with.
pub(crate) const OPERATOR: &str = "op-1";

/// A world with an operator in it. The methods without a name are about `default/basic`.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) operator: Option<Operator>,
}

/// Plays a scene with our own CRD; in the end the oracle must have nothing to say about it.
pub(crate) fn scene<F: Future<Output = Scene>>(play: impl FnOnce(Scene) -> F) {
    scene_with(&play::our_crd(), play);
}

/// Plays a scene with some CRD.
pub(crate) fn scene_with<F: Future<Output = Scene>>(crd: &Value, play: impl FnOnce(Scene) -> F) {
    play::in_virtual_time(async {
        let world = World::start(Settings::default(), &[crd.clone(), play::snapshot_crd()]);
        let operator = Operator::start(&world, OPERATOR);
        let scene = play(Scene {
            world,
            operator: Some(operator),
        })
        .await;
        let complaint = scene.world.verdict(|_| true, None).complaint();
        assert!(complaint.is_empty(), "{complaint}");
    });
}

impl Scene {
    pub(crate) fn create(&self, resource: Value) {
        self.world.api.create(resource).unwrap();
    }

    /// Changes the spec as a user does.
    pub(crate) fn edit(&self, change: impl FnOnce(&mut Value)) {
        let edited = self
            .world
            .api
            .update("FlinkDeployment", NAMESPACE, NAME, |resource| {
                change(&mut resource["spec"]);
            });
        edited.unwrap();
    }

    pub(crate) fn delete(&self) {
        self.world
            .api
            .delete("FlinkDeployment", NAMESPACE, NAME)
            .unwrap();
    }

    pub(crate) fn get(&self, kind: &str, name: &str) -> Option<Value> {
        self.world.api.get(kind, NAMESPACE, name)
    }

    pub(crate) fn resource(&self) -> Value {
        self.get("FlinkDeployment", NAME).unwrap_or_default()
    }

    pub(crate) fn status(&self) -> Value {
        self.resource()["status"].clone()
    }

    /// Gives the uid of the JobManager Deployment; empty if there is none.
    pub(crate) fn deployment(&self) -> String {
        uid(self.get("Deployment", NAME))
    }

    /// Gives a condition of the resource.
    pub(crate) fn condition(&self, type_: &str) -> Value {
        condition(&self.status(), type_)
    }

    /// Tells whether a condition has this reason.
    pub(crate) fn has_reason(&self, type_: &str, reason: &str) -> bool {
        self.condition(type_)["reason"] == reason
    }

    /// Gives the messages of the events with a reason.
    pub(crate) fn events(&self, reason: &str) -> Vec<String> {
        let events = self.world.api.list("Event", NAMESPACE);
        let of_reason = events.iter().filter(|event| event["reason"] == reason);
        of_reason
            .map(|event| event["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Counts the pods of all clusters in the namespace.
    pub(crate) fn pods(&self) -> usize {
        self.world.api.list("Pod", NAMESPACE).len()
    }

    /// Names the HA ConfigMaps: whatever carries the name of the cluster and is none of ours.
    pub(crate) fn ha_maps(&self) -> Vec<String> {
        let maps = self.world.api.list("ConfigMap", NAMESPACE);
        let names = maps
            .iter()
            .filter_map(|map| map["metadata"]["name"].as_str());
        names
            .filter(|name| name.starts_with(&format!("{NAME}-")))
            .map(str::to_owned)
            .collect()
    }

    /// Lists what operators asked of the API server since a mark, watches and elections apart.
    pub(crate) fn requests_since(&self, mark: usize) -> Vec<Record> {
        let records = self.world.api.journal_records().split_off(mark);
        let of_operators =
            |record: &Record| record.request.verb.is_some_and(|verb| verb != Verb::Watch);
        records
            .into_iter()
            .filter(|record| of_operators(record) && record.request.resource != "leases")
            .collect()
    }

    /// Lists what operators tried to change since a mark.
    pub(crate) fn writes_since(&self, mark: usize) -> Vec<String> {
        let requests = self.requests_since(mark).into_iter();
        requests
            .filter(|record| record.request.mutates())
            .map(|record| record.request.to_string())
            .collect()
    }

    /// Marks this moment for counting requests.
    pub(crate) fn mark(&self) -> usize {
        self.world.api.journal_records().len()
    }

    /// Lets time pass until something holds, within two minutes.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        self.within(BOUND, what, holds).await;
    }

    /// Lets time pass until something holds.
    pub(crate) async fn within(&self, limit: Duration, what: &str, holds: impl Fn(&Self) -> bool) {
        if play::until(&self.world, limit, |_| holds(self))
            .await
            .is_err()
        {
            let story = flink_operator_oracle::tell(&self.world.verdict(|_| true, None).history);
            panic!("{story}\nnot {what} within {limit:?}: {:#}", self.status());
        }
    }

    /// Lets time pass until the resource is in a state of its life cycle and has taken up the newest generation.
    pub(crate) async fn until_state(&self, state: &str) {
        self.until(state, |scene| is_at(&scene.resource(), state))
            .await;
    }

    /// Waits until a condition has this reason.
    pub(crate) async fn until_reason(&self, type_: &str, reason: &str) {
        let what = format!("{type_}: {reason}");
        self.until(&what, |scene| scene.has_reason(type_, reason))
            .await;
    }

    /// Creates a resource and waits until its job runs.
    pub(crate) async fn run(&self, resource: Value) {
        self.create(resource);
        self.until_state("STABLE").await;
    }

    /// Proves that nothing of the cluster changes for a while.
    pub(crate) async fn stays(&self, seconds: f64, what: &str, holds: impl Fn(&Self) -> bool) {
        let steps = 20;
        for _ in 0..steps {
            assert!(holds(self), "no more {what}: {:#}", self.status());
            play::pass(seconds / f64::from(steps)).await;
        }
        assert!(holds(self), "no more {what}: {:#}", self.status());
    }
}

pub(crate) fn uid(object: Option<Value>) -> String {
    object
        .and_then(|object| object["metadata"]["uid"].as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// Gives a condition of a status; null if it is not there.
pub(crate) fn condition(status: &Value, type_: &str) -> Value {
    let conditions = status["conditions"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    conditions
        .iter()
        .find(|condition| condition["type"] == type_)
        .cloned()
        .unwrap_or_default()
}

/// Tells whether a resource is in a state of its life cycle, with its newest generation taken up.
pub(crate) fn is_at(resource: &Value, state: &str) -> bool {
    let status = &resource["status"];
    status["lifecycleState"] == state
        && status["observedGeneration"] == resource["metadata"]["generation"]
}
