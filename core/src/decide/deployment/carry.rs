//! Carrying out the row of the decision list that an edit of a running job comes to.

use super::change;
use super::checkpoints::{self, Carries};
use super::deploy;
use super::draft::Draft;
use super::options::is_highly_available;
use super::restore::{self, Source};
use super::upgrade::{CheckpointAge, HaData, Job, Known, Row, Situation, choose};
use super::view::View;
use super::{cluster, end, recover, rest, stop};
use crate::build;
use crate::decision::{Revisit, Step};
use crate::diff::SpecDiff;
use crate::fact::{Fact, Why};
use crate::name::Ids;
use crate::observed::HaMap;
use crate::status::conditions::Reason;
use crate::status::recorded::Recorded;
use flink_operator_api::{
    FlinkDeploymentSpec, FlinkJobState, JobManagerDeploymentStatus as JobManager,
    LAST_STATE_MARKER, UpgradeMode,
};
use jiff::Timestamp;

/// Decides what an edit of a job that should run leads to.
pub(super) fn decide(
    view: &View<'_>,
    mut draft: Draft,
    ids: &Ids,
    recorded: &Recorded,
    spec: &FlinkDeploymentSpec,
    change: &SpecDiff,
) -> Step {
    let row = choose(&situation(view, &draft, recorded, spec));
    match row {
        Row::Stateless => {
            change::tell_change(view, &mut draft, change);
            end::begin(view, draft, ids)
        }
        Row::Savepoint | Row::VersionSavepoint | Row::TooOldSavepoint => {
            match checkpoints::carries(view, &draft) {
                Carries::Newest => {
                    change::tell_change(view, &mut draft, change);
                    stop::begin(view, draft, ids)
                }
                Carries::NotKnownYet => {
                    draft.wait(
                        Reason::WaitingForJob,
                        "waiting for Flink's statistics to tell what the job was restored from, before its state is carried over",
                    );
                    rest::observe_again(view, draft)
                }
                // The look at the checkpoints has said what is wrong and what can be done.
                Carries::Older => rest::observe_again(view, draft),
            }
        }
        Row::Ended => ended(view, draft, ids, change),
        Row::NeverStarted => {
            match restore::known(&draft) {
                Source::Blocked(reason, message) => {
                    return change::blocked(view, draft, reason, &message);
                }
                Source::Nothing | Source::Path { .. } => {}
            }
            change::tell_change(view, &mut draft, change);
            end::begin_stopped(view, draft, ids)
        }
        Row::AsksForHaData if is_running(&draft) => not_available(view, draft, ids, recorded, spec),
        Row::AsksForHaData => asks_for_ha_data(view, draft),
        Row::LastState | Row::CancelRunning | Row::Cancel | Row::VersionCancel | Row::HaData => {
            not_available(view, draft, ids, recorded, spec)
        }
        Row::EndedWithoutPath => {
            let message = format!(
                "the job has ended, and only metadata of high availability could tell where its newest state is. {}",
                restore::WAYS_OUT
            );
            change::manual_restore(&mut draft, &message);
            rest::observe_again(view, draft)
        }
        Row::Nowhere => {
            let message = format!(
                "the JobManager is gone or cannot start, and HA metadata is not available to tell the job's newest state. It is \
                 possible that the job has finished or terminally failed, or the configmaps have been deleted. {}",
                restore::WAYS_OUT
            );
            change::manual_restore(&mut draft, &message);
            rest::observe_again(view, draft)
        }
        Row::Cancelling => {
            draft.wait(
                Reason::CancellingJob,
                "the job is being cancelled; the edit is carried out when it has ended",
            );
            rest::observe_again(view, draft)
        }
        Row::WaitsForCheckpoint => {
            draft.wait(
                Reason::WaitingForJob,
                "the edit waits for a checkpoint that is on its way: the newest one is older than \
                 kubernetes.operator.job.upgrade.last-state.max.allowed.checkpoint.age allows",
            );
            recover::decide(view, draft, ids, recorded)
        }
        Row::WaitsToRun | Row::VersionWaits | Row::Waits => waits(view, draft, ids, recorded),
    }
}

/// Reads off what the choice depends on.
fn situation(
    view: &View<'_>,
    draft: &Draft,
    recorded: &Recorded,
    spec: &FlinkDeploymentSpec,
) -> Situation {
    let upgrades = &view.options.upgrades;
    let recorded_job = recorded.spec.job.as_ref();
    let namespace = &view.meta.key.namespace;
    let config = build::resource_config(spec, namespace, &view.observed.settings);
    Situation {
        mode: spec
            .job
            .as_ref()
            .map_or(UpgradeMode::Stateless, |job| job.upgrade_mode),
        job: job(draft),
        job_manager: draft.job_manager(),
        version_changed: recorded.spec.flink_version != spec.flink_version,
        savepoint_directory: view.options.savepoints.directory.is_some(),
        fallback: upgrades.last_state_fallback,
        cancel_for_last_state: upgrades.cancel_for_last_state,
        ha_in_both: view.options.high_availability && is_highly_available(&config),
        ha_data: ha_data(view),
        known: known(draft),
        recorded_last_state: recorded_job
            .is_some_and(|job| job.upgrade_mode == UpgradeMode::LastState),
        never_started: never_started(view, draft),
        checkpoint: checkpoint_age(view, draft),
    }
}

fn job(draft: &Draft) -> Job {
    match draft.job_state() {
        Some(FlinkJobState::Running) => Job::Running,
        Some(FlinkJobState::Cancelling) => Job::Cancelling,
        Some(FlinkJobState::Canceled) => Job::Canceled,
        Some(FlinkJobState::Finished) => Job::Finished,
        Some(FlinkJobState::Failed) => Job::Failed,
        Some(
            FlinkJobState::Initializing
            | FlinkJobState::Created
            | FlinkJobState::Failing
            | FlinkJobState::Restarting
            | FlinkJobState::Suspended,
        ) => Job::Unsettled,
        Some(FlinkJobState::Reconciling) | None => Job::Unknown,
    }
}

fn ha_data(view: &View<'_>) -> HaData {
    if !view.options.high_availability {
        return HaData::Absent;
    }
    if !view.is_fresh() {
        return HaData::Unknown;
    }
    match &view.observed.answers.ha {
        Fact::Known(seen) if seen.value.iter().any(is_of_job) => HaData::Present,
        Fact::Known(_) => HaData::Absent,
        Fact::Unknown(_) | Fact::NotAsked => HaData::Unknown,
    }
}

/// Returns whether a ConfigMap is that of one job, as upstream tells them apart.
fn is_of_job(map: &HaMap) -> bool {
    let of_job = map.name.ends_with("-config-map") && !map.name.ends_with("-cluster-config-map");
    !map.deleting && (of_job || map.name.ends_with("-jobmanager-leader"))
}

fn known(draft: &Draft) -> Known {
    let job = draft.doc.typed.job_status.as_ref();
    let path = job.and_then(|job| job.upgrade_savepoint_path.as_deref());
    match (restore::known(draft), path) {
        (_, Some(LAST_STATE_MARKER)) => Known::LastState,
        (Source::Nothing, _) => Known::Nothing,
        (Source::Path { .. } | Source::Blocked(..), _) => Known::Path,
    }
}

/// Returns whether the JobManager has provably never been up, so that the job is where it was before.
fn never_started(view: &View<'_>, draft: &Draft) -> bool {
    let cluster::Identity::Ours(deployment) = cluster::identify(view, draft) else {
        return false;
    };
    let job = draft.doc.typed.job_status.as_ref();
    let started = job.is_some_and(|job| job.start_time.is_some());
    let up = matches!(
        draft.job_manager(),
        JobManager::Ready | JobManager::DeployedNotReady
    );
    deployment.never_available && !started && !up
}

/// Compares the newest checkpoint with the age that a last-state upgrade may accept.
fn checkpoint_age(view: &View<'_>, draft: &Draft) -> CheckpointAge {
    let Some(longest) = view.options.upgrades.longest_checkpoint_age else {
        return CheckpointAge::Fine;
    };
    let job = draft.doc.typed.job_status.as_ref();
    let started = job.and_then(|job| job.start_time.as_deref()?.parse::<i64>().ok());
    let started = started.and_then(|started| Timestamp::from_millisecond(started).ok());
    let newest = view.observed.answers.checkpoints.value();
    let taken = newest.and_then(|statistics| statistics.newest.as_ref()?.at);
    let pending = newest.and_then(|statistics| statistics.pending_since);
    let young = |at: Option<Timestamp>| at.is_some_and(|at| view.now.duration_since(at) < longest);
    if young(started) || young(taken) {
        CheckpointAge::Fine
    } else if young(pending) {
        CheckpointAge::Pending
    } else {
        CheckpointAge::TooOld
    }
}

fn is_running(draft: &Draft) -> bool {
    draft.job_state() == Some(FlinkJobState::Running)
}

/// The job has ended: it is started again from what it left, once that is sure.
fn ended(view: &View<'_>, mut draft: Draft, ids: &Ids, change: &SpecDiff) -> Step {
    match statistics(view, &draft) {
        Statistics::Later => {
            draft.wait(
                Reason::WaitingForJob,
                "the job has ended; waiting for Flink's statistics, which lag a few seconds, to tell what it left",
            );
            let options = &view.options;
            let pause = options.statistics_lag.min(options.progress_interval);
            return draft.rest(view, Revisit::after(pause, "what the job left"));
        }
        // What was noted at its end counts. The Java operator notes that and nothing else.
        Statistics::Never if !checkpoints::is_left_noted(&draft) => {
            let message = format!(
                "the job has ended, and its JobManager is gone, or was started again, before it told what the job left; see \
                 status.lineage.newest for the newest state known. {}",
                restore::WAYS_OUT
            );
            change::manual_restore(&mut draft, &message);
            return rest::observe_again(view, draft);
        }
        Statistics::Never | Statistics::Told | Statistics::NothingLeft => {}
    }
    if let Source::Blocked(reason, message) = restore::known(&draft) {
        return change::blocked(view, draft, reason, &message);
    }
    change::tell_change(view, &mut draft, change);
    end::begin_stopped(view, draft, ids)
}

/// Whether Flink tells what an ended job left.
enum Statistics {
    /// The statistics of its end are there.
    Told,
    /// They may still come.
    Later,
    /// The process that had them is gone.
    Never,
    /// The job never came to run, and is listed as failed without statistics: it left what it was to begin with.
    NothingLeft,
}

fn statistics(view: &View<'_>, draft: &Draft) -> Statistics {
    let answers = &view.observed.answers;
    if checkpoints::of_now(view, draft).is_some() {
        return Statistics::Told;
    }
    if draft.job_manager() != JobManager::Ready || checkpoints::is_another_run(view, draft) {
        return Statistics::Never;
    }
    let unknown = matches!(
        answers.checkpoints,
        Fact::Unknown(Why::Status { code: 404, .. })
    );
    let Some(jobs) = answers.jobs.value().filter(|_| unknown) else {
        return Statistics::Later;
    };
    if jobs
        .iter()
        .any(|job| Some(job.id.as_str()) == draft.job_id())
    {
        Statistics::NothingLeft
    } else if rest::main_may_run(view) {
        Statistics::Later
    } else {
        Statistics::Never
    }
}

/// Looks at metadata of high availability.
fn asks_for_ha_data(view: &View<'_>, mut draft: Draft) -> Step {
    if view.is_fresh() && view.observed.answers.ha.asked() {
        draft.wait(
            Reason::WaitingForCleanup,
            "the API server did not list metadata of high availability; looking again",
        );
        return rest::observe_again(view, draft);
    }
    Step::Ask(deploy::proofs())
}

/// The row needs a last-state upgrade, which this version does not carry out.
fn not_available(
    view: &View<'_>,
    mut draft: Draft,
    ids: &Ids,
    recorded: &Recorded,
    spec: &FlinkDeploymentSpec,
) -> Step {
    let job = spec.job.as_ref();
    if job.is_some_and(|job| job.upgrade_mode == UpgradeMode::Savepoint) {
        return waits(view, draft, ids, recorded);
    }
    let message = "the edit asks for an upgrade from the job's last state, which this version cannot do yet; the job is \
                   left as it is. Set spec.job.upgradeMode to savepoint to carry its state over in a savepoint, or to \
                   stateless to start empty, or revert the edit";
    change::announce(&mut draft, Reason::StatefulUpgradeNotAvailable, message);
    recover::decide(view, draft, ids, recorded)
}

/// The edit waits for the job; meanwhile the job is looked after as ever.
fn waits(view: &View<'_>, mut draft: Draft, ids: &Ids, recorded: &Recorded) -> Step {
    let state = draft
        .job_state()
        .map_or("not known", FlinkJobState::as_str)
        .to_owned();
    let message = format!(
        "the edit waits for the job to run with all its tasks, so that it can be stopped with a savepoint; it is {state}. If it \
         cannot run any more: {}",
        restore::WAYS
    );
    draft.wait(Reason::WaitingForJob, message);
    recover::decide(view, draft, ids, recorded)
}
