//! Whole instances on the in-memory world, in virtual time.
#![allow(clippy::unwrap_used, missing_docs)]

mod herd;
mod herd_api;
mod kinds;
mod leader;
mod life;
mod namespaces;
mod operation;
mod rig;
mod waits;
