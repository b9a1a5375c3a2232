//! Volumes of the JobManager pod and where its main container mounts them.

use serde_json::{Value, json};

use super::cluster_config::{Cluster, KEYTAB_DIR};
use super::config_map;
use super::error::BuildError;
use crate::config::{options as opt, text};

/// Where the Hadoop configuration is mounted.
pub(super) const HADOOP_DIR: &str = "/opt/hadoop/conf";

/// One volume with its mount.
pub(super) struct Mounted {
    pub volume: Value,
    pub mount: Value,
}

impl Mounted {
    fn new(name: &str, path: &str, mut source: Value) -> Self {
        source["name"] = json!(name);
        Self {
            volume: source,
            mount: json!({ "name": name, "mountPath": path }),
        }
    }
}

/// Lists what is appended to the template's volumes, in order.
pub(super) fn of_job_manager(cluster: &Cluster<'_>) -> Result<Vec<Mounted>, BuildError> {
    let config = &cluster.config;
    let mut mounted = vec![Mounted::new(
        "user-artifacts-volume",
        &config.get(&opt::USER_ARTIFACTS_DIR)?,
        json!({ "emptyDir": {} }),
    )];
    mounted.extend(secrets(cluster)?);
    mounted.extend(hadoop(cluster)?);
    if cluster.kerberos.keytab.is_some() {
        let source = json!({ "secret": { "secretName": config_map::keytab_name(cluster) } });
        mounted.push(Mounted::new("kerberos-keytab-volume", KEYTAB_DIR, source));
    }
    if let Some((file, _)) = &cluster.kerberos.krb5 {
        let source = json!({ "configMap": {
            "name": config_map::krb5_name(cluster),
            "items": [{ "key": file, "path": "krb5.conf" }],
        } });
        let mut krb5 = Mounted::new("kerberos-krb5conf-volume", "/etc/krb5.conf", source);
        krb5.mount["subPath"] = json!("krb5.conf");
        mounted.push(krb5);
    }
    let files: Vec<Value> = config_map::file_names(cluster)
        .into_iter()
        .map(item)
        .collect();
    mounted.push(Mounted::new(
        "flink-config-volume",
        &config.get(&opt::CONF_DIR)?,
        json!({ "configMap": { "name": config_map::name(cluster), "items": files } }),
    ));
    if cluster.effective.task_manager_template.is_some() {
        mounted.push(Mounted::new(
            "pod-template-volume",
            "/opt/flink/pod-template",
            json!({ "configMap": {
                "name": config_map::pod_template_name(cluster),
                "items": [item(config_map::POD_TEMPLATE_FILE)],
            } }),
        ));
    }
    Ok(mounted)
}

fn item(file: &str) -> Value {
    json!({ "key": file, "path": file })
}

/// Lists the secrets that are mounted, in the order in which they are written.
fn secrets(cluster: &Cluster<'_>) -> Result<Vec<Mounted>, BuildError> {
    let Some((key, written)) = cluster.config.written(opt::SECRETS.option()) else {
        return Ok(Vec::new());
    };
    let pairs = text::parse_pairs(written).map_err(|reason| {
        BuildError::option(
            key,
            reason.to_string(),
            "write name:path pairs separated by commas",
        )
    })?;
    let mounted = pairs.into_iter().map(|(secret, path)| {
        let source = json!({ "secret": { "secretName": secret } });
        Mounted::new(&format!("{secret}-volume"), &path, source)
    });
    Ok(mounted.collect())
}

fn hadoop(cluster: &Cluster<'_>) -> Result<Option<Mounted>, BuildError> {
    if !cluster.config.get(&opt::HADOOP_MOUNT_ENABLED)? {
        return Ok(None);
    }
    let existing = cluster
        .config
        .find(&opt::HADOOP_CONFIG_MAP)?
        .filter(|name| !name.is_empty());
    let source = match existing {
        Some(existing) => json!({ "configMap": { "name": existing } }),
        None if cluster.effective.host_files.hadoop.is_empty() => return Ok(None),
        None => {
            let files = cluster.effective.host_files.hadoop.keys();
            let items: Vec<Value> = files.map(|file| item(file)).collect();
            json!({ "configMap": { "name": config_map::hadoop_name(cluster), "items": items } })
        }
    };
    Ok(Some(Mounted::new(
        "hadoop-config-volume",
        HADOOP_DIR,
        source,
    )))
}

/// Tells whether a Hadoop configuration is mounted.
pub(super) fn has_hadoop(cluster: &Cluster<'_>) -> Result<bool, BuildError> {
    Ok(hadoop(cluster)?.is_some())
}
