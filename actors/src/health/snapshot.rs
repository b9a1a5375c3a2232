//! Everything at one moment, for pages and probes.

use super::{ActorHealth, Health, Role, Waiting, WatchHealth};
use jiff::Timestamp;
use operator_core::name::Key;
use serde::Serialize;
use std::collections::BTreeMap;

/// Actors that a sentence names before it counts the rest.
const NAMED: usize = 3;

/// Everything that is known at one moment; its JSON is what `/actors` answers.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The moment.
    pub at: Timestamp,
    /// Whether this instance acts.
    pub role: Role,
    /// Numbers of all actors, whatever was asked for.
    pub counts: Counts,
    /// Actors that are what was asked for.
    pub found: usize,
    /// Those of them that are shown, sorted by kind, namespace and name.
    pub actors: Vec<ActorView>,
    /// How the watches stand, by namespace; `*` means all.
    pub namespaces: BTreeMap<String, WatchHealth>,
    /// Objects that cannot be decoded, and why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub undecodable: BTreeMap<String, String>,
}

/// One actor, with its resource.
#[derive(Clone, Debug, Serialize)]
pub struct ActorView {
    /// The kind of the resource.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How the actor fares.
    #[serde(flatten)]
    pub health: ActorHealth,
    /// What the resource waits for; nothing if it is at rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
}

/// Numbers of actors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// All.
    pub actors: usize,
    /// Those whose resource waits for something.
    pub waiting: usize,
    /// Those whose last passes failed.
    pub failing: usize,
    /// Those that crash again and again.
    pub crash_looping: usize,
    /// By `status.lifecycleState`, where that is known.
    pub lifecycle: BTreeMap<&'static str, usize>,
    /// By namespace.
    pub namespaces: BTreeMap<String, usize>,
}

impl Counts {
    fn count(&mut self, key: &Key, actor: &ActorHealth) {
        self.actors += 1;
        self.waiting += usize::from(actor.waits().is_some());
        self.failing += usize::from(actor.consecutive_failures > 0);
        self.crash_looping += usize::from(actor.crash_looping);
        if let Some(state) = actor.lifecycle {
            *self.lifecycle.entry(state).or_default() += 1;
        }
        match self.namespaces.get_mut(&key.namespace) {
            Some(count) => *count += 1,
            None => drop(self.namespaces.insert(key.namespace.clone(), 1)),
        }
    }
}

/// Whether an instance serves, and what a person should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// Whether its stores are warm and it is not ending. A standby is ready too.
    pub ready: bool,
    /// Whether this instance acts.
    pub role: Role,
    /// Sentences about what is wrong or not ready yet; some of them do not stand in the way of readiness.
    pub details: Vec<String>,
}

impl Health {
    /// Copies everything.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_of(|_, _| true)
    }

    /// Copies what is known of the actors that are asked for; the others are counted.
    pub fn snapshot_of(&self, asked: impl Fn(&Key, &ActorHealth) -> bool) -> Snapshot {
        let mut counts = Counts::default();
        let mut actors: Vec<(Key, ActorHealth)> = Vec::new();
        for actor in &self.0.actors {
            counts.count(actor.key(), actor.value());
            if asked(actor.key(), actor.value()) {
                actors.push((actor.key().clone(), actor.value().clone()));
            }
        }
        actors.sort_by(|one, other| one.0.cmp(&other.0));
        let view = |(key, health): (Key, ActorHealth)| ActorView {
            kind: key.kind.as_str(),
            namespace: key.namespace,
            name: key.name,
            waiting: health.waits(),
            health,
        };
        Snapshot {
            at: self.0.clock.now(),
            role: self.role(),
            counts,
            found: actors.len(),
            actors: actors.into_iter().map(view).collect(),
            namespaces: self.watches(),
            undecodable: self.undecodable_objects(),
        }
    }

    /// Names actors that crash again and again, a few of them.
    fn crash_loops(&self) -> Option<String> {
        let looping = self.0.actors.iter().filter(|actor| actor.crash_looping);
        let mut keys: Vec<Key> = looping.map(|actor| actor.key().clone()).collect();
        keys.sort();
        let named: Vec<String> = keys.iter().take(NAMED).map(ToString::to_string).collect();
        let more = match keys.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        (!named.is_empty()).then(|| {
            format!(
                "actors crash again and again: {}{more}; this is a bug in the operator, see its log",
                named.join(", ")
            )
        })
    }

    /// Says whether the instance serves. One unreadable namespace is said, and does not stand in the way of
    /// the others.
    pub fn readiness(&self) -> Readiness {
        let role = self.role();
        let watches = self.watches();
        let mut details = Vec::new();
        let mut pending = watches.is_empty();
        let mut serving = false;
        for (scope, watch) in &watches {
            let scope = if scope == "*" {
                "all namespaces".to_owned()
            } else {
                format!("namespace {scope}")
            };
            serving |= watch.ready;
            pending |= !watch.ready && watch.troubles.is_empty();
            if !watch.ready && watch.troubles.is_empty() {
                details.push(format!("{scope}: the first listing has not ended"));
            }
            for (plural, trouble) in &watch.troubles {
                let cure = if trouble.forbidden {
                    "; grant the operator list and watch there"
                } else {
                    ""
                };
                details.push(format!(
                    "{scope}: cannot watch {plural} since {}: {}{cure}",
                    trouble.since, trouble.message
                ));
            }
            for (plural, trouble) in &watch.unannounced {
                details.push(format!(
                    "{scope}: cannot watch {plural} since {}, so none is told that this version does not carry it out: {}",
                    trouble.since, trouble.message
                ));
            }
        }
        if watches.is_empty() {
            details.push("no namespace is watched yet".to_owned());
        }
        details.extend(
            self.undecodable_objects()
                .iter()
                .map(|(object, why)| format!("{object} cannot be decoded: {why}")),
        );
        if self.crd_is_outdated() {
            details.push(
                "the installed CRDs drop status fields, without which nothing is deployed or stopped; run `flink-operator crds apply`"
                    .to_owned(),
            );
        }
        if let Some(problem) = self.configuration_problem() {
            details.push(format!("the configuration files cannot be read, the last good ones stay in force: {problem}"));
        }
        details.extend(self.parts().announcing.clone());
        details.extend(self.crash_loops());
        let draining = self.parts().draining || role == Role::Stopping;
        if draining {
            details.push("shutting down".to_owned());
        }
        Readiness {
            ready: serving && !pending && !draining,
            role,
            details,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{Activity, Health, Part, Trouble, Waiting};
    use crate::clock::Clock;
    use crate::leadership::Leadership;
    use crate::shell::CrdSupport;
    use operator_core::name::{Key, Kind};
    use std::time::Duration;

    fn health() -> Health {
        let clock = Clock::system();
        Health::new(
            clock.clone(),
            Leadership::alone(clock),
            CrdSupport::default(),
        )
    }

    fn key(name: &str) -> Key {
        Key {
            kind: Kind::FlinkDeployment,
            namespace: "demo".to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn the_page_lists_actors_in_order_and_as_json() {
        let health = health();
        for name in ["b", "a"] {
            health.of_actor(&key(name), |actor| actor.restarts = 1);
        }
        let json = serde_json::to_value(health.snapshot()).unwrap();
        assert_eq!(json["actors"][0]["name"], "a");
        assert_eq!(json["actors"][1]["activity"], "idle");
        assert_eq!(json["actors"][1]["restarts"], 1);
        assert_eq!(health.activities()[&Activity::Idle], 2);
    }

    #[test]
    fn what_an_actor_waits_for_is_always_said_with_its_time() {
        let health = health();
        let waits = || {
            let waits = health.actor(&key("a")).unwrap().waits();
            waits.map(|waits| waits.reason)
        };
        health.of_actor(&key("a"), |_| {});
        assert_eq!(waits().as_deref(), Some("FirstLook"));
        health.of_actor(&key("a"), |actor| actor.passes = 1);
        assert_eq!(waits(), None);
        let waiting = |reason: &str, since: i64| Waiting {
            reason: reason.to_owned(),
            message: "a sentence".to_owned(),
            since: jiff::Timestamp::from_second(since).unwrap(),
        };
        health.of_actor(&key("a"), |actor| {
            actor.waiting = Some(waiting("Deploying", 3));
        });
        assert_eq!(waits().as_deref(), Some("Deploying"));
        health.of_actor(&key("a"), |actor| {
            actor.stalled = Some(waiting("PassFails", 4));
        });
        assert_eq!(waits().as_deref(), Some("PassFails"));
        for times in 1..=2 {
            health.crashed(&key("a"), times == 2);
        }
        let json = serde_json::to_value(health.snapshot()).unwrap();
        let shown = &json["actors"][0]["waiting"];
        assert_eq!(shown["reason"], "ActorCrashLoop");
        assert!(
            shown["message"].as_str().unwrap().contains("2 in all"),
            "{shown}"
        );
        assert!(shown["since"].is_string());
        let details = health.readiness().details.join("\n");
        assert!(
            details.contains("again and again: FlinkDeployment demo/a;"),
            "{details}"
        );
        let longer = waiting("Deploying", 9).instead_of(Some(&waiting("Deploying", 3)));
        assert_eq!(longer.since.as_second(), 3);
        let other = waiting("Deploying", 9).instead_of(Some(&waiting("PassFails", 3)));
        assert_eq!(other.since.as_second(), 9);
    }

    #[test]
    fn those_that_are_not_asked_for_are_counted() {
        let health = health();
        for name in ["a", "b", "c"] {
            health.of_actor(&key(name), |actor| {
                actor.passes = 1;
                actor.lifecycle = Some("STABLE");
            });
        }
        health.of_actor(&key("b"), |actor| actor.consecutive_failures = 1);
        let snapshot = health.snapshot_of(|_, actor| actor.consecutive_failures > 0);
        assert_eq!((snapshot.found, snapshot.actors.len()), (1, 1));
        let counts = snapshot.counts;
        assert_eq!((counts.actors, counts.failing, counts.waiting), (3, 1, 0));
        assert_eq!(
            (counts.lifecycle["STABLE"], counts.namespaces["demo"]),
            (3, 3)
        );
    }

    #[test]
    fn a_bad_namespace_is_said_and_the_others_are_served() {
        let health = health();
        assert!(!health.readiness().ready);
        health.of_watch("good", |watch| watch.ready = true);
        health.of_watch("slow", |_| {});
        assert!(!health.readiness().ready, "a first listing is under way");
        let trouble = Trouble {
            forbidden: true,
            message: "pods is forbidden".to_owned(),
            since: jiff::Timestamp::UNIX_EPOCH,
        };
        health.of_watch("slow", |watch| drop(watch.troubles.insert("pods", trouble)));
        let readiness = health.readiness();
        assert!(readiness.ready);
        assert!(
            readiness.details[0].contains("namespace slow")
                && readiness.details[0].contains("grant")
        );
        health.draining();
        assert!(!health.readiness().ready);
    }

    #[test]
    fn a_part_that_is_late_fails_liveness() {
        let health = health();
        assert_eq!(health.liveness(Duration::ZERO), Ok(()));
        health.beat(Part::Watcher);
        assert_eq!(health.liveness(Duration::from_secs(3600)), Ok(()));
        std::thread::yield_now();
        let late = (0..1000).find_map(|_| health.liveness(Duration::ZERO).err());
        assert_eq!(late, Some(vec![Part::Watcher]));
        health.rest(Part::Watcher);
        assert_eq!(health.liveness(Duration::ZERO), Ok(()));
    }
}
