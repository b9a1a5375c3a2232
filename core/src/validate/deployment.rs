//! The rules for a `FlinkDeployment`.

use super::{
    Violation, Violations, autoscaler, cluster_name, configuration, ingress, job, resources,
};
use crate::config::{OperatorSettings, flatten};
use crate::resource::Meta;
use crate::status::recorded::Recorded;
use flink_operator_api::{
    FlinkDeploymentSpec, FlinkVersion, JobState, KubernetesDeploymentMode, UpgradeMode,
};

const LOG_FILES: [&str; 2] = ["log4j-console.properties", "logback-console.xml"];

/// Checks a spec against every rule; `recorded` is the spec that was deployed last.
pub fn flink_deployment(
    meta: &Meta,
    spec: &FlinkDeploymentSpec,
    recorded: Option<&Recorded>,
    settings: &OperatorSettings,
) -> Vec<Violation> {
    named(
        &meta.key.namespace,
        &meta.key.name,
        spec,
        recorded,
        settings,
    )
}

/// Checks the spec that a deployment of this name has, or will get.
pub(super) fn named(
    namespace: &str,
    name: &str,
    spec: &FlinkDeploymentSpec,
    recorded: Option<&Recorded>,
    settings: &OperatorSettings,
) -> Vec<Violation> {
    let mut config = settings.for_resource(namespace, spec.flink_version);
    config.overlay(&flatten(&spec.flink_configuration.0));
    let mut found = Violations::default();
    cluster_name("D1", "metadata.name", name, &mut found);
    version(spec, recorded, &mut found);
    configuration::check(&config, &mut found);
    if let Some(written) = &spec.ingress {
        ingress::check(written, namespace, name, &mut found);
    }
    logging(spec, &mut found);
    if let Some(job) = &spec.job {
        let task_manager = spec.task_manager.as_ref();
        job::state_directories(job, &config, &mut found);
        job::parallelism(
            task_manager.and_then(|task_manager| task_manager.replicas),
            job,
            &mut found,
        );
    }
    resources::check(spec, &config, &mut found);
    if let Some(recorded) = recorded {
        update(spec, recorded, &mut found);
    }
    if spec.service_account.is_none() {
        found.add(
            "D32",
            "spec.serviceAccount",
            "spec.serviceAccount must be defined. If you use helm, its value should be the same with the name of jobServiceAccount.",
        );
    }
    autoscaler::check(&config, &mut found);
    configuration::malformed(&config, "spec.flinkConfiguration", &mut found);
    found.0
}

fn version(spec: &FlinkDeploymentSpec, recorded: Option<&Recorded>, found: &mut Violations) {
    let path = "spec.flinkVersion";
    let Some(version) = spec.flink_version else {
        found.add("D2", path, "Flink Version must be defined.");
        return;
    };
    if version < FlinkVersion::V1_13 {
        found.add(
            "D3",
            path,
            format!("Flink version {version} is not supported by this operator version"),
        );
    }
    let (Some(recorded), Some(job)) = (recorded, &spec.job) else {
        return;
    };
    let Some(old) = &recorded.spec.job else {
        return;
    };
    let suspended = old.state == JobState::Suspended && old.upgrade_mode == UpgradeMode::LastState;
    if suspended
        && job.upgrade_mode != UpgradeMode::Stateless
        && recorded.spec.flink_version != Some(version)
    {
        found.add("D4", path, "Changing flinkVersion after last-state suspend is not allowed. Restore your cluster with the current flinkVersion and perform the version upgrade afterwards.");
    }
}

fn logging(spec: &FlinkDeploymentSpec, found: &mut Violations) {
    for key in spec.log_configuration.iter().flatten().map(|(key, _)| key) {
        if !LOG_FILES.contains(&key.as_str()) {
            let message = format!(
                "Invalid log config key: {key}. Allowed keys are [{}]",
                LOG_FILES.join(", ")
            );
            found.add("D10", &format!("spec.logConfiguration.{key}"), message);
        }
    }
}

fn update(spec: &FlinkDeploymentSpec, recorded: &Recorded, found: &mut Violations) {
    let old = &recorded.spec;
    match (&old.job, &spec.job) {
        (None, Some(_)) => found.add(
            "D27",
            "spec.job",
            "Cannot switch from session to job cluster",
        ),
        (Some(_), None) => found.add(
            "D28",
            "spec.job",
            "Cannot switch from job to session cluster",
        ),
        (None, None) | (Some(_), Some(_)) => {}
    }
    let standalone =
        |spec: &FlinkDeploymentSpec| spec.mode == Some(KubernetesDeploymentMode::Standalone);
    match (standalone(old), standalone(spec)) {
        (false, true) => found.add(
            "D29",
            "spec.mode",
            "Cannot switch from native kubernetes to standalone kubernetes cluster",
        ),
        (true, false) => found.add(
            "D30",
            "spec.mode",
            "Cannot switch from standalone kubernetes to native kubernetes cluster",
        ),
        (false, false) | (true, true) => {}
    }
    let (Some(old), Some(new)) = (&old.job, &spec.job) else {
        return;
    };
    let redeploy = new.savepoint_redeploy_nonce.is_some()
        && new.savepoint_redeploy_nonce != old.savepoint_redeploy_nonce;
    if redeploy
        && new
            .initial_savepoint_path
            .as_deref()
            .is_none_or(|path| path.trim().is_empty())
    {
        found.add(
            "D31",
            "spec.job.initialSavepointPath",
            "InitialSavepointPath must not be empty for savepoint redeployment",
        );
    }
}
