//! Very many resources, and a third of their JobManagers accept connections and never answer.

use super::herd_api::{DEPLOYMENTS, HerdApi, PODS, RESOURCES};
use super::rig::{Rig, Start, settings, sleep};
use bytes::Bytes;
use flink_operator_actors::backoff::Jitter;
use flink_operator_actors::clock::Clock;
use flink_operator_actors::flink::{FlinkAccess, Way, through_api_server};
use flink_operator_actors::health::ActorHealth;
use flink_operator_actors::ids::IdSource;
use flink_operator_actors::instance::{Instance, InstanceConfig};
use flink_operator_actors::metrics::Identity;
use flink_operator_world::cluster::WorldClock;
use flink_rest::{Transport, TransportError};
use http::{Method, Request};
use prometheus::Registry;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tower::ServiceExt;

/// A name, so rare that it can be replaced wherever it stands.
const TEMPLATE: &str = "template-of-all";
/// Addresses that begin like this never answer.
const SILENT: &str = "10.99.";

/// Calls that hang.
#[derive(Clone, Default)]
struct Hanging {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

/// One call that hangs, until it is given up.
struct Hangs(Hanging);

impl Hanging {
    fn one(&self) -> Hangs {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        Hangs(self.clone())
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    fn forget(&self) {
        self.most.store(0, Ordering::Relaxed);
    }
}

impl Drop for Hangs {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Many copies of one resource that runs in a world, and an operator that watches them.
struct Herd {
    /// In it the one JobManager runs that answers for all that are well.
    _world: Rig,
    api: HerdApi,
    hanging: Hanging,
    size: usize,
    operator: Instance,
}

impl Herd {
    async fn start(size: usize) -> Self {
        let mut rig = Rig::new();
        let first = rig.start(Start::named("first"));
        rig.create("default", TEMPLATE, |_| {});
        rig.until_state("default", TEMPLATE, "STABLE").await;
        sleep(30).await;
        drop(first);
        let api = HerdApi::new();
        copies(&rig, &api, size);
        let hanging = Hanging::default();
        let clock = Clock::new(WorldClock(rig.world.api.clock().clone()));
        let client = api.client();
        let direct = transport(&rig, hanging.clone());
        let flink = FlinkAccess::new(
            Way::Pod,
            direct,
            through_api_server(client.clone()),
            clock.clone(),
        );
        let operator = Instance::start(InstanceConfig {
            identity: Identity {
                host: "op".into(),
                namespace: "default".into(),
                name: "flink-operator".into(),
            },
            settings: Arc::new(settings(&[
                ("reconcile.interval", "60 s"),
                ("observer.progress-check.interval", "10 s"),
            ])),
            read_settings: None,
            watched: None,
            watching: client.clone(),
            acting: client,
            flink,
            clock,
            ids: IdSource::seeded(7),
            jitter: Jitter::seeded(7),
            registry: Registry::new(),
            relist: Duration::from_secs(3600),
        });
        Self {
            _world: rig,
            api,
            hanging,
            size,
            operator: operator.unwrap(),
        }
    }

    fn now(&self) -> jiff::Timestamp {
        self.operator.health().snapshot_of(|_, _| false).at
    }

    fn count(&self, holds: impl Fn(&ActorHealth) -> bool) -> usize {
        self.operator.health().count(holds)
    }

    /// Edits a resource and returns how long it took until that led to a write.
    async fn edit(&self, number: usize) -> Duration {
        let (namespace, name) = names(number);
        let key = format!("{namespace}/{name}");
        let began = Instant::now();
        self.api.change(RESOURCES, &key, |object| {
            object["spec"]["job"]["parallelism"] = json!(4);
            object["metadata"]["generation"] = json!(2);
        });
        loop {
            if let Some(written) = self.api.written(&key, began) {
                return written - began;
            }
            assert!(began.elapsed() < Duration::from_secs(120), "{key}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Returns namespace and name of a copy.
fn names(number: usize) -> (String, String) {
    (format!("team-{}", number % 10), format!("job-{number:05}"))
}

fn is_silent(number: usize) -> bool {
    number.is_multiple_of(3)
}

/// Makes the copies: in a third of them the JobManager has another address.
fn copies(rig: &Rig, api: &HerdApi, size: usize) {
    let world = &rig.world.api;
    let resource = rig.resource("default", TEMPLATE).unwrap();
    let deployment = world.get("Deployment", "default", TEMPLATE).unwrap();
    let pods = world.list("Pod", "default");
    let is_job_manager = |pod: &&Value| pod["metadata"]["labels"]["component"] == "jobmanager";
    let pod = pods.iter().find(is_job_manager).unwrap();
    let uids: Vec<&str> = [&resource, &deployment, pod]
        .map(|object| object["metadata"]["uid"].as_str().unwrap())
        .to_vec();
    let address = pod["status"]["podIP"].as_str().unwrap();
    for number in 0..size {
        let (namespace, name) = names(number);
        let copy = |object: &Value| {
            let mut text = object.to_string().replace(TEMPLATE, &name);
            // Flink goes on calling the job what it is called.
            let job = |name: &str| format!(r#""jobName":"{name}""#);
            text = text.replace(&job(&name), &job(TEMPLATE));
            for (place, uid) in uids.iter().enumerate() {
                text = text.replace(uid, &format!("{place}-{number}"));
            }
            if is_silent(number) {
                let silent = format!("{SILENT}{}.{}", number / 250, number % 250);
                text = text.replace(address, &silent);
            }
            text.replace(
                r#""namespace":"default""#,
                &format!(r#""namespace":"{namespace}""#),
            )
        };
        let key = format!("{namespace}/{name}");
        api.put(RESOURCES, key.clone(), copy(&resource));
        api.put(DEPLOYMENTS, key.clone(), copy(&deployment));
        api.put(PODS, format!("{key}-pod"), copy(pod));
    }
}

/// The way to JobManagers: nobody is asked to change anything, and some never answer.
fn transport(rig: &Rig, hanging: Hanging) -> Transport {
    let wire = rig.world.cluster.wire("op");
    Transport::buffered(tower::service_fn(move |request: Request<Bytes>| {
        let (wire, hanging) = (wire.clone(), hanging.clone());
        async move {
            if request.uri().host().unwrap_or_default().starts_with(SILENT) {
                let _hangs = hanging.one();
                std::future::pending::<()>().await;
            }
            if request.method() != Method::GET {
                return Err(TransportError::Refused("nothing changes here".to_owned()));
            }
            wire.oneshot(request).await.map_err(TransportError::from)
        }
    }))
}

/// Ten thousand in the full scope; enough to fill the bound of tries several times over otherwise.
fn size() -> usize {
    let full = std::env::var("FLINK_OPERATOR_TEST_SCOPE").is_ok_and(|scope| scope == "full");
    if full { 10_000 } else { 1_000 }
}

/// Returns the memory of this process in MiB.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<usize>()
        .unwrap()
        / 1024
}

#[actix::test]
async fn a_third_of_very_many_job_managers_may_hang_and_nobody_else_notices() {
    let before = memory();
    let herd = Herd::start(size()).await;
    let silent = (0..herd.size).filter(|number| is_silent(*number)).count();
    let began = Instant::now();
    let soon = Duration::from_millis(100);

    // At the start all that hang are waited for at once; a change does not wait for them.
    sleep(1).await;
    let first = herd.edit(1).await;
    assert!(first < soon, "{first:?}");
    while herd.count(|actor| actor.passes > 0) < herd.size {
        assert!(began.elapsed() < Duration::from_secs(60), "all looked at");
        sleep(1).await;
    }
    let looked = began.elapsed();
    let most = herd.hanging.most();
    assert!(most <= 1024, "calls that hang are bounded: {most}");

    // Later they are tried now and then, few at a time, and looks at the others come in time.
    sleep(60).await;
    herd.hanging.forget();
    let mut edits = Vec::new();
    for number in [200, 301, 500, 700, 998] {
        edits.push(herd.edit(number).await);
        sleep(5).await;
    }
    assert!(edits.iter().all(|took| *took < soon), "{edits:?}");
    let most = herd.hanging.most();
    assert!((1..=128).contains(&most), "tries are bounded: {most}");
    let now = herd.now();
    let overdue = herd.count(|actor| {
        let due = actor.next.as_ref().and_then(|next| next.at);
        due.is_some_and(|due| now.duration_since(due).as_secs() > 10)
    });
    assert_eq!(
        overdue, 0,
        "no look is late by more than a call of a JobManager that hangs"
    );

    // Each says what it waits for and since when; the others cost no request.
    let snapshot = herd.operator.health().snapshot();
    let waits = snapshot
        .actors
        .iter()
        .filter_map(|actor| actor.waiting.as_ref());
    let waits: Vec<_> = waits
        .filter(|waits| waits.reason == "JobManagerSilent")
        .collect();
    assert_eq!(waits.len(), silent);
    let minute_ago = snapshot.at - Duration::from_secs(60);
    assert!(
        waits.iter().all(|waits| waits.since < minute_ago),
        "it is not told anew"
    );
    let writes = herd.api.writes();
    assert_eq!(
        writes.len(),
        silent + 6,
        "those that hang, and the edited ones"
    );
    let most = writes.values().max();
    assert!(most <= Some(&12), "{most:?}");
    let grown = memory().saturating_sub(before) * 1024 / herd.size;
    println!(
        "{} resources: looked at within {looked:?}; edits {first:?}, {edits:?}; {grown} KiB each with their test",
        herd.size
    );
    // Few are lost among what other tests of this process take meanwhile.
    assert!(grown < 128 || herd.size < 10_000, "{grown} KiB each");

    // Whoever waits for a JobManager that hangs does not hold up the end.
    let Herd {
        operator, hanging, ..
    } = herd;
    while hanging.now.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(soon).await;
    }
    let began = Instant::now();
    assert!(operator.shutdown(Duration::from_secs(5)).await.passes_ended);
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
}
