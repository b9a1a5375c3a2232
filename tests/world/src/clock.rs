//! The world's clock: tokio's virtual time on a calendar, and one order for all that happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Unit};
use tokio::time::Instant;

/// A reading of the clock; `order` is unique, so that records of different parts can be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Counts every moment of this world.
    pub order: u64,
    /// The virtual time.
    pub at: Timestamp,
}

/// Tells virtual time: a fixed date plus what tokio's clock has advanced since it was made.
///
/// Clones share the order of moments.
#[derive(Clone, Debug)]
pub struct Clock {
    base: Timestamp,
    start: Instant,
    order: Arc<AtomicU64>,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// Starts at the beginning of 2026.
    pub fn new() -> Self {
        Self::starting_at(
            Timestamp::from_second(1_767_225_600).expect("2026 lies within jiff's range"),
        )
    }

    /// Starts at a given date.
    pub fn starting_at(base: Timestamp) -> Self {
        Self {
            base,
            start: Instant::now(),
            order: Arc::new(AtomicU64::new(1)),
        }
    }

    /// Reads the time.
    pub fn now(&self) -> Timestamp {
        let elapsed =
            SignedDuration::try_from(self.elapsed()).expect("virtual time stays within centuries");
        self.base
            .checked_add(elapsed)
            .expect("virtual time stays within jiff's range")
    }

    /// Reads the time and takes the next place in the order of the world.
    pub fn moment(&self) -> Moment {
        Moment {
            order: self.order.fetch_add(1, Ordering::Relaxed),
            at: self.now(),
        }
    }

    /// Tells how much virtual time has passed since the start.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Formats the time as Kubernetes does in metadata: RFC 3339 in whole seconds.
    pub fn stamp(&self) -> String {
        whole_seconds(self.now())
    }
}

/// Formats a time as RFC 3339 in whole seconds, rounded down.
pub fn whole_seconds(at: Timestamp) -> String {
    let rounded = jiff::TimestampRound::new()
        .smallest(Unit::Second)
        .mode(jiff::RoundMode::Floor);
    at.round(rounded)
        .expect("rounding to seconds stays in range")
        .to_string()
}

/// Lets everything that is due now happen: a short virtual sleep.
///
/// Paused time moves only when all tasks are idle, so that after this nothing is left to run.
pub async fn settle() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_moves_with_tokio_and_stamps_are_whole_seconds() {
        let clock = Clock::new();
        assert_eq!(clock.stamp(), "2026-01-01T00:00:00Z");
        tokio::time::sleep(Duration::from_millis(61_900)).await;
        assert_eq!(clock.stamp(), "2026-01-01T00:01:01Z");
        assert_eq!(clock.elapsed(), Duration::from_millis(61_900));
    }

    #[tokio::test(start_paused = true)]
    async fn moments_of_clones_have_one_order() {
        let clock = Clock::new();
        let (first, second) = (clock.moment(), clock.clone().moment());
        assert!(first < second);
        assert_eq!(first.at, second.at);
    }
}
