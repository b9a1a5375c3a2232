//! Kubernetes and real Flink on one machine, as plain processes without containers.
//!
//! The sandbox starts a real etcd, kube-apiserver and kube-controller-manager and plays the node that
//! runs pods as processes. It never touches a cluster it did not start, and it never leaves anything
//! behind: whatever it creates is recorded before it exists.

pub mod cache;
mod certificates;
mod cleanup;
mod control_plane;
pub mod instance;
pub mod kubeconfig;
pub mod launcher;
pub mod logs;
pub mod network;
pub mod node;
mod node_task;
pub mod prerequisites;
pub mod process;
pub mod progress;
mod sandbox;
pub mod status;
pub mod stop;
pub mod supervisor;
pub mod tools;

pub use sandbox::{Options, READY_PREFIX, Sandbox};
