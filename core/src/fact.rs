//! What is known about the world, and about what exactly it is known.

use crate::name::{JobId, Uid};
use jiff::Timestamp;
use std::fmt;

/// An answer to a question about the world.
///
/// `Unknown` is never "absent": absence is `Known` of an empty value.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Fact<T> {
    /// Nobody asked.
    #[default]
    NotAsked,
    /// Asked, without a usable answer.
    Unknown(Why),
    /// Answered.
    Known(Seen<T>),
}

/// An answer together with what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen<T> {
    /// The answer.
    pub value: T,
    /// What the answer is about; a fact about another subject is of no use.
    pub subject: Subject,
    /// When the question was asked.
    pub at: Timestamp,
}

/// What a fact is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A resource or whatever hangs on its name.
    Resource(Uid),
    /// A JobManager Deployment.
    Deployment(Uid),
    /// The processes that could have answered.
    JobManager(JobManagers),
    /// One life of one job.
    Job {
        /// The id of the job.
        id: JobId,
        /// When this life began, as `/jobs/overview` says, in epoch milliseconds.
        start_time: i64,
    },
    /// High-availability data at one moment.
    Ha {
        /// The resource whose data it is.
        resource: Uid,
        /// When it was listed.
        asked_at: Timestamp,
    },
}

/// The ready JobManager containers at one moment: pod uid and restart count, sorted.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct JobManagers(pub Vec<(Uid, i32)>);

/// Why there is no answer. A variant tells the caller what it can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nobody listens there.
    Refused,
    /// No answer within the deadline.
    TimedOut,
    /// The connection broke, or the reply was cut short.
    Closed,
    /// The server said no.
    Status {
        /// The HTTP status code.
        code: u16,
        /// What the server said, cut to a readable length.
        message: String,
    },
    /// The name is taken by an object of somebody else.
    Taken,
    /// The reply does not have the expected form.
    NotUnderstood(String),
    /// There is no ready JobManager to ask.
    NoJobManager,
    /// The answer is about something that is no longer there.
    SubjectChanged,
    /// It was not sent: its time was over, or this instance is no longer the leader.
    NotSent(String),
    /// A circuit is open: earlier calls to this JobManager did not end in time.
    CircuitOpen,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("connection refused"),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Closed => f.write_str("connection closed before the reply was complete"),
            Self::Status { code, message } => write!(f, "HTTP {code}: {message}"),
            Self::Taken => f.write_str("the name is taken by an object of somebody else"),
            Self::NotUnderstood(what) => write!(f, "reply not understood: {what}"),
            Self::NoJobManager => f.write_str("no ready JobManager"),
            Self::SubjectChanged => f.write_str("the JobManager changed while it was asked"),
            Self::NotSent(why) => write!(f, "not sent: {why}"),
            Self::CircuitOpen => f.write_str("the JobManager did not answer earlier calls"),
        }
    }
}

impl<T> Fact<T> {
    /// Wraps a known value.
    pub fn known(value: T, subject: Subject, at: Timestamp) -> Self {
        Self::Known(Seen { value, subject, at })
    }

    /// Returns the value if it is known.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Known(seen) => Some(&seen.value),
            Self::Unknown(_) | Self::NotAsked => None,
        }
    }

    /// Returns whether the question has been asked, answered or not.
    pub fn asked(&self) -> bool {
        !matches!(self, Self::NotAsked)
    }

    /// Forgets the value if it is about another subject.
    #[must_use]
    pub fn only_about(self, subject: &Subject) -> Self {
        match self {
            Self::Known(seen) if seen.subject != *subject => Self::Unknown(Why::SubjectChanged),
            other => other,
        }
    }
}
