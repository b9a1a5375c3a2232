//! Which directories the operator's configuration is read from.

use std::env;
use std::path::PathBuf;

use flink_operator_actors::config_files::ConfigFiles;

use crate::args::ConfigDirs;

/// Resolves the directories; an empty path is none.
pub(crate) fn config_files(dirs: &ConfigDirs) -> ConfigFiles {
    let some = |dir: &Option<PathBuf>| dir.clone().filter(|dir| !dir.as_os_str().is_empty());
    ConfigFiles {
        base: some(&dirs.base),
        overriding: some(&dirs.overriding),
        hadoop: hadoop(|name| env::var_os(name).map(PathBuf::from))
            .into_iter()
            .find(|dir| dir.is_dir()),
    }
}

/// Lists where the configuration of Hadoop may be, as Flink searches for it.
fn hadoop(variable: impl Fn(&str) -> Option<PathBuf>) -> Vec<PathBuf> {
    let given = variable("HADOOP_CONF_DIR");
    let home = variable("HADOOP_HOME");
    let below = ["etc/hadoop", "conf"]
        .into_iter()
        .filter_map(|part| home.as_ref().map(|home| home.join(part)));
    given.into_iter().chain(below).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_directory_is_none() {
        let dirs = ConfigDirs {
            base: Some("".into()),
            overriding: Some("/over".into()),
        };
        let files = config_files(&dirs);
        assert_eq!((files.base, files.overriding), (None, Some("/over".into())));
    }

    #[test]
    fn hadoop_is_searched_as_flink_searches() {
        let only_home = |name: &str| (name == "HADOOP_HOME").then(|| PathBuf::from("/h"));
        assert_eq!(
            hadoop(only_home),
            [PathBuf::from("/h/etc/hadoop"), PathBuf::from("/h/conf")]
        );
        let both = |name: &str| {
            Some(PathBuf::from(if name == "HADOOP_CONF_DIR" {
                "/c"
            } else {
                "/h"
            }))
        };
        assert_eq!(hadoop(both)[0], PathBuf::from("/c"));
        assert!(hadoop(|_| None).is_empty());
    }
}
