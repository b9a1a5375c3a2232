//! What each Flink version can do: the one table instead of scattered comparisons.

use flink_operator_api::FlinkVersion;

/// What a Flink version can do, as far as the operator behaves differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // a table of independent facts, not a state
pub struct Capabilities {
    /// Reads the nested `config.yaml`; older versions get `flink-conf.yaml`.
    pub nested_config: bool,
    /// Knows `kubernetes.container.image.ref` and no longer needs `kubernetes.*manager.cpu`.
    pub renamed_kubernetes_options: bool,
    /// Takes the trigger id of savepoints and stops from the caller.
    pub chosen_trigger_ids: bool,
    /// Keeps its Deployment and a record of its result after the job's end.
    pub keeps_result: bool,
    /// Knows `high-availability.type`; older versions read `high-availability`.
    pub ha_type: bool,
    /// Takes configuration with the request that runs a jar.
    pub run_configuration: bool,
    /// Rescales a running job by its resource requirements (adaptive scheduler).
    pub resource_requirements: bool,
    /// Calls the restore mode of a run request `claimMode`.
    pub claim_mode: bool,
    /// Is still supported by the upstream operator.
    pub supported_upstream: bool,
}

impl Capabilities {
    /// Returns what a version can do.
    pub const fn of(version: FlinkVersion) -> Self {
        use FlinkVersion as V;
        Self {
            nested_config: from(V::V2_0, version),
            renamed_kubernetes_options: from(V::V1_17, version),
            chosen_trigger_ids: from(V::V1_15, version),
            keeps_result: from(V::V1_15, version),
            ha_type: from(V::V1_17, version),
            run_configuration: from(V::V1_17, version),
            resource_requirements: from(V::V1_18, version),
            claim_mode: from(V::V1_20, version),
            supported_upstream: from(V::V1_15, version),
        }
    }
}

/// Tells whether a version is at least the first one that has something.
const fn from(first: FlinkVersion, version: FlinkVersion) -> bool {
    let (first, version) = (first.numbers(), version.numbers());
    version.0 > first.0 || (version.0 == first.0 && version.1 >= first.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abilities_begin_where_they_should() {
        let of = Capabilities::of;
        assert!(!of(FlinkVersion::V1_20).nested_config && of(FlinkVersion::V2_0).nested_config);
        assert!(!of(FlinkVersion::V1_16).renamed_kubernetes_options);
        assert!(of(FlinkVersion::V1_17).renamed_kubernetes_options);
        assert!(!of(FlinkVersion::V1_14).keeps_result && of(FlinkVersion::V1_15).keeps_result);
        assert!(of(FlinkVersion::V2_0).claim_mode && !of(FlinkVersion::V1_19).claim_mode);
    }
}
