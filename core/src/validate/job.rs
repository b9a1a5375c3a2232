//! The rules for a job, in an application as well as on a session cluster.

use super::Violations;
use super::configuration::written;
use crate::config::{Configuration, options};
use flink_operator_api::{JobSpec, UpgradeMode};

/// Checks that what a job's upgrades and savepoints need has a directory.
pub(super) fn state_directories(job: &JobSpec, config: &Configuration, found: &mut Violations) {
    let is_set = |text: Option<String>| text.is_some_and(|text| !text.trim().is_empty());
    let checkpoints = options::CHECKPOINTS_DIR.option().key;
    let savepoints = options::SAVEPOINTS_DIR.option().key;
    if job.upgrade_mode != UpgradeMode::Stateless
        && !is_set(config.find(&options::CHECKPOINTS_DIR).ok().flatten())
    {
        let message = format!(
            "Checkpoint directory[{checkpoints}] must be defined for last-state and savepoint upgrade modes"
        );
        found.add("D11", "spec.job.upgradeMode", message);
    }
    if is_set(config.find(&options::SAVEPOINTS_DIR).ok().flatten()) {
        return;
    }
    if job.upgrade_mode == UpgradeMode::Savepoint {
        found.add(
            "D12",
            "spec.job.upgradeMode",
            format!(
                "Job could not be upgraded with savepoint while config key[{savepoints}] is not set"
            ),
        );
    }
    if job.savepoint_trigger_nonce.is_some() {
        found.add(
            "D13",
            "spec.job.savepointTriggerNonce",
            format!("Savepoint could not be manually triggered for the running job while config key[{savepoints}] is not set"),
        );
    }
    if config.has(&options::PERIODIC_SAVEPOINT_INTERVAL) {
        found.add(
            "D14",
            &written(config, options::PERIODIC_SAVEPOINT_INTERVAL.option()),
            format!(
                "Periodic savepoints cannot be enabled when config key[{savepoints}] is not set"
            ),
        );
    }
    if config.has(&options::JOB_UPGRADE_LAST_STATE_MAX_CHECKPOINT_AGE) {
        let option = options::JOB_UPGRADE_LAST_STATE_MAX_CHECKPOINT_AGE.option();
        found.add(
            "D15",
            &written(config, option),
            format!("In order to use max-checkpoint age functionality config key[{savepoints}] must be set to allow triggering savepoint upgrades."),
        );
    }
}

/// Checks that there is something to run the job; `replicas` are those of TaskManagers, if they are set.
pub(super) fn parallelism(replicas: Option<i32>, job: &JobSpec, found: &mut Violations) {
    match replicas {
        Some(replicas) if replicas < 1 => {
            found.add(
                "D16",
                "spec.taskManager.replicas",
                "TaskManager replicas must be larger than 0",
            );
        }
        None if job.parallelism < 1 => {
            found.add(
                "D17",
                "spec.job.parallelism",
                "Job parallelism must be larger than 0",
            );
        }
        Some(_) | None => {}
    }
}
