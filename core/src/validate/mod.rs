//! Rules that a spec must keep: all violations at once, upstream's first one first.
//!
//! The rules, their order and their words are those of upstream's webhook and operator; numbers such as
//! `D17` count them in that order (D for deployments, S for session jobs, N for snapshots, A for the
//! autoscaler), and `config` is the one that only this operator has: an option whose value cannot be read.
//! Where upstream's text ends in one of Java's parsers, its words are kept and followed by the cure.
//!
//! Everything here is pure. What needs a look elsewhere comes in as an argument that can also say
//! that nobody looked: [`HostLookup`], [`Target`], a cluster that is not known.

mod autoscaler;
mod blue_green;
mod configuration;
mod deployment;
mod ingress;
mod jar;
mod job;
mod periods;
mod resources;
mod session_job;
mod state_snapshot;
mod uri;

pub use blue_green::flink_blue_green_deployment;
pub use deployment::flink_deployment;
pub use jar::{HostLookup, host_to_look_up};
pub use session_job::{SessionCluster, SessionJob, flink_session_job};
pub use state_snapshot::{Target, flink_state_snapshot};

/// The longest name of a cluster: Flink derives names of 63 characters from it.
const LONGEST_NAME: usize = 45;
/// As much of a name as is repeated in a message: the longest that an API server takes.
const SHOWN: usize = 253;

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

/// Collects violations in upstream's order.
#[derive(Default)]
struct Violations(Vec<Violation>);

impl Violations {
    fn add(&mut self, rule: &'static str, path: &str, message: impl Into<String>) {
        self.0.push(Violation {
            rule,
            path: path.to_owned(),
            message: message.into(),
        });
    }
}

/// Checks the name of a deployment, which stands at `path`.
fn cluster_name(rule: &'static str, path: &str, name: &str, found: &mut Violations) {
    let bytes = name.as_bytes();
    let inner = bytes
        .iter()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-');
    let ends = bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.last().is_some_and(|byte| *byte != b'-');
    if name.len() > LONGEST_NAME || !inner || !ends {
        let shown: String = name.chars().take(SHOWN).collect();
        let cut = if shown.len() < name.len() { "…" } else { "" };
        found.add(
            rule,
            path,
            format!(
                "The FlinkDeployment name: {shown}{cut} is invalid, must consist of lower case alphanumeric characters or '-', \
                 start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123'), \
                 and the length must be no more than 45 characters."
            ),
        );
    }
}
