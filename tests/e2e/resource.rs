//! One FlinkDeployment, as a user with kubectl handles it.

use std::time::Duration;

use kube::api::{
    ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::scene::{Scene, object};

/// For a start of Flink on a slow machine with other work to do.
pub(crate) const START: Duration = Duration::from_secs(180);
/// For an end of Flink.
pub(crate) const END: Duration = Duration::from_secs(90);
/// For what the operator does alone.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A resource in a test's namespace.
#[derive(Clone)]
pub(crate) struct FlinkResource<'a> {
    scene: &'a Scene,
    api: Api<DynamicObject>,
    pub(crate) name: String,
}

impl<'a> FlinkResource<'a> {
    pub(crate) async fn create(scene: &'a Scene, resource: &Value) -> Self {
        let api = api(&scene.client, &scene.namespace);
        let resource: DynamicObject = object(resource.clone());
        let name = resource.metadata.name.clone().unwrap();
        api.create(&PostParams::default(), &resource).await.unwrap();
        scene.chronicle.note(&format!("create {name}"));
        Self { scene, api, name }
    }

    /// Returns all resources of the test, as JSON without what servers add.
    pub(crate) async fn all(scene: &Scene) -> Vec<Value> {
        let list = api(&scene.client, &scene.namespace)
            .list(&ListParams::default())
            .await
            .unwrap();
        let plain = |mut resource: DynamicObject| {
            resource.metadata.managed_fields = None;
            serde_json::to_value(resource).unwrap()
        };
        list.items.into_iter().map(plain).collect()
    }

    /// Returns the resource; null after it is gone.
    pub(crate) async fn now(&self) -> Value {
        let found = self.api.get_opt(&self.name).await.unwrap();
        found.map_or(Value::Null, |resource| {
            serde_json::to_value(resource).unwrap()
        })
    }

    /// Edits the spec by a merge patch.
    pub(crate) async fn edit(&self, spec: Value) {
        self.scene
            .chronicle
            .note(&format!("edit {}: {spec}", self.name));
        let patch = Patch::Merge(json!({ "spec": spec }));
        self.api
            .patch(&self.name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    /// Asks for the deletion, and does not wait for it.
    pub(crate) async fn delete(&self) {
        self.scene.chronicle.note(&format!("delete {}", self.name));
        self.api
            .delete(&self.name, &DeleteParams::default())
            .await
            .unwrap();
    }

    /// Waits until the resource is as wanted, and returns it.
    pub(crate) async fn until(
        &self,
        patience: Duration,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let what = format!("{} {what}", self.name);
        let look = async || Some(self.now().await).filter(&wanted);
        self.scene.until(patience, &what, look).await
    }

    /// Waits until the newest spec runs, and returns the status.
    pub(crate) async fn stable(&self) -> Value {
        self.until(START, "is STABLE", is_stable).await["status"].take()
    }

    /// Waits until the newest spec is suspended, and returns the status.
    pub(crate) async fn suspended(&self) -> Value {
        let wanted = |resource: &Value| {
            let status = &resource["status"];
            status["observedGeneration"] == resource["metadata"]["generation"]
                && status["lifecycleState"] == "SUSPENDED"
                && holds(status, "Suspended")
        };
        self.until(END, "is suspended", wanted).await["status"].take()
    }

    /// Waits until the resource is gone.
    pub(crate) async fn gone(&self) {
        self.until(END, "is gone", Value::is_null).await;
    }
}

/// Tells whether a resource runs what its newest spec asks for, and says so in every way it can.
pub(crate) fn is_stable(resource: &Value) -> bool {
    let status = &resource["status"];
    status["observedGeneration"] == resource["metadata"]["generation"]
        && status["lifecycleState"] == "STABLE"
        && status["jobManagerDeploymentStatus"] == "READY"
        && status["jobStatus"]["state"] == "RUNNING"
        && holds(status, "Ready")
}

/// Finds a condition; null if there is none of that type.
pub(crate) fn condition(status: &Value, kind: &str) -> Value {
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    conditions
        .into_iter()
        .find(|condition| condition["type"] == kind)
        .unwrap_or_default()
}

/// Tells whether a condition is true.
pub(crate) fn holds(status: &Value, kind: &str) -> bool {
    condition(status, kind)["status"] == "True"
}

/// Returns the id of the job that a status tells of.
pub(crate) fn job_id(status: &Value) -> String {
    status["jobStatus"]["jobId"]
        .as_str()
        .expect("the status has a job id")
        .to_owned()
}

/// Returns the way to the FlinkDeployments of a namespace.
pub(crate) fn api(client: &Client, namespace: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("flink.apache.org", "v1beta1", "FlinkDeployment");
    Api::namespaced_with(client.clone(), namespace, &ApiResource::from_gvk(&kind))
}
