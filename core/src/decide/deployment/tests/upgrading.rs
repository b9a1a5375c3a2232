//! The decision list of an edit, row by row; the output of the test lists section and case.

use crate::decide::deployment::upgrade::{
    CheckpointAge, HaData, Job, Known, Row, Situation, choose,
};
use flink_operator_api::{JobManagerDeploymentStatus as JobManager, UpgradeMode};

/// A running job in savepoint mode, without high availability, with everything at its default.
const USUAL: Situation = Situation {
    mode: UpgradeMode::Savepoint,
    job: Job::Running,
    job_manager: JobManager::Ready,
    version_changed: false,
    savepoint_directory: true,
    fallback: true,
    cancel_for_last_state: false,
    ha_in_both: false,
    ha_data: HaData::Absent,
    known: Known::Nothing,
    recorded_last_state: false,
    never_started: false,
    checkpoint: CheckpointAge::Fine,
};

const LAST_STATE: Situation = Situation {
    mode: UpgradeMode::LastState,
    ha_in_both: true,
    ha_data: HaData::Present,
    ..USUAL
};

type Case = (&'static str, &'static str, Situation, Row);

fn cases() -> Vec<Case> {
    let mut cases = early();
    cases.extend(with_another_version());
    cases.extend(from_the_last_state());
    cases.extend(without_an_answer());
    cases
}

#[allow(clippy::too_many_lines)] // a table
fn early() -> Vec<Case> {
    vec![
        (
            "1",
            "stateless, whatever the job does",
            Situation {
                mode: UpgradeMode::Stateless,
                job: Job::Cancelling,
                ..USUAL
            },
            Row::Stateless,
        ),
        (
            "1",
            "stateless, and the job has ended",
            Situation {
                mode: UpgradeMode::Stateless,
                job: Job::Failed,
                ..USUAL
            },
            Row::Stateless,
        ),
        (
            "2",
            "cancelled, its path known",
            Situation {
                job: Job::Canceled,
                known: Known::Path,
                ..USUAL
            },
            Row::Ended,
        ),
        (
            "2",
            "cancelled, with HA data left and nobody to ask",
            Situation {
                job: Job::Canceled,
                job_manager: JobManager::Missing,
                ha_data: HaData::Present,
                known: Known::Path,
                ..USUAL
            },
            Row::Ended,
        ),
        (
            "2",
            "finished, JobManager answers, HA data left",
            Situation {
                job: Job::Finished,
                ha_data: HaData::Present,
                ..USUAL
            },
            Row::Ended,
        ),
        (
            "2",
            "failed, JobManager gone, no HA data",
            Situation {
                job: Job::Failed,
                job_manager: JobManager::Missing,
                known: Known::Path,
                ..USUAL
            },
            Row::Ended,
        ),
        (
            "2",
            "failed, JobManager gone, HA data not looked at",
            Situation {
                job: Job::Failed,
                job_manager: JobManager::Missing,
                ha_data: HaData::Unknown,
                ..USUAL
            },
            Row::AsksForHaData,
        ),
        (
            "2",
            "only HA data could tell the path",
            Situation {
                job: Job::Failed,
                known: Known::LastState,
                ..USUAL
            },
            Row::EndedWithoutPath,
        ),
        (
            "3",
            "being cancelled",
            Situation {
                job: Job::Cancelling,
                ..USUAL
            },
            Row::Cancelling,
        ),
        ("4", "runs, savepoint", USUAL, Row::Savepoint),
        (
            "4",
            "runs, savepoint, HA data not looked at",
            Situation {
                ha_data: HaData::Unknown,
                ..USUAL
            },
            Row::Savepoint,
        ),
        (
            "5",
            "does not run, no fallback",
            Situation {
                job: Job::Unsettled,
                fallback: false,
                ..USUAL
            },
            Row::WaitsToRun,
        ),
        (
            "5",
            "does not run, no fallback, HA data there",
            Situation {
                job: Job::Unknown,
                job_manager: JobManager::Deploying,
                fallback: false,
                ha_data: HaData::Present,
                ha_in_both: true,
                ..USUAL
            },
            Row::WaitsToRun,
        ),
        (
            "6",
            "does not run: as last state, which may cancel",
            Situation {
                job: Job::Unsettled,
                ..USUAL
            },
            Row::Cancel,
        ),
        (
            "6",
            "does not run: as last state, from HA data",
            Situation {
                job: Job::Unsettled,
                ha_in_both: true,
                ha_data: HaData::Present,
                ..USUAL
            },
            Row::HaData,
        ),
    ]
}

#[allow(clippy::too_many_lines)] // a table
fn with_another_version() -> Vec<Case> {
    vec![
        (
            "4",
            "another version, runs, savepoint",
            Situation {
                version_changed: true,
                ..USUAL
            },
            Row::Savepoint,
        ),
        (
            "7",
            "another version, runs, last state",
            Situation {
                version_changed: true,
                ..LAST_STATE
            },
            Row::VersionSavepoint,
        ),
        (
            "8",
            "another version, runs, no savepoint directory",
            Situation {
                version_changed: true,
                savepoint_directory: false,
                ..LAST_STATE
            },
            Row::VersionCancel,
        ),
        (
            "8",
            "another version, does not run, even without fallback",
            Situation {
                version_changed: true,
                job: Job::Unsettled,
                fallback: false,
                ..USUAL
            },
            Row::VersionCancel,
        ),
        (
            "9",
            "another version, nobody says how the job is",
            Situation {
                version_changed: true,
                job: Job::Unknown,
                job_manager: JobManager::Deploying,
                ..LAST_STATE
            },
            Row::VersionWaits,
        ),
        (
            "9",
            "another version, ended, JobManager gone, HA data there",
            Situation {
                version_changed: true,
                job: Job::Finished,
                job_manager: JobManager::Missing,
                ..LAST_STATE
            },
            Row::VersionWaits,
        ),
    ]
}

#[allow(clippy::too_many_lines)] // a table
fn from_the_last_state() -> Vec<Case> {
    vec![
        ("10", "runs, last state", LAST_STATE, Row::LastState),
        (
            "10",
            "runs, last state, by cancelling as configured",
            Situation {
                cancel_for_last_state: true,
                ..LAST_STATE
            },
            Row::CancelRunning,
        ),
        (
            "10",
            "runs, last state, by cancelling without HA data",
            Situation {
                ha_data: HaData::Absent,
                ..LAST_STATE
            },
            Row::CancelRunning,
        ),
        (
            "10",
            "runs, last state, HA data not looked at",
            Situation {
                ha_data: HaData::Unknown,
                ..LAST_STATE
            },
            Row::AsksForHaData,
        ),
        (
            "10",
            "newest checkpoint too old, another on its way",
            Situation {
                checkpoint: CheckpointAge::Pending,
                ..LAST_STATE
            },
            Row::WaitsForCheckpoint,
        ),
        (
            "10",
            "newest checkpoint too old",
            Situation {
                checkpoint: CheckpointAge::TooOld,
                ..LAST_STATE
            },
            Row::TooOldSavepoint,
        ),
        (
            "11",
            "does not run, last state, cancel allowed",
            Situation {
                job: Job::Unsettled,
                cancel_for_last_state: true,
                ..LAST_STATE
            },
            Row::Cancel,
        ),
        (
            "13",
            "does not run, last state, HA data there",
            Situation {
                job: Job::Unsettled,
                ..LAST_STATE
            },
            Row::HaData,
        ),
        (
            "13",
            "JobManager gone, HA data there",
            Situation {
                job: Job::Unknown,
                job_manager: JobManager::Missing,
                ..LAST_STATE
            },
            Row::HaData,
        ),
        (
            "13",
            "ended, JobManager gone, HA data there",
            Situation {
                job: Job::Failed,
                job_manager: JobManager::Missing,
                ..LAST_STATE
            },
            Row::HaData,
        ),
        (
            "16",
            "HA only in one of both specs",
            Situation {
                job: Job::Unknown,
                job_manager: JobManager::Deploying,
                ha_in_both: false,
                ..LAST_STATE
            },
            Row::Waits,
        ),
    ]
}

#[allow(clippy::too_many_lines)] // a table
fn without_an_answer() -> Vec<Case> {
    vec![
        (
            "14",
            "never started",
            Situation {
                job: Job::Unknown,
                job_manager: JobManager::Deploying,
                never_started: true,
                ..USUAL
            },
            Row::NeverStarted,
        ),
        (
            "14",
            "never started, broken",
            Situation {
                job: Job::Unknown,
                job_manager: JobManager::Error,
                never_started: true,
                fallback: false,
                ..USUAL
            },
            Row::NeverStarted,
        ),
        (
            "14",
            "never started, another version",
            Situation {
                job: Job::Unknown,
                job_manager: JobManager::Error,
                never_started: true,
                version_changed: true,
                ..USUAL
            },
            Row::NeverStarted,
        ),
        (
            "15",
            "never started, but from the last state",
            Situation {
                job: Job::Unknown,
                job_manager: JobManager::Error,
                never_started: true,
                recorded_last_state: true,
                ..USUAL
            },
            Row::Nowhere,
        ),
        (
            "15",
            "broken, no HA data",
            Situation {
                job: Job::Unknown,
                job_manager: JobManager::Error,
                ..USUAL
            },
            Row::Nowhere,
        ),
        (
            "15",
            "gone, no HA data",
            Situation {
                job: Job::Unknown,
                job_manager: JobManager::Missing,
                ..USUAL
            },
            Row::Nowhere,
        ),
        (
            "15",
            "gone, HA data not looked at",
            Situation {
                job: Job::Unknown,
                job_manager: JobManager::Missing,
                fallback: false,
                ha_data: HaData::Unknown,
                ..USUAL
            },
            Row::AsksForHaData,
        ),
        (
            "16",
            "deploying, no HA data",
            Situation {
                job: Job::Unknown,
                job_manager: JobManager::Deploying,
                ..USUAL
            },
            Row::Waits,
        ),
        (
            "16",
            "not ready, no HA data",
            Situation {
                job: Job::Unknown,
                job_manager: JobManager::DeployedNotReady,
                ..USUAL
            },
            Row::Waits,
        ),
    ]
}

#[test]
fn every_row_of_the_decision_list_has_its_cases() {
    let mut met = std::collections::BTreeSet::new();
    for (section, case, situation, row) in cases() {
        println!("row {section:>2}: {case} -> {row:?}");
        assert_eq!(choose(&situation), row, "row {section}: {case}");
        met.insert(row);
    }
    assert_eq!(met.len(), 19, "every row is met: {met:?}");
}

#[test]
fn a_job_is_stopped_with_a_savepoint_only_while_it_runs() {
    let jobs = [
        Job::Unsettled,
        Job::Cancelling,
        Job::Canceled,
        Job::Finished,
        Job::Failed,
        Job::Unknown,
    ];
    for mode in [UpgradeMode::Savepoint, UpgradeMode::LastState] {
        for job in jobs {
            for version_changed in [false, true] {
                let row = choose(&Situation {
                    mode,
                    job,
                    version_changed,
                    ..LAST_STATE
                });
                let stops = matches!(
                    row,
                    Row::Savepoint | Row::VersionSavepoint | Row::TooOldSavepoint
                );
                assert!(!stops, "{mode:?} {job:?} -> {row:?}");
            }
        }
    }
}
