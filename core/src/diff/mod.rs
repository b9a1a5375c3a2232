//! What changed between two specs, and what that asks for.
//!
//! Fields are compared by value, options after flattening. Every difference has a kind; the largest
//! one decides. Values that may be secrets never appear in the texts made here.

mod compare;

use std::fmt;

use flink_operator_api::{FlinkDeploymentSpec, KubernetesDeploymentMode};
use serde_json::Value;

use crate::config::{REDACTED, flatten, is_sensitive};

/// What a change of a spec asks for, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// Nothing; it takes effect by itself, or at the next deployment.
    Ignore,
    /// Another number of tasks, which may be possible without a restart.
    Scale,
    /// The cluster is stopped and deployed again.
    Upgrade,
    /// The job is cancelled and started from a savepoint that the user names.
    SavepointRedeploy,
}

impl ChangeKind {
    /// Returns upstream's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ignore => "IGNORE",
            Self::Scale => "SCALE",
            Self::Upgrade => "UPGRADE",
            Self::SavepointRedeploy => "SAVEPOINT_REDEPLOY",
        }
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One field or option that differs.
#[derive(Clone, PartialEq)]
pub struct Change {
    /// Path of the field below `spec`, or `flinkConfiguration.` and the key.
    pub path: String,
    /// What was there; null if nothing.
    pub old: Value,
    /// What is there now; null if nothing.
    pub new: Value,
    /// What it asks for.
    pub kind: ChangeKind,
}

impl fmt::Display for Change {
    /// Prints the change as upstream does, without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value| shown(&self.path, value);
        write!(
            f,
            "{} : {} -> {}",
            self.path,
            shown(&self.old),
            shown(&self.new)
        )
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {self}", self.kind)
    }
}

/// The differences of two specs.
#[derive(Clone, Debug, PartialEq)]
pub struct SpecDiff {
    /// The largest kind of all changes.
    pub kind: ChangeKind,
    /// All changes, sorted by path.
    pub changes: Vec<Change>,
}

impl SpecDiff {
    fn of(mut changes: Vec<Change>) -> Self {
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        let kind = changes
            .iter()
            .map(|change| change.kind)
            .max()
            .unwrap_or(ChangeKind::Ignore);
        Self { kind, changes }
    }

    /// Tells whether nothing differs, not even what is ignored.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Returns what changed in upstream's words: the first half of the event `SpecChanged`.
    pub fn summary(&self) -> String {
        format!("{} change(s) detected (Diff: {self})", self.kind)
    }
}

impl fmt::Display for SpecDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changes: Vec<String> = self.changes.iter().map(ToString::to_string).collect();
        write!(f, "FlinkDeploymentSpec[{}]", changes.join(", "))
    }
}

/// Compares a deployed spec with the current one.
///
/// `mode` is that of the resource: what rescaling costs depends on it.
pub fn diff(
    old: &FlinkDeploymentSpec,
    new: &FlinkDeploymentSpec,
    mode: KubernetesDeploymentMode,
) -> SpecDiff {
    let mut changes = compare::fields(old, new, mode);
    changes.extend(options(old, new, mode));
    SpecDiff::of(changes)
}

fn options(
    old: &FlinkDeploymentSpec,
    new: &FlinkDeploymentSpec,
    mode: KubernetesDeploymentMode,
) -> Vec<Change> {
    let old = flatten(&old.flink_configuration.0);
    let new = flatten(&new.flink_configuration.0);
    let mut keys: Vec<&str> = old.iter().chain(new.iter()).map(|(key, _)| key).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter()
        .filter(|key| old.text(key) != new.text(key))
        .map(|key| Change {
            path: format!("flinkConfiguration.{key}"),
            old: old.text(key).into(),
            new: new.text(key).into(),
            kind: compare::kind_of_option(key, mode),
        })
        .collect()
}

/// Prints a value for people: texts as they are, the rest as JSON, long ones cut, secrets hidden.
fn shown(path: &str, value: &Value) -> String {
    const LONGEST: usize = 200;
    let text = match value {
        Value::Null => return "null".to_owned(),
        _ if is_sensitive(path) => return REDACTED.to_owned(),
        Value::String(word) if path == "job.state" => word.to_uppercase(),
        Value::String(word) if path == "job.upgradeMode" => word.to_uppercase().replace('-', "_"),
        Value::String(text) => text.clone(),
        other => without_secrets(other).to_string(),
    };
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Hides values under telling names, and of environment variables with telling names.
fn without_secrets(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let telling_name = object
                .get("name")
                .and_then(Value::as_str)
                .is_some_and(is_sensitive);
            let fields = object.iter().map(|(key, value)| {
                let hide =
                    value.is_string() && (is_sensitive(key) || (telling_name && key == "value"));
                let value = if hide {
                    REDACTED.into()
                } else {
                    without_secrets(value)
                };
                (key.clone(), value)
            });
            Value::Object(fields.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_secrets).collect()),
        scalar => scalar.clone(),
    }
}

#[cfg(test)]
mod tests;
