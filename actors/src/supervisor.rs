//! The supervisor: one actor per resource, started again after a crash, retired when its resource is gone.

use crate::backoff::Growth;
use crate::health::{Health, Part};
use crate::resource::{ChildNews, Order, Wake};
use crate::stores::Stores;
use actix::WeakRecipient;
use actix::prelude::*;
use operator_core::name::Key;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::oneshot;

/// How often the supervisor gives a sign of life.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// The pauses before a crashed actor is started again.
const RESTART: Growth = Growth {
    first: Duration::from_secs(1),
    factor: 2.0,
    longest: Duration::from_secs(300),
};
/// An actor that has lived this long begins a new series of crashes.
const GOOD_LIFE: Duration = Duration::from_secs(600);
/// From this many crashes in a series on it is called a crash loop.
const CRASH_LOOP: u32 = 5;

/// Makes the actor of a resource: given the key, the number of its life, and its parent.
pub type Factory = Box<dyn FnMut(Key, u64, WeakRecipient<ChildNews>) -> Recipient<Order>>;

/// What the watches have seen.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum Sighting {
    /// These resources exist, and the stores of their scope are warm.
    Listed(Vec<Key>),
    /// A resource is there, and something about it changed.
    Changed(Key, Wake),
    /// A resource is there no more, or is watched no more.
    Vanished(Key),
}

/// This instance has begun to lead.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Led;

/// The configuration of the operator has changed: what was decided under the former one is decided anew.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Reconfigured;

/// Finish all running passes and start no more.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Drain(pub oneshot::Sender<()>);

/// End at once, with all children.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct CutOff;

/// A resource is managed no more; for whoever counts.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Forgotten(pub Key);

enum Mode {
    /// Another instance acts: keys are known, nothing runs.
    Standby,
    Serving,
    Draining(Option<oneshot::Sender<()>>),
}

/// What there is of one child.
enum Child {
    /// Known, and not started yet: this instance does not lead.
    Waiting,
    Living(Life),
    /// Told to end; `again` says that its resource has come back meanwhile.
    Retiring {
        life: Life,
        again: bool,
    },
    /// Crashed; a timer starts it again.
    Resting {
        crashes: u32,
    },
}

struct Life {
    address: Recipient<Order>,
    incarnation: u64,
    since: tokio::time::Instant,
    /// Crashes in a row before this life.
    crashes: u32,
}

/// The supervisor of one instance.
pub struct Supervisor {
    factory: Factory,
    stores: Stores,
    health: Health,
    counting: Recipient<Forgotten>,
    children: BTreeMap<Key, Child>,
    incarnations: u64,
    mode: Mode,
}

impl Supervisor {
    /// Makes a supervisor that starts children once it is told that this instance leads.
    pub fn new(
        factory: Factory,
        stores: Stores,
        health: Health,
        counting: Recipient<Forgotten>,
    ) -> Self {
        let (children, mode) = (BTreeMap::new(), Mode::Standby);
        Self {
            factory,
            stores,
            health,
            counting,
            children,
            incarnations: 0,
            mode,
        }
    }

    fn changed(&mut self, key: Key, wake: Wake, ctx: &mut Context<Self>) {
        match self.children.get_mut(&key) {
            Some(Child::Living(life)) => life.address.do_send(Order::Wake(wake)),
            Some(Child::Retiring { again, .. }) => *again = true,
            Some(Child::Waiting | Child::Resting { .. }) => {}
            None => match self.mode {
                Mode::Serving => self.spawn(key, 0, wake, ctx),
                Mode::Standby => {
                    self.children.insert(key, Child::Waiting);
                }
                Mode::Draining(_) => {}
            },
        }
    }

    fn spawn(&mut self, key: Key, crashes: u32, wake: Wake, ctx: &mut Context<Self>) {
        self.incarnations += 1;
        let incarnation = self.incarnations;
        let parent = ctx.address().recipient().downgrade();
        let address = (self.factory)(key.clone(), incarnation, parent);
        address.do_send(Order::Wake(wake));
        let life = Life {
            address,
            incarnation,
            since: tokio::time::Instant::now(),
            crashes,
        };
        self.children.insert(key, Child::Living(life));
    }

    fn retire(&mut self, key: Key) {
        match self.children.remove(&key) {
            Some(Child::Living(life)) => {
                life.address.do_send(Order::Retire);
                self.children
                    .insert(key, Child::Retiring { life, again: false });
            }
            Some(Child::Retiring { life, .. }) => {
                self.children
                    .insert(key, Child::Retiring { life, again: false });
            }
            Some(Child::Waiting | Child::Resting { .. }) => self.forget(key),
            None => {}
        }
    }

    /// A child has ended: as told, or by a crash.
    fn stopped(&mut self, key: Key, incarnation: u64, ctx: &mut Context<Self>) {
        match self.children.remove(&key) {
            Some(Child::Living(life)) if life.incarnation == incarnation => {
                self.crashed(key, &life, ctx);
            }
            Some(Child::Retiring { life, again }) if life.incarnation == incarnation => {
                match self.mode {
                    Mode::Serving if again => self.spawn(key, 0, Wake::Listed, ctx),
                    Mode::Standby if again => {
                        self.children.insert(key, Child::Waiting);
                    }
                    Mode::Serving | Mode::Standby | Mode::Draining(_) => self.forget(key),
                }
            }
            // News of an earlier life.
            Some(other) => {
                self.children.insert(key, other);
            }
            None => {}
        }
        self.drained();
    }

    fn crashed(&mut self, key: Key, life: &Life, ctx: &mut Context<Self>) {
        if matches!(self.mode, Mode::Draining(_)) {
            return self.forget(key);
        }
        let series = if life.since.elapsed() < GOOD_LIFE {
            life.crashes
        } else {
            0
        };
        let crashes = series.saturating_add(1);
        let pause = RESTART.pause(series);
        let looping = crashes >= CRASH_LOOP;
        tracing::error!(resource = %key, crashes, ?pause, looping, "actor crashed; this is a bug in the operator");
        self.health.crashed(&key, looping);
        self.children
            .insert(key.clone(), Child::Resting { crashes });
        ctx.run_later(pause, move |supervisor, ctx| {
            if let Some(Child::Resting { crashes }) = supervisor.children.get(&key) {
                let crashes = *crashes;
                supervisor.spawn(key, crashes, Wake::Listed, ctx);
            }
        });
    }

    /// The pass of a child found no resource. While the store shows one the child looks again by itself: it has
    /// come back, or the store has not heard yet.
    fn gone(&mut self, key: Key, incarnation: u64) {
        match self.children.get(&key) {
            Some(Child::Living(life)) if life.incarnation == incarnation => {
                if self.stores.resource(&key).is_none() {
                    self.retire(key);
                }
            }
            Some(_) | None => {}
        }
    }

    fn forget(&mut self, key: Key) {
        self.children.remove(&key);
        self.health.forget_actor(&key);
        self.counting.do_send(Forgotten(key));
    }

    /// Answers whoever waits for the end of all passes, once there is none.
    fn drained(&mut self) {
        let Mode::Draining(waiting) = &mut self.mode else {
            return;
        };
        let busy = self.children.values().any(|child| match child {
            Child::Living(_) | Child::Retiring { .. } => true,
            Child::Waiting | Child::Resting { .. } => false,
        });
        if !busy && let Some(waiting) = waiting.take() {
            // Whoever asked may have lost patience.
            let _ = waiting.send(());
        }
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.health.beat(Part::Supervisor);
        ctx.run_interval(HEARTBEAT, |supervisor, _| {
            supervisor.health.beat(Part::Supervisor);
        });
    }
}

impl Handler<Sighting> for Supervisor {
    type Result = ();

    fn handle(&mut self, sighting: Sighting, ctx: &mut Self::Context) {
        match sighting {
            Sighting::Listed(keys) => {
                for key in keys {
                    self.changed(key, Wake::Listed, ctx);
                }
            }
            Sighting::Changed(key, wake) => self.changed(key, wake, ctx),
            Sighting::Vanished(key) => self.retire(key),
        }
    }
}

impl Handler<ChildNews> for Supervisor {
    type Result = ();

    fn handle(&mut self, news: ChildNews, ctx: &mut Self::Context) {
        match news {
            ChildNews::Stopped { key, incarnation } => self.stopped(key, incarnation, ctx),
            ChildNews::Gone { key, incarnation } => self.gone(key, incarnation),
        }
    }
}

impl Handler<Led> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: Led, ctx: &mut Self::Context) {
        if matches!(self.mode, Mode::Draining(_)) {
            return;
        }
        self.mode = Mode::Serving;
        let keys: Vec<Key> = self.children.keys().cloned().collect();
        for key in keys {
            match self.children.get(&key) {
                Some(Child::Waiting) => self.spawn(key, 0, Wake::Listed, ctx),
                Some(Child::Living(life)) => life.address.do_send(Order::Wake(Wake::Listed)),
                Some(Child::Retiring { .. } | Child::Resting { .. }) | None => {}
            }
        }
    }
}

impl Handler<Reconfigured> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: Reconfigured, _: &mut Self::Context) {
        for child in self.children.values() {
            match child {
                Child::Living(life) => life.address.do_send(Order::Wake(Wake::Reconfigured)),
                // Those that do not live look when they begin to.
                Child::Waiting | Child::Retiring { .. } | Child::Resting { .. } => {}
            }
        }
    }
}

impl Handler<Drain> for Supervisor {
    type Result = ();

    fn handle(&mut self, drain: Drain, _: &mut Self::Context) {
        self.mode = Mode::Draining(Some(drain.0));
        let keys: Vec<Key> = self.children.keys().cloned().collect();
        for key in keys {
            self.retire(key);
        }
        self.drained();
    }
}

impl Handler<CutOff> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: CutOff, ctx: &mut Self::Context) {
        for child in self.children.values() {
            match child {
                Child::Living(life) | Child::Retiring { life, .. } => {
                    life.address.do_send(Order::Cut);
                }
                Child::Waiting | Child::Resting { .. } => {}
            }
        }
        self.children.clear();
        self.health.rest(Part::Supervisor);
        ctx.stop();
    }
}
