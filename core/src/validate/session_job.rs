//! The rules for a `FlinkSessionJob`.

use super::{HostLookup, Violation, Violations, autoscaler, cluster_name, configuration, jar, job};
use crate::config::{OperatorSettings, flatten};
use flink_operator_api::{FlinkDeploymentSpec, FlinkSessionJobSpec};

/// A session job as it was written, and as it was carried out last.
#[derive(Clone, Copy, Debug)]
pub struct SessionJob<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// What is asked for.
    pub spec: &'a FlinkSessionJobSpec,
    /// What was carried out last.
    pub recorded: Option<&'a FlinkSessionJobSpec>,
}

/// The deployment that was found for a session job.
#[derive(Clone, Copy, Debug)]
pub struct SessionCluster<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its spec.
    pub spec: &'a FlinkDeploymentSpec,
}

/// Checks a session job; rules about its cluster are asked only if the cluster is known.
pub fn flink_session_job(
    job: &SessionJob<'_>,
    cluster: Option<SessionCluster<'_>>,
    lookup: &HostLookup,
    settings: &OperatorSettings,
) -> Vec<Violation> {
    let mut found = Violations::default();
    alone(job, lookup, settings, &mut found);
    if let Some(cluster) = cluster {
        on_cluster(job, cluster, settings, &mut found);
    }
    let own = flatten(&job.spec.flink_configuration.0);
    configuration::malformed(&own, "spec.flinkConfiguration", &mut found);
    found.0
}

fn alone(
    job: &SessionJob<'_>,
    lookup: &HostLookup,
    settings: &OperatorSettings,
    found: &mut Violations,
) {
    let path = "spec.deploymentName";
    match &job.spec.deployment_name {
        Some(name) => cluster_name("S1", path, name, found),
        None => found.add("S1", path, "spec.deploymentName must be defined"),
    }
    if job.spec.job.is_none() {
        found.add("S2", "spec.job", "The job spec should not be empty");
    }
    if let Some(recorded) = job.recorded
        && recorded.deployment_name != job.spec.deployment_name
    {
        found.add("S3", path, "The deploymentName can't be changed");
    }
    if let Some(uri) = job.spec.job.as_ref().and_then(|job| job.jar_uri.as_deref()) {
        jar::check(uri, lookup, settings, found);
    }
}

fn on_cluster(
    job: &SessionJob<'_>,
    cluster: SessionCluster<'_>,
    settings: &OperatorSettings,
    found: &mut Violations,
) {
    let mut config = settings.for_resource(job.namespace, cluster.spec.flink_version);
    config.overlay(&flatten(&cluster.spec.flink_configuration.0));
    config.overlay(&flatten(&job.spec.flink_configuration.0));
    let path = "spec.deploymentName";
    if cluster.spec.job.is_some() {
        found.add(
            "S10",
            path,
            "Can not submit session job to application cluster",
        );
    }
    if job.spec.deployment_name.as_deref() != Some(cluster.name) {
        found.add(
            "S11",
            path,
            "The session job's cluster id is not match with the session cluster",
        );
    }
    if let Some(spec) = &job.spec.job {
        job::state_directories(spec, &config, found);
        job::parallelism(None, spec, found);
    }
    autoscaler::check(&config, found);
}
