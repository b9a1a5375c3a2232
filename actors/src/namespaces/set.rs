//! Which namespaces are watched.

use std::collections::BTreeSet;
use std::fmt;

/// The value of upstream's option that means all namespaces.
const ALL: &str = "JOSDK_ALL_NAMESPACES";
/// The value of upstream's option that means the operator's own namespace.
const OWN: &str = "JOSDK_WATCH_CURRENT";

/// The namespaces to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamespaceSet {
    /// All of them, and those that are still to come.
    All,
    /// These.
    These(BTreeSet<String>),
}

/// A list of namespaces that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNamespaces {
    /// A name that no namespace can have.
    #[error(
        "\"{0}\" is no name of a namespace: write lower-case letters, digits and -, separated by commas"
    )]
    Name(String),
    /// All namespaces and single ones at the same time.
    #[error(
        "{ALL} stands for all namespaces and cannot be mixed with single ones: write one or the other"
    )]
    Mixed,
}

impl NamespaceSet {
    /// Reads a comma-separated list as upstream writes it; `own` is the operator's own namespace.
    ///
    /// An empty list means all, as an option that is not set does.
    pub fn parse(text: &str, own: &str) -> Result<Self, BadNamespaces> {
        let names: BTreeSet<&str> = text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect();
        if names.is_empty() || (names.len() == 1 && names.contains(ALL)) {
            return Ok(Self::All);
        }
        if names.contains(ALL) {
            return Err(BadNamespaces::Mixed);
        }
        let checked = |name: &str| {
            let name = if name == OWN { own } else { name };
            if is_label(name) {
                Ok(name.to_owned())
            } else {
                Err(BadNamespaces::Name(name.to_owned()))
            }
        };
        names
            .into_iter()
            .map(checked)
            .collect::<Result<_, _>>()
            .map(Self::These)
    }
}

/// Tells whether a text is a DNS label, as names of namespaces are.
fn is_label(name: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    !name.is_empty()
        && name.len() <= 63
        && name.bytes().all(|byte| inside(byte) || byte == b'-')
        && name.bytes().next().is_some_and(inside)
        && name.bytes().last().is_some_and(inside)
}

impl fmt::Display for NamespaceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::These(names) => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                f.write_str(&names.join(", "))
            }
        }
    }
}

/// What one set of watches covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// One namespace, with rights in it.
    One(String),
    /// The whole cluster.
    All,
    /// The whole cluster watched, and only these namespaces kept.
    Kept(BTreeSet<String>),
}

impl Scope {
    /// Names the scope on pages and in metrics.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::One(namespace) => namespace,
            Self::All | Self::Kept(_) => "*",
        }
    }

    /// Returns the namespace to watch; `None` means the whole cluster.
    pub(super) fn namespace(&self) -> Option<&str> {
        match self {
            Self::One(namespace) => Some(namespace),
            Self::All | Self::Kept(_) => None,
        }
    }

    /// Returns whether objects of a namespace belong to the scope.
    pub(super) fn covers(&self, namespace: &str) -> bool {
        match self {
            Self::One(own) => own == namespace,
            Self::All => true,
            Self::Kept(names) => names.contains(namespace),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{BadNamespaces, NamespaceSet};

    fn parse(text: &str) -> Result<String, BadNamespaces> {
        NamespaceSet::parse(text, "flink-system").map(|set| set.to_string())
    }

    #[test]
    fn lists_are_read_as_upstream_writes_them() {
        assert_eq!(parse("").unwrap(), "all");
        assert_eq!(parse("JOSDK_ALL_NAMESPACES").unwrap(), "all");
        assert_eq!(parse("b , a,,b").unwrap(), "a, b");
        assert_eq!(parse("JOSDK_WATCH_CURRENT,a").unwrap(), "a, flink-system");
    }

    #[test]
    fn a_bad_list_says_what_to_write() {
        let mixed = parse("a,JOSDK_ALL_NAMESPACES").unwrap_err();
        assert_eq!(mixed, BadNamespaces::Mixed);
        let name = parse("a, Team_B").unwrap_err();
        assert!(
            name.to_string().contains("\"Team_B\"") && name.to_string().contains("commas"),
            "{name}"
        );
        for bad in ["-a", "a-", "a.b", &"x".repeat(64)] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
