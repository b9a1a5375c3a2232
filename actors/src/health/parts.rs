//! The parts of an instance besides the actors of resources: signs of life, watches, leadership.

use crate::leadership::{Leadership, NotLeader};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// A part that gives signs of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The supervisor of all actors.
    Supervisor,
    /// The watcher of namespaces.
    Watcher,
    /// The leader elector.
    Elector,
}

impl Part {
    /// Returns the word for metrics and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Supervisor => "supervisor",
            Self::Watcher => "watcher",
            Self::Elector => "elector",
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Parts {
    /// The last sign of life of each part, by the monotonic clock.
    pub(super) beats: BTreeMap<Part, Duration>,
    pub(super) draining: bool,
    pub(super) configuration: Option<String>,
    /// Why a resource of a kind that is not carried out cannot be told so.
    pub(super) announcing: Option<String>,
}

impl Parts {
    pub(super) fn late(&self, now: Duration, patience: Duration) -> Vec<Part> {
        let late = |last: &Duration| now.saturating_sub(*last) > patience;
        self.beats
            .iter()
            .filter(|(_, last)| late(last))
            .map(|(part, _)| *part)
            .collect()
    }
}

/// Whether an instance may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It acts.
    Leading,
    /// It keeps its stores warm and waits.
    Standby,
    /// It is ending.
    Stopping,
}

impl Role {
    pub(super) fn of(leadership: &Leadership) -> Self {
        match leadership.permit() {
            Ok(()) => Self::Leading,
            Err(NotLeader::Standby) => Self::Standby,
            Err(NotLeader::Stopping) => Self::Stopping,
        }
    }
}

/// How the watches of one scope stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WatchHealth {
    /// Whether every kind has been listed completely since the watch began.
    pub ready: bool,
    /// What is wrong, by the plural of the kind.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub troubles: BTreeMap<&'static str, Trouble>,
    /// The same for kinds that are not carried out: nothing else depends on these watches.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unannounced: BTreeMap<&'static str, Trouble>,
}

/// What is wrong with a watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// Whether rights are missing.
    pub forbidden: bool,
    /// What the API server said, or what happened to the connection.
    pub message: String,
    /// Since when.
    pub since: Timestamp,
}
