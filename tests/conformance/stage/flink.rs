//! JobManagers as the operator meets them: a REST API on an address of their own.
//!
//! Only what the operator calls is answered, and only as far as it is read. Each listens on another
//! loopback address, so that connections belong to one JobManager, as in a cluster.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// The port of every REST API, and the value of `rest.port`. A Flink of this machine has another.
pub(crate) const PORT: u16 = 28_081;

/// How long a job takes to be cancelled.
const CANCELLING: Duration = Duration::from_millis(200);

/// How long a job takes to be stopped with a savepoint.
const STOPPING: Duration = Duration::from_millis(500);

/// What a JobManager is started with.
#[derive(Clone, Debug)]
pub(crate) struct Application {
    pub(crate) job: String,
    pub(crate) name: String,
    pub(crate) parallelism: u32,
    /// From the start of the JobManager until all tasks run.
    pub(crate) running_after: Duration,
    /// How often a checkpoint is completed.
    pub(crate) checkpoints: Option<Duration>,
    /// The savepoint that the job starts from; its path ends with its number.
    pub(crate) savepoint: Option<String>,
}

/// A stop that was asked for.
#[derive(Clone, Debug)]
struct Stop {
    since: Instant,
    trigger: String,
    /// The number of its savepoint.
    number: u128,
    path: String,
}

/// A JobManager that answers until it is dropped.
#[derive(Debug)]
pub(crate) struct JobManager {
    pub(crate) address: Ipv4Addr,
    life: Arc<Life>,
    served: JoinHandle<()>,
}

#[derive(Debug)]
struct Life {
    application: Application,
    started: Instant,
    start_time: i64,
    cancelled: Mutex<Option<Instant>>,
    stopped: Mutex<Option<Stop>>,
    calls: AtomicU64,
    counts: Arc<Counts>,
}

/// What was asked of JobManagers.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) calls: AtomicU64,
    pub(crate) connections: AtomicU64,
}

impl Counts {
    /// Returns calls and connections so far.
    pub(crate) fn now(&self) -> (u64, u64) {
        (
            self.calls.load(Ordering::Relaxed),
            self.connections.load(Ordering::Relaxed),
        )
    }
}

impl JobManager {
    /// Starts a JobManager, whose REST API answers at once.
    pub(crate) async fn start(application: Application, counts: Arc<Counts>) -> Self {
        let (address, listener) = listen().await;
        let life = Arc::new(Life {
            application,
            started: Instant::now(),
            start_time: Timestamp::now().as_millisecond(),
            cancelled: Mutex::new(None),
            stopped: Mutex::new(None),
            calls: AtomicU64::new(0),
            counts,
        });
        let served = tokio::spawn(serve(listener, Arc::clone(&life)));
        Self {
            address,
            life,
            served,
        }
    }

    /// Returns how many calls it had so far.
    #[allow(dead_code)] // the load test asks for it
    pub(crate) fn calls(&self) -> u64 {
        self.life.calls.load(Ordering::Relaxed)
    }

    /// Returns the id of its job.
    pub(crate) fn job(&self) -> &str {
        &self.life.application.job
    }
}

impl Drop for JobManager {
    /// Ends the process: nobody listens, and all connections are closed.
    fn drop(&mut self) {
        self.served.abort();
    }
}

/// Takes an address of its own that nobody else uses.
async fn listen() -> (Ipv4Addr, TcpListener) {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    // Another run of these tests on the same machine most likely has another block.
    let block = u8::try_from(1 + std::process::id() % 250).unwrap();
    loop {
        let [_, _, high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let address = Ipv4Addr::new(127, block, high, low);
        if let Ok(listener) = TcpListener::bind((address, PORT)).await {
            return (address, listener);
        }
    }
}

async fn serve(listener: TcpListener, life: Arc<Life>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        life.counts.connections.fetch_add(1, Ordering::Relaxed);
        let life = Arc::clone(&life);
        connections.spawn(async move { converse(stream, &life).await });
        while connections.try_join_next().is_some() {}
    }
}

/// Answers one request after another on a connection until the client closes it.
async fn converse(stream: TcpStream, life: &Life) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut first = String::new();
        stream
            .read_line(&mut first)
            .await
            .ok()
            .filter(|length| *length > 0)?;
        let mut body = 0;
        loop {
            let mut header = String::new();
            stream
                .read_line(&mut header)
                .await
                .ok()
                .filter(|length| *length > 0)?;
            let Some((name, value)) = header.split_once(':') else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                body = value.trim().parse().ok()?;
            }
        }
        let mut content = vec![0; body];
        stream.read_exact(&mut content).await.ok()?;
        let content = serde_json::from_slice(&content).unwrap_or_default();
        life.calls.fetch_add(1, Ordering::Relaxed);
        life.counts.calls.fetch_add(1, Ordering::Relaxed);
        let mut words = first.split_whitespace();
        let (status, text) = life.answer(words.next()?, words.next()?, &content);
        let text = text.to_string();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: {}\r\n\r\n",
            text.len()
        );
        stream.write_all((head + &text).as_bytes()).await.ok()?;
    }
}

impl Life {
    fn answer(&self, method: &str, path: &str, content: &Value) -> (&'static str, Value) {
        let path = path.split('?').next().unwrap_or_default();
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let known = |job: &str| job == self.application.job;
        match (method, &parts[..]) {
            ("GET", ["config"]) => (
                "200 OK",
                json!({ "refresh-interval": 3000, "timezone-name": "Coordinated Universal Time", "timezone-offset": 0,
                "flink-version": "1.20.1", "flink-revision": "b1fe7b4 @ 2025-02-05T12:10:12+01:00", "features": { "web-submit": false } }),
            ),
            ("GET", ["overview"]) => (
                "200 OK",
                json!({ "taskmanagers": 1, "slots-total": 2, "slots-available": 0,
                "jobs-running": 1, "jobs-finished": 0, "jobs-cancelled": 0, "jobs-failed": 0, "flink-version": "1.20.1", "flink-commit": "b1fe7b4" }),
            ),
            ("GET", ["taskmanagers"]) => (
                "200 OK",
                json!({ "taskmanagers": [{ "id": "taskmanager-1-1", "slotsNumber": 2, "freeSlots": 0 }] }),
            ),
            ("GET", ["jobs", "overview"]) => ("200 OK", json!({ "jobs": [self.overview()] })),
            ("GET", ["jobs", job, "checkpoints"]) if known(job) => ("200 OK", self.checkpoints()),
            ("GET", ["jobs", job, "exceptions"]) if known(job) => (
                "200 OK",
                json!({ "root-exception": null, "timestamp": null, "all-exceptions": [], "truncated": false,
                    "exceptionHistory": { "entries": [], "truncated": false } }),
            ),
            ("PATCH", ["jobs", job]) if known(job) => {
                self.cancelled
                    .lock()
                    .unwrap()
                    .get_or_insert_with(Instant::now);
                ("202 Accepted", json!({}))
            }
            ("POST", ["jobs", job, "stop"]) if known(job) => {
                let trigger = content["triggerId"].as_str().unwrap_or_default();
                self.stop(
                    trigger,
                    content["targetDirectory"].as_str().unwrap_or_default(),
                );
                ("202 Accepted", json!({ "request-id": trigger }))
            }
            ("GET", ["jobs", job, "savepoints", trigger]) if known(job) => self.outcome(trigger),
            _ => (
                "404 Not Found",
                json!({ "errors": [format!("Unable to load requested file {path}.")] }),
            ),
        }
    }

    fn stop(&self, trigger: &str, directory: &str) {
        let number = self.first() + self.done() + 1;
        let path = format!(
            "{directory}/savepoint-{}-{number}",
            &self.application.job[..6]
        );
        self.stopped.lock().unwrap().get_or_insert_with(|| Stop {
            since: Instant::now(),
            trigger: trigger.to_owned(),
            number,
            path,
        });
    }

    /// Returns the stop, once the job has ended with it.
    fn ended(&self) -> Option<Stop> {
        let stop = self.stopped.lock().unwrap().clone();
        stop.filter(|stop| stop.since.elapsed() > STOPPING)
    }

    fn outcome(&self, trigger: &str) -> (&'static str, Value) {
        let stop = self.stopped.lock().unwrap().clone();
        match stop.filter(|stop| stop.trigger == trigger) {
            Some(stop) if stop.since.elapsed() > STOPPING => (
                "200 OK",
                json!({ "status": { "id": "COMPLETED" }, "operation": { "location": stop.path } }),
            ),
            Some(_) => (
                "200 OK",
                json!({ "status": { "id": "IN_PROGRESS" }, "operation": null }),
            ),
            None => (
                "404 Not Found",
                json!({ "errors": [format!("There is no savepoint operation with triggerId={trigger}")] }),
            ),
        }
    }

    /// Returns the number that the job's own checkpoints go on from.
    fn first(&self) -> u128 {
        let path = self.application.savepoint.as_deref();
        let number = path.and_then(|path| path.rsplit('-').next()?.parse().ok());
        number.unwrap_or(0)
    }

    /// Returns how many checkpoints are complete.
    fn done(&self) -> u128 {
        self.application.checkpoints.map_or(0, |interval| {
            self.started.elapsed().as_millis() / interval.as_millis()
        })
    }

    fn overview(&self) -> Value {
        let parallelism = self.application.parallelism;
        let (state, tasks, total) = match *self.cancelled.lock().unwrap() {
            None if self.ended().is_some() => ("FINISHED", "finished", parallelism),
            Some(since) if since.elapsed() > CANCELLING => ("CANCELED", "canceled", parallelism),
            Some(_) => ("CANCELLING", "canceling", parallelism),
            None if self.started.elapsed() > self.application.running_after => {
                ("RUNNING", "running", parallelism)
            }
            None => ("INITIALIZING", "running", 0),
        };
        let mut counts = json!({ "total": total, "created": 0, "scheduled": 0, "deploying": 0, "running": 0, "finished": 0,
            "canceling": 0, "canceled": 0, "failed": 0, "reconciling": 0, "initializing": 0 });
        counts[tasks] = json!(total);
        json!({
            "jid": self.application.job,
            "name": self.application.name,
            "state": state,
            "start-time": self.start_time,
            "end-time": -1,
            "duration": self.started.elapsed().as_millis(),
            "last-modification": self.start_time,
            "tasks": counts,
        })
    }

    fn checkpoints(&self) -> Value {
        let done = self.done();
        let entry = |id: u128, kind: &str, path: String| {
            json!({ "className": "completed", "id": id, "status": "COMPLETED", "is_savepoint": kind != "CHECKPOINT", "checkpoint_type": kind,
                "trigger_timestamp": Timestamp::now().as_millisecond(), "state_size": 1024 * done, "end_to_end_duration": 5,
                "external_path": path, "discarded": false })
        };
        let stop = self.ended();
        let newest = (done > 0 && stop.is_none()).then(|| {
            let id = self.first() + done;
            entry(
                id,
                "CHECKPOINT",
                format!("file:///checkpoints/{}/chk-{id}", self.application.job),
            )
        });
        let savepoint = stop.map(|stop| entry(stop.number, "SYNC_SAVEPOINT", stop.path));
        let restored = self.application.savepoint.as_ref().map(|path| {
            json!({ "id": self.first(), "restore_timestamp": self.start_time, "is_savepoint": true, "external_path": path })
        });
        json!({
            "counts": { "restored": u8::from(restored.is_some()), "total": done, "in_progress": 0, "completed": done, "failed": 0 },
            "latest": { "completed": newest, "savepoint": savepoint, "failed": null, "restored": restored },
            "history": savepoint.iter().chain(&newest).collect::<Vec<_>>(),
        })
    }
}
