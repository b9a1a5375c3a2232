//! The history, arranged so that rules can ask what was there at a moment.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::history::{Change, History, Moment, Request, Run, Snapshot, Verb};

/// Kind of the resource that A is about.
pub(crate) const RESOURCE: &str = "FlinkDeployment";

type Place<'h> = (&'h str, &'h str, &'h str);
type States<'h> = Vec<(Moment, Option<&'h Value>)>;

/// A history with an index over its objects.
pub(crate) struct Timeline<'h> {
    pub(crate) history: &'h History,
    objects: BTreeMap<Place<'h>, States<'h>>,
}

impl<'h> Timeline<'h> {
    pub(crate) fn new(history: &'h History) -> Self {
        let mut objects: BTreeMap<Place<'h>, States<'h>> = BTreeMap::new();
        for change in &history.changes {
            let place = (
                change.kind.as_str(),
                change.namespace.as_str(),
                change.name.as_str(),
            );
            objects
                .entry(place)
                .or_default()
                .push((change.moment, change.new.as_ref()));
        }
        Self { history, objects }
    }

    /// Gives an object as it was right before a moment.
    pub(crate) fn before(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
        moment: Moment,
    ) -> Option<&'h Value> {
        let states = self.objects.get(&(kind, namespace, name))?;
        let count = states.partition_point(|(at, _)| *at < moment);
        states[..count].last()?.1
    }

    /// Gives all objects of a kind in a namespace as they were right before a moment.
    pub(crate) fn all_before(&self, kind: &str, namespace: &str, moment: Moment) -> Vec<&'h Value> {
        let of_kind = self
            .objects
            .keys()
            .filter(|(k, ns, _)| *k == kind && *ns == namespace);
        of_kind
            .filter_map(|(k, ns, name)| self.before(k, ns, name, moment))
            .collect()
    }

    /// Gives an object as it was in the end.
    pub(crate) fn last(&self, kind: &str, namespace: &str, name: &str) -> Option<&'h Value> {
        self.objects.get(&(kind, namespace, name))?.last()?.1
    }

    /// Gives all states that an object had before a moment, oldest first.
    pub(crate) fn states_before(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
        moment: Moment,
    ) -> std::vec::IntoIter<(Moment, &'h Value)> {
        let states = self
            .objects
            .get(&(kind, namespace, name))
            .map(Vec::as_slice)
            .unwrap_or_default();
        let count = states.partition_point(|(at, _)| *at < moment);
        let present = states[..count]
            .iter()
            .filter_map(|(at, object)| object.map(|object| (*at, object)));
        present.collect::<Vec<_>>().into_iter()
    }

    /// Lists the changes of a kind.
    pub(crate) fn changes_of(&self, kind: &'static str) -> impl Iterator<Item = &'h Change> {
        self.history
            .changes
            .iter()
            .filter(move |change| change.kind == kind)
    }

    /// Lists the requests that were applied and could change something.
    pub(crate) fn applied(
        &self,
        verb: Verb,
        resource: &'static str,
    ) -> impl Iterator<Item = &'h Request> {
        self.history.requests.iter().filter(move |request| {
            request.applied && request.verb == verb && request.resource == resource
        })
    }

    /// Finds a JobManager Deployment by uid: when it was created, and as it was then.
    pub(crate) fn deployment(&self, uid: &str) -> Option<(Moment, &'h Value)> {
        self.changes_of("Deployment")
            .filter(|change| change.old.is_none())
            .find_map(|change| {
                change
                    .new
                    .as_ref()
                    .filter(|new| uid_of(new) == uid)
                    .map(|new| (change.moment, new))
            })
    }

    /// Gives the spec that a JobManager Deployment was made from, by the generation that it names.
    pub(crate) fn spec_of(&self, deployment: &Value) -> Option<&'h Value> {
        let annotation = &deployment["metadata"]["annotations"]
            [flink_operator_api::names::GENERATION_ANNOTATION];
        let generation: i64 = annotation.as_str()?.parse().ok()?;
        let owner = owner_of(deployment, RESOURCE)?;
        self.changes_of(RESOURCE).find_map(|change| {
            let object = change.new.as_ref()?;
            let same = object["metadata"]["generation"] == generation && uid_of(object) == owner;
            same.then(|| &object["spec"])
        })
    }

    /// Lists the pods of a cluster right before a moment.
    pub(crate) fn pods_before(
        &self,
        namespace: &str,
        cluster: &str,
        moment: Moment,
    ) -> Vec<&'h Value> {
        let pods = self.all_before("Pod", namespace, moment);
        pods.into_iter()
            .filter(|pod| pod["metadata"]["labels"]["app"] == cluster)
            .collect()
    }

    /// Lists the HA ConfigMaps of a cluster right before a moment.
    pub(crate) fn ha_maps_before(
        &self,
        namespace: &str,
        cluster: &str,
        moment: Moment,
    ) -> Vec<&'h Value> {
        let maps = self.all_before("ConfigMap", namespace, moment);
        maps.into_iter()
            .filter(|map| is_ha_map(cluster, name_of(map)))
            .collect()
    }

    /// Lists the runs of a cluster.
    pub(crate) fn runs_of(&self, namespace: &str, cluster: &str) -> impl Iterator<Item = &'h Run> {
        let (namespace, cluster) = (namespace.to_owned(), cluster.to_owned());
        self.history
            .runs
            .iter()
            .filter(move |run| run.namespace == namespace && run.cluster == cluster)
    }

    /// Lists the snapshots of a cluster that were complete and not removed right before a moment.
    pub(crate) fn snapshots_before(
        &self,
        namespace: &str,
        cluster: &str,
        moment: Moment,
    ) -> impl Iterator<Item = &'h Snapshot> {
        let (namespace, cluster) = (namespace.to_owned(), cluster.to_owned());
        self.history.snapshots.iter().filter(move |snapshot| {
            snapshot.namespace == namespace
                && snapshot.cluster == cluster
                && snapshot.completed < moment
                && snapshot.discarded.is_none_or(|at| at >= moment)
        })
    }

    /// Lists the clusters that have run anything: namespace and name.
    pub(crate) fn clusters(&self) -> Vec<(&'h str, &'h str)> {
        let mut clusters: Vec<_> = self
            .history
            .runs
            .iter()
            .map(|run| (run.namespace.as_str(), run.cluster.as_str()))
            .collect();
        clusters.sort_unstable();
        clusters.dedup();
        clusters
    }
}

/// Takes the spelling out of a path: `file:///x` and `file:/x` are the same.
pub(crate) fn plain(path: &str) -> String {
    path.replacen(":///", ":/", 1)
        .trim_end_matches('/')
        .to_owned()
}

/// Gives the uid of an object.
pub(crate) fn uid_of(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}

/// Gives the name of an object.
pub(crate) fn name_of(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// Gives the uid of an owner of a kind.
pub(crate) fn owner_of<'v>(object: &'v Value, kind: &str) -> Option<&'v str> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    owners.iter().find(|owner| owner["kind"] == kind)?["uid"].as_str()
}

/// Tells whether an object is being deleted.
pub(crate) fn is_deleting(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

/// Tells whether a spec gives up state with each upgrade.
pub(crate) fn is_stateless(spec: &Value) -> bool {
    matches!(
        spec["job"]["upgradeMode"].as_str(),
        None | Some("stateless")
    )
}

/// Gives a configuration key of a spec, flat or nested.
pub(crate) fn option_of<'v>(spec: &'v Value, key: &str) -> Option<&'v Value> {
    let configuration = &spec["flinkConfiguration"];
    let flat = &configuration[key];
    if !flat.is_null() {
        return Some(flat);
    }
    let nested = key
        .split('.')
        .fold(configuration, |value, part| &value[part]);
    (!nested.is_null()).then_some(nested)
}

/// Tells whether a spec keeps metadata for high availability.
pub(crate) fn is_highly_available(spec: &Value) -> bool {
    let kind = option_of(spec, "high-availability.type")
        .or_else(|| option_of(spec, "high-availability"))
        .and_then(Value::as_str);
    kind.is_some_and(|kind| {
        !kind.eq_ignore_ascii_case("none") && !kind.eq_ignore_ascii_case("standalone")
    })
}

/// Tells whether a name is that of HA data of a cluster; labels alone do not tell.
pub(crate) fn is_ha_map(cluster: &str, name: &str) -> bool {
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

/// Tells whether a job state is final.
pub(crate) fn is_terminal(state: &Value) -> bool {
    matches!(state.as_str(), Some("FINISHED" | "FAILED" | "CANCELED"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn options_are_found_flat_and_nested() {
        for configuration in [
            json!({ "high-availability.type": "kubernetes" }),
            json!({ "high-availability": { "type": "kubernetes" } }),
        ] {
            assert!(is_highly_available(
                &json!({ "flinkConfiguration": configuration })
            ));
        }
        assert!(!is_highly_available(
            &json!({ "flinkConfiguration": { "high-availability.type": "NONE" } })
        ));
        assert!(!is_highly_available(&json!({})));
    }
}
