//! The run: one alone, the raw requests, all at once, rest, restart.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flink_sandbox::process::Process;
use http::{Method, StatusCode};
use jiff::Timestamp;
use kube::Client;
use nix::sys::signal::Signal;
use serde::Deserialize;
use serde_json::json;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use crate::follow::{Followed, Meta, follow};
use crate::player::Player;
use crate::stage::accounts;
use crate::stage::audit::{self, Asked};
use crate::stage::operator::{Operator, Settings};
use crate::stage::plane::{CRD, Plane};
use crate::stage::space::{Space, application, send};
use crate::{process, raw};

/// How many users create at the same time.
pub(crate) const CREATORS: usize = 64;
/// In how many namespaces.
pub(crate) const NAMESPACES: usize = 10;
/// How their names begin.
const PREFIX: &str = "bench";
/// Who come one after the other: the first finds an API server that has not seen its kind yet.
const ALONE: [&str; 2] = ["first", "alone"];
/// How often a job at rest is looked at.
pub(crate) const INTERVAL: Duration = Duration::from_secs(15);

/// What was measured.
pub(crate) struct Figures {
    pub(crate) resources: usize,
    /// Load averages of the machine before anything began: what else goes on there.
    pub(crate) load: String,
    /// From the start of the process until it was ready: with none, with all.
    pub(crate) ready: [Duration; 2],
    /// In RAM: with none, when all were STABLE, at rest, and at most.
    pub(crate) memory: [f64; 4],
    /// One alone: until its Deployment, until STABLE.
    pub(crate) alone: Vec<[Duration; 2]>,
    /// The requests of a creation, sent by this process instead of the operator.
    pub(crate) raw: Vec<Duration>,
    pub(crate) deployment: Vec<Duration>,
    pub(crate) stable: Vec<Duration>,
    /// Until all were STABLE.
    pub(crate) cpu: Duration,
    /// What it competed with for processors, for the raw requests and until all were STABLE.
    pub(crate) others: [Others; 2],
    /// Until all were STABLE and told, by verb and resource; without watches.
    pub(crate) requests: BTreeMap<(String, String), usize>,
    pub(crate) rest: Rest,
    pub(crate) restart: Restart,
}

/// What a phase took, and what other processes did meanwhile.
#[derive(Clone, Copy)]
pub(crate) struct Others {
    pub(crate) took: Duration,
    /// Processor time of the API server and its store.
    pub(crate) server: Duration,
    /// Processor time of this process: users, nodes and JobManagers.
    pub(crate) harness: Duration,
}

impl Others {
    fn begin(servers: &[i32]) -> (Instant, Self) {
        let (server, harness) = (servers.iter().copied().map(process::cpu).sum(), own_cpu());
        let took = Duration::ZERO;
        let begun = Self {
            took,
            server,
            harness,
        };
        (Instant::now(), begun)
    }

    fn end(servers: &[i32], (began, before): (Instant, Self)) -> Self {
        let (_, now) = Self::begin(servers);
        Self {
            took: began.elapsed(),
            server: now.server.saturating_sub(before.server),
            harness: now.harness.saturating_sub(before.harness),
        }
    }
}

fn own_cpu() -> Duration {
    process::cpu(i32::try_from(std::process::id()).unwrap())
}

/// All at rest.
pub(crate) struct Rest {
    pub(crate) window: Duration,
    pub(crate) cpu: Duration,
    pub(crate) requests: usize,
    pub(crate) calls: u64,
    pub(crate) connections: u64,
}

/// A new process that finds all of them.
pub(crate) struct Restart {
    /// Until each JobManager was asked.
    pub(crate) observed: Duration,
    pub(crate) cpu: Duration,
}

#[derive(Clone, Debug, Deserialize)]
struct Resource {
    metadata: Meta,
    #[serde(default)]
    status: Status,
}

impl Followed for Resource {
    fn metadata(&self) -> &Meta {
        &self.metadata
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    lifecycle_state: String,
}

/// When each resource was first seen STABLE, by namespace and name.
type Stable = Arc<Mutex<HashMap<String, Instant>>>;

/// Runs everything.
pub(crate) async fn run(resources: usize, rest: Duration) -> Figures {
    let load = process::load();
    let plane = Plane::bare(&[]).await;
    plane.install(CRD.as_ref()).await;
    let home = Space::new(&plane, "operator").await;
    accounts::install(&home).await;
    let spaces = namespaces(&home.client, PREFIX).await;
    stop_controllers(&plane);
    let player = Player::start(&home.client).await;
    let (stable, watch) = watch_for_stable(&home.client).await;
    let settings = settings();
    let user = audit::operator(&home);

    eprintln!("one alone …");
    let operator = Operator::start(&plane, &home, &settings).await;
    let mut alone = Vec::new();
    for (number, name) in ALONE.into_iter().enumerate() {
        let began = create(&home.client, &spaces[0], name).await;
        until(&stable, number + 1).await;
        let key = format!("{}/{name}", spaces[0]);
        alone.push([
            player.deployed()[&key] - began,
            stable.lock().unwrap()[&key] - began,
        ]);
        if number == 0 {
            raw::compare(&audit::asked_by(&plane, &user));
        }
    }
    operator.stop().await;

    eprintln!("the raw requests …");
    let servers = ["kube-apiserver", "etcd"].map(|name| server(&plane, name).pid());
    let before = Others::begin(&servers);
    let raw = raw::run(&home.client, &spaces[0], resources).await;
    let others_raw = Others::end(&servers, before);
    raw::remove(&home.client).await;

    eprintln!("{resources} at once …");
    let operator = Operator::start(&plane, &home, &settings).await;
    let ready_empty = operator.ready_after;
    quiet(&plane, &user).await;
    let pid = operator.pid();
    let (idle, cpu_before, since) = (process::memory(pid), process::cpu(pid), Timestamp::now());
    let before = Others::begin(&servers);
    let created = create_all(&home.client, &spaces, resources).await;
    until(&stable, resources + ALONE.len()).await;
    let others = [others_raw, Others::end(&servers, before)];
    let (cpu, memory_stable) = (
        process::cpu(pid).saturating_sub(cpu_before),
        process::memory(pid),
    );

    eprintln!("at rest …");
    quiet(&plane, &user).await;
    let mut asked = requests(&plane, &user);
    asked.retain(|asked| asked.at >= since);
    let rest = at_rest(&plane, &user, &player, pid, rest).await;
    let (memory_rest, peak) = (process::memory(pid), process::peak(pid));
    operator.stop().await;

    eprintln!("a new process …");
    let calls = player.calls();
    let started = Instant::now();
    let operator = Operator::start(&plane, &home, &settings).await;
    let restart = all_looked_at(
        &player,
        &calls,
        resources + ALONE.len(),
        started,
        operator.pid(),
    )
    .await;
    let ready_full = operator.ready_after;
    operator.stop().await;
    watch.abort();

    let (deployed, stable) = (player.deployed(), stable.lock().unwrap().clone());
    drop(player);
    plane.down().await;
    let durations = |ends: &HashMap<String, Instant>| {
        sorted(
            created
                .iter()
                .filter_map(|(key, began)| Some(*ends.get(key)? - *began)),
        )
    };
    Figures {
        resources,
        load,
        ready: [ready_empty, ready_full],
        memory: [idle, memory_stable, memory_rest, peak],
        alone,
        raw,
        deployment: durations(&deployed),
        stable: durations(&stable),
        cpu,
        others,
        requests: count(asked),
        rest,
        restart,
    }
}

fn settings() -> Settings {
    Settings {
        options: vec![("reconcile.interval", format!("{} s", INTERVAL.as_secs()))],
        everywhere: true,
        log: Some("info"),
        ..Settings::default()
    }
}

/// Notes from now on when each resource is STABLE first.
async fn watch_for_stable(client: &Client) -> (Stable, JoinHandle<()>) {
    let stable = Stable::default();
    let seen = Arc::clone(&stable);
    let path = "/apis/flink.apache.org/v1beta1/flinkdeployments";
    let watch = follow(client, path, move |resource: Resource| {
        // The raw requests write such states, too.
        let ours = resource.metadata.namespace.starts_with(PREFIX);
        if ours && resource.status.lifecycle_state == "STABLE" {
            let mut stable = seen.lock().unwrap();
            stable
                .entry(resource.metadata.key())
                .or_insert_with(Instant::now);
        }
    })
    .await;
    (stable, watch)
}

/// Waits until a new process has asked all JobManagers.
async fn all_looked_at(
    player: &Player,
    before: &HashMap<String, u64>,
    jobs: usize,
    started: Instant,
    pid: i32,
) -> Restart {
    while player.asked_since(before) < jobs {
        sleep(Duration::from_millis(10)).await;
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "{} of {jobs} looked at",
            player.asked_since(before)
        );
    }
    Restart {
        observed: started.elapsed(),
        cpu: process::cpu(pid),
    }
}

/// Sorts durations, so that quantiles can be read off.
pub(crate) fn sorted(durations: impl Iterator<Item = Duration>) -> Vec<Duration> {
    let mut durations: Vec<Duration> = durations.collect();
    durations.sort();
    durations
}

/// Makes namespaces, with the account that the pods have.
pub(crate) async fn namespaces(client: &Client, prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    for number in 0..NAMESPACES {
        let name = format!("{prefix}-{number}");
        let namespace =
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        send(client, Method::POST, "/api/v1/namespaces", Some(&namespace))
            .await
            .ok();
        let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "flink" } });
        send(
            client,
            Method::POST,
            &format!("/api/v1/namespaces/{name}/serviceaccounts"),
            Some(&account),
        )
        .await
        .ok();
        names.push(name);
    }
    names
}

/// Halts the controllers, whose part the player takes.
fn stop_controllers(plane: &Plane) {
    server(plane, "kube-controller-manager")
        .signal(Signal::SIGSTOP)
        .unwrap();
}

/// Finds a process of the control plane.
fn server(plane: &Plane, name: &str) -> Process {
    let directory = plane.sandbox().instance().directory();
    Process::read(&directory.join("processes").join(name)).unwrap()
}

async fn create(client: &Client, namespace: &str, name: &str) -> Instant {
    let path = format!("/apis/flink.apache.org/v1beta1/namespaces/{namespace}/flinkdeployments");
    let began = Instant::now();
    let reply = send(client, Method::POST, &path, Some(&application(name))).await;
    assert_eq!(reply.code, StatusCode::CREATED, "{}", reply.message());
    began
}

/// Creates all resources; returns when each creation began.
async fn create_all(
    client: &Client,
    spaces: &[String],
    resources: usize,
) -> HashMap<String, Instant> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut creators = JoinSet::new();
    for _ in 0..CREATORS {
        let (client, spaces, next) = (client.clone(), spaces.to_vec(), Arc::clone(&next));
        creators.spawn(async move {
            let mut created = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= resources {
                    return created;
                }
                let (space, name) = (&spaces[number % spaces.len()], format!("job-{number}"));
                created.push((
                    format!("{space}/{name}"),
                    create(&client, space, &name).await,
                ));
            }
        });
    }
    creators.join_all().await.into_iter().flatten().collect()
}

/// Waits until so many are STABLE.
async fn until(stable: &Stable, wanted: usize) {
    let began = Instant::now();
    let patience =
        Duration::from_secs(60) + Duration::from_millis(200) * u32::try_from(wanted).unwrap();
    while stable.lock().unwrap().len() < wanted {
        let so_far = stable.lock().unwrap().len();
        assert!(
            began.elapsed() < patience,
            "{so_far} of {wanted} STABLE after {patience:?}"
        );
        sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the operator has not asked the API server anything for a while.
async fn quiet(plane: &Plane, user: &str) {
    let began = Instant::now();
    loop {
        let last = requests(plane, user)
            .into_iter()
            .map(|asked| asked.at)
            .max();
        if last.is_none_or(|last| Timestamp::now().duration_since(last).as_secs() >= 3) {
            return;
        }
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "the operator does not come to rest"
        );
        sleep(Duration::from_millis(500)).await;
    }
}

async fn at_rest(plane: &Plane, user: &str, player: &Player, pid: i32, window: Duration) -> Rest {
    let before = requests(plane, user).len();
    let (cpu, (calls, connections)) = (process::cpu(pid), player.counts().now());
    sleep(window).await; // the subject itself: what happens while nothing happens
    let (calls_after, connections_after) = player.counts().now();
    Rest {
        window,
        cpu: process::cpu(pid).saturating_sub(cpu),
        requests: requests(plane, user).len() - before,
        calls: calls_after - calls,
        connections: connections_after - connections,
    }
}

/// Returns all requests of the operator but watches.
fn requests(plane: &Plane, user: &str) -> Vec<Asked> {
    let mut asked = audit::asked_by(plane, user);
    asked.retain(|asked| asked.verb != "watch");
    asked
}

fn count(asked: Vec<Asked>) -> BTreeMap<(String, String), usize> {
    let mut counts = BTreeMap::new();
    for asked in asked {
        *counts.entry((asked.verb, asked.resource)).or_default() += 1;
    }
    counts
}
