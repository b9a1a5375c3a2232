//! What Flink's client makes of the configuration before it builds objects.

use std::collections::BTreeMap;

use flink_operator_api::FlinkVersion;
use serde_json::{Map, Value, json};

use super::Effective;
use super::error::BuildError;
use super::memory::{self, JobManagerMemory};
use super::spec_config::is_highly_available;
use crate::config::{Capabilities, Configuration, Key, legacy, nested, options as opt};

/// The label `type` of everything that belongs to a native cluster.
const TYPE: &str = "flink-native-kubernetes";

/// Keys that make sense in the operator only.
const NOT_FOR_CLUSTERS: [&str; 6] = [
    "kubernetes.config.file",
    "$internal.deployment.config-dir",
    "rest.bind-address",
    "jobmanager.bind-host",
    "taskmanager.bind-host",
    "taskmanager.host",
];

/// Where keytabs are mounted.
pub(super) const KEYTAB_DIR: &str = "/opt/kerberos/kerberos-keytab";

/// A cluster about to be built: checked, with the configuration that its processes will read.
pub(super) struct Cluster<'a> {
    pub id: String,
    pub kind: ClusterKind,
    pub highly_available: bool,
    /// What the client knows.
    pub config: Configuration,
    pub capabilities: Capabilities,
    pub memory: JobManagerMemory,
    pub kerberos: Kerberos,
    pub effective: &'a Effective,
    pub warnings: Vec<String>,
}

/// What runs in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClusterKind {
    Application,
    Session,
}

/// Kerberos files that are mounted, by file name.
#[derive(Default)]
pub(super) struct Kerberos {
    pub keytab: Option<(String, Vec<u8>)>,
    pub krb5: Option<(String, String)>,
}

impl<'a> Cluster<'a> {
    pub(super) fn of(effective: &'a Effective) -> Result<Self, BuildError> {
        let mut config = effective.config.clone();
        let kind = ClusterKind::of(&config)?;
        let version = version(&config)?;
        let id = config.get(&opt::CLUSTER_ID)?;
        if id.chars().count() > 45 {
            return Err(BuildError::field(
                "metadata.name",
                format!("\"{id}\" is longer than 45 characters"),
                "choose a shorter name",
            ));
        }
        let mut warnings = Vec::new();
        if kind == ClusterKind::Application {
            one_jar(&config)?;
        }
        config.put(&opt::INTERNAL_EXECUTION_MODE, &"NORMAL".to_owned());
        config.put(
            &opt::INTERNAL_ENTRYPOINT_CLASS,
            &kind.entry_point().to_owned(),
        );
        fix_port(&mut config, &opt::BLOB_SERVER_PORT, 6124)?;
        fix_port(&mut config, &opt::TASKMANAGER_RPC_PORT, 6122)?;
        if config.find(&opt::REST_BIND_PORT)? == Some(0) {
            config.set(opt::REST_BIND_PORT.name(), "8081");
        }
        let highly_available = is_highly_available(&config)?;
        if highly_available {
            config.put(&opt::HA_CLUSTER_ID, &id);
            let rpc = config.get(&opt::JOBMANAGER_RPC_PORT)?;
            fix_port(&mut config, &opt::HA_JOBMANAGER_PORT, rpc)?;
        } else {
            let address = format!("{id}.{}", config.get(&opt::NAMESPACE)?);
            config.put(&opt::JOBMANAGER_RPC_ADDRESS, &address);
        }
        let kerberos = Kerberos::of(&mut config, effective)?;
        check_limits(&config)?;
        let memory = memory::job_manager(&config)?;
        memory::task_manager(&config)?;
        warnings.extend(surprises(&config, version));
        let cluster = Self {
            id,
            kind,
            highly_available,
            config,
            capabilities: Capabilities::of(version),
            memory,
            kerberos,
            effective,
            warnings,
        };
        cluster.expressible()
    }

    /// Checks that the file format can hold the configuration; what it only damages gets a warning.
    fn expressible(mut self) -> Result<Self, BuildError> {
        let config = self.for_processes();
        if self.capabilities.nested_config {
            return match nested::overlap(&config) {
                None => Ok(self),
                Some((short, long)) => Err(BuildError::option(
                    short,
                    format!("the key is the beginning of {long}, which Flink 2 cannot express"),
                    format!("replace {short} by its current name"),
                )),
            };
        }
        for (key, value) in config.iter() {
            if let Some(loss) = legacy::loss(value) {
                self.warnings.push(format!("the value of {key} {loss}"));
            }
        }
        Ok(self)
    }

    /// Returns the configuration as the processes of the cluster read it.
    pub(super) fn for_processes(&self) -> Configuration {
        let mut config = self.config.clone();
        config.retain(|key| !NOT_FOR_CLUSTERS.contains(&key));
        config
    }

    /// Returns the labels that all objects have.
    pub(super) fn common_labels(&self) -> Map<String, Value> {
        Map::from_iter([
            ("type".to_owned(), json!(TYPE)),
            ("app".to_owned(), json!(self.id)),
        ])
    }

    /// Returns the labels by which the JobManagers are selected.
    pub(super) fn selector_labels(&self) -> Map<String, Value> {
        let mut labels = self.common_labels();
        labels.insert("component".to_owned(), json!("jobmanager"));
        labels
    }

    /// Returns a map-valued option as a JSON object.
    pub(super) fn texts(
        &self,
        key: &Key<BTreeMap<String, String>>,
    ) -> Result<Map<String, Value>, BuildError> {
        let texts = self.config.get(key)?;
        Ok(texts
            .into_iter()
            .map(|(key, value)| (key, Value::String(value)))
            .collect())
    }

    /// Returns the file name of the configuration.
    pub(super) fn config_file(&self) -> &'static str {
        if self.capabilities.nested_config {
            nested::FILE_NAME
        } else {
            legacy::FILE_NAME
        }
    }
}

impl ClusterKind {
    fn of(config: &Configuration) -> Result<Self, BuildError> {
        match config.get(&opt::EXECUTION_TARGET)?.as_str() {
            "kubernetes-application" => Ok(Self::Application),
            "kubernetes-session" => Ok(Self::Session),
            _ => Err(BuildError::Unsupported {
                path: "spec.mode".to_owned(),
                what: "standalone mode".to_owned(),
            }),
        }
    }

    fn entry_point(self) -> &'static str {
        match self {
            Self::Application => {
                "org.apache.flink.kubernetes.entrypoint.KubernetesApplicationClusterEntrypoint"
            }
            Self::Session => {
                "org.apache.flink.kubernetes.entrypoint.KubernetesSessionClusterEntrypoint"
            }
        }
    }
}

impl Kerberos {
    /// Takes the Kerberos files that a configuration names, and points it to where they are mounted.
    fn of(config: &mut Configuration, effective: &Effective) -> Result<Self, BuildError> {
        if !config.get(&opt::KERBEROS_MOUNT_ENABLED)? {
            return Ok(Self::default());
        }
        let mut kerberos = Self::default();
        let keytab = config
            .find(&opt::KERBEROS_KEYTAB)?
            .filter(|path| !path.is_empty());
        if let Some(path) = keytab {
            if config
                .find(&opt::KERBEROS_PRINCIPAL)?
                .is_none_or(|name| name.trim().is_empty())
            {
                return Err(BuildError::option(
                    opt::KERBEROS_PRINCIPAL.name(),
                    "is not set although a keytab is, so the Kerberos login is not complete",
                    "set it",
                ));
            }
            let content = host_file(effective, opt::KERBEROS_KEYTAB.name(), &path)?;
            let name = file_name(&path);
            config.unset(&opt::KERBEROS_KEYTAB);
            config.put(&opt::KERBEROS_KEYTAB, &format!("{KEYTAB_DIR}/{name}"));
            kerberos.keytab = Some((name, content.to_vec()));
        }
        let krb5 = config
            .find(&opt::KERBEROS_KRB5_CONF)?
            .filter(|path| !path.is_empty());
        if let Some(path) = krb5 {
            let content = host_file(effective, opt::KERBEROS_KRB5_CONF.name(), &path)?;
            let text = String::from_utf8_lossy(content).into_owned();
            kerberos.krb5 = Some((file_name(&path), text));
        }
        Ok(kerberos)
    }
}

fn host_file<'a>(effective: &'a Effective, key: &str, path: &str) -> Result<&'a [u8], BuildError> {
    effective.host_files.by_path.get(path).map(Vec::as_slice).ok_or_else(|| {
        BuildError::option(
            key,
            format!("the operator has no file {path} to offer"),
            "mount the file into the operator and name it in its defaults, or mount it into the pods \
             by a template and set kubernetes.decorator.kerberos-mount.enabled to false",
        )
    })
}

fn file_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

fn version(config: &Configuration) -> Result<FlinkVersion, BuildError> {
    let text = config.get(&opt::INTERNAL_FLINK_VERSION)?;
    text.parse()
        .map_err(|unknown: flink_operator_api::UnknownWord| {
            BuildError::field(
                "spec.flinkVersion",
                unknown.to_string(),
                "choose one of these",
            )
        })
}

/// Lists what the image will do other than the resource suggests.
fn surprises(config: &Configuration, version: FlinkVersion) -> Vec<String> {
    let mut surprises = Vec::new();
    if !config.has(&opt::IMAGE) && version != FlinkVersion::V1_20 {
        surprises.push(format!(
            "spec.image is not set; unless a pod template names one, the image has Flink 1.20 and not {version}"
        ));
    }
    let older = "high-availability";
    if !Capabilities::of(version).ha_type
        && config.text(opt::HA_TYPE.name()).is_some()
        && config.text(older).is_none()
    {
        surprises.push(format!(
            "Flink {version} does not know {}, so the cluster runs without high availability; write {older} instead",
            opt::HA_TYPE.name()
        ));
    }
    surprises
}

/// Checks that there is exactly one jar, unless the job is a Python program.
fn one_jar(config: &Configuration) -> Result<(), BuildError> {
    let main = config.find(&opt::INTERNAL_APPLICATION_MAIN)?;
    let args = config.get(&opt::INTERNAL_PROGRAM_ARGS)?;
    let python_main = main.is_some_and(|class| {
        matches!(
            class.as_str(),
            "org.apache.flink.client.python.PythonDriver"
                | "org.apache.flink.client.python.PythonGatewayServer"
        )
    });
    let python_args = args
        .iter()
        .any(|arg| matches!(arg.as_str(), "-py" | "-pym" | "--python" | "--pyModule"));
    if python_main || python_args {
        return Ok(());
    }
    match config.find(&opt::PIPELINE_JARS)?.unwrap_or_default().len() {
        1 => Ok(()),
        0 => Err(BuildError::field(
            "spec.job.jarURI",
            "an application without a Python entry class needs a jar",
            "set it to a file in the image, such as local:///opt/flink/usrlib/job.jar",
        )),
        count => Err(BuildError::option(
            opt::PIPELINE_JARS.name(),
            format!("{count} jars are named, but a job has exactly one"),
            "keep one, and add the others to pipeline.classpaths",
        )),
    }
}

/// Replaces port 0, which means any, by a fixed one that Services can name.
fn fix_port(config: &mut Configuration, key: &Key<u16>, port: u16) -> Result<(), BuildError> {
    if config.get(key)? == 0 {
        config.unset(key);
        config.put(key, &port);
    }
    Ok(())
}

fn check_limits(config: &Configuration) -> Result<(), BuildError> {
    for key in [
        &opt::JOBMANAGER_CPU_LIMIT_FACTOR,
        &opt::JOBMANAGER_MEMORY_LIMIT_FACTOR,
        &opt::TASKMANAGER_CPU_LIMIT_FACTOR,
        &opt::TASKMANAGER_MEMORY_LIMIT_FACTOR,
    ] {
        let factor = config.get(key)?;
        if factor < 1.0 {
            return Err(BuildError::option(
                key.name(),
                format!("{factor} would make the limit smaller than the request"),
                "set it to at least 1, or the limit to at least the request",
            ));
        }
    }
    Ok(())
}
