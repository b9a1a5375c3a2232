//! The rules for a `FlinkDeployment`.

use super::{Violation, resources};
use crate::config::{Configuration, OperatorSettings, flatten, options};
use crate::resource::Meta;
use crate::status::recorded::Recorded;
use flink_operator_api::{
    FlinkDeploymentSpec, FlinkVersion, JobSpec, JobState, KubernetesDeploymentMode, UpgradeMode,
};

/// Keys that the operator sets itself.
const FORBIDDEN: [&str; 3] = [
    "kubernetes.namespace",
    "kubernetes.cluster-id",
    "high-availability.cluster-id",
];
/// The longest name: Flink derives names of 63 characters from it.
const LONGEST_NAME: usize = 45;
const LOG_FILES: [&str; 2] = ["log4j-console.properties", "logback-console.xml"];

/// Collects violations in upstream's order.
#[derive(Default)]
pub(super) struct Violations(pub(super) Vec<Violation>);

impl Violations {
    pub(super) fn add(&mut self, rule: &'static str, path: &str, message: impl Into<String>) {
        self.0.push(Violation {
            rule,
            path: path.to_owned(),
            message: message.into(),
        });
    }
}

/// Checks a spec against every rule; `recorded` is the spec that was deployed last.
pub fn flink_deployment(
    meta: &Meta,
    spec: &FlinkDeploymentSpec,
    recorded: Option<&Recorded>,
    settings: &OperatorSettings,
) -> Vec<Violation> {
    let mut config = settings.for_resource(&meta.key.namespace, spec.flink_version);
    config.overlay(&flatten(&spec.flink_configuration.0));
    let mut found = Violations::default();
    name(meta, &mut found);
    version(spec, recorded, &mut found);
    configuration(&config, &mut found);
    ingress(meta, spec, &mut found);
    logging(spec, &mut found);
    if let Some(job) = &spec.job {
        state_directories(job, &config, &mut found);
        parallelism(spec, job, &mut found);
    }
    resources::check(spec, &config, is_highly_available(&config), &mut found);
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
    found.0
}

fn is_highly_available(config: &Configuration) -> bool {
    let mode = config.find(&options::HA_TYPE).ok().flatten();
    mode.is_some_and(|mode| !mode.eq_ignore_ascii_case("none"))
}

fn name(meta: &Meta, found: &mut Violations) {
    let name = meta.key.name.as_str();
    let bytes = name.as_bytes();
    let inner = bytes
        .iter()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-');
    let ends = bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.last().is_some_and(|byte| *byte != b'-');
    if name.len() > LONGEST_NAME || !inner || !ends {
        let shown: String = name.chars().take(60).collect();
        let cut = if shown.len() < name.len() { "…" } else { "" };
        found.add(
            "D1",
            "metadata.name",
            format!(
                "The FlinkDeployment name: {shown}{cut} is invalid, must consist of lower case alphanumeric characters or '-', \
                 start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123'), \
                 and the length must be no more than 45 characters."
            ),
        );
    }
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

fn configuration(config: &Configuration, found: &mut Violations) {
    let path = |key: &str| format!("spec.flinkConfiguration.{key}");
    for key in FORBIDDEN {
        if config.text(key).is_some() {
            found.add(
                "D5",
                &path(key),
                format!("Forbidden Flink config key: {key}"),
            );
        }
    }
    let rollback = options::DEPLOYMENT_ROLLBACK_ENABLED.option().key;
    if config
        .get(&options::DEPLOYMENT_ROLLBACK_ENABLED)
        .unwrap_or(false)
        && !is_highly_available(config)
    {
        found.add(
            "D6",
            &path(rollback),
            "HA must be enabled for rollback support.",
        );
    }
    let health = options::CLUSTER_HEALTH_CHECK_ENABLED.option().key;
    let recovery = options::JM_DEPLOYMENT_RECOVERY_ENABLED.option().key;
    if config
        .get(&options::CLUSTER_HEALTH_CHECK_ENABLED)
        .unwrap_or(false)
        && !config
            .get(&options::JM_DEPLOYMENT_RECOVERY_ENABLED)
            .unwrap_or(true)
    {
        found.add("D7", &path(recovery), format!("Deployment recovery ({recovery}) must be enabled when cluster health check ({health}) is enabled"));
    }
    for finding in crate::config::findings(config) {
        if let crate::config::Finding::Malformed { key, reason } = finding {
            found.add("config", &path(&key), format!("{key}: {reason}"));
        }
    }
}

fn ingress(meta: &Meta, spec: &FlinkDeploymentSpec, found: &mut Violations) {
    let Some(ingress) = &spec.ingress else { return };
    let path = "spec.ingress.template";
    let Some(template) = ingress
        .template
        .as_deref()
        .filter(|template| !template.is_empty())
    else {
        found.add("D8", path, "Ingress template must be defined");
        return;
    };
    let filled = fill(template, &meta.key.name, &meta.key.namespace);
    let lower = filled.to_ascii_lowercase();
    let full = if lower.starts_with("http://") || lower.starts_with("https://") {
        filled
    } else {
        format!("http://{filled}")
    };
    if full
        .chars()
        .any(|c| c.is_whitespace() || "{}<>\"\\^`|".contains(c))
    {
        found.add("D9", path, format!("Unable to process the Ingress template({template}). Error: it does not make a URL: {full}"));
    }
}

/// Fills in the two variables of an ingress template, in any case.
fn fill(template: &str, name: &str, namespace: &str) -> String {
    let mut text = template.to_owned();
    for (variable, value) in [("{{name}}", name), ("{{namespace}}", namespace)] {
        while let Some(at) = text.to_ascii_lowercase().find(variable) {
            text.replace_range(at..at + variable.len(), value);
        }
    }
    text
}

fn logging(spec: &FlinkDeploymentSpec, found: &mut Violations) {
    for key in spec.log_configuration.iter().flatten().map(|(key, _)| key) {
        if !LOG_FILES.contains(&key.as_str()) {
            let message = format!(
                "Invalid log config key: {key}. Allowed keys are {}",
                LOG_FILES.join(", ")
            );
            found.add("D10", &format!("spec.logConfiguration.{key}"), message);
        }
    }
}

fn state_directories(job: &JobSpec, config: &Configuration, found: &mut Violations) {
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
    let path = |key: &str| format!("spec.flinkConfiguration.{key}");
    if config.has(&options::PERIODIC_SAVEPOINT_INTERVAL) {
        let key = options::PERIODIC_SAVEPOINT_INTERVAL.option().key;
        found.add(
            "D14",
            &path(key),
            format!(
                "Periodic savepoints cannot be enabled when config key[{savepoints}] is not set"
            ),
        );
    }
    if config.has(&options::JOB_UPGRADE_LAST_STATE_MAX_CHECKPOINT_AGE) {
        let key = options::JOB_UPGRADE_LAST_STATE_MAX_CHECKPOINT_AGE
            .option()
            .key;
        found.add(
            "D15",
            &path(key),
            format!("In order to use max-checkpoint age functionality config key[{savepoints}] must be set to allow triggering savepoint upgrades."),
        );
    }
}

fn parallelism(spec: &FlinkDeploymentSpec, job: &JobSpec, found: &mut Violations) {
    match spec
        .task_manager
        .as_ref()
        .and_then(|task_manager| task_manager.replicas)
    {
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
