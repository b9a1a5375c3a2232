//! The right to change something, which runs out.
//!
//! Flink's calls carry no version that would make a late one fail. So each call that changes
//! something holds a [`Permit`], looked at twice: when the call begins, and again when the
//! connection takes the request's body, after connecting and after any suspension of the process.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Says why a change may not be sent (any more).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Its time is over.
    #[error("its time ran out {late_by:?} ago")]
    Expired {
        /// By how much it is late, by the clock that says the most.
        late_by: Duration,
    },
    /// Another instance may be leading by now.
    #[error("this instance does not lead")]
    NotLeader,
    /// This instance was told to stop.
    #[error("this instance is stopping")]
    Stopping,
}

/// Tells the time in the two ways that a deadline needs.
pub trait Clock: Send + Sync + 'static {
    /// Reads the calendar; it may be set back or forth by somebody.
    fn wall(&self) -> SystemTime;

    /// Reads a clock that is never set and that goes on while the machine sleeps.
    ///
    /// Only differences mean anything.
    fn monotonic(&self) -> Duration;
}

/// The machine's own clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    #[cfg(target_os = "linux")]
    fn monotonic(&self) -> Duration {
        use nix::time::{ClockId, clock_gettime};
        // `Instant` stands still during suspension; a request of before it must not pass for fresh.
        clock_gettime(ClockId::CLOCK_BOOTTIME)
            .expect("CLOCK_BOOTTIME exists since Linux 2.6.39")
            .into()
    }

    #[cfg(not(target_os = "linux"))]
    fn monotonic(&self) -> Duration {
        nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
            .expect("CLOCK_MONOTONIC is part of POSIX")
            .into()
    }
}

type Guard = dyn Fn() -> Result<(), Denied> + Send + Sync;

/// The right to send changes until a point in time, while a guard agrees.
#[derive(Clone)]
pub struct Permit {
    clock: Arc<dyn Clock>,
    not_after: SystemTime,
    monotonic_not_after: Duration,
    guard: Arc<Guard>,
}

impl Permit {
    /// Grants the right until `not_after`, while `guard` (leadership) agrees.
    ///
    /// What is left by the wall clock now is what counts on the monotonic clock later: setting the
    /// wall clock back does not prolong the right.
    pub fn until(
        clock: Arc<dyn Clock>,
        not_after: SystemTime,
        guard: impl Fn() -> Result<(), Denied> + Send + Sync + 'static,
    ) -> Self {
        let left = not_after.duration_since(clock.wall()).unwrap_or_default();
        let monotonic_not_after = clock.monotonic().saturating_add(left);
        Self {
            clock,
            not_after,
            monotonic_not_after,
            guard: Arc::new(guard),
        }
    }

    /// Gives the last moment at which a request may leave.
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// Says whether a request may leave now.
    pub fn check(&self) -> Result<(), Denied> {
        let late_by_wall = self
            .clock
            .wall()
            .duration_since(self.not_after)
            .unwrap_or_default();
        let late_by_monotonic = self
            .clock
            .monotonic()
            .saturating_sub(self.monotonic_not_after);
        let late_by = late_by_wall.max(late_by_monotonic);
        if !late_by.is_zero() {
            return Err(Denied::Expired { late_by });
        }
        (self.guard)()
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    struct Hands(Mutex<(SystemTime, Duration)>);

    impl Hands {
        fn at(seconds: u64) -> Arc<Self> {
            let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            Arc::new(Self(Mutex::new((wall, Duration::from_secs(1000)))))
        }

        fn turn(&self, wall: i64, monotonic: u64) {
            let mut now = self.0.lock().unwrap();
            let by = Duration::from_secs(wall.unsigned_abs());
            now.0 = if wall < 0 { now.0 - by } else { now.0 + by };
            now.1 += Duration::from_secs(monotonic);
        }
    }

    impl Clock for Hands {
        fn wall(&self) -> SystemTime {
            self.0.lock().unwrap().0
        }

        fn monotonic(&self) -> Duration {
            self.0.lock().unwrap().1
        }
    }

    fn until(clock: &Arc<Hands>, seconds: u64) -> Permit {
        let not_after = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        Permit::until(clock.clone(), not_after, || Ok(()))
    }

    fn late(seconds: u64) -> Result<(), Denied> {
        Err(Denied::Expired {
            late_by: Duration::from_secs(seconds),
        })
    }

    #[test]
    fn holds_up_to_its_last_moment() {
        let clock = Hands::at(100);
        let permit = until(&clock, 110);
        clock.turn(10, 10);
        assert_eq!(permit.check(), Ok(()));
        clock.turn(1, 1);
        assert_eq!(permit.check(), late(1));
    }

    #[test]
    fn a_wall_clock_set_back_does_not_prolong_it() {
        let clock = Hands::at(100);
        let permit = until(&clock, 110);
        clock.turn(-3600, 11);
        assert_eq!(permit.check(), late(1));
    }

    #[test]
    fn a_wall_clock_set_forth_ends_it() {
        let clock = Hands::at(100);
        let permit = until(&clock, 110);
        clock.turn(3600, 0);
        assert_eq!(permit.check(), late(3590));
    }

    #[test]
    fn a_permit_of_the_past_never_holds() {
        let clock = Hands::at(100);
        assert_eq!(until(&clock, 90).check(), late(10));
    }

    #[test]
    fn the_guard_is_asked_each_time() {
        let clock = Hands::at(100);
        let leads = Arc::new(AtomicBool::new(true));
        let asked = leads.clone();
        let not_after = clock.wall() + Duration::from_secs(5);
        let permit = Permit::until(clock, not_after, move || {
            if asked.load(Ordering::SeqCst) {
                Ok(())
            } else {
                Err(Denied::NotLeader)
            }
        });
        assert_eq!(permit.check(), Ok(()));
        leads.store(false, Ordering::SeqCst);
        assert_eq!(permit.check(), Err(Denied::NotLeader));
    }

    #[test]
    fn the_machines_monotonic_clock_goes_forth() {
        let before = SystemClock.monotonic();
        assert!(before > Duration::ZERO && SystemClock.monotonic() >= before);
    }
}
