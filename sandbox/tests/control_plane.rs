//! The real control plane: it serves, and nothing of it stays, however it ends.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use flink_sandbox::instance::Instance;
use flink_sandbox::launcher::MARK_VARIABLE;
use flink_sandbox::process::{Process, with_variable};
use flink_sandbox::status::{State, Status};
use flink_sandbox::{Options, Sandbox};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use nix::sys::signal::Signal;
use serde_json::json;
use tokio::time::{Instant, sleep};

#[tokio::test]
async fn it_serves_and_ends_without_a_trace() {
    let state_dir = sandboxes();
    let options = Options {
        state_dir: Some(state_dir.path().into()),
        binary: Some(binary()),
        audit: true,
        ..Options::control_plane()
    };
    let sandbox = Sandbox::up(options).await.unwrap();
    let client = sandbox.client().await.unwrap();
    let ready = client
        .request_text(http::Request::get("/readyz").body(Vec::new()).unwrap())
        .await
        .unwrap();
    assert_eq!(ready, "ok");

    let namespaces: Api<Namespace> = Api::all(client.clone());
    let wanted = serde_json::from_value(json!({ "metadata": { "name": "try" } })).unwrap();
    namespaces
        .create(&PostParams::default(), &wanted)
        .await
        .unwrap();
    let accounts: Api<ServiceAccount> = Api::namespaced(client, "try");
    eventually("the new namespace has a service account", async || {
        accounts.get_opt("default").await.unwrap().is_some()
    })
    .await;
    namespaces
        .delete("try", &DeleteParams::default())
        .await
        .unwrap();
    eventually("the namespace is gone", async || {
        namespaces.get_opt("try").await.unwrap().is_none()
    })
    .await;
    let audit = fs::read_to_string(sandbox.audit_log()).unwrap();
    assert!(
        audit.contains(r#""verb":"create","user":{"username":"admin""#),
        "no request of ours in the audit log"
    );

    let instance = sandbox.instance().clone();
    assert_eq!(
        remains(&instance).len(),
        3,
        "etcd, kube-apiserver and kube-controller-manager carry the mark"
    );
    sandbox.down().await.unwrap();
    assert_eq!(remains(&instance), []);
    assert!(!instance.directory().exists());
}

#[tokio::test]
async fn it_ends_with_the_value_that_holds_it() {
    let state_dir = sandboxes();
    let options = Options {
        state_dir: Some(state_dir.path().into()),
        binary: Some(binary()),
        ..Options::control_plane()
    };
    let sandbox = Sandbox::up(options).await.unwrap();
    let instance = sandbox.instance().clone();
    drop(sandbox);
    assert_eq!(remains(&instance), []);
    assert!(!instance.directory().exists());
}

#[tokio::test]
async fn a_killed_one_takes_its_processes_along_and_the_next_one_starts_afresh() {
    let state_dir = sandboxes();
    let instance = Instance::new(state_dir.path(), "demo").unwrap();
    let first = run(state_dir.path(), &["up", "--name", "demo", "--no-node"]);
    assert_eq!(
        first,
        format!("export KUBECONFIG={}\n", instance.kubeconfig().display())
    );
    assert_eq!(
        run(state_dir.path(), &["up", "--name", "demo", "--no-node"]),
        first,
        "a second up finds it running"
    );
    fs::write(instance.directory().join("litter"), "").unwrap();

    let supervisor = instance.read().unwrap().unwrap().supervisor;
    supervisor.signal(Signal::SIGKILL).unwrap();
    eventually("the processes die with their parent", async || {
        remains(&instance).is_empty()
    })
    .await;
    assert_eq!(Status::of(&instance).await.unwrap().state(), State::Killed);

    // One that got away, and one that has only inherited the process id of a former part.
    let mut stray = Command::new("sleep")
        .arg("600")
        .env(MARK_VARIABLE, instance.directory())
        .spawn()
        .unwrap();
    let mut innocent = Command::new("sleep").arg("600").spawn().unwrap();
    fs::write(
        instance.directory().join("processes/innocent"),
        format!("{} 1", innocent.id()),
    )
    .unwrap();
    run(state_dir.path(), &["up", "--name", "demo", "--no-node"]);
    assert_eq!(Status::of(&instance).await.unwrap().state(), State::Ready);
    assert!(!instance.directory().join("litter").exists());
    assert!(!stray.wait().unwrap().success());
    assert!(innocent.try_wait().unwrap().is_none());
    innocent.kill().unwrap();
    innocent.wait().unwrap();

    instance
        .read()
        .unwrap()
        .unwrap()
        .supervisor
        .signal(Signal::SIGKILL)
        .unwrap();
    run(state_dir.path(), &["down", "--name", "demo"]);
    assert_eq!(remains(&instance), []);
    assert!(!instance.directory().exists());
}

#[tokio::test]
async fn a_part_that_dies_is_named_and_the_logs_stay() {
    let state_dir = sandboxes();
    let instance = Instance::new(state_dir.path(), "demo").unwrap();
    run(state_dir.path(), &["up", "--name", "demo", "--no-node"]);
    let etcd = Process::read(&instance.directory().join("processes/etcd")).unwrap();
    etcd.signal(Signal::SIGKILL).unwrap();
    eventually("the failure is noticed", async || {
        Status::of(&instance).await.unwrap().state() == State::Failed
    })
    .await;
    eventually("the other parts are ended", async || {
        remains(&instance).is_empty()
    })
    .await;
    let problem = Status::of(&instance)
        .await
        .unwrap()
        .problem()
        .unwrap()
        .to_owned();
    assert!(
        problem.starts_with("etcd ended with signal: 9"),
        "{problem}"
    );
    assert!(instance.logs().join("kube-apiserver.log").exists());
    run(state_dir.path(), &["down", "--name", "demo"]);
    assert!(!instance.directory().exists());
}

#[tokio::test]
async fn an_interrupted_start_cleans_up() {
    let state_dir = sandboxes();
    let instance = Instance::new(state_dir.path(), "demo").unwrap();
    let arguments = ["up", "--name", "demo", "--no-node"];
    let mut up = Command::new(binary())
        .arg("--state-dir")
        .arg(state_dir.path())
        .args(arguments)
        .spawn()
        .unwrap();
    eventually("etcd is started", async || !remains(&instance).is_empty()).await;
    Process::find(i32::try_from(up.id()).unwrap())
        .unwrap()
        .signal(Signal::SIGINT)
        .unwrap();
    assert_eq!(up.wait().unwrap().code(), Some(1));
    assert_eq!(remains(&instance), []);
    assert!(!instance.directory().exists());
}

#[tokio::test]
async fn a_start_that_fails_says_why() {
    let state_dir = sandboxes();
    let options = Options {
        state_dir: Some(state_dir.path().into()),
        binary: Some(binary()),
        api_server_arguments: vec!["--no-such-option".into()],
        ..Options::control_plane()
    };
    let error = Sandbox::up(options).await.unwrap_err().to_string();
    assert!(
        error.contains("kube-apiserver ended with exit status: 1"),
        "{error}"
    );
    assert!(error.contains("unknown flag: --no-such-option"), "{error}");
    let left: Vec<_> = fs::read_dir(state_dir.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Makes a state directory whose sandboxes are ended when it goes out of scope, also by a failed test.
fn sandboxes() -> StateDir {
    StateDir(tempfile::tempdir().unwrap())
}

struct StateDir(tempfile::TempDir);

impl StateDir {
    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        let ended = Command::new(binary())
            .arg("--state-dir")
            .arg(self.path())
            .args(["down", "--all"])
            .output()
            .unwrap();
        assert!(
            ended.status.success() || std::thread::panicking(),
            "{ended:?}"
        );
    }
}

fn binary() -> PathBuf {
    env!("CARGO_BIN_EXE_flink-sandbox").into()
}

/// Runs the program to its end and returns what it printed.
fn run(state_dir: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(binary());
    let output = command
        .arg("--state-dir")
        .arg(state_dir)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Lists the processes that belong to an instance.
fn remains(instance: &Instance) -> Vec<Process> {
    with_variable(MARK_VARIABLE, instance.directory().as_os_str().as_bytes()).unwrap()
}

/// Waits until something is so.
async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(
            Instant::now() < deadline,
            "waited 30 s in vain until {what}"
        );
        sleep(Duration::from_millis(20)).await;
    }
}
