//! Growing pauses between restarts, with a kubelet's numbers.

use std::time::Duration;

/// The first pause.
const FIRST: Duration = Duration::from_secs(10);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// After running this long a container has recovered, and its pauses start again.
const RECOVERED: Duration = Duration::from_secs(10 * 60);

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Returns the pause before the next try of something that never succeeds halfway, such as a pull.
    pub(super) fn after_failure(&mut self) -> Duration {
        self.failures += 1;
        pause(self.failures)
    }

    /// Returns the pause before a container's restart; none after the first end, as kubelets do.
    pub(super) fn after_run(&mut self, ran: Duration) -> Option<Duration> {
        if ran >= RECOVERED {
            self.failures = 0;
        }
        self.failures += 1;
        (self.failures > 1).then(|| pause(self.failures - 1))
    }
}

fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(10);
    (FIRST * 2_u32.pow(doublings)).min(LONGEST)
}

/// Writes a pause as Go does, which is what people know: `10s`, `1m20s`, `5m0s`.
pub(super) fn text(pause: Duration) -> String {
    match (pause.as_secs() / 60, pause.as_secs() % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_slow_down_and_recover() {
        let mut backoff = Backoff::default();
        let short = Duration::from_secs(1);
        let pauses: Vec<_> = (0..8)
            .map(|_| backoff.after_run(short).map_or(0, |pause| pause.as_secs()))
            .collect();
        assert_eq!(pauses, [0, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(backoff.after_run(RECOVERED), None);
    }

    #[test]
    fn failed_pulls_wait_from_the_first_time_on() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.after_failure(), FIRST);
        assert_eq!(text(backoff.after_failure()), "20s");
        assert_eq!(text(LONGEST), "5m0s");
    }
}
