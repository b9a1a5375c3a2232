//! One recorded case, read from its directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flink_operator_api::FlinkDeploymentSpec;
use operator_core::build::{ClusterMeta, Effective, Restore, Submission};
use operator_core::config::{ConfigDirectory, Configuration, HostFiles, OperatorSettings};
use serde_json::Value;

/// The identities that are random in reality and constant in the recordings.
const JOB_ID: &str = "0123456789abcdef0123456789abcdef";
const RESULT_STORE_ID: &str = "11111111-2222-4333-8444-555555555555";

/// The uid that the recording API server gave every Deployment.
pub(crate) const DEPLOYMENT_UID: &str = "00000000-0000-4000-8000-0000000000d1";

/// A recorded case.
pub(crate) struct Case {
    dir: PathBuf,
    resource: Value,
    deploy: Value,
    input: Value,
}

/// Returns the directory of all cases of native clusters.
pub(crate) fn cases_dir() -> PathBuf {
    golden_dir().join("cases/native")
}

fn golden_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

impl Case {
    /// Reads the case `<flinkVersion>/<name>`.
    pub(crate) fn load(name: &str) -> Self {
        let dir = cases_dir().join(name);
        let read = |file| yaml(&dir.join(file));
        Self {
            resource: read("flinkdeployment.yaml").unwrap(),
            deploy: read("deploy.yaml").unwrap_or_default(),
            input: read("input.yaml").unwrap(),
            dir,
        }
    }

    /// Returns the spec of the resource.
    pub(crate) fn spec(&self) -> FlinkDeploymentSpec {
        serde_json::from_value(self.resource["spec"].clone()).unwrap()
    }

    /// Returns which resource it is.
    pub(crate) fn meta(&self) -> ClusterMeta {
        let text = |field: &str| {
            self.resource["metadata"][field]
                .as_str()
                .unwrap()
                .to_owned()
        };
        ClusterMeta {
            name: text("name"),
            namespace: text("namespace"),
            uid: text("uid"),
            generation: self.resource["metadata"]["generation"].as_i64().unwrap(),
        }
    }

    /// Returns the operator's settings of all recordings, with the files that this case mounts.
    pub(crate) fn settings(&self) -> OperatorSettings {
        let flat = fs::read_to_string(golden_dir().join("operator/flink-conf.yaml")).unwrap();
        let base = ConfigDirectory {
            flat: Some(flat),
            nested: None,
        };
        OperatorSettings::read(&base, &ConfigDirectory::default(), self.host_files()).unwrap()
    }

    fn host_files(&self) -> HostFiles {
        let kerberos = files(&self.dir.join("kerberos"));
        let by_path = kerberos
            .into_iter()
            .map(|(name, content)| (format!("kerberos/{name}"), content));
        HostFiles {
            by_path: by_path.collect(),
            ..HostFiles::default()
        }
    }

    /// Returns what the submission adds.
    pub(crate) fn submission(&self) -> Submission {
        Submission {
            job_id: JOB_ID.to_owned(),
            result_store_id: RESULT_STORE_ID.to_owned(),
            restore: match self.deploy["savepoint"].as_str() {
                Some(path) => Restore::From(path.to_owned()),
                None => Restore::Nothing,
            },
        }
    }

    /// Runs `flink-operator render` on the resource, with what is random in reality as in the recordings.
    pub(crate) fn rendered(&self) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flink-operator"));
        command.env_clear().args(["render", "-f"]);
        command.arg(self.dir.join("flinkdeployment.yaml"));
        command
            .arg("--config-dir")
            .arg(golden_dir().join("operator"))
            .args(["--job-id", JOB_ID])
            .args(["--job-result-store-id", RESULT_STORE_ID])
            .args(["--deployment-uid", DEPLOYMENT_UID]);
        if let Some(path) = self.deploy["savepoint"].as_str() {
            command.args(["--restore-from", path]);
        }
        for name in files(&self.dir.join("kerberos")).keys() {
            let file = self.dir.join("kerberos").join(name);
            command.arg("--host-file");
            command.arg(format!("kerberos/{name}={}", file.display()));
        }
        command.output().unwrap()
    }

    /// Tells whether the recorded submission failed.
    pub(crate) fn fails(&self) -> bool {
        self.deploy["expectFailure"].as_bool().unwrap_or(false)
    }

    /// Returns the recorded reason of a failure.
    pub(crate) fn reason(&self) -> String {
        let text = fs::read_to_string(self.dir.join("expected/error.txt")).unwrap();
        text.lines()
            .last()
            .unwrap()
            .split_once(": ")
            .unwrap()
            .1
            .to_owned()
    }

    /// Returns what the recorded operator handed to its client.
    pub(crate) fn recorded_input(&self) -> Effective {
        let config: Configuration = self.input["flinkConfiguration"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned()))
            .collect();
        let template = |key: &str| {
            let file = config.text(&format!("kubernetes.pod-template-file.{key}"))?;
            yaml(&self.dir.join(file))
        };
        let log_files = files(&self.dir.join("conf"))
            .into_iter()
            .map(|(name, content)| (name, String::from_utf8(content).unwrap()));
        Effective {
            job_manager_template: template("jobmanager"),
            task_manager_template: template("taskmanager"),
            log_files: log_files.collect(),
            host_files: self.host_files(),
            config,
        }
    }

    /// Returns the recorded objects by kind and name.
    pub(crate) fn objects(&self) -> BTreeMap<String, Value> {
        let files = files(&self.dir.join("expected"));
        let objects = files.keys().filter(|name| {
            Path::new(name)
                .extension()
                .is_some_and(|ending| ending == "yaml")
        });
        objects
            .map(|name| yaml(&self.dir.join("expected").join(name)).unwrap())
            .map(named)
            .collect()
    }

    /// Returns a recorded document about the cluster.
    pub(crate) fn info(&self, name: &str) -> Value {
        yaml(&self.dir.join("expected/info").join(name)).unwrap()
    }
}

/// Gives an object the key under which it is compared.
pub(crate) fn named(object: Value) -> (String, Value) {
    let kind = object["kind"].as_str().unwrap();
    (
        format!("{kind} {}", object["metadata"]["name"].as_str().unwrap()),
        object,
    )
}

/// Parses a YAML text.
pub(crate) fn parse(text: &str) -> Value {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).unwrap()
}

fn yaml(path: &Path) -> Option<Value> {
    fs::read_to_string(path).ok().map(|text| parse(&text))
}

/// Reads the files of a directory; one that is absent has none.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let Ok(entries) = fs::read_dir(dir) else {
        return BTreeMap::new();
    };
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| {
            (
                path.file_name().unwrap().display().to_string(),
                fs::read(&path).unwrap(),
            )
        })
        .collect()
}
