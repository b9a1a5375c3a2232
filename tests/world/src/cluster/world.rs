//! Everything that a plan needs, in one value.

use std::time::Duration;

use flink_operator_oracle::history::{Calm, Goal, History};
use flink_operator_oracle::{Violation, judge, tell};
use jiff::SignedDuration;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{Cluster, Settings};
use crate::api::ApiServer;
use crate::clock::Clock;

/// From an owner's end to the garbage collector's next step.
const COLLECTOR_LAG: Duration = Duration::from_millis(20);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// An API server with its controllers, a node, and Flink.
///
/// Make it in a runtime whose time is paused: everything in it lives in virtual time and ends with the runtime.
#[derive(Clone, Debug)]
pub struct World {
    /// The API server.
    pub api: ApiServer,
    /// Controllers, node and JobManagers.
    pub cluster: Cluster,
}

/// A condition that did not come about in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late(pub Duration);

impl World {
    /// Starts a world with these CRDs.
    pub fn start(settings: Settings, crds: &[Value]) -> Self {
        let api = crds
            .iter()
            .fold(ApiServer::new(Clock::new()), ApiServer::with_crd);
        tokio::spawn(api.clone().run_garbage_collector(COLLECTOR_LAG));
        let cluster = Cluster::start(&api, settings);
        Self { api, cluster }
    }

    /// Lets time pass until something holds; gives how long that took.
    pub async fn until(
        &self,
        limit: Duration,
        holds: impl Fn(&Self) -> bool,
    ) -> Result<Duration, Late> {
        let start = Instant::now();
        while !holds(self) {
            if start.elapsed() >= limit {
                return Err(Late(limit));
            }
            sleep(LOOK).await;
        }
        Ok(start.elapsed())
    }

    /// Lets the world be: `settle` for the operator to come to rest, `silence` to prove that it did.
    pub async fn calm_down(
        &self,
        settle: Duration,
        silence: Duration,
        goals: Vec<(String, String, Goal)>,
    ) -> Calm {
        let since = super::kubelet::moment(self.api.clock().moment());
        let settle_signed =
            SignedDuration::try_from(settle).expect("plans are shorter than centuries");
        let rest_by = since.at + settle_signed;
        sleep(settle + silence).await;
        Calm {
            since,
            rest_by,
            goals,
        }
    }

    /// Judges what the operators of this world did so far.
    pub fn verdict(&self, operators: impl Fn(&str) -> bool, calm: Option<Calm>) -> Verdict {
        let history = self.cluster.history(operators, calm);
        let violations = judge(&history);
        Verdict {
            history,
            violations,
        }
    }
}

/// What the oracle says about a world.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What happened.
    pub history: History,
    /// Which promises were broken.
    pub violations: Vec<Violation>,
}

impl Verdict {
    /// Tells the whole story with the violations at its end; empty if there are none.
    pub fn complaint(&self) -> String {
        if self.violations.is_empty() {
            return String::new();
        }
        let violations: Vec<String> = self.violations.iter().map(ToString::to_string).collect();
        format!("{}\n{}", tell(&self.history), violations.join("\n"))
    }
}
