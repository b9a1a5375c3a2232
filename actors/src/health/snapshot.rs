//! Everything at one moment, for pages and probes.

use super::{ActorHealth, Health, Role, WatchHealth};
use jiff::Timestamp;
use operator_core::name::Key;
use serde::Serialize;
use std::collections::BTreeMap;

/// Everything that is known at one moment; its JSON is what `/actors` answers.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The moment.
    pub at: Timestamp,
    /// Whether this instance acts.
    pub role: Role,
    /// All actors, sorted by kind, namespace and name.
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
        let mut actors: Vec<(Key, ActorHealth)> = self
            .0
            .actors
            .iter()
            .map(|actor| (actor.key().clone(), actor.value().clone()))
            .collect();
        actors.sort_by(|one, other| one.0.cmp(&other.0));
        let view = |(key, health): (Key, ActorHealth)| ActorView {
            kind: key.kind.as_str(),
            namespace: key.namespace,
            name: key.name,
            health,
        };
        Snapshot {
            at: self.0.clock.now(),
            role: self.role(),
            actors: actors.into_iter().map(view).collect(),
            namespaces: self.watches(),
            undecodable: self.undecodable_objects(),
        }
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
    use super::super::{Activity, Health, Part, Trouble};
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
