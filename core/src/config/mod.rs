//! Configuration: layered text values under dotted keys, and the typed options that give them meaning.
//!
//! A [`Configuration`] is flat and sorted. Files in both of Flink's formats, the JSON of
//! `spec.flinkConfiguration` and the prefixed defaults of the operator's own configuration all become
//! one; [`options`] says what the keys mean. Nothing here reads a file: content comes in as text.

mod check;
pub mod duration;
mod error;
mod flatten;
mod layers;
pub mod legacy;
mod memory_size;
pub mod nested;
pub mod number;
mod option;
pub mod options;
mod redact;
pub mod reference;
mod settings;
pub mod text;
mod value;
mod version;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;

pub use check::{Finding, findings, nearest};
pub use error::{ConfigError, ValueError};
pub use flatten::flatten;
pub use layers::{DEFAULTS_PREFIX, ResourceScope};
pub use memory_size::MemorySize;
pub use option::{ConfigOption, Key, Kind, Scope};
pub use redact::{REDACTED, is_sensitive};
pub use settings::{ConfigDirectory, HostFiles, OperatorSettings};
pub use value::{
    BusyTimeAggregator, CheckpointType, DeletionPropagation, Float32, KeyGroupAdjustMode,
    SavepointFormat, Value,
};
pub use version::Capabilities;

/// Text values under dotted keys, sorted by key.
///
/// Values are kept as they were written; options are read by [`Configuration::get`], which knows old
/// names and defaults. Printing for debugging hides the values of keys that may hold secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Configuration(BTreeMap<String, String>);

impl Configuration {
    /// Returns the text under exactly this key.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Sets a key, replacing what was there.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.insert(key.into(), value.into());
    }

    /// Removes exactly this key and returns its text.
    pub fn remove(&mut self, key: &str) -> Option<String> {
        self.0.remove(key)
    }

    /// Keeps the entries for which the test holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.0.retain(|key, _| keep(key));
    }

    /// Sets all keys of another configuration, replacing what was there.
    pub fn overlay(&mut self, other: &Self) {
        for (key, value) in other.iter() {
            self.set(key, value);
        }
    }

    /// Iterates over keys and texts, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Iterates over the entries whose key starts with a prefix, with the prefix removed.
    pub fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .map_while(move |(key, value)| Some((key.strip_prefix(prefix)?, value.as_str())))
    }

    /// Returns the number of keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the key under which an option is written, its current name before older ones, and the
    /// text there.
    pub fn written<'a>(&'a self, option: &ConfigOption) -> Option<(&'static str, &'a str)> {
        std::iter::once(option.key)
            .chain(option.aliases.iter().copied())
            .find_map(|key| self.text(key).map(|text| (key, text)))
    }

    /// Tells whether an option is set under any of its names.
    pub fn has<T>(&self, key: &Key<T>) -> bool {
        self.written(key.option()).is_some()
    }

    /// Reads an option that may be absent. Its default counts as a value.
    pub fn find<T: Value>(&self, key: &Key<T>) -> Result<Option<T>, ConfigError> {
        let (name, text) = match self.written(key.option()) {
            Some(written) => written,
            None => match key.option().default {
                Some(default) => (key.option().key, default),
                None => return Ok(None),
            },
        };
        let wrong = |reason| ConfigError::Value {
            key: name.to_owned(),
            reason,
        };
        T::parse(text).map(Some).map_err(wrong)
    }

    /// Reads an option that has a default or must be set.
    pub fn get<T: Value>(&self, key: &Key<T>) -> Result<T, ConfigError> {
        self.find(key)?.ok_or(ConfigError::Missing {
            key: key.option().key,
        })
    }

    /// Sets an option in its printed form under its current name.
    pub fn put<T: Value>(&mut self, key: &Key<T>, value: &T) {
        self.set(key.option().key, value.print());
    }

    /// Sets an option unless it is set under any of its names.
    pub fn put_default<T: Value>(&mut self, key: &Key<T>, value: &T) {
        if !self.has(key) {
            self.put(key, value);
        }
    }

    /// Removes an option under all of its names.
    pub fn unset<T>(&mut self, key: &Key<T>) {
        self.remove(key.option().key);
        for alias in key.option().aliases {
            self.remove(alias);
        }
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Configuration {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self(
            entries
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        )
    }
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.iter()
                    .map(|(key, value)| (key, redact::shown(key, value))),
            )
            .finish()
    }
}

#[cfg(test)]
mod tests;
