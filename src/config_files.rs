//! The operator's configuration, read from files.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use operator_core::config::{ConfigDirectory, Configuration, HostFiles, OperatorSettings};

use crate::args::{ConfigDirs, HostFile};

/// Log files that clusters get, unless a resource brings its own.
const LOG_FILES: [&str; 2] = ["log4j-console.properties", "logback-console.xml"];
/// Files of a Hadoop configuration that clusters get.
const HADOOP_FILES: [&str; 2] = ["core-site.xml", "hdfs-site.xml"];

/// Where the files are from which one snapshot of settings is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConfigFiles {
    dirs: ConfigDirs,
    hadoop: Vec<PathBuf>,
    offered: Vec<HostFile>,
}

impl ConfigFiles {
    /// Takes the directories; files of Hadoop are searched where this process is told to.
    pub(crate) fn new(dirs: ConfigDirs) -> Self {
        Self {
            dirs,
            hadoop: hadoop_directories(|name| env::var_os(name).map(PathBuf::from)),
            offered: Vec::new(),
        }
    }

    /// Offers files in place of those of the operator's container.
    pub(crate) fn offering(self, offered: &[HostFile]) -> Self {
        Self {
            offered: offered.to_vec(),
            ..self
        }
    }

    /// Reads everything.
    pub(crate) fn read(&self) -> Result<OperatorSettings> {
        let base = directory(self.dirs.base.as_deref())?;
        let overriding = directory(self.dirs.overriding.as_deref())?;
        let mut config = base
            .read()
            .with_context(|| in_dir(self.dirs.base.as_deref()))?;
        let over = overriding
            .read()
            .with_context(|| in_dir(self.dirs.overriding.as_deref()))?;
        config.overlay(&over);
        let host_files = self.host_files(&config)?;
        Ok(OperatorSettings::new(config, host_files))
    }

    fn host_files(&self, base: &Configuration) -> Result<HostFiles> {
        let mut by_path = BTreeMap::new();
        for offered in &self.offered {
            let content = fs::read(&offered.file)
                .with_context(|| format!("--host-file {}", offered.file.display()))?;
            by_path.insert(offered.path.clone(), content);
        }
        for path in HostFiles::wanted(base) {
            // One that is absent is an error of the resources that use it, and named there.
            if let Some(content) = present(fs::read(&path), Path::new(&path))? {
                by_path.entry(path).or_insert(content);
            }
        }
        let logging = self
            .dirs
            .base
            .as_deref()
            .map_or_else(|| Ok(BTreeMap::new()), |dir| texts(dir, &LOG_FILES))?;
        let hadoop = match self.hadoop.iter().find(|dir| dir.is_dir()) {
            Some(dir) => texts(dir, &HADOOP_FILES)?,
            None => BTreeMap::new(),
        };
        Ok(HostFiles {
            logging,
            hadoop,
            by_path,
        })
    }
}

/// Lists where the configuration of Hadoop may be, the first that exists counting.
fn hadoop_directories(variable: impl Fn(&str) -> Option<PathBuf>) -> Vec<PathBuf> {
    let given = variable("HADOOP_CONF_DIR");
    let home = variable("HADOOP_HOME");
    let below = ["etc/hadoop", "conf"]
        .into_iter()
        .filter_map(|part| home.as_ref().map(|home| home.join(part)));
    given.into_iter().chain(below).collect()
}

fn directory(dir: Option<&Path>) -> Result<ConfigDirectory> {
    let Some(dir) = dir else {
        return Ok(ConfigDirectory::default());
    };
    if !dir.is_dir() {
        bail!(
            "configuration directory {} does not exist; create it, or leave the setting out",
            dir.display()
        );
    }
    Ok(ConfigDirectory {
        flat: text(&dir.join("flink-conf.yaml"))?,
        nested: text(&dir.join("config.yaml"))?,
    })
}

fn in_dir(dir: Option<&Path>) -> String {
    dir.map_or_else(String::new, |dir| dir.display().to_string())
}

/// Reads those of the named files that are there.
fn texts(dir: &Path, names: &[&str]) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for name in names {
        if let Some(content) = text(&dir.join(name))? {
            found.insert((*name).to_owned(), content);
        }
    }
    Ok(found)
}

fn text(path: &Path) -> Result<Option<String>> {
    present(fs::read_to_string(path), path)
}

/// Takes an absent file for none; one that is there and cannot be read is an error.
fn present<T>(read: std::io::Result<T>, path: &Path) -> Result<Option<T>> {
    match read {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dirs(base: &Path, overriding: Option<&Path>) -> ConfigFiles {
        ConfigFiles {
            dirs: ConfigDirs {
                base: Some(base.to_owned()),
                overriding: overriding.map(Path::to_owned),
            },
            ..ConfigFiles::default()
        }
    }

    #[test]
    fn the_second_directory_wins_and_log_files_come_from_the_first() {
        let (base, over) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(base.path().join("flink-conf.yaml"), "a: 1\nb: 1\n").unwrap();
        fs::write(base.path().join("logback-console.xml"), "<log/>").unwrap();
        fs::write(over.path().join("config.yaml"), "b: 2\n").unwrap();
        fs::write(over.path().join("log4j-console.properties"), "x").unwrap();
        let settings = dirs(base.path(), Some(over.path())).read().unwrap();
        let entries: Vec<_> = settings.base().iter().collect();
        assert_eq!(entries, [("a", "1"), ("b", "2")]);
        let logging: Vec<_> = settings.host_files().logging.keys().collect();
        assert_eq!(logging, ["logback-console.xml"]);
    }

    #[test]
    fn files_that_the_configuration_names_are_read_and_may_be_offered() {
        let base = tempfile::tempdir().unwrap();
        let keytab = base.path().join("a.keytab");
        fs::write(&keytab, [0, 159, 146, 150]).unwrap();
        let conf = format!(
            "security.kerberos.login.keytab: {}\nsecurity.kerberos.krb5-conf.path: /absent\n",
            keytab.display()
        );
        fs::write(base.path().join("flink-conf.yaml"), conf).unwrap();
        let offered = [HostFile {
            path: "/there".to_owned(),
            file: keytab.clone(),
        }];
        let settings = dirs(base.path(), None).offering(&offered).read().unwrap();
        let paths: Vec<_> = settings.host_files().by_path.keys().cloned().collect();
        assert_eq!(paths, ["/there".to_owned(), keytab.display().to_string()]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let base = tempfile::tempdir().unwrap();
        let absent = base.path().join("absent");
        let error = format!("{:#}", dirs(&absent, None).read().unwrap_err());
        assert!(error.contains("absent does not exist"), "{error}");
        fs::write(base.path().join("config.yaml"), "a: [1\n").unwrap();
        let error = format!("{:#}", dirs(base.path(), None).read().unwrap_err());
        let dir = base.path().display().to_string();
        assert!(
            error.contains(&dir) && error.contains("config.yaml"),
            "{error}"
        );
        fs::write(base.path().join("flink-conf.yaml"), [0xff]).unwrap();
        let error = format!("{:#}", dirs(base.path(), None).read().unwrap_err());
        assert!(
            error.contains("cannot read") && error.contains("flink-conf.yaml"),
            "{error}"
        );
    }

    #[test]
    fn hadoop_is_searched_as_flink_searches() {
        let only_home = |name: &str| (name == "HADOOP_HOME").then(|| PathBuf::from("/h"));
        assert_eq!(
            hadoop_directories(only_home),
            [PathBuf::from("/h/etc/hadoop"), PathBuf::from("/h/conf")]
        );
        assert!(hadoop_directories(|_| None).is_empty());
    }
}
