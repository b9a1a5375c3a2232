//! Defaults of the operator's configuration for one namespace and Flink version.

use flink_operator_api::FlinkVersion;

use super::Configuration;

/// What the keys of defaults start with.
pub const DEFAULTS_PREFIX: &str = "kubernetes.operator.default-configuration.";

/// Whose defaults are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceScope<'a> {
    /// The namespace of the resource.
    pub namespace: &'a str,
    /// Its Flink version, if it is known.
    pub version: Option<FlinkVersion>,
}

impl Configuration {
    /// Puts the defaults for a namespace and a version over this base configuration.
    ///
    /// Later wins: namespace, then `<version>+` of every version up to the resource's in ascending
    /// order, then exactly its version. The prefixed keys themselves stay.
    #[must_use]
    pub fn for_resource(&self, scope: ResourceScope<'_>) -> Self {
        let mut config = self.clone();
        let namespace = format!("{DEFAULTS_PREFIX}namespace.{}.", scope.namespace);
        config.add_defaults(self, &namespace);
        if let Some(version) = scope.version {
            for earlier in FlinkVersion::ALL.iter().filter(|known| **known <= version) {
                let from = format!("{DEFAULTS_PREFIX}flink-version.{earlier}+.");
                config.add_defaults(self, &from);
            }
            let exactly = format!("{DEFAULTS_PREFIX}flink-version.{version}.");
            config.add_defaults(self, &exactly);
        }
        config
    }

    fn add_defaults(&mut self, base: &Self, prefix: &str) {
        for (key, value) in base.below(prefix) {
            self.set(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_layers_win() {
        let base: Configuration = [
            ("a", "base"),
            ("b", "base"),
            ("c", "base"),
            ("d", "base"),
            (
                "kubernetes.operator.default-configuration.namespace.ns.b",
                "namespace",
            ),
            (
                "kubernetes.operator.default-configuration.namespace.ns.c",
                "namespace",
            ),
            (
                "kubernetes.operator.default-configuration.namespace.ns2.a",
                "other",
            ),
            (
                "kubernetes.operator.default-configuration.flink-version.v1_18+.c",
                "18+",
            ),
            (
                "kubernetes.operator.default-configuration.flink-version.v1_18+.d",
                "18+",
            ),
            (
                "kubernetes.operator.default-configuration.flink-version.v1_20+.d",
                "20+",
            ),
            (
                "kubernetes.operator.default-configuration.flink-version.v2_0+.d",
                "2.0+",
            ),
            (
                "kubernetes.operator.default-configuration.flink-version.v1_20.e",
                "exact",
            ),
            (
                "kubernetes.operator.default-configuration.flink-version.v1_20+.e",
                "20+",
            ),
            (
                "kubernetes.operator.default-configuration.flink-version.v9_9.a",
                "unknown",
            ),
        ]
        .into_iter()
        .collect();
        let scope = ResourceScope {
            namespace: "ns",
            version: Some(FlinkVersion::V1_20),
        };
        let config = base.for_resource(scope);
        let texts = ["a", "b", "c", "d", "e"].map(|key| config.text(key));
        assert_eq!(
            texts.map(Option::unwrap_or_default),
            ["base", "namespace", "18+", "20+", "exact"]
        );
        let unknown = base.for_resource(ResourceScope {
            namespace: "x",
            version: None,
        });
        assert_eq!(unknown, base);
    }
}
