//! A world with operators in it.

use flink_operator_actors::backoff::Jitter;
use flink_operator_actors::clock::Clock;
use flink_operator_actors::config_files::{ConfigFiles, ReadSettings};
use flink_operator_actors::flink::{FlinkAccess, Way, through_api_server};
use flink_operator_actors::ids::IdSource;
use flink_operator_actors::instance::{Instance, InstanceConfig};
use flink_operator_actors::metrics::Identity;
use flink_operator_actors::namespaces::NamespaceSet;
use flink_operator_world::cluster::{Settings, World, WorldClock};
use operator_core::config::{Configuration, HostFiles, OperatorSettings};
use operator_core::name::{Key, Kind};
use prometheus::{Encoder, Registry, TextEncoder};
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// A world, before or after operators are started in it.
pub(crate) struct Rig {
    pub(crate) world: World,
    pub(crate) registry: Registry,
    seed: u64,
    /// `FLINK_CONF_DIR` of operators that read their configuration from files.
    files: tempfile::TempDir,
}

/// How an operator is started; the name is also its line to the world.
pub(crate) struct Start<'a> {
    pub(crate) name: &'a str,
    pub(crate) options: &'a [(&'a str, &'a str)],
    pub(crate) watched: Option<NamespaceSet>,
    pub(crate) read: Option<ReadSettings>,
}

impl<'a> Start<'a> {
    pub(crate) fn named(name: &'a str) -> Self {
        Self {
            name,
            options: &[],
            watched: None,
            read: None,
        }
    }

    pub(crate) fn watching(self, watched: NamespaceSet) -> Self {
        Self {
            watched: Some(watched),
            ..self
        }
    }

    pub(crate) fn with(self, options: &'a [(&'a str, &'a str)]) -> Self {
        Self { options, ..self }
    }
}

impl Rig {
    /// Stops the clock and makes a world without operators.
    pub(crate) fn new() -> Self {
        // Making it takes longer than many a test.
        static CRD: LazyLock<Value> =
            LazyLock::new(|| serde_json::to_value(&flink_operator_api::crds()[0]).unwrap());
        tokio::time::pause();
        Self {
            world: World::start(Settings::default(), std::slice::from_ref(&*CRD)),
            registry: Registry::new(),
            seed: 0,
            files: tempfile::tempdir().unwrap(),
        }
    }

    /// Makes namespaces besides `default`.
    pub(crate) fn with_namespaces(self, names: &[&str]) -> Self {
        for name in names {
            self.world.api.create_namespace(name);
        }
        self
    }

    /// Writes the configuration files anew.
    pub(crate) fn configure(&self, entries: &[(&str, &str)]) {
        let always = [
            (
                "kubernetes.operator.observer.progress-check.interval",
                "5 s",
            ),
            ("kubernetes.operator.dynamic.config.check.interval", "10 s"),
        ];
        let lines = always
            .iter()
            .chain(entries)
            .map(|(key, value)| format!("{key}: {value}\n"));
        self.break_configuration(&lines.collect::<String>());
    }

    /// Writes anything into the configuration file.
    pub(crate) fn break_configuration(&self, text: &str) {
        std::fs::write(self.files.path().join("config.yaml"), text).unwrap();
    }

    /// Starts an operator that reads its configuration from the files.
    pub(crate) fn start_configured(&mut self, name: &str) -> Instance {
        let base = Some(self.files.path().to_owned());
        let files = ConfigFiles {
            base,
            ..ConfigFiles::default()
        };
        self.start(Start {
            read: Some(Arc::new(move || files.read())),
            ..Start::named(name)
        })
    }

    /// Starts an operator.
    pub(crate) fn start(&mut self, start: Start<'_>) -> Instance {
        self.seed += 1;
        self.registry = Registry::new();
        let clock = Clock::new(WorldClock(self.world.api.clock().clone()));
        let client = self.world.api.client(start.name);
        let transport = self.world.cluster.wire(start.name).transport();
        let flink = FlinkAccess::new(
            Way::Pod,
            transport,
            through_api_server(client.clone()),
            clock.clone(),
        );
        Instance::start(InstanceConfig {
            identity: Identity {
                host: start.name.into(),
                namespace: "default".into(),
                name: "flink-operator".into(),
            },
            settings: Arc::new(match &start.read {
                Some(read) => read().unwrap(),
                None => settings(start.options),
            }),
            read_settings: start.read,
            watched: start.watched,
            watching: client.clone(),
            acting: client,
            flink,
            clock,
            ids: IdSource::seeded(self.seed),
            jitter: Jitter::seeded(self.seed),
            registry: self.registry.clone(),
            relist: Duration::from_secs(120),
        })
        .unwrap()
    }

    /// Creates a FlinkDeployment that is changed before it is sent.
    pub(crate) fn create(&self, namespace: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let mut object = json!({
            "apiVersion": "flink.apache.org/v1beta1", "kind": "FlinkDeployment",
            "metadata": { "name": name, "namespace": namespace },
            "spec": {
                "image": "flink:1.20", "flinkVersion": "v1_20", "serviceAccount": "flink",
                "flinkConfiguration": { "taskmanager.numberOfTaskSlots": "2" },
                "jobManager": { "resource": { "memory": "2048m", "cpu": 1 } },
                "taskManager": { "resource": { "memory": "2048m", "cpu": 1 } },
                "job": { "jarURI": "local:///opt/flink/examples/streaming/StateMachineExample.jar", "parallelism": 2, "upgradeMode": "stateless" },
            },
        });
        change(&mut object);
        self.world.api.create(object).unwrap();
    }

    /// Gives a FlinkDeployment.
    pub(crate) fn resource(&self, namespace: &str, name: &str) -> Option<Value> {
        self.world.api.get("FlinkDeployment", namespace, name)
    }

    pub(crate) fn edit(&self, namespace: &str, name: &str, change: impl FnOnce(&mut Value)) {
        self.world
            .api
            .update("FlinkDeployment", namespace, name, change)
            .unwrap();
    }

    /// Returns the life-cycle state of a FlinkDeployment; empty if there is none.
    pub(crate) fn state(&self, namespace: &str, name: &str) -> String {
        let resource = self.resource(namespace, name).unwrap_or_default();
        resource["status"]["lifecycleState"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Waits until something holds, for two minutes at most.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) -> Duration {
        let waited = self
            .world
            .until(Duration::from_secs(120), |_| holds(self))
            .await;
        waited.unwrap_or_else(|late| panic!("not {what} within {:?}: {}", late.0, self.dump()))
    }

    pub(crate) async fn until_state(&self, namespace: &str, name: &str, state: &str) -> Duration {
        self.until(&format!("{namespace}/{name} {state}"), |rig| {
            rig.state(namespace, name) == state
        })
        .await
    }

    fn dump(&self) -> String {
        let resources = self.world.api.list("FlinkDeployment", "");
        let statuses = resources.iter().map(|resource| resource["status"].clone());
        format!("{:#}", Value::Array(statuses.collect()))
    }

    /// Counts the requests of an operator so far, watches and lists not counted.
    pub(crate) fn requests(&self, name: &str) -> usize {
        let records = self.world.api.journal_records();
        let counted = records
            .iter()
            .filter(|record| record.request.instance == name);
        counted
            .filter(|record| !matches!(verb(record).as_str(), "watch" | "list"))
            .count()
    }

    pub(crate) fn metrics(&self) -> String {
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .unwrap();
        String::from_utf8(text).unwrap()
    }
}

fn verb(record: &flink_operator_world::api::Record) -> String {
    format!("{:?}", record.request.verb)
        .to_lowercase()
        .replace("some(", "")
        .replace(')', "")
}

pub(crate) fn settings(options: &[(&str, &str)]) -> OperatorSettings {
    let mut base: Configuration = [
        ("kubernetes.operator.reconcile.interval", "15 s"),
        (
            "kubernetes.operator.observer.progress-check.interval",
            "5 s",
        ),
    ]
    .into_iter()
    .collect();
    for (key, value) in options {
        base.set(format!("kubernetes.operator.{key}"), *value);
    }
    OperatorSettings::new(base, HostFiles::default())
}

pub(crate) fn key(namespace: &str, name: &str) -> Key {
    Key {
        kind: Kind::FlinkDeployment,
        namespace: namespace.into(),
        name: name.into(),
    }
}

/// Makes a list of namespaces.
pub(crate) fn these(names: &[&str]) -> NamespaceSet {
    NamespaceSet::These(names.iter().map(|name| (*name).to_owned()).collect())
}

pub(crate) async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
