//! The operator on the real API server: what only the real one can prove.
//!
//! One control plane is shared by all tests that leave the cluster as it is; each test has a namespace of
//! its own there, and an operator that watches nothing else. Tests that change the cluster itself start
//! another.

#![allow(clippy::unwrap_used)] // helpers of tests: a panic is the failure

mod broken;
mod crd;
mod kinds;
mod life;
mod quiet;
mod rules;
mod script;
mod stage;
mod upstream;
mod versions;
mod watches;
