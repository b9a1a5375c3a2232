//! A supervisor with real resource actors whose passes are scripted.

use actix::prelude::*;
use flink_operator_actors::backoff::Growth;
use flink_operator_actors::clock::Clock;
use flink_operator_actors::health::Health;
use flink_operator_actors::lanes::Lanes;
use flink_operator_actors::leadership::Leadership;
use flink_operator_actors::pace::{RateLimit, Retry};
use flink_operator_actors::pass::{End, PassReport};
use flink_operator_actors::resource::{Crew, PassEnded, ResourceActor, Wake, Work};
use flink_operator_actors::shell::CrdSupport;
use flink_operator_actors::slim::SlimResource;
use flink_operator_actors::stores::Stores;
use flink_operator_actors::supervisor::{Factory, Forgotten, Led, Sighting, Supervisor};
use flink_operator_actors::tasks::Tasks;
use flink_operator_world::clock::Clock as VirtualClock;
use flink_operator_world::cluster::WorldClock;
use operator_core::decision::Revisit;
use operator_core::name::{Key, Kind, ResourceVersion};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

type Script = Arc<dyn Fn(usize, &Key) -> Scripted + Send + Sync>;

/// What a scripted pass does.
pub(crate) struct Scripted {
    pub(crate) lasts: Duration,
    pub(crate) report: Option<PassReport>,
}

/// Takes some time, then reports; no report means a panic.
pub(crate) fn pass(millis: u64, report: impl Into<Option<PassReport>>) -> Scripted {
    Scripted {
        lasts: Duration::from_millis(millis),
        report: report.into(),
    }
}

pub(crate) fn report(end: End) -> PassReport {
    PassReport {
        end,
        revisit: None,
        acted: false,
        took: Duration::ZERO,
        summary: None,
        written: None,
    }
}

/// Reports nothing to do, and a next look after some milliseconds.
pub(crate) fn quiet(revisit: Option<i64>) -> PassReport {
    let after = revisit.map(jiff::SignedDuration::from_millis);
    PassReport {
        revisit: Some(Revisit { after, why: "test" }),
        ..report(End::Quiet)
    }
}

/// Reports a status written under a version.
pub(crate) fn stored(version: &str) -> PassReport {
    PassReport {
        written: Some(ResourceVersion::new(version)),
        ..report(End::Stored)
    }
}

pub(crate) fn key(name: &str) -> Key {
    Key {
        kind: Kind::FlinkDeployment,
        namespace: "demo".into(),
        name: name.into(),
    }
}

/// Everything around a supervisor.
pub(crate) struct Bench {
    pub(crate) supervisor: Addr<Supervisor>,
    pub(crate) stores: Stores,
    pub(crate) health: Health,
    pub(crate) tasks: Tasks,
    /// When which pass began, in milliseconds.
    began: Arc<Mutex<Vec<(u128, String)>>>,
}

/// Counts nothing.
struct Nobody;

impl Actor for Nobody {
    type Context = Context<Self>;
}

impl Handler<PassEnded> for Nobody {
    type Result = ();
    fn handle(&mut self, _: PassEnded, _: &mut Self::Context) {}
}

impl Handler<Forgotten> for Nobody {
    type Result = ();
    fn handle(&mut self, _: Forgotten, _: &mut Self::Context) {}
}

impl Bench {
    /// Stops the clock and starts a supervisor that leads; the script gives the n-th pass of all, from 0.
    pub(crate) fn new(script: impl Fn(usize, &Key) -> Scripted + Send + Sync + 'static) -> Self {
        let bench = Self::standby(50, script, |crew| {
            let crew = Arc::new(crew);
            Box::new(move |key, life, parent| {
                ResourceActor::new(key, life, Arc::clone(&crew), parent)
                    .start()
                    .recipient()
            })
        });
        bench.supervisor.do_send(Led);
        bench
    }

    /// Stops the clock and starts a supervisor that does not lead yet.
    pub(crate) fn standby(
        parallelism: i32,
        script: impl Fn(usize, &Key) -> Scripted + Send + Sync + 'static,
        factory: impl FnOnce(Crew) -> Factory,
    ) -> Self {
        tokio::time::pause();
        let clock = Clock::new(WorldClock(VirtualClock::new()));
        let health = Health::new(
            clock.clone(),
            Leadership::alone(clock.clone()),
            CrdSupport::default(),
        );
        let (stores, tasks, began) = (Stores::default(), Tasks::new(), Arc::default());
        let nobody = Nobody.start();
        let growth = Growth {
            first: Duration::from_secs(5),
            factor: 1.5,
            longest: Duration::from_secs(60),
        };
        let crew = Crew {
            work: work(Arc::new(script), Arc::clone(&began)),
            stores: stores.clone(),
            lanes: Lanes::new(parallelism),
            tasks: tasks.clone(),
            health: health.clone(),
            clock,
            retry: Retry {
                growth,
                attempts: 15,
            },
            limit: RateLimit {
                window: Duration::from_secs(15),
                passes: 5,
            },
            counting: nobody.clone().recipient(),
        };
        let supervisor = Supervisor::new(
            factory(crew),
            stores.clone(),
            health.clone(),
            nobody.recipient(),
        );
        Self {
            supervisor: supervisor.start(),
            stores,
            health,
            tasks,
            began,
        }
    }

    /// Puts a resource into the store, as a watch would.
    pub(crate) fn put(&self, name: &str, version: &str) {
        let metadata =
            json!({ "name": name, "namespace": "demo", "resourceVersion": version, "uid": name });
        let slim: SlimResource = serde_json::from_value(json!({ "metadata": metadata })).unwrap();
        self.stores.put_resource(key(name), slim);
    }

    pub(crate) fn wake(&self, name: &str, wake: Wake) {
        self.supervisor.do_send(Sighting::Changed(key(name), wake));
    }

    pub(crate) fn vanish(&self, name: &str) {
        self.stores.remove_resource(&key(name));
        self.supervisor.do_send(Sighting::Vanished(key(name)));
    }

    /// Returns when passes began, in milliseconds, rounded down to tens: timers add one or two.
    pub(crate) fn times(&self) -> Vec<u128> {
        self.began
            .lock()
            .unwrap()
            .iter()
            .map(|(at, _)| at / 10 * 10)
            .collect()
    }

    /// Returns for which resources passes began, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.began
            .lock()
            .unwrap()
            .iter()
            .map(|(_, name)| name.clone())
            .collect()
    }
}

fn work(script: Script, began: Arc<Mutex<Vec<(u128, String)>>>) -> Work {
    let start = Instant::now();
    Arc::new(move |key: Key| {
        let (script, began) = (Arc::clone(&script), Arc::clone(&began));
        Box::pin(async move {
            let number = {
                let mut began = began.lock().unwrap();
                began.push((start.elapsed().as_millis(), key.name.clone()));
                began.len() - 1
            };
            let Scripted { lasts, report } = script(number, &key);
            tokio::time::sleep(lasts).await;
            report.unwrap_or_else(|| panic!("a pass that panics on purpose"))
        })
    })
}

pub(crate) async fn millis(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}
