//! A play: a world in virtual time with whole operators in it, and what a test does to both.

mod operator;
mod resource;

pub(crate) use operator::{ELECTION, Operator, Way};
pub(crate) use resource::{NAME, NAMESPACE, application, highly_available, keeping, with_ha};

use std::future::Future;
use std::sync::LazyLock;
use std::time::Duration;

use flink_operator_world::cluster::{Late, Settings, World};
use serde_json::Value;
use tokio::time::Instant;

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Runs a play in a runtime of its own, whose time is virtual.
pub(crate) fn in_virtual_time<F: Future>(play: F) -> F::Output {
    let runtime = actix::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime without threads needs nothing")
    });
    runtime.block_on(play)
}

/// Starts a world that has our own CRDs.
pub(crate) fn world() -> World {
    World::start(Settings::default(), &[our_crd(), snapshot_crd()])
}

/// Gives the CRD of snapshots that the operator ships.
pub(crate) fn snapshot_crd() -> Value {
    static CRD: LazyLock<Value> = LazyLock::new(|| shipped("FlinkStateSnapshot"));
    CRD.clone()
}

fn shipped(kind: &str) -> Value {
    let crds = flink_operator_api::crds();
    let found = crds.iter().find(|crd| crd.spec.names.kind == kind);
    serde_json::to_value(found.expect("the kind is ours")).expect("a CRD is JSON")
}

/// Gives the CRD that the operator ships for its resources.
pub(crate) fn our_crd() -> Value {
    // Rendering it takes longer than playing a plan.
    static CRD: LazyLock<Value> = LazyLock::new(|| shipped("FlinkDeployment"));
    CRD.clone()
}

/// Lets virtual time pass.
pub(crate) async fn pass(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

/// Lets time pass until something holds. Looks rarely: a look costs more than a second of the world.
pub(crate) async fn until(
    world: &World,
    limit: Duration,
    holds: impl Fn(&World) -> bool,
) -> Result<(), Late> {
    let start = Instant::now();
    while !holds(world) {
        if start.elapsed() >= limit {
            return Err(Late(limit));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
