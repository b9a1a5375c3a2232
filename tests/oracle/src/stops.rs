//! Rules about stops with savepoint: one at a time, nothing of what they made is lost, and what is lost is said.

use serde_json::Value;

use crate::deletions::ha_map_of;
use crate::deploys::creations;
use crate::history::{Call, End, Moment, Request, Run, Snapshot, Verb};
use crate::rule::{Finding, Rule};
use crate::timeline::{
    RESOURCE, Timeline, is_deleting, is_stateless, name_of, owner_of, plain, uid_of,
};

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "one-stop",
        invariant: 2,
        says: "No stop reaches a job under another trigger id before the result of the last one was told.",
        check: one_stop,
    },
    Rule {
        id: "stopped-is-stored",
        invariant: 4,
        says: "Nothing of a cluster whose job was stopped is deleted before the savepoint is in the status.",
        check: stopped_is_stored,
    },
    Rule {
        id: "loss-is-said",
        invariant: 2,
        says: "Where the savepoint of a stop can't be found any more, the status asks for a manual restore.",
        check: loss_is_said,
    },
    Rule {
        id: "older-is-said",
        invariant: 2,
        says: "Where a JobManager that was started again began from older state than the newest one stored, the status says so.",
        check: older_is_said,
    },
    Rule {
        id: "manual-waits",
        invariant: 2,
        says: "What waits for a manual restore is not started unless the spec gives the state up.",
        check: manual_waits,
    },
    Rule {
        id: "true-records",
        invariant: 4,
        says: "A record of a savepoint is made once, of one that is there, and after its path was stored.",
        check: true_records,
    },
];

/// How the status says that only a person can go on.
const MANUAL: &str = "Manual restore required.";

/// Tells whether a snapshot was asked for by a stop that an operator sent.
pub(crate) fn was_asked_for(timeline: &Timeline<'_>, snapshot: &Snapshot) -> bool {
    snapshot.stop
        && stops(timeline).any(|(call, _)| {
            call.namespace == snapshot.namespace
                && call.cluster == snapshot.cluster
                && job_of(call) == snapshot.job
                && call.moment < snapshot.completed
        })
}

/// Lists the stops that were accepted, with their trigger ids.
fn stops<'h>(timeline: &Timeline<'h>) -> impl Iterator<Item = (&'h Call, &'h str)> {
    let calls = timeline.history.calls.iter();
    calls
        .filter(|call| call.method == "POST" && call.path.ends_with("/stop") && call.code == 202)
        .map(|call| {
            let body = call.body.as_ref();
            let trigger = body.and_then(|body| body["triggerId"].as_str());
            (call, trigger.unwrap_or_default())
        })
}

/// Gives the job id in a path such as `/jobs/<id>/stop`.
fn job_of(call: &Call) -> &str {
    call.path.split('/').nth(2).unwrap_or_default()
}

fn one_stop(timeline: &Timeline<'_>) -> Vec<Finding> {
    let all: Vec<(&Call, &str)> = stops(timeline).collect();
    let mut findings = Vec::new();
    for (index, (later, second)) in all.iter().enumerate() {
        let of_job = |call: &Call| {
            (&call.namespace, &call.cluster, job_of(call))
                == (&later.namespace, &later.cluster, job_of(later))
        };
        let unsettled = all[..index].iter().find(|(earlier, first)| {
            of_job(earlier)
                && !first.eq_ignore_ascii_case(second)
                && process_of(timeline, earlier) == process_of(timeline, later)
                && !knew_result(timeline, earlier, first, later)
        });
        if let Some((earlier, first)) = unsettled {
            let what = format!(
                "stop {second} of job {} came to Flink though nothing was told of stop {first}, which came at #{}",
                job_of(later),
                earlier.moment.order
            );
            findings.push(Finding::new(
                later.moment,
                &later.namespace,
                &later.cluster,
                what,
            ));
        }
    }
    findings
}

/// Gives the process that took a call about a job: pod and container. What it was asked is lost with it.
fn process_of<'h>(timeline: &Timeline<'h>, call: &Call) -> Option<(&'h str, u32)> {
    let runs = timeline.runs_of(&call.namespace, &call.cluster);
    let last = runs
        .filter(|run| run.job == job_of(call) && run.started < call.moment)
        .last()?;
    Some((last.pod.as_str(), last.container))
}

/// Tells whether who sent a stop had been told the result of an earlier one, or took over from who had and said so in
/// the status.
fn knew_result(timeline: &Timeline<'_>, earlier: &Call, trigger: &str, later: &Call) -> bool {
    let asked = |call: &Call| {
        let (job, operation) = (job_of(call), call.path.rsplit('/').next());
        call.path.contains("/savepoints/")
            && job == job_of(earlier)
            && operation.is_some_and(|id| id.eq_ignore_ascii_case(trigger))
    };
    let completed = |call: &Call| {
        let reply = call.reply.as_ref();
        reply.is_some_and(|reply| reply["status"]["id"] == "COMPLETED")
    };
    let told = timeline.history.calls.iter().filter(|call| {
        call.moment > earlier.moment && call.code == 200 && asked(call) && completed(call)
    });
    let handed_over = |since: Moment| {
        timeline
            .states_before(RESOURCE, &later.namespace, &later.cluster, later.moment)
            .any(|(at, resource)| {
                at > since && resource["status"]["operation"]["trigger"]["id"] != trigger
            })
    };
    told.filter_map(|call| Some((call, call.received?)))
        .any(|(call, at)| at < later.moment && (call.instance == later.instance || handed_over(at)))
}

/// A job that ended with the savepoint of a stop.
struct Stopped<'h> {
    snapshot: &'h Snapshot,
    run: &'h Run,
    ended: Moment,
    owner: &'h str,
}

/// Lists the jobs that ended with the savepoint of a stop.
fn stopped<'h>(timeline: &Timeline<'h>) -> Vec<Stopped<'h>> {
    let history = timeline.history;
    let ended = |snapshot: &'h Snapshot| {
        let run = history.runs.get(snapshot.run).filter(|_| snapshot.stop)?;
        let (ended, end) = run.ended?;
        let (_, deployment) = timeline.deployment(&run.deployment)?;
        let owner = owner_of(deployment, RESOURCE)?;
        let by_stop = matches!(end, End::Finished | End::Failed) && ended > snapshot.completed;
        by_stop.then_some(Stopped {
            snapshot,
            run,
            ended,
            owner,
        })
    };
    history.snapshots.iter().filter_map(ended).collect()
}

impl Stopped<'_> {
    /// Tells whether no job of the cluster began before a moment and after this one ended.
    fn is_last(&self, timeline: &Timeline<'_>, until: Moment) -> bool {
        let mut runs = timeline.runs_of(&self.run.namespace, &self.run.cluster);
        !runs.any(|run| run.started > self.ended && run.started < until)
    }

    /// Tells whether the cluster was replaced by another one: from what that starts is judged elsewhere. A job that
    /// Flink itself starts again is not meant.
    fn was_replaced(&self, timeline: &Timeline<'_>, until: Moment) -> bool {
        let mut runs = timeline.runs_of(&self.run.namespace, &self.run.cluster);
        runs.any(|run| {
            run.started > self.ended && run.started < until && run.deployment != self.run.deployment
        })
    }

    /// Tells whether a resource is the one whose job this was, and is to keep its state.
    fn concerns(&self, resource: &Value) -> bool {
        uid_of(resource) == self.owner && !is_deleting(resource) && !is_stateless(&resource["spec"])
    }

    /// Tells whether a status names the stop, so that a person finds the savepoint.
    fn is_named(&self, timeline: &Timeline<'_>, resource: &Value) -> bool {
        let status = resource["status"].to_string();
        let run = self.run;
        stops(timeline).any(|(call, trigger)| {
            (&call.namespace, &call.cluster, job_of(call))
                == (&run.namespace, &run.cluster, run.job.as_str())
                && status.contains(trigger)
        })
    }

    fn is_stored(&self, resource: &Value) -> bool {
        stores(resource, &self.snapshot.path)
    }

    /// Tells whether the process that could still tell of the savepoint is there.
    fn can_tell(&self, timeline: &Timeline<'_>, at: Moment) -> bool {
        process_stands(timeline, self.run, at)
    }
}

/// Tells whether the process that ran a job is there.
pub(crate) fn process_stands(timeline: &Timeline<'_>, run: &Run, at: Moment) -> bool {
    let pods = timeline.pods_before(&run.namespace, &run.cluster, at);
    let pod = pods.into_iter().find(|pod| uid_of(pod) == run.pod);
    pod.is_some_and(|pod| {
        let container = &pod["status"]["containerStatuses"][0];
        let restarts = container["restartCount"].as_u64().unwrap_or_default();
        restarts == u64::from(run.container) && container["state"]["terminated"].is_null()
    })
}

/// Tells whether a condition says that Flink itself went back to older state.
pub(crate) fn says_older(resource: &Value) -> bool {
    let conditions = resource["status"]["conditions"].as_array();
    conditions.is_some_and(|all| {
        all.iter()
            .any(|condition| condition["reason"] == "RestoredFromOlderState")
    })
}

/// Tells whether a status holds a path, in either spelling.
fn stores(resource: &Value, path: &str) -> bool {
    let status = resource["status"].to_string();
    status.contains(path) || status.contains(&path.replacen(":/", ":///", 1))
}

/// Names the cluster that a deletion takes something of.
fn cluster_of(timeline: &Timeline<'_>, request: &Request) -> Option<String> {
    match request.resource.as_str() {
        "deployments" => Some(request.name.clone()),
        "configmaps" => {
            let of_ha = ha_map_of(timeline, request).map(|(_, cluster)| cluster);
            let own = ["flink-config-", "pod-template-"];
            of_ha.or_else(|| {
                let name = own.iter().find_map(|own| request.name.strip_prefix(own));
                name.map(str::to_owned)
            })
        }
        _ => None,
    }
}

fn stopped_is_stored(timeline: &Timeline<'_>) -> Vec<Finding> {
    let all = stopped(timeline);
    let deletions = timeline
        .history
        .requests
        .iter()
        .filter(|request| request.applied && request.verb == Verb::Delete);
    let mut findings = Vec::new();
    for request in deletions {
        let (namespace, at) = (request.namespace.as_str(), request.moment);
        let Some(cluster) = cluster_of(timeline, request) else {
            continue;
        };
        let Some(resource) = timeline.before(RESOURCE, namespace, &cluster, at) else {
            continue;
        };
        let unstored = all.iter().find(|stopped| {
            (stopped.run.namespace.as_str(), &stopped.run.cluster) == (namespace, &cluster)
                && stopped.ended < at
                && stopped.concerns(resource)
                && stopped.is_last(timeline, at)
                && !stopped.is_stored(resource)
                && stopped.can_tell(timeline, at)
        });
        if let Some(stopped) = unstored {
            let what = format!(
                "{} {} was deleted though savepoint {} of its stopped job was not stored",
                request.resource, request.name, stopped.snapshot.path
            );
            findings.push(Finding::new(at, namespace, &cluster, what));
        }
    }
    findings
}

fn loss_is_said(timeline: &Timeline<'_>) -> Vec<Finding> {
    // Before calm the operator may still be about to notice.
    if timeline.history.calm.is_none() {
        return Vec::new();
    }
    let end = timeline.history.end;
    let lost = stopped(timeline).into_iter().filter(|stopped| {
        let resource = timeline.last(RESOURCE, &stopped.run.namespace, &stopped.run.cluster);
        resource.is_some_and(|resource| {
            stopped.concerns(resource)
                && was_asked_for(timeline, stopped.snapshot)
                && !stopped.was_replaced(timeline, end)
                && !stopped.can_tell(timeline, end)
                && !stopped.is_stored(resource)
                && !resource["status"].to_string().contains(MANUAL)
                && !(says_older(resource) && stopped.is_named(timeline, resource))
        })
    });
    lost.map(|stopped| {
        let what = format!(
            "savepoint {} of the stopped job is not stored, nobody can tell of it, and nothing says so",
            stopped.snapshot.path
        );
        Finding::new(end, &stopped.run.namespace, &stopped.run.cluster, what)
    })
    .collect()
}

fn older_is_said(timeline: &Timeline<'_>) -> Vec<Finding> {
    if timeline.history.calm.is_none() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (namespace, name) in timeline.clusters() {
        let runs: Vec<&Run> = timeline.runs_of(namespace, name).collect();
        let (Some((run, earlier)), Some(resource)) =
            (runs.split_last(), timeline.last(RESOURCE, namespace, name))
        else {
            continue;
        };
        let process = |run: &Run| (run.pod.clone(), run.container);
        // The first of a Deployment is the operator's own start, and within a process Flink knows its checkpoints.
        let before = earlier.last().filter(|before| {
            before.deployment == run.deployment && process(before) != process(run)
        });
        let owner = timeline.deployment(&run.deployment).map(|(_, found)| found);
        let concerns = owner.and_then(|owner| owner_of(owner, RESOURCE)) == Some(uid_of(resource))
            && !is_deleting(resource)
            && !is_stateless(&resource["spec"]);
        let at = run.started;
        let then = timeline.before(RESOURCE, namespace, name, at);
        let newest = then.and_then(|then| then["status"]["lineage"]["newest"]["path"].as_str());
        let newest = newest.and_then(|newest| {
            let mut all = timeline.history.snapshots.iter();
            all.find(|one| plain(&one.path) == plain(newest) && one.discarded.is_none())
        });
        let restored = run.restored.as_ref().map(|restored| restored.progress);
        if let (Some(_), Some(newest)) = (before, newest)
            && concerns
            && restored < Some(newest.progress)
            && !says_older(resource)
            && !resource["status"].to_string().contains(MANUAL)
        {
            let what = format!(
                "job {} was started again from {} though {} was stored, and nothing says so",
                run.job,
                run.restored
                    .as_ref()
                    .map_or("nothing", |restored| restored.path.as_str()),
                newest.path
            );
            findings.push(Finding::new(at, namespace, name, what));
        }
    }
    findings
}

fn manual_waits(timeline: &Timeline<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (request, body) in creations(timeline) {
        let (namespace, name, at) = (&request.namespace, name_of(body), request.moment);
        let owner = owner_of(body, RESOURCE);
        // What is said beside the intent itself is of before.
        let undecided = timeline
            .states_before(RESOURCE, namespace, name, at)
            .map(|(_, resource)| resource)
            .filter(|resource| Some(uid_of(resource)) == owner)
            .filter(|resource| resource["status"]["operation"]["kind"] != "Deploy");
        let mut first = None;
        for resource in undecided {
            let says = resource["status"].to_string().contains(MANUAL);
            first = says.then(|| first.unwrap_or(resource));
        }
        let now = timeline.before(RESOURCE, namespace, name, at);
        if let (Some(first), Some(now)) = (first, now)
            && !is_stateless(&now["spec"])
            && redeploy_of(now) == redeploy_of(first)
        {
            let what = "a Deployment was created though the status asked for a manual restore";
            findings.push(Finding::new(at, namespace, name, what));
        }
    }
    findings
}

fn redeploy_of(resource: &Value) -> &Value {
    &resource["spec"]["job"]["savepointRedeployNonce"]
}

fn true_records(timeline: &Timeline<'_>) -> Vec<Finding> {
    let mut seen: Vec<(String, &str)> = Vec::new();
    let mut findings = Vec::new();
    for request in timeline.applied(Verb::Create, "flinkstatesnapshots") {
        let Some(body) = &request.body else { continue };
        let (namespace, at) = (request.namespace.as_str(), request.moment);
        let path = body["spec"]["savepoint"]["path"].as_str();
        // One that is to be taken names a directory, or nothing.
        let Some(path) = path.filter(|_| body["spec"]["savepoint"]["alreadyExists"] == true) else {
            continue;
        };
        let cluster = body["spec"]["jobReference"]["name"].as_str();
        let cluster = cluster.unwrap_or_default();
        let mut made = timeline.snapshots_before(namespace, cluster, at);
        let there = made.any(|snapshot| snapshot.savepoint && plain(&snapshot.path) == plain(path));
        let stored = timeline
            .states_before(RESOURCE, namespace, cluster, at)
            .any(|(_, resource)| stores(resource, path));
        let what = if !there {
            format!("savepoint {path} was recorded, and there is none")
        } else if !stored {
            format!("savepoint {path} was recorded before the status held it")
        } else if seen.contains(&(plain(path), namespace)) {
            format!("savepoint {path} was recorded twice")
        } else {
            seen.push((plain(path), namespace));
            continue;
        };
        findings.push(Finding::new(at, namespace, cluster, what));
    }
    findings
}
