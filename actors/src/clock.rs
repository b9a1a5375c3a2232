//! Time as the operator sees it: one wall clock and one monotonic clock per instance.

use jiff::Timestamp;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Tells the time. Production reads the machine's clocks, simulation those of its world.
#[derive(Clone)]
pub struct Clock(Arc<dyn flink_rest::Clock>);

impl Clock {
    /// Wraps a source of time.
    pub fn new(source: impl flink_rest::Clock) -> Self {
        Self(Arc::new(source))
    }

    /// Reads the machine's own clocks.
    pub fn system() -> Self {
        Self::new(flink_rest::SystemClock)
    }

    /// Returns the calendar time in whole milliseconds, as people read it and Java stores it; before 1970
    /// or after 9999 it is the epoch.
    pub fn now(&self) -> Timestamp {
        let exact = Timestamp::try_from(self.0.wall()).unwrap_or_default();
        Timestamp::from_millisecond(exact.as_millisecond()).unwrap_or_default()
    }

    /// Returns the calendar time as the standard library has it.
    pub fn wall(&self) -> SystemTime {
        self.0.wall()
    }

    /// Returns a time that is never set back and goes on while the machine sleeps.
    pub fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    /// Shares the source with the client of Flink.
    pub fn source(&self) -> Arc<dyn flink_rest::Clock> {
        Arc::clone(&self.0)
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
