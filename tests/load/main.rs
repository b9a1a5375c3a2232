//! Thousands of resources on the real API server: how long, how much memory, how many requests.
//!
//! `make bench N=1000` creates N applications in ten namespaces with 64 creators. What a node and the
//! controllers would do is done by this process (`player`): a Deployment becomes available and its pod
//! ready after 1 s, its job runs 1 s later, and JobManagers answer on addresses of their own. So what is
//! measured is the operator and the API server. The table at the end stands beside the targets.
//!
//! Figures depend on the machine and are not judged. What is judged holds on any: all become STABLE, and
//! at rest nothing is asked of the API server.

#![allow(clippy::unwrap_used)] // helpers of tests: a panic is the failure

mod bench;
mod follow;
mod player;
mod process;
mod raw;
mod table;

#[path = "../conformance/stage/mod.rs"]
#[allow(dead_code)] // what only the conformance tests use
mod stage;

use std::time::Duration;

/// Resources, unless the environment says otherwise: few in a gate, many in the full run.
fn resources() -> usize {
    let full = std::env::var("FLINK_OPERATOR_TEST_SCOPE").is_ok_and(|scope| scope == "full");
    let asked = std::env::var("FLINK_OPERATOR_BENCH_RESOURCES")
        .ok()
        .filter(|text| !text.is_empty());
    asked.map_or(if full { 1000 } else { 50 }, |text| {
        text.parse()
            .expect("FLINK_OPERATOR_BENCH_RESOURCES is a number")
    })
}

/// How long the jobs are watched at rest.
const REST: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn resources_created_at_once_become_stable_and_then_cost_nothing() {
    let figures = bench::run(resources(), REST).await;
    println!("{}", table::of(&figures));
    assert_eq!(figures.stable.len(), figures.resources, "all are STABLE");
    assert_eq!(
        figures.rest.requests, 0,
        "requests to the API server at rest"
    );
}
