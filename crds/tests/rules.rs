//! The rules that the definitions carry (`x-kubernetes-validations`): where they stand, what they name,
//! and that each is tried by an object that breaks it.
//!
//! `rules/cases.json` holds those objects with what must be said about them. Only an API server can say
//! it; here it is checked that the cases and the rules are about the same.

#![allow(clippy::unwrap_used)]

mod rules {
    pub(crate) mod cases;
    pub(crate) mod coverage;
    pub(crate) mod found;
}

use std::collections::BTreeMap;

use flink_operator_api::{crds, without_rules};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::ValidationRule;

use rules::cases::{Case, Cases, read_as};
use rules::coverage::{BY_THE_OPERATOR, IN_DEFINITIONS};
use rules::found::{Found, literals, names};

#[test]
fn a_rule_about_a_spec_stands_below_the_root_and_any_other_knows_what_was_before() {
    // An API server asks a rule again only if the part that it stands at has changed; the root always has.
    let found = Found::all();
    assert!(found.len() > 30, "{} rules", found.len());
    for rule in found {
        let compares = rule.rule.rule.contains("oldSelf");
        assert_eq!(
            compares,
            rule.at.is_empty(),
            "{}: {}",
            rule.at,
            rule.rule.rule
        );
        assert!(
            rule.at.is_empty() || rule.at.starts_with("spec"),
            "{}",
            rule.at
        );
        let once = rule.rule.optional_old_self == Some(true);
        assert_eq!(once, rule.rule.rule.starts_with("oldSelf.hasValue() || "));
    }
}

#[test]
fn rules_name_fields_that_exist() {
    let mut named = 0;
    for rule in Found::all() {
        let expressions = [Some(&rule.rule.rule), rule.rule.message_expression.as_ref()];
        for path in expressions
            .into_iter()
            .flatten()
            .flat_map(|text| names(text))
        {
            assert!(
                rule.has_field(&path),
                "{}: no {path} in {}",
                rule.at,
                rule.rule.rule
            );
            named += 1;
        }
        if let Some(field) = &rule.rule.field_path {
            assert!(
                rule.has_field(field.trim_start_matches('.')),
                "{}: no {field}",
                rule.at
            );
        }
    }
    assert!(named > 200, "{named} names were looked up");
}

#[test]
fn a_misspelt_field_would_be_noticed() {
    let rule = &Found::all()[0];
    let names =
        names("has(self.spec.jobs) && oldSelf.status.error.contains('self.x') && self == 1");
    assert_eq!(names, ["spec.jobs", "status.error"]);
    assert!(!rule.has_field("spec.jobs") && rule.has_field("status.error"));
}

#[test]
fn every_message_is_expected_by_a_case_and_every_case_expects_one() {
    let cases = Cases::read();
    let found = Found::all();
    let explains = |rule: &Found, case: &Case| {
        let refused = case.refused.as_ref().and_then(|text| text.split_once(": "));
        refused.is_some_and(|(field, said)| {
            rule.kind == case.kind && rule.blamed() == field && is_message(&rule.rule, said)
        })
    };
    for rule in &found {
        let tried = cases.all.iter().any(|case| explains(rule, case));
        assert!(
            tried,
            "no case breaks {} at {}: {:?}",
            rule.rule.rule, rule.at, rule.rule.message
        );
    }
    for case in &cases.all {
        let by = found.iter().filter(|rule| explains(rule, case)).count();
        assert_eq!(by, usize::from(case.refused.is_some()), "{}", case.name);
    }
}

/// Says whether a text is the message of a rule; of a computed one, whether it has its texts in order.
fn is_message(rule: &ValidationRule, said: &str) -> bool {
    if let Some(text) = &rule.message {
        return said == text;
    }
    let mut rest = said;
    literals(rule.message_expression.as_ref().unwrap())
        .iter()
        .enumerate()
        .all(|(index, part)| {
            let found = rest.split_once(part.as_str());
            rest = found.map_or("", |(_, after)| after);
            found.is_some_and(|(before, _)| index > 0 || before.is_empty())
        })
}

#[test]
fn what_is_refused_is_an_object_that_can_be_read() {
    // Otherwise the schema might refuse it, and the rule would never be asked.
    let cases = Cases::read();
    for case in &cases.all {
        for object in cases.objects_of(case) {
            read_as(&case.kind, &object).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        }
    }
}

#[test]
fn every_rule_of_the_webhook_is_a_rule_here_or_left_to_the_operator() {
    let cases = Cases::read();
    let mut tried: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for case in &cases.all {
        if let Some(rule) = &case.rule {
            tried.entry(rule).or_default().push(&case.name);
        }
    }
    println!("checked by the API server:");
    for number in IN_DEFINITIONS {
        let names = tried
            .remove(number)
            .unwrap_or_else(|| panic!("{number} has no case"));
        println!("  {number}: {}", names.join("; "));
    }
    assert!(
        tried.is_empty(),
        "cases of rules that are not listed: {tried:?}"
    );
    println!("left to the operator:");
    for (number, why) in BY_THE_OPERATOR {
        assert!(
            !IN_DEFINITIONS.contains(&number),
            "{number} is in both lists"
        );
        println!("  {number}: {why}");
    }
    assert_eq!(
        IN_DEFINITIONS.len() + BY_THE_OPERATOR.len(),
        33 + 13 + 4 + 13,
        "D, S, N and A"
    );
}

#[test]
fn the_webhook_has_no_rules_for_blue_green_deployments_and_neither_have_we() {
    assert!(
        Found::all()
            .iter()
            .all(|rule| rule.kind != "FlinkBlueGreenDeployment")
    );
}

#[test]
fn without_rules_everything_else_stays() {
    for crd in crds() {
        let plain = without_rules(crd.clone());
        let text = serde_json::to_string(&plain).unwrap();
        assert!(
            !text.contains("x-kubernetes-validations"),
            "{}",
            crd.spec.names.kind
        );
        let mut with = serde_json::to_value(&crd).unwrap();
        forget(&mut with);
        assert_eq!(serde_json::to_value(&plain).unwrap(), with);
    }
}

fn forget(value: &mut serde_json::Value) {
    if let Some(fields) = value.as_object_mut() {
        fields.remove("x-kubernetes-validations");
        fields.values_mut().for_each(forget);
    }
    if let Some(items) = value.as_array_mut() {
        items.iter_mut().for_each(forget);
    }
}
