//! Rules about taking things away: by uid, in the right order, and never the last restore point.

use serde_json::Value;

use crate::history::{Moment, Request, Verb};
use crate::rule::{Finding, Rule};
use crate::timeline::{RESOURCE, Timeline, is_deleting, is_ha_map, is_stateless, name_of, uid_of};

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "delete-by-uid",
        invariant: 1,
        says: "Nothing is deleted by its mere name: a uid guards every deletion, and a version that of HA data.",
        check: delete_by_uid,
    },
    Rule {
        id: "never-orphan",
        invariant: 1,
        says: "A JobManager Deployment is deleted in the foreground, so that it is gone last.",
        check: never_orphan,
    },
    Rule {
        id: "intent-before-end",
        invariant: 1,
        says: "A cluster or job is ended only after an operation that says so was stored.",
        check: intent_before_end,
    },
    Rule {
        id: "ha-after-pods",
        invariant: 1,
        says: "HA metadata is changed or deleted only when no pod of the cluster is left.",
        check: ha_after_pods,
    },
    Rule {
        id: "ha-allowed",
        invariant: 3,
        says: "HA metadata with a checkpoint is deleted only where state is given up or a newer restore point is stored.",
        check: ha_allowed,
    },
    Rule {
        id: "restore-point-kept",
        invariant: 3,
        says: "The newest restore point of a resource is never disposed of.",
        check: restore_point_kept,
    },
    Rule {
        id: "finalizer-last",
        invariant: 5,
        says: "A resource goes only when nothing of it runs, or ever will again.",
        check: finalizer_last,
    },
];

/// Kinds that are the operator's own records; no state hangs on them.
const RECORDS: [&str; 2] = ["events", "leases"];

fn delete_by_uid(timeline: &Timeline<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for request in &timeline.history.requests {
        if !request.applied || RECORDS.contains(&request.resource.as_str()) {
            continue;
        }
        let finding =
            |what: String| Finding::new(request.moment, &request.namespace, &request.name, what);
        if request.verb == Verb::DeleteCollection {
            findings.push(finding(format!(
                "{} were deleted as a collection",
                request.resource
            )));
        }
        if request.verb != Verb::Delete {
            continue;
        }
        let guards = |field: &str| {
            request
                .body
                .as_ref()
                .is_some_and(|body| body["preconditions"][field].is_string())
        };
        if !guards("uid") {
            findings.push(finding(format!(
                "{} {} was deleted without a uid",
                request.resource, request.name
            )));
        } else if ha_map_of(timeline, request).is_some() && !guards("resourceVersion") {
            findings.push(finding(format!(
                "HA data {} was deleted without a version",
                request.name
            )));
        }
    }
    findings
}

fn never_orphan(timeline: &Timeline<'_>) -> Vec<Finding> {
    let deletions = timeline.applied(Verb::Delete, "deployments");
    let wrong = deletions.filter(|request| {
        request
            .body
            .as_ref()
            .is_none_or(|body| body["propagationPolicy"] != "Foreground")
    });
    wrong
        .map(|request| {
            Finding::new(
                request.moment,
                &request.namespace,
                &request.name,
                "the Deployment was not deleted in the foreground",
            )
        })
        .collect()
}

fn intent_before_end(timeline: &Timeline<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for request in timeline.applied(Verb::Delete, "deployments") {
        let Some(deployment) = timeline.before(
            "Deployment",
            &request.namespace,
            &request.name,
            request.moment,
        ) else {
            continue;
        };
        if !announced(
            timeline,
            &request.namespace,
            &request.name,
            deployment,
            request.moment,
        ) {
            findings.push(Finding::new(
                request.moment,
                &request.namespace,
                &request.name,
                "the Deployment was deleted without a stored operation",
            ));
        }
    }
    for call in timeline
        .history
        .calls
        .iter()
        .filter(|call| call.method != "GET" && call.code > 0 && call.code < 300)
    {
        let Some(deployment) =
            timeline.before("Deployment", &call.namespace, &call.cluster, call.moment)
        else {
            continue;
        };
        let trigger = call
            .body
            .as_ref()
            .and_then(|body| body["triggerId"].as_str());
        let stored_trigger = |trigger: &str| {
            timeline
                .states_before(RESOURCE, &call.namespace, &call.cluster, call.moment)
                .any(|(_, resource)| resource["status"]["operation"]["trigger"]["id"] == trigger)
        };
        let what = if !announced(
            timeline,
            &call.namespace,
            &call.cluster,
            deployment,
            call.moment,
        ) {
            format!(
                "{} {} was sent without a stored operation",
                call.method, call.path
            )
        } else if call.path.ends_with("/stop") && trigger.is_none_or(|id| !stored_trigger(id)) {
            format!(
                "a stop was sent under trigger {} that was not stored",
                trigger.unwrap_or("(none)")
            )
        } else {
            continue;
        };
        findings.push(Finding::new(
            call.moment,
            &call.namespace,
            &call.cluster,
            what,
        ));
    }
    findings
}

/// Tells whether the status announced the end of what a Deployment runs, since that Deployment exists. A late
/// request of a former leader may arrive when its operation is over: that one was announced all the same.
fn announced(
    timeline: &Timeline<'_>,
    namespace: &str,
    name: &str,
    deployment: &Value,
    moment: Moment,
) -> bool {
    let Some((created, _)) = timeline.deployment(uid_of(deployment)) else {
        return true;
    };
    let operates = |resource: &Value| resource["status"]["operation"].is_object();
    // A deploy that begins again removes its own Deployment under the intent that came before it.
    let now = timeline.before(RESOURCE, namespace, name, moment);
    now.is_some_and(operates)
        || timeline
            .states_before(RESOURCE, namespace, name, moment)
            .any(|(at, resource)| at > created && operates(resource))
}

/// Finds the HA ConfigMap that a request is about, and its cluster.
pub(crate) fn ha_map_of<'h>(
    timeline: &Timeline<'h>,
    request: &Request,
) -> Option<(&'h Value, String)> {
    if request.resource != "configmaps" {
        return None;
    }
    let map = timeline.before(
        "ConfigMap",
        &request.namespace,
        &request.name,
        request.moment,
    )?;
    let cluster = map["metadata"]["labels"]["app"]
        .as_str()
        .map(str::to_owned)
        .or_else(|| {
            request
                .name
                .strip_suffix("-dispatcher-leader")
                .map(str::to_owned)
        })?;
    is_ha_map(&cluster, &request.name).then_some((map, cluster))
}

fn ha_after_pods(timeline: &Timeline<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for request in timeline
        .history
        .requests
        .iter()
        .filter(|request| request.applied && request.verb.mutates())
    {
        let Some((_, cluster)) = ha_map_of(timeline, request) else {
            continue;
        };
        let pods = timeline.pods_before(&request.namespace, &cluster, request.moment);
        if let Some(pod) = pods.first() {
            let what = format!(
                "HA data {} was touched while pod {} was there",
                request.name,
                name_of(pod)
            );
            findings.push(Finding::new(
                request.moment,
                &request.namespace,
                &cluster,
                what,
            ));
        }
    }
    findings
}

fn ha_allowed(timeline: &Timeline<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for request in timeline.applied(Verb::Delete, "configmaps") {
        let Some((map, cluster)) = ha_map_of(timeline, request) else {
            continue;
        };
        let holds = map["data"]
            .as_object()
            .into_iter()
            .flatten()
            .any(|(key, _)| key.starts_with("checkpointID-"));
        if !holds {
            continue;
        }
        let resource = timeline.before(RESOURCE, &request.namespace, &cluster, request.moment);
        let allowed = resource.is_some_and(|resource| {
            is_deleting(resource)
                || is_stateless(&resource["spec"])
                || stores_newest(
                    timeline,
                    &request.namespace,
                    &cluster,
                    resource,
                    request.moment,
                )
        });
        if !allowed {
            let what = format!(
                "{} was deleted with the only pointer to its state",
                request.name
            );
            findings.push(Finding::new(
                request.moment,
                &request.namespace,
                &cluster,
                what,
            ));
        }
    }
    findings
}

/// Tells whether the status names a snapshot that is as new as any.
fn stores_newest(
    timeline: &Timeline<'_>,
    namespace: &str,
    cluster: &str,
    resource: &Value,
    moment: Moment,
) -> bool {
    let status = resource["status"].to_string();
    let newest = timeline
        .snapshots_before(namespace, cluster, moment)
        .max_by_key(|snapshot| snapshot.progress);
    newest.is_some_and(|newest| status.contains(&newest.path))
}

fn restore_point_kept(timeline: &Timeline<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let disposals = timeline.history.calls.iter().filter(|call| {
        call.method == "POST"
            && call.path.starts_with("/savepoint-disposal")
            && call.code > 0
            && call.code < 300
    });
    for call in disposals {
        let path = call
            .body
            .as_ref()
            .and_then(|body| body["savepoint-path"].as_str())
            .unwrap_or_default();
        let same = |other: &str| other.replacen(":///", ":/", 1) == path.replacen(":///", ":/", 1);
        let newest = timeline
            .snapshots_before(&call.namespace, &call.cluster, call.moment)
            .max_by_key(|snapshot| snapshot.progress);
        let resource = timeline.before(RESOURCE, &call.namespace, &call.cluster, call.moment);
        let stored =
            resource.and_then(|resource| resource["status"]["lineage"]["newest"]["path"].as_str());
        if newest.is_some_and(|newest| same(&newest.path)) || stored.is_some_and(same) {
            findings.push(Finding::new(
                call.moment,
                &call.namespace,
                &call.cluster,
                format!("{path} was disposed of"),
            ));
        }
    }
    findings
}

fn finalizer_last(timeline: &Timeline<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for change in timeline.changes_of(RESOURCE) {
        let (Some(old), None) = (&change.old, &change.new) else {
            continue;
        };
        let mine = |uid: &str| {
            timeline.deployment(uid).is_some_and(|(_, deployment)| {
                crate::timeline::owner_of(deployment, RESOURCE) == Some(uid_of(old))
            })
        };
        let alive = timeline
            .runs_of(&change.namespace, &change.name)
            .find(|run| {
                mine(&run.deployment) && run.ended.is_none_or(|(end, _)| end > change.moment)
            });
        if let Some(run) = alive {
            let when = if run.started > change.moment {
                "started after"
            } else {
                "outlived"
            };
            let what = format!("job {} in pod {} {when} its resource", run.job, run.pod);
            findings.push(Finding::new(
                change.moment,
                &change.namespace,
                &change.name,
                what,
            ));
        }
    }
    findings
}
