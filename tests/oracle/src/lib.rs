//! Judges the history of a world by the invariants of the operator.
//!
//! The oracle reads what happened ([`history`]) and says which promises were broken. It never takes part:
//! it does not know the operator's code, only the API types, what Kubernetes and Flink did, and the
//! rules, so that a fault in the operator cannot hide in shared code.

pub mod history;
