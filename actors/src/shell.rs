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
use std::sync::atomic::{AtomicBool, Ordering};
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
pub struct CrdSupport(Arc<AtomicBool>);

impl CrdSupport {
    /// Returns whether additive fields were seen to be dropped, and not kept since.
    pub fn is_outdated(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Notes whether additive fields were kept; returns whether that is news.
    pub fn note(&self, outdated: bool) -> bool {
        self.0.swap(outdated, Ordering::Relaxed) != outdated
    }
}
