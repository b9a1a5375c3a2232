//! What the simulated controllers say to the API server, and whether they changed anything.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::{ApiServer, DeleteOptions};
use crate::clock::whole_seconds;

/// The controllers' side of the API server during one step.
#[derive(Debug)]
pub(super) struct Kube {
    api: ApiServer,
    now: Timestamp,
    /// Whether something was written since this was last set to false.
    pub(super) changed: bool,
}

impl Kube {
    /// Begins a step.
    pub(super) fn new(api: &ApiServer, now: Timestamp) -> Self {
        Self {
            api: api.clone(),
            now,
            changed: false,
        }
    }

    /// Lists all objects of a kind.
    pub(super) fn list(&self, kind: &str) -> Vec<Arc<Value>> {
        self.api.look_at_all(kind, "")
    }

    /// Lists the objects of a kind in a namespace.
    pub(super) fn list_in(&self, kind: &str, namespace: &str) -> Vec<Arc<Value>> {
        self.api.look_at_all(kind, namespace)
    }

    /// Reads an object.
    pub(super) fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.api.look(kind, namespace, name)
    }

    /// Creates an object; tells whether that succeeded. A refusal (the namespace is going away, the name is
    /// taken) is what a real controller would retry, and the next step does.
    pub(super) fn create(&mut self, object: Value) -> bool {
        let created = self.api.create(object).is_ok();
        self.changed |= created;
        created
    }

    /// Changes an object, if it is still there.
    pub(super) fn update(
        &mut self,
        kind: &str,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) {
        self.changed |= self.api.update(kind, namespace, name, change).is_ok();
    }

    /// Deletes an object, if it is still there.
    pub(super) fn delete(&mut self, kind: &str, namespace: &str, name: &str) {
        self.changed |= self.api.delete(kind, namespace, name).is_ok();
    }

    /// Removes a pod whose containers have ended, as the kubelet does last.
    pub(super) fn remove_pod(&mut self, namespace: &str, name: &str, uid: &str) {
        let options = DeleteOptions {
            uid: Some(uid.to_owned()),
            ..DeleteOptions::now()
        };
        self.changed |= self
            .api
            .delete_with("Pod", namespace, name, &options)
            .is_ok();
    }

    /// Writes an event about an object.
    pub(super) fn event(&mut self, about: &Value, reason: &str, kind: &str, message: &str) {
        let metadata = &about["metadata"];
        let name = metadata["name"].as_str().unwrap_or_default();
        let stamp = whole_seconds(self.now);
        self.create(json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": { "generateName": format!("{name}."), "namespace": metadata["namespace"] },
            "involvedObject": { "apiVersion": "v1", "kind": "Pod", "namespace": metadata["namespace"], "name": name, "uid": metadata["uid"] },
            "reason": reason,
            "type": kind,
            "message": message,
            "source": { "component": "kubelet", "host": "node-1" },
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
        }));
    }
}
