//! What the watches have seen last: read by passes without a request.

use crate::slim::{SlimDeployment, SlimPod, SlimResource};
use dashmap::DashMap;
use operator_core::name::Key;
use operator_core::observed::{Deployment, Pod};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Namespace and cluster name.
type Cluster = (String, String);

/// The stores of one instance. No guard of a map is held across an await.
#[derive(Clone, Debug, Default)]
pub struct Stores {
    resources: Arc<DashMap<Key, Arc<SlimResource>>>,
    deployments: Arc<DashMap<Cluster, Deployment>>,
    job_managers: Arc<DashMap<Cluster, BTreeMap<String, Pod>>>,
}

impl Stores {
    /// Returns a resource as it was seen last.
    pub fn resource(&self, key: &Key) -> Option<Arc<SlimResource>> {
        self.resources.get(key).map(|found| Arc::clone(&found))
    }

    /// Returns the JobManager Deployment of a cluster.
    pub fn deployment(&self, namespace: &str, name: &str) -> Option<Deployment> {
        self.deployments
            .get(&cluster(namespace, name))
            .map(|found| found.clone())
    }

    /// Returns the JobManager pods of a cluster, sorted by name.
    pub fn job_managers(&self, namespace: &str, name: &str) -> Vec<Pod> {
        let pods = self.job_managers.get(&cluster(namespace, name));
        pods.map_or_else(Vec::new, |found| found.values().cloned().collect())
    }

    /// Returns the keys of all resources.
    pub fn keys(&self) -> Vec<Key> {
        self.resources
            .iter()
            .map(|entry| entry.key().clone())
            .collect()
    }

    /// Stores a resource.
    pub fn put_resource(&self, key: Key, resource: SlimResource) {
        self.resources.insert(key, Arc::new(resource));
    }

    /// Forgets a resource; returns whether it was there.
    pub fn remove_resource(&self, key: &Key) -> bool {
        self.resources.remove(key).is_some()
    }

    /// Stores a JobManager Deployment.
    pub fn put_deployment(&self, deployment: &SlimDeployment) {
        let meta = &deployment.metadata;
        self.deployments
            .insert(cluster(&meta.namespace, &meta.name), deployment.facts());
    }

    /// Forgets a JobManager Deployment.
    pub fn remove_deployment(&self, namespace: &str, name: &str) {
        self.deployments.remove(&cluster(namespace, name));
    }

    /// Returns namespace and name of all Deployments.
    pub fn deployment_names(&self) -> Vec<Cluster> {
        self.deployments
            .iter()
            .map(|entry| entry.key().clone())
            .collect()
    }

    /// Stores a JobManager pod of a cluster.
    pub fn put_pod(&self, namespace: &str, name: &str, pod: &SlimPod) {
        let mut pods = self
            .job_managers
            .entry(cluster(namespace, name))
            .or_default();
        pods.insert(pod.metadata.name.clone(), pod.facts());
    }

    /// Forgets a JobManager pod of a cluster.
    pub fn remove_pod(&self, namespace: &str, name: &str, pod: &str) {
        let key = cluster(namespace, name);
        if let Some(mut pods) = self.job_managers.get_mut(&key) {
            pods.remove(pod);
        }
        self.job_managers.remove_if(&key, |_, pods| pods.is_empty());
    }

    /// Returns namespace, cluster and name of all JobManager pods.
    pub fn pod_names(&self) -> Vec<(Cluster, String)> {
        let named =
            |entry: dashmap::mapref::multiple::RefMulti<'_, Cluster, BTreeMap<String, Pod>>| {
                entry
                    .value()
                    .keys()
                    .map(|pod| (entry.key().clone(), pod.clone()))
                    .collect::<Vec<_>>()
            };
        self.job_managers.iter().flat_map(named).collect()
    }
}

fn cluster(namespace: &str, name: &str) -> Cluster {
    (namespace.to_owned(), name.to_owned())
}
