//! The rules for the effective configuration of a cluster.

use super::Violations;
use crate::config::{ConfigOption, Configuration, Finding, Key, findings, options};

/// Keys that the operator sets itself.
const FORBIDDEN: [&str; 3] = [
    "kubernetes.namespace",
    "kubernetes.cluster-id",
    "high-availability.cluster-id",
];

/// Checks the keys that belong to the operator, and the switches that need each other.
pub(super) fn check(config: &Configuration, found: &mut Violations) {
    for key in FORBIDDEN {
        if config.text(key).is_some() {
            let message = format!("Forbidden Flink config key: {key}");
            found.add("D5", &path(key), message);
        }
    }
    if is_on(config, &options::DEPLOYMENT_ROLLBACK_ENABLED) && !is_highly_available(config) {
        let path = written(config, options::DEPLOYMENT_ROLLBACK_ENABLED.option());
        found.add("D6", &path, "HA must be enabled for rollback support.");
    }
    let (health, recovery) = (
        &options::CLUSTER_HEALTH_CHECK_ENABLED,
        &options::JM_DEPLOYMENT_RECOVERY_ENABLED,
    );
    if is_on(config, health) && matches!(config.get(recovery), Ok(false)) {
        let message = format!(
            "Deployment recovery ({}) must be enabled for job health check ({}) support.",
            recovery.name(),
            health.name()
        );
        found.add("D7", &written(config, recovery.option()), message);
    }
}

/// Reports values that cannot be read, unless a rule about the same option did already.
pub(super) fn malformed(config: &Configuration, root: &str, found: &mut Violations) {
    for finding in findings(config) {
        let Finding::Malformed { key, reason } = finding else {
            continue;
        };
        let path = format!("{root}.{key}");
        if found.0.iter().all(|violation| violation.path != path) {
            found.add("config", &path, format!("{key}: {reason}"));
        }
    }
}

/// Returns whether high availability is on, as Flink reads its option.
pub(super) fn is_highly_available(config: &Configuration) -> bool {
    let mode = config.find(&options::HA_TYPE).ok().flatten();
    mode.is_some_and(|mode| {
        !(mode.is_empty()
            || mode.eq_ignore_ascii_case("none")
            || mode.eq_ignore_ascii_case("standalone"))
    })
}

/// Returns whether a switch is on; one that cannot be read is off, and reported for itself.
pub(super) fn is_on(config: &Configuration, key: &Key<bool>) -> bool {
    config.get(key).unwrap_or(false)
}

/// Returns the path of a key.
pub(super) fn path(key: &str) -> String {
    format!("spec.flinkConfiguration.{key}")
}

/// Returns the path of an option under the name that it is written with.
pub(super) fn written(config: &Configuration, option: &ConfigOption) -> String {
    path(config.written(option).map_or(option.key, |(key, _)| key))
}
