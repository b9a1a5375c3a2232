//! One snapshot of everything that the operator was configured with.

use std::collections::BTreeMap;
use std::fmt;

use flink_operator_api::FlinkVersion;

use super::{ConfigError, Configuration, Key, ResourceScope, Value, legacy, nested, options};

/// The contents of the configuration files of one directory.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ConfigDirectory {
    /// Content of `flink-conf.yaml`, if the file is there. It beats the other one.
    pub flat: Option<String>,
    /// Content of `config.yaml`, if the file is there.
    pub nested: Option<String>,
}

impl ConfigDirectory {
    /// Reads the file that counts.
    pub fn read(&self) -> Result<Configuration, ConfigError> {
        match (&self.flat, &self.nested) {
            (Some(flat), _) => Ok(legacy::read(flat)),
            (None, Some(nested)) => nested::read(nested),
            (None, None) => Ok(Configuration::default()),
        }
    }
}

/// Files of the operator's own container that become part of clusters.
///
/// Only files that the operator's administrator names belong here: a resource must not be able to
/// make the operator read its own secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HostFiles {
    /// `log4j-console.properties` and `logback-console.xml` of the configuration directory.
    pub logging: BTreeMap<String, String>,
    /// `core-site.xml` and `hdfs-site.xml` of the Hadoop configuration.
    pub hadoop: BTreeMap<String, String>,
    /// Kerberos files and pod templates by their path; see [`HostFiles::wanted`].
    pub by_path: BTreeMap<String, Vec<u8>>,
}

impl HostFiles {
    /// Lists the paths that a base configuration names and that belong into `by_path`.
    pub fn wanted(base: &Configuration) -> Vec<String> {
        let keys = [
            options::KERBEROS_KEYTAB.option(),
            options::KERBEROS_KRB5_CONF.option(),
            options::JOBMANAGER_TEMPLATE_FILE.option(),
            options::TASKMANAGER_TEMPLATE_FILE.option(),
        ];
        let mut paths: Vec<String> = keys
            .into_iter()
            .flat_map(|option| std::iter::once(option.key).chain(option.aliases.iter().copied()))
            .flat_map(|key| {
                base.iter()
                    .filter(move |(written, _)| {
                        *written == key
                            || (written.starts_with(super::DEFAULTS_PREFIX)
                                && written
                                    .strip_suffix(key)
                                    .is_some_and(|rest| rest.ends_with('.')))
                    })
                    .map(|(_, path)| path.to_owned())
            })
            .collect();
        paths.sort();
        paths.dedup();
        paths
    }
}

impl fmt::Debug for HostFiles {
    /// Names the files and hides their contents: keytabs are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostFiles")
            .field("logging", &self.logging.keys())
            .field("hadoop", &self.hadoop.keys())
            .field("by_path", &self.by_path.keys())
            .finish()
    }
}

/// What the operator was configured with: one snapshot, used for a whole pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperatorSettings {
    base: Configuration,
    host_files: HostFiles,
}

impl OperatorSettings {
    /// Makes a snapshot from the contents of the base directory and of the one that overrides it.
    pub fn read(
        base: &ConfigDirectory,
        overriding: &ConfigDirectory,
        host_files: HostFiles,
    ) -> Result<Self, ConfigError> {
        let mut config = base.read()?;
        config.overlay(&overriding.read()?);
        Ok(Self::new(config, host_files))
    }

    /// Makes a snapshot from a base configuration.
    pub fn new(base: Configuration, host_files: HostFiles) -> Self {
        Self { base, host_files }
    }

    /// Returns the base configuration.
    pub fn base(&self) -> &Configuration {
        &self.base
    }

    /// Returns the files of the operator's container that become part of clusters.
    pub fn host_files(&self) -> &HostFiles {
        &self.host_files
    }

    /// Reads an option of the base configuration that has a default or must be set.
    pub fn get<T: Value>(&self, key: &Key<T>) -> Result<T, ConfigError> {
        self.base.get(key)
    }

    /// Reads an option of the base configuration that may be absent.
    pub fn find<T: Value>(&self, key: &Key<T>) -> Result<Option<T>, ConfigError> {
        self.base.find(key)
    }

    /// Returns the configuration for the resources of one namespace and Flink version.
    ///
    /// Options that are documented as operator-wide are read from it too: they may differ by
    /// namespace and version.
    pub fn for_resource(&self, namespace: &str, version: Option<FlinkVersion>) -> Configuration {
        self.base.for_resource(ResourceScope { namespace, version })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn files(flat: Option<&str>, nested: Option<&str>) -> ConfigDirectory {
        ConfigDirectory {
            flat: flat.map(str::to_owned),
            nested: nested.map(str::to_owned),
        }
    }

    #[test]
    fn the_flat_file_beats_the_nested_one_and_the_override_beats_both() {
        let base = files(Some("a: 1\nb: 1\n"), Some("a: 2\nc: 2\n"));
        let overriding = files(None, Some("b: 3\n"));
        let settings = OperatorSettings::read(&base, &overriding, HostFiles::default()).unwrap();
        let entries: Vec<_> = settings.base().iter().collect();
        assert_eq!(entries, [("a", "1"), ("b", "3")]);
    }

    #[test]
    fn files_that_defaults_name_are_wanted() {
        let base: Configuration = [
            ("security.kerberos.login.keytab", "/k1"),
            (
                "kubernetes.operator.default-configuration.namespace.a.security.keytab",
                "/k2",
            ),
            ("other.security.keytabs", "/no"),
        ]
        .into_iter()
        .collect();
        assert_eq!(HostFiles::wanted(&base), ["/k1", "/k2"]);
    }

    #[test]
    fn secrets_are_not_printed() {
        let base: Configuration = [("s3.secret-key", "hush"), ("a", "b")]
            .into_iter()
            .collect();
        let by_path = BTreeMap::from([("/k".to_owned(), b"hush".to_vec())]);
        let host_files = HostFiles {
            by_path,
            ..HostFiles::default()
        };
        let shown = format!("{:?}", OperatorSettings::new(base, host_files));
        assert!(
            !shown.contains("hush") && shown.contains("\"a\": \"b\""),
            "{shown}"
        );
        assert!(!shown.contains("104, 117"), "{shown}");
    }
}
