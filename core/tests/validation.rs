//! Every rule is broken by an object of its own, and what is said is compared word by word.
//!
//! `validation/cases.json` holds the objects. The lists of all rules and of all options stand beside the
//! tests, which print what covers what: `cargo test --workspace --test validation -- --nocapture`.

#![allow(clippy::unwrap_used)]

mod validation {
    pub(crate) mod cases;
    pub(crate) mod definitions;
}

use std::collections::BTreeMap;

use operator_core::config::options;

use validation::cases::{Case, Cases};
use validation::definitions::Definitions;

/// Keys that are written for clusters of mode standalone only, as text.
const STANDALONE: [&str; 2] = ["kubernetes.internal.cluster-mode", "pipeline.classpaths"];

#[test]
fn every_broken_object_is_told_all_its_faults_word_by_word() {
    let cases = Cases::read();
    let mut wrong = vec![];
    for case in &cases.all {
        let object = cases.object_of(case);
        let said = case.judge(&object);
        let expected = match &case.unreadable {
            None => case.found.clone().map(Ok),
            Some(part) => match &said {
                Err(error) if error.contains(part) => None,
                Err(_) | Ok(_) => Some(Err(part.clone())),
            },
        };
        if expected.as_ref().is_some_and(|expected| *expected != said) {
            wrong.push(format!(
                "{}: {said:#?}\nbut expected {expected:#?}",
                case.name
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let broken = cases.all.iter().filter(|case| case.is_broken()).count();
    assert!(broken >= 60, "{broken} broken objects");
    println!("{broken} broken objects of {}", cases.all.len());
}

#[test]
fn what_the_definitions_refuse_is_refused_here_in_the_same_words() {
    // Whoever runs without the rules of the definitions, or with those of an older release, hears the same.
    let definitions = Definitions::read();
    let mut count = 0;
    for (case, said) in definitions.refused() {
        let found = case.judge(&case.change).unwrap();
        let told = found
            .iter()
            .any(|text| text.ends_with(&format!(": {said}")));
        assert!(told, "{}: {said:?} is not among {found:#?}", case.name);
        count += 1;
    }
    assert!(count > 40, "{count} objects");
}

#[test]
fn every_rule_has_a_case() {
    let cases = Cases::read();
    let definitions = Definitions::read();
    let mut missing = vec![];
    for rule in &cases.rules {
        let broken: Vec<&Case> = cases
            .all
            .iter()
            .filter(|case| case.is_about(rule))
            .collect();
        let breaks = |case: &&Case| {
            let itself = format!("{rule} ");
            case.unreadable.is_some()
                || case
                    .found
                    .iter()
                    .flatten()
                    .any(|text| text.starts_with(&itself))
        };
        // Rules that stand for others, and one that only says what is not asked.
        let stands = match rule.as_str() {
            "D33" | "S12" | "S13" => broken.iter().any(|case| case.is_broken()),
            "N2" => !broken.is_empty(),
            _ => broken.iter().any(breaks),
        };
        if !stands {
            missing.push(rule);
        }
        let names: Vec<&str> = broken.iter().map(|case| case.name.as_str()).collect();
        let earlier = match definitions.count_of(rule) {
            0 => String::new(),
            count => {
                format!(" [also a rule of the definition: {count} in crds/tests/rules/cases.json]")
            }
        };
        println!("{rule}: {}{earlier}", names.join("; "));
    }
    assert!(missing.is_empty(), "no case breaks {missing:?}");
    let unknown = cases.all.iter().filter_map(|case| case.rule.as_ref());
    for rule in unknown {
        assert!(cases.rules.contains(rule), "{rule} is no rule");
    }
    assert_eq!(cases.rules.len(), 33 + 13 + 4 + 13, "D, S, N and A");
}

#[test]
fn every_option_of_upstream_is_in_the_table() {
    let (mut section, mut missing) = ("", vec![]);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in include_str!("validation/options.txt").lines().skip(1) {
        if let Some(title) = line.strip_prefix("# ") {
            section = title;
        } else if !line.is_empty() {
            *counts.entry(section).or_default() += 1;
            if options::named(line).is_none() && !STANDALONE.contains(&line) {
                missing.push(line);
            }
        }
    }
    assert!(missing.is_empty(), "not in the table: {missing:#?}");
    for (section, count) in &counts {
        println!("{section}: {count} names");
    }
    let names: usize = counts.values().sum();
    assert!(names > 250, "{names} names");
    let all = options::all().count();
    println!("{names} names of upstream found in a table of {all} options");
}
