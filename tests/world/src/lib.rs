//! In-memory Kubernetes and Flink for tests: virtual time, faults, and a record of all that happened.
//!
//! It knows what the operator uses and no more, and is held to the real things by the conformance
//! layer (`script` is the common text). It never does IO, never reads the real clock and never draws
//! randomness: the same test makes the same requests and gets the same bytes.

pub mod api;
pub mod clock;
pub mod cluster;
pub mod flink;
pub mod points;
pub mod script;
