//! What Flink's texts mean. Its statuses are too few to tell what a caller must do.

use crate::stack_trace;

/// What a text of Flink says, in the words of 1.13 to 2.3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The job is unknown to this JobManager, or (to a cancel before 1.15) terminal, or (to a
    /// savepoint or stop) terminal: only the overview tells which.
    JobNotFound,
    /// The trigger id is unknown: never received, expired, or of an earlier process.
    OperationNotFound,
    /// This version has no such call.
    RouteMissing,
    /// The request itself is wrong: a field or value that this version does not know.
    Malformed,
    /// The job ended otherwise than by this cancel.
    AlreadyTerminal,
    /// The job id was submitted before, perhaps by a lost earlier call.
    DuplicateSubmission,
    /// The `JobMaster` did not start; from 1.15 on the job id is used up.
    JobMasterNotStarted,
    /// The user's `main` threw; it may have submitted a job before.
    MainFailed,
    /// There is no such jar.
    JarMissing,
    /// The jar has no such class.
    EntryClassMissing,
    /// The job has no checkpoint statistics at all.
    CheckpointingDisabled,
    /// This checkpoint is not in the statistics (any more).
    CheckpointUnknown,
    /// Neither the call nor the configuration names a savepoint directory.
    NoSavepointDirectory,
    /// The savepoint directory cannot be written; the job runs on.
    DirectoryUnusable,
    /// Some tasks do not run yet; the job goes on as it was.
    TasksNotRunning,
    /// A task failed meanwhile.
    TaskFailed,
    /// The checkpoint coordinator was suspended by a stop, a restart or an end.
    Suspending,
    /// The job restarts.
    Restarting,
    /// A savepoint exists, but the job failed while it stopped.
    StoppedButFailed {
        /// Where the savepoint is, exactly as Flink wrote it.
        path: String,
    },
    /// The same in 1.13 and 1.14, which do not name the path.
    InconsistentStop,
    /// The savepoint to dispose of, or to start from, does not exist.
    SavepointMissing,
    /// The scheduler in use cannot change the parallelism.
    CannotRescale,
    /// The JobManager has not come up yet, or lost its leadership.
    NotLeading,
    /// Something not seen before.
    Other,
}

/// What is looked for, most telling first: one stack trace holds several of these.
const TEXTS: &[(&str, Reason)] = &[
    (
        "Job has already been submitted",
        Reason::DuplicateSubmission,
    ),
    (
        "Application has already been submitted",
        Reason::DuplicateSubmission,
    ),
    (
        "DuplicateJobSubmissionException",
        Reason::DuplicateSubmission,
    ),
    (
        "DuplicateApplicationSubmissionException",
        Reason::DuplicateSubmission,
    ),
    (
        "Inconsistent execution state after stopping with savepoint",
        Reason::InconsistentStop,
    ),
    (
        "Failed to create savepoint directory",
        Reason::DirectoryUnusable,
    ),
    ("IO-problem detected", Reason::DirectoryUnusable),
    (
        "Not all required tasks are currently running",
        Reason::TasksNotRunning,
    ),
    (
        "Checkpoint was declined (tasks not ready)",
        Reason::TasksNotRunning,
    ),
    ("FailoverRegion is restarting", Reason::Restarting),
    (
        "The Flink job is currently not executing",
        Reason::Restarting,
    ),
    ("Checkpoint Coordinator is suspending", Reason::Suspending),
    ("CheckpointCoordinator shutdown", Reason::Suspending),
    ("Task has failed", Reason::TaskFailed),
    ("Could not start the JobMaster", Reason::JobMasterNotStarted),
    (
        "Cannot find checkpoint or savepoint file/directory",
        Reason::SavepointMissing,
    ),
    (
        "has already reached another terminal state",
        Reason::AlreadyTerminal,
    ),
    (
        "Checkpointing has not been enabled",
        Reason::CheckpointingDisabled,
    ),
    (
        "Could not find checkpointing statistics for checkpoint",
        Reason::CheckpointUnknown,
    ),
    ("Operation not found under key", Reason::OperationNotFound),
    ("operation with triggerId=", Reason::OperationNotFound),
    ("Could not find Flink job", Reason::JobNotFound),
    ("Job could not be found", Reason::JobNotFound),
    (
        "does not support changing the parallelism",
        Reason::CannotRescale,
    ),
    ("Unrecognized field \"", Reason::Malformed),
    ("Cannot parse JobID from", Reason::Malformed),
    (
        "Argument bytes must by an array of 16 bytes",
        Reason::Malformed,
    ),
    ("entry point class", Reason::EntryClassMissing),
    ("The main method caused an error", Reason::MainFailed),
    ("ongoing leader election", Reason::NotLeading),
    ("Unable to load requested file", Reason::RouteMissing),
    ("Not found: /", Reason::RouteMissing),
];

impl Reason {
    /// Reads a text of Flink: an error's, or a stack trace.
    pub fn of(text: &str) -> Self {
        let text = stack_trace::bounded(text);
        if let Some(path) = stack_trace::savepoint_of_failed_stop(text) {
            return Self::StoppedButFailed {
                path: path.to_owned(),
            };
        }
        if let Some((_, reason)) = TEXTS.iter().find(|(part, _)| text.contains(part)) {
            return reason.clone();
        }
        let lost_directory = text.contains("is not set")
            && (text.contains("state.savepoints.dir") || text.contains("savepoint-dir"));
        if lost_directory {
            return Self::NoSavepointDirectory;
        }
        let first = text.lines().next().unwrap_or_default();
        if first.trim() == "Not found." {
            return Self::RouteMissing;
        }
        if names_a_missing_job(text) {
            return Self::JobNotFound;
        }
        if text.contains("does not exist") && text.to_ascii_lowercase().contains("jar") {
            return Self::JarMissing;
        }
        Self::Other
    }
}

/// Finds `Job <32 hexadecimal digits> not found`.
fn names_a_missing_job(text: &str) -> bool {
    text.match_indices("Job ").any(|(at, word)| {
        let rest = &text[at + word.len()..];
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        digits == 32 && rest[digits..].starts_with(" not found")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: &str = "8f3c0a4e5b6d7c8e9f0a1b2c3d4e5f60";

    #[test]
    fn texts_of_all_versions_are_understood() {
        let cases = [
            (format!("Job {JOB} not found"), Reason::JobNotFound),
            (
                format!("Could not find Flink job ({JOB})"),
                Reason::JobNotFound,
            ),
            ("Job could not be found.".into(), Reason::JobNotFound),
            ("Not found.".into(), Reason::RouteMissing),
            (
                "Not found: /jobs/x/checkpoints".into(),
                Reason::RouteMissing,
            ),
            (
                "Unable to load requested file /jars.".into(),
                Reason::RouteMissing,
            ),
            (
                "Operation not found under key: TriggerId".into(),
                Reason::OperationNotFound,
            ),
            (
                format!("There is no savepoint operation with triggerId={JOB} for job {JOB}."),
                Reason::OperationNotFound,
            ),
            (
                "Unrecognized field \"triggerId\" (class X)".into(),
                Reason::Malformed,
            ),
            (
                "Job cancellation failed because the job has already reached another terminal \
                 state (FINISHED)."
                    .into(),
                Reason::AlreadyTerminal,
            ),
            (
                "Config key [state.savepoints.dir] is not set. Property [targetDirectory] must \
                 be provided."
                    .into(),
                Reason::NoSavepointDirectory,
            ),
            (
                "Config key [execution.checkpointing.savepoint-dir] is not set.".into(),
                Reason::NoSavepointDirectory,
            ),
            (
                "Jar file /tmp/up/a_b.jar does not exist".into(),
                Reason::JarMissing,
            ),
            (
                "File a_b.jar does not exist in /tmp/flink-web-upload.".into(),
                Reason::JarMissing,
            ),
            (
                "The program's entry point class 'X' was not found in the jar file.".into(),
                Reason::EntryClassMissing,
            ),
            (
                "Service temporarily unavailable due to an ongoing leader election.".into(),
                Reason::NotLeading,
            ),
            ("Internal server error.".into(), Reason::Other),
            (String::new(), Reason::Other),
        ];
        for (text, reason) in cases {
            assert_eq!(Reason::of(&text), reason, "{text}");
        }
    }

    #[test]
    fn the_most_telling_text_of_a_trace_wins() {
        let trace = "ProgramInvocationException: The main method caused an error: x\n\tat a.b\n\
                     Caused by: DuplicateJobSubmissionException: Job has already been submitted.";
        assert_eq!(Reason::of(trace), Reason::DuplicateSubmission);
    }

    #[test]
    fn a_stop_that_failed_after_its_savepoint_keeps_the_path() {
        let text = format!(
            "CompletionException: A savepoint has been created at: file:/s/savepoint-8f3c0a-1, \
             but the corresponding job {JOB} failed during stopping. Task has failed"
        );
        let path = "file:/s/savepoint-8f3c0a-1".to_owned();
        assert_eq!(Reason::of(&text), Reason::StoppedButFailed { path });
    }
}
