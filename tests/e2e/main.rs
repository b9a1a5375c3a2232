//! The operator as users run it, against real Flink: jobs live, fail and end in the sandbox.
//!
//! One sandbox serves all tests; each has a namespace, an operator process and rights of its own. Tests
//! wait for conditions, never for time to pass, and leave their logs in `<target>/tmp/e2e/<test>`.
#![allow(clippy::unwrap_used)] // helpers of tests: a panic is the failure

mod adopted;
mod chronicle;
mod counting;
mod examples;
mod flink;
mod http;
mod journal;
mod killed;
mod leftovers;
mod life;
mod operator;
mod quiet;
mod requests;
mod resource;
mod savepoint;
mod savepoint_fails;
mod savepoint_killed;
mod scene;
mod smoke;
mod stage;
mod trouble;
mod wire;
