//! A hook through which calls are counted.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::Error;
use crate::route::Route;

/// Is told of every call when it ends.
///
/// Both labels come from closed sets: a [`Route`], and `ok`, `abandoned` or an [`Error::label`].
pub trait Meter: Send + Sync + 'static {
    /// Notes a call; it is called on the hot path and must not block.
    fn finished(&self, route: Route, outcome: &'static str, elapsed: Duration);
}

/// Counts nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMeter;

impl Meter for NoMeter {
    fn finished(&self, _: Route, _: &'static str, _: Duration) {}
}

/// Reports a call exactly once, as `abandoned` if its future is dropped.
pub(crate) struct Stopwatch {
    meter: Arc<dyn Meter>,
    route: Route,
    started: Instant,
    outcome: &'static str,
}

impl Stopwatch {
    pub(crate) fn start(meter: Arc<dyn Meter>, route: Route) -> Self {
        Self {
            meter,
            route,
            started: Instant::now(),
            outcome: "abandoned",
        }
    }

    pub(crate) fn stop<T>(mut self, result: &Result<T, Error>) {
        self.outcome = match result {
            Ok(_) => "ok",
            Err(error) => error.label(),
        };
    }
}

impl Drop for Stopwatch {
    fn drop(&mut self) {
        let elapsed = self.started.elapsed();
        tracing::debug!(route = %self.route, outcome = self.outcome, ?elapsed, "called flink");
        self.meter.finished(self.route, self.outcome, elapsed);
    }
}
