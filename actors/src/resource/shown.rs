//! What the health registry shows of a pass: how it ended, and what its resource waits for.

use crate::health::{ActorHealth, LastPass, Waiting};
use crate::pass::{End, PassReport, Summary, Waits};
use jiff::Timestamp;
use std::time::Duration;

/// Shows what came of a pass that ended now; no report means that it panicked.
pub(super) fn pass(
    actor: &mut ActorHealth,
    report: Option<&PassReport>,
    failures: u32,
    now: Timestamp,
) {
    let (outcome, detail, took) = match report {
        Some(report) => (report.end.label(), detail(&report.end), report.took),
        None => ("panicked", None, Duration::ZERO),
    };
    let stall = match report {
        Some(report) => stall(&report.end),
        None => Some((
            "PassFails",
            "the pass panicked; this is a bug in the operator: see its log".to_owned(),
        )),
    };
    let stall = stall.map(|(reason, message)| Waiting {
        reason: reason.to_owned(),
        message,
        since: now,
    });
    actor.stalled = stall.map(|stall| stall.instead_of(actor.stalled.as_ref()));
    actor.passes += 1;
    actor.consecutive_failures = failures;
    actor.last_pass = Some(LastPass {
        ended: now,
        took_seconds: took,
        outcome,
        detail,
    });
    if let Some(summary) = report.and_then(|report| report.summary.as_ref()) {
        state(actor, summary, now);
    }
}

fn state(actor: &mut ActorHealth, summary: &Summary, now: Timestamp) {
    let is_new = actor.lifecycle.is_none();
    actor.lifecycle = summary.lifecycle;
    actor.job_manager = summary.job_manager;
    actor.job = summary.job;
    let waiting = |waits: &Waits| Waiting {
        reason: waits.reason.clone(),
        message: waits.message.clone(),
        // A condition keeps its time when only its reason changes; a reason that was seen to begin has its own.
        since: waits.since.filter(|_| is_new).unwrap_or(now),
    };
    let waiting = summary.waiting.as_ref().map(waiting);
    actor.waiting = waiting.map(|waiting| waiting.instead_of(actor.waiting.as_ref()));
}

/// Says more about an end that is not good.
pub(super) fn detail(end: &End) -> Option<String> {
    match end {
        End::Refused(why) | End::Unknown(why) => Some(why.to_string()),
        End::Unreadable(broken) => Some(broken.to_string()),
        End::TimedOut => Some("the deadline of the pass went by".to_owned()),
        End::CrdOutdated => Some("the installed CRD drops status fields".to_owned()),
        End::Quiet
        | End::Stored
        | End::Acted
        | End::Conflict
        | End::Gone
        | End::Undecided
        | End::NotLeader => None,
    }
}

/// Says what has to be different before a pass can end well: a word of a closed set, and a sentence.
fn stall(end: &End) -> Option<(&'static str, String)> {
    let (reason, message) = match end {
        End::Quiet | End::Stored | End::Acted => return None,
        End::Refused(why) => ("PassFails", format!("a request was refused: {why}")),
        End::Unknown(why) => ("PassFails", format!("a request may have failed: {why}")),
        End::TimedOut => ("PassFails", "the deadline of the pass went by".to_owned()),
        End::Conflict => (
            "Conflict",
            "somebody else wrote the resource at the same time; it is looked at again".to_owned(),
        ),
        End::Gone => (
            "Gone",
            "the resource is gone; the watch has not told so yet".to_owned(),
        ),
        End::Undecided => (
            "Undecided",
            "what was asked for changed while it was looked at; it is looked at again".to_owned(),
        ),
        End::NotLeader => (
            "NotLeader",
            "this instance does not lead; the one that does acts".to_owned(),
        ),
        End::CrdOutdated => (
            "CrdOutdated",
            "the installed CRD drops status fields without which nothing is deployed or stopped; run `flink-operator crds apply`"
                .to_owned(),
        ),
        End::Unreadable(broken) => (
            "StatusUnreadable",
            format!("the stored status cannot be read, so that nothing is done: {broken}"),
        ),
    };
    Some((reason, message))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::pass;
    use crate::health::ActorHealth;
    use crate::pass::{End, PassReport, Summary, Waits};
    use jiff::Timestamp;
    use operator_core::fact::Why;
    use std::time::Duration;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn report(end: End, waits: Option<&str>) -> PassReport {
        let waits = waits.map(|reason| Waits {
            reason: reason.to_owned(),
            message: "a sentence".to_owned(),
            since: Some(at(1)),
        });
        let summary = Summary {
            lifecycle: Some("DEPLOYED"),
            waiting: waits,
            ..Summary::default()
        };
        PassReport {
            end,
            revisit: None,
            acted: false,
            took: Duration::ZERO,
            summary: Some(summary),
            written: None,
        }
    }

    fn waits(actor: &ActorHealth) -> Option<(String, i64)> {
        let waits = actor.waits()?;
        Some((waits.reason, waits.since.as_second()))
    }

    #[test]
    fn the_time_of_a_reason_goes_on_from_pass_to_pass() {
        let mut actor = ActorHealth::new(at(100));
        let mut shown = |end: End, reason: Option<&str>, second: i64| {
            pass(&mut actor, Some(&report(end, reason)), 0, at(second));
            waits(&actor)
        };
        let told = |reason: &str, second: i64| Some((reason.to_owned(), second));
        // What was so before this operator started is as old as its condition.
        assert_eq!(
            shown(End::Stored, Some("Deploying"), 110),
            told("Deploying", 1)
        );
        assert_eq!(
            shown(End::Quiet, Some("Deploying"), 120),
            told("Deploying", 1)
        );
        assert_eq!(
            shown(End::Stored, Some("WaitingForJob"), 130),
            told("WaitingForJob", 130)
        );
        let refused = || End::Refused(Why::Refused);
        assert_eq!(
            shown(refused(), Some("WaitingForJob"), 140),
            told("PassFails", 140)
        );
        assert_eq!(shown(End::TimedOut, None, 150), told("PassFails", 140));
        assert_eq!(
            shown(End::Conflict, Some("WaitingForJob"), 160),
            told("Conflict", 160)
        );
        assert_eq!(shown(End::Quiet, None, 170), None);
    }

    #[test]
    fn a_pass_that_panicked_is_said() {
        let mut actor = ActorHealth::new(at(100));
        pass(&mut actor, None, 1, at(110));
        assert_eq!(waits(&actor), Some(("PassFails".to_owned(), 110)));
        assert_eq!(actor.last_pass.unwrap().outcome, "panicked");
    }
}
