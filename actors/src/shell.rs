//! Everything that a pass acts through. Passed in; nothing here is global.

use crate::api::Api;
use crate::clock::Clock;
use crate::events::EventSink;
use crate::flink::FlinkAccess;
use crate::ids::IdSource;
use crate::leadership::Leadership;
use crate::stores::Stores;
use operator_core::config::OperatorSettings;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// The imperative shell of one operator instance.
#[derive(Clone)]
pub struct Shell {
    /// The API server.
    pub api: Api,
    /// The JobManagers.
    pub flink: FlinkAccess,
    /// What the watches have seen.
    pub stores: Stores,
    /// The newest good configuration.
    pub settings: watch::Receiver<Arc<OperatorSettings>>,
    /// The time.
    pub clock: Clock,
    /// Random identities.
    pub ids: IdSource,
    /// The right to change anything.
    pub leadership: Leadership,
    /// Where Kubernetes events go.
    pub events: EventSink,
    /// Whether the installed CRD keeps our additive status fields.
    pub crd: CrdSupport,
}

/// What is known about the installed CRDs.
///
/// An older CRD prunes our additive status fields in silence; then nothing is done that relies on them.
#[derive(Clone, Debug, Default)]
pub struct CrdSupport(Arc<Mutex<Support>>);

/// What the last answer said, if there was one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Support {
    #[default]
    Unknown,
    Kept,
    Dropped {
        /// Reading of the monotonic clock.
        seen: Duration,
    },
}

/// How long fields that were dropped count as dropped before somebody asks again.
const BELIEVED: Duration = Duration::from_secs(30);

impl CrdSupport {
    /// Returns whether additive fields were seen to be dropped, and not kept since.
    pub fn is_outdated(&self) -> bool {
        matches!(self.get(), Support::Dropped { .. })
    }

    /// Returns whether additive fields are kept; `None` if that has to be asked, or asked again.
    pub fn keeps(&self, now: Duration) -> Option<bool> {
        match self.get() {
            Support::Unknown => None,
            Support::Kept => Some(true),
            Support::Dropped { seen } => (now.saturating_sub(seen) < BELIEVED).then_some(false),
        }
    }

    /// Notes whether additive fields were kept; returns whether that changes what is known.
    pub fn note(&self, kept: bool, now: Duration) -> bool {
        let was_outdated = self.is_outdated();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = if kept {
            Support::Kept
        } else {
            Support::Dropped { seen: now }
        };
        was_outdated == kept
    }

    fn get(&self) -> Support {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::CrdSupport;
    use std::time::Duration;

    #[test]
    fn an_older_crd_is_asked_again_after_a_while() {
        let crd = CrdSupport::default();
        let at = Duration::from_secs;
        assert_eq!(crd.keeps(at(0)), None, "not known yet");
        assert!(crd.note(false, at(1)), "news");
        assert!(!crd.note(false, at(2)), "no news");
        assert_eq!((crd.keeps(at(31)), crd.keeps(at(32))), (Some(false), None));
        assert!(crd.note(true, at(33)) && !crd.is_outdated());
        assert_eq!(crd.keeps(at(1000)), Some(true), "every write shows it anew");
    }
}
