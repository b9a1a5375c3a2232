//! What happens to single watch events on their way to a client.

use std::fmt;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::kinds::Kind;
use crate::clock::Moment;

/// What a watch event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventType {
    /// An object is new to this watch.
    Added,
    /// An object changed.
    Modified,
    /// An object left this watch.
    Deleted,
    /// Nothing happened up to here.
    Bookmark,
    /// The watch is over.
    Error,
}

impl EventType {
    /// Gives the word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
            Self::Bookmark => "BOOKMARK",
            Self::Error => "ERROR",
        }
    }
}

/// One event about to reach one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Counts the deliveries of this world from 1.
    pub number: u64,
    /// The client instance.
    pub instance: String,
    /// What it says.
    pub event: EventType,
    /// The kind of the object.
    pub kind: &'static Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its resourceVersion.
    pub version: u64,
    /// When it is about to be delivered.
    pub moment: Moment,
}

/// What becomes of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeliveryAction {
    /// It arrives.
    #[default]
    Deliver,
    /// It never arrives, and the watch goes on as if it had.
    Drop,
    /// It arrives late, and all that follows on this watch behind it.
    Delay(Duration),
    /// The watch ends with 410 Gone instead.
    Expire,
    /// The watch ends without a word instead.
    End,
}

type Hook = Box<dyn FnMut(&Delivery) -> DeliveryAction + Send>;

#[derive(Default)]
struct Inner {
    passed: u64,
    hook: Option<Hook>,
}

/// Counts deliveries and asks what becomes of each.
#[derive(Default)]
pub(crate) struct Deliveries {
    inner: Mutex<Inner>,
}

impl fmt::Debug for Deliveries {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Deliveries")
            .field("passed", &self.count())
            .finish_non_exhaustive()
    }
}

impl Deliveries {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .expect("no hook panics while an event is delivered")
    }

    pub(crate) fn decide_by(&self, hook: impl FnMut(&Delivery) -> DeliveryAction + Send + 'static) {
        self.lock().hook = Some(Box::new(hook));
    }

    pub(crate) fn count(&self) -> u64 {
        self.lock().passed
    }

    pub(crate) fn pass(&self, mut delivery: Delivery) -> DeliveryAction {
        let mut inner = self.lock();
        inner.passed += 1;
        delivery.number = inner.passed;
        inner
            .hook
            .as_mut()
            .map(|hook| hook(&delivery))
            .unwrap_or_default()
    }
}
