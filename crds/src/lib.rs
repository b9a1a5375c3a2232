//! Types and schemas of the custom resources of Apache Flink on Kubernetes.
//!
//! The group is `flink.apache.org`, the version `v1beta1`, and everything is compatible with the Apache
//! Flink Kubernetes Operator: what its CRDs accept is accepted here, what it writes into a status is
//! read and kept.
//!
//! This crate holds data and no behaviour. It never talks to a cluster (bring a `kube` client of your
//! own), never validates beyond what the schema can say, and sets no defaults in stored objects: the
//! defaults of the types apply where an object is read.
//!
//! # Writing a resource
//!
//! ```
//! use flink_operator_api::{
//!     FlinkDeployment, FlinkDeploymentSpec, FlinkVersion, JobManagerSpec, JobSpec, Resource,
//!     TaskManagerSpec, UpgradeMode,
//! };
//! use serde_json::json;
//!
//! let size = Resource { cpu: Some(1.0), memory: Some("2g".into()), ..Resource::default() };
//! let orders = FlinkDeployment::new(
//!     "orders",
//!     FlinkDeploymentSpec {
//!         image: Some("registry.example.com/orders:7".into()),
//!         flink_version: Some(FlinkVersion::V1_20),
//!         service_account: Some("flink".into()),
//!         flink_configuration: [("taskmanager.numberOfTaskSlots", json!(2))].into_iter().collect(),
//!         job_manager: Some(JobManagerSpec { resource: Some(size.clone()), ..Default::default() }),
//!         task_manager: Some(TaskManagerSpec { resource: Some(size), ..Default::default() }),
//!         job: Some(JobSpec {
//!             jar_uri: Some("local:///opt/flink/usrlib/orders.jar".into()),
//!             parallelism: 2,
//!             upgrade_mode: UpgradeMode::Savepoint,
//!             ..JobSpec::default()
//!         }),
//!         ..FlinkDeploymentSpec::default()
//!     },
//! );
//! let written = serde_json::to_value(&orders)?;
//! assert_eq!(written["apiVersion"], "flink.apache.org/v1beta1");
//! assert_eq!(written["spec"]["job"]["upgradeMode"], "savepoint");
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! # Submitting a job to a session cluster, and taking a savepoint of it
//!
//! ```
//! use flink_operator_api::{
//!     FlinkSessionJob, FlinkSessionJobSpec, FlinkStateSnapshot, FlinkStateSnapshotSpec, JobKind,
//!     JobReference, JobSpec, SavepointSpec,
//! };
//!
//! let refunds = FlinkSessionJob::new(
//!     "refunds",
//!     FlinkSessionJobSpec {
//!         deployment_name: Some("shared".into()),
//!         job: Some(JobSpec {
//!             jar_uri: Some("https://jars.example.com/refunds-3.jar".into()),
//!             parallelism: 1,
//!             ..JobSpec::default()
//!         }),
//!         ..FlinkSessionJobSpec::default()
//!     },
//! );
//! let before_the_sale = FlinkStateSnapshot::new(
//!     "refunds-before-the-sale",
//!     FlinkStateSnapshotSpec {
//!         job_reference: Some(JobReference {
//!             kind: Some(JobKind::FlinkSessionJob),
//!             name: refunds.metadata.name.clone(),
//!         }),
//!         savepoint: Some(SavepointSpec { dispose_on_delete: false, ..SavepointSpec::default() }),
//!         ..FlinkStateSnapshotSpec::default()
//!     },
//! );
//! let written = serde_json::to_value(&before_the_sale)?;
//! assert_eq!(written["spec"]["jobReference"]["name"], "refunds");
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! # Changing a cluster without a gap
//!
//! ```
//! use flink_operator_api::{
//!     FlinkBlueGreenDeployment, FlinkBlueGreenDeploymentSpec, FlinkDeploymentSpec,
//!     FlinkDeploymentTemplate, FlinkVersion,
//! };
//!
//! let cluster = FlinkDeploymentSpec {
//!     image: Some("registry.example.com/orders:8".into()),
//!     flink_version: Some(FlinkVersion::V2_0),
//!     ..FlinkDeploymentSpec::default()
//! };
//! let orders = FlinkBlueGreenDeployment::new(
//!     "orders",
//!     FlinkBlueGreenDeploymentSpec {
//!         template: Some(FlinkDeploymentTemplate { spec: Some(cluster), ..Default::default() }),
//!         ..Default::default()
//!     },
//! );
//! let written = serde_json::to_value(&orders)?;
//! assert_eq!(written["spec"]["template"]["spec"]["flinkVersion"], "v2_0");
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! # Reading a status
//!
//! ```
//! use flink_operator_api::{FlinkDeploymentStatus, FlinkJobState};
//!
//! let status: FlinkDeploymentStatus =
//!     serde_json::from_str(r#"{ "jobStatus": { "state": "RUNNING" }, "ofALaterVersion": 1 }"#)?;
//! assert_eq!(status.job_status.and_then(|job| job.state), Some(FlinkJobState::Running));
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! To change a status with these types, start from the stored JSON and overlay what was changed: fields
//! that this version does not know are ignored when reading, and would be lost.
//!
//! # What an API server refuses
//!
//! The definitions carry rules (`x-kubernetes-validations`): those of the Java operator's admission webhook
//! that can be decided from the object alone, with its messages. What the webhook lets pass, they let pass:
//! canaries, `FlinkBlueGreenDeployment`s, and whatever depends on the operator's configuration.
//!
//! An object from before the rules that breaks one can still be labelled, be given a status, and be
//! deleted. That takes an API server of Kubernetes 1.30 or later; for older ones, install the definitions
//! [`without_rules`].
//!
//! # Versions
//!
//! Three things have a version here, and follow different rules.
//!
//! * **The wire format** (`v1beta1`) only grows. Every object that a release accepts, each later one accepts;
//!   every status that a release writes, each later one reads. A rule for API servers is only added if the
//!   Java operator's webhook has it.
//! * **The Rust types** follow semantic versioning. A new field of a struct and a new word of an enum are
//!   breaking (literals and matches elsewhere stop compiling), and so is a new major version of `kube`,
//!   `k8s-openapi` or `schemars`, whose types and traits are part of this API: each comes with a new minor
//!   version before 1.0, and with a new major version after it. New kinds, functions and constants come with
//!   patch versions (minor ones after 1.0).
//! * **The least version of Rust** is that of `rust-version` in the manifest; raising it is not breaking, and
//!   comes with a new minor version.
//!
//! The text of descriptions, and the order and wording of generated YAML, belong to none of these.

mod blue_green;
mod cluster;
mod configuration;
mod crd;
mod deployment;
mod ingress;
mod job;
pub mod names;
mod pod_template;
mod rules;
mod schema;
mod session_job;
mod state_snapshot;
mod status;
mod text;
mod version;

pub use blue_green::{
    BlueGreenDeploymentType, FlinkBlueGreenDeployment, FlinkBlueGreenDeploymentSpec,
    FlinkDeploymentTemplate, TemplateMetadata,
};
pub use cluster::{
    JobManagerSpec, KubernetesDeploymentMode, Quantity, Resource, ResourceClaim,
    ResourceRequirements, TaskManagerSpec,
};
pub use configuration::FlinkConfiguration;
pub use crd::{crd_files, crd_yaml, crds, to_yaml, without_rules};
pub use deployment::{FlinkDeployment, FlinkDeploymentSpec};
pub use ingress::IngressSpec;
pub use job::{JobSpec, JobState, UpgradeMode};
pub use pod_template::PodTemplate;
pub use session_job::{FlinkSessionJob, FlinkSessionJobSpec};
pub use state_snapshot::{
    CheckpointSpec, FlinkStateSnapshot, FlinkStateSnapshotSpec, JobKind, JobReference,
    SavepointSpec,
};
pub use status::*;
pub use text::UnknownWord;
pub use version::FlinkVersion;

/// Has the example of the README compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
