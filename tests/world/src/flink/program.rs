//! What the user's program does, as its arguments say.
//!
//! Arguments rather than switches, so that the same custom resource behaves the same in the world and,
//! with the sandbox's test job, on real Flink; an edit of the arguments changes the job's behaviour.

use jiff::SignedDuration;

use super::conf::{Conf, duration};

/// How a program behaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// Arguments as given.
    pub arguments: Vec<String>,
    /// Ends by itself once its state has come this far.
    pub finish_at: Option<SignedDuration>,
    /// A task fails each time the state has come this far.
    pub fail_at: Option<SignedDuration>,
    /// `main` throws before it submits anything.
    pub fails_in_main: bool,
    /// How a stop with savepoint goes wrong, if it does.
    pub stop_fails: Option<StopFailure>,
    /// How long a savepoint takes, if not the usual time.
    pub snapshot_takes: Option<SignedDuration>,
    /// How long `main` takes, if not the usual time.
    pub main: Option<SignedDuration>,
}

/// How user code spoils a stop with savepoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopFailure {
    /// `snapshotState` throws: no savepoint, the job restarts.
    WhileSaving,
    /// `close` throws: the savepoint exists, the job does not end well.
    AfterSaving,
}

impl Program {
    /// Reads the behaviour from `$internal.application.program-args`.
    pub fn of(conf: &Conf) -> Self {
        let text = conf
            .text("$internal.application.program-args")
            .unwrap_or_default();
        Self::parse(
            text.split(';')
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    }

    /// Reads the behaviour from arguments; unknown ones are the user's own business.
    pub fn parse(arguments: Vec<String>) -> Self {
        let value = |name: &str| {
            let at = arguments.iter().position(|argument| argument == name)?;
            arguments.get(at + 1).map(String::as_str)
        };
        let has = |name: &str| arguments.iter().any(|argument| argument == name);
        let stop_fails = match value("--stop-fails") {
            Some("saving") => Some(StopFailure::WhileSaving),
            Some("closing") => Some(StopFailure::AfterSaving),
            Some(_) | None => None,
        };
        Self {
            finish_at: value("--finish-at").and_then(duration),
            fail_at: value("--fail-at").and_then(duration),
            fails_in_main: has("--fail-in-main"),
            snapshot_takes: value("--snapshot-takes").and_then(duration),
            main: value("--main-takes").and_then(duration),
            stop_fails,
            arguments,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn arguments_decide_behaviour() {
        let conf = Conf::of([(
            "$internal.application.program-args",
            "--rate;10;--finish-at;20 s;--stop-fails;closing",
        )]);
        let program = Program::of(&conf);
        assert_eq!(program.finish_at, Some(SignedDuration::from_secs(20)));
        assert_eq!(program.stop_fails, Some(StopFailure::AfterSaving));
        assert!(!program.fails_in_main);
        assert_eq!(program.arguments.len(), 6);
    }
}
