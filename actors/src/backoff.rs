//! Growing pauses between tries, and the one place that uses the crate `backoff`.
//!
//! The crate is unmaintained, so only its sequence of delays is taken. Jitter is ours: it comes from the
//! instance, so that a simulation repeats itself.

use backoff::SystemClock;
use backoff::backoff::Backoff as _;
use backoff::exponential::ExponentialBackoff;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The longest pause that is ever made: no sequence grows past it.
const CEILING: Duration = Duration::from_secs(3600);

/// How pauses grow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// The first pause.
    pub first: Duration,
    /// The factor from one pause to the next.
    pub factor: f64,
    /// The longest pause.
    pub longest: Duration,
}

impl Growth {
    /// Returns the pause after `times` tries: the first one after none.
    pub fn pause(self, times: u32) -> Duration {
        // Past these many, every growth has reached its longest pause or stands still.
        let times = usize::try_from(times.min(200)).unwrap_or(200);
        Delays::new(self).nth(times).unwrap_or(self.longest)
    }
}

/// A sequence of pauses that never ends.
pub struct Delays {
    inner: ExponentialBackoff<SystemClock>,
    jitter: Option<Jitter>,
}

impl Delays {
    /// Begins a sequence.
    pub fn new(growth: Growth) -> Self {
        let first = growth.first.min(CEILING);
        let longest = growth.longest.clamp(first, CEILING.max(first));
        let inner = ExponentialBackoff {
            current_interval: first,
            initial_interval: first,
            randomization_factor: 0.0,
            multiplier: growth.factor.max(1.0),
            max_interval: longest,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        Self {
            inner,
            jitter: None,
        }
    }

    /// Spreads the pauses, so that many waiting for the same thing don't come at once.
    #[must_use]
    pub fn spread(self, jitter: Jitter) -> Self {
        Self {
            jitter: Some(jitter),
            ..self
        }
    }

    /// Returns the next pause.
    pub fn pause(&mut self) -> Duration {
        let pause = self.inner.next_backoff().unwrap_or(self.inner.max_interval);
        self.jitter
            .as_ref()
            .map_or(pause, |jitter| jitter.spread(pause))
    }
}

impl Iterator for Delays {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.pause())
    }
}

impl kube::runtime::utils::Backoff for Delays {
    fn reset(&mut self) {
        self.inner.reset();
    }
}

impl fmt::Debug for Delays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delays")
            .field("current", &self.inner.current_interval)
            .finish_non_exhaustive()
    }
}

/// Randomness for pauses, one per instance; clones draw from the same sequence.
#[derive(Clone, Debug)]
pub struct Jitter(Arc<AtomicU64>);

impl Jitter {
    /// Begins from a seed: the same seed gives the same pauses.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seed)))
    }

    /// Changes a pause by up to a fifth in both directions.
    pub fn spread(&self, pause: Duration) -> Duration {
        // The finalizer of SplitMix64 spreads a counter over the whole range.
        let z = self
            .0
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
            .wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let permille = u32::try_from((z >> 33) % 401).unwrap_or_default();
        pause.saturating_mul(800 + permille) / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::{Delays, Growth, Jitter};
    use std::time::Duration;

    fn growth(longest: u64) -> Growth {
        Growth {
            first: Duration::from_secs(2),
            factor: 2.0,
            longest: Duration::from_secs(longest),
        }
    }

    #[test]
    fn pauses_grow_up_to_the_longest_and_begin_anew() {
        let mut delays = Delays::new(growth(9));
        let seconds: Vec<u64> = delays
            .by_ref()
            .take(5)
            .map(|pause| pause.as_secs())
            .collect();
        assert_eq!(seconds, [2, 4, 8, 9, 9]);
        assert_eq!(growth(9).pause(1), Duration::from_secs(4));
        assert_eq!(growth(9).pause(1000), Duration::from_secs(9));
        kube::runtime::utils::Backoff::reset(&mut delays);
        assert_eq!(delays.pause(), Duration::from_secs(2));
    }

    #[test]
    fn a_factor_below_one_and_a_first_pause_above_the_longest_do_no_harm() {
        let odd = Growth {
            first: Duration::from_secs(20),
            factor: 0.1,
            longest: Duration::from_secs(1),
        };
        let mut delays = Delays::new(odd);
        assert_eq!(delays.pause(), Duration::from_secs(20));
        assert_eq!(delays.pause(), Duration::from_secs(20));
    }

    #[test]
    fn jitter_repeats_with_its_seed_and_stays_within_a_fifth() {
        let draw = |seed| {
            let jitter = Jitter::seeded(seed);
            (0..100)
                .map(|_| jitter.spread(Duration::from_secs(10)))
                .collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!(
            draw(3)
                .iter()
                .all(|pause| (8..=12).contains(&pause.as_secs()))
        );
    }
}
