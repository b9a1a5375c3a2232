//! High-availability ConfigMaps of a cluster, by the names that Flink gives them.

use crate::effect::Effect;
use crate::observed::HaMap;

/// Returns whether a ConfigMap of this name holds HA data of the cluster.
///
/// Its labels prove nothing: the configuration of the cluster carries the same.
pub fn is_ha_name(cluster: &str, name: &str) -> bool {
    let Some(rest) = name
        .strip_prefix(cluster)
        .and_then(|rest| rest.strip_prefix('-'))
    else {
        return false;
    };
    let of_job = |suffix: &str| rest.strip_suffix(suffix).is_some_and(is_job_id);
    matches!(
        rest,
        "cluster-config-map" | "dispatcher-leader" | "resourcemanager-leader" | "restserver-leader"
    ) || of_job("-config-map")
        || of_job("-jobmanager-leader")
}

fn is_job_id(text: &str) -> bool {
    text.len() == 32
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Returns the number of the newest checkpoint that a ConfigMap of a job names; only such a key proves that there is one.
pub(super) fn newest_checkpoint(map: &HaMap) -> Option<i64> {
    let numbers = map
        .keys
        .iter()
        .filter_map(|key| key.strip_prefix("checkpointID-"));
    numbers.filter_map(|digits| digits.parse().ok()).max()
}

/// Removes stored job graphs: with one there, Flink starts the old job with its old settings.
pub(super) fn remove_graphs(maps: &[HaMap]) -> Vec<Effect> {
    let is_graph =
        |key: &&String| key.starts_with("jobGraph-") || key.starts_with("executionPlan-");
    maps.iter()
        .filter(|map| !map.deleting)
        .filter_map(|map| {
            let keys: Vec<String> = map.keys.iter().filter(is_graph).cloned().collect();
            (!keys.is_empty()).then(|| Effect::RemoveGraphs {
                name: map.name.clone(),
                uid: map.uid.clone(),
                resource_version: map.resource_version.clone(),
                keys,
            })
        })
        .collect()
}

/// Deletes all HA data, after an end that keeps no state.
pub(super) fn delete_all(maps: &[HaMap]) -> Vec<Effect> {
    maps.iter()
        .filter(|map| !map.deleting)
        .map(|map| Effect::DeleteHaMap {
            name: map.name.clone(),
            uid: map.uid.clone(),
            resource_version: map.resource_version.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::is_ha_name;

    #[test]
    fn only_the_names_that_flink_gives_are_ha_data() {
        let job = "0123456789abcdef0123456789abcdef";
        for name in [
            "a-cluster-config-map",
            "a-dispatcher-leader",
            "a-resourcemanager-leader",
            "a-restserver-leader",
        ] {
            assert!(is_ha_name("a", name), "{name}");
        }
        assert!(is_ha_name("a", &format!("a-{job}-config-map")));
        assert!(is_ha_name("a", &format!("a-{job}-jobmanager-leader")));
        for name in [
            "flink-config-a",
            "pod-template-a",
            "a-config-map",
            "a-b-cluster-config-map",
            "autoscaler-a",
        ] {
            assert!(!is_ha_name("a", name), "{name}");
        }
        assert!(!is_ha_name(
            "a",
            &format!("a-{}-config-map", job.to_uppercase())
        ));
    }
}
