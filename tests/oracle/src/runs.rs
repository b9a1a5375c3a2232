//! Rules about running jobs: never two, never from older state, never again after the end.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::history::{Call, End, Run, Snapshot};
use crate::rule::{Finding, Rule};
use crate::stops::was_asked_for;
use crate::timeline::{
    RESOURCE, Timeline, is_highly_available, is_stateless, is_terminal, option_of, owner_of, plain,
};

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "one-job",
        invariant: 1,
        says: "At most one job of a resource is at work at any moment.",
        check: one_job,
    },
    Rule {
        id: "no-older-state",
        invariant: 2,
        says: "A job that keeps state is started from the newest restore point known, or the spec gives the state up.",
        check: no_older_state,
    },
    Rule {
        id: "initial-savepoint",
        invariant: 2,
        says: "The first start of a resource with an initial savepoint restores exactly that.",
        check: initial_savepoint,
    },
    Rule {
        id: "ended-is-ended",
        invariant: 5,
        says: "A job whose end is stored is not started again without an edit.",
        check: ended_is_ended,
    },
];

fn one_job(timeline: &Timeline<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (namespace, cluster) in timeline.clusters() {
        let mut working: Vec<&Run> = timeline
            .runs_of(namespace, cluster)
            .filter(|run| run.working.is_some())
            .collect();
        working.sort_by_key(|run| run.working);
        for (index, later) in working.iter().enumerate() {
            let start = later.working.expect("only runs at work were kept");
            if let Some(earlier) = working[..index]
                .iter()
                .find(|earlier| earlier.works_at(start))
            {
                let what = format!(
                    "job {} in pod {} began to work while job {} in pod {} was at work",
                    later.job, later.pod, earlier.job, earlier.pod
                );
                findings.push(Finding::new(start, namespace, cluster, what));
            }
        }
    }
    findings
}

/// The first run of a JobManager Deployment: what the operator started, and not Flink by itself.
struct Start<'h> {
    run: &'h Run,
    deployment: &'h Value,
    spec: &'h Value,
    /// Uid of the resource: one of the same name, created later, owes nothing to an earlier one.
    owner: &'h str,
}

fn starts<'h>(timeline: &Timeline<'h>) -> Vec<Start<'h>> {
    let mut seen = BTreeSet::new();
    let mut starts = Vec::new();
    for run in &timeline.history.runs {
        if run.container == 0
            && seen.insert(&run.deployment)
            && let Some((_, deployment)) = timeline.deployment(&run.deployment)
            && let Some(spec) = timeline.spec_of(deployment)
            && let Some(owner) = owner_of(deployment, RESOURCE)
        {
            starts.push(Start {
                run,
                deployment,
                spec,
                owner,
            });
        }
    }
    starts
}

/// Where the state of a resource begins anew by the user's wish.
fn resets_state(spec: &Value, previous: Option<&Value>) -> bool {
    let nonce = |spec: &Value| spec["job"]["savepointRedeployNonce"].clone();
    let redeploys =
        previous.is_some_and(|previous| !nonce(spec).is_null() && nonce(spec) != nonce(previous));
    is_stateless(spec) || redeploys
}

fn no_older_state(timeline: &Timeline<'_>) -> Vec<Finding> {
    let starts = starts(timeline);
    let mut findings = Vec::new();
    for (index, start) in starts.iter().enumerate() {
        let earlier: Vec<&Start<'_>> = starts[..index]
            .iter()
            .filter(|other| other.owner == start.owner)
            .collect();
        let resets = |at: usize| {
            resets_state(
                earlier[at].spec,
                at.checked_sub(1).map(|before| earlier[before].spec),
            )
        };
        if resets_state(start.spec, earlier.last().map(|last| last.spec)) {
            continue;
        }
        // The lineage begins with the last start that gave the state up.
        let begin = (0..earlier.len())
            .rev()
            .find(|&at| resets(at))
            .map(|at| earlier[at].run.started);
        let run = start.run;
        let newest = timeline
            .snapshots_before(&run.namespace, &run.cluster, run.started)
            .filter(|snapshot| begin.is_none_or(|begin| snapshot.completed > begin))
            .filter(|snapshot| {
                is_of(timeline, snapshot, start.owner) && is_known(timeline, snapshot, run)
            })
            .max_by_key(|snapshot| snapshot.progress)
            .map(|newest| (newest.progress, newest.path.as_str()));
        // What an earlier start of the lineage began from is known too, wherever it came from.
        let origins = earlier
            .iter()
            .filter(|earlier| begin.is_none_or(|begin| earlier.run.started >= begin))
            .filter_map(|earlier| earlier.run.restored.as_ref())
            .map(|restored| (restored.progress, restored.path.as_str()));
        let Some((least, path)) = newest.into_iter().chain(origins).max() else {
            continue;
        };
        let progress = run.restored.as_ref().map(|restored| restored.progress);
        if progress.is_none_or(|progress| progress < least) {
            let from = run
                .restored
                .as_ref()
                .map_or("nothing", |restored| restored.path.as_str());
            let what = format!(
                "job {} was started from {from} though {path} is newer",
                run.job
            );
            findings.push(Finding::new(
                run.started,
                &run.namespace,
                &run.cluster,
                what,
            ));
        }
    }
    findings
}

/// Gives the Deployment under which a snapshot was written.
fn written_under<'h>(timeline: &Timeline<'h>, snapshot: &Snapshot) -> Option<&'h Value> {
    let writer = timeline.history.runs.get(snapshot.run)?;
    timeline
        .deployment(&writer.deployment)
        .map(|(_, deployment)| deployment)
}

/// Tells whether a snapshot is one of a resource.
fn is_of(timeline: &Timeline<'_>, snapshot: &Snapshot, owner: &str) -> bool {
    written_under(timeline, snapshot).and_then(|deployment| owner_of(deployment, RESOURCE))
        == Some(owner)
}

/// Tells whether the operator could know of a snapshot before a run: it is in the status, Flink had told where it
/// is, Kubernetes HA metadata held it, or it is of a stop that an operator asked for: who has asked and was told
/// nothing has to reckon with it.
fn is_known(timeline: &Timeline<'_>, snapshot: &Snapshot, run: &Run) -> bool {
    let stored = timeline
        .states_before(RESOURCE, &run.namespace, &run.cluster, run.started)
        .any(|(_, resource)| resource["status"].to_string().contains(&snapshot.path));
    // An instance that crashed right after it was told could not pass it on.
    let lived_on = |call: &Call| {
        let mut requests = timeline.history.requests.iter();
        requests.any(|request| {
            request.instance == call.instance
                && request.applied
                && call.received.is_some_and(|at| at < request.moment)
                && request.moment < run.started
        })
    };
    let told = || {
        timeline.history.calls.iter().any(|call| {
            call.namespace == run.namespace
                && call.cluster == run.cluster
                && call
                    .reply
                    .as_ref()
                    .is_some_and(|reply| reply.to_string().contains(&snapshot.path))
                && lived_on(call)
        })
    };
    let in_ha = || {
        let spec =
            written_under(timeline, snapshot).and_then(|deployment| timeline.spec_of(deployment));
        !snapshot.savepoint && spec.is_some_and(is_highly_available)
    };
    stored || told() || in_ha() || was_asked_for(timeline, snapshot)
}

fn initial_savepoint(timeline: &Timeline<'_>) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for Start {
        run, spec, owner, ..
    } in starts(timeline)
    {
        // A start that found no savepoint there ran nothing; what follows it is no first one.
        if !seen.insert(owner) || failed_before(timeline, run) {
            continue;
        }
        let path = spec["job"]["initialSavepointPath"]
            .as_str()
            .filter(|path| !path.is_empty());
        let Some(path) = path else { continue };
        let from = run.restored.as_ref().map(|restored| restored.path.as_str());
        if from.is_none_or(|from| plain(from) != plain(path)) {
            let what = format!(
                "the first start was from {} and not from {path}",
                from.unwrap_or("nothing")
            );
            findings.push(Finding::new(
                run.started,
                &run.namespace,
                &run.cluster,
                what,
            ));
        }
    }
    findings
}

/// Tells whether the status said before a run that a job of the resource had failed.
fn failed_before(timeline: &Timeline<'_>, run: &Run) -> bool {
    let mut states = timeline.states_before(RESOURCE, &run.namespace, &run.cluster, run.started);
    states.any(|(_, resource)| resource["status"]["jobStatus"]["state"] == "FAILED")
}

fn ended_is_ended(timeline: &Timeline<'_>) -> Vec<Finding> {
    let starts = starts(timeline);
    let generation = |start: &Start<'_>| {
        start.deployment["metadata"]["annotations"]
            [flink_operator_api::names::GENERATION_ANNOTATION]
            .clone()
    };
    let mut findings = Vec::new();
    for (index, start) in starts.iter().enumerate() {
        let run = start.run;
        let Some(before) = starts[..index]
            .iter()
            .rev()
            .find(|other| other.owner == start.owner)
        else {
            continue;
        };
        let runs = timeline.runs_of(&run.namespace, &run.cluster);
        let last = runs.filter(|other| other.started < run.started).last();
        let Some((ended, end)) = last.and_then(|last| last.ended) else {
            continue;
        };
        if !end.terminal() || generation(start) != generation(before) {
            continue;
        }
        let may_restart = option_of(start.spec, "kubernetes.operator.job.restart.failed")
            .is_some_and(|value| value == true || value == "true");
        if end == End::Failed && may_restart {
            continue;
        }
        let stored = timeline
            .states_before(RESOURCE, &run.namespace, &run.cluster, run.started)
            .any(|(at, resource)| {
                at > ended && is_terminal(&resource["status"]["jobStatus"]["state"])
            });
        if stored {
            let what = format!(
                "job {} was started again after its end was stored, at generation {}",
                run.job,
                generation(start)
            );
            findings.push(Finding::new(
                run.started,
                &run.namespace,
                &run.cluster,
                what,
            ));
        }
    }
    findings
}
