//! The Services of a cluster.

use serde_json::{Map, Value, json};

use super::cluster_config::Cluster;
use super::error::BuildError;
use crate::config::options as opt;

/// Makes the headless Service by which TaskManagers find the JobManager; not with high availability.
pub(super) fn internal(cluster: &Cluster<'_>) -> Result<Option<Value>, BuildError> {
    if cluster.highly_available {
        return Ok(None);
    }
    let spec = json!({
        "clusterIP": "None",
        "ports": [
            { "name": "jobmanager-rpc", "port": cluster.config.get(&opt::JOBMANAGER_RPC_PORT)? },
            { "name": "blobserver", "port": cluster.config.get(&opt::BLOB_SERVER_PORT)? },
        ],
        "selector": cluster.selector_labels(),
    });
    let annotations = cluster.texts(&opt::INTERNAL_SERVICE_ANNOTATIONS)?;
    Ok(Some(service(cluster, &cluster.id, annotations, spec)))
}

/// Makes the Service of the REST endpoint.
pub(super) fn rest(cluster: &Cluster<'_>) -> Result<Value, BuildError> {
    let port = cluster.config.get(&opt::REST_PORT)?;
    let target = cluster.config.find(&opt::REST_BIND_PORT)?.unwrap_or(port);
    let (kind, headless) = exposed(&cluster.config.get(&opt::REST_SERVICE_TYPE)?)?;
    let mut spec = json!({
        "type": kind,
        "ports": [{ "name": "rest", "port": port, "targetPort": target }],
        "selector": cluster.selector_labels(),
    });
    if headless {
        spec["clusterIP"] = json!("None");
    }
    let annotations = cluster.texts(&opt::REST_SERVICE_ANNOTATIONS)?;
    Ok(service(
        cluster,
        &format!("{}-rest", cluster.id),
        annotations,
        spec,
    ))
}

/// Returns the type of Service that exposes REST, and whether it has no address of its own.
fn exposed(text: &str) -> Result<(&'static str, bool), BuildError> {
    match text.to_ascii_lowercase().as_str() {
        "clusterip" => Ok(("ClusterIP", false)),
        "headless_clusterip" => Ok(("ClusterIP", true)),
        "nodeport" => Ok(("NodePort", false)),
        "loadbalancer" => Ok(("LoadBalancer", false)),
        _ => Err(BuildError::option(
            opt::REST_SERVICE_TYPE.name(),
            format!("\"{text}\" is not a type of Service"),
            "write ClusterIP, Headless_ClusterIP, NodePort or LoadBalancer",
        )),
    }
}

fn service(
    cluster: &Cluster<'_>,
    name: &str,
    annotations: Map<String, Value>,
    spec: Value,
) -> Value {
    let mut metadata = json!({ "name": name, "labels": cluster.common_labels() });
    if !annotations.is_empty() {
        metadata["annotations"] = Value::Object(annotations);
    }
    let mut object = json!({ "apiVersion": "v1", "kind": "Service", "metadata": metadata });
    object["spec"] = spec;
    object
}
