//! The Deployment of the JobManager.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::cluster_config::{Cluster, ClusterKind};
use super::error::BuildError;
use super::template::{MAIN_CONTAINER, object};
use super::volumes;
use crate::config::{Value as _, options as opt};

/// The image of upstream's client, used if nobody names one.
const DEFAULT_IMAGE: &str = "apache/flink:1.20.4-scala_2.12";

type Object = Map<String, Value>;

/// Makes the Deployment. It is owned by the resource.
pub(super) fn deployment(cluster: &Cluster<'_>) -> Result<Value, BuildError> {
    let mut labels = cluster.texts(&opt::JOBMANAGER_LABELS)?;
    labels.extend(cluster.selector_labels());
    let annotations = cluster.texts(&opt::JOBMANAGER_ANNOTATIONS)?;
    let template = pod(cluster, &labels, &annotations)?;
    let mut metadata = json!({ "name": cluster.id, "labels": labels });
    if !annotations.is_empty() {
        metadata["annotations"] = Value::Object(annotations);
    }
    let owners = owners(cluster)?;
    if !owners.is_empty() {
        metadata["ownerReferences"] = Value::Array(owners);
    }
    Ok(json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": replicas(cluster)?,
            "selector": { "matchLabels": cluster.selector_labels() },
            "template": template,
        },
    }))
}

fn replicas(cluster: &Cluster<'_>) -> Result<i32, BuildError> {
    let replicas = cluster.config.get(&opt::JOBMANAGER_REPLICAS)?;
    if replicas < 1 {
        return Err(BuildError::field(
            "spec.jobManager.replicas",
            format!("{replicas} is not a number of JobManagers"),
            "set it to at least 1",
        ));
    }
    if replicas > 1 && !cluster.highly_available {
        return Err(BuildError::field(
            "spec.jobManager.replicas",
            format!("{replicas} JobManagers need high availability to agree on a leader"),
            "set high-availability.type: kubernetes and high-availability.storageDir, or replicas: 1",
        ));
    }
    Ok(replicas)
}

/// Reads the owners from their text form; field names are matched without regard to case.
fn owners(cluster: &Cluster<'_>) -> Result<Vec<Value>, BuildError> {
    let owners = cluster.config.get(&opt::JOBMANAGER_OWNER_REFERENCE)?;
    owners
        .into_iter()
        .map(|fields| {
            let fields: BTreeMap<String, String> = fields
                .into_iter()
                .map(|(key, value)| (key.to_lowercase(), value))
                .collect();
            let flag = |name: &str| -> Result<Option<bool>, BuildError> {
                fields
                    .get(name)
                    .map(|text| bool::parse(text))
                    .transpose()
                    .map_err(|reason| {
                        BuildError::option(
                            opt::JOBMANAGER_OWNER_REFERENCE.name(),
                            reason.to_string(),
                            "remove the option; the operator sets it",
                        )
                    })
            };
            let mut owner = Map::new();
            for (name, field) in [
                ("apiVersion", "apiversion"),
                ("kind", "kind"),
                ("name", "name"),
                ("uid", "uid"),
            ] {
                if let Some(value) = fields.get(field) {
                    owner.insert(name.to_owned(), json!(value));
                }
            }
            for (name, field) in [
                ("controller", "controller"),
                ("blockOwnerDeletion", "blockownerdeletion"),
            ] {
                if let Some(value) = flag(field)? {
                    owner.insert(name.to_owned(), json!(value));
                }
            }
            Ok(Value::Object(owner))
        })
        .collect()
}

/// Makes the pod template of the Deployment from the user's.
fn pod(cluster: &Cluster<'_>, labels: &Object, annotations: &Object) -> Result<Value, BuildError> {
    let template = cluster.effective.job_manager_template.as_ref();
    let part = |name: &str| template.and_then(|template| template.get(name)?.as_object().cloned());
    let mut metadata = part("metadata").unwrap_or_default();
    object(&mut metadata, "labels").extend(labels.clone());
    if !annotations.is_empty() {
        object(&mut metadata, "annotations").extend(annotations.clone());
    }
    let mut spec = part("spec").unwrap_or_default();
    let mounted = volumes::of_job_manager(cluster)?;
    containers(cluster, &mut spec, &mounted)?;
    pod_fields(cluster, &mut spec)?;
    append(
        &mut spec,
        "volumes",
        mounted.into_iter().map(|mounted| mounted.volume),
    );
    Ok(json!({ "metadata": metadata, "spec": spec }))
}

/// Sets the fields of the pod that the client owns.
fn pod_fields(cluster: &Cluster<'_>, spec: &mut Object) -> Result<(), BuildError> {
    let config = &cluster.config;
    let account = match config.find(&opt::JOBMANAGER_SERVICE_ACCOUNT)? {
        Some(account) => json!(account),
        None => spec
            .get("serviceAccount")
            .or_else(|| spec.get("serviceAccountName"))
            .cloned()
            .unwrap_or_else(|| json!("default")),
    };
    spec.insert("serviceAccount".to_owned(), account.clone());
    spec.insert("serviceAccountName".to_owned(), account);
    let host_network = config.get(&opt::HOSTNETWORK_ENABLED)?;
    spec.insert("hostNetwork".to_owned(), json!(host_network));
    if host_network {
        spec.insert("dnsPolicy".to_owned(), json!("ClusterFirstWithHostNet"));
    } else {
        spec.entry("dnsPolicy")
            .or_insert_with(|| json!("ClusterFirst"));
    }
    let secrets = config.get(&opt::IMAGE_PULL_SECRETS)?;
    let secrets = secrets
        .iter()
        .map(|secret| secret.trim())
        .filter(|secret| !secret.is_empty());
    append(
        spec,
        "imagePullSecrets",
        secrets.map(|secret| json!({ "name": secret })),
    );
    let selector = cluster.texts(&opt::JOBMANAGER_NODE_SELECTOR)?;
    if !selector.is_empty() {
        object(spec, "nodeSelector").extend(selector);
    }
    append(spec, "tolerations", tolerations(cluster)?.into_iter());
    Ok(())
}

fn tolerations(cluster: &Cluster<'_>) -> Result<Vec<Value>, BuildError> {
    let key = &opt::JOBMANAGER_TOLERATIONS;
    let mut tolerations = Vec::new();
    for fields in cluster.config.get(key)? {
        let mut toleration = Map::new();
        for (field, text) in fields {
            let (name, value) = match field.to_lowercase().as_str() {
                "key" => ("key", json!(text)),
                "operator" => ("operator", json!(text)),
                "value" => ("value", json!(text)),
                "effect" => ("effect", json!(text)),
                "tolerationseconds" => {
                    let seconds = i64::parse(&text).map_err(|reason| {
                        BuildError::option(
                            key.name(),
                            format!("tolerationSeconds: {reason}"),
                            "write a number of seconds",
                        )
                    })?;
                    ("tolerationSeconds", json!(seconds))
                }
                // Upstream ignores fields that it does not know.
                _ => continue,
            };
            toleration.insert(name.to_owned(), value);
        }
        tolerations.push(Value::Object(toleration));
    }
    Ok(tolerations)
}

/// Puts the main container, completed, behind the other containers of the template.
fn containers(
    cluster: &Cluster<'_>,
    spec: &mut Object,
    mounted: &[volumes::Mounted],
) -> Result<(), BuildError> {
    let mut containers = match spec.remove("containers") {
        Some(Value::Array(containers)) => containers,
        _ => Vec::new(),
    };
    let at = containers
        .iter()
        .position(|container| container["name"] == MAIN_CONTAINER);
    let mut main = match at.map(|at| containers.remove(at)) {
        Some(Value::Object(main)) => main,
        _ => Map::new(),
    };
    main_container(cluster, &mut main)?;
    append(
        &mut main,
        "volumeMounts",
        mounted.iter().map(|mounted| mounted.mount.clone()),
    );
    containers.push(Value::Object(main));
    spec.insert("containers".to_owned(), Value::Array(containers));
    Ok(())
}

fn main_container(cluster: &Cluster<'_>, main: &mut Object) -> Result<(), BuildError> {
    let config = &cluster.config;
    main.insert("name".to_owned(), json!(MAIN_CONTAINER));
    for (field, key, default) in [
        ("image", &opt::IMAGE, DEFAULT_IMAGE),
        ("imagePullPolicy", &opt::IMAGE_PULL_POLICY, "IfNotPresent"),
    ] {
        match config.find(key)? {
            Some(value) => {
                main.insert(field.to_owned(), json!(value));
            }
            None => {
                main.entry(field).or_insert_with(|| json!(default));
            }
        }
    }
    resources(cluster, main)?;
    if !config.get(&opt::HOSTNETWORK_ENABLED)? {
        let ports = [
            ("rest", config.get(&opt::REST_PORT)?),
            ("jobmanager-rpc", config.get(&opt::JOBMANAGER_RPC_PORT)?),
            ("blobserver", config.get(&opt::BLOB_SERVER_PORT)?),
        ];
        let ports = ports.map(|(name, port)| json!({ "name": name, "containerPort": port }));
        append(main, "ports", ports.into_iter());
    }
    let env = environment(cluster)?;
    append(main, "env", env.into_iter());
    main.insert("command".to_owned(), json!([config.get(&opt::ENTRY_PATH)?]));
    let script = match cluster.kind {
        ClusterKind::Application => "kubernetes-application",
        ClusterKind::Session => "kubernetes-session",
    };
    // Upstream leaves a blank where it has no more arguments, and so do we.
    let command = format!(
        "kubernetes-jobmanager.sh {script} {}",
        config.get(&opt::JOBMANAGER_ENTRYPOINT_ARGS)?
    );
    main.insert("args".to_owned(), json!(["bash", "-c", command]));
    Ok(())
}

/// Puts computed CPU and memory over the template's.
fn resources(cluster: &Cluster<'_>, main: &mut Object) -> Result<(), BuildError> {
    let config = &cluster.config;
    let mib = cluster.memory.process.mib();
    let cpu = config.get(&opt::JOBMANAGER_CPU)?;
    let memory_factor = config.get(&opt::JOBMANAGER_MEMORY_LIMIT_FACTOR)?;
    let cpu_factor = config.get(&opt::JOBMANAGER_CPU_LIMIT_FACTOR)?;
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    // Upstream computes the limit in doubles and drops the fraction; factors are at least 1.
    let limit = (mib as f64 * memory_factor) as u64;
    let resources = object(main, "resources");
    for (section, cpu, mib) in [("requests", cpu, mib), ("limits", cpu * cpu_factor, limit)] {
        let section = object(resources, section);
        section.insert("cpu".to_owned(), json!(cpu.print()));
        section.insert("memory".to_owned(), json!(format!("{mib}Mi")));
    }
    Ok(())
}

/// Lists the environment variables that are appended to the template's, in order.
fn environment(cluster: &Cluster<'_>) -> Result<Vec<Value>, BuildError> {
    let config = &cluster.config;
    let mut env: Vec<Value> = config
        .below("containerized.master.env.")
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    env.push(json!({
        "name": "_POD_IP_ADDRESS",
        "valueFrom": { "fieldRef": { "apiVersion": "v1", "fieldPath": "status.podIP" } },
    }));
    if let Some(dir) = config.find(&opt::LOG_DIR)? {
        env.push(json!({ "name": "FLINK_LOG_DIR", "value": dir }));
    }
    for fields in config.get(&opt::ENV_SECRET_KEY_REF)? {
        let field = |name: &str| {
            fields.get(name).ok_or_else(|| {
                BuildError::option(
                    opt::ENV_SECRET_KEY_REF.name(),
                    format!("an entry has no {name}"),
                    "write env:NAME,secret:NAME,key:NAME for each, separated by semicolons",
                )
            })
        };
        env.push(json!({
            "name": field("env")?,
            "valueFrom": { "secretKeyRef": { "name": field("secret")?, "key": field("key")? } },
        }));
    }
    if volumes::has_hadoop(cluster)? {
        env.push(json!({ "name": "HADOOP_CONF_DIR", "value": volumes::HADOOP_DIR }));
    }
    Ok(env)
}

/// Appends to a list field; nothing to append leaves the field as it is.
fn append(parent: &mut Object, field: &str, items: impl Iterator<Item = Value>) {
    let mut items = items.peekable();
    if items.peek().is_none() {
        return;
    }
    if let Value::Array(list) = parent.entry(field).or_insert_with(|| json!([])) {
        list.extend(items);
    }
}
