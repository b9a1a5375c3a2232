//! A sandbox that is killed while pods run. Needs root, or `flink-sandbox unshare`.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use flink_sandbox::instance::Instance;
use flink_sandbox::launcher::MARK_VARIABLE;
use flink_sandbox::network::Network;
use flink_sandbox::process::{Process, with_variable};
use flink_sandbox::{Options, Sandbox};
use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use kube::{Api, Client};
use nix::sys::signal::Signal;
use serde_json::json;
use tokio::time::{Instant, sleep};

/// A process group of its own, a daemon and a directory on the host: what a clean-up might overlook.
const SCRIPT: &str = "setsid sleep 600 & (sleep 600 &) ; echo precious > /data/file; sleep 600";

async fn run_pod(client: Client, host_directory: &Path) {
    let pods: Api<Pod> = Api::namespaced(client, "default");
    let pod = json!({
        "metadata": { "name": "stubborn" },
        "spec": {
            "terminationGracePeriodSeconds": 600,
            "containers": [{
                "name": "main",
                "image": "busybox",
                "command": ["sh", "-c", SCRIPT],
                "volumeMounts": [{ "name": "data", "mountPath": "/data" }],
            }],
            "volumes": [{ "name": "data", "hostPath": { "path": host_directory } }],
        },
    });
    pods.create(
        &PostParams::default(),
        &serde_json::from_value(pod).unwrap(),
    )
    .await
    .unwrap();
    eventually("the pod works", async || {
        host_directory.join("file").exists()
    })
    .await;
}

fn remains(instance: &Instance) -> Vec<Process> {
    with_variable(MARK_VARIABLE, instance.directory().as_os_str().as_bytes()).unwrap()
}

fn mounts(instance: &Instance) -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mounts").unwrap();
    let directory = instance.directory().display().to_string();
    table
        .lines()
        .filter(|line| line.contains(&directory))
        .map(str::to_owned)
        .collect()
}

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

async fn assert_nothing_is_left(instance: &Instance, host_directory: &Path) {
    assert_eq!(remains(instance), []);
    assert_eq!(
        Network::devices(instance.directory()).await.unwrap(),
        Vec::<String>::new()
    );
    assert_eq!(mounts(instance), Vec::<String>::new());
    assert!(!instance.directory().exists());
    let data = fs::read_to_string(host_directory.join("file")).unwrap();
    assert_eq!(
        data, "precious\n",
        "files of the host are not the sandbox's to remove"
    );
}

#[tokio::test]
async fn nothing_is_left_of_pods() {
    let (state_dir, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let binary = env!("CARGO_BIN_EXE_flink-sandbox");
    let options = || Options {
        name: Some("killed".into()),
        state_dir: Some(state_dir.path().into()),
        binary: Some(binary.into()),
        ..Options::default()
    };
    let sandbox = Sandbox::up(options()).await.unwrap();
    let instance = sandbox.instance().clone();
    run_pod(sandbox.client().await.unwrap(), data.path()).await;
    let devices = Network::devices(instance.directory()).await.unwrap();
    assert_eq!(devices.len(), 2, "{devices:?}");

    instance
        .read()
        .unwrap()
        .unwrap()
        .supervisor
        .signal(Signal::SIGKILL)
        .unwrap();
    eventually("all processes die with the sandbox", async || {
        remains(&instance).is_empty()
    })
    .await;
    let down = Command::new(binary)
        .arg("--state-dir")
        .arg(state_dir.path())
        .args(["down", "--name", "killed"])
        .status();
    assert!(down.unwrap().success());
    assert_nothing_is_left(&instance, data.path()).await;
    drop(sandbox);

    fs::remove_file(data.path().join("file")).unwrap();
    let sandbox = Sandbox::up(options()).await.unwrap();
    run_pod(sandbox.client().await.unwrap(), data.path()).await;
    let began = Instant::now();
    sandbox.down().await.unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "an end does not wait for grace periods"
    );
    assert_nothing_is_left(&instance, data.path()).await;
}
