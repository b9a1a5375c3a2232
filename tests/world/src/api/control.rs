//! What a test does to the line of one client instance.

use std::sync::Arc;

use super::link::{Link, Match, Measure};
use crate::points::{Action, Cut, Failure};

/// The handle on one instance's line.
#[derive(Clone, Debug)]
pub struct WireControl {
    pub(crate) link: Arc<Link>,
}

impl WireControl {
    /// Cuts the line: open requests and watches go silent or break, and so does all that follows.
    pub fn cut(&self, cut: Cut) {
        self.link.set_cut(Some(cut));
    }

    /// Mends the line: what was waiting on it breaks, what follows gets through.
    pub fn mend(&self) {
        self.link.set_cut(None);
    }

    /// Tells whether the line is cut.
    pub fn is_cut(&self) -> bool {
        self.link.cut().is_some()
    }

    /// Begins a rule for the requests that match.
    #[must_use]
    pub fn on(&self, means: Match) -> RuleBuilder {
        RuleBuilder {
            link: self.link.clone(),
            means,
            skip: 0,
            times: Some(1),
        }
    }

    /// Answers the next matching request with a code, without carrying it out.
    pub fn fail_next(&self, means: Match, code: u16) {
        self.on(means)
            .act(Action::FailBefore(Failure::Status(code)));
    }

    /// Refuses matching requests as RBAC does, until the rules are cleared.
    pub fn forbid(&self, means: Match) {
        self.link.add_rule(means, 0, None, Measure::Forbid);
    }

    /// Drops all rules.
    pub fn clear(&self) {
        self.link.clear_rules();
    }

    /// Ends every open watch with 410 Gone.
    pub fn expire_watches(&self) {
        self.link.order(|orders| orders.expire += 1);
    }

    /// Ends every open watch without a word, as a server does when a watch has lasted long enough.
    pub fn end_watches(&self) {
        self.link.order(|orders| orders.end += 1);
    }
}

/// A rule in the making.
#[derive(Debug)]
pub struct RuleBuilder {
    link: Arc<Link>,
    means: Match,
    skip: u64,
    times: Option<u64>,
}

impl RuleBuilder {
    /// Acts on the nth matching request instead of the next; the first is 1.
    #[must_use]
    pub fn nth(mut self, nth: u64) -> Self {
        self.skip = nth.saturating_sub(1);
        self
    }

    /// Acts on so many requests instead of one.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Acts on all from there on.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.times = None;
        self
    }

    /// Sets what is done and puts the rule in force.
    pub fn act(self, action: Action) {
        self.link
            .add_rule(self.means, self.skip, self.times, Measure::Act(action));
    }
}
