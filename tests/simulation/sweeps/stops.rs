//! Changes of a job that keeps its state: it is stopped with a savepoint, and goes on from it.

use std::time::Duration;

use flink_operator_oracle::history::Goal;
use flink_operator_world::cluster::World;
use serde_json::{Value, json};

use super::{create_it, edit_it, scale, set_state};
use crate::deeds::Deed;
use crate::goals::has_reason;
use crate::plan::Kinds;
use crate::play::{NAME, NAMESPACE, Way, keeping, pass, until, with_ha};
use crate::stage::moment;
use crate::sweep::{Before, Sweep};

/// A savepoint that another cluster made.
const BROUGHT: &str = "file:///sp/savepoint-brought";
/// By this write the cluster whose job was stopped is gone.
const GONE_BY: u64 = 13;
/// How long a user waits for what makes him change his mind.
const PATIENCE: Duration = Duration::from_secs(120);

fn keeping_with_ha() -> Value {
    with_ha(keeping())
}

fn stopped(name: &'static str, resource: fn() -> Value, change: fn(&World), goal: Goal) -> Sweep {
    Sweep::new(name, resource, Before::Stable, change, goal).under(Kinds::LateCalls)
}

fn suspend_it(world: &World) {
    set_state(world, "suspended");
}

/// The user edits a spec whose state is kept.
pub fn savepoint_upgrade() -> Sweep {
    stopped("savepoint_upgrade", keeping, scale, Goal::Running)
}

pub fn savepoint_upgrade_with_ha() -> Sweep {
    stopped(
        "savepoint_upgrade_with_ha",
        keeping_with_ha,
        scale,
        Goal::Running,
    )
}

/// The user suspends a job whose state is kept.
pub fn savepoint_suspend() -> Sweep {
    stopped("savepoint_suspend", keeping, suspend_it, Goal::Suspended)
}

pub fn savepoint_suspend_with_ha() -> Sweep {
    stopped(
        "savepoint_suspend_with_ha",
        keeping_with_ha,
        suspend_it,
        Goal::Suspended,
    )
}

/// The user resumes a job from the savepoint that it was suspended with.
pub fn savepoint_resume() -> Sweep {
    let change = |world: &World| set_state(world, "running");
    let before = Before::Suspended;
    Sweep::new("savepoint_resume", keeping, before, change, Goal::Running)
}

/// The user creates a resource that starts from a savepoint of another cluster.
pub fn create_from_savepoint() -> Sweep {
    fn resource() -> Value {
        let mut resource = keeping();
        resource["spec"]["job"]["initialSavepointPath"] = json!(BROUGHT);
        resource
    }
    fn change(world: &World) {
        let completed = moment(world);
        world
            .cluster
            .with_files(|files| files.bring(BROUGHT, 41, 600_000, completed));
        create_it(world, resource());
    }
    Sweep::new(
        "create_from_savepoint",
        resource,
        Before::Nothing,
        change,
        Goal::Running,
    )
}

/// What else may come of a change when something was done to a cluster without high availability.
fn alone(deed: Deed) -> Vec<Goal> {
    match deed {
        // Flink starts the job again from where it once began, or from nothing.
        Deed::JobManagerKilled => vec![
            Goal::Waiting("ManualRestoreRequired".into()),
            Goal::Waiting("RestoredFromOlderState".into()),
        ],
        other => of_both(other),
    }
}

/// The same where high-availability data survives the JobManager.
fn with_data(deed: Deed) -> Vec<Goal> {
    match deed {
        // The result of a stop is lost with the process all the same.
        Deed::JobManagerKilled => vec![Goal::Waiting("ManualRestoreRequired".into())],
        other => of_both(other),
    }
}

fn of_both(deed: Deed) -> Vec<Goal> {
    match deed {
        // Flink removes the last checkpoint of a job that comes to its own end.
        Deed::JobFinishes => vec![
            Goal::Ended("FINISHED".into()),
            Goal::Waiting("ManualRestoreRequired".into()),
        ],
        // Nobody is left who could tell of a savepoint.
        Deed::DeploymentDeleted => vec![Goal::Waiting("ManualRestoreRequired".into())],
        Deed::JobManagerKilled
        | Deed::TaskManagersKilled
        | Deed::TaskFails
        | Deed::ResultsEvicted
        | Deed::SavepointsUnwritable
        | Deed::RestSilent
        | Deed::StoppedByOthers => Vec::new(),
    }
}

/// Flink, or somebody else, does something in the middle of an upgrade.
pub fn flink_in_upgrade() -> Sweep {
    let sweep = stopped("flink_in_upgrade", keeping, scale, Goal::Running);
    sweep.under_flink(GONE_BY, alone, 14)
}

pub fn flink_in_upgrade_with_ha() -> Sweep {
    let name = "flink_in_upgrade_with_ha";
    let before = Before::Checkpointed;
    Sweep::new(name, keeping_with_ha, before, scale, Goal::Running)
        .under_flink(GONE_BY, with_data, 14)
}

/// The same when a job is suspended that began from a savepoint: Flink itself would start it from there again.
pub fn flink_in_suspend() -> Sweep {
    let (name, before) = ("flink_in_suspend", Before::Resumed);
    Sweep::new(name, keeping, before, suspend_it, Goal::Suspended).under_flink(GONE_BY, alone, 16)
}

fn failing(when: &str) -> Value {
    let mut resource = keeping();
    resource["spec"]["job"]["args"] = json!(["--stop-fails", when]);
    resource
}

/// The program throws while the savepoint is taken, each time. The user sees it and takes the edit back.
pub fn savepoint_fails() -> Sweep {
    fn change(world: &World) {
        scale(world);
        take_back(world, |world| {
            let resource = world.api.look("FlinkDeployment", NAMESPACE, NAME);
            resource.is_some_and(|resource| has_reason(&resource["status"], "SavepointFailed"))
        });
    }
    let sweep = stopped(
        "savepoint_fails",
        || failing("saving"),
        change,
        Goal::Running,
    );
    sweep.taken_back(0..=0).under(Kinds::Few)
}

/// The program throws after the savepoint was taken: the job fails, and its savepoint is named in the failure.
pub fn closing_fails() -> Sweep {
    let resource = || failing("closing");
    stopped("closing_fails", resource, scale, Goal::Running).under(Kinds::Few)
}

/// The user edits a spec and takes it back while the savepoint is being taken.
pub fn savepoint_taken_back() -> Sweep {
    stopped(
        "savepoint_taken_back",
        keeping,
        scale_and_take_back,
        Goal::Running,
    )
    .taken_back(0..=1)
    .under(Kinds::Few)
}

/// An upgrade whose calls to Flink arrive minutes late, by way of the API server.
pub fn proxied_upgrade() -> Sweep {
    stopped("proxied_upgrade", keeping, scale, Goal::Running).by_proxy()
}

/// An upgrade whose savepoint takes forty seconds: late requests arrive while it is being taken.
pub fn slow_savepoint() -> Sweep {
    fn resource() -> Value {
        let mut resource = keeping();
        resource["spec"]["job"]["args"] = json!(["--snapshot-takes", "40 s"]);
        resource
    }
    Sweep {
        way: Way::Proxy,
        ..stopped("slow_savepoint", resource, scale, Goal::Running).under(Kinds::LateInBetween)
    }
}

/// The same, and the user takes it back meanwhile: the job that a late call finds may be the one it was meant for.
pub fn proxied_taken_back() -> Sweep {
    let name = "proxied_taken_back";
    let sweep = stopped(name, keeping, scale_and_take_back, Goal::Running);
    sweep.taken_back(0..=1).by_proxy()
}

fn scale_and_take_back(world: &World) {
    scale(world);
    let began = world.api.clock().now();
    take_back(world, move |world| {
        world.api.clock().now().duration_since(began).as_millis() >= 1_000
    });
}

/// Takes the scaling back once something is seen.
fn take_back(world: &World, seen: impl Fn(&World) -> bool + 'static) {
    let world = world.clone();
    tokio::task::spawn_local(async move {
        // If it never is, the play does not get to its goal and says so.
        if until(&world, PATIENCE, seen).await.is_ok() {
            pass(0.1).await;
            edit_it(&world, |spec| spec["job"]["parallelism"] = json!(2));
        }
    });
}
