//! Plays the node: binds pods and runs them as processes.

pub mod config;

pub use config::NodeConfig;
