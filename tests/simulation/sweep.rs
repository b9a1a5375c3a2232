//! One change of one resource, played once for each fault at each moment.

use flink_operator_oracle::history::Goal;
use flink_operator_world::cluster::World;
use serde_json::Value;

use crate::plan::{Fault, Moments};
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
}

/// Where a resource stands before it is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// It is not there.
    Nothing,
    /// Its job runs.
    Stable,
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
    let plans = moments.plans();
    let mut failed = Vec::new();
    for fault in &plans {
        let outcome = stage::play(sweep, *fault);
        if !outcome.complaints.is_empty() {
            failed.push(format!(
                "{}/{fault}: {}",
                sweep.name,
                outcome.complaints.join("; ")
            ));
        }
    }
    println!(
        "{}: {} writes, {} events, {} plans run, {} failed",
        sweep.name,
        moments.writes,
        moments.events,
        plans.len(),
        failed.len()
    );
    assert!(
        failed.is_empty(),
        "{} of {} plans failed; replay one with PLAN=<name> cargo test --test simulation one_plan -- --nocapture\n{}",
        failed.len(),
        plans.len(),
        failed.join("\n")
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
