//! Types and schemas of the custom resources of Apache Flink on Kubernetes.
//!
//! The group is `flink.apache.org`, the version `v1beta1`, and everything is compatible with the Apache
//! Flink Kubernetes Operator: what its CRDs accept is accepted here, what it writes into a status is
//! read and kept.
//!
//! This crate holds data and no behaviour. It never talks to a cluster (use it with a `kube` client of
//! your own), never validates beyond what the schema can say, and sets no defaults in stored objects.

mod cluster;
mod configuration;
mod crd;
mod deployment;
mod ingress;
mod job;
pub mod names;
mod pod_template;
mod schema;
mod status;
mod text;
mod version;

pub use cluster::{
    JobManagerSpec, KubernetesDeploymentMode, Quantity, Resource, ResourceClaim,
    ResourceRequirements, TaskManagerSpec,
};
pub use configuration::FlinkConfiguration;
pub use crd::{crd_files, crd_yaml, crds};
pub use deployment::{FlinkDeployment, FlinkDeploymentSpec};
pub use ingress::IngressSpec;
pub use job::{JobSpec, JobState, UpgradeMode};
pub use pod_template::PodTemplate;
pub use status::*;
pub use text::UnknownWord;
pub use version::FlinkVersion;
