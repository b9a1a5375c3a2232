//! How every actor fares: written by the actors, read by the pages, the metrics and the probes.
//!
//! Nothing here is locked across an await, and no page changes anything.

mod actor;
mod parts;
mod snapshot;

pub use actor::{Activity, ActorHealth, Due, LastPass, Waiting};
pub use parts::{Part, Role, Trouble, WatchHealth};
pub use snapshot::{ActorView, Counts, Readiness, Snapshot};

use crate::clock::Clock;
use crate::leadership::Leadership;
use crate::shell::CrdSupport;
use dashmap::DashMap;
use operator_core::name::Key;
use parts::Parts;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The health of one instance; clones are the same.
#[derive(Clone, Debug)]
pub struct Health(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    leadership: Leadership,
    crd: CrdSupport,
    actors: DashMap<Key, ActorHealth>,
    /// Watches by scope: a namespace, or `*` for all.
    watches: DashMap<String, WatchHealth>,
    /// Objects that could not be decoded, and why.
    undecodable: DashMap<String, String>,
    parts: Mutex<Parts>,
}

impl Health {
    /// Begins without anything known.
    pub fn new(clock: Clock, leadership: Leadership, crd: CrdSupport) -> Self {
        Self(Arc::new(Inner {
            clock,
            leadership,
            crd,
            actors: DashMap::new(),
            watches: DashMap::new(),
            undecodable: DashMap::new(),
            parts: Mutex::default(),
        }))
    }

    /// Changes what is known of one actor; one that is not known yet begins idle.
    pub fn of_actor(&self, key: &Key, change: impl FnOnce(&mut ActorHealth)) {
        let mut actor = self
            .0
            .actors
            .entry(key.clone())
            .or_insert_with(|| ActorHealth::new(self.0.clock.now()));
        change(&mut actor);
    }

    /// Notes that an actor has crashed.
    pub fn crashed(&self, key: &Key, looping: bool) {
        let now = self.0.clock.now();
        self.of_actor(key, |actor| {
            actor.turn(Activity::Crashed, now);
            actor.restarts = actor.restarts.saturating_add(1);
            actor.crash_looping = looping;
        });
    }

    /// Reads what is known of one actor.
    pub fn actor(&self, key: &Key) -> Option<ActorHealth> {
        self.0.actors.get(key).map(|found| found.clone())
    }

    /// Forgets an actor.
    pub fn forget_actor(&self, key: &Key) {
        self.0.actors.remove(key);
    }

    /// Counts actors by activity.
    pub fn activities(&self) -> BTreeMap<Activity, i64> {
        let mut counts: BTreeMap<Activity, i64> = Activity::ALL
            .iter()
            .map(|activity| (*activity, 0))
            .collect();
        for actor in &self.0.actors {
            *counts.entry(actor.activity).or_default() += 1;
        }
        counts
    }

    /// Counts actors whose resource waits for something, by the reason, which comes from a closed set.
    pub fn waiting(&self) -> BTreeMap<String, i64> {
        let mut counts = BTreeMap::new();
        for actor in &self.0.actors {
            if let Some(waiting) = actor.waits() {
                *counts.entry(waiting.reason).or_default() += 1;
            }
        }
        counts
    }

    /// Counts actors for which something holds.
    pub fn count(&self, holds: impl Fn(&ActorHealth) -> bool) -> usize {
        self.0.actors.iter().filter(|actor| holds(actor)).count()
    }

    /// Notes a sign of life of a part.
    pub fn beat(&self, part: Part) {
        let now = self.0.clock.monotonic();
        self.parts().beats.insert(part, now);
    }

    /// Expects no more signs of life of a part: it has ended as it should.
    pub fn rest(&self, part: Part) {
        self.parts().beats.remove(&part);
    }

    /// Says that the instance is ending, so that it is ready no more.
    pub fn draining(&self) {
        self.parts().draining = true;
    }

    /// Notes how the watches of a scope stand.
    pub fn of_watch(&self, scope: &str, change: impl FnOnce(&mut WatchHealth)) {
        let mut watch = self.0.watches.entry(scope.to_owned()).or_default();
        change(&mut watch);
    }

    /// Forgets the watches of a scope.
    pub fn forget_watch(&self, scope: &str) {
        self.0.watches.remove(scope);
    }

    /// Returns how all watches stand, by scope.
    pub fn watches(&self) -> BTreeMap<String, WatchHealth> {
        self.0
            .watches
            .iter()
            .map(|watch| (watch.key().clone(), watch.value().clone()))
            .collect()
    }

    /// Notes that an object cannot be decoded; returns whether that is news.
    pub fn undecodable(&self, object: &str, problem: &str) -> bool {
        self.0
            .undecodable
            .insert(object.to_owned(), problem.to_owned())
            .as_deref()
            != Some(problem)
    }

    /// Notes that an object was decoded, or is gone.
    pub fn decoded(&self, object: &str) {
        // Nearly always there is none, and then this costs no lock of a shard.
        if !self.0.undecodable.is_empty() {
            self.0.undecodable.remove(object);
        }
    }

    /// Lists the objects that cannot be decoded, and why.
    pub fn undecodable_objects(&self) -> BTreeMap<String, String> {
        self.0
            .undecodable
            .iter()
            .map(|entry| (entry.key().clone(), entry.value().clone()))
            .collect()
    }

    /// Notes whether the configuration files can be read; the last good configuration stays.
    pub fn configuration(&self, problem: Option<String>) {
        self.parts().configuration = problem;
    }

    /// Returns why the configuration files cannot be read, if so.
    pub fn configuration_problem(&self) -> Option<String> {
        self.parts().configuration.clone()
    }

    /// Notes whether resources of kinds that are not carried out can be told so.
    pub fn announcing(&self, problem: Option<String>) {
        self.parts().announcing = problem;
    }

    /// Returns whether this instance leads, stands by, or is stopping.
    pub fn role(&self) -> Role {
        Role::of(&self.0.leadership)
    }

    /// Returns whether the installed CRD was seen to drop our fields.
    pub fn crd_is_outdated(&self) -> bool {
        self.0.crd.is_outdated()
    }

    /// Returns whether all parts have given a sign of life within `patience`, else the late ones.
    pub fn liveness(&self, patience: Duration) -> Result<(), Vec<Part>> {
        let now = self.0.clock.monotonic();
        let late: Vec<Part> = self.parts().late(now, patience);
        if late.is_empty() { Ok(()) } else { Err(late) }
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.0.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
