//! Why a call gave no answer that can be used, told apart by what the caller can do.

use std::time::Duration;

use http::StatusCode;

use crate::permit::Denied;
use crate::reason::Reason;
use crate::route::Route;
use crate::transport::TransportError;

/// Which deadline ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// No connection came about.
    Connect,
    /// Connected or not, the whole call took too long.
    Reply,
}

impl Waiting {
    fn text(self) -> &'static str {
        match self {
            Self::Connect => "no connection",
            Self::Reply => "no complete reply",
        }
    }
}

/// Why a request did not leave this process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// The permit did not hold.
    #[error("{0}")]
    Denied(Denied),
    /// The file to be sent cannot be read.
    #[error("the file cannot be read: {0}")]
    File(String),
    /// An argument cannot be written into the request.
    #[error("{0}")]
    Argument(String),
}

/// Why a call gave no answer.
///
/// No text holds an address, a header or a body; texts of Flink are cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No connection: refused, unreachable, name unknown, certificate untrusted.
    #[error("{route}: no connection: {why}")]
    Refused {
        /// The call.
        route: Route,
        /// The innermost cause.
        why: String,
    },
    /// A deadline passed.
    #[error("{route}: {} within {limit:?}", waiting.text())]
    TimedOut {
        /// The call.
        route: Route,
        /// For what it waited.
        waiting: Waiting,
        /// The deadline of the whole call.
        limit: Duration,
    },
    /// The connection was reset, or ended before the reply did.
    #[error("{route}: connection lost: {why}")]
    Closed {
        /// The call.
        route: Route,
        /// The innermost cause.
        why: String,
    },
    /// A status other than 2xx.
    #[error("{route}: {status}: {cause}")]
    Status {
        /// The call.
        route: Route,
        /// The status.
        status: StatusCode,
        /// What Flink's text means, as far as it was seen before.
        reason: Reason,
        /// The innermost cause in Flink's text.
        cause: String,
        /// Flink's `errors`, each cut to a few kilobytes; or the text of a reply without them.
        errors: Vec<String>,
    },
    /// The reply is longer than allowed.
    #[error("{route}: the reply is longer than {limit} bytes")]
    TooLarge {
        /// The call.
        route: Route,
        /// The limit of this call.
        limit: usize,
    },
    /// The reply is not what this call answers.
    #[error("{route}: reply not understood: {what}, at {at}")]
    NotUnderstood {
        /// The call.
        route: Route,
        /// What was expected; never what was found.
        what: String,
        /// The field, with line and column.
        at: String,
    },
    /// The request did not leave.
    #[error("{route}: not sent: {why}")]
    NotSent {
        /// The call.
        route: Route,
        /// Why.
        why: NotSent,
    },
}

impl Error {
    pub(crate) fn from_transport(route: Route, error: TransportError, limit: Duration) -> Self {
        match error {
            TransportError::Refused(why) => Self::Refused { route, why },
            TransportError::ConnectTimedOut => Self::TimedOut {
                route,
                waiting: Waiting::Connect,
                limit,
            },
            TransportError::Closed(why) => Self::Closed { route, why },
            TransportError::NotHttp(why) => {
                let what = format!("expected HTTP/1.1 ({why})");
                Self::NotUnderstood {
                    route,
                    what,
                    at: "the head of the reply".to_owned(),
                }
            }
            TransportError::Denied(denied) => Self::NotSent {
                route,
                why: NotSent::Denied(denied),
            },
        }
    }

    /// Names the kind, for metrics and logs.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::TimedOut {
                waiting: Waiting::Connect,
                ..
            } => "connect_timed_out",
            Self::TimedOut {
                waiting: Waiting::Reply,
                ..
            } => "timed_out",
            Self::Closed { .. } => "closed",
            Self::Status { status, .. } if status.is_client_error() => "status_4xx",
            Self::Status { status, .. } if status.is_server_error() => "status_5xx",
            Self::Status { .. } => "status_other",
            Self::TooLarge { .. } => "too_large",
            Self::NotUnderstood { .. } => "not_understood",
            Self::NotSent { .. } => "not_sent",
        }
    }

    /// Gives the call.
    pub fn route(&self) -> Route {
        match self {
            Self::Refused { route, .. }
            | Self::TimedOut { route, .. }
            | Self::Closed { route, .. }
            | Self::Status { route, .. }
            | Self::TooLarge { route, .. }
            | Self::NotUnderstood { route, .. }
            | Self::NotSent { route, .. } => *route,
        }
    }

    /// Gives what Flink's text means, if Flink gave one.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Status { reason, .. } => Some(reason),
            Self::Refused { .. }
            | Self::TimedOut { .. }
            | Self::Closed { .. }
            | Self::TooLarge { .. }
            | Self::NotUnderstood { .. }
            | Self::NotSent { .. } => None,
        }
    }

    /// Tells whether nobody answered: what a JobManager that is gone or hangs looks like.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::TimedOut { .. } | Self::Closed { .. } => true,
            Self::Status { .. }
            | Self::TooLarge { .. }
            | Self::NotUnderstood { .. }
            | Self::NotSent { .. } => false,
        }
    }

    /// Tells whether this call certainly changed nothing; everything else needs a look.
    ///
    /// It speaks of this one call: an earlier one with the same content may have been applied
    /// (a cancel answered 409 found its job terminal already).
    pub fn is_surely_not_applied(&self) -> bool {
        match self {
            Self::Refused { .. }
            | Self::NotSent { .. }
            | Self::TimedOut {
                waiting: Waiting::Connect,
                ..
            } => true,
            Self::TimedOut {
                waiting: Waiting::Reply,
                ..
            }
            | Self::Closed { .. }
            | Self::TooLarge { .. }
            | Self::NotUnderstood { .. } => !self.route().is_mutating(),
            Self::Status {
                route,
                status,
                reason,
                ..
            } => !route.is_mutating() || rejected(*route, *status, reason),
        }
    }
}

/// Tells whether a status says that the change was looked at and turned down.
fn rejected(route: Route, status: StatusCode, reason: &Reason) -> bool {
    // These come before any handler, from Flink's router or from a proxy.
    let turned_away = [401, 403, 405, 411, 413, 414, 415, 429].contains(&status.as_u16());
    if turned_away || matches!(reason, Reason::RouteMissing | Reason::Malformed) {
        return true;
    }
    if route == Route::RunJar {
        // `main` runs inside this request and may have submitted a job before it failed with 400.
        return matches!(reason, Reason::JarMissing | Reason::EntryClassMissing);
    }
    [400, 404, 409, 422].contains(&status.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(route: Route, code: u16, text: &str) -> Error {
        Error::Status {
            route,
            status: StatusCode::from_u16(code).expect("a test gives real codes"),
            reason: Reason::of(text),
            cause: text.to_owned(),
            errors: vec![text.to_owned()],
        }
    }

    fn timed_out(waiting: Waiting) -> Error {
        Error::TimedOut {
            route: Route::Stop,
            waiting,
            limit: Duration::from_secs(4),
        }
    }

    #[test]
    fn a_change_is_surely_not_applied_only_if_it_did_not_arrive_or_was_turned_down() {
        let text = String::new;
        let denied = NotSent::Denied(Denied::NotLeader);
        for sure in [
            Error::Refused {
                route: Route::Stop,
                why: text(),
            },
            Error::NotSent {
                route: Route::Stop,
                why: denied,
            },
            timed_out(Waiting::Connect),
            status(
                Route::Stop,
                400,
                "Config key [state.savepoints.dir] is not set",
            ),
            status(Route::Cancel, 404, "Job could not be found."),
            status(
                Route::Cancel,
                409,
                "has already reached another terminal state (FINISHED)",
            ),
            status(Route::Cancel, 403, "forbidden"),
            status(Route::RunJar, 400, "Unrecognized field \"claimMode\""),
            status(Route::RunJar, 500, "Jar file /tmp/x.jar does not exist"),
        ] {
            assert!(sure.is_surely_not_applied(), "{sure}");
        }
        for unsure in [
            timed_out(Waiting::Reply),
            Error::Closed {
                route: Route::Stop,
                why: text(),
            },
            Error::TooLarge {
                route: Route::Stop,
                limit: 1,
            },
            Error::NotUnderstood {
                route: Route::Stop,
                what: text(),
                at: text(),
            },
            status(Route::Stop, 500, "Internal server error."),
            status(Route::Stop, 503, "ongoing leader election"),
            status(Route::Stop, 408, ""),
            status(Route::Stop, 307, ""),
            status(Route::RunJar, 400, "The main method caused an error"),
            status(Route::RunJar, 400, "Job has already been submitted"),
            status(Route::RunJar, 500, "Internal server error."),
        ] {
            assert!(!unsure.is_surely_not_applied(), "{unsure}");
        }
    }

    #[test]
    fn a_read_never_changes_anything() {
        let closed = Error::Closed {
            route: Route::Config,
            why: String::new(),
        };
        assert!(closed.is_surely_not_applied() && closed.is_unreachable());
    }

    #[test]
    fn messages_name_the_call_and_the_limit() {
        assert_eq!(
            timed_out(Waiting::Reply).to_string(),
            "POST /jobs/:jobid/stop: no complete reply within 4s"
        );
        assert_eq!(timed_out(Waiting::Connect).label(), "connect_timed_out");
    }
}
