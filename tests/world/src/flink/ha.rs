//! The HA ConfigMaps of one cluster: names, labels and keys, version by version.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use super::version::Version;

/// Annotation that holds the leader's record.
pub const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";

/// One HA `ConfigMap`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HaMap {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Data.
    pub data: BTreeMap<String, String>,
}

/// The HA ConfigMaps of a cluster by name: what a JobManager reads and writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HaMaps(pub BTreeMap<String, HaMap>);

/// Knows where one cluster of one version keeps its HA data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Cluster id.
    pub cluster: String,
    /// Flink version.
    pub version: Version,
}

impl Layout {
    /// Names the maps that exist from the moment of election.
    pub fn leader_maps(&self) -> Vec<String> {
        let id = &self.cluster;
        if self.version.has_map_per_leader() {
            ["dispatcher", "resourcemanager", "restserver"]
                .map(|part| format!("{id}-{part}-leader"))
                .into()
        } else {
            vec![format!("{id}-cluster-config-map")]
        }
    }

    /// Names the map that holds job graphs.
    pub fn graph_map(&self) -> String {
        let part = if self.version.has_map_per_leader() {
            "dispatcher-leader"
        } else {
            "cluster-config-map"
        };
        format!("{}-{part}", self.cluster)
    }

    /// Names the map that holds the checkpoints of a job.
    pub fn job_map(&self, job: &str) -> String {
        let part = if self.version.has_map_per_leader() {
            "jobmanager-leader"
        } else {
            "config-map"
        };
        format!("{}-{job}-{part}", self.cluster)
    }

    fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::from([
            ("app".to_owned(), self.cluster.clone()),
            ("type".to_owned(), "flink-native-kubernetes".to_owned()),
        ]);
        if self.version.labels_map_type() {
            labels.insert("configmap-type".to_owned(), "high-availability".to_owned());
        }
        labels
    }

    fn empty(&self) -> HaMap {
        let late = self.version.labels_maps_late();
        HaMap {
            labels: if late { BTreeMap::new() } else { self.labels() },
            ..HaMap::default()
        }
    }

    /// Writes what an elected leader writes.
    pub fn elect(&self, maps: &mut HaMaps, holder: &str, now: Timestamp) {
        let lease = if self.version.releases_lease() {
            json!("PT15S")
        } else {
            json!("15.000000000")
        };
        let record = json!({ "holderIdentity": holder, "leaseDuration": lease, "acquireTime": now.to_string(),
            "renewTime": now.to_string(), "leaderTransitions": 0 })
        .to_string();
        for name in self.leader_maps() {
            let map = maps.0.entry(name).or_insert_with(|| self.empty());
            map.annotations.insert(LEADER.to_owned(), record.clone());
            if self.version.has_map_per_leader() {
                map.data.insert(
                    "address".to_owned(),
                    format!("pekko.tcp://flink@{}", self.cluster),
                );
                map.data.insert("sessionId".to_owned(), holder.to_owned());
            } else {
                for part in ["dispatcher", "resourcemanager", "restserver"] {
                    let key = format!("org.apache.flink.k8s.leader.{part}");
                    map.data
                        .insert(key, format!("{holder},http://{}:8081", self.cluster));
                }
            }
        }
    }

    /// Adds the labels that maps were created without; tells whether there were such.
    pub fn label(&self, maps: &mut HaMaps) -> bool {
        let mut bare = maps
            .0
            .values_mut()
            .filter(|map| map.labels.is_empty())
            .peekable();
        let found = bare.peek().is_some();
        bare.for_each(|map| map.labels = self.labels());
        found
    }

    /// Writes what a stopping leader takes back.
    pub fn resign(&self, maps: &mut HaMaps) {
        for map in maps.0.values_mut() {
            map.data
                .retain(|key, _| !key.starts_with("org.apache.flink.k8s.leader."));
            if self.version.releases_lease() && map.annotations.contains_key(LEADER) {
                let record = json!({ "holderIdentity": "", "leaseDuration": "PT1S" }).to_string();
                map.annotations.insert(LEADER.to_owned(), record);
            }
        }
    }

    /// Stores a job graph and makes the empty map of its job.
    pub fn register(&self, maps: &mut HaMaps, job: &str, graph: Option<String>, holder: &str) {
        let graphs = maps
            .0
            .entry(self.graph_map())
            .or_insert_with(|| self.empty());
        if let Some(graph) = graph {
            graphs
                .data
                .insert(format!("{}{job}", self.version.graph_prefix()), graph);
        }
        if self.version.has_map_per_leader() {
            graphs
                .data
                .insert(format!("runningJobsRegistry-{job}"), "RUNNING".to_owned());
        } else {
            let leader = format!("{}{job}", self.version.job_leader_prefix());
            graphs.data.insert(
                leader,
                format!("{holder},pekko.tcp://flink@{}", self.cluster),
            );
        }
        let map = maps
            .0
            .entry(self.job_map(job))
            .or_insert_with(|| self.empty());
        if self.version.has_map_per_leader() {
            map.annotations.insert(
                LEADER.to_owned(),
                json!({ "holderIdentity": holder }).to_string(),
            );
            map.data.insert(
                "address".to_owned(),
                format!("pekko.tcp://flink@{}", self.cluster),
            );
            map.data.insert("sessionId".to_owned(), holder.to_owned());
        }
    }

    /// Lists the stored graphs: job id and value.
    pub fn graphs(&self, maps: &HaMaps) -> Vec<(String, String)> {
        let Some(map) = maps.0.get(&self.graph_map()) else {
            return Vec::new();
        };
        let prefix = self.version.graph_prefix();
        let stored = map.data.iter();
        stored
            .filter_map(|(key, value)| Some((key.strip_prefix(prefix)?.to_owned(), value.clone())))
            .collect()
    }

    /// Gives the newest checkpoint key of a job with its value.
    pub fn newest_checkpoint(&self, maps: &HaMaps, job: &str) -> Option<(u64, String)> {
        let map = maps.0.get(&self.job_map(job))?;
        map.data
            .iter()
            .filter_map(|(key, value)| Some((checkpoint_id(key)?, value.clone())))
            .max()
    }

    /// Writes a completed checkpoint and the next id; gives the values that it replaces.
    /// `None` if the map is gone: Flink stops then.
    pub fn store_checkpoint(
        &self,
        maps: &mut HaMaps,
        job: &str,
        id: u64,
        value: String,
    ) -> Option<Vec<String>> {
        let map = maps.0.get_mut(&self.job_map(job))?;
        let old: Vec<String> = map
            .data
            .keys()
            .filter(|key| checkpoint_id(key).is_some())
            .cloned()
            .collect();
        let replaced = old.iter().filter_map(|key| map.data.remove(key)).collect();
        map.data.insert(format!("checkpointID-{id:019}"), value);
        map.data.insert("counter".to_owned(), (id + 1).to_string());
        Some(replaced)
    }

    /// Removes everything of a job that has ended; gives the values that named files.
    pub fn forget(&self, maps: &mut HaMaps, job: &str) -> Vec<String> {
        let mut values = Vec::new();
        if let Some(map) = maps.0.remove(&self.job_map(job)) {
            values.extend(
                map.data
                    .into_iter()
                    .filter(|(key, _)| checkpoint_id(key).is_some())
                    .map(|(_, v)| v),
            );
        }
        if let Some(map) = maps.0.get_mut(&self.graph_map()) {
            values.extend(
                map.data
                    .remove(&format!("{}{job}", self.version.graph_prefix())),
            );
            map.data
                .remove(&format!("{}{job}", self.version.job_leader_prefix()));
            map.data.remove(&format!("runningJobsRegistry-{job}"));
        }
        values
    }

    /// Removes all maps, as 1.13 and 1.14 do when their only job has ended.
    pub fn forget_all(&self, maps: &mut HaMaps) {
        maps.0.clear();
    }

    /// Tells whether a `ConfigMap` with this name and these labels is HA data of the cluster.
    pub fn owns(cluster: &str, name: &str) -> bool {
        let Some(rest) = name
            .strip_prefix(cluster)
            .and_then(|rest| rest.strip_prefix('-'))
        else {
            return false;
        };
        let of_job = |suffix: &str| {
            rest.strip_suffix(suffix)
                .is_some_and(|job| job.len() == 32 && job.bytes().all(|b| b.is_ascii_hexdigit()))
        };
        [
            "cluster-config-map",
            "dispatcher-leader",
            "resourcemanager-leader",
            "restserver-leader",
        ]
        .contains(&rest)
            || of_job("-config-map")
            || of_job("-jobmanager-leader")
    }
}

/// Reads the id from `checkpointID-<19 digits>`.
pub fn checkpoint_id(key: &str) -> Option<u64> {
    let digits = key.strip_prefix("checkpointID-")?;
    if digits.len() == 19 {
        digits.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const JOB: &str = "0123456789abcdef0123456789abcdef";

    fn layout(version: Version) -> Layout {
        Layout {
            cluster: "a".into(),
            version,
        }
    }

    #[test]
    fn a_life_since_1_15_leaves_only_the_cluster_map() {
        let layout = layout(Version::new(1, 20));
        let mut maps = HaMaps::default();
        layout.elect(&mut maps, "h", Timestamp::UNIX_EPOCH);
        layout.register(&mut maps, JOB, Some("graph".into()), "h");
        assert_eq!(
            maps.0[&format!("a-{JOB}-config-map")].data.len(),
            0,
            "the job map is born empty"
        );
        assert_eq!(
            layout.store_checkpoint(&mut maps, JOB, 3, "c3".into()),
            Some(vec![])
        );
        assert_eq!(
            layout.store_checkpoint(&mut maps, JOB, 4, "c4".into()),
            Some(vec!["c3".into()])
        );
        assert_eq!(layout.newest_checkpoint(&maps, JOB), Some((4, "c4".into())));
        let data = &maps.0[&format!("a-{JOB}-config-map")].data;
        assert_eq!(data["counter"], "5");
        assert!(data.contains_key("checkpointID-0000000000000000004"));
        assert_eq!(layout.forget(&mut maps, JOB), ["c4", "graph"]);
        assert_eq!(maps.0.keys().collect::<Vec<_>>(), ["a-cluster-config-map"]);
        assert_eq!(layout.graphs(&maps), []);
    }

    #[test]
    fn before_1_15_there_are_four_maps() {
        let layout = layout(Version::new(1, 14));
        let mut maps = HaMaps::default();
        layout.elect(&mut maps, "h", Timestamp::UNIX_EPOCH);
        layout.register(&mut maps, JOB, Some("graph".into()), "h");
        assert_eq!(maps.0.len(), 4);
        assert_eq!(
            maps.0["a-dispatcher-leader"].data[&format!("runningJobsRegistry-{JOB}")],
            "RUNNING"
        );
        assert!(maps.0.keys().all(|name| Layout::owns("a", name)));
    }

    #[test]
    fn resigning_keeps_graphs_and_checkpoints() {
        let layout = layout(Version::new(2, 3));
        let mut maps = HaMaps::default();
        layout.elect(&mut maps, "h", Timestamp::UNIX_EPOCH);
        layout.register(&mut maps, JOB, Some("graph".into()), "h");
        layout.store_checkpoint(&mut maps, JOB, 1, "c".into());
        layout.resign(&mut maps);
        let cluster = &maps.0["a-cluster-config-map"];
        assert_eq!(
            cluster.data.keys().collect::<Vec<_>>(),
            [&format!("executionPlan-{JOB}")]
        );
        assert!(!cluster.labels.contains_key("configmap-type"));
        assert!(layout.newest_checkpoint(&maps, JOB).is_some());
    }

    #[test]
    fn only_exact_names_are_ha_data() {
        assert!(Layout::owns("a", "a-cluster-config-map"));
        assert!(!Layout::owns("a", "flink-config-a"));
        assert!(!Layout::owns("a", "a-b-cluster-config-map"));
        assert!(!Layout::owns("a", "a-settings-config-map"));
    }
}
