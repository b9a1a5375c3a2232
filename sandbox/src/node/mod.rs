//! Plays the node: binds pods and runs them as processes.
//!
//! Scheduler and kubelet in one, as far as Flink and its operator need them. A pod's containers are
//! processes with namespaces of their own and a private root; what an image would bring is a directory.
//! It has no cgroups (limits are numbers only), no cluster DNS (hosts files instead) and never routes
//! cluster addresses. Not honoured: security contexts, lifecycle hooks, volumes other than those in `volumes.rs`.

mod backoff;
pub mod config;
mod container;
mod environment;
mod events;
mod facts;
pub mod flink;
mod health;
mod hosts;
mod image;
pub mod init;
mod keeper;
mod kubelet;
mod life;
mod payload;
mod pods;
mod probe;
mod quantity;
mod registration;
mod scheduling;
mod sources;
mod status;
mod termination;
mod volumes;
mod worker;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::runtime::reflector::{self, store::Writer};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};

pub use config::NodeConfig;
pub use flink::install_flink;
pub use init::pod_init;

use events::Events;
use facts::PodFacts;
use hosts::Hosts;
use image::Images;
use keeper::Keepers;
use kubelet::{Kubelet, Running};

/// What the parts of the node share.
struct Node {
    config: NodeConfig,
    allocatable: BTreeMap<String, Quantity>,
    events: Events,
    hosts: Hosts,
    images: Images,
    keepers: Keepers,
    running: Running,
}

impl Node {
    fn new(config: NodeConfig) -> Self {
        Self {
            allocatable: registration::allocatable(),
            events: Events::start(config.client.clone(), &config.node_name),
            hosts: Hosts::default(),
            images: Images::new(
                config.cache.clone(),
                config.progress.clone(),
                config.images.clone(),
                config.launcher.binary().to_path_buf(),
            ),
            keepers: Keepers::new(config.launcher.clone()),
            running: Running::default(),
            config,
        }
    }

    /// Returns the address of the machine on the pods' network.
    fn host_ip(&self) -> Ipv4Addr {
        self.config.network.gateway()
    }

    /// Returns the directory with a pod's files.
    fn pod_directory(&self, uid: &str) -> PathBuf {
        self.config.state_dir.join("pods").join(uid)
    }

    fn facts<'a>(&'a self, pod: &'a Pod, ip: Option<Ipv4Addr>) -> PodFacts<'a> {
        PodFacts {
            pod,
            ip,
            host_ip: self.host_ip(),
            node: &self.config.node_name,
            allocatable: &self.allocatable,
        }
    }
}

/// Runs the node until `shutdown` is ready; no process of a pod is left when it returns.
pub async fn run(config: NodeConfig, shutdown: impl Future<Output = ()>) -> Result<()> {
    let kubelet = Kubelet::bind(config.network.gateway()).await?;
    let port = kubelet.port();
    registration::register(&config, port).await?;
    let node = Arc::new(Node::new(config));
    let names = follow_services(node.config.client.clone(), node.hosts.clone());
    tokio::select! {
        () = shutdown => {}
        () = pods::run(node.clone()) => {}
        () = names => {}
        () = registration::beat(&node.config, port) => {}
        () = kubelet.serve(node.config.log_dir.clone().into(), node.running.clone()) => {}
    }
    node.keepers.all_ended().await;
    Ok(())
}

/// Keeps the names of Services up to date, for ever.
async fn follow_services(client: Client, hosts: Hosts) {
    let writer = Writer::default();
    let store = writer.as_reader();
    let services = watcher(Api::<Service>::all(client), watcher::Config::default());
    let mut changes = std::pin::pin!(reflector::reflector(writer, services).default_backoff());
    while let Some(change) = changes.next().await {
        match change {
            Ok(_) => hosts.set_services(&store.state()),
            Err(error) => tracing::warn!(%error, "the watch of services was interrupted"),
        }
    }
}
