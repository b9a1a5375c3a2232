//! Whole operator instances in a world: real clients, actors and watches on the world's wires.

use std::sync::Arc;
use std::time::Duration;

use flink_operator_actors::backoff::Jitter;
use flink_operator_actors::clock::Clock;
use flink_operator_actors::flink::{FlinkAccess, through_api_server};

pub(crate) use flink_operator_actors::flink::Way;
use flink_operator_actors::ids::IdSource;
use flink_operator_actors::instance::{Instance, InstanceConfig};
use flink_operator_actors::metrics::Identity;
use flink_operator_world::cluster::{World, WorldClock};
use flink_operator_world::points::Cut;
use operator_core::config::{Configuration, HostFiles, OperatorSettings};
use prometheus::Registry;

/// Every operator of a play looks at a resource at rest this often.
const OPTIONS: [(&str, &str); 1] = [("kubernetes.operator.reconcile.interval", "15 s")];
/// Lets operators hold an election.
pub(crate) const ELECTION: [(&str, &str); 2] = [
    ("kubernetes.operator.leader-election.enabled", "true"),
    (
        "kubernetes.operator.leader-election.lease-name",
        "flink-operator-lease",
    ),
];
/// How often everything is listed again; rare, so that plays see what watches alone do.
const RELIST: Duration = Duration::from_secs(600);

/// One operator. Its name is also the name of its line to the API server and to JobManagers.
pub(crate) struct Operator {
    world: World,
    name: String,
    instance: Instance,
}

impl Operator {
    /// Starts an operator that acts at once.
    pub(crate) fn start(world: &World, name: &str) -> Self {
        Self::with(world, name, Way::Pod, &[])
    }

    /// Starts an operator that reaches JobManagers in its own way, with options of its own.
    pub(crate) fn with(world: &World, name: &str, way: Way, options: &[(&str, &str)]) -> Self {
        let clock = Clock::new(WorldClock(world.api.clock().clone()));
        let client = world.api.client(name);
        let direct = world.cluster.wire(name).transport();
        let base: Configuration = OPTIONS.iter().chain(options).copied().collect();
        // Instances draw other identities than their like, and the same in every run.
        let seed = name.bytes().fold(0, |seed: u64, byte| {
            seed.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        let instance = Instance::start(InstanceConfig {
            identity: Identity {
                host: name.to_owned(),
                namespace: "default".into(),
                name: "flink-operator".into(),
            },
            settings: Arc::new(OperatorSettings::new(base, HostFiles::default())),
            read_settings: None,
            watched: None,
            watching: client.clone(),
            acting: client.clone(),
            flink: FlinkAccess::new(way, direct, through_api_server(client), clock.clone()),
            clock,
            ids: IdSource::seeded(seed),
            jitter: Jitter::seeded(seed),
            registry: Registry::new(),
            relist: RELIST,
        });
        let instance = instance.expect("the options of plays are valid");
        Self {
            world: world.clone(),
            name: name.to_owned(),
            instance,
        }
    }

    /// Ends the operator as kill -9 does: nothing that is on its line gets through any more.
    pub(crate) fn crash(self) {
        self.world.api.control(&self.name).cut(Cut::Silent);
        drop(self.instance);
    }

    /// Gives the running instance.
    pub(crate) fn instance(&self) -> &Instance {
        &self.instance
    }
}
