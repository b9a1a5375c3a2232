//! Simulated Flink: JobManagers that live, answer and die as the real ones were seen to.
//!
//! Everything here is a pure state machine over virtual time. What a JobManager sees and touches is passed
//! in with every step, so that a test can play a whole life in one function; `cluster` gives it pods,
//! ConfigMaps and a network.

pub mod checkpoints;
pub mod conf;
mod ending;
pub mod files;
pub mod ha;
pub mod job;
mod leading;
mod losing;
pub mod pace;
pub mod process;
pub mod program;
pub mod rest;
mod running;
mod snapshots;
pub mod version;
mod views;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod lives;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod operations;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod rig;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod starts;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod stops;
