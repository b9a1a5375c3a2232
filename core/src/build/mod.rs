//! Kubernetes objects of a cluster, from its spec and the operator's settings.
//!
//! Two steps: [`effective`] makes the configuration and templates that a submission uses, [`render`]
//! the objects. Both are pure: the same inputs give the same bytes. Only `mode: native` is rendered
//! here; the rules are those of the client that upstream uses for every Flink version.

mod children;
mod cluster_config;
mod config_map;
mod error;
mod job_manager;
pub mod memory;
mod quantity;
mod resources;
mod service;
mod spec_config;
mod submission;
mod template;
mod template_yaml;
mod volumes;

use std::collections::BTreeMap;

use flink_operator_api::FlinkDeploymentSpec;
use serde_json::Value;

pub use children::{Children, canonical_json};
pub use error::BuildError;
pub use quantity::Quantity;
pub use spec_config::{observe_config, resource_config};
pub use template::MAIN_CONTAINER;
pub(crate) use template::normalised_template;

use crate::config::{Configuration, HostFiles, OperatorSettings};
use cluster_config::Cluster;

/// Which resource a cluster belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterMeta {
    /// Name of the resource, and so of the cluster.
    pub name: String,
    /// Namespace of both.
    pub namespace: String,
    /// Uid of the resource.
    pub uid: String,
    /// Generation of the spec that is deployed.
    pub generation: i64,
}

/// What a submission adds to a spec. Session clusters have no job and ignore it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// Id of the job, unless the user's configuration has one.
    pub job_id: String,
    /// Last part of the path of the job result store.
    pub result_store_id: String,
    /// Where the job's state comes from.
    pub restore: Restore,
}

/// Where the state of a job that is started comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restore {
    /// It starts empty.
    Nothing,
    /// From a savepoint or checkpoint at this path.
    From(String),
    /// From the metadata of high availability. A path that cannot exist guards against an empty start
    /// if they vanish.
    LastState,
}

/// The restore path that cannot exist; upstream's text.
pub const LAST_STATE_GUARD: &str = "KUBERNETES_OPERATOR_LAST_STATE";

/// Everything that the objects of one cluster are made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    /// The configuration handed to Flink's client: flat, without the operator's own options.
    pub config: Configuration,
    /// Pod template of the JobManager.
    pub job_manager_template: Option<Value>,
    /// Pod template of TaskManagers.
    pub task_manager_template: Option<Value>,
    /// Log configuration by file name: the resource's, else the operator's.
    pub log_files: BTreeMap<String, String>,
    /// Files of the operator's container.
    pub host_files: HostFiles,
}

/// Makes the configuration and templates with which a cluster is submitted.
pub fn effective(
    spec: &FlinkDeploymentSpec,
    meta: &ClusterMeta,
    settings: &OperatorSettings,
    submission: &Submission,
) -> Result<Effective, BuildError> {
    let mut built = spec_config::of_spec(spec, meta, settings)?;
    submission::add(&mut built.config, spec, meta, submission)?;
    Ok(built)
}

/// Makes the objects of a native cluster. Their namespace is not part of them.
pub fn render(effective: &Effective) -> Result<Children, BuildError> {
    let cluster = Cluster::of(effective)?;
    let deployment = job_manager::deployment(&cluster)?;
    let mut dependents = Vec::new();
    dependents.extend(service::internal(&cluster)?);
    dependents.push(service::rest(&cluster)?);
    dependents.extend(config_map::hadoop(&cluster));
    dependents.extend(config_map::keytab(&cluster));
    dependents.extend(config_map::krb5(&cluster));
    dependents.extend(config_map::pod_template(&cluster));
    // No JobManager can start without it, so it comes last.
    dependents.push(config_map::configuration(&cluster)?);
    Ok(Children::new(deployment, dependents, cluster.warnings))
}

#[cfg(test)]
mod tests;
