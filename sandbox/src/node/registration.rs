//! The Node object: made at the start, kept alive by heartbeats.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node as NodeObject;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use super::config::NodeConfig;

const HEARTBEAT: Duration = Duration::from_secs(20);

/// What the node pretends to have. Requests only decide about scheduling, and a Flink cluster asks for far more than an idle
/// one uses, so the numbers of a small machine would keep a demo from fitting on it.
pub(super) fn allocatable() -> BTreeMap<String, Quantity> {
    let amounts = [
        ("cpu", "64"),
        ("memory", "256Gi"),
        ("ephemeral-storage", "1Ti"),
        ("pods", "500"),
    ];
    amounts
        .into_iter()
        .map(|(name, amount)| (name.to_owned(), Quantity(amount.to_owned())))
        .collect()
}

/// Returns the labels of the node.
pub(super) fn labels(name: &str) -> BTreeMap<String, String> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let labels = [
        ("kubernetes.io/hostname", name),
        ("kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", architecture),
    ];
    labels
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Makes the Node object, unless an earlier run has, and says that it is ready.
pub(super) async fn register(config: &NodeConfig, kubelet: u16) -> Result<()> {
    let name = &config.node_name;
    let mut object = NodeObject::default();
    (object.metadata.name, object.metadata.labels) = (Some(name.clone()), Some(labels(name)));
    let api = Api::<NodeObject>::all(config.client.clone());
    match api.create(&PostParams::default(), &object).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.is_already_exists() => {}
        Err(error) => {
            return Err(error).with_context(|| format!("cannot register the node {name}"));
        }
    }
    report(config, kubelet)
        .await
        .with_context(|| format!("cannot report the node {name} ready"))
}

/// Repeats that the node is ready, for ever.
pub(super) async fn beat(config: &NodeConfig, kubelet: u16) {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        if let Err(error) = report(config, kubelet).await {
            tracing::warn!(%error, "cannot report the node ready");
        }
    }
}

async fn report(config: &NodeConfig, kubelet: u16) -> Result<(), kube::Error> {
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let condition = json!({
        "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "the sandbox runs pods as processes",
        "lastHeartbeatTime": now,
    });
    let address = config.network.gateway().to_string();
    let body = json!({ "status": {
        // No host name: the API server would prefer it to the address, and cannot look it up.
        "addresses": [{ "type": "InternalIP", "address": address }],
        "daemonEndpoints": { "kubeletEndpoint": { "Port": kubelet } },
        "capacity": allocatable(),
        "allocatable": allocatable(),
        "conditions": [condition],
        "nodeInfo": {
            "architecture": labels(&config.node_name)["kubernetes.io/arch"], "operatingSystem": "linux",
            "containerRuntimeVersion": concat!("sandbox://", env!("CARGO_PKG_VERSION")),
            "kubeletVersion": "v1.35.4", "kubeProxyVersion": "", "kernelVersion": kernel(), "osImage": "this machine",
            "machineID": "", "systemUUID": "", "bootID": "",
        },
    }});
    let api = Api::<NodeObject>::all(config.client.clone());
    api.patch_status(
        &config.node_name,
        &PatchParams::default(),
        &Patch::Strategic(body),
    )
    .await
    .map(drop)
}

fn kernel() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease")
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}
