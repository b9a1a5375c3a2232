//! The line between one client instance and the server: whether it is up, and what was ordered for it.

use std::sync::{Mutex, MutexGuard};

use tokio::sync::watch;

use super::journal::Request;
use super::route::Verb;
use crate::points::{Action, Cut};

/// Orders to open watches; a watch compares with the count it was opened at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Orders {
    pub(crate) expire: u64,
    pub(crate) end: u64,
}

/// Says which requests are meant; what is not said matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    verbs: Vec<Verb>,
    resource: Option<String>,
    subresource: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    mutating: bool,
}

impl Match {
    /// Means every request.
    pub fn any() -> Self {
        Self::default()
    }

    /// Means every request that changes something.
    pub fn mutating() -> Self {
        Self {
            mutating: true,
            ..Self::default()
        }
    }

    /// Means one verb; several calls mean either.
    #[must_use]
    pub fn verb(mut self, verb: Verb) -> Self {
        self.verbs.push(verb);
        self
    }

    /// Means one resource by its plural, for example `deployments`.
    #[must_use]
    pub fn resource(mut self, plural: &str) -> Self {
        self.resource = Some(plural.to_owned());
        self
    }

    /// Means one subresource; empty for the object itself.
    #[must_use]
    pub fn subresource(mut self, name: &str) -> Self {
        self.subresource = Some(name.to_owned());
        self
    }

    /// Means one namespace; empty for requests across all.
    #[must_use]
    pub fn namespace(mut self, name: &str) -> Self {
        self.namespace = Some(name.to_owned());
        self
    }

    /// Means one object.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Tells whether a request is meant.
    pub fn matches(&self, request: &Request) -> bool {
        let is = |wanted: &Option<String>, given: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == given)
        };
        (self.verbs.is_empty() || request.verb.is_some_and(|verb| self.verbs.contains(&verb)))
            && (!self.mutating || request.verb.is_some_and(Verb::mutates))
            && is(&self.resource, &request.resource)
            && is(&self.subresource, &request.subresource)
            && is(&self.namespace, &request.namespace)
            && is(&self.name, &request.name)
    }
}

/// What a rule does to the requests it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    Act(Action),
    Forbid,
}

#[derive(Debug)]
struct Rule {
    means: Match,
    /// How many matching requests pass before the rule acts.
    skip: u64,
    /// How many it acts on; none means all.
    times: Option<u64>,
    measure: Measure,
}

#[derive(Debug, Default)]
struct Rules {
    list: Vec<Rule>,
}

/// The line of one instance.
#[derive(Debug)]
pub(crate) struct Link {
    instance: String,
    cut: watch::Sender<Option<Cut>>,
    orders: watch::Sender<Orders>,
    /// Any change of the two above.
    bell: watch::Sender<u64>,
    rules: Mutex<Rules>,
}

impl Link {
    pub(crate) fn new(instance: &str) -> Self {
        Self {
            instance: instance.to_owned(),
            cut: watch::Sender::new(None),
            orders: watch::Sender::new(Orders::default()),
            bell: watch::Sender::new(0),
            rules: Mutex::default(),
        }
    }

    pub(crate) fn instance(&self) -> &str {
        &self.instance
    }

    pub(crate) fn cut(&self) -> Option<Cut> {
        *self.cut.borrow()
    }

    pub(crate) fn set_cut(&self, cut: Option<Cut>) {
        self.cut.send_replace(cut);
        self.ring();
    }

    /// Waits until the line is up.
    pub(crate) async fn mended(&self) {
        let mut cut = self.cut.subscribe();
        // The sender lives in self, so that waiting cannot fail.
        cut.wait_for(Option::is_none)
            .await
            .expect("the line outlives its users");
    }

    /// Waits until the line is down.
    pub(crate) async fn broken(&self) -> Cut {
        let mut cut = self.cut.subscribe();
        let found = cut
            .wait_for(Option::is_some)
            .await
            .expect("the line outlives its users");
        found.expect("waited for a cut")
    }

    pub(crate) fn orders(&self) -> Orders {
        *self.orders.borrow()
    }

    pub(crate) fn order(&self, change: impl FnOnce(&mut Orders)) {
        self.orders.send_modify(change);
        self.ring();
    }

    fn ring(&self) {
        self.bell.send_modify(|count| *count += 1);
    }

    pub(crate) fn changed(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }

    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules
            .lock()
            .expect("nothing panics while rules are looked at")
    }

    pub(crate) fn add_rule(&self, means: Match, skip: u64, times: Option<u64>, measure: Measure) {
        self.rules().list.push(Rule {
            means,
            skip,
            times,
            measure,
        });
    }

    pub(crate) fn clear_rules(&self) {
        self.rules().list.clear();
    }

    /// Finds what the rules do to a request; the oldest rule that acts wins.
    pub(crate) fn measure(&self, request: &Request) -> Option<Measure> {
        for rule in &mut self.rules().list {
            if !rule.means.matches(request) || rule.times == Some(0) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            rule.times = rule.times.map(|times| times - 1);
            return Some(rule.measure.clone());
        }
        None
    }

    /// Tells whether a request would be forbidden, without using up a rule.
    pub(crate) fn forbids(&self, request: &Request) -> bool {
        let rules = self.rules();
        rules
            .list
            .iter()
            .any(|rule| rule.measure == Measure::Forbid && rule.means.matches(request))
    }
}
