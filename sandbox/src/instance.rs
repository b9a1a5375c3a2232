//! One sandbox on disk: where its files are, who owns it, what is known about it.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::net::SocketAddrV4;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cache::Cache;
use crate::process::Process;

/// Names one sandbox and knows its files.
#[derive(Debug, Clone)]
pub struct Instance {
    name: String,
    directory: PathBuf,
}

impl Instance {
    /// Names the instance; its directory, inside `state_dir`, need not exist.
    pub fn new(state_dir: &Path, name: &str) -> Result<Self> {
        let letters =
            |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        if name.is_empty() || name.len() > 40 || !name.chars().all(letters) || name.starts_with('-')
        {
            bail!(
                "{name:?} cannot name a sandbox: use up to 40 of a-z, 0-9 and -, not beginning with -"
            );
        }
        fs::create_dir_all(state_dir).with_context(|| {
            format!("cannot create the state directory {}", state_dir.display())
        })?;
        // Mount points are compared with this path, and the kernel tells them without symbolic links.
        let state_dir = fs::canonicalize(state_dir)?;
        Ok(Self {
            name: name.to_owned(),
            directory: state_dir.join(name),
        })
    }

    /// Returns where instances are kept unless somebody says otherwise.
    pub fn default_state_dir(cache: &Cache) -> PathBuf {
        cache.root().join("sandboxes")
    }

    /// Lists the instances in a state directory.
    pub fn all(state_dir: &Path) -> Result<Vec<Self>> {
        let entries = match fs::read_dir(state_dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot list {}", state_dir.display()));
            }
        };
        let mut names: Vec<_> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        Ok(names
            .iter()
            .filter_map(|name| Self::new(state_dir, name).ok())
            .collect())
    }

    /// Returns the instance's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the directory that holds all its files.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.join("kubeconfig")
    }

    /// Returns the directory of the logs of the sandbox and its control plane.
    pub fn logs(&self) -> PathBuf {
        self.directory.join("logs")
    }

    /// Returns the directory of the containers' logs.
    pub fn pod_logs(&self) -> PathBuf {
        self.logs().join("pods")
    }

    /// Returns the API server's audit log, written only if it was asked for.
    pub fn audit_log(&self) -> PathBuf {
        self.logs().join("audit.log")
    }

    pub(crate) fn certificates(&self) -> PathBuf {
        self.directory.join("pki")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.directory.join("etcd")
    }

    pub(crate) fn node(&self) -> PathBuf {
        self.directory.join("node")
    }

    fn record(&self) -> PathBuf {
        self.directory.join("sandbox.json")
    }

    /// Reads what the sandbox last wrote about itself; none if there is no sandbox.
    pub fn read(&self) -> Result<Option<Record>> {
        let text = match fs::read(self.record()) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot read {}", self.record().display()));
            }
        };
        let record = serde_json::from_slice(&text)
            .with_context(|| format!("cannot understand {}", self.record().display()))?;
        Ok(Some(record))
    }

    /// Replaces what is known about the sandbox, in one step.
    pub(crate) fn write(&self, record: &Record) -> Result<()> {
        let new = self.directory.join(".sandbox.json");
        let text = serde_json::to_vec_pretty(record).context("a record is always JSON")?;
        fs::write(&new, text)
            .and_then(|()| fs::rename(&new, self.record()))
            .with_context(|| format!("cannot write {}", self.record().display()))
    }
}

/// What a sandbox writes about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The program that keeps everything running.
    pub supervisor: Process,
    /// When it was started.
    pub started: Timestamp,
    /// How far it has come.
    pub phase: Phase,
    /// Whether it runs pods.
    pub node: bool,
    /// Where the API server listens, once that is decided.
    pub api_server: Option<SocketAddrV4>,
}

/// How far a sandbox has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// It is being started.
    Starting,
    /// It can be used.
    Ready,
    /// It is being stopped.
    Stopping,
    /// It ended by itself; the logs are still there.
    Failed(String),
}

/// The right to change an instance. The operating system takes it back however the owner ends.
#[derive(Debug)]
pub struct Claim {
    _directory: File,
}

impl Claim {
    /// Takes the claim, creating the instance's directory; none if somebody else has it.
    pub fn take(instance: &Instance) -> Result<Option<Self>> {
        let path = instance.directory();
        loop {
            fs::create_dir_all(path)
                .with_context(|| format!("cannot create {}", path.display()))?;
            let Ok(directory) = File::open(path) else {
                continue;
            };
            match directory.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("cannot lock {}", path.display()));
                }
            }
            // The former owner may have removed the directory that was just locked.
            let locked = directory.metadata()?;
            if fs::metadata(path)
                .is_ok_and(|now| (now.ino(), now.dev()) == (locked.ino(), locked.dev()))
            {
                return Ok(Some(Self {
                    _directory: directory,
                }));
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn instance() -> (tempfile::TempDir, Instance) {
        let directory = tempfile::tempdir().unwrap();
        let instance = Instance::new(directory.path(), "demo").unwrap();
        (directory, instance)
    }

    #[test]
    fn names_are_plain() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["", "..", "a/b", "A", "-a", &"a".repeat(41)] {
            assert!(Instance::new(directory.path(), name).is_err(), "{name}");
        }
        assert!(Instance::new(directory.path(), "e2e-1").is_ok());
    }

    #[test]
    fn one_at_a_time_owns_an_instance() {
        let (_directory, instance) = instance();
        let claim = Claim::take(&instance).unwrap();
        assert!(claim.is_some());
        assert!(Claim::take(&instance).unwrap().is_none());
        drop(claim);
        assert!(Claim::take(&instance).unwrap().is_some());
    }

    #[test]
    fn a_claim_on_a_removed_directory_is_worth_nothing() {
        let (_directory, instance) = instance();
        let old = Claim::take(&instance).unwrap().unwrap();
        fs::remove_dir(instance.directory()).unwrap();
        let new = Claim::take(&instance).unwrap();
        assert!(new.is_some());
        drop(old);
        assert!(Claim::take(&instance).unwrap().is_none());
    }

    #[test]
    fn records_are_read_back() {
        let (_directory, instance) = instance();
        assert_eq!(instance.read().unwrap(), None);
        let _claim = Claim::take(&instance).unwrap();
        let record = Record {
            supervisor: Process::current().unwrap(),
            started: Timestamp::UNIX_EPOCH,
            phase: Phase::Failed("etcd ended".into()),
            node: true,
            api_server: Some("10.231.0.1:6443".parse().unwrap()),
        };
        instance.write(&record).unwrap();
        assert_eq!(instance.read().unwrap(), Some(record));
    }

    #[test]
    fn instances_are_listed() {
        let (directory, instance) = instance();
        assert!(Instance::all(directory.path()).unwrap().is_empty());
        let _claim = Claim::take(&instance).unwrap();
        fs::write(directory.path().join("Not an instance"), "").unwrap();
        let names: Vec<_> = Instance::all(directory.path())
            .unwrap()
            .into_iter()
            .map(|found| found.name)
            .collect();
        assert_eq!(names, ["demo"]);
    }
}
