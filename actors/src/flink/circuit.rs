//! A circuit per resource: a JobManager that hangs delays its own resource only, and not each time.

use crate::clock::Clock;
use dashmap::DashMap;
use operator_core::fact::JobManagers;
use operator_core::name::Key;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Calls in a row without an answer in time before the circuit opens.
const PATIENCE: u32 = 2;
/// How long an open circuit waits before it tries one call.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// JobManagers that were silent before and are tried at the same time: what is left for the others is not theirs to
/// take, however many they are.
const TRIES: usize = 128;

/// The circuits of all resources that have one open or about to open.
#[derive(Debug)]
pub struct Circuits {
    clock: Clock,
    hung: DashMap<Key, Hung>,
    tries: Arc<Semaphore>,
}

/// The right to call the JobManagers of a resource; given back when it is dropped.
#[derive(Debug)]
pub struct Turn {
    /// Held by the callers of JobManagers that were silent before.
    _one_of_the_tries: Option<OwnedSemaphorePermit>,
}

#[derive(Clone, Debug)]
struct Hung {
    /// The ready JobManagers that did not answer; others are given a chance of their own.
    job_managers: JobManagers,
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
            tries: Arc::new(Semaphore::new(TRIES)),
        }
    }

    /// Lets a caller through to the JobManagers of a resource that are ready, unless its circuit is open.
    ///
    /// An open circuit lets one caller through after its pause, and closes when others are ready. JobManagers that did
    /// not answer last time are called in small numbers only; whoever finds no place comes again with its next look.
    pub fn admits(&self, key: &Key, ready: &JobManagers) -> Option<Turn> {
        self.hung
            .remove_if(key, |_, hung| hung.job_managers != *ready);
        let Some(mut hung) = self.hung.get_mut(key) else {
            return Some(Turn {
                _one_of_the_tries: None,
            });
        };
        let now = self.clock.monotonic();
        let is_open = hung.times >= PATIENCE;
        if is_open && now < hung.next_try {
            return None;
        }
        let place = Arc::clone(&self.tries).try_acquire_owned().ok()?;
        if is_open {
            hung.next_try = now + pause(hung.times);
        }
        Some(Turn {
            _one_of_the_tries: Some(place),
        })
    }

    /// Notes whether a call that began while these were ready was answered in time, with whatever answer.
    pub fn note(&self, key: &Key, ready: &JobManagers, answered: bool) {
        self.hung
            .remove_if(key, |_, hung| answered || hung.job_managers != *ready);
        if answered {
            return;
        }
        let now = self.clock.monotonic();
        let mut hung = self.hung.entry(key.clone()).or_insert_with(|| Hung {
            job_managers: ready.clone(),
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

#[cfg(test)]
mod tests {
    use super::Circuits;
    use crate::clock::Clock;
    use operator_core::fact::JobManagers;
    use operator_core::name::{Key, Kind, Uid};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, SystemTime};

    /// A clock that is set by hand, in seconds.
    #[derive(Clone, Default)]
    struct Hands(Arc<AtomicU64>);

    impl flink_rest::Clock for Hands {
        fn wall(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + self.monotonic()
        }

        fn monotonic(&self) -> Duration {
            Duration::from_secs(self.0.load(Ordering::Relaxed))
        }
    }

    fn circuits() -> (Hands, Circuits) {
        let hands = Hands::default();
        (hands.clone(), Circuits::new(Clock::new(hands)))
    }

    fn key() -> Key {
        named("basic")
    }

    fn named(name: &str) -> Key {
        Key {
            kind: Kind::FlinkDeployment,
            namespace: "default".into(),
            name: name.into(),
        }
    }

    fn ready(restarts: i32) -> JobManagers {
        JobManagers(vec![(Uid::new("pod"), restarts)])
    }

    #[test]
    fn a_circuit_opens_after_two_silences_and_lets_one_caller_through_after_its_pause() {
        let (hands, circuits) = circuits();
        circuits.note(&key(), &ready(0), false);
        assert!(circuits.admits(&key(), &ready(0)).is_some());
        circuits.note(&key(), &ready(0), false);
        assert!(circuits.admits(&key(), &ready(0)).is_none());
        hands.0.store(5, Ordering::Relaxed);
        assert!(circuits.admits(&key(), &ready(0)).is_some());
        assert!(
            circuits.admits(&key(), &ready(0)).is_none(),
            "one is on its way already"
        );
        circuits.note(&key(), &ready(0), true);
        assert!(
            circuits.admits(&key(), &ready(0)).is_some(),
            "it has answered"
        );
    }

    #[test]
    fn a_circuit_does_not_outlive_its_job_manager() {
        let (_, circuits) = circuits();
        for _ in 0..2 {
            circuits.note(&key(), &ready(0), false);
        }
        assert!(circuits.admits(&key(), &ready(0)).is_none());
        assert!(
            circuits.admits(&key(), &ready(1)).is_some(),
            "it has been restarted"
        );
        circuits.note(&key(), &ready(1), false);
        assert!(
            circuits.admits(&key(), &ready(1)).is_some(),
            "the silence of the former one does not count"
        );
    }

    #[test]
    fn many_that_are_silent_leave_the_way_to_the_others_free() {
        let (hands, circuits) = circuits();
        let silent: Vec<Key> = (0..1000)
            .map(|number| named(&format!("silent-{number}")))
            .collect();
        for key in &silent {
            circuits.note(key, &ready(0), false);
        }
        let tried = || {
            let turns = silent.iter().map(|key| circuits.admits(key, &ready(0)));
            turns.collect::<Vec<_>>()
        };
        let turns = tried();
        assert_eq!(turns.iter().flatten().count(), super::TRIES);
        assert!(circuits.admits(&key(), &ready(0)).is_some());
        drop(turns);
        for key in &silent {
            circuits.note(key, &ready(0), false);
        }
        hands.0.store(5, Ordering::Relaxed);
        // Whoever found no place has not used up its try.
        let turns = tried();
        assert_eq!(turns.iter().flatten().count(), super::TRIES);
        drop(turns);
        assert_eq!(tried().iter().flatten().count(), super::TRIES, "others");
    }
}
