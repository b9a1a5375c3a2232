//! The status of a pod as a kubelet writes it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::pod::{Pod, Stage, Terminated};
use crate::clock::whole_seconds;

/// Renders the status of a pod from the kubelet's record; `old` keeps its transition times.
pub(super) fn render(pod: &Pod, object: &Value, now: Timestamp) -> Value {
    let old = &object["status"];
    let phase = match pod.stage {
        Stage::Unbound { .. }
        | Stage::Unschedulable
        | Stage::Mounting { .. }
        | Stage::PullFailed { .. }
        | Stage::Starting { .. } => "Pending",
        Stage::Running { .. } | Stage::BackOff { .. } => "Running",
        Stage::Ended { code: 0, .. } => "Succeeded",
        Stage::Ended { .. } => "Failed",
    };
    let mut status = json!({ "phase": phase, "qosClass": "Guaranteed" });
    status["conditions"] = conditions(pod, old, now);
    if let Some(accepted) = pod.accepted {
        status["startTime"] = json!(whole_seconds(accepted));
        status["hostIP"] = json!("10.255.0.1");
        status["containerStatuses"] = containers(pod, object);
    }
    if let Some(ip) = &pod.ip {
        status["podIP"] = json!(ip);
        status["podIPs"] = json!([{ "ip": ip }]);
    }
    status
}

fn conditions(pod: &Pod, old: &Value, now: Timestamp) -> Value {
    let bound = !matches!(pod.stage, Stage::Unbound { .. } | Stage::Unschedulable);
    let mut list = Vec::new();
    if pod.stage == Stage::Unschedulable {
        let message = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.";
        list.push(condition(
            old,
            "PodScheduled",
            false,
            Some(("Unschedulable", message)),
            now,
        ));
    }
    if bound {
        let ready = pod.is_ready();
        let unready = (!ready).then_some((
            "ContainersNotReady",
            "containers with unready status: [flink-main-container]",
        ));
        list.push(condition(
            old,
            "PodReadyToStartContainers",
            pod.ip.is_some(),
            None,
            now,
        ));
        list.push(condition(old, "Initialized", true, None, now));
        list.push(condition(old, "Ready", ready, unready, now));
        list.push(condition(old, "ContainersReady", ready, unready, now));
        list.push(condition(old, "PodScheduled", true, None, now));
    }
    Value::Array(list)
}

/// Makes a condition whose transition time moves only with its status.
pub(super) fn condition(
    old: &Value,
    kind: &str,
    holds: bool,
    why: Option<(&str, &str)>,
    now: Timestamp,
) -> Value {
    let status = if holds { "True" } else { "False" };
    let before = old["conditions"]
        .as_array()
        .and_then(|list| list.iter().find(|c| c["type"] == kind));
    let since = before
        .filter(|before| before["status"] == status)
        .and_then(|before| before["lastTransitionTime"].as_str())
        .map_or_else(|| whole_seconds(now), str::to_owned);
    let mut condition = json!({ "type": kind, "status": status, "lastTransitionTime": since });
    if let Some((reason, message)) = why {
        condition["reason"] = json!(reason);
        condition["message"] = json!(message);
    }
    condition
}

fn containers(pod: &Pod, object: &Value) -> Value {
    let containers = object["spec"]["containers"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let list = containers.iter().map(|container| {
        let image = container["image"].as_str().unwrap_or_default();
        let state = state(pod, container, image);
        let last = pod.last.filter(|_| !matches!(pod.stage, Stage::Ended { .. }));
        json!({
            "name": container["name"],
            "image": image,
            "imageID": "",
            "ready": pod.is_ready(),
            "started": pod.is_ready(),
            "restartCount": pod.restarts,
            "state": state,
            "lastState": last.map_or_else(|| json!({}), |last| json!({ "terminated": terminated(last) })),
        })
    });
    list.collect()
}

fn state(pod: &Pod, container: &Value, image: &str) -> Value {
    let waiting = |reason: &str, message: String| {
        let mut waiting = json!({ "reason": reason });
        if !message.is_empty() {
            waiting["message"] = json!(message);
        }
        json!({ "waiting": waiting })
    };
    match pod.stage {
        Stage::Unbound { .. }
        | Stage::Unschedulable
        | Stage::Mounting { .. }
        | Stage::Starting { .. } => waiting("ContainerCreating", String::new()),
        Stage::PullFailed { .. } => waiting(
            "ImagePullBackOff",
            format!(
                "Back-off pulling image \"{image}\": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image \"{image}\": not found"
            ),
        ),
        Stage::Running { since, .. } => json!({ "running": { "startedAt": whole_seconds(since) } }),
        Stage::BackOff { .. } => {
            let name = container["name"].as_str().unwrap_or_default();
            waiting(
                "CrashLoopBackOff",
                format!(
                    "back-off restarting failed container={name} pod={}_{}({})",
                    pod.name, pod.namespace, pod.uid
                ),
            )
        }
        Stage::Ended { .. } => pod.last.map_or_else(
            || json!({}),
            |last| json!({ "terminated": terminated(last) }),
        ),
    }
}

fn terminated(last: Terminated) -> Value {
    json!({
        "exitCode": last.code,
        "reason": if last.code == 0 { "Completed" } else { "Error" },
        "startedAt": whole_seconds(last.started),
        "finishedAt": whole_seconds(last.finished),
    })
}
