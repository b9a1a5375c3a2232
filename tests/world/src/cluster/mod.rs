//! Simulated controllers, node and network: what turns a JobManager Deployment into a Flink that answers.
//!
//! [`Cluster`] follows the API server as kube-controller-manager and kubelet would, in virtual time, and
//! owns the processes of [`crate::flink`]. It knows nothing of the operator: what it does follows from
//! objects and from what the test asks for.

mod body;
mod control;
mod deployments;
mod history;
mod kube;
mod kubelet;
mod network;
mod pod;
mod podstatus;
mod settings;
mod state;
mod transport;
mod way;
mod wire;
mod world;

pub use body::FlinkBody;
pub use control::{Cluster, ReadPoint};
pub use settings::{NodePace, Settings, Trouble};
pub use transport::WorldClock;
pub use wire::{FlinkWire, RestTrouble, WireError};
pub use world::{Late, Verdict, World};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod client;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod judged;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod rig;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
