//! Rules about the status: what it must hold, and how it is written.

use jiff::SignedDuration;
use serde_json::Value;

use crate::history::{Call, End, Moment, Run, Verb};
use crate::rule::{Finding, Rule};
use crate::stops::{process_stands, says_older};
use crate::timeline::{RESOURCE, Timeline, is_stateless, is_terminal, uid_of};

/// What was said before a deletion counts this long: as long as one pass may take.
const FRESH: SignedDuration = SignedDuration::from_secs(60);

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "stored-before-deleted",
        invariant: 4,
        says: "What was observed of a cluster is stored before the cluster is deleted.",
        check: stored_before_deleted,
    },
    Rule {
        id: "terminal-stays",
        invariant: 5,
        says: "A final job state stays in the status until another job is deployed.",
        check: terminal_stays,
    },
    Rule {
        id: "guarded-status",
        invariant: 1,
        says: "Status is written by PUT under the version it was decided on.",
        check: guarded_status,
    },
    Rule {
        id: "secrets-stay",
        invariant: 8,
        says: "The values of Secrets never reach status, events or any other object that the operator writes.",
        check: secrets_stay,
    },
];

fn stored_before_deleted(timeline: &Timeline<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for request in timeline.applied(Verb::Delete, "deployments") {
        let (namespace, name, at) = (&request.namespace, &request.name, request.moment);
        let Some(deployment) = timeline.before("Deployment", namespace, name, at) else {
            continue;
        };
        let Some((created, _)) = timeline.deployment(uid_of(deployment)) else {
            continue;
        };
        let Some(resource) = timeline.before(RESOURCE, namespace, name, at) else {
            continue;
        };
        let heard: Vec<&Call> = timeline
            .history
            .calls
            .iter()
            .filter(|call| {
                call.namespace == *namespace
                    && call.cluster == *name
                    && call.instance == request.instance
            })
            .filter(|call| {
                call.moment > created
                    && call.received.is_some_and(|received| received < at)
                    && tells(call)
            })
            .filter(|call| at.at.duration_since(call.moment.at) <= FRESH)
            .collect();
        let silent = |call: &Call| fell_silent(timeline, call, at);
        let excused = |call: &Call, path: &str| {
            silent(call)
                || stores_newer(timeline, resource, path, call, at)
                || ran_from_older(timeline, call, at)
        };
        for what in unstored(&heard, resource, excused, silent) {
            findings.push(Finding::new(at, namespace, name, what));
        }
    }
    findings
}

fn tells(call: &Call) -> bool {
    call.code == 200 && call.reply.is_some() && call.received.is_some()
}

/// Tells whether a JobManager could not be asked again after a call: its process went, or who asked heard nothing more.
///
/// Progress at rest may wait five minutes to be stored, and what a pass heard that then failed is forgotten; both are
/// lost with a JobManager that falls silent meanwhile, and it is not the operator that destroys them.
fn fell_silent(timeline: &Timeline<'_>, call: &Call, until: Moment) -> bool {
    let meanwhile = |moment: Moment| call.moment < moment && moment < until;
    let runs: Vec<&Run> = timeline.runs_of(&call.namespace, &call.cluster).collect();
    let died = runs.iter().any(|run| {
        run.ended
            .is_some_and(|(moment, end)| end == End::Killed && meanwhile(moment))
    });
    // A job that has ended is no run that can be killed with its process.
    let told = runs.iter().rfind(|run| run.started < call.moment);
    let went = told.is_some_and(|run| {
        process_stands(timeline, run, call.moment) && !process_stands(timeline, run, until)
    });
    let asks = |path: &str| path == "/jobs/overview" || path.ends_with("/checkpoints");
    let unanswered = |later: &Call| {
        (&later.instance, &later.namespace, &later.cluster)
            == (&call.instance, &call.namespace, &call.cluster)
            && meanwhile(later.moment)
            && asks(&later.path)
            && !tells(later)
    };
    died || went || timeline.history.calls.iter().any(unanswered)
}

/// Tells whether the status holds a newer checkpoint or savepoint than one that was told: another instance was told
/// more.
fn stores_newer(
    timeline: &Timeline<'_>,
    resource: &Value,
    path: &str,
    call: &Call,
    until: Moment,
) -> bool {
    let progress = |path: &str| {
        let mut all = timeline.snapshots_before(&call.namespace, &call.cluster, until);
        all.find(|snapshot| snapshot.path == path)
            .map(|snapshot| snapshot.progress)
    };
    let stored = resource["status"]["lineage"]["newest"]["path"].as_str();
    let stored = stored.and_then(progress);
    stored.is_some() && stored > progress(path)
}

/// Tells whether the status has said of the run that was told of that Flink itself began it from older state: what it
/// makes does not take the place of what is stored.
fn ran_from_older(timeline: &Timeline<'_>, call: &Call, until: Moment) -> bool {
    let runs = timeline.runs_of(&call.namespace, &call.cluster);
    let Some(run) = runs.filter(|run| run.started < call.moment).last() else {
        return false;
    };
    timeline
        .states_before(RESOURCE, &call.namespace, &call.cluster, until)
        .any(|(at, resource)| at > run.started && says_older(resource))
}

/// Names what the newest replies of each sort say and the status does not.
fn unstored(
    heard: &[&Call],
    resource: &Value,
    excused: impl Fn(&Call, &str) -> bool,
    silent: impl Fn(&Call) -> bool,
) -> Vec<String> {
    let status = &resource["status"];
    let text = status.to_string();
    let mut missing = Vec::new();
    let newest = |suffix: &str| {
        heard
            .iter()
            .rev()
            .find(|call| call.method == "GET" && call.path.ends_with(suffix))
    };
    if let Some(call) = newest("/checkpoints")
        && let Some(statistics) = &call.reply
        && !is_stateless(&resource["spec"])
        && !redeploys(resource)
    {
        let entries = [
            &statistics["latest"]["completed"],
            &statistics["latest"]["savepoint"],
        ];
        let usable = entries
            .into_iter()
            .filter(|entry| entry["external_path"].is_string() && entry["discarded"] != true);
        let path = usable
            .max_by_key(|entry| entry["id"].as_u64())
            .and_then(|entry| entry["external_path"].as_str());
        // A path that is no path cannot be stored.
        if let Some(path) = path.filter(|path| !path.starts_with('<') && !text.contains(*path))
            && !excused(call, path)
        {
            missing.push(format!(
                "checkpoint {path} was seen and is not in the status"
            ));
        }
    }
    let locations = heard
        .iter()
        .filter_map(|call| call.reply.as_ref()?["operation"]["location"].as_str());
    for location in locations.filter(|location| !text.contains(*location)) {
        missing.push(format!(
            "savepoint {location} was seen and is not in the status"
        ));
    }
    let id = &status["jobStatus"]["jobId"];
    let told = newest("/jobs/overview").filter(|call| !silent(call));
    let state = told.and_then(|call| {
        let jobs = call.reply.as_ref()?["jobs"].as_array()?;
        jobs.iter()
            .find(|job| job["jid"] == *id)
            .map(|job| job["state"].clone())
    });
    if let Some(state) = state.filter(is_terminal)
        && !is_terminal(&status["jobStatus"]["state"])
    {
        missing.push(format!(
            "the end {state} was seen and the status says {}",
            status["jobStatus"]["state"]
        ));
    }
    missing
}

/// Tells whether the spec asks to start anew from a savepoint of the user's choice, giving up what runs.
fn redeploys(resource: &Value) -> bool {
    let nonce = |spec: &Value| spec["job"]["savepointRedeployNonce"].clone();
    let record = resource["status"]["reconciliationStatus"]["lastReconciledSpec"].as_str();
    let record: Option<Value> = record.and_then(|text| serde_json::from_str(text).ok());
    let wanted = nonce(&resource["spec"]);
    !wanted.is_null() && record.is_some_and(|record| nonce(&record["spec"]) != wanted)
}

fn terminal_stays(timeline: &Timeline<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for change in timeline.changes_of(RESOURCE) {
        let (Some(old), Some(new)) = (&change.old, &change.new) else {
            continue;
        };
        let job = |object: &Value, field: &str| object["status"]["jobStatus"][field].clone();
        let (before, after) = (job(old, "state"), job(new, "state"));
        if !is_terminal(&before) || is_terminal(&after) {
            continue;
        }
        let deploying = |object: &Value| {
            matches!(
                object["status"]["operation"]["kind"].as_str(),
                Some("Deploy" | "Rollback" | "Submit")
            )
        };
        // The write that ends a deploy may be the first to name the new job's state.
        let deploys = deploying(old) || deploying(new);
        let another = job(old, "jobId") != job(new, "jobId")
            || old["status"]["cluster"]["attemptId"] != new["status"]["cluster"]["attemptId"];
        if !deploys && !another {
            let what = format!("the final state {before} became {after}");
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

fn guarded_status(timeline: &Timeline<'_>) -> Vec<Finding> {
    let writes = timeline.history.requests.iter().filter(|request| {
        request.applied && request.subresource == "status" && request.resource.starts_with("flink")
    });
    let wrong = writes.filter(|request| {
        let version = request
            .body
            .as_ref()
            .map(|body| &body["metadata"]["resourceVersion"]);
        // Of a kind that is not carried out only the conditions are ours, so that a patch is enough.
        let whole = request.verb == Verb::Update;
        let part = request.verb == Verb::Patch && request.resource != "flinkdeployments";
        !(whole || part) || version.and_then(Value::as_str).is_none_or(str::is_empty)
    });
    wrong
        .map(|request| {
            Finding::new(
                request.moment,
                &request.namespace,
                &request.name,
                "status was written without a version to guard it",
            )
        })
        .collect()
}

fn secrets_stay(timeline: &Timeline<'_>) -> Vec<Finding> {
    let mut secrets: Vec<(Moment, String)> = Vec::new();
    for change in timeline.changes_of("Secret") {
        let Some(secret) = &change.new else { continue };
        for field in ["data", "stringData"] {
            let values = secret[field].as_object().into_iter().flatten();
            // Short values (`true`, a port) occur everywhere and prove nothing.
            let texts = values
                .filter_map(|(_, value)| value.as_str())
                .filter(|text| text.len() >= 8);
            secrets.extend(texts.map(|text| (change.moment, text.to_owned())));
        }
    }
    let mut findings = Vec::new();
    for request in timeline
        .history
        .requests
        .iter()
        .filter(|request| request.verb.mutates())
    {
        let Some(body) = &request.body else { continue };
        let text = body.to_string();
        if secrets
            .iter()
            .any(|(since, secret)| *since < request.moment && text.contains(secret.as_str()))
        {
            let what = format!(
                "a Secret's value was written to {} {}",
                request.resource, request.name
            );
            findings.push(Finding::new(
                request.moment,
                &request.namespace,
                &request.name,
                what,
            ));
        }
    }
    findings
}
