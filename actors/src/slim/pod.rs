//! A pod of a cluster, slim.

use super::SlimMeta;
use jiff::Timestamp;
use operator_core::observed::{ContainerTrouble, Pod};
use serde::Deserialize;

/// The container that Flink runs in.
const MAIN: &str = "flink-main-container";

/// What is read of a pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SlimPod {
    /// Metadata.
    pub metadata: SlimMeta,
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    phase: String,
    #[serde(rename = "podIP")]
    pod_ip: Option<String>,
    conditions: Vec<Condition>,
    container_statuses: Vec<Container>,
    init_container_statuses: Vec<Container>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Condition {
    r#type: String,
    status: String,
    reason: String,
    message: String,
    last_transition_time: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Container {
    name: String,
    restart_count: i32,
    state: State,
    last_state: State,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct State {
    waiting: Option<Waiting>,
    terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Waiting {
    reason: String,
    message: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Terminated {
    reason: String,
    message: String,
    exit_code: i32,
}

impl SlimPod {
    /// Returns the name of the cluster that the pod belongs to.
    pub fn cluster(&self) -> Option<&str> {
        self.metadata.labels.get("app").map(String::as_str)
    }

    /// Returns the facts that decisions are made from.
    pub fn facts(&self) -> Pod {
        let condition = |wanted: &str| {
            self.status
                .conditions
                .iter()
                .find(|found| found.r#type == wanted)
        };
        let holds = |wanted: &str| condition(wanted).is_some_and(|found| found.status == "True");
        let fails = |wanted: &str| condition(wanted).is_some_and(|found| found.status == "False");
        let ready = holds("Ready");
        let containers = self
            .status
            .init_container_statuses
            .iter()
            .chain(&self.status.container_statuses);
        let main = self
            .status
            .container_statuses
            .iter()
            .find(|container| container.name == MAIN);
        Pod {
            name: self.metadata.name.clone(),
            uid: self.metadata.uid.clone(),
            owners: self.metadata.owners(),
            is_job_manager: self
                .metadata
                .labels
                .get("component")
                .is_some_and(|component| component == "jobmanager"),
            ip: self.status.pod_ip.clone().filter(|ip| !ip.is_empty()),
            ready,
            ready_since: condition("Ready")
                .filter(|_| ready)
                .and_then(|found| found.last_transition_time),
            deleting: self.metadata.deletion_timestamp.is_some(),
            ended: matches!(self.status.phase.as_str(), "Succeeded" | "Failed"),
            restarts: main.map_or(0, |container| container.restart_count),
            unschedulable: condition("PodScheduled")
                .filter(|found| found.status == "False" && found.reason == "Unschedulable")
                .map(|found| found.message.clone()),
            troubles: containers.filter_map(Container::trouble).collect(),
            preparing: !ready && (fails("PodReadyToStartContainers") || fails("Initialized")),
        }
    }
}

impl Container {
    fn trouble(&self) -> Option<ContainerTrouble> {
        let last_termination = self.last_state.terminated.as_ref().map(Terminated::text);
        if let Some(waiting) = &self.state.waiting {
            return (!waiting.reason.is_empty()).then(|| ContainerTrouble {
                container: self.name.clone(),
                reason: waiting.reason.clone(),
                message: waiting.message.clone(),
                last_termination,
            });
        }
        let killed = self
            .state
            .terminated
            .as_ref()
            .filter(|ended| ended.reason == "OOMKilled")?;
        Some(ContainerTrouble {
            container: self.name.clone(),
            reason: killed.reason.clone(),
            message: killed.text(),
            last_termination,
        })
    }
}

impl Terminated {
    fn text(&self) -> String {
        let message = self.message.trim();
        if message.is_empty() {
            format!("{} with exit code {}", self.reason, self.exit_code)
        } else {
            message.to_owned()
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::SlimPod;
    use serde_json::json;

    #[test]
    fn a_crash_loop_tells_how_the_container_ended() {
        let pod: SlimPod = serde_json::from_value(json!({
            "metadata": { "name": "a-1", "uid": "u", "labels": { "app": "a", "component": "jobmanager" } },
            "status": { "phase": "Running", "containerStatuses": [{
                "name": "flink-main-container", "restartCount": 3,
                "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 40s" } },
                "lastState": { "terminated": { "reason": "Error", "exitCode": 2 } },
            }] },
        }))
        .unwrap();
        let facts = pod.facts();
        assert_eq!(
            (facts.restarts, facts.ready, facts.is_job_manager),
            (3, false, true)
        );
        assert_eq!(
            facts.troubles[0].last_termination.as_deref(),
            Some("Error with exit code 2")
        );
    }

    #[test]
    fn an_unschedulable_pod_says_why() {
        let pod: SlimPod = serde_json::from_value(json!({
            "status": { "phase": "Pending", "conditions": [
                { "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes" },
            ] },
        }))
        .unwrap();
        assert_eq!(pod.facts().unschedulable.as_deref(), Some("0/1 nodes"));
    }
}
