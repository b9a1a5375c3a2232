//! Keeps one sandbox running in this process, from the first file to the last.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::{error, info};

use crate::cache::Cache;
use crate::certificates::Certificates;
use crate::cleanup;
use crate::control_plane::{ControlPlane, Plan};
use crate::instance::{Claim, Instance, Phase, Record};
use crate::kubeconfig::{self, Endpoint};
use crate::launcher::{Launcher, records};
use crate::network::{self, Network};
use crate::node::NodeConfig;
use crate::prerequisites::{self, Prerequisite};
use crate::process::Process;
use crate::progress::Progress;
use crate::tools::{self, Tool};

/// Name of the Node object.
pub const NODE_NAME: &str = "sandbox";

/// How long the node may take to end its pods before they are killed.
const NODE_GRACE: Duration = Duration::from_secs(15);

/// What a sandbox consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Whether pods run; without, it is a control plane that listens on loopback only and needs no root.
    pub node: bool,
    /// Whether every request to the API server is written to [`Instance::audit_log`].
    pub audit: bool,
    /// Image names that are mapped to directories, beside those that the node knows itself.
    pub images: BTreeMap<String, PathBuf>,
    /// Further arguments of kube-apiserver.
    pub api_server_arguments: Vec<String>,
}

impl Content {
    /// Checks that the machine has what is needed, and builds what is missing.
    pub async fn prepare(&self, cache: &Cache, progress: &Progress) -> Result<Vec<PathBuf>> {
        if self.node {
            prerequisites::check(&[Prerequisite::Python, Prerequisite::Jdk]).await?;
            network::check_rights()?;
        }
        tools::ensure(&tools::CONTROL_PLANE, cache, progress).await
    }
}

/// Owns an instance and its directory.
#[derive(Debug)]
pub struct Supervisor {
    instance: Instance,
    claim: Claim,
    record: Record,
}

impl Supervisor {
    /// Becomes the owner of an instance, after removing whatever a former, killed one left behind.
    pub async fn claim(instance: Instance, content: &Content) -> Result<Self> {
        let Some(claim) = Claim::take(&instance)? else {
            bail!(
                "sandbox {} is already running; `flink-sandbox down --name {0}` ends it",
                instance.name()
            );
        };
        cleanup::empty(&instance, &claim)
            .await
            .context("cannot remove what a former sandbox left behind")?;
        for directory in [
            instance.pod_logs(),
            instance.node(),
            records(instance.directory()),
        ] {
            fs::create_dir_all(&directory)
                .with_context(|| format!("cannot create {}", directory.display()))?;
        }
        let record = Record {
            supervisor: Process::current()?,
            started: Timestamp::now(),
            phase: Phase::Starting,
            node: content.node,
            api_server: None,
        };
        instance.write(&record)?;
        Ok(Self {
            instance,
            claim,
            record,
        })
    }

    /// Starts everything, calls `ready`, and runs until `shutdown`; then removes everything.
    ///
    /// If something fails, the files stay, so that the logs can be read.
    pub async fn run(
        mut self,
        content: &Content,
        cache: &Cache,
        progress: &Progress,
        ready: impl FnOnce(&Instance) -> Result<()>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<()> {
        let outcome = self.live(content, cache, progress, ready, shutdown).await;
        let phase = match &outcome {
            Ok(()) => Phase::Stopping,
            Err(error) => {
                error!(error = format!("{error:#}"), "sandbox failed");
                Phase::Failed(format!("{error:#}"))
            }
        };
        self.enter(phase)?;
        cleanup::release(&self.instance, &self.claim).await?;
        if outcome.is_ok() {
            cleanup::remove_files(&self.instance, &self.claim)?;
        }
        outcome
    }

    async fn live(
        &mut self,
        content: &Content,
        cache: &Cache,
        progress: &Progress,
        ready: impl FnOnce(&Instance) -> Result<()>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<()> {
        tokio::pin!(shutdown);
        let started = tokio::select! {
            started = self.start(content, cache, progress) => started?,
            () = &mut shutdown => return Ok(()),
        };
        let Running {
            mut control_plane,
            mut node,
        } = started;
        self.enter(Phase::Ready)?;
        ready(&self.instance)?;
        info!("ready");
        let outcome = tokio::select! {
            error = control_plane.ended() => Err(error),
            error = node.ended() => Err(error),
            () = &mut shutdown => Ok(()),
        };
        if outcome.is_ok() {
            self.enter(Phase::Stopping)?;
        }
        info!("stopping");
        node.stop().await;
        control_plane.stop().await;
        outcome
    }

    async fn start(
        &mut self,
        content: &Content,
        cache: &Cache,
        progress: &Progress,
    ) -> Result<Running> {
        let programs = content.prepare(cache, progress).await?;
        let [etcd, api_server, controller_manager, _kubectl] =
            <[PathBuf; tools::CONTROL_PLANE.len()]>::try_from(programs).map_err(|programs| {
                anyhow::anyhow!("asked for other programs than {programs:?}")
            })?;
        let step = progress.begin("start the control plane", Duration::from_secs(5));
        let network = if content.node {
            Some(Network::create(self.instance.directory()).await?)
        } else {
            None
        };
        let bind = network
            .as_ref()
            .map_or(Ipv4Addr::LOCALHOST, Network::gateway);
        let certificates = Certificates::create(&self.instance.certificates(), &[bind])?;
        let launcher = Launcher::new(std::env::current_exe()?, self.instance.directory());
        let plan = Plan {
            etcd,
            api_server,
            controller_manager,
            bind,
            audit: content.audit,
            api_server_arguments: content.api_server_arguments.clone(),
        };
        let control_plane =
            ControlPlane::start(&plan, &self.instance, &certificates, &launcher).await?;
        self.record.api_server = Some(control_plane.api_server());
        step.done();
        let node = match network {
            None => Node { task: None },
            Some(network) => {
                if let Some(hazard) = network::hazard() {
                    progress.note(hazard);
                }
                let kubeconfig = self.instance.certificates().join("node.kubeconfig");
                let endpoint = Endpoint {
                    address: control_plane.api_server(),
                    authority: &certificates.authority(),
                };
                endpoint.write(&kubeconfig, "node", &certificates.tokens.node)?;
                Node::start(NodeConfig {
                    client: kubeconfig::client(&kubeconfig).await?,
                    node_name: NODE_NAME.into(),
                    state_dir: self.instance.node(),
                    log_dir: self.instance.pod_logs(),
                    cache: cache.clone(),
                    images: content.images.clone(),
                    api_server: control_plane.api_server(),
                    ca_pem: certificates.ca_pem.clone(),
                    network,
                    launcher,
                    progress: progress.clone(),
                })
            }
        };
        Ok(Running {
            control_plane,
            node,
        })
    }

    fn enter(&mut self, phase: Phase) -> Result<()> {
        self.record.phase = phase;
        self.instance.write(&self.record)
    }
}

struct Running {
    control_plane: ControlPlane,
    node: Node,
}

/// The node's task, if there is a node.
struct Node {
    task: Option<(JoinHandle<Result<()>>, oneshot::Sender<()>)>,
}

impl Node {
    fn start(config: NodeConfig) -> Self {
        let (stop, stopped) = oneshot::channel();
        // A dropped sender means the same as a sent message.
        let shutdown = async { drop(stopped.await) };
        Self {
            task: Some((tokio::spawn(run_node(config, shutdown)), stop)),
        }
    }

    /// Waits until the node ends, which it should not do by itself.
    async fn ended(&mut self) -> anyhow::Error {
        let Some((task, _)) = &mut self.task else {
            return std::future::pending().await;
        };
        match task.await {
            Ok(Ok(())) => anyhow::anyhow!("the node ended although nobody asked it to"),
            Ok(Err(error)) => error.context("the node failed"),
            Err(panic) => anyhow::Error::new(panic).context("the node panicked"),
        }
    }

    async fn stop(self) {
        let Some((mut task, stop)) = self.task else {
            return;
        };
        if task.is_finished() {
            return;
        }
        drop(stop);
        match tokio::time::timeout(NODE_GRACE, &mut task).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => error!(error = format!("{error:#}"), "node did not end well"),
            Ok(Err(panic)) => error!(%panic, "node panicked while it ended"),
            Err(_) => {
                error!(limit = ?NODE_GRACE, "node did not end in time, its pods are killed");
                task.abort();
            }
        }
    }
}

/// Returns the program that people call, for the kubeconfig of a running sandbox.
pub fn kubectl(cache: &Cache) -> Option<PathBuf> {
    Tool::Kubectl.find(cache, tools::assets().as_deref())
}

async fn run_node(_config: NodeConfig, shutdown: impl Future<Output = ()>) -> Result<()> {
    shutdown.await;
    Ok(())
}
