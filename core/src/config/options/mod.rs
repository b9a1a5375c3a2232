//! Every option in one table: the operator's own, and those of Flink that the operator touches.
//!
//! The constants are what code uses; [`all`] is what documentation, `config explain` and the check
//! for unknown keys use. Both come from the same rows.

mod autoscaler;
mod bluegreen;
mod flink;
mod memory;
mod metrics;
mod operator;
mod resource;

use super::option::ConfigOption;

pub use autoscaler::*;
pub use bluegreen::*;
pub use flink::*;
pub use memory::*;
pub use metrics::*;
pub use operator::*;
pub use resource::*;

/// Lists the operator's own options by scope, in the order of the documentation.
pub fn of_operator() -> impl Iterator<Item = &'static ConfigOption> {
    [
        operator::TABLE,
        resource::TABLE,
        metrics::TABLE,
        bluegreen::TABLE,
        autoscaler::TABLE,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Lists the options of Flink that the operator reads or writes.
pub fn of_flink() -> impl Iterator<Item = &'static ConfigOption> {
    [flink::TABLE, memory::TABLE].into_iter().flatten().copied()
}

/// Lists all options.
pub fn all() -> impl Iterator<Item = &'static ConfigOption> {
    of_operator().chain(of_flink())
}

/// Finds the option that a key names, by its current or an older name.
pub fn named(key: &str) -> Option<&'static ConfigOption> {
    all()
        .find(|option| option.key == key)
        .or_else(|| all().find(|option| option.is_named(key)))
}

/// Declares options as constants and collects their rows in `TABLE`.
macro_rules! options {
    ($(
        $scope:ident $live:ident $prefix:literal {
            $(
                $(#[doc = $text:literal])+
                $name:ident: $type:ty = $key:literal $(| $alias:literal)*, $(default $default:literal,)?
                since $since:literal;
            )+
        }
    )+) => {
        $($(
            $(#[doc = $text])+
            pub static $name: crate::config::Key<$type> =
                crate::config::Key::new(crate::config::ConfigOption {
                    key: concat!($prefix, $key),
                    aliases: &[$(concat!($prefix, $alias),)*],
                    kind: <$type as crate::config::Value>::KIND,
                    default: options!(@default $($default)?),
                    scope: crate::config::Scope::$scope,
                    live: options!(@live $live),
                    since: $since,
                    text: concat!($($text),+).trim_ascii(),
                });
        )+)+

        pub(super) static TABLE: &[&crate::config::ConfigOption] = &[$($($name.option(),)+)+];
    };
    (@default) => { None };
    (@default $default:literal) => { Some($default) };
    (@live live) => { true };
    (@live restart) => { false };
}
use options;

#[cfg(test)]
mod tests;
