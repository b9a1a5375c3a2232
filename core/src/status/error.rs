//! `status.error`: a JSON text in upstream's form.

use serde_json::{Value, json};

/// The kinds of errors that stand in a status, named after upstream's Java classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The spec cannot be carried out as it is.
    Validation,
    /// Something went wrong while it was carried out.
    Reconciliation,
    /// The pods of the cluster cannot start.
    DeploymentFailed,
    /// The JobManager Deployment is gone.
    MissingJobManager,
    /// An edit could not be carried out, and what runs was left as it is.
    UpgradeFailure,
}

/// The longest message that goes into a status, in characters: upstream's `exception.field.max.length`.
const LONGEST: usize = 2048;

/// The text that upstream stores, without JSON, when the job is not listed any more.
pub const JOB_NOT_FOUND: &str = "Job Not Found";

impl Problem {
    fn class(self) -> &'static str {
        match self {
            Self::Validation => {
                "org.apache.flink.kubernetes.operator.exception.ValidationException"
            }
            Self::Reconciliation => {
                "org.apache.flink.kubernetes.operator.exception.ReconciliationException"
            }
            Self::DeploymentFailed => {
                "org.apache.flink.kubernetes.operator.exception.DeploymentFailedException"
            }
            Self::UpgradeFailure => {
                "org.apache.flink.kubernetes.operator.exception.UpgradeFailureException"
            }
            Self::MissingJobManager => {
                "org.apache.flink.kubernetes.operator.exception.MissingJobManagerException"
            }
        }
    }
}

/// Encodes an error; `reason` is the kubelet's or the controller's for failed deployments.
pub fn encode(problem: Problem, message: &str, reason: Option<&str>) -> String {
    let message: String = message.chars().take(LONGEST).collect();
    let metadata = reason.map_or_else(|| json!({}), |reason| json!({ "reason": reason }));
    json!({
        "type": problem.class(),
        "message": message,
        "additionalMetadata": metadata,
        "throwableList": [],
    })
    .to_string()
}

/// Returns whether a stored error is of this kind.
pub fn is(error: Option<&str>, problem: Problem) -> bool {
    let parsed: Option<Value> = error.and_then(|text| serde_json::from_str(text).ok());
    parsed.is_some_and(|error| error["type"] == problem.class())
}
