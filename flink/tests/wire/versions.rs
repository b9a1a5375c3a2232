//! The shapes of 1.13 to 2.3, as they were observed.

use flink_rest::{
    ApplicationStatus, CheckpointKind, CheckpointStatistics, CheckpointStatus, Error,
    ExecutionResult, ExternalPath, JobId, JobOverview, JobState, Reason, UnixMillis,
};

use crate::server::{Act, Server, ok, permit, reply};

const JOB: &str = "8f3c0a4e5b6d7c8e9f0a1b2c3d4e5f60";

fn job() -> JobId {
    JOB.parse().unwrap()
}

async fn overview(body: &'static str) -> Result<Vec<JobOverview>, Error> {
    Server::start(move |_| ok(body))
        .await
        .job_manager()
        .jobs()
        .await
}

const OVERVIEW_1_13: &str = r#"{"jobs":[{"jid":"8f3c0a4e5b6d7c8e9f0a1b2c3d4e5f60","name":"Counting","state":"RUNNING","start-time":1700000000000,"end-time":-1,"duration":5120,"last-modification":1700000002000,"tasks":{"total":4,"created":0,"scheduled":4,"deploying":0,"running":0,"finished":0,"canceling":0,"canceled":0,"failed":0,"reconciling":0,"initializing":0}}]}"#;
const OVERVIEW_2_3: &str = r#"{"jobs":[{"jid":"8F3C0A4E5B6D7C8E9F0A1B2C3D4E5F60","name":"Counting","start-time":1700000000000,"end-time":1700000009000,"duration":9000,"state":"FINISHED","last-modification":1700000009000,"tasks":{"running":0,"canceling":0,"canceled":0,"total":4,"created":0,"scheduled":0,"deploying":0,"reconciling":0,"finished":4,"initializing":0,"failed":0},"pending-operators":0,"jobType":null,"schedulerType":null}]}"#;

#[tokio::test]
async fn the_overview_of_every_version_is_read() {
    let old = overview(OVERVIEW_1_13).await.unwrap().remove(0);
    assert_eq!((old.jid, &old.state), (job(), &JobState::Running));
    assert_eq!(old.start_time, Some(UnixMillis(1_700_000_000_000)));
    assert_eq!(old.end_time, None);
    assert!(
        !old.tasks.unwrap().are_all_up(),
        "RUNNING without TaskManagers is no sign of life"
    );
    let new = overview(OVERVIEW_2_3).await.unwrap().remove(0);
    assert_eq!((new.jid, &new.state), (job(), &JobState::Finished));
    assert!(new.end_time.is_some() && new.tasks.unwrap().are_all_up());
}

#[tokio::test]
async fn the_adaptive_scheduler_writes_zero_for_never() {
    let canceled = r#"{"jobs":[{"jid":"8f3c0a4e5b6d7c8e9f0a1b2c3d4e5f60","name":"Counting","start-time":1700000000000,"end-time":0,"duration":-1700000000000,"state":"CANCELED","last-modification":0,"tasks":{"total":0,"running":0,"finished":0},"pending-operators":0,"jobType":"STREAMING","schedulerType":"Adaptive"}]}"#;
    let job = overview(canceled).await.unwrap().remove(0);
    assert_eq!((job.end_time, job.last_modification), (None, None));
    assert!(job.start_time.is_some());
}

#[tokio::test]
async fn what_cannot_be_read_is_never_an_empty_list() {
    for riddle in [
        "{}",
        r#"{"jobs":null}"#,
        r#"{"jobs":[{"jid":"8f3c","state":"RUNNING"}]}"#,
        r#"{"jobs":[{"jid":"8f3c0a4e5b6d7c8e9f0a1b2c3d4e5f60","state":null}]}"#,
        r#"{"jobs":[{"jid":"8f3c0a4e5b6d7c8e9f0a1b2c3d4e5f60"}]}"#,
    ] {
        assert_eq!(
            overview(riddle).await.unwrap_err().label(),
            "not_understood",
            "{riddle}"
        );
    }
    assert_eq!(overview(r#"{"jobs":[]}"#).await.unwrap(), []);
    let bare = r#"{"jobs":[{"jid":"8f3c0a4e5b6d7c8e9f0a1b2c3d4e5f60","name":null,"state":"DREAMING","tasks":null}]}"#;
    let job = overview(bare).await.unwrap().remove(0);
    assert_eq!(job.state, JobState::Other("DREAMING".to_owned()));
    assert_eq!((job.tasks, job.start_time), (None, None));
}

#[tokio::test]
async fn job_details_of_every_version_are_read() {
    let v1_13 = r#"{"jid":"8f3c0a4e5b6d7c8e9f0a1b2c3d4e5f60","name":"Counting","isStoppable":false,"state":"RUNNING","start-time":1700000000000,"end-time":-1,"duration":5,"maxParallelism":-1,"now":1700000000005,"timestamps":{"INITIALIZING":1700000000000,"RUNNING":1700000001000,"FAILED":0},"vertices":[{"id":"0a448493b4782967b150582570326227","name":"Source","maxParallelism":128,"parallelism":2,"status":"RUNNING","start-time":1,"end-time":-1,"duration":4,"tasks":{"RUNNING":2},"metrics":{}}],"status-counts":{"RUNNING":1},"plan":{"jid":"8f3c","nodes":[]}}"#;
    let v2_3 = r#"{"jid":"8f3c0a4e5b6d7c8e9f0a1b2c3d4e5f60","name":"Counting","state":"INITIALIZING","job-type":null,"application-id":"8f3c","vertices":[],"timestamps":null,"plan":null,"pending-operators":0}"#;
    for (body, vertices) in [(v1_13, 1), (v2_3, 0)] {
        let server = Server::start(move |_| ok(body)).await;
        let details = server.job_manager().job(job()).await.unwrap();
        assert_eq!((details.jid, details.vertices.len()), (job(), vertices));
    }
}

async fn statistics(body: &'static str) -> CheckpointStatistics {
    let server = Server::start(move |_| ok(body)).await;
    server.job_manager().checkpoints(job()).await.unwrap()
}

const CHECKPOINTS_1_14: &str = r#"{"counts":{"restored":0,"total":9,"in_progress":0,"completed":8,"failed":1},"summary":{},"latest":{"completed":{"@class":"completed","id":7,"status":"COMPLETED","is_savepoint":false,"trigger_timestamp":1700000000000,"latest_ack_timestamp":1700000000040,"state_size":1024,"end_to_end_duration":40,"alignment_buffered":0,"processed_data":0,"persisted_data":0,"num_subtasks":4,"num_acknowledged_subtasks":4,"checkpoint_type":"CHECKPOINT","tasks":{},"external_path":"file:/c/chk-7","discarded":true},"savepoint":{"@class":"completed","id":8,"status":"COMPLETED","is_savepoint":true,"trigger_timestamp":1700000001000,"checkpoint_type":"SYNC_SAVEPOINT","external_path":"file:/s/savepoint-8f3c0a-1","discarded":false},"failed":null,"restored":null},"history":null}"#;
const CHECKPOINTS_2_3: &str = r#"{"counts":{"restored":1,"total":2,"in_progress":1,"completed":1,"failed":0},"latest":{"completed":{"className":"completed","id":12,"status":"COMPLETED","is_savepoint":false,"savepointFormat":null,"trigger_timestamp":1700000000000,"latest_ack_timestamp":-1,"checkpointed_size":10,"state_size":-1,"end_to_end_duration":-1,"checkpoint_type":"CHECKPOINT","external_path":null,"discarded":false},"savepoint":null,"failed":{"className":"failed","id":11,"status":"FAILED","is_savepoint":false,"failure_timestamp":1700000000100,"failure_message":"Checkpoint expired before completing."},"restored":{"id":10,"restore_timestamp":1699999999000,"is_savepoint":true,"external_path":"file:/s/savepoint-1"}},"history":[{"className":"in_progress","id":13,"status":"IN_PROGRESS","is_savepoint":true,"savepointFormat":"CANONICAL","checkpoint_type":"SAVEPOINT"},{"className":"completed","id":12,"status":"COMPLETED","is_savepoint":false,"checkpoint_type":"UNHEARD_OF","external_path":"<checkpoint-not-externally-addressable>"}]}"#;

#[tokio::test]
async fn discarded_checkpoints_are_not_fit_to_restore_from() {
    let read = statistics(CHECKPOINTS_1_14).await;
    let completed = read.latest.completed.as_ref().unwrap();
    assert_eq!(
        completed.external_path,
        Some(ExternalPath::At("file:/c/chk-7".to_owned()))
    );
    assert_eq!(completed.restore_path(), None);
    assert_eq!(completed.state_size, Some(1024));
    let newest = read.newest_completed().unwrap();
    assert!(newest.is_stop());
    assert_eq!(newest.restore_path(), Some("file:/s/savepoint-8f3c0a-1"));
    assert_eq!((read.highest_id(), read.history.len()), (Some(8), 0));
}

#[tokio::test]
async fn null_is_no_path_and_memory_is_no_place() {
    let read = statistics(CHECKPOINTS_2_3).await;
    let completed = read.latest.completed.as_ref().unwrap();
    assert_eq!(
        (&completed.external_path, completed.state_size),
        (&None, None)
    );
    assert_eq!(
        read.history[1].external_path,
        Some(ExternalPath::NotAddressable)
    );
    assert_eq!(read.history[1].restore_path(), None);
    assert_eq!(
        read.history[1].kind,
        Some(CheckpointKind::Other("UNHEARD_OF".to_owned()))
    );
    assert_eq!(read.history[0].status, CheckpointStatus::InProgress);
    assert_eq!(read.latest.restored.as_ref().unwrap().id, 10);
    assert_eq!(read.highest_id(), Some(13));
    assert_eq!(read.newest_completed().unwrap().id, 12);
}

#[tokio::test]
async fn empty_statistics_are_statistics() {
    for nothing in ["{}", r#"{"counts":null,"latest":null,"history":null}"#] {
        let read = statistics(nothing).await;
        assert_eq!((read.newest_completed(), read.highest_id()), (None, None));
    }
}

async fn status_of(status: &'static str, errors: &'static str) -> Error {
    let server = Server::start(move |_| Act::Say(reply(status, errors))).await;
    server.job_manager().checkpoints(job()).await.unwrap_err()
}

#[tokio::test]
async fn the_404s_of_every_version_are_told_apart() {
    let cases = [
        (r#"{"errors":["Not found."]}"#, Reason::RouteMissing),
        (
            r#"{"errors":["Not found: /jobs/x/checkpoints"]}"#,
            Reason::RouteMissing,
        ),
        (
            r#"{"errors":["Unable to load requested file /jobs/x/checkpoints."]}"#,
            Reason::RouteMissing,
        ),
        (
            r#"{"errors":["Job 8f3c0a4e5b6d7c8e9f0a1b2c3d4e5f60 not found"]}"#,
            Reason::JobNotFound,
        ),
        (
            r#"{"errors":["org.apache.flink.runtime.rest.NotFoundException: Job 8f3c0a4e5b6d7c8e9f0a1b2c3d4e5f60 not found\n\tat a.b(C.java:1)\nCaused by: org.apache.flink.runtime.messages.FlinkJobNotFoundException: Could not find Flink job (8f3c0a4e5b6d7c8e9f0a1b2c3d4e5f60)\n\t... 3 more\n"]}"#,
            Reason::JobNotFound,
        ),
        (
            r#"{"errors":["org.apache.flink.runtime.rest.handler.RestHandlerException: Checkpointing has not been enabled.\n\tat a.b"]}"#,
            Reason::CheckpointingDisabled,
        ),
        (
            r#"{"errors":["org.apache.flink.runtime.rest.NotFoundException: Operation not found under key: org.apache.flink.runtime.rest.handler.job.AsynchronousJobOperationKey@1\n\tat a.b"]}"#,
            Reason::OperationNotFound,
        ),
    ];
    for (errors, reason) in cases {
        let error = status_of("404 Not Found", errors).await;
        assert_eq!(error.reason(), Some(&reason), "{error}");
    }
}

#[tokio::test]
async fn cancels_of_ended_jobs_differ_by_version() {
    let cases = [
        (
            "404 Not Found",
            r#"{"errors":["Job could not be found."]}"#,
            Reason::JobNotFound,
        ),
        (
            "409 Conflict",
            r#"{"errors":["org.apache.flink.runtime.rest.handler.RestHandlerException: Job cancellation failed because the job has already reached another terminal state (FINISHED).\n\tat a.b"]}"#,
            Reason::AlreadyTerminal,
        ),
    ];
    for (status, errors, reason) in cases {
        let server = Server::start(move |_| Act::Say(reply(status, errors))).await;
        let error = server
            .job_manager()
            .cancel(job(), &permit())
            .await
            .unwrap_err();
        assert_eq!(error.reason(), Some(&reason), "{error}");
    }
}

#[tokio::test]
async fn the_end_of_a_job_is_read() {
    let pending = r#"{"status":{"id":"IN_PROGRESS"},"job-execution-result":null}"#;
    let failed = r#"{"status":{"id":"COMPLETED"},"job-execution-result":{"id":"8f3c0a4e5b6d7c8e9f0a1b2c3d4e5f60","application-status":"FAILED","accumulator-results":{},"net-runtime":1,"failure-cause":{"class":"org.apache.flink.runtime.JobException","stack-trace":"org.apache.flink.runtime.JobException: Recovery is suppressed by NoRestartBackoffTimeStrategy\n\tat a.b\nCaused by: java.lang.ArithmeticException: / by zero\n\tat c.d\n","serialized-throwable":"rO0"}}}"#;
    let ended = r#"{"status":{"id":"COMPLETED"},"job-execution-result":{"application-status":"SUCCEEDED","failure-cause":null}}"#;
    let read = async |body: &'static str| {
        Server::start(move |_| ok(body))
            .await
            .job_manager()
            .execution_result(job())
            .await
    };
    assert_eq!(read(pending).await.unwrap(), ExecutionResult::InProgress);
    let ExecutionResult::Ended { status, cause } = read(failed).await.unwrap() else {
        panic!()
    };
    assert_eq!(status, ApplicationStatus::Failed);
    assert_eq!(
        cause.unwrap().innermost(),
        "java.lang.ArithmeticException: / by zero"
    );
    let well = ExecutionResult::Ended {
        status: ApplicationStatus::Succeeded,
        cause: None,
    };
    assert_eq!(read(ended).await.unwrap(), well);
    assert!(read(r#"{"status":{"id":"COMPLETED"}}"#).await.is_err());
}

#[tokio::test]
async fn the_cluster_is_read() {
    let server = Server::start(|seen| match seen.line() {
        "GET /taskmanagers HTTP/1.1" => ok(
            r#"{"taskmanagers":[{"id":"basic-taskmanager-1-1","path":"pekko.tcp://flink@10.0.0.8:6122/user/rpc/taskmanager_0","dataPort":40000,"jmxPort":-1,"timeSinceLastHeartbeat":1700000000000,"slotsNumber":2,"freeSlots":0,"totalResource":{},"hardware":{},"blocked":null}]}"#,
        ),
        _ => ok(r#"[{"key":"web.refresh-interval","value":"500"},{"key":"s3.secret-key","value":"******"}]"#),
    })
    .await;
    let job_manager = server.job_manager();
    let task_manager = job_manager.task_managers().await.unwrap().remove(0);
    assert_eq!((task_manager.slots_number, task_manager.free_slots), (2, 0));
    let lines = job_manager.effective_config().await.unwrap();
    assert_eq!(
        (lines[0].key.as_str(), lines[0].value.as_str()),
        ("web.refresh-interval", "500")
    );
    assert_eq!(
        server.requests()[1].line(),
        "GET /jobmanager/config HTTP/1.1"
    );
}
