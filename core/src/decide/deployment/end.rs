//! Ending a cluster, whose state is given up or stored: cancel, delete the Deployment, see its pods gone, remove
//! HA data. Each arrow is a later pass; a time-out changes what is said, never what is skipped.

use super::change;
use super::checkpoints;
use super::deploy;
use super::draft::Draft;
use super::ha;
use super::jobs;
use super::loss;
use super::rest;
use super::restore;
use super::snapshots;
use super::stop;
use super::view::View;
use crate::decision::{Notice, Revisit, Step};
use crate::effect::{Deletion, Effect};
use crate::fact::Fact;
use crate::name::{Ids, JobId, Uid};
use crate::observed::{Deployment, HaMap, Pod};
use crate::status::conditions::Reason;
use crate::status::recorded::Recorded;
use flink_operator_api::{
    FlinkJobState, JobManagerDeploymentStatus, JobState, OperationKind, ReconciliationState,
    Trigger, UpgradeMode,
};
use jiff::SignedDuration;
use std::str::FromStr;

/// A cancel request may be sent for this long.
const CANCEL_WINDOW: SignedDuration = SignedDuration::from_secs(4);
/// How often it is looked whether Flink has cancelled the job.
const CANCEL_LOOK: SignedDuration = SignedDuration::from_millis(300);
/// How often it is looked whether pods are gone that nothing watches.
const POD_LOOK: SignedDuration = SignedDuration::from_millis(500);

/// Begins to end the cluster for an edit that needs no state.
pub(super) fn begin(view: &View<'_>, draft: Draft, ids: &Ids) -> Step {
    // Upstream's form of a stop that has begun: the old spec, still running, to be restored with
    // this mode. Java would go on by ending the cluster itself.
    let mode = if change::redeploys(view, &draft) {
        // Another state is to take the place of the job's: until it does, the job's own is not given up.
        UpgradeMode::Savepoint
    } else {
        UpgradeMode::Stateless
    };
    begin_as(view, draft, ids, |recorded| {
        recorded.with_mode(mode).not_first()
    })
}

/// Begins to take down the cluster of a job that has stopped, or has never started: its state is known.
pub(super) fn begin_stopped(view: &View<'_>, draft: Draft, ids: &Ids) -> Step {
    begin_as(view, draft, ids, stopped)
}

/// Upstream's form of a job that was stopped with a savepoint: Java would go on by starting it from there.
pub(super) fn stopped(recorded: Recorded) -> Recorded {
    let suspended = recorded.with_state(JobState::Suspended);
    suspended.with_mode(UpgradeMode::Savepoint).not_first()
}

fn begin_as(
    view: &View<'_>,
    mut draft: Draft,
    ids: &Ids,
    form: impl FnOnce(Recorded) -> Recorded,
) -> Step {
    let unsettled = unsettled(&draft);
    draft.begin(view, ids, OperationKind::End);
    if let Some(operation) = draft.status().operation.as_mut() {
        operation.trigger = unsettled;
    }
    draft.reconciliation().state = Some(ReconciliationState::Upgrading);
    if let Some(recorded) = draft.recorded.clone() {
        draft.record(form(recorded));
    }
    draft.notice(Notice::normal(
        "JobManagerDeployment",
        "Suspended",
        "Suspending existing deployment.",
    ));
    decide(view, draft, ids)
}

/// Returns the stop of which nobody has told yet what came of it: who gives the state up may take that back.
fn unsettled(draft: &Draft) -> Option<Trigger> {
    let trigger = draft.operation()?.trigger.clone()?;
    trigger.path.is_none().then_some(trigger)
}

/// Takes the next step of an end that is stored.
pub(super) fn decide(view: &View<'_>, mut draft: Draft, ids: &Ids) -> Step {
    stop::note_told(view, &mut draft);
    let deployment = view.observed.deployment.value().and_then(Option::as_ref);
    if deployment.is_none_or(|deployment| deployment.deleting)
        && let Some(record) = snapshots::unrecorded(view, &draft)
    {
        draft.wait(Reason::DeletingCluster, "recording the savepoint");
        return draft.act(view, vec![record], Revisit::now("recorded"));
    }
    let started = draft
        .operation()
        .map(|operation| operation.started_at.clone());
    let waited = started.map_or(SignedDuration::ZERO, |started| view.since(&started));
    match cluster_gone(view, draft, waited, view.options.cancel_timeout) {
        Progress::Step(step) => *step,
        Progress::Gone(draft) => gone(view, *draft, ids),
    }
}

/// How far an end has come.
pub(super) enum Progress {
    /// Something is still to be done or waited for.
    Step(Box<Step>),
    /// Deployment, pods and HA data are proven gone.
    Gone(Box<Draft>),
}

/// Takes a cluster down to nothing, one proven step at a time.
pub(super) fn cluster_gone(
    view: &View<'_>,
    mut draft: Draft,
    waited: SignedDuration,
    patience: SignedDuration,
) -> Progress {
    match view.observed.deployment.value() {
        None => {
            draft.wait(
                Reason::DeletingCluster,
                "the API server did not say whether the Deployment is there; looking again",
            );
            step(draft.rest(view, Revisit::after(POD_LOOK, "unknown Deployment")))
        }
        Some(Some(deployment)) if deployment.owned_by(view.uid().as_str()) => {
            step(deployment_there(view, draft, deployment, waited, patience))
        }
        // A stranger's Deployment of that name is not ours to end.
        Some(Some(_) | None) => pods_gone(view, draft, waited),
    }
}

fn step(step: Step) -> Progress {
    Progress::Step(Box::new(step))
}

fn deployment_there(
    view: &View<'_>,
    mut draft: Draft,
    deployment: &Deployment,
    waited: SignedDuration,
    patience: SignedDuration,
) -> Step {
    if deployment.deleting {
        draft.wait(
            Reason::DeletingCluster,
            "waiting for the JobManager Deployment and its pods to be gone",
        );
        return draft.rest(
            view,
            Revisit::after(view.options.progress_interval, "deleting"),
        );
    }
    note_end(view, &mut draft);
    if waited < patience {
        match cancel(view, &draft) {
            Cancel::NotNeeded => {}
            Cancel::Send(job) => {
                draft.wait(
                    Reason::CancellingJob,
                    format!("asking Flink to cancel job {job}"),
                );
                let effect = Effect::Cancel {
                    job,
                    not_after: view.now + CANCEL_WINDOW,
                };
                return draft.act(
                    view,
                    vec![effect],
                    Revisit::after(CANCEL_LOOK, "cancelling"),
                );
            }
            Cancel::Wait(what) => {
                draft.wait(Reason::CancellingJob, what);
                return draft.rest(view, Revisit::after(CANCEL_LOOK, "cancelling"));
            }
        }
    }
    draft.wait(
        Reason::DeletingCluster,
        "deleting the JobManager Deployment",
    );
    let mut effects: Vec<Effect> = snapshots::unrecorded(view, &draft).into_iter().collect();
    effects.push(Effect::DeleteDeployment {
        name: view.name().to_owned(),
        uid: Uid::new(&deployment.uid),
        because: Deletion::Ended,
    });
    draft.act(
        view,
        effects,
        Revisit::after(view.options.progress_interval, "deleting"),
    )
}

/// Takes over that the job has ended and what it left, also where a look at the resource passes over the cluster because its deploy was
/// not complete: once the Deployment is deleted, nobody can be asked.
fn note_end(view: &View<'_>, draft: &mut Draft) {
    let Fact::Known(jobs) = &view.observed.answers.jobs else {
        // Its checkpoints may have been told where the list of jobs was not.
        if draft.job_is_terminal() {
            checkpoints::apply(view, draft);
        }
        return;
    };
    let ended =
        |state: &str| FlinkJobState::from_str(state).is_ok_and(FlinkJobState::is_globally_terminal);
    let id = draft.job_id();
    let mut found = jobs.value.iter().filter(|job| Some(job.id.as_str()) == id);
    if let Some(job) = found.find(|job| ended(&job.state)) {
        jobs::seen(view, draft, job);
    }
}

/// Whether Flink has to be asked to end the job first, so that sources and sinks close in order.
enum Cancel {
    NotNeeded,
    Send(JobId),
    Wait(&'static str),
}

fn cancel(view: &View<'_>, draft: &Draft) -> Cancel {
    if draft.job_is_terminal() || view.observed.ready_job_managers().is_empty() {
        return Cancel::NotNeeded;
    }
    let Some(id) = draft.job_id() else {
        return Cancel::NotNeeded;
    };
    match &view.observed.answers.jobs {
        Fact::Known(seen) => match seen.value.iter().find(|job| job.id.as_str() == id) {
            Some(job) => match job.state.as_str() {
                "CANCELED" | "FINISHED" | "FAILED" => Cancel::NotNeeded,
                "CANCELLING" => Cancel::Wait("waiting for Flink to cancel the job"),
                _ => Cancel::Send(job.id.clone()),
            },
            None => Cancel::NotNeeded,
        },
        Fact::Unknown(_) => Cancel::Wait(
            "waiting for the JobManager to answer, or for the time-out, before the cluster is deleted",
        ),
        Fact::NotAsked => Cancel::NotNeeded,
    }
}

/// The Deployment is gone: its pods have to be, which only a fresh list proves.
fn pods_gone(view: &View<'_>, mut draft: Draft, waited: SignedDuration) -> Progress {
    // Often at first, less often the longer it takes: a dead node must not make a flood of lists.
    let pause = (waited / 8)
        .max(POD_LOOK)
        .min(view.options.progress_interval.max(POD_LOOK));
    let proofs = deploy::proofs();
    if !view.observed.missing(&proofs).is_empty() {
        return step(Step::Ask(proofs));
    }
    let answers = &view.observed.answers;
    let (Some(pods), Some(maps)) = (answers.pods.value(), answers.ha.value()) else {
        draft.wait(
            Reason::WaitingForPods,
            "the API server did not list the pods of the cluster; looking again",
        );
        return step(draft.rest(view, Revisit::after(pause, "unknown pods")));
    };
    if let Some(message) = alive(pods) {
        draft.wait(Reason::WaitingForPods, message);
        return step(draft.rest(view, Revisit::after(pause, "pods")));
    }
    draft.set_job_manager(JobManagerDeploymentStatus::Missing);
    if let Some(newer) = newer_state(view, &draft, maps) {
        return step(change::blocked(
            view,
            draft,
            Reason::StatefulUpgradeNotAvailable,
            &newer,
        ));
    }
    let deletions = ha::delete_all(maps);
    if !maps.is_empty() {
        draft.wait(
            Reason::WaitingForCleanup,
            "removing high-availability data of the job that was ended without state",
        );
        let after = if deletions.is_empty() {
            pause
        } else {
            SignedDuration::ZERO
        };
        return step(draft.act(
            view,
            deletions,
            Revisit::after(after, "high-availability data"),
        ));
    }
    Progress::Gone(Box::new(draft))
}

/// Says so if metadata of high availability hold a newer state than the one to go on from, which nobody gave up.
fn newer_state(view: &View<'_>, draft: &Draft, maps: &[HaMap]) -> Option<String> {
    let mode = draft.recorded.as_ref().map(restore::mode);
    if mode != Some(UpgradeMode::Savepoint)
        || view.meta.deleted_at.is_some()
        || change::gives_up(view, draft)
    {
        return None;
    }
    let job = draft.job_id()?;
    let of_job = maps.iter().filter(|map| map.name.contains(job));
    let newest = of_job.filter_map(ha::newest_checkpoint).max()?;
    let lineage = draft.doc.typed.lineage.as_ref();
    let known = lineage.and_then(|lineage| lineage.newest.as_ref());
    let older = match known.and_then(|known| known.id) {
        Some(known) => newest <= known,
        // The savepoint of a stop is the last that a job leaves.
        None => draft.job_is_terminal(),
    };
    (!older).then(|| {
        format!(
            "metadata of high availability hold checkpoint {newest} of job {job}, which is newer than the restore point to go on \
             from, and this version cannot start from them yet. {}",
            restore::WAYS_OUT
        )
    })
}

fn alive(pods: &[Pod]) -> Option<String> {
    let pod = pods.iter().find(|pod| !pod.ended)?;
    if pod.owners.is_empty() && !pod.deleting {
        return Some(format!(
            "waiting for pod {}, which nothing owns and nothing deletes: delete it by hand if its work may end",
            pod.name
        ));
    }
    Some(format!(
        "waiting for pod {} to be gone; if its node is dead, delete the pod by force",
        pod.name
    ))
}

/// Nothing of the cluster is left: the newest spec says what comes next.
fn gone(view: &View<'_>, mut draft: Draft, ids: &Ids) -> Step {
    if let Some(trigger) = unsettled(&draft)
        && !change::gives_up(view, &draft)
    {
        return loss::taken_back(view, draft, ids, &trigger);
    }
    if !draft.job_is_terminal() {
        draft.job().state = Some(FlinkJobState::Finished);
    }
    draft.status().cluster = None;
    // The operation stands until a start takes its place: there may be something to wait for before.
    match change::current(view, &draft) {
        change::Current::Run(spec) => deploy::start(view, draft, ids, &spec, deploy::Purpose::Spec),
        change::Current::Suspend(spec) => {
            draft.status().operation = None;
            rest::suspended(view, draft, &spec)
        }
        change::Current::Invalid(spec, message) => {
            // The operation that began is completed with the last spec that was valid.
            change::complain(&mut draft, &message);
            match spec {
                Some(spec) => deploy::start(view, draft, ids, &spec, deploy::Purpose::LastValid),
                None => draft.rest(view, Revisit::on_change("invalid spec")),
            }
        }
        change::Current::Waits(reason, message) => {
            draft.wait(reason, message);
            draft.rest(view, Revisit::on_change("waits"))
        }
    }
}

/// Marks the job as being cancelled, after Flink took the request.
pub(super) fn cancelling(draft: &mut Draft) {
    if !draft.job_is_terminal() {
        draft.job().state = Some(FlinkJobState::Cancelling);
    }
}
