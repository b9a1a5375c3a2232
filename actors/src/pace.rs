//! When the next pass of a resource may begin: retries after failures, quick tries after conflicts, and
//! the rate limit.

use crate::backoff::Growth;
use crate::pass::{End, PassReport};
use std::collections::VecDeque;
use std::time::Duration;

/// The pauses after conflicts, and after a resource that is gone while the store still shows it: first quick,
/// for the store catches up soon, then patient.
const CONFLICT: Growth = Growth {
    first: Duration::from_millis(100),
    factor: 1.5,
    longest: Duration::from_secs(5),
};
/// The pauses after passes that could not decide.
const UNDECIDED: Growth = Growth {
    first: Duration::from_millis(250),
    factor: 2.0,
    longest: Duration::from_secs(30),
};
/// How often is looked whether somebody has updated the CRD.
const CRD_OUTDATED: Duration = Duration::from_secs(60);
/// The pause after the last try of a series: never stuck, not even then.
const EXHAUSTED: Duration = Duration::from_secs(900);

/// How failures are tried again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    /// The pauses of a series of failures; the first is made twice, as upstream does.
    pub growth: Growth,
    /// Tries of a series at growing pauses; negative means all of them.
    pub attempts: i32,
}

/// How many passes that act or fail may begin within a window; zero switches the limit off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// The window.
    pub window: Duration,
    /// Passes per window.
    pub passes: usize,
}

/// The pace of one resource.
#[derive(Debug)]
pub struct Pace {
    retry: Retry,
    limit: RateLimit,
    /// Times at which passes ended that count for the rate limit, oldest first.
    counted: VecDeque<Duration>,
    trouble: Trouble,
}

/// What the last passes had in common, if it was nothing good, and how many in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    Failing(u32),
    Conflicting(u32),
    Undecided(u32),
    /// The installed CRD drops what would be stored.
    CrdOutdated,
}

/// When to look again, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// The pause; `None` means only when something changes.
    pub after: Option<Duration>,
    /// What is waited for: a closed set.
    pub why: &'static str,
}

impl Next {
    fn after(pause: Duration, why: &'static str) -> Self {
        Self {
            after: Some(pause),
            why,
        }
    }
}

impl Pace {
    /// Begins without any trouble.
    pub fn new(retry: Retry, limit: RateLimit) -> Self {
        Self {
            retry,
            limit,
            counted: VecDeque::new(),
            trouble: Trouble::None,
        }
    }

    /// Returns how many passes in a row have failed.
    pub fn failures(&self) -> u32 {
        match self.trouble {
            Trouble::Failing(times) => times,
            Trouble::None
            | Trouble::Conflicting(_)
            | Trouble::Undecided(_)
            | Trouble::CrdOutdated => 0,
        }
    }

    /// Returns whether the pause before the next pass is meant to be long: a change of the status alone, which
    /// may well be our own, does not shorten it.
    pub fn is_backing_off(&self) -> bool {
        match self.trouble {
            Trouble::Failing(_) | Trouble::Conflicting(_) | Trouble::CrdOutdated => true,
            Trouble::None | Trouble::Undecided(_) => false,
        }
    }

    /// Notes a report at a time of the monotonic clock and says when the next pass is due.
    pub fn after(&mut self, report: &PassReport, now: Duration) -> Next {
        if report.acted || is_failure(&report.end) {
            self.count(now);
        }
        let (trouble, next) = match (&report.end, self.trouble) {
            // What was refused has been taken back or given up: that it will be taken next time is not known.
            (End::Stored, trouble @ Trouble::Failing(_)) => (trouble, planned(report)),
            (End::Quiet | End::Stored | End::Acted | End::NotLeader | End::Unreadable(_), _) => {
                (Trouble::None, planned(report))
            }
            (End::CrdOutdated, _) => (
                Trouble::CrdOutdated,
                Next::after(CRD_OUTDATED, "crd-outdated"),
            ),
            (End::Refused(_) | End::Unknown(_) | End::TimedOut, trouble) => {
                return self.failed(trouble, planned(report));
            }
            (end @ (End::Conflict | End::Gone), trouble) => {
                let times = match trouble {
                    Trouble::Conflicting(times) => times,
                    Trouble::None
                    | Trouble::Failing(_)
                    | Trouble::Undecided(_)
                    | Trouble::CrdOutdated => 0,
                };
                (
                    Trouble::Conflicting(times.saturating_add(1)),
                    Next::after(CONFLICT.pause(times), end.label()),
                )
            }
            (End::Undecided, trouble) => {
                let times = match trouble {
                    Trouble::Undecided(times) => times,
                    Trouble::None
                    | Trouble::Failing(_)
                    | Trouble::Conflicting(_)
                    | Trouble::CrdOutdated => 0,
                };
                (
                    Trouble::Undecided(times.saturating_add(1)),
                    Next::after(UNDECIDED.pause(times), "undecided"),
                )
            }
        };
        self.trouble = trouble;
        next
    }

    /// Notes a pass that panicked.
    pub fn after_panic(&mut self, now: Duration) -> Next {
        self.count(now);
        self.failed(
            self.trouble,
            Next {
                after: None,
                why: "retry",
            },
        )
    }

    /// Returns how long the rate limit holds up a pass that would begin now.
    pub fn held_up(&mut self, now: Duration) -> Duration {
        let RateLimit { window, passes } = self.limit;
        while self
            .counted
            .front()
            .is_some_and(|oldest| *oldest + window <= now)
        {
            self.counted.pop_front();
        }
        match self.counted.front() {
            Some(oldest) if self.counted.len() >= passes => (*oldest + window).saturating_sub(now),
            Some(_) | None => Duration::ZERO,
        }
    }

    fn count(&mut self, now: Duration) {
        if self.limit.passes == 0 {
            return;
        }
        if self.counted.len() >= self.limit.passes {
            self.counted.pop_front();
        }
        self.counted.push_back(now);
    }

    fn failed(&mut self, before: Trouble, planned: Next) -> Next {
        let times = match before {
            Trouble::Failing(times) => times.saturating_add(1),
            Trouble::None
            | Trouble::Conflicting(_)
            | Trouble::Undecided(_)
            | Trouble::CrdOutdated => 1,
        };
        self.trouble = Trouble::Failing(times);
        let Retry { growth, attempts } = self.retry;
        if u32::try_from(attempts).is_ok_and(|attempts| times > attempts) {
            return Next::after(EXHAUSTED.max(growth.first), "retries-exhausted");
        }
        // The first failure follows the plan of its pass: an effect of unknown outcome is looked at soon.
        match planned {
            Next { after: Some(_), .. } if times == 1 => planned,
            // Upstream's factor applies from the third try on.
            Next { .. } => Next::after(growth.pause(times.saturating_sub(2)), "retry"),
        }
    }
}

/// Returns whether a pass failed, so that it is tried again at growing pauses.
pub fn is_failure(end: &End) -> bool {
    match end {
        End::Refused(_) | End::Unknown(_) | End::TimedOut => true,
        End::Quiet
        | End::Stored
        | End::Acted
        | End::Conflict
        | End::CrdOutdated
        | End::Gone
        | End::Undecided
        | End::NotLeader
        | End::Unreadable(_) => false,
    }
}

/// What the decision itself says.
fn planned(report: &PassReport) -> Next {
    let Some(revisit) = &report.revisit else {
        return Next {
            after: None,
            why: "change",
        };
    };
    let after = revisit
        .after
        .map(|delay| Duration::try_from(delay).unwrap_or_default());
    Next {
        after,
        why: revisit.why,
    }
}

#[cfg(test)]
mod tests {
    use super::{Next, Pace, RateLimit, Retry};
    use crate::backoff::Growth;
    use crate::pass::{End, PassReport};
    use operator_core::decision::Revisit;
    use operator_core::fact::Why;
    use std::time::Duration;

    fn pace(attempts: i32) -> Pace {
        let growth = Growth {
            first: secs(5),
            factor: 1.5,
            longest: Duration::MAX,
        };
        Pace::new(
            Retry { growth, attempts },
            RateLimit {
                window: secs(15),
                passes: 3,
            },
        )
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn report(end: End) -> PassReport {
        PassReport {
            end,
            revisit: None,
            acted: false,
            took: Duration::ZERO,
            summary: None,
            written: None,
        }
    }

    fn failure() -> PassReport {
        report(End::Refused(Why::Refused))
    }

    #[test]
    fn failures_are_tried_again_at_upstream_s_pauses() {
        let mut pace = pace(15);
        let pauses: Vec<u128> = (0..5)
            .map(|_| {
                pace.after(&failure(), secs(0))
                    .after
                    .unwrap_or_default()
                    .as_millis()
            })
            .collect();
        assert_eq!(pauses, [5000, 5000, 7500, 11250, 16875]);
        assert_eq!(pace.failures(), 5);
        pace.after(&report(End::Quiet), secs(0));
        assert_eq!(pace.after(&failure(), secs(0)).after, Some(secs(5)));
    }

    #[test]
    fn giving_a_try_up_does_not_begin_the_pauses_anew() {
        let mut pace = pace(15);
        for _ in 0..4 {
            pace.after(&failure(), secs(0));
            pace.after(&report(End::Stored), secs(0));
        }
        assert!(pace.is_backing_off());
        assert_eq!(
            pace.after(&failure(), secs(0)).after,
            Some(Duration::from_millis(16_875))
        );
        pace.after(&report(End::Acted), secs(0));
        assert_eq!(pace.failures(), 0, "what is done is done");
    }

    #[test]
    fn after_all_tries_it_is_looked_at_now_and_then() {
        let mut pace = pace(1);
        assert_eq!(
            pace.after(&failure(), secs(0)),
            Next {
                after: Some(secs(5)),
                why: "retry"
            }
        );
        assert_eq!(
            pace.after(&failure(), secs(0)),
            Next {
                after: Some(secs(900)),
                why: "retries-exhausted"
            }
        );
        let mut endless = super::Pace {
            retry: Retry {
                attempts: -1,
                ..pace.retry
            },
            ..pace
        };
        assert_eq!(endless.after(&failure(), secs(0)).why, "retry");
    }

    #[test]
    fn an_unknown_outcome_is_looked_at_soon_but_only_once() {
        let unknown = PassReport {
            revisit: Some(Revisit::after(
                jiff::SignedDuration::from_millis(500),
                "unknown outcome",
            )),
            ..report(End::Unknown(Why::TimedOut))
        };
        let mut pace = pace(15);
        assert_eq!(
            pace.after(&unknown, secs(0)).after,
            Some(Duration::from_millis(500))
        );
        assert_eq!(pace.after(&unknown, secs(0)).after, Some(secs(5)));
    }

    #[test]
    fn conflicts_are_tried_quickly_at_first() {
        let mut pace = pace(15);
        let pauses: Vec<u128> = (0..5)
            .map(|_| {
                pace.after(&report(End::Conflict), secs(0))
                    .after
                    .unwrap_or_default()
                    .as_millis()
            })
            .collect();
        assert_eq!(pauses, [100, 150, 225, 337, 506]);
        assert_eq!(pace.held_up(secs(0)), secs(0), "a conflict is no failure");
        assert_eq!(pace.failures(), 0);
    }

    #[test]
    fn a_resource_that_is_gone_is_looked_for_at_the_pauses_of_a_conflict() {
        let mut pace = pace(15);
        pace.after(&report(End::Conflict), secs(0));
        assert_eq!(
            pace.after(&report(End::Gone), secs(0)),
            Next {
                after: Some(Duration::from_millis(150)),
                why: "gone"
            }
        );
    }

    #[test]
    fn failures_conflicts_and_an_old_crd_are_backed_off_from() {
        let mut pace = pace(15);
        for end in [
            End::Conflict,
            End::CrdOutdated,
            End::TimedOut,
            End::Unknown(Why::Closed),
        ] {
            pace.after(&report(end.clone()), secs(0));
            assert!(pace.is_backing_off(), "{end:?}");
            pace.after(&report(End::Quiet), secs(0));
            assert!(!pace.is_backing_off(), "after {end:?} and a good pass");
        }
        pace.after(&report(End::Undecided), secs(0));
        assert!(!pace.is_backing_off(), "news may help to decide");
    }

    #[test]
    fn a_good_pass_says_itself_when_it_wants_to_be_looked_at() {
        let quiet = PassReport {
            revisit: Some(Revisit::on_change("at-rest")),
            ..report(End::Quiet)
        };
        assert_eq!(
            pace(15).after(&quiet, secs(0)),
            Next {
                after: None,
                why: "at-rest"
            }
        );
        let negative = PassReport {
            revisit: Some(Revisit::after(jiff::SignedDuration::from_secs(-3), "due")),
            ..report(End::Stored)
        };
        assert_eq!(
            pace(15).after(&negative, secs(0)),
            Next {
                after: Some(secs(0)),
                why: "due"
            }
        );
    }

    #[test]
    fn only_acting_and_failing_passes_count_for_the_rate_limit() {
        let mut pace = pace(15);
        for _ in 0..10 {
            pace.after(&report(End::Stored), secs(100));
        }
        assert_eq!(pace.held_up(secs(100)), secs(0));
        let acting = PassReport {
            acted: true,
            ..report(End::Acted)
        };
        pace.after(&acting, secs(100));
        pace.after(&failure(), secs(104));
        assert_eq!(pace.held_up(secs(104)), secs(0));
        pace.after_panic(secs(105));
        assert_eq!(pace.held_up(secs(105)), secs(10));
        assert_eq!(
            pace.held_up(secs(115)),
            secs(0),
            "the first one is out of the window"
        );
        pace.after(&acting, secs(116));
        assert_eq!(
            pace.held_up(secs(116)),
            secs(3),
            "the second one leaves at 119"
        );
    }

    #[test]
    fn the_rate_limit_can_be_switched_off() {
        let mut pace = Pace {
            limit: RateLimit {
                window: secs(15),
                passes: 0,
            },
            ..pace(15)
        };
        for _ in 0..10 {
            pace.after(&failure(), secs(0));
        }
        assert_eq!(pace.held_up(secs(0)), secs(0));
    }
}
