//! The table as a whole.

use std::collections::BTreeSet;

use super::*;
use crate::config::Kind;
use crate::config::check::check;

#[test]
fn every_default_can_be_read() {
    for option in all() {
        if let Some(default) = option.default {
            assert_eq!(check(option.kind, default), Ok(()), "{}", option.key);
        }
    }
}

#[test]
fn every_option_has_one_row_and_a_sentence() {
    let mut seen = BTreeSet::new();
    for option in all() {
        assert!(seen.insert(option.key), "{} twice", option.key);
        assert!(
            option.text.ends_with('.') && !option.text.starts_with(' '),
            "{}",
            option.key
        );
        assert_eq!(named(option.key).map(|found| found.key), Some(option.key));
    }
}

/// Upstream's options: key, type, default (`-` for none), tab separated.
const UPSTREAM: &str = include_str!("upstream.tsv");

/// Options whose upstream default does not apply here; their text says so.
const OTHER_DEFAULT: [&str; 2] = [
    "kubernetes.operator.observer.rest-ready.delay",
    "kubernetes.operator.cluster.resource-view.refresh-interval",
];

#[test]
fn every_upstream_option_is_here_with_its_type_and_default() {
    let mut count = 0;
    for line in UPSTREAM.lines() {
        let [key, kind, default] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let option = of_operator().find(|option| option.key == key);
        let option = option.unwrap_or_else(|| panic!("{key} is missing"));
        match option.kind {
            Kind::Enum(_) => assert_eq!(kind, "Enum", "{key}"),
            other => assert_eq!(other.to_string(), kind, "{key}"),
        }
        if OTHER_DEFAULT.contains(&key) {
            assert_eq!(option.default, None, "{key}");
        } else {
            assert_eq!(option.default.unwrap_or("-"), default, "{key}");
        }
        count += 1;
    }
    assert_eq!(count, 146);
}

#[test]
fn kinds_come_from_types() {
    assert_eq!(RECONCILE_INTERVAL.option().kind, Kind::Duration);
    assert_eq!(
        RESOURCE_DELETION_PROPAGATION.option().kind.to_string(),
        "one of Foreground, Background, Orphan"
    );
    assert_eq!(USER_ARTIFACTS_ALLOWED_SCHEMES.option().kind, Kind::List);
}
