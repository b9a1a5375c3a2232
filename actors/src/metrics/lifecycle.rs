//! How long resources stay in life-cycle states, and how long they take from one to another.

use std::collections::BTreeMap;
use std::time::Duration;

/// Transitions that are measured: name, from, to, and whether the time counts from entering `from`; otherwise
/// it counts from the last look at the resource there.
const TRANSITIONS: [Transition; 11] = [
    Transition("Resume", "SUSPENDED", "STABLE", false),
    Transition("Upgrade", "STABLE", "STABLE", false),
    Transition("Suspend", "DEPLOYED", "UPGRADING", false),
    Transition("Suspend", "STABLE", "UPGRADING", false),
    Transition("Suspend", "ROLLED_BACK", "UPGRADING", false),
    Transition("Suspend", "DEPLOYED", "SUSPENDED", false),
    Transition("Suspend", "STABLE", "SUSPENDED", false),
    Transition("Suspend", "ROLLED_BACK", "SUSPENDED", false),
    Transition("Stabilization", "DEPLOYED", "STABLE", true),
    Transition("Rollback", "DEPLOYED", "ROLLED_BACK", true),
    Transition("Submission", "UPGRADING", "DEPLOYED", false),
];
/// One more that ends where a rollback does.
const ROLLBACK_SUBMISSION: Transition =
    Transition("Submission", "ROLLING_BACK", "ROLLED_BACK", false);
/// States in which earlier ones are forgotten.
const TERMINAL: [&str; 5] = ["SUSPENDED", "STABLE", "ROLLED_BACK", "FAILED", "DELETED"];
/// The names of all transitions.
pub(super) const NAMES: [&str; 6] = [
    "Resume",
    "Upgrade",
    "Suspend",
    "Stabilization",
    "Rollback",
    "Submission",
];

struct Transition(&'static str, &'static str, &'static str, bool);

/// Something measured when a resource enters a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measured {
    /// It was in a state for so many whole seconds.
    State(&'static str, u64),
    /// A transition took so many whole seconds.
    Transition(&'static str, u64),
}

/// The states that one resource is remembered to have been in.
#[derive(Debug, Default)]
pub(super) struct Track {
    current: Option<&'static str>,
    /// By state: when it was entered, and when the resource was last seen in it, by the monotonic clock.
    times: BTreeMap<&'static str, (Duration, Duration)>,
}

impl Track {
    /// Notes that the resource is in a state; returns what is measured by that.
    pub(super) fn see(&mut self, state: &'static str, now: Duration) -> Vec<Measured> {
        if self.current == Some(state) {
            if let Some((_, last)) = self.times.get_mut(state) {
                *last = now;
            }
            return Vec::new();
        }
        let mut measured = Vec::new();
        for Transition(name, from, to, from_entry) in
            TRANSITIONS.iter().chain([&ROLLBACK_SUBMISSION])
        {
            if *to == state
                && let Some((entered, last)) = self.times.get(from)
            {
                let since = if *from_entry { *entered } else { *last };
                measured.push(Measured::Transition(
                    name,
                    now.saturating_sub(since).as_secs(),
                ));
            }
        }
        let left = self.current.replace(state);
        let terminal = TERMINAL.contains(&state);
        let keep = |known: &str| match state {
            "UPGRADING" => left == Some(known),
            _ if terminal => false,
            _ => known != state,
        };
        self.times.retain(|known, (entered, last)| {
            let keep = keep(known);
            if !keep {
                measured.push(Measured::State(
                    known,
                    last.saturating_sub(*entered).as_secs(),
                ));
            }
            keep
        });
        self.times.insert(state, (now, now));
        measured
    }
}

#[cfg(test)]
mod tests {
    use super::{Measured, NAMES, TRANSITIONS, Track};
    use std::time::Duration;

    fn walk(steps: &[(&'static str, u64)]) -> Vec<Measured> {
        let mut track = Track::default();
        steps
            .iter()
            .flat_map(|(state, at)| track.see(state, Duration::from_secs(*at)))
            .collect()
    }

    #[test]
    fn an_upgrade_is_measured_from_the_last_look_at_the_stable_resource() {
        let steps = [
            ("STABLE", 0),
            ("STABLE", 100),
            ("UPGRADING", 101),
            ("DEPLOYED", 105),
            ("STABLE", 112),
        ];
        let measured = walk(&steps);
        assert!(
            measured.contains(&Measured::Transition("Suspend", 1)),
            "{measured:?}"
        );
        assert!(measured.contains(&Measured::Transition("Submission", 4)));
        assert!(measured.contains(&Measured::Transition("Stabilization", 7)));
        assert!(measured.contains(&Measured::Transition("Upgrade", 12)));
        assert!(measured.contains(&Measured::State("STABLE", 100)));
    }

    #[test]
    fn suspending_forgets_what_was_before() {
        let measured = walk(&[
            ("STABLE", 0),
            ("UPGRADING", 5),
            ("SUSPENDED", 9),
            ("STABLE", 60),
        ]);
        assert!(
            measured.contains(&Measured::Transition("Suspend", 9)),
            "{measured:?}"
        );
        assert!(measured.contains(&Measured::Transition("Resume", 51)));
        assert!(
            !measured
                .iter()
                .any(|one| matches!(one, Measured::Transition("Upgrade", _)))
        );
    }

    #[test]
    fn upgrading_keeps_only_the_state_just_left() {
        let measured = walk(&[
            ("STABLE", 0),
            ("DEPLOYED", 1),
            ("UPGRADING", 2),
            ("STABLE", 3),
        ]);
        assert!(
            !measured
                .iter()
                .any(|one| matches!(one, Measured::Transition("Upgrade", _))),
            "{measured:?}"
        );
        assert!(
            TRANSITIONS
                .iter()
                .all(|transition| NAMES.contains(&transition.0))
        );
    }
}
