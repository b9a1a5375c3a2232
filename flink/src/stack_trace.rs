//! Reads Java stack traces, the only form in which Flink says what went wrong.

/// How much of a trace is looked at; Flink's are 10 to 40 KB.
const BOUND: usize = 256 * 1024;

/// The longest cause that is repeated in messages.
const LONGEST_CAUSE: usize = 2 * 1024;

/// Cuts a text to at most `bytes`, never within a character.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

pub(crate) fn bounded(text: &str) -> &str {
    cut(text, BOUND)
}

/// Gives the innermost cause of a stack trace, with its class, without its frames.
///
/// Causes of suppressed exceptions are indented and don't count. A text without `Caused by:` is
/// its own cause.
pub fn innermost_cause(trace: &str) -> &str {
    const CAUSED_BY: &str = "Caused by: ";
    let trace = bounded(trace);
    let start = match trace.rfind("\nCaused by: ") {
        Some(at) => at + 1 + CAUSED_BY.len(),
        None if trace.starts_with(CAUSED_BY) => CAUSED_BY.len(),
        None => skip_envelope(trace),
    };
    let message = &trace[start..];
    let end = [
        message.find("\n\tat "),
        message.find("\n\t..."),
        message.find("\nEnd of exception"),
    ]
    .into_iter()
    .flatten()
    .min()
    .unwrap_or(message.len());
    cut(message[..end].trim(), LONGEST_CAUSE)
}

/// Skips the line that Flink puts before a trace of its server side.
fn skip_envelope(trace: &str) -> usize {
    const ENVELOPE: &str = "<Exception on server side:";
    trace.find(ENVELOPE).map_or(0, |at| at + ENVELOPE.len())
}

/// Gives the path in `A savepoint has been created at: <path>, but the corresponding job …`.
///
/// The sentence stands at any depth of the trace, often several times with the same path. The
/// path may hold commas and blanks, but no end of line.
pub fn savepoint_of_failed_stop(trace: &str) -> Option<&str> {
    const BEFORE: &str = "A savepoint has been created at: ";
    const AFTER: &str = ", but the corresponding job";
    let trace = bounded(trace);
    trace.match_indices(BEFORE).find_map(|(at, sentence)| {
        let line = trace[at + sentence.len()..].lines().next()?;
        let path = line[..line.find(AFTER)?].trim();
        (!path.is_empty()).then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_cause_counts_without_its_frames() {
        let trace = "a.RestHandlerException: outer\n\tat a.B.c(B.java:1)\n\
                     Caused by: a.CompletionException: middle\n\tat a.B.c(B.java:2)\n\t... 3 more\n\
                     Caused by: a.b.Inner: first line\nsecond line\n\tat a.B.c(B.java:3)\n";
        assert_eq!(innermost_cause(trace), "a.b.Inner: first line\nsecond line");
    }

    #[test]
    fn causes_of_suppressed_exceptions_do_not_count() {
        let trace = "a.Outer: x\n\tat a.B\nCaused by: a.Inner: y\n\tat a.B\n\
                     \tSuppressed: a.Close: z\n\t\tat a.B\n\tCaused by: a.Wrong: w\n";
        assert_eq!(innermost_cause(trace), "a.Inner: y");
    }

    #[test]
    fn a_text_without_cause_is_its_own() {
        assert_eq!(innermost_cause("Not found."), "Not found.");
        assert_eq!(innermost_cause(""), "");
        let server =
            "<Exception on server side:\na.B: why\n\tat c.D\n\nEnd of exception on server side>";
        assert_eq!(innermost_cause(server), "a.B: why");
    }

    #[test]
    fn a_giant_trace_is_walked_within_bounds() {
        let trace = format!("é{}", "Caused by: x\n".repeat(1_000_000));
        assert!(innermost_cause(&trace).len() <= LONGEST_CAUSE);
        assert!(innermost_cause(&"ü".repeat(1_000_000)).len() <= LONGEST_CAUSE);
    }

    #[test]
    fn the_savepoint_of_a_failed_stop_is_found_at_any_depth() {
        let path = "s3://bucket/a, b/savepoint-8f3c0a-77";
        let sentence = format!(
            "A savepoint has been created at: {path}, but the corresponding job 00 failed during \
             stopping. The savepoint is consistent, but might have uncommitted transactions."
        );
        let deep = "Caused by: java.util.concurrent.CompletionException: x\n\tat y\n".repeat(50);
        for trace in [
            sentence.clone(),
            format!("a.B: outer\n{deep}Caused by: a.StopException: {sentence}\n\tat y"),
            format!(
                "a.B: a.StopException: {sentence}\n{deep}Caused by: a.StopException: {sentence}"
            ),
        ] {
            assert_eq!(savepoint_of_failed_stop(&trace), Some(path));
        }
    }

    #[test]
    fn half_a_sentence_names_no_savepoint() {
        for trace in [
            "A savepoint has been created at: file:/x\n, but the corresponding job",
            "A savepoint has been created at: , but the corresponding job 0 failed",
            "A savepoint has been created at: ",
            "Inconsistent execution state after stopping with savepoint.",
        ] {
            assert_eq!(savepoint_of_failed_stop(trace), None, "{trace}");
        }
    }
}
