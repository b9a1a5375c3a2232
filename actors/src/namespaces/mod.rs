//! The watcher of namespaces: one watch per kind and scope, as many as the list of namespaces asks for.
//!
//! The list changes at run time. A namespace that cannot be read degrades itself alone, and heals when
//! rights come back.

mod follow;
mod set;
mod shelf;
mod watched;

pub use set::{BadNamespaces, NamespaceSet};

use crate::announcer::{Board, Due};
use crate::backoff::{Delays, Growth, Jitter};
use crate::clock::Clock;
use crate::health::{Health, Part};
use crate::slim::{
    BlueGreenDeployments, Mark, SessionJobs, SlimDeployment, SlimPod, SlimResource, StateSnapshots,
};
use crate::stores::Stores;
use crate::supervisor::{CutOff, Sighting};
use crate::tasks::Tasks;
use actix::prelude::*;
use follow::{Listed, follow};
use futures::future::join_all;
use kube::Api;
use kube::api::ListParams;
use operator_core::name::Key;
use set::Scope;
use shelf::{Accepted, Deployments, Pods, Resources, Shelf, covered};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use watched::{Slim, Watched};

/// How often the watcher gives a sign of life.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// More namespaces than this are watched by one watch per kind, where rights allow.
const FEW: usize = 10;
/// Kinds without which a scope is not ready.
const KINDS: usize = 3;
/// The pauses between tries to find out about rights.
const PROBES: Growth = Growth {
    first: Duration::from_secs(1),
    factor: 2.0,
    longest: Duration::from_secs(30),
};
/// How long one try may take.
const PROBE: Duration = Duration::from_secs(10);

/// Watch these namespaces from now on.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Follow(pub NamespaceSet);

/// What the watcher needs.
#[derive(Clone)]
pub struct Watching {
    /// The client for lists and watches.
    pub client: kube::Client,
    /// Where objects are kept.
    pub stores: Stores,
    /// Where troubles are shown.
    pub health: Health,
    /// Runs the watches.
    pub tasks: Tasks,
    /// The time.
    pub clock: Clock,
    /// Where kinds that are not carried out are told so.
    pub announcing: Announcing,
    /// Spreads pauses.
    pub jitter: Jitter,
    /// Selects the resources that are managed.
    pub selector: Option<String>,
    /// How often everything is listed again.
    pub relist: Duration,
}

/// What becomes of resources of kinds that are not carried out.
#[derive(Clone)]
pub struct Announcing {
    /// Where they are noted.
    pub board: Board,
    /// Who is told that something is due.
    pub announcer: Recipient<Due>,
}

/// The watcher of namespaces of one instance.
pub struct NamespaceWatcher {
    with: Watching,
    supervisor: Recipient<Sighting>,
    wanted: NamespaceSet,
    /// Whether the whole cluster can be watched; asked anew whenever the list changes.
    rights: Rights,
    running: BTreeMap<String, Running>,
    /// Scopes whose watches have been told to end and have not ended yet.
    ending: usize,
    lives: u64,
}

/// Whether the whole cluster can be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rights {
    Unknown,
    Asked { round: u64 },
    Known { everywhere: bool },
}

struct Running {
    scope: Arc<Scope>,
    life: u64,
    stop: CancellationToken,
    watches: Vec<tokio::task::JoinHandle<Result<(), crate::tasks::Cut>>>,
    listed: BTreeSet<&'static str>,
    ready: Arc<AtomicBool>,
}

/// Whether the whole cluster can be watched is known.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
struct Probed {
    round: u64,
    everywhere: bool,
}

impl NamespaceWatcher {
    /// Makes a watcher of these namespaces that tells a supervisor what it sees.
    pub fn new(with: Watching, wanted: NamespaceSet, supervisor: Recipient<Sighting>) -> Self {
        Self {
            with,
            supervisor,
            wanted,
            rights: Rights::Unknown,
            running: BTreeMap::new(),
            ending: 0,
            lives: 0,
        }
    }

    /// Ends what is not wanted any more, then starts what is missing.
    fn arrange(&mut self, ctx: &mut Context<Self>) {
        let Some(scopes) = self.scopes(ctx) else {
            return;
        };
        let unwanted: Vec<String> = self
            .running
            .iter()
            .filter(|(_, running)| !scopes.contains(&running.scope))
            .map(|(name, _)| name.clone())
            .collect();
        for name in unwanted {
            self.end(&name, ctx);
        }
        // What ends clears its shelves last; whatever starts must not lose its own objects to that.
        if self.ending > 0 {
            return;
        }
        for scope in scopes {
            if !self.running.contains_key(scope.name()) {
                self.start(scope, ctx);
            }
        }
    }

    /// Says what to watch; `None` while rights are being asked for.
    fn scopes(&mut self, ctx: &mut Context<Self>) -> Option<Vec<Scope>> {
        match (&self.wanted, self.rights) {
            (NamespaceSet::All, _) => Some(vec![Scope::All]),
            (NamespaceSet::These(names), _) if names.len() <= FEW => {
                Some(names.iter().cloned().map(Scope::One).collect())
            }
            (NamespaceSet::These(names), Rights::Known { everywhere: true }) => {
                Some(vec![Scope::Kept(names.clone())])
            }
            (NamespaceSet::These(names), Rights::Known { everywhere: false }) => {
                Some(names.iter().cloned().map(Scope::One).collect())
            }
            (NamespaceSet::These(_), Rights::Asked { .. }) => None,
            (NamespaceSet::These(_), Rights::Unknown) => {
                self.lives += 1;
                let round = self.lives;
                self.rights = Rights::Asked { round };
                let (client, jitter, watcher) = (
                    self.with.client.clone(),
                    self.with.jitter.clone(),
                    ctx.address(),
                );
                self.with.tasks.spawn(async move {
                    let everywhere = can_watch_everything(&client, jitter).await;
                    watcher.do_send(Probed { round, everywhere });
                });
                None
            }
        }
    }

    fn start(&mut self, scope: Scope, ctx: &mut Context<Self>) {
        self.lives += 1;
        let (life, name) = (self.lives, scope.name().to_owned());
        let (scope, ready, stop) = (
            Arc::new(scope),
            Arc::new(AtomicBool::new(false)),
            self.with.tasks.token(),
        );
        let context = follow::Context {
            client: self.with.client.clone(),
            scope: Arc::clone(&scope),
            life,
            ready: Arc::clone(&ready),
            selector: self.with.selector.clone(),
            relist: self.with.relist,
            jitter: self.with.jitter.clone(),
            health: self.with.health.clone(),
            clock: self.with.clock.clone(),
            watcher: ctx.address().recipient(),
            supervisor: self.supervisor.clone(),
        };
        tracing::info!(scope = name, "watching");
        self.with.health.of_watch(&name, |watch| {
            *watch = crate::health::WatchHealth::default();
        });
        let (stores, announcing) = (&self.with.stores, &self.with.announcing);
        let watches = vec![
            self.spawn(&stop, follow(Deployments(stores.clone()), context.clone())),
            self.spawn(&stop, follow(Pods(stores.clone()), context.clone())),
            self.spawn(&stop, follow(Resources(stores.clone()), context.clone())),
            self.spawn(
                &stop,
                follow(Accepted::<SessionJobs>::new(announcing), context.clone()),
            ),
            self.spawn(
                &stop,
                follow(Accepted::<StateSnapshots>::new(announcing), context.clone()),
            ),
            self.spawn(
                &stop,
                follow(Accepted::<BlueGreenDeployments>::new(announcing), context),
            ),
        ];
        self.running.insert(
            name,
            Running {
                scope,
                life,
                stop,
                watches,
                listed: BTreeSet::new(),
                ready,
            },
        );
    }

    fn spawn(
        &self,
        stop: &CancellationToken,
        watch: impl Future<Output = ()> + Send + 'static,
    ) -> tokio::task::JoinHandle<Result<(), crate::tasks::Cut>> {
        let stop = stop.clone();
        self.with.tasks.spawn(async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = watch => {}
            }
        })
    }

    /// Stops the watches of a scope; once they have ended, what they kept is forgotten.
    ///
    /// Resources in it are left alone: their clusters run on.
    fn end(&mut self, name: &str, ctx: &mut Context<Self>) {
        let Some(running) = self.running.remove(name) else {
            return;
        };
        tracing::info!(scope = name, "watching no more");
        running.stop.cancel();
        self.ending += 1;
        let scope = running.scope;
        ctx.spawn(
            join_all(running.watches)
                .into_actor(self)
                .map(move |_, watcher, ctx| {
                    watcher.clear(&scope);
                    watcher.with.health.forget_watch(scope.name());
                    watcher.ending -= 1;
                    watcher.arrange(ctx);
                }),
        );
    }

    fn clear(&self, scope: &Scope) {
        let stores = &self.with.stores;
        for place in covered(&Deployments(stores.clone()), scope) {
            drop(Deployments(stores.clone()).remove(&place));
        }
        for place in covered(&Pods(stores.clone()), scope) {
            drop(Pods(stores.clone()).remove(&place));
        }
        for place in covered(&Resources(stores.clone()), scope) {
            if let Some(sighting) = Resources(stores.clone()).remove(&place) {
                self.supervisor.do_send(sighting);
            }
        }
        let announcing = &self.with.announcing;
        forget(&Accepted::<SessionJobs>::new(announcing), scope);
        forget(&Accepted::<StateSnapshots>::new(announcing), scope);
        forget(&Accepted::<BlueGreenDeployments>::new(announcing), scope);
    }
}

/// Removes what a shelf keeps of a scope, which tells nobody anything.
fn forget<M: Mark>(shelf: &Accepted<M>, scope: &Scope) {
    for place in covered(shelf, scope) {
        drop(shelf.remove(&place));
    }
}

/// Finds out whether every kind can be listed in the whole cluster; tries until that is known.
async fn can_watch_everything(client: &kube::Client, jitter: Jitter) -> bool {
    let mut delays = Delays::new(PROBES).spread(jitter);
    loop {
        let answers = [
            can_list::<SlimResource>(client).await,
            can_list::<SlimDeployment>(client).await,
            can_list::<SlimPod>(client).await,
        ];
        if answers.contains(&Some(false)) {
            return false;
        }
        if answers.iter().all(|answer| *answer == Some(true)) {
            return true;
        }
        tokio::time::sleep(delays.pause()).await;
    }
}

async fn can_list<T: Slim>(client: &kube::Client) -> Option<bool> {
    let api: Api<Watched<T>> = Api::all(client.clone());
    match tokio::time::timeout(PROBE, api.list(&ListParams::default().limit(1))).await {
        Ok(Ok(_)) => Some(true),
        Ok(Err(kube::Error::Api(status))) if matches!(status.code, 401 | 403) => Some(false),
        Ok(Err(_)) | Err(_) => None,
    }
}

impl Actor for NamespaceWatcher {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.with.health.beat(Part::Watcher);
        ctx.run_interval(HEARTBEAT, |watcher, _| {
            watcher.with.health.beat(Part::Watcher);
        });
        self.arrange(ctx);
    }
}

impl Handler<Follow> for NamespaceWatcher {
    type Result = ();

    fn handle(&mut self, Follow(wanted): Follow, ctx: &mut Self::Context) {
        if self.wanted == wanted {
            return;
        }
        tracing::info!(before = %self.wanted, after = %wanted, "watched namespaces change");
        self.wanted = wanted;
        self.rights = Rights::Unknown;
        self.arrange(ctx);
    }
}

impl Handler<Probed> for NamespaceWatcher {
    type Result = ();

    fn handle(&mut self, probed: Probed, ctx: &mut Self::Context) {
        if self.rights
            == (Rights::Asked {
                round: probed.round,
            })
        {
            self.rights = Rights::Known {
                everywhere: probed.everywhere,
            };
            self.arrange(ctx);
        }
    }
}

impl Handler<Listed> for NamespaceWatcher {
    type Result = ();

    /// Once every kind is there, all resources of the scope are told at once: no pass sees half a store.
    fn handle(&mut self, listed: Listed, _: &mut Self::Context) {
        let Some((name, running)) = self
            .running
            .iter_mut()
            .find(|(_, running)| running.life == listed.life)
        else {
            return;
        };
        running.listed.insert(listed.plural);
        if running.listed.len() < KINDS || running.ready.swap(true, Ordering::AcqRel) {
            return;
        }
        self.with.health.of_watch(name, |watch| watch.ready = true);
        let mut keys: Vec<Key> = self.with.stores.keys();
        keys.retain(|key| running.scope.covers(&key.namespace));
        keys.sort();
        tracing::info!(scope = name, resources = keys.len(), "all listed");
        self.supervisor.do_send(Sighting::Listed(keys));
    }
}

impl Handler<CutOff> for NamespaceWatcher {
    type Result = ();

    fn handle(&mut self, _: CutOff, ctx: &mut Self::Context) {
        for running in self.running.values() {
            running.stop.cancel();
        }
        self.with.health.rest(Part::Watcher);
        ctx.stop();
    }
}
