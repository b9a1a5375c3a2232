//! How one resource's actor fares.

use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;

/// What an actor is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activity {
    /// Waiting for a change or for its next look.
    Idle,
    /// Waiting for its turn.
    Queued,
    /// Running a pass.
    Busy,
    /// Finishing a pass before it ends.
    Draining,
    /// Crashed, and waiting to be started again.
    Crashed,
}

impl Activity {
    /// All activities.
    pub const ALL: [Self; 5] = [
        Self::Idle,
        Self::Queued,
        Self::Busy,
        Self::Draining,
        Self::Crashed,
    ];

    /// Returns the word for metrics and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Queued => "queued",
            Self::Busy => "busy",
            Self::Draining => "draining",
            Self::Crashed => "crashed",
        }
    }
}

/// How one resource's actor fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActorHealth {
    /// What it is doing.
    pub activity: Activity,
    /// Since when.
    pub since: Timestamp,
    /// Passes that have ended.
    pub passes: u64,
    /// The last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_pass: Option<LastPass>,
    /// Failed passes in a row.
    pub consecutive_failures: u32,
    /// When it looks again if nothing changes before, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Due>,
    /// Crashes of the actor itself since the instance started.
    pub restarts: u32,
    /// Whether it crashes again and again.
    pub crash_looping: bool,
    /// What keeps its passes from coming to an end that is good.
    #[serde(skip)]
    pub stalled: Option<Waiting>,
    /// What the resource waits for, as its conditions say it.
    #[serde(skip)]
    pub waiting: Option<Waiting>,
    /// `status.lifecycleState`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<&'static str>,
    /// `status.jobManagerDeploymentStatus`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_manager: Option<&'static str>,
    /// `status.jobStatus.state`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<&'static str>,
}

/// The last pass of an actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastPass {
    /// When it ended.
    pub ended: Timestamp,
    /// How long it took, its turn in the queue not counted.
    #[serde(serialize_with = "seconds")]
    pub took_seconds: Duration,
    /// How it ended: a closed set.
    pub outcome: &'static str,
    /// More about an end that is not good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// When an actor looks again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Due {
    /// The time; none means only when something changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What is waited for: a closed set.
    pub why: &'static str,
}

/// What a resource waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// The reason, of the condition if there is one: from a closed set.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
    /// Since when it has been this reason.
    pub since: Timestamp,
}

impl Waiting {
    /// Takes the place of what was waited for before, whose time goes on if the reason is the same.
    #[must_use]
    pub fn instead_of(self, before: Option<&Self>) -> Self {
        let same = before.filter(|before| before.reason == self.reason);
        let since = same.map_or(self.since, |before| before.since);
        Self { since, ..self }
    }
}

impl ActorHealth {
    /// Begins idle.
    pub fn new(now: Timestamp) -> Self {
        Self {
            activity: Activity::Idle,
            since: now,
            passes: 0,
            last_pass: None,
            consecutive_failures: 0,
            next: None,
            restarts: 0,
            crash_looping: false,
            stalled: None,
            waiting: None,
            lifecycle: None,
            job_manager: None,
            job: None,
        }
    }

    /// Says what the resource waits for and since when, unless it is at rest: what concerns the actor goes first, since
    /// what is known of the resource is as old as the last pass that could look at it.
    pub fn waits(&self) -> Option<Waiting> {
        if self.activity == Activity::Crashed {
            return Some(self.crash());
        }
        let known = self.stalled.as_ref().or(self.waiting.as_ref());
        let first = self.passes == 0 && self.last_pass.is_none();
        let turn = || Waiting {
            reason: "FirstLook".to_owned(),
            message: "it has not been looked at yet since this operator started".to_owned(),
            since: self.since,
        };
        known.cloned().or_else(|| first.then(turn))
    }

    fn crash(&self) -> Waiting {
        let (reason, times) = if self.crash_looping {
            ("ActorCrashLoop", " again and again")
        } else {
            ("ActorCrashed", "")
        };
        Waiting {
            reason: reason.to_owned(),
            message: format!(
                "its actor crashed{times}, {} in all, and is started again after a growing pause; this is a bug in the \
                 operator: see its log",
                self.restarts
            ),
            since: self.since,
        }
    }

    /// Turns to another activity.
    pub fn turn(&mut self, activity: Activity, now: Timestamp) {
        if self.activity != activity {
            self.activity = activity;
            self.since = now;
        }
    }
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
