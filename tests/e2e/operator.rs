//! The operator as a process: started with the rights of its account, stopped, killed, asked.

use std::cell::RefCell;
use std::fs::OpenOptions;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Stdio;
use std::time::Duration;

use flink_sandbox::launcher::Launcher;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::process::Child;
use tokio::time::timeout;

use crate::http;
use crate::resource::SOON;
use crate::scene::Scene;
use crate::stage::{operator_program, repository, sandbox_program};

/// How often a job that runs is looked at, so that tests see several looks.
pub(crate) const INTERVAL: Duration = Duration::from_secs(5);
/// A graceful end gives back what it holds and waits for passes under way.
const STOP: Duration = Duration::from_secs(20);

/// An operator that watches one test's namespace.
pub(crate) struct Operator<'a> {
    scene: &'a Scene,
    child: Child,
    port: u16,
}

impl<'a> Operator<'a> {
    /// Starts an operator and waits until it is ready.
    pub(crate) async fn start(scene: &'a Scene) -> Self {
        let server = cluster(scene)["cluster"]["server"]
            .as_str()
            .unwrap()
            .to_owned();
        let mut operator = Self::launch(scene, &server, &[]).await;
        operator.ready().await;
        operator
    }

    /// Starts an operator that takes this address for the API server's, and does not wait for it.
    pub(crate) async fn launch(scene: &'a Scene, server: &str, arguments: &[&str]) -> Self {
        let port = free_port();
        let config = configure(scene, port);
        let kubeconfig = write_kubeconfig(scene, server).await;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(scene.folder.join("operator.log"))
            .unwrap();
        let launcher = Launcher::new(
            sandbox_program(),
            scene.stage.sandbox.instance().directory(),
        );
        // It ends with this thread, however the test ends.
        let child = launcher
            .command(&format!("operator-{}", scene.namespace), operator_program())
            .arg("run")
            .args(arguments)
            .env("KUBECONFIG", kubeconfig)
            .env("FLINK_CONF_DIR", config)
            .env("WATCH_NAMESPACES", &scene.namespace)
            .env("OPERATOR_NAMESPACE", &scene.namespace)
            .env("OPERATOR_NAME", "flink-operator")
            .env("RUST_LOG", "info,flink_operator_actors=debug")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        scene.chronicle.note("operator starts");
        Self { scene, child, port }
    }

    /// Waits until it serves, or has ended.
    pub(crate) async fn ready(&mut self) {
        let (scene, port) = (self.scene, self.port);
        let child = RefCell::new(&mut self.child);
        let serves = async || {
            let page = http::get(("127.0.0.1", port), "/readyz").await;
            let ended = child.borrow_mut().try_wait().unwrap();
            (ended.is_some() || page.is_some_and(|(status, _)| status == 200)).then_some(ended)
        };
        let ended = scene.until(SOON, "the operator is ready", serves).await;
        assert_eq!(ended, None, "the operator ended instead of getting ready");
    }

    /// Returns what the actor of a resource says of itself, if there is one.
    pub(crate) async fn actor(&self, resource: &str) -> Option<Value> {
        let page = http::get_json(("127.0.0.1", self.port), "/actors").await;
        let page = page.expect("the operator's page /actors answers");
        let actors = page["actors"].as_array().unwrap();
        actors
            .iter()
            .find(|actor| actor["name"] == resource)
            .cloned()
    }

    /// Kills it as a lost machine would.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
        self.scene.chronicle.note("operator killed");
    }

    /// Ends it as Kubernetes does; it has to exit by itself, with success.
    pub(crate) async fn stop(mut self) {
        // One that still starts would die of the signal like any process.
        self.ready().await;
        let id = self.child.id().expect("the operator runs");
        kill(Pid::from_raw(i32::try_from(id).unwrap()), Signal::SIGTERM).unwrap();
        let status = timeout(STOP, self.child.wait()).await;
        let status = status.expect("the operator ends when asked to").unwrap();
        assert!(status.success(), "the operator ended with {status}");
        self.scene.chronicle.note("operator stopped");
    }
}

/// Writes the chart's configuration with shorter intervals.
fn configure(scene: &Scene, port: u16) -> std::path::PathBuf {
    let chart = repository().join("helm/flink-kubernetes-operator");
    let directory = scene.folder.join("conf");
    std::fs::create_dir_all(&directory).unwrap();
    let logging = "log4j-console.properties";
    std::fs::copy(chart.join("logging").join(logging), directory.join(logging)).unwrap();
    let shipped = std::fs::read_to_string(chart.join("conf/flink-conf.yaml")).unwrap();
    let own = [
        ("reconcile.interval", format!("{} s", INTERVAL.as_secs())),
        ("observer.progress-check.interval", "2 s".to_owned()),
        ("health.probe.port", port.to_string()),
    ];
    let own = own.map(|(key, value)| format!("kubernetes.operator.{key}: {value}\n"));
    std::fs::write(directory.join("flink-conf.yaml"), shipped + &own.concat()).unwrap();
    directory
}

/// Writes a kubeconfig that only its owner can read, with the token of the operator's account.
async fn write_kubeconfig(scene: &Scene, server: &str) -> std::path::PathBuf {
    let mut cluster = cluster(scene);
    cluster["cluster"]["server"] = json!(server);
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [cluster],
        "users": [{ "name": "operator", "user": { "token": scene.operator_token().await } }],
        "contexts": [{ "name": "e2e", "context": { "cluster": "sandbox", "user": "operator" } }],
        "current-context": "e2e",
    });
    let path = scene.folder.join("operator.kubeconfig");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .unwrap();
    file.write_all(config.to_string().as_bytes()).unwrap();
    path
}

/// Returns how the administrator reaches the API server.
fn cluster(scene: &Scene) -> Value {
    let text = std::fs::read_to_string(scene.stage.sandbox.kubeconfig()).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    config["clusters"][0].take()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}
