//! Decisions: what to look at, what to do, and what to store, for each kind.
//!
//! Everything here is a pure, total function of what was observed, the time, and fresh identities.

pub mod deployment;

use crate::decision::{Decision, Settled, Step};
use crate::effect::Outcome;
use crate::name::Ids;
use crate::observed::Observed;
use crate::question::Wanted;
use crate::resource::Body;
use jiff::Timestamp;

/// Says what to look at before deciding.
pub fn wanted(observed: &Observed, now: Timestamp) -> Wanted {
    match &observed.resource.body {
        Body::FlinkDeployment { .. } => deployment::wanted(observed, now),
    }
}

/// Decides the next step for one resource.
pub fn decide(observed: &Observed, now: Timestamp, ids: &Ids) -> Step {
    match &observed.resource.body {
        Body::FlinkDeployment { .. } => deployment::decide(observed, now, ids),
    }
}

/// Says what the status is after these outcomes of a decision's effects.
///
/// Starts from the decision's intent; `outcomes` are those of the effects carried out so far, in
/// order, and end at the first that was not done.
pub fn settle(
    observed: &Observed,
    decision: &Decision,
    outcomes: &[Outcome],
    now: Timestamp,
) -> Settled {
    match &observed.resource.body {
        Body::FlinkDeployment { .. } => deployment::settle(observed, decision, outcomes, now),
    }
}

/// Returns the port of Flink's REST API in the cluster of a resource.
pub fn rest_port(observed: &Observed, now: Timestamp) -> u16 {
    match &observed.resource.body {
        Body::FlinkDeployment { .. } => deployment::rest_port(observed, now),
    }
}
