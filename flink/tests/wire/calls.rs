//! What each call puts on the wire, and what it makes of the answer.

use flink_rest::{
    CheckpointRequest, CheckpointType, Error, JobId, Operation, Parallelism, Reason,
    ResourceRequirements, SavepointFormat, SavepointRequest, StopRequest, TriggerId, VertexId,
};

use crate::server::{Act, Seen, Server, client, ok, permit, reply};

const JOB: &str = "8f3c0a4e5b6d7c8e9f0a1b2c3d4e5f60";
const TRIGGER: &str = "00112233445566778899aabbccddeeff";

fn job() -> JobId {
    JOB.parse().unwrap()
}

fn trigger() -> TriggerId {
    TRIGGER.parse().unwrap()
}

async fn answering(body: impl Into<String>) -> Server {
    let body = body.into();
    Server::start(move |_| ok(&body)).await
}

fn only(server: &Server) -> Seen {
    let mut requests = server.requests();
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

#[tokio::test]
async fn a_cancel_is_what_flinks_own_client_sends() {
    let server = Server::start(|_| Act::Say(reply("202 Accepted", "{}"))).await;
    server.job_manager().cancel(job(), &permit()).await.unwrap();
    let seen = only(&server);
    assert_eq!(
        seen.line(),
        format!("PATCH /jobs/{JOB}?mode=cancel HTTP/1.1")
    );
    assert_eq!(seen.text(), "{}");
    assert!(
        seen.head.contains("content-type: application/json\r\n"),
        "{}",
        seen.head
    );
}

#[tokio::test]
async fn a_read_has_no_body() {
    let server = answering(r#"{"jobs":[]}"#).await;
    assert_eq!(server.job_manager().jobs().await.unwrap(), []);
    let head = only(&server).head.to_ascii_lowercase();
    assert!(
        !head.contains("content-") && !head.contains("transfer-encoding"),
        "{head}"
    );
    assert!(head.contains("accept: application/json\r\n"), "{head}");
}

#[tokio::test]
async fn a_stop_carries_the_id_that_was_chosen() {
    let server = answering(format!(r#"{{"request-id":"{TRIGGER}"}}"#)).await;
    let request = StopRequest {
        directory: Some("s3://b/s".to_owned()),
        format: Some(SavepointFormat::Canonical),
        trigger: Some(trigger()),
        ..StopRequest::default()
    };
    let id = server
        .job_manager()
        .stop_with_savepoint(job(), &request, &permit())
        .await
        .unwrap();
    assert_eq!(id, trigger());
    let seen = only(&server);
    assert_eq!(seen.line(), format!("POST /jobs/{JOB}/stop HTTP/1.1"));
    assert_eq!(
        seen.text(),
        format!(
            r#"{{"targetDirectory":"s3://b/s","drain":false,"formatType":"CANONICAL","triggerId":"{TRIGGER}"}}"#
        )
    );
}

#[tokio::test]
async fn old_versions_are_sent_no_field_that_they_refuse() {
    let server = answering(format!(r#"{{"request-id":"{TRIGGER}"}}"#)).await;
    let job_manager = server.job_manager();
    let (savepoint, stop) = (SavepointRequest::default(), StopRequest::default());
    job_manager
        .trigger_savepoint(job(), &savepoint, &permit())
        .await
        .unwrap();
    job_manager
        .stop_with_savepoint(job(), &stop, &permit())
        .await
        .unwrap();
    let bodies: Vec<String> = server
        .requests()
        .iter()
        .map(|seen| seen.text().to_owned())
        .collect();
    assert_eq!(bodies, ["{}", r#"{"drain":false}"#]);
}

#[tokio::test]
async fn savepoints_checkpoints_and_disposals_use_their_own_names() {
    let server = answering(format!(r#"{{"request-id":"{TRIGGER}"}}"#)).await;
    let job_manager = server.job_manager();
    let savepoint = SavepointRequest {
        directory: Some("/s".to_owned()),
        format: Some(SavepointFormat::Native),
        trigger: Some(trigger()),
    };
    job_manager
        .trigger_savepoint(job(), &savepoint, &permit())
        .await
        .unwrap();
    let full = CheckpointType::Full;
    let checkpoint = CheckpointRequest {
        checkpoint_type: Some(full),
        trigger: Some(trigger()),
    };
    job_manager
        .trigger_checkpoint(job(), &checkpoint, &permit())
        .await
        .unwrap();
    job_manager
        .dispose_savepoint("/s/savepoint-1", &permit())
        .await
        .unwrap();
    let sent: Vec<String> = server
        .requests()
        .iter()
        .map(|seen| {
            format!(
                "{} {}",
                seen.line().trim_end_matches(" HTTP/1.1"),
                seen.text()
            )
        })
        .collect();
    let expected = [
        format!(
            r#"POST /jobs/{JOB}/savepoints {{"target-directory":"/s","formatType":"NATIVE","triggerId":"{TRIGGER}"}}"#
        ),
        format!(
            r#"POST /jobs/{JOB}/checkpoints {{"checkpointType":"FULL","triggerId":"{TRIGGER}"}}"#
        ),
        r#"POST /savepoint-disposal {"savepoint-path":"/s/savepoint-1"}"#.to_owned(),
    ];
    assert_eq!(sent, expected);
}

async fn savepoint_status(body: &str) -> Result<Operation<String>, Error> {
    let server = answering(body).await;
    let status = server
        .job_manager()
        .savepoint_status(job(), trigger())
        .await;
    assert_eq!(
        only(&server).line(),
        format!("GET /jobs/{JOB}/savepoints/{TRIGGER} HTTP/1.1")
    );
    status
}

#[tokio::test]
async fn a_savepoint_is_pending_done_failed_or_not_understood() {
    let pending = r#"{"status":{"id":"IN_PROGRESS"},"operation":null}"#;
    assert_eq!(
        savepoint_status(pending).await.unwrap(),
        Operation::InProgress
    );
    let done = r#"{"status":{"id":"COMPLETED"},"operation":{"location":"file:/s/savepoint-1"}}"#;
    let location = "file:/s/savepoint-1".to_owned();
    assert_eq!(
        savepoint_status(done).await.unwrap(),
        Operation::Done(location)
    );
    for riddle in [
        r#"{"status":{"id":"COMPLETED"},"operation":null}"#,
        r#"{"status":{"id":"COMPLETED"},"operation":{"location":null}}"#,
        r#"{"status":{"id":"COMPLETED"},"operation":{"location":""}}"#,
        r#"{"status":{"id":"PAUSED"}}"#,
        "{}",
    ] {
        let error = savepoint_status(riddle).await.unwrap_err();
        assert_eq!(error.label(), "not_understood", "{riddle}");
    }
}

#[tokio::test]
async fn a_failure_of_a_stop_tells_whether_a_savepoint_exists() {
    let failed = format!(
        r#"{{"status":{{"id":"COMPLETED"}},"operation":{{"failure-cause":{{"class":"java.util.concurrent.CompletionException","stack-trace":"java.util.concurrent.CompletionException: x\n\tat a.b\nCaused by: org.apache.flink.runtime.scheduler.stopwithsavepoint.StopWithSavepointStoppingException: A savepoint has been created at: file:/s/savepoint-8f3c0a-2, but the corresponding job {JOB} failed during stopping. The savepoint is consistent, but might have uncommitted side effects.\n\tat c.d\nCaused by: java.lang.RuntimeException: Task has failed\n\tat e.f\n","serialized-throwable":"rO0ABXNy"}}}}}}"#
    );
    let Operation::Failed(cause) = savepoint_status(&failed).await.unwrap() else {
        panic!()
    };
    let path = "file:/s/savepoint-8f3c0a-2".to_owned();
    assert_eq!(cause.reason(), Reason::StoppedButFailed { path });
    assert_eq!(
        cause.innermost(),
        "java.lang.RuntimeException: Task has failed"
    );
}

#[tokio::test]
async fn checkpoints_and_disposals_settle_in_their_own_ways() {
    let server = Server::start(|seen| match seen.line() {
        line if line.contains("/checkpoints/") => ok(
            r#"{"status":{"id":"COMPLETED"},"operation":{"checkpointId":42,"failureCause":null}}"#,
        ),
        _ => ok(r#"{"status":{"id":"COMPLETED"},"operation":{}}"#),
    })
    .await;
    let job_manager = server.job_manager();
    let checkpoint = job_manager
        .checkpoint_status(job(), trigger())
        .await
        .unwrap();
    assert_eq!(checkpoint, Operation::Done(42));
    let disposal = job_manager.disposal_status(trigger()).await.unwrap();
    assert_eq!(disposal, Operation::Done(()));
    assert_eq!(
        server.requests()[1].line(),
        format!("GET /savepoint-disposal/{TRIGGER} HTTP/1.1")
    );
    let failed = r#"{"status":{"id":"COMPLETED"},"operation":{"failure-cause":{"class":"E","stack-trace":"E: Could not dispose savepoint x\nCaused by: java.io.FileNotFoundException: Cannot find checkpoint or savepoint file/directory 'x' on file system 'file'."}}}"#;
    let server = answering(failed).await;
    let disposal = server
        .job_manager()
        .disposal_status(trigger())
        .await
        .unwrap();
    let Operation::Failed(cause) = disposal else {
        panic!("{disposal:?}")
    };
    assert_eq!(cause.reason(), Reason::SavepointMissing);
}

#[tokio::test]
async fn parallelism_is_read_and_put_by_vertex() {
    let vertex: VertexId = "0a448493b4782967b150582570326227".parse().unwrap();
    let text = format!(r#"{{"{vertex}":{{"parallelism":{{"lowerBound":1,"upperBound":4}}}}}}"#);
    let answer = text.clone();
    let server = Server::start(move |seen| {
        if seen.line().starts_with("GET") {
            ok(&answer)
        } else {
            ok("{}")
        }
    })
    .await;
    let job_manager = server.job_manager();
    let bounds = job_manager.resource_requirements(job()).await.unwrap();
    let one = Parallelism {
        lower_bound: 1,
        upper_bound: 4,
    };
    assert_eq!(bounds, ResourceRequirements::from([(vertex, one)]));
    job_manager
        .put_resource_requirements(job(), &bounds, &permit())
        .await
        .unwrap();
    let put = &server.requests()[1];
    assert_eq!(
        put.line(),
        format!("PUT /jobs/{JOB}/resource-requirements HTTP/1.1")
    );
    assert_eq!(put.text(), text);
}

#[tokio::test]
async fn metrics_are_asked_for_by_name() {
    let server =
        answering(r#"[{"id":"numRestarts","value":"3"},{"id":"odd name","value":null}]"#).await;
    let names = ["numRestarts", "a,b c"];
    let metrics = server
        .job_manager()
        .job_metrics(job(), &names)
        .await
        .unwrap();
    assert_eq!(metrics.number("numRestarts"), Some(3.0));
    assert_eq!(metrics.text("odd name"), None);
    let line = format!("GET /jobs/{JOB}/metrics?get=numRestarts,a%2Cb%20c HTTP/1.1");
    assert_eq!(only(&server).line(), line);
}

#[tokio::test]
async fn a_proxy_is_gone_through_by_its_prefix() {
    let server = answering(r#"{"jobs":[]}"#).await;
    let segments = [
        "api",
        "v1",
        "namespaces",
        "default",
        "services",
        "basic-rest:rest",
        "proxy",
    ];
    let endpoint = server.endpoint().below(segments).unwrap();
    client().job_manager(endpoint).jobs().await.unwrap();
    assert_eq!(
        only(&server).line(),
        "GET /api/v1/namespaces/default/services/basic-rest:rest/proxy/jobs/overview HTTP/1.1"
    );
}
