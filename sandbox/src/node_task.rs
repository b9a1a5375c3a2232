//! The node as a task of the supervisor.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use k8s_openapi::api::core::v1::Node;
use kube::{Api, Client};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tracing::error;

use crate::node::{self, NodeConfig};

/// How long the node may take to become ready, and to end its pods before they are killed.
const PATIENCE: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(20);

/// The node's task, if there is a node.
pub(crate) struct NodeTask {
    task: Option<(JoinHandle<Result<()>>, oneshot::Sender<()>)>,
}

impl NodeTask {
    /// Stands for no node.
    pub(crate) fn none() -> Self {
        Self { task: None }
    }

    /// Starts the node and waits until it says that it can run pods.
    pub(crate) async fn start(config: NodeConfig) -> Result<Self> {
        let (client, name) = (config.client.clone(), config.node_name.clone());
        let (stop, stopped) = oneshot::channel();
        // A dropped sender means the same as a sent message.
        let shutdown = async { drop(stopped.await) };
        let mut node = Self {
            task: Some((tokio::spawn(node::run(config, shutdown)), stop)),
        };
        tokio::select! {
            ready = is_ready(client, &name) => ready?,
            error = node.ended() => return Err(error),
        }
        Ok(node)
    }

    /// Waits until the node ends, which it should not do by itself.
    pub(crate) async fn ended(&mut self) -> anyhow::Error {
        let Some((task, _)) = &mut self.task else {
            return std::future::pending().await;
        };
        let outcome = task.await;
        self.task = None;
        match outcome {
            Ok(Ok(())) => anyhow!("the node ended although nobody asked it to"),
            Ok(Err(error)) => error.context("the node failed"),
            Err(panic) => anyhow::Error::new(panic).context("the node panicked"),
        }
    }

    /// Lets the node end its pods; after a while they are killed.
    pub(crate) async fn stop(self) {
        let Some((mut task, stop)) = self.task else {
            return;
        };
        drop(stop);
        match timeout(PATIENCE, &mut task).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => error!(error = format!("{error:#}"), "node did not end well"),
            Ok(Err(panic)) => error!(%panic, "node panicked while it ended"),
            Err(_) => {
                error!(limit = ?PATIENCE, "node did not end in time, its pods are killed");
                task.abort();
            }
        }
    }
}

/// Waits until the Node object says that pods can be run.
async fn is_ready(client: Client, name: &str) -> Result<()> {
    let nodes: Api<Node> = Api::all(client);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = nodes
            .get_opt(name)
            .await
            .context("cannot read the Node object")?;
        let conditions = found
            .and_then(|node| node.status?.conditions)
            .unwrap_or_default();
        if conditions
            .iter()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True")
        {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("the node did not become ready within {PATIENCE:?}");
        }
        sleep(POLL).await;
    }
}
