//! What a pass is to do: plain data that compares with `==`.

use crate::effect::Effect;
use crate::question::Wanted;
use crate::resource::Status;
use jiff::SignedDuration;

/// The answer of the core to what was observed.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Look at more before anything is decided.
    Ask(Wanted),
    /// Do this.
    Act(Box<Decision>),
}

/// What came of a decision's effects.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// The status to store.
    pub status: Status,
    /// What to tell people about refusals, besides the decision's own notices.
    pub notices: Vec<Notice>,
}

/// What to store, do, say, and when to look again.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The complete status to store before the first effect.
    pub intent: Option<Status>,
    /// What to do, in order; the list stops at the first that is not done.
    pub effects: Vec<Effect>,
    /// Whether the effects rely on our additive status fields, so that they must have been stored.
    pub needs_additive: bool,
    /// The status to store if there are no effects.
    pub status: Status,
    /// What to tell people, if the status that goes with it was stored.
    pub notices: Vec<Notice>,
    /// When to look again.
    pub revisit: Revisit,
}

/// When the next pass is due, if nothing changes before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revisit {
    /// The delay; `None` means only when something changes.
    pub after: Option<SignedDuration>,
    /// What is waited for, for the actor's health page: a closed set.
    pub why: &'static str,
}

impl Revisit {
    /// Looks again when something changes.
    pub fn on_change(why: &'static str) -> Self {
        Self { after: None, why }
    }

    /// Looks again at once.
    pub fn now(why: &'static str) -> Self {
        Self::after(SignedDuration::ZERO, why)
    }

    /// Looks again after a delay.
    pub fn after(delay: SignedDuration, why: &'static str) -> Self {
        Self {
            after: Some(delay),
            why,
        }
    }
}

/// A Kubernetes event to emit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whether a person should look at it.
    pub warning: bool,
    /// Upstream's reason, or one of ours; a closed set, plus the kubelet's reasons for failing pods.
    pub reason: String,
    /// The component that upstream names: `Operator`, `Job`, `JobManagerDeployment`, `Snapshot`.
    pub component: &'static str,
    /// What happened, at most 1 kB.
    pub message: String,
}

impl Notice {
    /// Makes an event of type `Normal`.
    pub fn normal(component: &'static str, reason: &str, message: impl Into<String>) -> Self {
        Self {
            warning: false,
            reason: reason.to_owned(),
            component,
            message: message.into(),
        }
    }

    /// Makes an event of type `Warning`.
    pub fn warning(component: &'static str, reason: &str, message: impl Into<String>) -> Self {
        Self {
            warning: true,
            reason: reason.to_owned(),
            component,
            message: message.into(),
        }
    }
}
