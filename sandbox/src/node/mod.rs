//! Plays the node: binds pods and runs them as processes.

pub mod config;
pub mod flink;
pub mod init;
mod keeper;

pub use config::NodeConfig;
pub use flink::install_flink;
pub use init::pod_init;
