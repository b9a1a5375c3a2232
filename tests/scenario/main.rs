//! The behaviours of the whole operator, one sentence each, in a world of virtual time.
//!
//! Every scene is played by an operator with all its actors and watches, on an in-memory API server
//! and a simulated Flink, and is judged by the oracle in the end.

#![allow(clippy::unwrap_used)] // a panic is the failure of a test

mod broken;
mod deletion;
mod ha;
mod java;
mod java_encodings;
mod java_fixtures;
mod life;
mod lost;
mod older_crd;
#[allow(dead_code, unused_imports)] // the simulation uses the rest
mod play;
mod pods;
mod quiet;
mod scene;
mod stateful;
mod stopping;
mod strangers;
mod unsupported;
