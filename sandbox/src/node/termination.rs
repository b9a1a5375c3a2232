//! How a container ended, in words.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Container;

use super::init::START_FAILED;
use super::status::Termination;

/// A kubelet's limits for what a container says about its end, and for what is taken from its log instead.
const LONGEST_MESSAGE: usize = 4_096;
const LONGEST_TAIL: usize = 2_048;
const MOST_LINES: usize = 80;

/// Returns where a container may write why it ends, on the machine.
pub(super) fn log_file(files: &Path) -> PathBuf {
    files.join("termination-log")
}

/// Returns the file with the reason why a container was not started.
pub(super) fn failure_file(files: &Path) -> PathBuf {
    files.join("failure")
}

/// Returns where a container may write why it ends, as it sees it.
pub(super) fn path(container: &Container) -> &str {
    container
        .termination_message_path
        .as_deref()
        .unwrap_or("/dev/termination-log")
}

/// Collects what is known about the end of a container.
pub(super) fn read(
    container: &Container,
    files: &Path,
    log: &Path,
    exit_code: i32,
    since: Timestamp,
    failure: Option<String>,
) -> Termination {
    let finished = Timestamp::now();
    if exit_code == START_FAILED
        && let Some(message) = failure
    {
        return Termination {
            exit_code,
            reason: "StartError",
            message,
            started: since,
            finished,
        };
    }
    let mut message = tail(
        &fs::read(log_file(files)).unwrap_or_default(),
        LONGEST_MESSAGE,
        usize::MAX,
    );
    let falls_back =
        container.termination_message_policy.as_deref() == Some("FallbackToLogsOnError");
    if message.is_empty() && exit_code != 0 && falls_back {
        message = tail(&fs::read(log).unwrap_or_default(), LONGEST_TAIL, MOST_LINES);
    }
    let reason = if exit_code == 0 { "Completed" } else { "Error" };
    Termination {
        exit_code,
        reason,
        message,
        started: since,
        finished,
    }
}

/// Returns the end of a text.
fn tail(bytes: &[u8], most_bytes: usize, most_lines: usize) -> String {
    let text =
        String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(most_bytes)..]).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= most_lines {
        return text;
    }
    lines[lines.len() - most_lines..].join("\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_container_speaks_first_then_its_log() {
        let files = tempfile::tempdir().unwrap();
        let log = files.path().join("log");
        fs::write(&log, "one\ntwo\n").unwrap();
        let mut container = Container::default();
        let read = |container: &Container, code| {
            super::read(
                container,
                files.path(),
                &log,
                code,
                Timestamp::UNIX_EPOCH,
                None,
            )
        };
        assert_eq!(read(&container, 1).message, "");
        container.termination_message_policy = Some("FallbackToLogsOnError".to_owned());
        assert_eq!(read(&container, 1).message, "one\ntwo\n");
        assert_eq!(read(&container, 0).message, "");
        fs::write(log_file(files.path()), "because").unwrap();
        assert_eq!(read(&container, 1).message, "because");
    }

    #[test]
    fn a_command_that_could_not_be_started_says_why() {
        let files = tempfile::tempdir().unwrap();
        let failure = Some("exec: not found".to_owned());
        let end = read(
            &Container::default(),
            files.path(),
            Path::new("/none"),
            START_FAILED,
            Timestamp::UNIX_EPOCH,
            failure,
        );
        assert_eq!(
            (end.reason, end.message.as_str()),
            ("StartError", "exec: not found")
        );
    }

    #[test]
    fn tails_are_short() {
        assert_eq!(tail(b"abcdef", 3, 9), "def");
        assert_eq!(tail(b"a\nb\nc\n", 100, 2), "b\nc");
    }
}
