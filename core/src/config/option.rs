//! What an option is: one row of the table from which accessors and documentation come.

use std::fmt;
use std::marker::PhantomData;

/// One option: its names, type, default, and where and when it takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigOption {
    /// The current name. A part in `<…>` stands for a name that the user chooses, a last part `*` for
    /// any rest.
    pub key: &'static str,
    /// Older names, read if the current one is absent, in this order.
    pub aliases: &'static [&'static str],
    /// The type of its value.
    pub kind: Kind,
    /// The text of the default; `None` if there is none.
    pub default: Option<&'static str>,
    /// Where it can be set.
    pub scope: Scope,
    /// Whether a change takes effect without a restart of the operator.
    pub live: bool,
    /// The first upstream release that has it; `main` means none yet.
    pub since: &'static str,
    /// What it does.
    pub text: &'static str,
}

impl ConfigOption {
    /// Tells whether a key is one of the option's names, placeholders included.
    pub fn is_named(&self, key: &str) -> bool {
        std::iter::once(&self.key)
            .chain(self.aliases)
            .any(|name| matches(name, key))
    }
}

/// Tells whether a key fits a name with placeholders.
fn matches(name: &str, key: &str) -> bool {
    match name.find(['<', '*']) {
        None => name == key,
        Some(at) => {
            let Some(rest) = key.strip_prefix(&name[..at]) else {
                return false;
            };
            let after = match name[at..].find('>') {
                Some(end) if name[at..].starts_with('<') => &name[at + end + 1..],
                _ => return !rest.is_empty(),
            };
            // A chosen name may contain dots: try every place where the rest of the name could start.
            (1..=rest.len())
                .filter(|split| rest.is_char_boundary(*split))
                .any(|split| matches(after, &rest[split..]))
        }
    }
}

/// The type of an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// A decimal number.
    Double,
    /// A number with a unit of time.
    Duration,
    /// A number with a unit of memory.
    MemorySize,
    /// Any text.
    Text,
    /// Texts separated by `;`, or a YAML list.
    List,
    /// `key:value` pairs separated by `,`.
    Map,
    /// Maps separated by `;`.
    Maps,
    /// One of these words, in any case.
    Enum(&'static [&'static str]),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("Boolean"),
            Self::Integer => f.write_str("Integer"),
            Self::Double => f.write_str("Double"),
            Self::Duration => f.write_str("Duration"),
            Self::MemorySize => f.write_str("MemorySize"),
            Self::Text => f.write_str("String"),
            Self::List => f.write_str("List"),
            Self::Map => f.write_str("Map"),
            Self::Maps => f.write_str("List of maps"),
            Self::Enum(words) => write!(f, "one of {}", words.join(", ")),
        }
    }
}

/// Where an option can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The operator's base configuration only.
    Base,
    /// The operator's configuration, also per namespace and Flink version by default prefixes.
    Namespace,
    /// Everywhere, and in `spec.flinkConfiguration` of a resource.
    Resource,
    /// `spec.configuration` of a FlinkBlueGreenDeployment only.
    BlueGreen,
    /// Not the operator's: an option of Flink that the operator reads or writes.
    Flink,
}

/// An option whose values have the Rust type `T`.
///
/// `Configuration::get` and `find` take a key and give the type; there is no other way to read an
/// option, so a name or type cannot be mistaken.
pub struct Key<T> {
    option: ConfigOption,
    of: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    /// Makes a key from its row.
    pub(super) const fn new(option: ConfigOption) -> Self {
        Self {
            option,
            of: PhantomData,
        }
    }

    /// Returns the row of the table.
    pub const fn option(&self) -> &ConfigOption {
        &self.option
    }

    /// Returns the current name.
    pub const fn name(&self) -> &'static str {
        self.option.key
    }
}

impl<T> fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.option.key).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_stand_for_chosen_names() {
        let listener = "kubernetes.operator.plugins.listeners.<name>.class";
        assert!(matches(
            listener,
            "kubernetes.operator.plugins.listeners.mine.class"
        ));
        assert!(matches(
            listener,
            "kubernetes.operator.plugins.listeners.a.b.class"
        ));
        assert!(!matches(
            listener,
            "kubernetes.operator.plugins.listeners.class"
        ));
        assert!(!matches(
            listener,
            "kubernetes.operator.plugins.listeners.mine.clas"
        ));
        assert!(matches("a.<x>.<y>", "a.b.c.d"));
        assert!(!matches("a.<x>.<y>", "a.b"));
        assert!(matches("m.*", "m.x.y"));
        assert!(!matches("m.*", "m."));
        assert!(matches("plain", "plain") && !matches("plain", "plain.x"));
    }
}
