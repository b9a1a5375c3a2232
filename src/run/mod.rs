//! `flink-operator run`: puts the operator together, serves its pages, and ends it in good order.

mod config;
mod reporters;
mod signals;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use flink_operator_actors::backoff::Jitter;
use flink_operator_actors::clock::Clock;
use flink_operator_actors::config_files::{ConfigFiles, ReadSettings};
use flink_operator_actors::flink::{FlinkAccess, through_api_server};
use flink_operator_actors::ids::IdSource;
use flink_operator_actors::instance::{Instance, InstanceConfig};
use flink_operator_actors::metrics::Identity;
use flink_rest::Network;
use kube::Client;
use operator_core::config::{OperatorSettings, findings};
use prometheus::Registry;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::args::Run;
use crate::cluster;
use crate::config_files::config_files;
use crate::http::{self, Server, Shown, listen};
use crate::log;
use config::{Pages, RunConfig, Surroundings};
use signals::Signals;

/// How often everything is listed again. A watch tells everything; this is for the day when one does not.
const RELIST: Duration = Duration::from_secs(30 * 60);

/// How a run ended that was not a failure from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// As it was asked to.
    AsAsked,
    /// Another instance may lead by now.
    LostLease,
    /// As it was asked to, and passes that took too long were cut off.
    CutOff,
}

/// Carries the command out.
pub(crate) fn run(args: &Run) -> Result<Ended> {
    let filter = match args.log_filter.trim() {
        "" => log::DEFAULT_FILTER,
        filter => filter,
    };
    let filter = EnvFilter::try_new(filter).context("--log-filter (RUST_LOG)")?;
    log::install(args.log_format, filter);
    cluster::install_tls()?;
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("a machine on which no thread can be started runs no operator")
    };
    actix::System::with_tokio_rt(runtime).block_on(operate(args))
}

async fn operate(args: &Run) -> Result<Ended> {
    let mut signals = Signals::listen()?;
    let files = config_files(&args.config);
    let settings = files.read().context("configuration")?;
    let cluster = cluster::config(args.kubeconfig.as_deref()).await?;
    let config = RunConfig::resolve(
        args,
        &settings,
        &cluster.default_namespace,
        &Surroundings::look(),
    )?;
    introduce(&config, &settings, &cluster);
    let listener = open(config.pages).await?;
    let metrics = reporters::open(settings.base()).await;
    let registry = Registry::new();
    let instance = start(config, &cluster, settings, files, &registry)?;
    let health = instance.health().clone();
    let shown = Shown { health, registry };
    let pages = listener.map(|listener| Server::start(listener, http::pages(shown.clone())));
    let metrics = metrics
        .into_iter()
        .map(|listener| Server::start(listener, http::only_metrics(shown.clone())));
    let servers: Vec<Server> = pages.into_iter().chain(metrics).collect();
    tracing::info!("started");
    let ended = until_the_end(instance, &mut signals).await;
    // Last, so that whoever probes is answered to the end.
    futures::future::join_all(servers.into_iter().map(Server::stop)).await;
    tracing::info!(?ended, "ended");
    Ok(ended)
}

/// Says what runs, and what in its configuration a person should know.
fn introduce(config: &RunConfig, settings: &OperatorSettings, cluster: &kube::Config) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        namespace = config.namespace,
        host = config.host,
        server = %cluster.cluster_url,
        way = ?config.way,
        options = settings.base().len(),
        "starting"
    );
    tracing::debug!(configuration = ?settings.base(), "effective base configuration");
    for finding in findings(settings.base()) {
        tracing::warn!("configuration: {finding}");
    }
}

async fn open(pages: Option<Pages>) -> Result<Option<TcpListener>> {
    let listener = match pages {
        None => return Ok(None),
        Some(Pages::At(address)) => listen(Some(address), address.port()).await?,
        Some(Pages::Everywhere { port }) => listen(None, port).await?,
    };
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "pages are served");
    }
    Ok(Some(listener))
}

fn start(
    config: RunConfig,
    cluster: &kube::Config,
    settings: OperatorSettings,
    files: ConfigFiles,
    registry: &Registry,
) -> Result<Instance> {
    let clock = Clock::system();
    let client = |what| {
        Client::try_from(cluster.clone())
            .with_context(|| format!("cannot make the client for {what}"))
    };
    let (acting, watching) = (client("requests")?, client("watches")?);
    let direct = Network::default()
        .transport()
        .context("cannot make the client for JobManagers")?;
    let proxied = through_api_server(acting.clone());
    let read_settings: ReadSettings = Arc::new(move || files.read());
    let instance = Instance::start(InstanceConfig {
        identity: Identity {
            host: config.host,
            namespace: config.namespace,
            name: config.name,
        },
        settings: Arc::new(settings),
        read_settings: Some(read_settings),
        watched: config.watched,
        watching,
        acting,
        flink: FlinkAccess::new(config.way, direct, proxied, clock.clone()),
        clock,
        ids: IdSource::Random,
        jitter: Jitter::seeded(RandomState::new().build_hasher().finish()),
        registry: registry.clone(),
        relist: RELIST,
    });
    instance.context("cannot start")
}

/// Waits for a signal or the loss of the lease, and ends the instance.
async fn until_the_end(instance: Instance, signals: &mut Signals) -> Ended {
    tokio::select! {
        signal = signals.next() => tracing::info!(signal, "shutting down; another signal ends the process at once"),
        () = instance.lost() => {
            tracing::error!("lost the lease; another instance may act, so this one ends");
            // Nothing may be changed any more: there is nothing to finish.
            drop(instance);
            return Ended::LostLease;
        }
    }
    let deadline = instance.options().termination;
    tokio::select! {
        ended = instance.shutdown(deadline) => {
            if !ended.lease_released {
                tracing::warn!("the lease could not be given back; another instance waits until it expires");
            }
            if ended.passes_ended { Ended::AsAsked } else { Ended::CutOff }
        }
        signal = signals.next() => {
            tracing::warn!(signal, "second signal: ending at once");
            Ended::CutOff
        }
    }
}
