//! Rules that a spec must keep: all violations at once, upstream's first one first.

mod deployment;
mod resources;

pub use deployment::flink_deployment;

/// One violated rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule's number in upstream's order, such as `D17`.
    pub rule: &'static str,
    /// The path of the field, such as `spec.job.parallelism`.
    pub path: String,
    /// Upstream's message.
    pub message: String,
}

/// Returns all violations in one text: upstream's first message first, each with its field.
pub fn summary(violations: &[Violation]) -> Option<String> {
    let mut texts = violations
        .iter()
        .map(|violation| format!("{} ({})", violation.message, violation.path));
    let first = texts.next()?;
    Some(texts.fold(first, |all, text| format!("{all}; {text}")))
}
