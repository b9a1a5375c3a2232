//! Keeps one sandbox running in this process, from the first file to the last.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
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
use crate::node_task::NodeTask;
use crate::prerequisites::{self, Prerequisite};
use crate::process::Process;
use crate::progress::Progress;
use crate::tools::{self, Programs, Tool};

/// Name of the Node object.
pub const NODE_NAME: &str = "sandbox";

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
    /// Checks that the machine has what is needed beside the programs of the control plane.
    pub async fn check_machine(&self) -> Result<()> {
        if !self.node {
            return Ok(());
        }
        network::check_rights()?;
        prerequisites::check(&[Prerequisite::Python, Prerequisite::Jdk]).await
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
        programs: Programs,
        cache: &Cache,
        progress: &Progress,
        ready: impl FnOnce(&Instance) -> Result<()>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<()> {
        let outcome = self
            .live(content, programs, cache, progress, ready, shutdown)
            .await;
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
        programs: Programs,
        cache: &Cache,
        progress: &Progress,
        ready: impl FnOnce(&Instance) -> Result<()>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<()> {
        tokio::pin!(shutdown);
        let started = tokio::select! {
            started = self.start(content, programs, cache, progress) => started?,
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
        programs: Programs,
        cache: &Cache,
        progress: &Progress,
    ) -> Result<Running> {
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
            programs,
            bind,
            audit: content.audit,
            api_server_arguments: content.api_server_arguments.clone(),
        };
        let control_plane =
            ControlPlane::start(&plan, &self.instance, &certificates, &launcher).await?;
        self.record.api_server = Some(control_plane.api_server());
        step.done();
        let node = match network {
            None => NodeTask::none(),
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
                NodeTask::start(NodeConfig {
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
                .await?
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
    node: NodeTask,
}

/// Returns the program that people call, for the kubeconfig of a running sandbox.
pub fn kubectl(cache: &Cache) -> Option<PathBuf> {
    Tool::Kubectl.find(cache, tools::assets().as_deref())
}
