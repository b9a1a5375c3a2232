//! A JobManager Deployment, slim.

use super::SlimMeta;
use operator_core::name::AttemptId;
use operator_core::observed::Deployment;
use serde::Deserialize;

/// What is read of a Deployment.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SlimDeployment {
    /// Metadata.
    pub metadata: SlimMeta,
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    available_replicas: i32,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Condition {
    r#type: String,
    status: String,
    reason: String,
    message: String,
    last_transition_time: Option<String>,
}

impl SlimDeployment {
    /// Returns the facts that decisions are made from.
    pub fn facts(&self) -> Deployment {
        let annotation = |name: &str| self.metadata.annotations.get(name).cloned();
        let condition = |wanted: &str| {
            self.status
                .conditions
                .iter()
                .find(|found| found.r#type == wanted)
        };
        let never_available = condition("Available").is_some_and(|available| {
            available.status == "False"
                && available.last_transition_time.is_some()
                && available.last_transition_time == self.metadata.creation_timestamp
        });
        Deployment {
            uid: self.metadata.uid.clone(),
            owners: self.metadata.owners(),
            generation: annotation("flinkdeployment.flink.apache.org/generation")
                .and_then(|text| text.parse().ok()),
            attempt: annotation(flink_operator_api::names::ATTEMPT_ANNOTATION).map(AttemptId::new),
            children_hash: annotation(flink_operator_api::names::CHILDREN_ANNOTATION),
            deleting: self.metadata.deletion_timestamp.is_some(),
            available: self.status.available_replicas,
            replica_failure: condition("ReplicaFailure")
                .filter(|failure| failure.status == "True" && failure.reason == "FailedCreate")
                .map(|failure| failure.message.clone()),
            never_available,
        }
    }
}
