//! What is wrong with a configuration that can still be used: unknown, old and malformed keys.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::ValueError;
use super::option::{ConfigOption, Kind};
use super::value::Value;
use super::{Configuration, DEFAULTS_PREFIX, MemorySize, options};

/// Something about one key that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// No option of the operator has this name.
    Unknown {
        /// The key as written.
        key: String,
        /// The known option whose name is nearest, if any is near.
        nearest: Option<&'static str>,
    },
    /// The option has a newer name.
    Deprecated {
        /// The key as written.
        key: String,
        /// The current name.
        current: &'static str,
    },
    /// The value cannot be read.
    Malformed {
        /// The key as written.
        key: String,
        /// What is wrong and how to write it.
        reason: ValueError,
    },
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown {
                key,
                nearest: Some(nearest),
            } => {
                write!(
                    f,
                    "{key} is not an option of the operator; did you mean {nearest}?"
                )
            }
            Self::Unknown { key, nearest: None } => {
                write!(f, "{key} is not an option of the operator; remove it")
            }
            Self::Deprecated { key, current } => {
                write!(f, "{key} is an old name; write {current} instead")
            }
            Self::Malformed { key, reason } => write!(f, "{key}: {reason}"),
        }
    }
}

/// Looks through the operator's own keys of a configuration, defaults for others included.
pub fn findings(config: &Configuration) -> Vec<Finding> {
    config
        .iter()
        .filter_map(|(key, value)| finding(key, value))
        .collect()
}

fn finding(written: &str, value: &str) -> Option<Finding> {
    let key = defaulted(written).unwrap_or(written);
    if !is_ours(key) {
        return None;
    }
    let key_text = || written.to_owned();
    let Some(option) = options::of_operator().find(|option| option.is_named(key)) else {
        return Some(Finding::Unknown {
            key: key_text(),
            nearest: nearest(key),
        });
    };
    if let Err(reason) = check(option.kind, value) {
        return Some(Finding::Malformed {
            key: key_text(),
            reason,
        });
    }
    option.aliases.contains(&key).then(|| Finding::Deprecated {
        key: key_text(),
        current: option.key,
    })
}

/// Tells whether a key belongs to the operator, so that nobody else could give it a meaning.
fn is_ours(key: &str) -> bool {
    key.starts_with("kubernetes.operator.") || key.starts_with("job.autoscaler.")
}

/// Returns the key for which a default is given: what follows namespace or version.
fn defaulted(key: &str) -> Option<&str> {
    let rest = key.strip_prefix(DEFAULTS_PREFIX)?;
    let rest = rest
        .strip_prefix("namespace.")
        .or_else(|| rest.strip_prefix("flink-version."))?;
    rest.split_once('.').map(|(_, key)| key)
}

/// Checks that a text can be read as a kind of value.
pub(super) fn check(kind: Kind, text: &str) -> Result<(), ValueError> {
    match kind {
        Kind::Boolean => bool::parse(text).map(drop),
        Kind::Integer => i64::parse(text).map(drop),
        Kind::Double => f64::parse(text).map(drop),
        Kind::Duration => <Duration as Value>::parse(text).map(drop),
        Kind::MemorySize => MemorySize::parse(text).map(drop),
        Kind::Text => Ok(()),
        Kind::List => Vec::<String>::parse(text).map(drop),
        Kind::Map => BTreeMap::<String, String>::parse(text).map(drop),
        Kind::Maps => Vec::<BTreeMap<String, String>>::parse(text).map(drop),
        Kind::Enum(words) => words
            .iter()
            .any(|word| word.eq_ignore_ascii_case(text.trim()))
            .then_some(())
            .ok_or_else(|| {
                ValueError::quoting(text, &format!("is not one of {}", words.join(", ")))
            }),
    }
}

/// Finds the known option of the operator whose name is nearest to a key, if it is near enough that
/// a person may have meant it.
pub fn nearest(key: &str) -> Option<&'static str> {
    let limit = (key.len() / 4).clamp(2, 12);
    options::of_operator()
        .flat_map(names)
        .filter(|(name, _)| !name.contains('<'))
        .map(|(name, current)| (distance(key, name), current))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, current)| current)
}

fn names(option: &'static ConfigOption) -> impl Iterator<Item = (&'static str, &'static str)> {
    std::iter::once(option.key)
        .chain(option.aliases.iter().copied())
        .map(|name| (name, option.key))
}

/// Counts the insertions, deletions and replacements that lead from one text to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(key: &str, value: &str) -> Vec<String> {
        let config = [(key, value)].into_iter().collect();
        findings(&config).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_misspelt_key_gets_the_nearest_known_one() {
        assert_eq!(
            found("kubernetes.operator.reconcile.intervall", "15 s"),
            [
                "kubernetes.operator.reconcile.intervall is not an option of the operator; \
              did you mean kubernetes.operator.reconcile.interval?"
            ]
        );
        assert_eq!(
            found("kubernetes.operator.utterly.different.thing", "1"),
            [
                "kubernetes.operator.utterly.different.thing is not an option of the operator; remove it"
            ]
        );
    }

    #[test]
    fn old_names_and_bad_values_are_reported() {
        assert_eq!(
            found("kubernetes.operator.job.health-check.enabled", "true"),
            [
                "kubernetes.operator.job.health-check.enabled is an old name; \
              write kubernetes.operator.cluster.health-check.enabled instead"
            ]
        );
        let messages = found(
            "kubernetes.operator.default-configuration.namespace.a.kubernetes.operator.reconcile.interval",
            "soon",
        );
        assert!(
            messages[0].contains("\"soon\" is not a duration"),
            "{messages:?}"
        );
    }

    #[test]
    fn what_is_right_or_not_ours_is_silent() {
        for (key, value) in [
            ("kubernetes.operator.reconcile.interval", "15 s"),
            (
                "kubernetes.operator.metrics.reporter.slf4j.interval",
                "5 MINUTES",
            ),
            ("kubernetes.operator.plugins.listeners.x.class", "a.B"),
            (
                "kubernetes.operator.default-configuration.flink-version.v1_20.rest.port",
                "9",
            ),
            ("kubernetes.namespace", "x"),
            ("state.backend", "rocksdb"),
            ("job.autoscaler.enabled", "true"),
        ] {
            assert_eq!(found(key, value), [""; 0], "{key}");
        }
    }
}
