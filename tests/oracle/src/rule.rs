//! Rules and what breaks them.

use std::fmt;

use crate::history::{History, Moment};
use crate::timeline::Timeline;
use crate::{calm, deletions, deploys, runs, stops, stored};

/// One promise, and how to find out that it was broken.
pub struct Rule {
    /// Short name, for test output and for asking after one rule.
    pub id: &'static str,
    /// The invariant of the design that it belongs to.
    pub invariant: u8,
    /// The promise in one sentence.
    pub says: &'static str,
    pub(crate) check: fn(&Timeline<'_>) -> Vec<Finding>,
}

impl fmt::Debug for Rule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({}): {}", self.id, self.invariant, self.says)
    }
}

/// What a check found, before it is known by which rule.
pub(crate) struct Finding {
    pub(crate) at: Moment,
    pub(crate) resource: String,
    pub(crate) what: String,
}

impl Finding {
    pub(crate) fn new(at: Moment, namespace: &str, name: &str, what: impl Into<String>) -> Self {
        Self {
            at,
            resource: format!("{namespace}/{name}"),
            what: what.into(),
        }
    }
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule's id.
    pub rule: &'static str,
    /// When it was broken.
    pub at: Moment,
    /// Namespace and name of the resource.
    pub resource: String,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} broken by {} at {} (#{}): {}",
            self.rule, self.resource, self.at.at, self.at.order, self.what
        )
    }
}

/// Lists all rules.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    [
        runs::RULES,
        deploys::RULES,
        deletions::RULES,
        stored::RULES,
        stops::RULES,
        calm::RULES,
    ]
    .into_iter()
    .flatten()
}

/// Judges a history by all rules; violations come in the order in which they happened.
pub fn judge(history: &History) -> Vec<Violation> {
    let timeline = Timeline::new(history);
    let mut violations: Vec<Violation> = rules()
        .flat_map(|rule| {
            (rule.check)(&timeline)
                .into_iter()
                .map(|finding| Violation {
                    rule: rule.id,
                    at: finding.at,
                    resource: finding.resource,
                    what: finding.what,
                })
        })
        .collect();
    violations.sort_by_key(|violation| violation.at);
    violations
}

/// Compares two plays of the same plan: same inputs must give the same bytes (invariant 7).
///
/// Gives the first difference in what the operator sent.
pub fn first_difference(one: &History, other: &History) -> Option<String> {
    let differs = one.requests.iter().zip(&other.requests).find(|(a, b)| {
        (
            a.verb,
            &a.resource,
            &a.subresource,
            &a.namespace,
            &a.name,
            &a.body,
        ) != (
            b.verb,
            &b.resource,
            &b.subresource,
            &b.namespace,
            &b.name,
            &b.body,
        )
    });
    if let Some((a, b)) = differs {
        return Some(format!(
            "request #{} {:?} {} {} against {:?} {} {}",
            a.moment.order, a.verb, a.resource, a.name, b.verb, b.resource, b.name
        ));
    }
    if one.requests.len() != other.requests.len() {
        return Some(format!(
            "{} requests against {}",
            one.requests.len(),
            other.requests.len()
        ));
    }
    let differs = one
        .calls
        .iter()
        .zip(&other.calls)
        .find(|(a, b)| (&a.method, &a.path, &a.body) != (&b.method, &b.path, &b.body));
    if let Some((a, b)) = differs {
        return Some(format!(
            "call {} {} against {} {}",
            a.method, a.path, b.method, b.path
        ));
    }
    (one.calls.len() != other.calls.len())
        .then(|| format!("{} calls against {}", one.calls.len(), other.calls.len()))
}
