//! Failures that Flink reports as the result of an operation or a job.

use serde::{Deserialize, Serialize};

use crate::lenient::or_default;
use crate::reason::Reason;
use crate::stack_trace;

/// An exception as Flink writes it, without its serialized form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FailureCause {
    /// The outermost class, mostly `CompletionException`.
    #[serde(default, deserialize_with = "or_default")]
    pub class: String,
    /// The whole trace.
    #[serde(default, deserialize_with = "or_default", alias = "message")]
    pub stack_trace: String,
}

impl FailureCause {
    /// Gives the innermost cause.
    pub fn innermost(&self) -> &str {
        match stack_trace::innermost_cause(&self.stack_trace) {
            "" => &self.class,
            cause => cause,
        }
    }

    /// Says what it means, as far as it was seen before.
    pub fn reason(&self) -> Reason {
        Reason::of(&self.stack_trace)
    }
}
