//! The configuration files of the operator, read from their directories.

use operator_core::config::{ConfigDirectory, ConfigError, HostFiles, OperatorSettings};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Log configurations that clusters get from the operator's own directory.
const LOGGING: [&str; 2] = ["log4j-console.properties", "logback-console.xml"];
/// Files of a Hadoop configuration that clusters get.
const HADOOP: [&str; 2] = ["core-site.xml", "hdfs-site.xml"];
/// A configuration file longer than this is a mistake.
const LONGEST: u64 = 8 * 1024 * 1024;

/// Where the configuration comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigFiles {
    /// `FLINK_CONF_DIR`.
    pub base: Option<PathBuf>,
    /// `CONF_OVERRIDE_DIR`, whose keys replace those of the base.
    pub overriding: Option<PathBuf>,
    /// `HADOOP_CONF_DIR`.
    pub hadoop: Option<PathBuf>,
}

/// Why the configuration cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BadFiles {
    /// A directory that was named is not there.
    #[error("{variable} names {path}, which is no directory")]
    NoDirectory {
        /// The environment variable.
        variable: &'static str,
        /// What it says.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What the files say cannot be understood.
    #[error(transparent)]
    Wrong(#[from] ConfigError),
}

impl ConfigFiles {
    /// Reads everything anew.
    pub fn read(&self) -> Result<OperatorSettings, BadFiles> {
        let base = directory("FLINK_CONF_DIR", self.base.as_deref())?;
        let overriding = directory("CONF_OVERRIDE_DIR", self.overriding.as_deref())?;
        // Which other files belong to it is in the configuration itself.
        let alone = OperatorSettings::read(&base, &overriding, HostFiles::default())?;
        let host_files = HostFiles {
            logging: self
                .base
                .as_deref()
                .map_or_else(|| Ok(BTreeMap::new()), |path| texts(path, &LOGGING))?,
            hadoop: self
                .hadoop
                .as_deref()
                .map_or_else(|| Ok(BTreeMap::new()), |path| texts(path, &HADOOP))?,
            by_path: HostFiles::wanted(alone.base())
                .into_iter()
                .filter_map(|path| match bytes(Path::new(&path)) {
                    Ok(Some(content)) => Some(Ok((path, content))),
                    // A resource that needs it will be told; the others go on.
                    Ok(None) => None,
                    Err(error) => Some(Err(error)),
                })
                .collect::<Result<_, _>>()?,
        };
        Ok(OperatorSettings::new(alone.base().clone(), host_files))
    }
}

/// A way to read the configuration; the binary gives one that reads [`ConfigFiles`].
pub type ReadSettings = Arc<dyn Fn() -> Result<OperatorSettings, BadFiles> + Send + Sync>;

fn directory(variable: &'static str, path: Option<&Path>) -> Result<ConfigDirectory, BadFiles> {
    let Some(path) = path else {
        return Ok(ConfigDirectory::default());
    };
    if !path.is_dir() {
        return Err(BadFiles::NoDirectory {
            variable,
            path: path.to_owned(),
        });
    }
    Ok(ConfigDirectory {
        flat: text(&path.join("flink-conf.yaml"))?,
        nested: text(&path.join("config.yaml"))?,
    })
}

fn texts(directory: &Path, names: &[&str]) -> Result<BTreeMap<String, String>, BadFiles> {
    let read = |name: &&str| {
        let content = text(&directory.join(name)).transpose()?;
        Some(content.map(|content| ((*name).to_owned(), content)))
    };
    names.iter().filter_map(read).collect()
}

fn text(path: &Path) -> Result<Option<String>, BadFiles> {
    let wrong = |error| BadFiles::Unreadable {
        path: path.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidData, error),
    };
    bytes(path)?
        .map(String::from_utf8)
        .transpose()
        .map_err(wrong)
}

/// Reads a file; `None` if there is none.
fn bytes(path: &Path) -> Result<Option<Vec<u8>>, BadFiles> {
    let wrong = |source| BadFiles::Unreadable {
        path: path.to_owned(),
        source,
    };
    match std::fs::metadata(path) {
        Ok(found) if found.len() > LONGEST => {
            let why = format!("it is longer than {LONGEST} bytes");
            Err(wrong(io::Error::new(io::ErrorKind::FileTooLarge, why)))
        }
        Ok(_) => std::fs::read(path).map(Some).map_err(wrong),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(wrong(error)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{BadFiles, ConfigFiles};

    #[test]
    fn files_of_both_directories_become_one_snapshot() {
        let base = tempfile::tempdir().unwrap();
        let over = tempfile::tempdir().unwrap();
        let keytab = base.path().join("flink.keytab");
        std::fs::write(&keytab, [0xff, 0]).unwrap();
        let conf = format!(
            "a: 1\nb: 1\nsecurity.kerberos.login.keytab: {}\n",
            keytab.display()
        );
        std::fs::write(base.path().join("flink-conf.yaml"), conf).unwrap();
        std::fs::write(
            base.path().join("log4j-console.properties"),
            "rootLogger.level = INFO",
        )
        .unwrap();
        std::fs::write(over.path().join("config.yaml"), "b: 2\n").unwrap();
        let files = ConfigFiles {
            base: Some(base.path().to_owned()),
            overriding: Some(over.path().to_owned()),
            hadoop: None,
        };
        let settings = files.read().unwrap();
        assert_eq!(
            (settings.base().text("a"), settings.base().text("b")),
            (Some("1"), Some("2"))
        );
        assert_eq!(settings.host_files().logging.len(), 1);
        assert_eq!(
            settings.host_files().by_path.values().next().unwrap(),
            &[0xff, 0]
        );
    }

    #[test]
    fn no_directory_means_no_configuration_and_a_wrong_one_is_named() {
        assert!(ConfigFiles::default().read().unwrap().base().is_empty());
        let files = ConfigFiles {
            base: Some("/does/not/exist".into()),
            ..ConfigFiles::default()
        };
        let error = files.read().unwrap_err();
        assert!(matches!(error, BadFiles::NoDirectory { .. }));
        assert!(error.to_string().contains("FLINK_CONF_DIR"), "{error}");
    }
}
