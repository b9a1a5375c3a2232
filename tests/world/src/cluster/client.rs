//! The operator's own Flink client against the simulated Flink, version by version.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use flink_rest::{
    CheckpointKind, Client, Clock as _, Endpoint, Host, JobId, JobManager, JobState, Limits,
    Operation, Permit, StopRequest, TriggerId, savepoint_of_failed_stop,
};

use super::rig::{JOB, Rig};
use super::{RestTrouble, WorldClock};
use crate::points::{Action, Failure};

const VERSIONS: [&str; 7] = ["1.13", "1.14", "1.15", "1.16", "1.18", "1.20", "2.3"];
const TRIGGER: &str = "00112233445566778899aabbccddeeff";

fn job() -> JobId {
    JOB.parse().unwrap()
}

fn job_manager(rig: &Rig) -> JobManager {
    let address: IpAddr = rig.address().parse().unwrap();
    Client::new(rig.cluster.wire("op").transport(), Limits::default())
        .job_manager(Endpoint::http(address, 8081))
}

fn permit(rig: &Rig) -> Permit {
    let clock = WorldClock(rig.api.clock().clone());
    let not_after = clock.wall() + Duration::from_secs(60);
    Permit::until(Arc::new(clock), not_after, || Ok(()))
}

fn stop(trigger: Option<&str>) -> StopRequest {
    StopRequest {
        directory: Some("file:///sp".to_owned()),
        drain: false,
        format: None,
        trigger: trigger.map(|trigger| trigger.parse().unwrap()),
    }
}

#[tokio::test(start_paused = true)]
async fn everything_that_is_read_is_understood() {
    for version in VERSIONS {
        let rig = Rig::new();
        rig.deploy(
            &format!("flink:{version}"),
            "state.savepoints.dir: file:///sp",
        );
        rig.pass(30.0).await;
        let flink = job_manager(&rig);
        let config = flink.config().await.unwrap();
        assert!(
            config.version().unwrap().to_string().contains(version),
            "{version}"
        );
        assert_eq!(config.staleness(), Duration::from_secs(3), "{version}");
        let jobs = flink.jobs().await.unwrap();
        assert_eq!(
            (jobs[0].jid, &jobs[0].state),
            (job(), &JobState::Running),
            "{version}"
        );
        assert!(
            jobs[0].tasks.unwrap().are_all_up() && jobs[0].start_time.is_some(),
            "{version}"
        );
        assert_eq!(
            flink.job(job()).await.unwrap().state,
            JobState::Running,
            "{version}"
        );
        let statistics = flink.checkpoints(job()).await.unwrap();
        let newest = statistics.newest_completed().unwrap();
        assert!(
            newest.restore_path().unwrap().contains("/chk-"),
            "{version}"
        );
        assert_eq!(
            flink.checkpoint(job(), newest.id).await.unwrap().id,
            newest.id,
            "{version}"
        );
        assert_eq!(flink.task_managers().await.unwrap().len(), 1, "{version}");
        assert!(
            !flink.effective_config().await.unwrap().is_empty(),
            "{version}"
        );
        flink.exceptions(job()).await.unwrap();
        flink.execution_result(job()).await.unwrap();
        let metrics = flink
            .job_metrics(job(), &["numRestarts", "numberOfCompletedCheckpoints"])
            .await
            .unwrap();
        assert_eq!(metrics.number("numRestarts"), Some(0.0), "{version}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_followed_to_its_savepoint() {
    for version in VERSIONS {
        let rig = Rig::new();
        rig.deploy(
            &format!("flink:{version}"),
            "state.savepoints.dir: file:///sp",
        );
        rig.pass(30.0).await;
        let flink = job_manager(&rig);
        let chosen = (!["1.13", "1.14"].contains(&version)).then_some(TRIGGER);
        let trigger = flink
            .stop_with_savepoint(job(), &stop(chosen), &permit(&rig))
            .await
            .unwrap();
        assert_eq!(
            flink.savepoint_status(job(), trigger).await.unwrap(),
            Operation::InProgress,
            "{version}"
        );
        rig.pass(0.4).await;
        let Operation::Done(location) = flink.savepoint_status(job(), trigger).await.unwrap()
        else {
            panic!("{version}: the stop should be done");
        };
        rig.pass(0.0).await;
        assert_eq!(
            flink.jobs().await.unwrap()[0].state,
            JobState::Finished,
            "{version}"
        );
        rig.pass(0.1).await;
        // 1.13 and 1.14 end their JobManager with the job, so that the statistics are gone.
        if chosen.is_some() {
            rig.pass(4.0).await;
            let statistics = flink.checkpoints(job()).await.unwrap();
            let newest = statistics.newest_completed().unwrap();
            assert_eq!(
                newest.kind,
                Some(CheckpointKind::SyncSavepoint),
                "{version}"
            );
            assert_eq!(newest.restore_path(), Some(location.as_str()), "{version}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_fails_while_ending_gives_its_path_away() {
    let rig = Rig::new();
    rig.deploy(
        "flink:1.20",
        "$internal.application.program-args: --stop-fails;closing",
    );
    rig.pass(30.0).await;
    let flink = job_manager(&rig);
    let trigger: TriggerId = flink
        .stop_with_savepoint(job(), &stop(Some(TRIGGER)), &permit(&rig))
        .await
        .unwrap();
    rig.pass(1.0).await;
    let Operation::Failed(cause) = flink.savepoint_status(job(), trigger).await.unwrap() else {
        panic!("the stop should have failed");
    };
    assert!(
        savepoint_of_failed_stop(&cause.stack_trace)
            .unwrap()
            .starts_with("file:/sp/savepoint-")
    );
    assert_eq!(flink.jobs().await.unwrap()[0].state, JobState::Failed);
}

#[tokio::test(start_paused = true)]
async fn troubles_look_to_the_client_as_they_should() {
    let rig = Rig::new();
    rig.deploy("flink:1.20", "");
    rig.pass(20.0).await;
    let flink = job_manager(&rig);
    let mut labels = Vec::new();
    for trouble in [
        RestTrouble::Hang,
        RestTrouble::Refuse,
        RestTrouble::Status(500),
        RestTrouble::Garbage,
        RestTrouble::Huge(100_000_000),
        RestTrouble::Truncated,
        RestTrouble::SilentBody,
    ] {
        rig.cluster.set_rest_trouble("default", "a", Some(trouble));
        labels.push(flink.jobs().await.unwrap_err().label());
    }
    let calls = rig.cluster.calls();
    assert!(calls.len() >= labels.len(), "{calls:?}");
    assert!(
        calls.iter().all(|call| call.reply.is_none()),
        "nothing was told: {calls:?}"
    );
    let [hang, refuse, status, garbage, huge, truncated, silent] = labels.try_into().unwrap();
    assert_eq!(hang, silent, "both run into the deadline");
    let distinct =
        std::collections::BTreeSet::from([hang, refuse, status, garbage, huge, truncated]);
    assert_eq!(distinct.len(), 6, "{distinct:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cancel_whose_reply_is_lost_is_not_surely_unapplied() {
    let rig = Rig::new();
    rig.deploy("flink:1.20", "");
    rig.pass(20.0).await;
    let flink = job_manager(&rig);
    rig.api.on_mutation(|_| Action::FailAfter(Failure::Hang));
    let error = flink.cancel(job(), &permit(&rig)).await.unwrap_err();
    assert!(!error.is_surely_not_applied());
    assert_eq!(flink.jobs().await.unwrap()[0].state, JobState::Canceled);
    let nowhere = Client::new(rig.cluster.wire("op").transport(), Limits::default()).job_manager(
        Endpoint::http(Host::name("b-rest.default.svc").unwrap(), 8081),
    );
    rig.api.on_mutation(|_| Action::Proceed);
    assert!(
        nowhere
            .cancel(job(), &permit(&rig))
            .await
            .unwrap_err()
            .is_surely_not_applied()
    );
}
