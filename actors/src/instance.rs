//! One operator: everything that runs, started together and ended together.
//!
//! Several instances can run in one process, on one actix system; each owns its tasks, clock, identities and
//! jitter, and can be dropped whole.

use crate::announcer::{self, Announcer, Board};
use crate::api::Api;
use crate::backoff::Jitter;
use crate::clock::Clock;
use crate::config_files::ReadSettings;
use crate::config_watcher::ConfigWatcher;
use crate::events;
use crate::flink::FlinkAccess;
use crate::health::Health;
use crate::ids::IdSource;
use crate::lanes::Lanes;
use crate::leader::{LeaderElector, Release, Standing};
use crate::leadership::Leadership;
use crate::metrics::{Identity, Metrics};
use crate::namespaces::{Announcing, NamespaceSet, NamespaceWatcher, Watching};
use crate::options::{BadOptions, Options};
use crate::pass;
use crate::resource::{Crew, PassEnded, ResourceActor, Work};
use crate::shell::{CrdSupport, Shell};
use crate::stores::Stores;
use crate::supervisor::{CutOff, Drain, Factory, Led, Supervisor};
use crate::tasks::{Cut, Tasks};
use actix::prelude::*;
use operator_core::config::OperatorSettings;
use operator_core::name::Key;
use prometheus::Registry;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::Instrument;

/// Time for events that were told last to leave at shutdown.
const LAST_EVENTS: Duration = Duration::from_secs(1);
/// Time for the lease to be given back at shutdown.
const RELEASE: Duration = Duration::from_secs(8);

/// What an instance is made of.
pub struct InstanceConfig {
    /// Who it is: labels of metrics, namespace and identity of the election.
    pub identity: Identity,
    /// The configuration at the start.
    pub settings: Arc<OperatorSettings>,
    /// Reads the configuration again; nothing if it never changes.
    pub read_settings: Option<ReadSettings>,
    /// The namespaces to watch, where the environment fixes them.
    pub watched: Option<NamespaceSet>,
    /// The client for lists and watches.
    pub watching: kube::Client,
    /// The client for everything else; it must not retry.
    pub acting: kube::Client,
    /// The way to JobManagers.
    pub flink: FlinkAccess,
    /// The time.
    pub clock: Clock,
    /// Random identities.
    pub ids: IdSource,
    /// Randomness of pauses.
    pub jitter: Jitter,
    /// Where metrics are registered.
    pub registry: Registry,
    /// How often everything is listed again, which repairs what a watch never told.
    pub relist: Duration,
}

/// Why an instance cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration does not allow it.
    #[error(transparent)]
    Options(#[from] BadOptions),
    /// The registry has metrics of these names already.
    #[error("metrics cannot be registered")]
    Metrics(#[from] prometheus::Error),
}

/// How an instance ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Whether all running passes ended in time.
    pub passes_ended: bool,
    /// Whether the lease, if there was one, was given back or was not ours.
    pub lease_released: bool,
}

/// A running operator. Dropping it cuts it off: nothing is finished, nothing released.
pub struct Instance {
    supervisor: Addr<Supervisor>,
    watcher: Addr<NamespaceWatcher>,
    announcer: Addr<Announcer>,
    elector: Option<Addr<LeaderElector>>,
    config: Option<Addr<ConfigWatcher>>,
    metrics: Addr<Metrics>,
    events: Option<JoinHandle<Result<(), Cut>>>,
    standing: watch::Receiver<Standing>,
    leadership: Leadership,
    health: Health,
    stores: Stores,
    tasks: Tasks,
    options: Options,
}

impl Instance {
    /// Starts everything, on the current actix system.
    pub fn start(config: InstanceConfig) -> Result<Self, StartError> {
        let InstanceConfig {
            identity,
            settings,
            read_settings,
            watched,
            watching,
            acting,
            flink,
            clock,
            ids,
            jitter,
            registry,
            relist,
        } = config;
        let mut options = Options::read(&settings, &identity.namespace, &identity.host)?;
        if let Some(watched) = &watched {
            options.namespaces = watched.clone();
        }
        let leadership = match options.election {
            None => Leadership::alone(clock.clone()),
            Some(_) => Leadership::standby(clock.clone()),
        };
        let (crd, stores, tasks) = (CrdSupport::default(), Stores::default(), Tasks::new());
        let health = Health::new(clock.clone(), leadership.clone(), crd.clone());
        let seen = (clock.clone(), health.clone(), stores.clone());
        let metrics = Metrics::make(&registry, &identity, &options.metrics, seen)?;
        let meter = metrics.request_meter();
        let metrics = metrics.start();
        let (send_settings, settings) = watch::channel(settings);
        let api = Api::new(acting.clone(), leadership.clone(), clock.clone());
        let api = api.metered(Arc::new(meter.clone()));
        let (sink, sender) = events::queue(api.clone(), clock.clone(), identity.host.clone());
        let meter: Arc<dyn flink_rest::Meter> = Arc::new(meter);
        let shell = Shell {
            api,
            flink: flink.metered(&meter),
            stores: stores.clone(),
            settings,
            clock: clock.clone(),
            ids,
            leadership: leadership.clone(),
            events: sink,
            crd,
        };
        let events = tasks.spawn(sender.run());
        let (announcing, announcer) = announcer(&shell, (&tasks, &health), jitter.clone());
        let counting = metrics.clone().recipient();
        let crew = crew(shell, &options, (&tasks, &health), counting);
        let forgotten = metrics.clone().recipient();
        let supervisor =
            Supervisor::new(factory(crew), stores.clone(), health.clone(), forgotten).start();
        let watching = Watching {
            client: watching,
            stores: stores.clone(),
            health: health.clone(),
            tasks: tasks.clone(),
            clock: clock.clone(),
            announcing,
            jitter,
            selector: options.selector.clone(),
            relist,
        };
        let sightings = supervisor.clone().recipient();
        let watcher =
            NamespaceWatcher::new(watching, options.namespaces.clone(), sightings).start();
        let config_watcher = read_settings.zip(options.reload).map(|reload| {
            let follow = watched.is_none().then(|| watcher.clone().recipient());
            let (means, own) = ((health.clone(), tasks.clone()), identity.namespace);
            let told = (supervisor.clone().recipient(), follow);
            ConfigWatcher::new(reload, send_settings, means, told, own).start()
        });
        let (send_standing, standing) = watch::channel(Standing::default());
        let elector = options.election.clone().map(|election| {
            let (means, parts) = (
                (clock.clone(), leadership.clone()),
                (health.clone(), tasks.clone()),
            );
            LeaderElector::new(election, acting, means, parts, send_standing).start()
        });
        let leading = elector.as_ref().map(|_| standing.clone());
        drop(tasks.spawn(tell_when_leading(
            leading,
            supervisor.clone(),
            announcer.clone(),
        )));
        Ok(Self {
            supervisor,
            watcher,
            announcer,
            elector,
            config: config_watcher,
            metrics,
            events: Some(events),
            standing,
            leadership,
            health,
            stores,
            tasks,
            options,
        })
    }

    /// Returns how everything fares.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Returns what the watches have seen.
    pub fn stores(&self) -> &Stores {
        &self.stores
    }

    /// Returns what it was started with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Waits until leadership is lost; the process must end then. Never ends without an election.
    pub async fn lost(&self) {
        let mut standing = self.standing.clone();
        if standing
            .wait_for(|standing| *standing == Standing::Lost)
            .await
            .is_err()
        {
            // The elector has gone with the instance, or there has never been one.
            std::future::pending::<()>().await;
        }
    }

    /// Ends in good order: passes are finished within the deadline, the last events leave, the lease is given back.
    pub async fn shutdown(mut self, deadline: Duration) -> Ended {
        self.health.draining();
        self.announcer.do_send(CutOff);
        let (tell, drained) = oneshot::channel();
        self.supervisor.do_send(Drain(tell));
        let passes_ended = timeout(deadline, drained)
            .await
            .is_ok_and(|drained| drained.is_ok());
        if !passes_ended {
            tracing::warn!(
                ?deadline,
                passes = self.tasks.running(),
                "passes did not end in time; they are cut off"
            );
        }
        // With its actors the last way into the queue of events goes, so that its sender ends.
        self.supervisor.do_send(CutOff);
        self.watcher.do_send(CutOff);
        if let Some(events) = self.events.take() {
            drop(timeout(LAST_EVENTS, events).await);
        }
        self.leadership.stop();
        let lease_released = match &self.elector {
            None => true,
            Some(elector) => {
                let (tell, released) = oneshot::channel();
                elector.do_send(Release(tell));
                timeout(RELEASE, released)
                    .await
                    .is_ok_and(|released| released.is_ok())
            }
        };
        Ended {
            passes_ended,
            lease_released,
        }
    }
}

impl Drop for Instance {
    /// Cuts off whatever still runs.
    fn drop(&mut self) {
        self.leadership.stop();
        self.tasks.cut();
        self.supervisor.do_send(CutOff);
        self.watcher.do_send(CutOff);
        self.announcer.do_send(CutOff);
        if let Some(elector) = &self.elector {
            elector.do_send(CutOff);
        }
        if let Some(config) = &self.config {
            config.do_send(CutOff);
        }
        self.metrics.do_send(CutOff);
    }
}

/// Starts the announcer and makes its board.
fn announcer(
    shell: &Shell,
    (tasks, health): (&Tasks, &Health),
    jitter: Jitter,
) -> (Announcing, Addr<Announcer>) {
    let board = Board::default();
    let means = announcer::Means {
        board: board.clone(),
        api: shell.api.clone(),
        events: shell.events.clone(),
        clock: shell.clock.clone(),
        tasks: tasks.clone(),
        health: health.clone(),
        jitter,
    };
    let announcer = Announcer::new(means).start();
    let told = announcer.clone().recipient();
    (
        Announcing {
            board,
            announcer: told,
        },
        announcer,
    )
}

/// Makes what the actors of all resources share.
fn crew(
    shell: Shell,
    options: &Options,
    (tasks, health): (&Tasks, &Health),
    counting: Recipient<PassEnded>,
) -> Crew {
    Crew {
        stores: shell.stores.clone(),
        clock: shell.clock.clone(),
        work: work(shell),
        lanes: Lanes::new(options.parallelism),
        tasks: tasks.clone(),
        health: health.clone(),
        retry: options.retry,
        limit: options.limit,
        counting,
    }
}

/// Makes passes of a shell, each in a span that names its resource.
fn work(shell: Shell) -> Work {
    let shell = Arc::new(shell);
    Arc::new(move |key: Key| {
        let shell = Arc::clone(&shell);
        let span = tracing::info_span!("pass", resource = %key);
        Box::pin(async move { pass::run(&shell, &key).await }.instrument(span))
    })
}

fn factory(crew: Crew) -> Factory {
    let crew = Arc::new(crew);
    Box::new(move |key, incarnation, parent| {
        ResourceActor::new(key, incarnation, Arc::clone(&crew), parent)
            .start()
            .recipient()
    })
}

/// Tells these actors that this instance leads: at once if there is no election.
async fn tell_when_leading(
    standing: Option<watch::Receiver<Standing>>,
    supervisor: Addr<Supervisor>,
    announcer: Addr<Announcer>,
) {
    if let Some(mut standing) = standing {
        let leads = standing.wait_for(|standing| *standing == Standing::Leading);
        if leads.await.is_err() {
            return;
        }
    }
    supervisor.do_send(Led);
    announcer.do_send(Led);
}
