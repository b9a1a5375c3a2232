//! The resource as the decisions of this kind read it: parsed, with its options at hand.

use super::options::Options;
use crate::decision::{Decision, Revisit, Step};
use crate::name::Uid;
use crate::observed::{Observed, Origin};
use crate::resource::{Body, Broken, Doc, Meta, Status};
use crate::status::recorded::Recorded;
use flink_operator_api::{FlinkDeploymentSpec, FlinkDeploymentStatus};
use jiff::{SignedDuration, Timestamp};

/// One resource, its stored status, and what is known about the world.
pub(super) struct View<'a> {
    pub observed: &'a Observed,
    pub meta: &'a Meta,
    /// The spec as the user wrote it, or why it cannot be read.
    pub spec: Result<&'a FlinkDeploymentSpec, &'a Broken>,
    pub stored: &'a Doc<FlinkDeploymentStatus>,
    /// The spec that was deployed last, or is being deployed.
    pub recorded: Option<Recorded>,
    pub options: Options,
    pub now: Timestamp,
}

impl<'a> View<'a> {
    /// Parses what the decisions need; fails if the stored status cannot be read.
    pub(super) fn of(observed: &'a Observed, now: Timestamp) -> Result<Self, Broken> {
        let Body::FlinkDeployment { spec, status } = &observed.resource.body;
        let stored = status.as_ref().as_ref().map_err(Clone::clone)?;
        let recorded = stored
            .typed
            .reconciliation_status
            .as_ref()
            .and_then(|reconciliation| reconciliation.last_reconciled_spec.as_deref())
            .map(Recorded::read)
            .transpose()?;
        let spec = spec.as_ref().as_ref();
        let options = Options::of(observed, spec.ok(), recorded.as_ref());
        let meta = &observed.resource.meta;
        Ok(Self {
            observed,
            meta,
            spec,
            stored,
            recorded,
            options,
            now,
        })
    }

    /// Returns the uid of the resource, which owns its Deployment.
    pub(super) fn uid(&self) -> &Uid {
        &self.meta.uid
    }

    /// Returns the name of the resource, which is the id of its cluster.
    pub(super) fn name(&self) -> &str {
        &self.meta.key.name
    }

    /// Returns whether resource and Deployment come from the API server in this pass.
    pub(super) fn is_fresh(&self) -> bool {
        self.observed.origin == Origin::Server
    }

    /// Returns the time that has gone by since a stored time; a time that cannot be read is long ago.
    pub(super) fn since(&self, stored: &str) -> SignedDuration {
        stored
            .parse::<Timestamp>()
            .map_or(SignedDuration::MAX, |then| self.now.duration_since(then))
    }
}

/// What to do about a status that cannot be read: nothing but to say so.
///
/// It may hold an operation, so that no effect is safe, and it is not overwritten: a person, or the
/// operator that wrote it, can still repair it.
pub(super) fn unreadable(observed: &Observed, broken: &Broken) -> Step {
    let Body::FlinkDeployment { .. } = &observed.resource.body;
    Step::Act(Box::new(Decision {
        intent: None,
        effects: Vec::new(),
        needs_additive: false,
        status: Status::Unreadable(broken.clone()),
        notices: Vec::new(),
        revisit: Revisit::on_change("unreadable status"),
    }))
}
