//! The simulated Deployment controller.
//!
//! A short cut against the real one: there is no replica set in between. Pods are owned by the Deployment
//! itself, so that deleting it collects them all the same; they carry `pod-template-hash`, and a new
//! Deployment adopts orphaned pods that match its selector, which is what a real one does by way of
//! the orphaned replica set.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::kube::Kube;
use super::podstatus::condition;
use super::settings::Trouble;
use super::state::State;
use crate::clock::whole_seconds;

/// What the controller remembers of a Deployment.
#[derive(Clone, Debug, Default)]
pub(super) struct Desk {
    /// When the next pod may be created.
    pub(super) create_at: Option<Timestamp>,
    /// Why the last creation was refused.
    pub(super) refused: Option<String>,
    /// Since when there has been no progress.
    pub(super) stuck_since: Option<Timestamp>,
    /// Numbers the pods.
    pub(super) made: u32,
    /// The hash of the pod template, and the generation that has it.
    pub(super) hash: Option<(Value, String)>,
}

/// A refused creation is tried again after this time.
const RETRY: jiff::SignedDuration = jiff::SignedDuration::from_secs(5);

impl State {
    /// Lets every Deployment take its next step.
    pub(super) fn run_deployments(&mut self, kube: &mut Kube, now: Timestamp) {
        let deployments = kube.list("Deployment");
        let uids: Vec<&str> = deployments
            .iter()
            .filter_map(|d| d["metadata"]["uid"].as_str())
            .collect();
        self.desks.retain(|uid, _| uids.contains(&uid.as_str()));
        for deployment in &deployments {
            self.run_deployment(deployment, kube, now);
        }
    }

    fn run_deployment(&mut self, deployment: &Value, kube: &mut Kube, now: Timestamp) {
        let uid = text(&deployment["metadata"]["uid"]);
        let namespace = text(&deployment["metadata"]["namespace"]);
        let hash = self.hash_of(deployment, &uid);
        let pods = matching(deployment, kube.list_in("Pod", &namespace));
        if deployment["metadata"]["deletionTimestamp"].is_null() {
            for pod in pods
                .iter()
                .filter(|pod| controller(pod).is_none() && !deleting(pod))
            {
                kube.update("Pod", &namespace, &text(&pod["metadata"]["name"]), |pod| {
                    pod["metadata"]["ownerReferences"] = json!([owner(deployment)]);
                });
            }
            self.scale(deployment, &uid, &hash, &pods, kube, now);
        } else if let Some(desk) = self.desks.get_mut(&uid) {
            // One that ends gets no pods any more, also when one was due.
            desk.create_at = None;
        }
        self.write_status(deployment, &uid, &hash, &pods, kube, now);
    }

    /// Gives the hash of the pod template, which is computed once for each generation.
    fn hash_of(&mut self, deployment: &Value, uid: &str) -> String {
        let generation = &deployment["metadata"]["generation"];
        let desk = self.desks.entry(uid.to_owned()).or_default();
        match &desk.hash {
            Some((of, hash)) if of == generation => hash.clone(),
            Some(_) | None => {
                let hash = template_hash(deployment);
                desk.hash = Some((generation.clone(), hash.clone()));
                hash
            }
        }
    }

    fn scale(
        &mut self,
        deployment: &Value,
        uid: &str,
        hash: &str,
        pods: &[Arc<Value>],
        kube: &mut Kube,
        now: Timestamp,
    ) {
        let wanted =
            usize::try_from(deployment["spec"]["replicas"].as_u64().unwrap_or(1)).unwrap_or(1);
        let namespace = text(&deployment["metadata"]["namespace"]);
        let live: Vec<&Value> = pods
            .iter()
            .map(Arc::as_ref)
            .filter(|pod| active(pod) && mine(pod, uid))
            .collect();
        let (new, old): (Vec<&Value>, Vec<&Value>) = live
            .into_iter()
            .partition(|pod| pod["metadata"]["labels"]["pod-template-hash"] == *hash);
        let ready = new.iter().filter(|pod| is_ready(pod)).count();
        if ready >= wanted {
            for pod in &old {
                kube.delete("Pod", &namespace, &text(&pod["metadata"]["name"]));
            }
        }
        for pod in new.iter().skip(wanted) {
            kube.delete("Pod", &namespace, &text(&pod["metadata"]["name"]));
        }
        let refused = self.quota(deployment);
        let delay = self.settings.node.controller;
        let desk = self.desks.entry(uid.to_owned()).or_default();
        if new.len() >= wanted {
            desk.create_at = None;
            desk.refused = None;
            return;
        }
        let at = *desk.create_at.get_or_insert(now + delay);
        if at > now {
            return;
        }
        if let Some(refusal) = refused {
            desk.refused = Some(refusal);
            desk.create_at = Some(now + RETRY);
            return;
        }
        for _ in new.len()..wanted {
            desk.made += 1;
            let pod = pod_of(deployment, hash, desk.made);
            if !kube.create(pod) {
                desk.create_at = Some(now + RETRY);
                return;
            }
        }
        desk.create_at = None;
        desk.refused = None;
    }

    fn quota(&self, deployment: &Value) -> Option<String> {
        let namespace = text(&deployment["metadata"]["namespace"]);
        let name = text(&deployment["metadata"]["name"]);
        let trouble = self.settings.troubles.get(&(namespace, name.clone()));
        (trouble == Some(&Trouble::Quota)).then(|| {
            format!("pods \"{name}-{}\" is forbidden: exceeded quota: compute, requested: limits.memory=2Gi, used: limits.memory=8Gi, limited: limits.memory=8Gi", template_hash(deployment))
        })
    }

    fn write_status(
        &mut self,
        deployment: &Value,
        uid: &str,
        hash: &str,
        pods: &[Arc<Value>],
        kube: &mut Kube,
        now: Timestamp,
    ) {
        let live = pods.iter().map(Arc::as_ref);
        let live: Vec<&Value> = live.filter(|pod| active(pod)).collect();
        let wanted = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
        let total = live.len() as u64;
        let ready = live.iter().filter(|pod| is_ready(pod)).count() as u64;
        let updated = live
            .iter()
            .filter(|pod| pod["metadata"]["labels"]["pod-template-hash"] == *hash)
            .count() as u64;
        let old = &deployment["status"];
        let desk = self.desks.entry(uid.to_owned()).or_default();
        let stuck = *desk.stuck_since.get_or_insert(now);
        if ready >= wanted {
            desk.stuck_since = Some(now);
        }
        let deadline =
            ready < wanted && now.duration_since(stuck) >= self.settings.node.progress_deadline;
        let mut conditions = vec![
            available(old, ready >= wanted, now),
            progressing(old, deployment, hash, ready >= wanted, deadline, now),
        ];
        if let Some(refused) = &desk.refused {
            conditions.push(condition(
                old,
                "ReplicaFailure",
                true,
                Some(("FailedCreate", refused)),
                now,
            ));
        }
        let mut status = json!({ "observedGeneration": deployment["metadata"]["generation"], "conditions": conditions });
        for (field, count) in [
            ("replicas", total),
            ("updatedReplicas", updated),
            ("readyReplicas", ready),
            ("availableReplicas", ready),
            ("unavailableReplicas", wanted.saturating_sub(ready)),
        ] {
            if count > 0 {
                status[field] = json!(count);
            }
        }
        for condition in status["conditions"].as_array_mut().into_iter().flatten() {
            with_update_time(condition, old, now);
        }
        if *old != status {
            let (namespace, name) = (
                text(&deployment["metadata"]["namespace"]),
                text(&deployment["metadata"]["name"]),
            );
            kube.update("Deployment", &namespace, &name, |stored| {
                stored["status"] = status;
            });
        }
    }

    /// Tells when a Deployment has to be looked at next.
    pub(super) fn next_deployment(&self) -> Option<Timestamp> {
        self.desks.values().filter_map(|desk| desk.create_at).min()
    }
}

fn available(old: &Value, holds: bool, now: Timestamp) -> Value {
    let why = if holds {
        (
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
        )
    } else {
        (
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
        )
    };
    condition(old, "Available", holds, Some(why), now)
}

fn progressing(
    old: &Value,
    deployment: &Value,
    hash: &str,
    complete: bool,
    deadline: bool,
    now: Timestamp,
) -> Value {
    let set = format!(
        "ReplicaSet \"{}-{hash}\"",
        text(&deployment["metadata"]["name"])
    );
    let (reason, message) = if deadline {
        (
            "ProgressDeadlineExceeded",
            format!("{set} has timed out progressing."),
        )
    } else if complete {
        (
            "NewReplicaSetAvailable",
            format!("{set} has successfully progressed."),
        )
    } else {
        ("ReplicaSetUpdated", format!("{set} is progressing."))
    };
    condition(old, "Progressing", !deadline, Some((reason, &message)), now)
}

/// Conditions of a Deployment have two times: the second moves with any change of the text.
fn with_update_time(condition: &mut Value, old: &Value, now: Timestamp) {
    let before = old["conditions"]
        .as_array()
        .and_then(|list| list.iter().find(|c| c["type"] == condition["type"]));
    let same = before.filter(|before| {
        ["status", "reason", "message"]
            .iter()
            .all(|field| before[field] == condition[field])
    });
    condition["lastUpdateTime"] = same.map_or_else(
        || json!(whole_seconds(now)),
        |before| before["lastUpdateTime"].clone(),
    );
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn deleting(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

fn active(pod: &Value) -> bool {
    !deleting(pod)
        && !matches!(
            pod["status"]["phase"].as_str(),
            Some("Succeeded" | "Failed")
        )
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    conditions
        .iter()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

fn controller(object: &Value) -> Option<&Value> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    owners.iter().find(|owner| owner["controller"] == true)
}

fn mine(pod: &Value, uid: &str) -> bool {
    // One adopted a moment ago still shows no owner in this look.
    controller(pod).is_none_or(|owner| owner["uid"] == uid)
}

/// Selects the pods that a Deployment controls or could adopt.
fn matching(deployment: &Value, pods: Vec<Arc<Value>>) -> Vec<Arc<Value>> {
    let empty = serde_json::Map::new();
    let labels = deployment["spec"]["selector"]["matchLabels"]
        .as_object()
        .unwrap_or(&empty);
    let uid = &deployment["metadata"]["uid"];
    let matches = |pod: &Arc<Value>| {
        !labels.is_empty()
            && labels
                .iter()
                .all(|(key, value)| pod["metadata"]["labels"][key] == *value)
            && controller(pod).is_none_or(|owner| owner["uid"] == *uid)
    };
    pods.into_iter().filter(matches).collect()
}

fn owner(deployment: &Value) -> Value {
    json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": deployment["metadata"]["name"],
        "uid": deployment["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true })
}

/// Gives the hash of a pod template: the same for the same template, in the alphabet of the real one.
fn template_hash(deployment: &Value) -> String {
    let text = deployment["spec"]["template"].to_string();
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    spelled(hash, 10)
}

fn spelled(mut number: u64, length: usize) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut word = String::new();
    for _ in 0..length {
        let index = usize::try_from(number % 27).expect("a remainder of 27 fits");
        word.push(char::from(ALPHABET[index]));
        number /= 27;
    }
    word
}

fn pod_of(deployment: &Value, hash: &str, number: u32) -> Value {
    let template = &deployment["spec"]["template"];
    let name = text(&deployment["metadata"]["name"]);
    let uid = text(&deployment["metadata"]["uid"]);
    let seed = uid.bytes().fold(u64::from(number), |seed, byte| {
        seed.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    let mut labels: BTreeMap<String, Value> = template["metadata"]["labels"]
        .as_object()
        .map(|labels| {
            labels
                .iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect()
        })
        .unwrap_or_default();
    labels.insert("pod-template-hash".to_owned(), json!(hash));
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": format!("{name}-{hash}-{}", spelled(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 8, 5)),
            "namespace": deployment["metadata"]["namespace"],
            "labels": labels,
            "ownerReferences": [owner(deployment)],
        },
        "spec": template["spec"],
        "status": { "phase": "Pending" },
    });
    if template["metadata"]["annotations"].is_object() {
        pod["metadata"]["annotations"] = template["metadata"]["annotations"].clone();
    }
    pod
}
