//! Fresh reads: the resource, its Deployment and whatever is to be proven, from the API server.

use super::{ask, paths};
use crate::api::Failure;
use crate::shell::Shell;
use crate::slim::{SlimDeployment, SlimList, SlimMeta, SlimPod, SlimResource};
use jiff::Timestamp;
use operator_core::decide::deployment::ha;
use operator_core::fact::{Fact, Subject, Why};
use operator_core::name::{Key, ResourceVersion, Uid};
use operator_core::observed::{Answers, Child, ChildKind, HaMap, Observed, Origin, Pod};
use operator_core::question::{Question, Wanted};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::collections::BTreeMap;

/// The keys of a map whose values are skipped over unread.
#[allow(clippy::zero_sized_map_values)] // the point: values are not built
type Keys = BTreeMap<String, IgnoredAny>;

/// The longest value that a label can have.
const LONGEST_LABEL: usize = 63;

/// What a fresh read brought.
pub(super) enum Read {
    There(Box<Observed>),
    /// The resource is gone, or another one has its name.
    Gone,
    /// The resource itself could not be read.
    Failed(Why),
}

/// Reads everything again that matters, and keeps what Flink said in this pass, unless somebody else has stored
/// something since.
pub(super) async fn read(shell: &Shell, before: Observed, asked: &Wanted, now: Timestamp) -> Read {
    let key = before.resource.meta.key.clone();
    let resource_path = paths::resource(&key);
    let deployment_path = format!("{}/{}", paths::deployments(&key.namespace), key.name);
    let wants = |question: &Question| asked.contains(question);
    let (resource, deployment, pods, config_maps, services) = tokio::join!(
        shell.api.get(&resource_path),
        shell.api.get(&deployment_path),
        list_if::<SlimPod>(shell, &key, "pods", wants(&Question::Pods)),
        list_if::<SlimConfigMap>(
            shell,
            &key,
            "configmaps",
            wants(&Question::Children) || wants(&Question::Ha)
        ),
        list_if::<Bare>(shell, &key, "services", wants(&Question::Children)),
    );
    let resource: SlimResource = match resource {
        Ok(Some(bytes)) => match serde_json::from_slice(&bytes) {
            Ok(resource) => resource,
            Err(error) => return Read::Failed(Why::NotUnderstood(error.to_string())),
        },
        Ok(None) => return Read::Gone,
        Err(failure) => return Read::Failed(failure.why),
    };
    if resource.metadata.uid != before.resource.meta.uid.as_str() {
        return Read::Gone;
    }
    let resource = resource.parse(key.kind);
    let mut before = before;
    if resource.meta.resource_version != before.resource.meta.resource_version {
        // Who stored this may have asked Flink later than this pass did: older answers must not undo that.
        before.answers = Answers::default();
    }
    let of_resource = Subject::Resource(resource.meta.uid.clone());
    let fact = |result| answer(result, &of_resource, now);
    let mut observed = Observed {
        resource,
        origin: Origin::Server,
        deployment: deployment_fact(deployment, &of_resource, now),
        ..before
    };
    if let Some(pods) = pods {
        let pods = pods.map(|pods| pods.iter().map(SlimPod::facts).collect::<Vec<Pod>>());
        observed.job_managers = match &pods {
            Ok(pods) => {
                let job_managers = pods
                    .iter()
                    .filter(|pod| pod.is_job_manager)
                    .cloned()
                    .collect();
                Fact::known(job_managers, of_resource.clone(), now)
            }
            Err(why) => Fact::Unknown(why.clone()),
        };
        observed.answers.pods = fact(pods);
    }
    if let Some(config_maps) = config_maps {
        let services = services.unwrap_or(Err(Why::NotUnderstood(
            "Services were not asked for".to_owned(),
        )));
        observed.answers.ha = match ha_maps(shell, &key, &config_maps).await {
            Ok(maps) => {
                let subject = Subject::Ha {
                    resource: observed.resource.meta.uid.clone(),
                    asked_at: now,
                };
                Fact::known(maps, subject, now)
            }
            Err(why) => Fact::Unknown(why),
        };
        let children = children(shell, &key, config_maps, services).await;
        observed.answers.children = answer(children, &of_resource, now);
    }
    let mut observed = observed.forget_strangers();
    let of_flink: Wanted = asked
        .iter()
        .filter(|question| !question.is_proof())
        .cloned()
        .collect();
    let missing = observed.missing(&of_flink);
    ask::questions(shell, &mut observed, &missing, now).await;
    Read::There(Box::new(observed))
}

fn answer<T>(result: Result<T, Why>, subject: &Subject, now: Timestamp) -> Fact<T> {
    match result {
        Ok(value) => Fact::known(value, subject.clone(), now),
        Err(why) => Fact::Unknown(why),
    }
}

fn deployment_fact(
    read: Result<Option<Vec<u8>>, Failure>,
    subject: &Subject,
    now: Timestamp,
) -> Fact<Option<operator_core::observed::Deployment>> {
    let parsed = match read {
        Ok(None) => Ok(None),
        Ok(Some(bytes)) => serde_json::from_slice::<SlimDeployment>(&bytes)
            .map(|deployment| Some(deployment.facts()))
            .map_err(|error| Why::NotUnderstood(error.to_string())),
        Err(failure) => Err(failure.why),
    };
    answer(parsed, subject, now)
}

/// Lists what carries the labels of a cluster, if it is wanted.
async fn list_if<T: DeserializeOwned>(
    shell: &Shell,
    key: &Key,
    plural: &str,
    wanted: bool,
) -> Option<Result<Vec<T>, Why>> {
    if !wanted {
        return None;
    }
    if key.name.len() > LONGEST_LABEL {
        // No label can have such a value, so that nothing can carry it.
        return Some(Ok(Vec::new()));
    }
    let path = match plural {
        "pods" => paths::pods_of_cluster(&key.namespace, &key.name),
        _ => paths::of_cluster(&key.namespace, plural, &key.name),
    };
    let bytes = match shell.api.list(&path).await {
        Ok(bytes) => bytes,
        Err(failure) => return Some(Err(failure.why)),
    };
    let list: Result<SlimList<T>, _> = serde_json::from_slice(&bytes);
    Some(
        list.map(|list| list.items)
            .map_err(|error| Why::NotUnderstood(error.to_string())),
    )
}

/// An object of which only the metadata counts.
#[derive(Deserialize)]
struct Bare {
    #[serde(default)]
    metadata: SlimMeta,
}

/// A ConfigMap without its contents.
#[derive(Deserialize)]
struct SlimConfigMap {
    #[serde(default)]
    metadata: SlimMeta,
    #[serde(default)]
    #[allow(clippy::zero_sized_map_values)] // see `Keys`
    data: Option<Keys>,
}

impl SlimConfigMap {
    fn ha_map(&self) -> HaMap {
        HaMap {
            name: self.metadata.name.clone(),
            uid: Uid::new(&self.metadata.uid),
            resource_version: ResourceVersion::new(&self.metadata.resource_version),
            deleting: self.metadata.deletion_timestamp.is_some(),
            keys: self
                .data
                .iter()
                .flatten()
                .map(|(name, _)| name.clone())
                .collect(),
        }
    }
}

/// Picks HA data out of the ConfigMaps of a cluster.
///
/// Flink 1.13 labels its ConfigMap with a later write, so that a list can miss it: the one that
/// holds the graphs there is read by name as well.
async fn ha_maps(
    shell: &Shell,
    key: &Key,
    config_maps: &Result<Vec<SlimConfigMap>, Why>,
) -> Result<Vec<HaMap>, Why> {
    let listed = config_maps.as_ref().map_err(Clone::clone)?;
    let of_flink = |map: &&SlimConfigMap| ha::is_ha_name(&key.name, &map.metadata.name);
    let mut maps: Vec<HaMap> = listed
        .iter()
        .filter(of_flink)
        .map(SlimConfigMap::ha_map)
        .collect();
    let dispatcher = format!("{}-dispatcher-leader", key.name);
    let old = maps.iter().any(|map| map.name.ends_with("-leader"));
    if old && !maps.iter().any(|map| map.name == dispatcher) {
        let found = config_map(shell, key, &dispatcher).await?;
        maps.extend(found.as_ref().map(SlimConfigMap::ha_map));
    }
    Ok(maps)
}

async fn config_map(shell: &Shell, key: &Key, name: &str) -> Result<Option<SlimConfigMap>, Why> {
    let path = paths::children(&key.namespace, ChildKind::ConfigMap);
    let found = shell.api.get(&format!("{path}/{name}")).await;
    let Some(bytes) = found.map_err(|failure| failure.why)? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| Why::NotUnderstood(error.to_string()))
}

/// Picks what is rendered for a cluster, by name.
///
/// The configuration is asked for by name if the list does not have it: with one that carries no label of ours,
/// whoever made it, a JobManager would start as well.
async fn children(
    shell: &Shell,
    key: &Key,
    config_maps: Result<Vec<SlimConfigMap>, Why>,
    services: Result<Vec<Bare>, Why>,
) -> Result<Vec<Child>, Why> {
    let id = &key.name;
    let child = |kind: ChildKind, meta: SlimMeta| Child {
        kind,
        owners: meta.owners(),
        name: meta.name,
        uid: meta.uid,
    };
    let is_config = |meta: &SlimMeta| {
        [
            "flink-config-",
            "pod-template-",
            "hadoop-config-",
            "kerberos-krb5conf-",
        ]
        .iter()
        .any(|prefix| meta.name.strip_prefix(prefix) == Some(id))
    };
    let is_service =
        |meta: &SlimMeta| meta.name == *id || meta.name.strip_suffix("-rest") == Some(id);
    let listed = config_maps?.into_iter().map(|map| map.metadata);
    let mut config_maps: Vec<SlimMeta> = listed.filter(is_config).collect();
    let configuration = format!("flink-config-{id}");
    if !config_maps.iter().any(|meta| meta.name == configuration) {
        let found = config_map(shell, key, &configuration).await?;
        config_maps.extend(found.map(|map| map.metadata));
    }
    let services = services?
        .into_iter()
        .map(|service| service.metadata)
        .filter(is_service);
    let mut all: Vec<Child> = services
        .map(|meta| child(ChildKind::Service, meta))
        .collect();
    let config_maps = config_maps.into_iter();
    all.extend(config_maps.map(|meta| child(ChildKind::ConfigMap, meta)));
    Ok(all)
}
