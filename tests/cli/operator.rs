//! The running program beside the in-memory world, which it reaches over a real connection.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use flink_operator_world::cluster::{Settings, World};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::command::root;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How often a condition is looked at.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

/// How far time moves at once.
const STEP: Duration = Duration::from_millis(5);

/// A world behind a port of this machine.
pub(crate) struct Served {
    pub(crate) world: World,
    kubeconfig: PathBuf,
    folder: TempDir,
}

impl Served {
    /// Starts a world in which these definitions are installed.
    pub(crate) async fn start(crds: &[Value]) -> Self {
        tokio::spawn(let_time_pass());
        let world = World::start(Settings::default(), crds);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = world.api.client("operator");
        let router = Router::new().fallback(pass_on).with_state(client);
        tokio::spawn(axum::serve(listener, router).into_future());
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = kubeconfig(folder.path(), &address.to_string());
        Self {
            world,
            kubeconfig,
            folder,
        }
    }

    /// Starts a world with the definitions of this version.
    pub(crate) async fn with_crds() -> Self {
        let crds: Vec<Value> = flink_operator_api::crds()
            .iter()
            .map(|crd| serde_json::to_value(crd).unwrap())
            .collect();
        Self::start(&crds).await
    }

    /// Returns a command for the program that reaches this world and nothing else.
    pub(crate) fn program(&self) -> Command {
        program(&self.kubeconfig)
    }

    /// Writes a configuration directory.
    pub(crate) fn configuration(&self, name: &str, options: &[(&str, &str)]) -> PathBuf {
        configuration(self.folder.path(), name, options)
    }

    /// Starts an operator that logs JSON, and waits until it serves its pages.
    pub(crate) async fn operator(&self, name: &str, options: &[(&str, &str)]) -> Operator {
        let log = self.folder.path().join(format!("{name}.log"));
        let file = std::fs::File::create(&log).unwrap();
        let child = self
            .program()
            .args([
                "run",
                "--http-address",
                "127.0.0.1:0",
                "--log-format",
                "json",
            ])
            .args(["--flink-access", "proxy"])
            .env("HOSTNAME", name)
            .env("RUST_LOG", "info,flink_operator_actors=debug")
            .env("FLINK_CONF_DIR", self.configuration(name, options))
            .stderr(file)
            .spawn()
            .unwrap();
        let mut operator = Operator {
            child,
            log,
            address: String::new(),
        };
        let listens = |line: &Value| Some(line["address"].as_str()?.to_owned());
        operator.address = until("pages are served", async || {
            operator.lines().iter().find_map(listens)
        })
        .await;
        operator
    }
}

/// Returns a command for the program that reaches one API server and knows nothing else of this machine.
pub(crate) fn program(kubeconfig: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flink-operator"));
    command
        .env_clear()
        .env("KUBECONFIG", kubeconfig)
        .current_dir(root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Writes a kubeconfig for a server.
pub(crate) fn kubeconfig(folder: &Path, address: &str) -> PathBuf {
    let path = folder.join("kubeconfig");
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "clusters": [{ "name": "it", "cluster": { "server": format!("http://{address}") } }],
        "users": [{ "name": "it", "user": {} }],
        "contexts": [{ "name": "it", "context": { "cluster": "it", "user": "it" } }],
    });
    std::fs::write(&path, config.to_string()).unwrap();
    path
}

/// Writes a configuration directory.
pub(crate) fn configuration(folder: &Path, name: &str, options: &[(&str, &str)]) -> PathBuf {
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let lines: Vec<String> = options
        .iter()
        .map(|(key, value)| format!("kubernetes.operator.{key}: {value}\n"))
        .collect();
    std::fs::write(folder.join("flink-conf.yaml"), lines.concat()).unwrap();
    folder
}

/// Moves the paused time of this runtime along with real time.
///
/// The world wants time to stand still while it takes a step; the program beside it lives in real time. A blocking
/// task is under way throughout, since time would leap ahead without one whenever nobody here has work.
async fn let_time_pass() {
    let rest = || tokio::task::spawn_blocking(|| std::thread::sleep(STEP));
    let (mut last, mut resting) = (std::time::Instant::now(), rest());
    loop {
        let next = rest();
        resting.await.unwrap();
        tokio::time::advance(last.elapsed()).await;
        last = std::time::Instant::now();
        resting = next;
    }
}

/// Gives a request to the world as it came.
async fn pass_on(State(client): State<kube::Client>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, 64 << 20).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let request = axum::http::Request::from_parts(head, kube::client::Body::from(body.to_vec()));
    match client.send(request).await {
        Ok(response) => response.map(Body::new),
        // A cut connection, as far as HTTP can say it.
        Err(error) => {
            (StatusCode::BAD_GATEWAY, HeaderMap::new(), error.to_string()).into_response()
        }
    }
}

/// A running operator; it is killed when this is dropped, and a failed test shows its log.
pub(crate) struct Operator {
    child: Child,
    log: PathBuf,
    address: String,
}

impl Drop for Operator {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            println!("{}:\n{log}", self.log.display());
        }
    }
}

impl Operator {
    /// Returns what was logged so far; every line has to be an object.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.log).unwrap();
        // The last line may be half written.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }

    /// Asks for a page; the status and the body, or nothing if nobody answers.
    pub(crate) async fn page(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.ok()?;
        let (head, body) = reply.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    }

    /// Asks for a page of JSON.
    pub(crate) async fn json(&self, path: &str) -> Option<(u16, Value)> {
        let (status, body) = self.page(path).await?;
        Some((status, serde_json::from_str(&body).ok()?))
    }

    /// Waits until it serves.
    pub(crate) async fn ready(&self) {
        until("the operator is ready", async || {
            self.page("/readyz")
                .await
                .filter(|(status, _)| *status == 200)
        })
        .await;
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.child.id().expect("it runs");
        kill(Pid::from_raw(i32::try_from(id).unwrap()), signal).unwrap();
    }

    /// Waits until the process has ended, and returns its exit status.
    pub(crate) async fn ended(&mut self) -> i32 {
        let status = timeout(PATIENCE, self.child.wait())
            .await
            .expect("it ends")
            .unwrap();
        status.code().expect("it ends by itself")
    }
}

/// Waits until there is an answer.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let found = timeout(PATIENCE, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            sleep(LOOK).await;
        }
    });
    found
        .await
        .unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}"))
}
