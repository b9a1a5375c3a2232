//! What is particular about built-in kinds: their types, their defaults, and what they refuse.

mod defaults;
mod others;
mod pods;
mod quantity;
mod typed;

use serde_json::Value;

pub(crate) use defaults::complete;
pub(crate) use typed::conform;

use super::kinds::Kind;
use super::violation::Violation;

/// Lists what is wrong with an object of a built-in kind.
pub(crate) fn violations(kind: &Kind, object: &Value) -> Vec<Violation> {
    match (kind.group, kind.kind) {
        ("", "ConfigMap") => others::config_map(object),
        ("", "Event") => others::older_event(object),
        ("", "Pod") => pods::pod(&object["spec"], "spec"),
        ("", "Service") => others::service(object),
        ("apps", "Deployment") => pods::deployment(object),
        ("coordination.k8s.io", "Lease") => others::lease(object),
        ("events.k8s.io", "Event") => others::event(object),
        ("networking.k8s.io", "Ingress") => others::ingress(object),
        _ => Vec::new(),
    }
}

/// Lists changes of an object that nobody may make.
pub(crate) fn update_violations(kind: &Kind, old: &Value, new: &Value) -> Vec<Violation> {
    match (kind.group, kind.kind) {
        ("", "ConfigMap") => others::config_map_change(old, new),
        ("apps", "Deployment") if old["spec"]["selector"] != new["spec"]["selector"] => {
            vec![Violation::invalid(
                "spec.selector",
                &new["spec"]["selector"],
                "field is immutable",
            )]
        }
        _ => Vec::new(),
    }
}
