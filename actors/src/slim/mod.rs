//! Our own projections of Kubernetes objects: what decisions need, and nothing else.
//!
//! They are read straight from the bytes of a watch or a reply, so that what is left out is never
//! built in memory.

mod accepted;
mod deployment;
mod meta;
mod pod;
mod resource;

pub use accepted::{BlueGreenDeployments, Mark, SessionJobs, SlimAccepted, StateSnapshots};
pub use deployment::SlimDeployment;
pub use meta::{OwnerReference, SlimMeta};
pub use pod::SlimPod;
pub use resource::SlimResource;

/// A list as the API server answers it.
#[derive(serde::Deserialize)]
pub struct SlimList<T> {
    /// The objects.
    #[serde(default = "Vec::new")]
    pub items: Vec<T>,
}
