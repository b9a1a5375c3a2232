//! The operator as a process, with the rights of its own account only.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use flink_sandbox::launcher::Launcher;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};

use super::plane::{Plane, ROOT, operator_program, sandbox_program};
use super::space::Space;
use super::{accounts, flink};

/// How an operator differs from what the chart installs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// Options, without their prefix.
    pub(crate) options: Vec<(&'static str, String)>,
    /// Whether it watches all namespaces, and not its own alone.
    pub(crate) everywhere: bool,
    /// What it logs, if not much.
    pub(crate) log: Option<&'static str>,
    /// Another way to the API server.
    pub(crate) server: Option<SocketAddr>,
}

/// A running operator. It is killed when this is dropped, and also with the thread that started it.
pub(crate) struct Operator {
    child: Child,
    pages: SocketAddr,
    log: PathBuf,
    /// From the start of the process until it was ready.
    pub(crate) ready_after: Duration,
}

/// How long a start and a graceful end may take.
const PATIENCE: Duration = Duration::from_secs(30);

impl Operator {
    /// Starts an operator and waits until it is ready.
    pub(crate) async fn start(plane: &Plane, space: &Space, settings: &Settings) -> Self {
        let mut operator = Self::launch(plane, space, settings).await;
        let started = Instant::now();
        while !operator
            .get("/readyz")
            .await
            .is_ok_and(|(code, _)| code == 200)
        {
            assert!(
                operator.child.try_wait().unwrap().is_none(),
                "the operator ended"
            );
            assert!(
                started.elapsed() < PATIENCE,
                "the operator was not ready within {PATIENCE:?}"
            );
            sleep(Duration::from_millis(5)).await;
        }
        operator.ready_after = started.elapsed();
        operator
    }

    async fn launch(plane: &Plane, space: &Space, settings: &Settings) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(env!("CARGO_CRATE_NAME"))
            .join(&space.name);
        fs::create_dir_all(&folder).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let pages = listener.local_addr().unwrap();
        drop(listener);
        let kubeconfig = kubeconfig(plane, space, settings, &folder).await;
        let log = folder.join("operator.log");
        let output = File::create(&log).unwrap();
        let launcher = Launcher::new(sandbox_program(), plane.sandbox().instance().directory());
        let mut command = launcher.command(&format!("operator-{}", space.name), operator_program());
        command
            .args(["run", "--http-address", &pages.to_string()])
            .env("KUBECONFIG", kubeconfig)
            .env("FLINK_CONF_DIR", configure(settings, &folder))
            .env("OPERATOR_NAMESPACE", &space.name)
            .env("OPERATOR_NAME", accounts::OPERATOR)
            .env(
                "RUST_LOG",
                settings.log.unwrap_or("info,flink_operator_actors=debug"),
            )
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        if !settings.everywhere {
            command.env("WATCH_NAMESPACES", &space.name);
        }
        Self {
            child: command.spawn().unwrap(),
            pages,
            log,
            ready_after: Duration::ZERO,
        }
    }

    /// Returns its process id.
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id().expect("the operator runs")).unwrap()
    }

    /// Reads one of its pages: status and text.
    pub(crate) async fn get(&self, path: &str) -> std::io::Result<(u16, String)> {
        let mut stream = TcpStream::connect(self.pages).await?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: application/json\r\nConnection: close\r\n\r\n",
            self.pages
        );
        stream.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        let code = text
            .get(9..12)
            .and_then(|code| code.parse().ok())
            .unwrap_or_default();
        let body = text
            .split_once("\r\n\r\n")
            .map_or("", |(_, body)| body)
            .to_owned();
        Ok((code, body))
    }

    /// Ends it as Kubernetes does; it has to exit by itself, with success.
    pub(crate) async fn stop(mut self) {
        kill(Pid::from_raw(self.pid()), Signal::SIGTERM).unwrap();
        let ended = timeout(PATIENCE, self.child.wait()).await;
        let status = ended.expect("the operator ends when asked to").unwrap();
        assert!(status.success(), "the operator ended with {status}");
    }

    /// Returns what it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let end = lines[lines.len().saturating_sub(40)..].join("\n");
            eprintln!("the end of {}:\n{end}", self.log.display());
        }
    }
}

/// Writes the chart's configuration with what the test wants.
fn configure(settings: &Settings, folder: &Path) -> PathBuf {
    let chart = Path::new(ROOT).join("helm/flink-kubernetes-operator");
    let directory = folder.join("conf");
    fs::create_dir_all(&directory).unwrap();
    let logging = "log4j-console.properties";
    fs::copy(chart.join("logging").join(logging), directory.join(logging)).unwrap();
    let shipped = fs::read_to_string(chart.join("conf/flink-conf.yaml")).unwrap();
    let own = settings
        .options
        .iter()
        .map(|(key, value)| format!("kubernetes.operator.{key}: {value}\n"));
    let own: String = own
        .chain([format!("rest.port: {}\n", flink::PORT)])
        .collect();
    fs::write(
        directory.join("flink-conf.yaml"),
        format!("{shipped}\n{own}"),
    )
    .unwrap();
    directory
}

/// Writes a kubeconfig for the operator's account, readable by its owner only.
async fn kubeconfig(plane: &Plane, space: &Space, settings: &Settings, folder: &Path) -> PathBuf {
    let text = fs::read_to_string(plane.sandbox().kubeconfig()).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    if let Some(server) = settings.server {
        config["clusters"][0]["cluster"]["server"] = json!(format!("https://{server}"));
    }
    let user = config["users"][0]["name"].clone();
    config["users"] = json!([{ "name": user, "user": { "token": accounts::token(space).await } }]);
    let path = folder.join("operator.kubeconfig");
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .unwrap();
    file.write_all(config.to_string().as_bytes()).unwrap();
    path
}
