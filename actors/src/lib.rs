//! The imperative shell of the Flink operator: actors, passes, watches, and what they act through.
//!
//! It carries out what the core decides and decides nothing itself. It never holds a copy of a
//! resource beyond a pass, never retries a request that changes something, and keeps no globals:
//! several instances can run in one process, and each can be dropped whole.

pub mod announcer;
pub mod api;
pub mod backoff;
pub mod clock;
pub mod config_files;
pub mod config_watcher;
pub mod events;
pub mod flink;
pub mod health;
pub mod ids;
pub mod instance;
pub mod lanes;
pub mod leader;
pub mod leadership;
pub mod metrics;
pub mod namespaces;
pub mod options;
pub mod pace;
pub mod pass;
pub mod resource;
pub mod shell;
pub mod slim;
pub mod stores;
pub mod supervisor;
pub mod tasks;
