//! One change of one resource, played once for each fault at each moment.

use std::ops::RangeInclusive;

use flink_operator_oracle::history::Goal;
use flink_operator_world::cluster::World;
use serde_json::Value;

use crate::deeds::Deed;
use crate::plan::{Fault, Kinds, Moments};
use crate::play::{NAME, NAMESPACE, Way};
use crate::{random, stage};

/// A change and where it leads.
pub struct Sweep {
    /// How it is called in plans.
    pub name: &'static str,
    /// The resource that is changed.
    pub resource: fn() -> Value,
    /// Where the resource stands before.
    pub before: Before,
    /// What is done to the world.
    pub change: fn(&World),
    /// Where the resource stands in the end.
    pub goal: Goal,
    /// Where else it may stand if this was done to its cluster.
    pub or: fn(Deed) -> Vec<Goal>,
    /// After how many plans it stands there, so that it cannot get into the habit.
    pub elsewhere: usize,
    /// Whether the change always replaces the cluster, if there is one in the end.
    pub replaces: bool,
    /// How many Deployments may be created on the way where no write is disturbed.
    pub creations: RangeInclusive<usize>,
    /// The generation that the resource has when the change is complete.
    pub generation: i64,
    /// Which faults disturb it.
    pub kinds: Kinds,
    /// How the operator reaches the JobManager.
    pub way: Way,
}

impl Sweep {
    /// Describes a change that replaces the cluster at once, disturbed by operators and API servers alone.
    pub fn new(
        name: &'static str,
        resource: fn() -> Value,
        before: Before,
        change: fn(&World),
        goal: Goal,
    ) -> Self {
        let creations = usize::from(goal == Goal::Running);
        Self {
            name,
            resource,
            before,
            change,
            goal,
            or: |_| Vec::new(),
            elsewhere: 0,
            replaces: true,
            creations: creations..=creations,
            generation: 0,
            kinds: Kinds::Operator,
            way: Way::Pod,
        }
    }

    /// Disturbs the change by other faults.
    pub fn under(self, kinds: Kinds) -> Self {
        Self { kinds, ..self }
    }

    /// Lets Flink and others do things to the cluster, which is gone by a write, after which the resource may stand elsewhere, too.
    pub fn under_flink(self, until: u64, or: fn(Deed) -> Vec<Goal>, elsewhere: usize) -> Self {
        Self {
            kinds: Kinds::Flink { until },
            or,
            elsewhere,
            ..self
        }
    }

    /// Lets the operator reach the JobManager through the API server.
    pub fn by_proxy(self) -> Self {
        Self {
            kinds: Kinds::LateByMinutes,
            way: Way::Proxy,
            ..self
        }
    }

    /// Describes a change that somebody takes back, so that the cluster may stay.
    pub fn taken_back(self, creations: RangeInclusive<usize>) -> Self {
        Self {
            replaces: false,
            creations,
            generation: 3,
            ..self
        }
    }

    /// Gives where the resource stands in the end of a plan whose fault struck before or after the cluster was
    /// replaced.
    pub fn goal_under(&self, fault: Fault, replaced: bool) -> Goal {
        let Fault::Flink { deed, .. } = fault else {
            return self.goal.clone();
        };
        let mut goals = (self.or)(deed);
        // What ends the new job is no part of the change any more.
        if replaced && matches!(deed, Deed::JobFinishes | Deed::StoppedByOthers) {
            goals.push(Goal::Ended("FINISHED".into()));
        }
        if goals.is_empty() {
            return self.goal.clone();
        }
        goals.insert(0, self.goal.clone());
        Goal::OneOf(goals)
    }

    /// Tells whether the job keeps its state.
    pub fn keeps_state(&self) -> bool {
        (self.resource)()["spec"]["job"]["upgradeMode"] != "stateless"
    }

    /// Tells whether the users have done all that they do.
    pub fn is_through(&self, world: &World) -> bool {
        let resource = world.api.look("FlinkDeployment", NAMESPACE, NAME);
        let generation = resource.and_then(|resource| resource["metadata"]["generation"].as_i64());
        generation.unwrap_or(i64::MAX) >= self.generation
    }
}

/// Where a resource stands before it is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// It is not there.
    Nothing,
    /// Its job runs and has no checkpoint yet.
    Stable,
    /// Its job runs and has checkpoints.
    Checkpointed,
    /// It was suspended and resumed, and has no checkpoint since.
    Resumed,
    /// It was suspended.
    Suspended,
}

/// The moments that a play without faults must have, so that a sweep cannot shrink unnoticed.
pub struct Expected {
    pub writes: u64,
    pub events: u64,
}

/// Plays the change undisturbed, then once for each plan, and fails if any plan fails.
pub fn run(sweep: &Sweep, expected: &Expected) {
    let undisturbed = stage::play(sweep, Fault::None);
    let moments = undisturbed.moments;
    assert!(
        undisturbed.complaints.is_empty(),
        "{} fails without faults:\n{}\n{}",
        sweep.name,
        undisturbed.story(),
        undisturbed.complaints.join("\n")
    );
    let wanted = Moments {
        writes: expected.writes,
        events: expected.events,
    };
    assert_eq!(
        moments, wanted,
        "{}: the number of moments changed; if that is right, change the constants in main.rs",
        sweep.name
    );
    let plans = moments.plans(sweep.kinds);
    let (mut failed, mut elsewhere) = (Vec::new(), Vec::new());
    for fault in &plans {
        let outcome = stage::play(sweep, *fault);
        if outcome.elsewhere {
            elsewhere.push(fault.to_string());
        }
        if !outcome.complaints.is_empty() {
            failed.push(format!(
                "{}/{fault}: {}",
                sweep.name,
                outcome.complaints.join("; ")
            ));
        }
    }
    println!(
        "{}: {} writes, {} events, {} plans run, {} ended elsewhere, {} failed",
        sweep.name,
        moments.writes,
        moments.events,
        plans.len(),
        elsewhere.len(),
        failed.len()
    );
    assert!(
        failed.is_empty(),
        "{} of {} plans failed; replay one with PLAN=<name> cargo test --test simulation one_plan -- --nocapture\n{}",
        failed.len(),
        plans.len(),
        failed.join("\n")
    );
    assert_eq!(
        elsewhere.len(),
        sweep.elsewhere,
        "{}: the number of plans that end elsewhere changed; if that is right, change it: {elsewhere:?}",
        sweep.name
    );
}

/// A sweep that can be asked for by its name.
pub type Named = (&'static str, fn() -> Sweep);

/// Plays one plan by its name and tells its story.
pub fn replay(name: &str, all: &[Named]) {
    let (wanted, fault) = name
        .split_once('/')
        .expect("PLAN is <sweep>/<fault>, such as create/crash-after-5");
    if wanted == "random" {
        return random::replay(fault);
    }
    let found = all.iter().find(|(name, _)| *name == wanted);
    let (_, make) = found.unwrap_or_else(|| panic!("there is no sweep {wanted:?}"));
    let fault: Fault = fault.parse().unwrap_or_else(|error| panic!("{error}"));
    let outcome = stage::play(&make(), fault);
    println!("{}", outcome.story());
    assert!(
        outcome.complaints.is_empty(),
        "{}",
        outcome.complaints.join("\n")
    );
    println!("{name}: no complaint");
}
