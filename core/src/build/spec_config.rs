//! The configuration that follows from a spec: defaults, the user's options, generated keys.

use flink_operator_api::{
    FlinkDeploymentSpec, FlinkVersion, JobSpec, KubernetesDeploymentMode, UpgradeMode,
};

use super::error::BuildError;
use super::resources::ProcessResources;
use super::template::{self, Role};
use super::{ClusterMeta, Effective};
use crate::config::{Capabilities, Configuration, OperatorSettings, flatten, options as opt, text};
use std::collections::BTreeMap;
use std::time::Duration;

/// Names that stand for the template files in the configuration. Nothing reads them in a cluster.
const JOB_MANAGER_FILE: &str = "pod-template-jm.yaml";
const TASK_MANAGER_FILE: &str = "pod-template-tm.yaml";

/// The only log files that reach a cluster.
pub(super) const LOG_FILES: [&str; 2] = ["logback-console.xml", "log4j-console.properties"];

/// Returns the configuration that a resource asks for: defaults and its own options, nothing generated.
pub fn resource_config(
    spec: &FlinkDeploymentSpec,
    namespace: &str,
    settings: &OperatorSettings,
) -> Configuration {
    let mut config = settings.for_resource(namespace, spec.flink_version);
    config.overlay(&flatten(&spec.flink_configuration.0));
    config
}

/// Returns the configuration with which a running cluster is observed.
///
/// It is that of the deployed spec, with the operator's options and the savepoint directory of the
/// current one, which take effect without a restart.
pub fn observe_config(
    deployed: &FlinkDeploymentSpec,
    current: &FlinkDeploymentSpec,
    meta: &ClusterMeta,
    settings: &OperatorSettings,
) -> Result<Configuration, BuildError> {
    let mut config = of_spec(deployed, meta, settings)?.config;
    let user = flatten(&current.flink_configuration.0);
    for (key, value) in user.iter() {
        if key.starts_with("kubernetes.operator.") || key.starts_with("job.autoscaler.") {
            config.set(key, value);
        }
    }
    if let Some((_, directory)) = user.written(opt::SAVEPOINTS_DIR.option()) {
        let directory = directory.to_owned();
        config.unset(&opt::SAVEPOINTS_DIR);
        // The name that every Flink version knows.
        config.set("state.savepoints.dir", directory);
    }
    Ok(config)
}

/// Makes configuration, templates and log files of a spec, without what a submission adds.
pub(super) fn of_spec(
    spec: &FlinkDeploymentSpec,
    meta: &ClusterMeta,
    settings: &OperatorSettings,
) -> Result<Effective, BuildError> {
    let version = spec.flink_version.ok_or_else(|| {
        BuildError::field(
            "spec.flinkVersion",
            "is not set",
            "set it to the version of Flink in the image, such as v1_20",
        )
    })?;
    let mut config = resource_config(spec, &meta.namespace, settings);
    config.put_default(&opt::REST_SERVICE_TYPE, &"ClusterIP".to_owned());
    config.put_default(&opt::WEB_CANCEL_ENABLE, &false);
    config.put(&opt::INTERNAL_FLINK_VERSION, &version.to_string());
    image(spec, version, &mut config)?;
    if let Some(account) = &spec.service_account {
        config.put(&opt::SERVICE_ACCOUNT, account);
    }
    let (job_manager_template, task_manager_template) =
        processes(spec, version, settings, &mut config)?;
    target(spec, &mut config)?;
    if let Some(job) = &spec.job {
        application(spec, job, meta, &mut config)?;
    }
    config.put(&opt::NAMESPACE, &meta.namespace);
    config.put(&opt::CLUSTER_ID, &meta.name);
    if is_highly_available(&config)? {
        config.put(&opt::HA_CLUSTER_ID, &meta.name);
    }
    let log_files = log_files(spec, settings);
    if spec.log_configuration.is_some() {
        // Upstream names a directory here; it marks that the resource has log files of its own.
        config.put(&opt::INTERNAL_CONFIG_DIR, &"conf".to_owned());
    }
    Ok(Effective {
        config,
        job_manager_template,
        task_manager_template,
        log_files,
        host_files: settings.host_files().clone(),
    })
}

/// Tells whether a configuration switches high availability on.
pub(super) fn is_highly_available(config: &Configuration) -> Result<bool, BuildError> {
    let kind = config.find(&opt::HA_TYPE)?;
    Ok(kind.is_some_and(|kind| {
        !kind.eq_ignore_ascii_case("none") && !kind.eq_ignore_ascii_case("standalone")
    }))
}

fn image(
    spec: &FlinkDeploymentSpec,
    version: FlinkVersion,
    config: &mut Configuration,
) -> Result<(), BuildError> {
    if let Some(image) = spec
        .image
        .as_deref()
        .filter(|image| !image.trim().is_empty())
    {
        let renamed = Capabilities::of(version).renamed_kubernetes_options;
        let key = if renamed {
            opt::IMAGE.name()
        } else {
            "kubernetes.container.image"
        };
        config.set(key, image);
    }
    if let Some(policy) = spec
        .image_pull_policy
        .as_deref()
        .filter(|text| !text.trim().is_empty())
    {
        if !matches!(policy, "Always" | "IfNotPresent" | "Never") {
            return Err(BuildError::field(
                "spec.imagePullPolicy",
                format!("\"{policy}\" is not a pull policy"),
                "write Always, IfNotPresent or Never",
            ));
        }
        config.put(&opt::IMAGE_PULL_POLICY, &policy.to_owned());
    }
    Ok(())
}

/// Adds what concerns single processes, and makes their templates.
fn processes(
    spec: &FlinkDeploymentSpec,
    version: FlinkVersion,
    settings: &OperatorSettings,
    config: &mut Configuration,
) -> Result<(Option<serde_json::Value>, Option<serde_json::Value>), BuildError> {
    let jm = spec.job_manager.as_ref();
    let tm = spec.task_manager.as_ref();
    let jm_resources = ProcessResources::of(
        "spec.jobManager",
        jm.and_then(|jm| jm.resource.as_ref()),
        jm.and_then(|jm| jm.resources.as_ref()),
    )?;
    let tm_resources = ProcessResources::of(
        "spec.taskManager",
        tm.and_then(|tm| tm.resource.as_ref()),
        tm.and_then(|tm| tm.resources.as_ref()),
    )?;
    let jm_template = template::of_role(spec, Role::JobManager, &jm_resources, config)?;
    let tm_template = template::of_role(spec, Role::TaskManager, &tm_resources, config)?;
    put_resources("jobmanager", &jm_resources, version, config);
    put_resources("taskmanager", &tm_resources, version, config);
    if let Some(replicas) = jm.map(|jm| jm.replicas).filter(|replicas| *replicas > 0) {
        config.put(&opt::JOBMANAGER_REPLICAS, &replicas);
    }
    if let Some(replicas) = tm
        .and_then(|tm| tm.replicas)
        .filter(|replicas| *replicas > 0)
    {
        config.put(&opt::INTERNAL_TASKMANAGER_REPLICAS, &replicas);
    }
    let jm_template = or_file(
        jm_template,
        &opt::JOBMANAGER_TEMPLATE_FILE,
        settings,
        config,
    )?;
    let tm_template = or_file(
        tm_template,
        &opt::TASKMANAGER_TEMPLATE_FILE,
        settings,
        config,
    )?;
    if jm_template.is_some() {
        config.put(&opt::JOBMANAGER_TEMPLATE_FILE, &JOB_MANAGER_FILE.to_owned());
    }
    if tm_template.is_some() {
        let one_file = tm_template == jm_template;
        let file = if one_file {
            JOB_MANAGER_FILE
        } else {
            TASK_MANAGER_FILE
        };
        config.put(&opt::TASKMANAGER_TEMPLATE_FILE, &file.to_owned());
    }
    Ok((jm_template, tm_template))
}

/// Falls back to a template file of the operator's container, where a configuration names one.
fn or_file(
    template: Option<serde_json::Value>,
    key: &crate::config::Key<String>,
    settings: &OperatorSettings,
    config: &Configuration,
) -> Result<Option<serde_json::Value>, BuildError> {
    let Some((written, path)) = config.written(key.option()).filter(|_| template.is_none()) else {
        return Ok(template);
    };
    match settings.host_files().by_path.get(path) {
        Some(content) => template::of_file(path, content).map(Some),
        None => Err(BuildError::option(
            written,
            format!("the operator has no file {path} to offer"),
            "put the template into spec.podTemplate, or name the file in the operator's own defaults",
        )),
    }
}

fn put_resources(
    process: &str,
    resources: &ProcessResources,
    version: FlinkVersion,
    config: &mut Configuration,
) {
    use crate::config::Value;
    if let Some(memory) = &resources.memory {
        config.set(format!("{process}.memory.process.size"), memory);
    }
    if let Some(cpu) = resources.cpu {
        config.set(format!("kubernetes.{process}.cpu.amount"), cpu.print());
        if !Capabilities::of(version).renamed_kubernetes_options {
            config.set(format!("kubernetes.{process}.cpu"), cpu.print());
        }
    }
    for (what, factor) in [
        ("cpu", resources.cpu_limit_factor),
        ("memory", resources.memory_limit_factor),
    ] {
        if let Some(factor) = factor {
            config.set(
                format!("kubernetes.{process}.{what}.limit-factor"),
                factor.print(),
            );
        }
    }
}

fn target(spec: &FlinkDeploymentSpec, config: &mut Configuration) -> Result<(), BuildError> {
    let target = match (is_standalone(spec), &spec.job) {
        (true, job) => {
            let kind = if job.is_some() {
                "APPLICATION"
            } else {
                "SESSION"
            };
            config.set("kubernetes.internal.cluster-mode", kind);
            "remote"
        }
        (false, Some(job)) => {
            if let Some(jar) = &job.jar_uri {
                config.put(&opt::PIPELINE_JARS, &vec![jar.clone()]);
            }
            "kubernetes-application"
        }
        (false, None) => "kubernetes-session",
    };
    config.put(&opt::EXECUTION_TARGET, &target.to_owned());
    if is_standalone(spec)
        && let Some(job) = &spec.job
    {
        standalone_application(job, config)?;
    }
    Ok(())
}

fn is_standalone(spec: &FlinkDeploymentSpec) -> bool {
    spec.mode == Some(KubernetesDeploymentMode::Standalone)
}

fn standalone_application(job: &JobSpec, config: &mut Configuration) -> Result<(), BuildError> {
    if !config.has(&opt::INTERNAL_TASKMANAGER_REPLICAS) {
        let parallelism = largest_override(config)?.unwrap_or(job.parallelism).max(0);
        let slots = slots(config)?;
        let replicas = (parallelism + slots - 1) / slots;
        config.put(&opt::INTERNAL_TASKMANAGER_REPLICAS, &replicas);
    }
    if let Some(jar) = &job.jar_uri {
        let path = match jar.strip_prefix("local:") {
            Some(path) => format!("file:{path}"),
            None => jar.clone(),
        };
        config.set("pipeline.classpaths", text::print_list(&[path]));
    }
    Ok(())
}

fn largest_override(config: &Configuration) -> Result<Option<i32>, BuildError> {
    let overrides: BTreeMap<String, String> = config
        .find(&opt::PIPELINE_PARALLELISM_OVERRIDES)?
        .unwrap_or_default();
    let largest = overrides
        .values()
        .filter_map(|value| value.trim().parse().ok())
        .max();
    Ok(largest.filter(|parallelism| *parallelism > 0))
}

fn slots(config: &Configuration) -> Result<i32, BuildError> {
    let slots = config.get(&opt::TASKMANAGER_SLOTS)?;
    if slots < 1 {
        return Err(BuildError::option(
            opt::TASKMANAGER_SLOTS.name(),
            format!("{slots} is not a number of slots"),
            "set it to at least 1",
        ));
    }
    Ok(slots)
}

/// Adds what concerns the job of an application.
fn application(
    spec: &FlinkDeploymentSpec,
    job: &JobSpec,
    meta: &ClusterMeta,
    config: &mut Configuration,
) -> Result<(), BuildError> {
    let replicas = spec
        .task_manager
        .as_ref()
        .and_then(|tm| tm.replicas)
        .filter(|count| *count > 0);
    let parallelism = match replicas {
        Some(replicas) => replicas.checked_mul(slots(config)?).ok_or_else(|| {
            BuildError::field(
                "spec.taskManager.replicas",
                format!("{replicas} TaskManagers have more slots than can be counted"),
                "set a smaller number",
            )
        })?,
        None if is_standalone(spec) => largest_override(config)?.unwrap_or(job.parallelism),
        None => job.parallelism,
    };
    config.put(&opt::PARALLELISM_DEFAULT, &parallelism);
    config.put(&opt::EXECUTION_SHUTDOWN_ON_FINISH, &false);
    config.put_default(&opt::EXECUTION_SUBMIT_FAILED_JOB, &true);
    config.put_default(&opt::PIPELINE_NAME, &meta.name);
    if job.upgrade_mode == UpgradeMode::LastState {
        config.put_default(&opt::CHECKPOINTING_INTERVAL, &Duration::from_secs(300));
    }
    config.put_default(
        &opt::CHECKPOINT_RETENTION,
        &"RETAIN_ON_CANCELLATION".to_owned(),
    );
    if let Some(allow) = job.allow_non_restored_state {
        config.unset(&opt::SAVEPOINT_IGNORE_UNCLAIMED);
        config.put(&opt::SAVEPOINT_IGNORE_UNCLAIMED, &allow);
    }
    if let Some(class) = &job.entry_class {
        config.put(&opt::INTERNAL_APPLICATION_MAIN, class);
    }
    config.put(&opt::INTERNAL_PROGRAM_ARGS, &job.args);
    Ok(())
}

fn log_files(spec: &FlinkDeploymentSpec, settings: &OperatorSettings) -> BTreeMap<String, String> {
    let files = spec
        .log_configuration
        .as_ref()
        .unwrap_or(&settings.host_files().logging);
    files
        .iter()
        .filter(|(name, _)| LOG_FILES.contains(&name.as_str()))
        .map(|(name, content)| (name.clone(), content.clone()))
        .collect()
}
