//! ConfigMaps and the Secret that the pods of a cluster mount.

use k8s_openapi::ByteString;
use serde_json::{Map, Value, json};

use super::cluster_config::Cluster;
use super::error::BuildError;
use super::spec_config::LOG_FILES;
use super::{template_yaml, volumes};
use crate::config::{legacy, nested, options as opt};

/// File of the TaskManager's pod template in its ConfigMap.
pub(super) const POD_TEMPLATE_FILE: &str = "taskmanager-pod-template.yaml";

/// Returns the name of the ConfigMap with the configuration.
pub(super) fn name(cluster: &Cluster<'_>) -> String {
    format!("flink-config-{}", cluster.id)
}

pub(super) fn pod_template_name(cluster: &Cluster<'_>) -> String {
    format!("pod-template-{}", cluster.id)
}

pub(super) fn hadoop_name(cluster: &Cluster<'_>) -> String {
    format!("hadoop-config-{}", cluster.id)
}

pub(super) fn keytab_name(cluster: &Cluster<'_>) -> String {
    format!("kerberos-keytab-{}", cluster.id)
}

pub(super) fn krb5_name(cluster: &Cluster<'_>) -> String {
    format!("kerberos-krb5conf-{}", cluster.id)
}

/// Lists the files of the configuration directory in the order in which they are mounted.
pub(super) fn file_names<'a>(cluster: &'a Cluster<'_>) -> Vec<&'a str> {
    LOG_FILES
        .into_iter()
        .filter(|file| cluster.effective.log_files.contains_key(*file))
        .chain([cluster.config_file()])
        .collect()
}

/// Makes the ConfigMap with configuration and log files.
pub(super) fn configuration(cluster: &Cluster<'_>) -> Result<Value, BuildError> {
    let config = cluster.for_processes();
    let rendered = if cluster.capabilities.nested_config {
        nested::write(&config, &[opt::INTERNAL_PROGRAM_ARGS.name()])?
    } else {
        legacy::write(&config)
    };
    let mut data = Map::from_iter([(cluster.config_file().to_owned(), Value::String(rendered))]);
    for (file, content) in &cluster.effective.log_files {
        data.insert(file.clone(), Value::String(content.clone()));
    }
    Ok(config_map(&name(cluster), Some(cluster), data))
}

/// Makes the ConfigMap with the template from which the JobManager makes TaskManagers.
pub(super) fn pod_template(cluster: &Cluster<'_>) -> Option<Value> {
    let template = cluster.effective.task_manager_template.as_ref()?;
    let file = Value::String(template_yaml::render(template));
    let data = Map::from_iter([(POD_TEMPLATE_FILE.to_owned(), file)]);
    Some(config_map(&pod_template_name(cluster), Some(cluster), data))
}

/// Makes the ConfigMap with the operator's Hadoop configuration, unless an existing one is named.
pub(super) fn hadoop(cluster: &Cluster<'_>) -> Option<Value> {
    let files = &cluster.effective.host_files.hadoop;
    let existing = cluster
        .config
        .text(opt::HADOOP_CONFIG_MAP.name())
        .is_some_and(|name| !name.is_empty());
    if existing || files.is_empty() || !volumes::has_hadoop(cluster).unwrap_or(false) {
        return None;
    }
    let data = files
        .iter()
        .map(|(file, text)| (file.clone(), json!(text)))
        .collect();
    Some(config_map(&hadoop_name(cluster), Some(cluster), data))
}

/// Makes the Secret with the keytab.
pub(super) fn keytab(cluster: &Cluster<'_>) -> Option<Value> {
    let (file, content) = cluster.kerberos.keytab.as_ref()?;
    let mut data = Map::new();
    data.insert(file.clone(), json!(ByteString(content.clone())));
    Some(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": keytab_name(cluster) },
        "data": data,
    }))
}

/// Makes the ConfigMap with the Kerberos configuration.
pub(super) fn krb5(cluster: &Cluster<'_>) -> Option<Value> {
    let (file, text) = cluster.kerberos.krb5.as_ref()?;
    let data = Map::from_iter([(file.clone(), json!(text))]);
    Some(config_map(&krb5_name(cluster), None, data))
}

fn config_map(name: &str, labelled: Option<&Cluster<'_>>, data: Map<String, Value>) -> Value {
    let mut metadata = json!({ "name": name });
    if let Some(cluster) = labelled {
        metadata["labels"] = Value::Object(cluster.common_labels());
    }
    let mut object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata });
    object["data"] = Value::Object(data);
    object
}
