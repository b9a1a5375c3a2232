//! The scheduler: binds pods to this node, or says why it can't.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    Binding, Container, NodeSelectorRequirement, ObjectReference, Pod, PodCondition, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::Node;
use super::quantity::Amount;

type Amounts = BTreeMap<String, Amount>;

/// Knows what the pods on this node have asked for.
#[derive(Debug)]
pub(super) struct Ledger {
    allocatable: Amounts,
    labels: BTreeMap<String, String>,
    /// By pod uid.
    taken: BTreeMap<String, Amounts>,
}

impl Ledger {
    pub(super) fn new(allocatable: Amounts, labels: BTreeMap<String, String>) -> Self {
        Self {
            allocatable,
            labels,
            taken: BTreeMap::new(),
        }
    }

    /// Counts a pod that is on this node, until it has come to its end.
    pub(super) fn count(&mut self, pod: &Pod) {
        let phase = pod
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref());
        let uid = pod.uid().unwrap_or_default();
        if matches!(phase, Some("Failed" | "Succeeded")) {
            self.taken.remove(&uid);
        } else {
            self.taken.insert(uid, requests(pod));
        }
    }

    pub(super) fn forget(&mut self, uid: &str) {
        self.taken.remove(uid);
    }

    /// Tells whether a pod can be bound to this node; the error is a scheduler's sentence.
    pub(super) fn fits(&self, pod: &Pod) -> Result<(), String> {
        let spec = pod.spec.as_ref();
        let mut problems = Vec::new();
        let selector = spec.and_then(|spec| spec.node_selector.as_ref());
        let selected = selector
            .into_iter()
            .flatten()
            .all(|(key, value)| self.labels.get(key) == Some(value));
        let affinity = spec.and_then(|spec| spec.affinity.as_ref()?.node_affinity.as_ref());
        let required = affinity.and_then(|affinity| {
            affinity
                .required_during_scheduling_ignored_during_execution
                .as_ref()
        });
        let attracted = required.is_none_or(|required| {
            let mut terms = required
                .node_selector_terms
                .iter()
                .map(|term| term.match_expressions.iter().flatten());
            terms.any(|mut expressions| expressions.all(|expression| self.meets(expression)))
        });
        if !selected || !attracted {
            problems.push("1 node(s) didn't match Pod's node affinity/selector".to_owned());
        }
        for (resource, asked) in requests(pod) {
            let taken = self
                .taken
                .values()
                .filter_map(|amounts| amounts.get(&resource))
                .copied();
            let available = self.allocatable.get(&resource).copied().unwrap_or_default();
            if taken.fold(asked, Amount::plus) > available && asked > Amount::default() {
                problems.push(format!("1 Insufficient {resource}"));
            }
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(format!(
            "0/1 nodes are available: {}. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
            problems.join(", ")
        ))
    }

    fn meets(&self, expression: &NodeSelectorRequirement) -> bool {
        let value = self.labels.get(&expression.key);
        let listed = value.is_some_and(|value| {
            expression
                .values
                .iter()
                .flatten()
                .any(|listed| listed == value)
        });
        let number = |text: Option<&String>| text.and_then(|text| text.parse::<i64>().ok());
        let bound = number(expression.values.iter().flatten().next());
        match expression.operator.as_str() {
            "In" => listed,
            "NotIn" => !listed,
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            "Gt" => number(value)
                .zip(bound)
                .is_some_and(|(value, bound)| value > bound),
            "Lt" => number(value)
                .zip(bound)
                .is_some_and(|(value, bound)| value < bound),
            // The API server accepts no other.
            _ => false,
        }
    }
}

/// Adds up what a pod asks for: its containers together, or its largest init container if that is more.
fn requests(pod: &Pod) -> Amounts {
    let Some(spec) = &pod.spec else {
        return Amounts::new();
    };
    let mut sum = Amounts::from([("pods".to_owned(), Amount::parse("1").unwrap_or_default())]);
    for container in &spec.containers {
        for (resource, amount) in container_requests(container) {
            let total = sum.entry(resource).or_default();
            *total = total.plus(amount);
        }
    }
    for container in spec.init_containers.iter().flatten() {
        for (resource, amount) in container_requests(container) {
            let total = sum.entry(resource).or_default();
            *total = (*total).max(amount);
        }
    }
    sum
}

fn container_requests(container: &Container) -> impl Iterator<Item = (String, Amount)> {
    let requests = container
        .resources
        .iter()
        .flat_map(|resources| resources.requests.iter().flatten());
    requests.map(|(resource, quantity)| (resource.clone(), Amount::from(quantity)))
}

/// Tells whether a pod waits for the default scheduler.
pub(super) fn awaits_binding(pod: &Pod) -> bool {
    let Some(spec) = &pod.spec else { return false };
    let ours = spec
        .scheduler_name
        .as_deref()
        .is_none_or(|name| name == "default-scheduler");
    let gated = spec
        .scheduling_gates
        .as_ref()
        .is_some_and(|gates| !gates.is_empty());
    ours && !gated && spec.node_name.is_none() && pod.metadata.deletion_timestamp.is_none()
}

/// Binds a pod to this node.
pub(super) async fn bind(node: &Arc<Node>, pod: &Pod) -> Result<(), kube::Error> {
    let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
    let api = Api::<Pod>::namespaced(node.config.client.clone(), &namespace);
    let mut binding = Binding {
        target: ObjectReference {
            kind: Some("Node".to_owned()),
            name: Some(node.config.node_name.clone()),
            ..ObjectReference::default()
        },
        ..Binding::default()
    };
    // The uid keeps a binding from reaching a later pod of the same name.
    (binding.metadata.name, binding.metadata.uid) = (Some(name.clone()), pod.uid());
    api.create_subresource::<_, serde_json::Value>(
        "binding",
        &name,
        &PostParams::default(),
        &binding,
    )
    .await?;
    node.events.normal(
        pod,
        "Scheduled",
        format!(
            "Successfully assigned {namespace}/{name} to {}",
            node.config.node_name
        ),
    );
    Ok(())
}

/// Says why a pod stays unbound; says nothing if that is known.
pub(super) async fn refuse(node: &Arc<Node>, pod: &Pod, why: &str) {
    let conditions = pod
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    let known = |condition: &PodCondition| {
        condition.type_ == "PodScheduled" && condition.message.as_deref() == Some(why)
    };
    if conditions.into_iter().any(known) {
        return;
    }
    node.events.warning(pod, "FailedScheduling", why);
    let condition = PodCondition {
        type_: "PodScheduled".to_owned(),
        status: "False".to_owned(),
        reason: Some("Unschedulable".to_owned()),
        message: Some(why.to_owned()),
        last_transition_time: Some(Time(Timestamp::now())),
        ..PodCondition::default()
    };
    let status = PodStatus {
        conditions: Some(vec![condition]),
        ..PodStatus::default()
    };
    let body = json!({ "metadata": { "uid": pod.uid() }, "status": status });
    let api = Api::<Pod>::namespaced(
        node.config.client.clone(),
        &pod.namespace().unwrap_or_default(),
    );
    if let Err(error) = api
        .patch_status(
            &pod.name_any(),
            &PatchParams::default(),
            &Patch::Strategic(body),
        )
        .await
    {
        tracing::debug!(pod = pod.name_any(), %error, "cannot tell why a pod is not bound");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn pod(uid: &str, spec: &Value) -> Pod {
        serde_json::from_value(json!({ "metadata": { "uid": uid }, "spec": spec })).unwrap()
    }

    fn asks(uid: &str, cpu: &str) -> Pod {
        pod(
            uid,
            &json!({ "containers": [{ "name": "c", "resources": { "requests": { "cpu": cpu } } }] }),
        )
    }

    fn ledger() -> Ledger {
        let amount = |text| Amount::parse(text).unwrap();
        let allocatable = Amounts::from([
            ("cpu".to_owned(), amount("4")),
            ("pods".to_owned(), amount("10")),
        ]);
        Ledger::new(
            allocatable,
            BTreeMap::from([("kubernetes.io/hostname".to_owned(), "here".to_owned())]),
        )
    }

    #[test]
    fn a_pod_fits_until_the_node_is_full() {
        let mut ledger = ledger();
        assert_eq!(ledger.fits(&asks("1", "3500m")), Ok(()));
        ledger.count(&asks("1", "3500m"));
        let why = ledger.fits(&asks("2", "1")).unwrap_err();
        assert!(
            why.starts_with("0/1 nodes are available: 1 Insufficient cpu."),
            "{why}"
        );
        ledger.forget("1");
        assert_eq!(ledger.fits(&asks("2", "1")), Ok(()));
    }

    #[test]
    fn a_pod_at_its_end_takes_nothing() {
        let mut ledger = ledger();
        let mut ended = asks("1", "4");
        ledger.count(&ended);
        ended.status = Some(PodStatus {
            phase: Some("Failed".to_owned()),
            ..PodStatus::default()
        });
        ledger.count(&ended);
        assert_eq!(ledger.fits(&asks("2", "4")), Ok(()));
    }

    #[test]
    fn selectors_and_affinity_are_respected() {
        let selects = |host: &str| {
            pod(
                "1",
                &json!({ "nodeSelector": { "kubernetes.io/hostname": host }, "containers": [] }),
            )
        };
        assert_eq!(ledger().fits(&selects("here")), Ok(()));
        assert!(
            ledger()
                .fits(&selects("there"))
                .unwrap_err()
                .contains("didn't match Pod's node affinity/selector")
        );
        let avoids = |host: &str| {
            let expression =
                json!({ "key": "kubernetes.io/hostname", "operator": "NotIn", "values": [host] });
            let required = json!({ "nodeSelectorTerms": [{ "matchExpressions": [expression] }] });
            let affinity = json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": required } });
            pod("1", &json!({ "affinity": affinity, "containers": [] }))
        };
        assert!(ledger().fits(&avoids("here")).is_err());
        assert_eq!(ledger().fits(&avoids("there")), Ok(()));
    }

    #[test]
    fn init_containers_count_by_their_largest() {
        let limits =
            |cpu: &str| json!({ "name": "c", "resources": { "requests": { "cpu": cpu } } });
        let both = |init: &str, main: &str| {
            pod(
                "1",
                &json!({ "initContainers": [limits(init)], "containers": [limits(main)] }),
            )
        };
        assert_eq!(ledger().fits(&both("4", "1")), Ok(()));
        assert!(ledger().fits(&both("5", "1")).is_err());
    }

    #[test]
    fn only_pods_for_the_default_scheduler_are_bound() {
        assert!(awaits_binding(&pod("1", &json!({ "containers": [] }))));
        assert!(!awaits_binding(&pod(
            "1",
            &json!({ "containers": [], "schedulerName": "other" })
        )));
        assert!(!awaits_binding(&pod(
            "1",
            &json!({ "containers": [], "nodeName": "here" })
        )));
        assert!(!awaits_binding(&pod(
            "1",
            &json!({ "containers": [], "schedulingGates": [{ "name": "wait" }] })
        )));
    }
}
