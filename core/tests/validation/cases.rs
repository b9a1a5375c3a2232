//! The objects of `cases.json`, and the rules that judge them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use flink_operator_api::{
    FlinkBlueGreenDeploymentSpec, FlinkDeploymentSpec, FlinkSessionJobSpec, FlinkStateSnapshotSpec,
    SnapshotState,
};
use operator_core::config::{HostFiles, OperatorSettings};
use operator_core::name::{Key, Kind, ResourceVersion, Uid};
use operator_core::resource::Meta;
use operator_core::status::recorded::Recorded;
use operator_core::validate::{
    HostLookup, SessionCluster, SessionJob, Target, Violation, flink_blue_green_deployment,
    flink_deployment, flink_session_job, flink_state_snapshot, host_to_look_up,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cases {
    #[serde(rename = "about")]
    _about: String,
    /// The numbers of all rules.
    pub(crate) rules: Vec<String>,
    sound: BTreeMap<String, Value>,
    #[serde(rename = "cases")]
    pub(crate) all: Vec<Case>,
}

/// One object with everything that is known about it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// Number of the rule that it is about.
    pub(crate) rule: Option<String>,
    pub(crate) kind: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) change: Value,
    pub(crate) last: Option<Value>,
    #[serde(default)]
    config: BTreeMap<String, String>,
    cluster: Option<Cluster>,
    lookup: Option<Lookup>,
    state: Option<SnapshotState>,
    target: Option<String>,
    /// What must be said, all of it.
    pub(crate) found: Option<Vec<String>>,
    /// Part of why it cannot be read.
    pub(crate) unreadable: Option<String>,
    #[serde(rename = "why")]
    _why: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cluster {
    name: String,
    spec: FlinkDeploymentSpec,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Lookup {
    Addresses(Vec<IpAddr>),
    Word(String),
}

impl Cases {
    pub(crate) fn read() -> Self {
        serde_json::from_str(include_str!("cases.json")).unwrap()
    }

    /// Returns the object of a case.
    pub(crate) fn object_of(&self, case: &Case) -> Value {
        let mut object = self.sound[&case.kind].clone();
        if !case.change.is_null() {
            merge(&mut object, &case.change);
        }
        object
    }
}

impl Case {
    /// Makes a case of a whole object.
    pub(crate) fn whole(kind: &str, name: &str, object: Value, last: Option<Value>) -> Self {
        Self {
            rule: None,
            kind: kind.to_owned(),
            name: name.to_owned(),
            change: object,
            last,
            config: BTreeMap::new(),
            cluster: None,
            lookup: None,
            state: None,
            target: None,
            found: None,
            unreadable: None,
            _why: None,
        }
    }

    pub(crate) fn is_about(&self, rule: &str) -> bool {
        self.rule.as_deref() == Some(rule)
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.unreadable.is_some() || self.found.as_ref().is_some_and(|found| !found.is_empty())
    }

    /// Returns what the rules say about an object, or why it cannot be read.
    pub(crate) fn judge(&self, object: &Value) -> Result<Vec<String>, String> {
        let base = self
            .config
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        let settings = OperatorSettings::new(base.collect(), HostFiles::default());
        let name = object["metadata"]["name"].as_str().unwrap();
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or("ns");
        let spec = &object["spec"];
        let violations = match self.kind.as_str() {
            "FlinkDeployment" => {
                let recorded = self.last.as_ref().map(recorded);
                let spec: FlinkDeploymentSpec = read(spec)?;
                flink_deployment(&meta(namespace, name), &spec, recorded.as_ref(), &settings)
            }
            "FlinkSessionJob" => {
                let recorded = self.last.as_ref().map(|last| read(last).unwrap());
                self.judge_session_job(namespace, &read(spec)?, recorded.as_ref(), &settings)
            }
            "FlinkStateSnapshot" => {
                let spec: FlinkStateSnapshotSpec = read(spec)?;
                let target = match self.target.as_deref() {
                    None => Target::NotAsked,
                    Some("absent") => Target::Absent,
                    Some("present") => Target::Present,
                    Some(other) => panic!("{other} is nothing to know about a target"),
                };
                flink_state_snapshot(namespace, &spec, self.state, target)
            }
            "FlinkBlueGreenDeployment" => {
                let spec: FlinkBlueGreenDeploymentSpec = read(spec)?;
                flink_blue_green_deployment(namespace, name, &spec, &settings)
            }
            other => panic!("{other} is no kind"),
        };
        Ok(violations.iter().map(line).collect())
    }

    fn judge_session_job(
        &self,
        namespace: &str,
        spec: &FlinkSessionJobSpec,
        recorded: Option<&FlinkSessionJobSpec>,
        settings: &OperatorSettings,
    ) -> Vec<Violation> {
        let lookup = match &self.lookup {
            None => HostLookup::NotAsked,
            Some(Lookup::Addresses(found)) => HostLookup::Found(found.clone()),
            Some(Lookup::Word(word)) => {
                assert_eq!(word, "not found");
                HostLookup::NotFound
            }
        };
        // What is looked up is what was asked for.
        if lookup != HostLookup::NotAsked {
            assert!(host_to_look_up(spec, settings).is_some(), "{}", self.name);
        }
        let cluster = self.cluster.as_ref().map(|cluster| SessionCluster {
            name: &cluster.name,
            spec: &cluster.spec,
        });
        let job = SessionJob {
            namespace,
            spec,
            recorded,
        };
        flink_session_job(&job, cluster, &lookup, settings)
    }
}

fn read<T: DeserializeOwned>(spec: &Value) -> Result<T, String> {
    T::deserialize(spec).map_err(|error| error.to_string())
}

/// Reads what was deployed last: a spec, or the text that some release wrote.
fn recorded(last: &Value) -> Recorded {
    match last {
        Value::String(text) => Recorded::read(text).unwrap(),
        spec => Recorded::new(read(spec).unwrap(), false),
    }
}

fn line(violation: &Violation) -> String {
    format!(
        "{} {}: {}",
        violation.rule, violation.path, violation.message
    )
}

fn meta(namespace: &str, name: &str) -> Meta {
    Meta {
        key: Key {
            kind: Kind::FlinkDeployment,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        },
        uid: Uid::new("u"),
        resource_version: ResourceVersion::new("1"),
        generation: 1,
        deleted_at: None,
        finalizers: vec![],
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
    }
}

/// Applies a merge patch (RFC 7386).
pub(crate) fn merge(object: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = Value::Object(serde_json::Map::new());
    }
    let fields = object.as_object_mut().unwrap();
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}
