//! Rules about creating clusters: intent first, clean ground, nothing twice.

use std::collections::BTreeMap;

use flink_operator_api::names::ATTEMPT_ANNOTATION;
use serde_json::Value;

use crate::history::{Request, Verb};
use crate::rule::{Finding, Rule};
use crate::timeline::{RESOURCE, Timeline, name_of, owner_of, uid_of};

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "intent-first",
        invariant: 1,
        says: "A JobManager Deployment is created only after its attempt was stored in the status.",
        check: intent_first,
    },
    Rule {
        id: "attempt-once",
        invariant: 1,
        says: "An attempt creates at most one Deployment.",
        check: attempt_once,
    },
    Rule {
        id: "uid-before-start",
        invariant: 1,
        says: "The configuration that lets a JobManager start is created only after its Deployment's uid was stored.",
        check: uid_before_start,
    },
    Rule {
        id: "own-attempt",
        invariant: 2,
        says: "A Deployment is started only with the configuration of the attempt that created it.",
        check: own_attempt,
    },
    Rule {
        id: "clean-ground",
        invariant: 1,
        says: "A Deployment is created only when pods, configuration and Services of its predecessor are gone.",
        check: clean_ground,
    },
    Rule {
        id: "graphs-removed",
        invariant: 1,
        says: "A Deployment is created only when no job graph is left in HA metadata.",
        check: graphs_removed,
    },
    Rule {
        id: "same-bytes",
        invariant: 7,
        says: "Whatever is created again for one attempt is created with the same bytes.",
        check: same_bytes,
    },
];

/// Lists the applied creations of JobManager Deployments with their bodies.
pub(crate) fn creations<'h>(timeline: &Timeline<'h>) -> Vec<(&'h Request, &'h Value)> {
    timeline
        .applied(Verb::Create, "deployments")
        .filter(|request| request.subresource.is_empty())
        .filter_map(|request| Some((request, request.body.as_ref()?)))
        .filter(|(_, body)| owner_of(body, RESOURCE).is_some())
        .collect()
}

fn attempt_of(body: &Value) -> Option<&str> {
    body["metadata"]["annotations"][ATTEMPT_ANNOTATION].as_str()
}

fn intent_first(timeline: &Timeline<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (request, body) in creations(timeline) {
        let name = name_of(body);
        let finding = |what: String| Finding::new(request.moment, &request.namespace, name, what);
        let Some(attempt) = attempt_of(body) else {
            findings.push(finding("the Deployment names no attempt".to_owned()));
            continue;
        };
        let stored = timeline
            .states_before(RESOURCE, &request.namespace, name, request.moment)
            .any(|(_, resource)| resource["status"]["operation"]["attempt"]["id"] == attempt);
        if !stored {
            findings.push(finding(format!(
                "attempt {attempt} was not stored before its Deployment was created"
            )));
        }
    }
    findings
}

fn attempt_once(timeline: &Timeline<'_>) -> Vec<Finding> {
    let mut seen = BTreeMap::new();
    let mut findings = Vec::new();
    for (request, body) in creations(timeline) {
        // A late one for a resource that is gone is taken away before it starts anything.
        let (namespace, name) = (&request.namespace, name_of(body));
        let resource = timeline.before(RESOURCE, namespace, name, request.moment);
        if resource.map(uid_of) != owner_of(body, RESOURCE) {
            continue;
        }
        if let Some(attempt) = attempt_of(body)
            && let Some(first) = seen.insert((&request.namespace, attempt), request.moment)
        {
            let what = format!(
                "attempt {attempt} had created a Deployment at #{} already",
                first.order
            );
            findings.push(Finding::new(
                request.moment,
                &request.namespace,
                name_of(body),
                what,
            ));
        }
    }
    findings
}

fn own_attempt(timeline: &Timeline<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for request in timeline.applied(Verb::Create, "configmaps") {
        let Some(body) = &request.body else { continue };
        let Some(cluster) = name_of(body).strip_prefix("flink-config-") else {
            continue;
        };
        let (namespace, at) = (request.namespace.as_str(), request.moment);
        // One for a Deployment that is gone or going arrives late and starts nothing.
        let deployment = timeline
            .before("Deployment", namespace, cluster, at)
            .filter(|found| Some(uid_of(found)) == owner_of(body, "Deployment"))
            .filter(|found| found["metadata"]["deletionTimestamp"].is_null());
        let (Some(deployment), Some(resource)) = (
            deployment,
            timeline.before(RESOURCE, namespace, cluster, at),
        ) else {
            continue;
        };
        let stored = resource["status"]["operation"]["attempt"]["id"].as_str();
        let made_by = attempt_of(deployment);
        if stored.is_some() && made_by.is_some() && stored != made_by {
            let what = format!(
                "a Deployment of attempt {} was started with the configuration of another, {}",
                made_by.unwrap_or_default(),
                stored.unwrap_or_default()
            );
            findings.push(Finding::new(at, namespace, cluster, what));
        }
    }
    findings
}

fn uid_before_start(timeline: &Timeline<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for request in timeline.applied(Verb::Create, "configmaps") {
        let Some(body) = &request.body else { continue };
        let Some(cluster) = name_of(body).strip_prefix("flink-config-") else {
            continue;
        };
        let owner = owner_of(body, "Deployment");
        let stored = owner.is_some_and(|owner| {
            timeline
                .states_before(RESOURCE, &request.namespace, cluster, request.moment)
                .any(|(_, resource)| resource["status"]["cluster"]["deploymentUid"] == owner)
        });
        if !stored {
            let what = format!(
                "the configuration of Deployment {} was created before that uid was stored",
                owner.unwrap_or("(none)")
            );
            findings.push(Finding::new(
                request.moment,
                &request.namespace,
                cluster,
                what,
            ));
        }
    }
    findings
}

/// Tells the rest of a predecessor from an object of somebody else, which creation may stumble over and then names.
///
/// The configuration counts whoever made it: a JobManager would start with it.
fn is_left_over(object: &Value, cluster: &str) -> bool {
    object["metadata"]["labels"]["app"] == cluster
        || name_of(object) == format!("flink-config-{cluster}")
}

fn clean_ground(timeline: &Timeline<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (request, body) in creations(timeline) {
        let (namespace, name, at) = (request.namespace.as_str(), name_of(body), request.moment);
        let mut left: Vec<String> = timeline
            .pods_before(namespace, name, at)
            .iter()
            .map(|pod| format!("pod {}", name_of(pod)))
            .collect();
        for (kind, child) in [
            ("ConfigMap", format!("flink-config-{name}")),
            ("ConfigMap", format!("pod-template-{name}")),
            ("Service", name.to_owned()),
            ("Service", format!("{name}-rest")),
        ] {
            let found = timeline.before(kind, namespace, &child, at);
            if found.is_some_and(|found| is_left_over(found, name)) {
                left.push(format!("{kind} {child}"));
            }
        }
        if !left.is_empty() {
            let what = format!("the Deployment was created beside {}", left.join(", "));
            findings.push(Finding::new(at, namespace, name, what));
        }
    }
    findings
}

fn graphs_removed(timeline: &Timeline<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (request, body) in creations(timeline) {
        let name = name_of(body);
        for map in timeline.ha_maps_before(&request.namespace, name, request.moment) {
            let keys = map["data"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, _)| key);
            for key in
                keys.filter(|key| key.starts_with("jobGraph-") || key.starts_with("executionPlan-"))
            {
                let what = format!(
                    "the Deployment was created while {key} was in {}",
                    name_of(map)
                );
                findings.push(Finding::new(request.moment, &request.namespace, name, what));
            }
        }
    }
    findings
}

fn same_bytes(timeline: &Timeline<'_>) -> Vec<Finding> {
    let mut first: BTreeMap<(String, String, String, String), &Value> = BTreeMap::new();
    let mut findings = Vec::new();
    for request in &timeline.history.requests {
        let Some(body) = request
            .body
            .as_ref()
            .filter(|_| request.verb == Verb::Create)
        else {
            continue;
        };
        // Deployments belong to an attempt, their children to a Deployment; a record of a savepoint is there once.
        let life = match request.resource.as_str() {
            "deployments" => attempt_of(body),
            "configmaps" | "services" => owner_of(body, "Deployment"),
            "flinkstatesnapshots" => Some(name_of(body)),
            _ => None,
        };
        let Some(life) = life else { continue };
        let key = (
            request.namespace.clone(),
            request.resource.clone(),
            name_of(body).to_owned(),
            life.to_owned(),
        );
        let before = *first.entry(key).or_insert(body);
        if before != body {
            let what = format!(
                "{} {} was sent with other bytes than before",
                request.resource,
                name_of(body)
            );
            findings.push(Finding::new(
                request.moment,
                &request.namespace,
                name_of(body),
                what,
            ));
        }
    }
    findings
}
