//! Judges the history of a world by the invariants of the operator.
//!
//! The oracle reads what happened ([`history`]) and says which promises were broken ([`judge`]). It never
//! takes part: it does not know the operator's code, only the API types, what Kubernetes and Flink did,
//! and the rules, so that a fault in the operator cannot hide in shared code.

mod calm;
mod deletions;
mod deploys;
pub mod history;
mod rule;
mod runs;
mod stops;
mod stored;
mod tell;
mod timeline;

pub use rule::{Rule, Violation, first_difference, judge, rules};
pub use tell::tell;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod story;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
