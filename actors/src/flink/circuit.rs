//! A circuit per resource: a JobManager that hangs delays its own resource only, and not each time.

use crate::clock::Clock;
use dashmap::DashMap;
use operator_core::name::Key;
use std::time::Duration;

/// Calls in a row without an answer in time before the circuit opens.
const PATIENCE: u32 = 2;
/// How long an open circuit waits before it tries one call.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The circuits of all resources that have one open or about to open.
#[derive(Debug)]
pub struct Circuits {
    clock: Clock,
    hung: DashMap<Key, Hung>,
}

#[derive(Clone, Copy, Debug)]
struct Hung {
    times: u32,
    /// When the next call may be tried, by the monotonic clock.
    next_try: Duration,
}

impl Circuits {
    /// Begins with all circuits closed.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            hung: DashMap::new(),
        }
    }

    /// Returns whether the JobManager of a resource may be called now.
    ///
    /// An open circuit lets one caller through after its pause.
    pub fn admits(&self, key: &Key) -> bool {
        let Some(mut hung) = self.hung.get_mut(key) else {
            return true;
        };
        if hung.times < PATIENCE {
            return true;
        }
        let now = self.clock.monotonic();
        if now < hung.next_try {
            return false;
        }
        hung.next_try = now + pause(hung.times);
        true
    }

    /// Notes whether a call was answered in time, with whatever answer.
    pub fn note(&self, key: &Key, answered: bool) {
        if answered {
            self.hung.remove(key);
            return;
        }
        let now = self.clock.monotonic();
        let mut hung = self.hung.entry(key.clone()).or_insert(Hung {
            times: 0,
            next_try: now,
        });
        hung.times = hung.times.saturating_add(1);
        hung.next_try = now + pause(hung.times);
    }

    /// Forgets a resource.
    pub fn forget(&self, key: &Key) {
        self.hung.remove(key);
    }
}

fn pause(times: u32) -> Duration {
    let doublings = times.saturating_sub(PATIENCE).min(4);
    (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
}
