//! The objects of a cluster, rendered for one attempt.

use super::view::View;
use crate::build::{self, BuildError, ClusterMeta, Submission, memory};
use crate::config::{MemorySize, flatten, number, options};
use crate::name::{Ids, JobId};
use crate::observed::ChildKind;
use flink_operator_api::{Attempt, FlinkDeploymentSpec, Restore};
use serde_json::Value;

/// Rendered objects: the Deployment, and the rest in the order of creation.
pub(super) struct Rendered {
    pub deployment: Value,
    pub children: Vec<(ChildKind, Value)>,
    pub hash: String,
    /// What the user may not expect; never stops a start.
    pub warnings: Vec<String>,
}

/// Renders the objects for an attempt. The same inputs give the same bytes.
pub(super) fn render(
    view: &View<'_>,
    spec: &FlinkDeploymentSpec,
    attempt: &Attempt,
    generation: i64,
) -> Result<Rendered, BuildError> {
    let submission = Submission {
        job_id: attempt.job_id.clone().unwrap_or_default(),
        result_store_id: attempt.result_store_id.clone().unwrap_or_default(),
        restore: match &attempt.restore {
            Restore::None => build::Restore::Nothing,
            Restore::Savepoint { path } => build::Restore::From(path.clone()),
            Restore::LastState => build::Restore::LastState,
        },
    };
    let effective = build::effective(
        spec,
        &cluster_meta(view, generation),
        &view.observed.settings,
        &submission,
    )?;
    let children = build::render(&effective)?;
    let hash = children.hash();
    let kind = |object: &Value| match object["kind"].as_str() {
        Some("Service") => ChildKind::Service,
        Some("Secret") => ChildKind::Secret,
        _ => ChildKind::ConfigMap,
    };
    Ok(Rendered {
        deployment: children.deployment_of(&attempt.id, &hash),
        children: children
            .dependents()
            .iter()
            .map(|object| (kind(object), object.clone()))
            .collect(),
        hash,
        warnings: children.warnings().to_vec(),
    })
}

fn cluster_meta(view: &View<'_>, generation: i64) -> ClusterMeta {
    ClusterMeta {
        name: view.name().to_owned(),
        namespace: view.meta.key.namespace.clone(),
        uid: view.uid().as_str().to_owned(),
        generation,
    }
}

/// Returns the id of a new job: the user's if the configuration fixes one, else a fresh one.
pub(super) fn job_id(view: &View<'_>, spec: &FlinkDeploymentSpec, ids: &Ids) -> JobId {
    let config = build::resource_config(spec, &view.meta.key.namespace, &view.observed.settings);
    config
        .text(options::INTERNAL_JOB_ID.option().key)
        .map_or_else(|| ids.job.clone(), JobId::new)
}

/// Returns how many TaskManagers a spec asks for: its replicas, else its parallelism over slots.
pub(super) fn task_manager_count(spec: &FlinkDeploymentSpec) -> i32 {
    if let Some(replicas) = spec
        .task_manager
        .as_ref()
        .and_then(|task_manager| task_manager.replicas)
    {
        return replicas;
    }
    let config = flatten(&spec.flink_configuration.0);
    let slots = config.get(&options::TASKMANAGER_SLOTS).unwrap_or(1).max(1);
    let parallelism = spec.job.as_ref().map_or(0, |job| job.parallelism).max(0);
    parallelism.div_euclid(slots) + i32::from(parallelism.rem_euclid(slots) > 0)
}

/// Returns CPU cores and bytes of memory of the running cluster, as upstream prints them; `None` if
/// a size cannot be derived.
pub(super) fn totals(
    view: &View<'_>,
    spec: &FlinkDeploymentSpec,
    task_managers: u32,
) -> Option<(String, String)> {
    let settings = &view.observed.settings;
    let config = build::observe_config(
        spec,
        spec,
        &cluster_meta(view, view.meta.generation),
        settings,
    )
    .ok()?;
    let count = f64::from(task_managers);
    let replicas = f64::from(config.get(&options::JOBMANAGER_REPLICAS).ok()?);
    let task_manager_cpu = match config.get(&options::TASKMANAGER_CPU).ok()? {
        cpu if cpu > 0.0 => cpu,
        _ => f64::from(config.get(&options::TASKMANAGER_SLOTS).ok()?),
    };
    let cpu = count * task_manager_cpu * config.get(&options::TASKMANAGER_CPU_LIMIT_FACTOR).ok()?
        + config.get(&options::JOBMANAGER_CPU).ok()?
            * config.get(&options::JOBMANAGER_CPU_LIMIT_FACTOR).ok()?
            * replicas;
    let bytes = |size: MemorySize, factor: f64, count: f64| {
        #[allow(clippy::cast_precision_loss)] // upstream computes in doubles, too
        let size = size.bytes() as f64;
        (size * factor * count).round()
    };
    let task_managers = bytes(
        memory::task_manager(&config).ok()?.process,
        config.get(&options::TASKMANAGER_MEMORY_LIMIT_FACTOR).ok()?,
        count,
    );
    let job_managers = bytes(
        memory::job_manager(&config).ok()?.process,
        config.get(&options::JOBMANAGER_MEMORY_LIMIT_FACTOR).ok()?,
        replicas,
    );
    Some((
        number::java_double(cpu),
        format!("{:.0}", task_managers + job_managers),
    ))
}
