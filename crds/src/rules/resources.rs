//! Rules for requests and limits of JobManager and TaskManagers.
//!
//! Only amounts that every reader understands alike are judged. The others are the operator's business:
//! memory may be written in Flink's way, in which `m` is not a thousandth.

use super::Rule;

/// The sections of requirements.
const SECTIONS: [&str; 2] = ["requests", "limits"];

/// Returns the rules for the requirements of a component, all under one number.
pub(super) fn rules(component: &str, at: &str, number: &'static str) -> Vec<Rule> {
    let mut rules = vec![];
    for section in SECTIONS {
        // Zero is zero in every way of writing memory; a negative number is none in Flink's.
        rules.push(bounded(
            component,
            at,
            number,
            section,
            "memory",
            "!=",
            "must be positive",
        ));
        rules.push(bounded(
            component,
            at,
            number,
            section,
            "cpu",
            ">",
            "must be positive",
        ));
        rules.push(bounded(
            component,
            at,
            number,
            section,
            "ephemeral-storage",
            ">=",
            "must not be negative",
        ));
    }
    rules.push(request_within_limit(
        component,
        at,
        number,
        "cpu",
        "isQuantity({})",
    ));
    rules.push(request_within_limit(
        component,
        at,
        number,
        "memory",
        "{}.matches('^[0-9]+(Ki|Mi|Gi|Ti)$')",
    ));
    rules
}

/// An amount in one section that must hold against zero.
fn bounded(
    component: &str,
    at: &str,
    number: &'static str,
    section: &str,
    name: &str,
    holds: &str,
    otherwise: &str,
) -> Rule {
    let is_there = format!("has(self.{section}) && '{name}' in self.{section}");
    let amount = format!("string(self.{section}['{name}'])");
    Rule::computed(
        number,
        at,
        format!(
            "!({is_there} && isQuantity({amount}) && !(quantity({amount}).compareTo(quantity('0')) {holds} 0))"
        ),
        format!("'{component} resource requirements {section} {name} {otherwise}: ' + {amount}"),
    )
}

/// A request that must not be above the limit of the same name; `reads` says of `{}` which texts are
/// compared.
fn request_within_limit(
    component: &str,
    at: &str,
    number: &'static str,
    name: &str,
    reads: &str,
) -> Rule {
    let [request, limit] = SECTIONS.map(|section| format!("string(self.{section}['{name}'])"));
    let is_there = SECTIONS
        .map(|section| format!("has(self.{section}) && '{name}' in self.{section}"))
        .join(" && ");
    let comparable = [&request, &limit]
        .map(|amount| reads.replace("{}", amount))
        .join(" && ");
    Rule::computed(
        number,
        at,
        format!(
            "!({is_there} && {comparable} && quantity({request}).isGreaterThan(quantity({limit})))"
        ),
        format!(
            "'{component} resource requirements {name} request (' + {request} + ') must not exceed its limit (' + {limit} + ')'"
        ),
    )
}
