//! Rules about the end of a plan: everything converges, and then there is silence.

use jiff::SignedDuration;
use serde_json::Value;

use crate::history::{Calm, End, Goal, Moment, Request};
use crate::rule::{Finding, Rule};
use crate::timeline::{RESOURCE, Timeline, is_terminal, uid_of};

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "converges",
        invariant: 6,
        says: "Once faults stop, every resource reaches its goal.",
        check: converges,
    },
    Rule {
        id: "comes-to-rest",
        invariant: 6,
        says: "A resource at its goal causes no request that changes anything, but one status write for checkpoints every five minutes.",
        check: comes_to_rest,
    },
];

/// How often checkpoint progress alone may be written.
const PROGRESS: SignedDuration = SignedDuration::from_mins(5);

fn converges(timeline: &Timeline<'_>) -> Vec<Finding> {
    let Some(calm) = &timeline.history.calm else {
        return Vec::new();
    };
    let end = timeline.history.end;
    let mut findings = Vec::new();
    for (namespace, name, goal) in &calm.goals {
        for what in short_of(timeline, namespace, name, goal) {
            findings.push(Finding::new(end, namespace, name, what));
        }
    }
    findings
}

fn short_of(timeline: &Timeline<'_>, namespace: &str, name: &str, goal: &Goal) -> Vec<String> {
    if let Goal::OneOf(goals) = goal {
        let each = goals
            .iter()
            .map(|goal| short_of(timeline, namespace, name, goal));
        let each: Vec<Vec<String>> = each.collect();
        if each.iter().any(Vec::is_empty) {
            return Vec::new();
        }
        return each.into_iter().map(|short| short.join(", ")).collect();
    }
    let end = timeline.history.end;
    let working = timeline
        .runs_of(namespace, name)
        .filter(|run| run.works_at(end))
        .count();
    let alive = timeline
        .runs_of(namespace, name)
        .filter(|run| run.alive_at(end))
        .count();
    let resource = timeline.last(RESOURCE, namespace, name);
    let mut short = Vec::new();
    if let Goal::Gone = goal {
        if resource.is_some() {
            short.push("the resource is still there".to_owned());
        }
        let after = Moment::new(u64::MAX, end.at);
        let pods = timeline.pods_before(namespace, name, after).len();
        if pods > 0 || alive > 0 {
            short.push(format!("{pods} pods and {alive} jobs are left"));
        }
        return short;
    }
    let Some(resource) = resource else {
        return vec!["the resource is gone".to_owned()];
    };
    let status = &resource["status"];
    let state = status["lifecycleState"].as_str().unwrap_or("nothing");
    let caught_up = status["observedGeneration"] == resource["metadata"]["generation"];
    let expect = |short: &mut Vec<String>, wanted: &str, jobs: usize, count: usize| {
        if state != wanted {
            short.push(format!("it is {state} and not {wanted}"));
        }
        if count != jobs {
            short.push(format!("{count} jobs instead of {jobs}"));
        }
        // An edit of what is suspended is carried out, and taken up, when it is resumed, as upstream does.
        if !caught_up && !matches!(goal, Goal::Suspended) {
            short.push("the newest generation was not taken up".to_owned());
        }
        if status["operation"].is_object() {
            short.push(format!(
                "operation {} is not over",
                status["operation"]["kind"]
            ));
        }
    };
    match goal {
        Goal::Running => expect(&mut short, "STABLE", 1, working),
        Goal::Suspended if was_deployed(timeline, namespace, name, resource) => {
            expect(&mut short, "SUSPENDED", 0, alive);
        }
        // What was suspended before its first deploy was complete says so and stays as it was created.
        Goal::Suspended => {
            expect(&mut short, "CREATED", 0, alive);
            short.extend(unsaid(status, "Suspended"));
        }
        Goal::Waiting(reason) => short.extend(unsaid(status, reason)),
        Goal::Ended(word) => {
            let said = &status["jobStatus"]["state"];
            if said != word.as_str() || !is_terminal(said) {
                short.push(format!("its job is {said} and not {word}"));
            }
            if working > 0 {
                short.push(format!("{working} jobs are at work"));
            }
        }
        Goal::Gone | Goal::OneOf(_) => {}
    }
    short
}

/// Complains if no condition gives a reason together with a message.
fn unsaid(status: &Value, reason: &str) -> Option<String> {
    let conditions = status["conditions"].as_array();
    let says = |condition: &Value| {
        condition["reason"] == *reason
            && condition["message"].as_str().is_some_and(|m| !m.is_empty())
    };
    let said = conditions.is_some_and(|conditions| conditions.iter().any(says));
    (!said).then(|| format!("no condition gives the reason {reason} with a message"))
}

/// Tells whether a deploy of a resource was ever completed: one that was given up before leaves it as it was created.
/// Earlier resources of its name do not count.
fn was_deployed(timeline: &Timeline<'_>, namespace: &str, name: &str, resource: &Value) -> bool {
    timeline
        .changes_of(RESOURCE)
        .filter(|change| change.namespace == namespace && change.name == name)
        .filter_map(|change| change.new.as_ref())
        .filter(|state| uid_of(state) == uid_of(resource))
        .any(|state| {
            matches!(
                state["status"]["lifecycleState"].as_str(),
                Some("DEPLOYED" | "STABLE")
            )
        })
}

fn comes_to_rest(timeline: &Timeline<'_>) -> Vec<Finding> {
    let Some(calm) = &timeline.history.calm else {
        return Vec::new();
    };
    let late = |moment: Moment| moment > calm.since && moment.at > calm.rest_by;
    let mut findings = Vec::new();
    for request in timeline
        .history
        .requests
        .iter()
        .filter(|request| request.verb.mutates() && late(request.moment))
    {
        if request.resource == "leases"
            || may_report_progress(timeline, calm, request)
            || reports_a_restart(timeline, calm, request)
        {
            continue;
        }
        let what = format!(
            "{:?} {} {} was sent at rest",
            request.verb, request.resource, request.name
        );
        findings.push(Finding::new(
            request.moment,
            &request.namespace,
            &request.name,
            what,
        ));
    }
    for call in timeline
        .history
        .calls
        .iter()
        .filter(|call| call.method != "GET" && late(call.moment))
    {
        let what = format!("{} {} was sent at rest", call.method, call.path);
        findings.push(Finding::new(
            call.moment,
            &call.namespace,
            &call.cluster,
            what,
        ));
    }
    findings
}

/// How soon the operator has seen that Flink started a job again, and that all its tasks run.
const SEEN: SignedDuration = SignedDuration::from_secs(75);

/// Tells whether a write reports that Flink itself started a job again at rest.
fn reports_a_restart(timeline: &Timeline<'_>, calm: &Calm, request: &Request) -> bool {
    let of_resource = request.resource == "flinkdeployments" && request.subresource == "status";
    if !of_resource && request.resource != "events" {
        return false;
    }
    let soon = |then: Moment| {
        then > calm.since
            && then < request.moment
            && request.moment.at.duration_since(then.at) <= SEEN
    };
    let mut runs = timeline.history.runs.iter().filter(|run| {
        run.namespace == request.namespace && (!of_resource || run.cluster == request.name)
    });
    runs.any(|run| {
        let ended = run.ended.filter(|(_, end)| *end == End::Restarted);
        ended.is_some_and(|(then, _)| soon(then))
    })
}

/// Tells whether a write is one of the few that report nothing but checkpoints.
fn may_report_progress(timeline: &Timeline<'_>, calm: &Calm, request: &Request) -> bool {
    if request.subresource != "status" || request.resource != "flinkdeployments" {
        return false;
    }
    let (Some(body), Some(stored)) = (
        &request.body,
        timeline.before(RESOURCE, &request.namespace, &request.name, request.moment),
    ) else {
        return false;
    };
    let other = |earlier: &&Request| {
        earlier.moment < request.moment
            && earlier.subresource == "status"
            && earlier.namespace == request.namespace
            && earlier.name == request.name
            && earlier.moment > calm.since
    };
    let too_soon = timeline
        .history
        .requests
        .iter()
        .filter(other)
        .any(|earlier| request.moment.at.duration_since(earlier.moment.at) < PROGRESS);
    !too_soon && without_progress(&body["status"]) == without_progress(&stored["status"])
}

/// Takes out of a status what may change by checkpoints alone.
fn without_progress(status: &Value) -> Value {
    let mut status = status.clone();
    if let Some(lineage) = status["lineage"].as_object_mut() {
        lineage.remove("newest");
        if lineage.is_empty() {
            status["lineage"] = Value::Null;
        }
    }
    if let Some(job) = status["jobStatus"].as_object_mut() {
        job.remove("checkpointInfo");
        job.remove("savepointInfo");
    }
    if let Some(info) = status["clusterInfo"].as_object_mut() {
        info.retain(|key, _| !key.starts_with("state-size"));
    }
    // Absent and null are the same to the API server.
    if let Some(fields) = status.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    status
}
