//! What a submission adds to the configuration of a spec.

use std::collections::BTreeMap;

use flink_operator_api::{FlinkDeploymentSpec, names};

use super::error::BuildError;
use super::{ClusterMeta, LAST_STATE_GUARD, Restore, Submission};
use crate::config::{Configuration, options as opt, text};

/// Adds owner, generation, job id, restore path and result store, and removes the operator's options.
pub(super) fn add(
    config: &mut Configuration,
    spec: &FlinkDeploymentSpec,
    meta: &ClusterMeta,
    submission: &Submission,
) -> Result<(), BuildError> {
    let mut annotations: BTreeMap<String, String> = config.get(&opt::JOBMANAGER_ANNOTATIONS)?;
    annotations.insert(
        names::GENERATION_ANNOTATION.to_owned(),
        meta.generation.to_string(),
    );
    config.put(&opt::JOBMANAGER_ANNOTATIONS, &annotations);
    config.set(opt::JOBMANAGER_OWNER_REFERENCE.name(), owner(meta));
    if spec.job.is_some() {
        job(config, meta, submission)?;
    }
    config.retain(|key| {
        !key.starts_with("kubernetes.operator.") && !key.starts_with("job.autoscaler.")
    });
    Ok(())
}

fn job(
    config: &mut Configuration,
    meta: &ClusterMeta,
    submission: &Submission,
) -> Result<(), BuildError> {
    // A path of the user's own would win over what is to be restored.
    config.unset(&opt::SAVEPOINT_PATH);
    match &submission.restore {
        Restore::Nothing => {}
        Restore::From(path) => config.put(&opt::SAVEPOINT_PATH, path),
        Restore::LastState => config.put(&opt::SAVEPOINT_PATH, &LAST_STATE_GUARD.to_owned()),
    }
    config.put_default(&opt::INTERNAL_JOB_ID, &submission.job_id);
    if let Some(storage) = config.find(&opt::HA_STORAGE_DIR)? {
        config.put_default(&opt::JOB_RESULT_STORE_DELETE_ON_COMMIT, &false);
        let path = format!(
            "{storage}/job-result-store/{}/{}",
            meta.name, submission.result_store_id
        );
        config.put(&opt::JOB_RESULT_STORE_PATH, &path);
    }
    Ok(())
}

/// Describes the resource as an owner, in the text form of a list of maps.
fn owner(meta: &ClusterMeta) -> String {
    let fields = text::print_pairs([
        ("apiVersion", names::API_VERSION),
        ("kind", "FlinkDeployment"),
        ("name", meta.name.as_str()),
        ("uid", meta.uid.as_str()),
        ("blockOwnerDeletion", "true"),
        ("controller", "false"),
    ]);
    text::print_list(&[fields])
}
