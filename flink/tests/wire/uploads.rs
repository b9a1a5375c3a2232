//! Jars go from the disk to the wire.

use flink_rest::{Error, JarId, JarName, NotSent, Route, RunRequest};

use crate::server::{Act, Server, ok, permit, reply};

#[tokio::test]
async fn a_jar_is_sent_as_a_form_with_its_length() {
    let server = Server::start(|_| {
        ok(r#"{"filename":"/tmp/flink-web-upload/0b1c_a.jar","status":"success"}"#)
    })
    .await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let content: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    std::fs::write(file.path(), &content).unwrap();
    let name = JarName::new("a.jar").unwrap();
    let jar = server
        .job_manager()
        .upload_jar(file.path(), &name, &permit())
        .await
        .unwrap();
    assert_eq!(jar.as_str(), "0b1c_a.jar");

    let seen = server.requests().remove(0);
    assert_eq!(seen.line(), "POST /jars/upload HTTP/1.1");
    assert!(!seen.head.contains("chunked"), "{}", seen.head);
    let boundary = seen
        .head
        .lines()
        .find_map(|line| line.split_once("boundary="))
        .unwrap()
        .1;
    let before = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"jarfile\"; filename=\"a.jar\"\r\n\
         Content-Type: application/x-java-archive\r\n\r\n"
    );
    let after = format!("\r\n--{boundary}--\r\n");
    assert_eq!(
        seen.body,
        [before.as_bytes(), &content, after.as_bytes()].concat()
    );
}

#[tokio::test]
async fn a_missing_file_is_not_sent() {
    let server = Server::start(|_| ok("{}")).await;
    let directory = tempfile::tempdir().unwrap();
    let name = JarName::new("a.jar").unwrap();
    for path in [
        directory.path().join("none.jar"),
        directory.path().to_owned(),
    ] {
        let error = server
            .job_manager()
            .upload_jar(&path, &name, &permit())
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                Error::NotSent {
                    why: NotSent::File(_),
                    ..
                }
            ),
            "{error:?}"
        );
    }
    assert_eq!(server.opened(), 0);
}

#[tokio::test]
async fn an_upload_that_is_turned_down_midway_says_why() {
    // Flink answers before the whole body has come, and closes.
    let server = Server::start_early(reply(
        "413 Request Entity Too Large",
        r#"{"errors":["The received FormData part was too large."]}"#,
    ))
    .await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), vec![7; 8 * 1024 * 1024]).unwrap();
    let name = JarName::new("a.jar").unwrap();
    let client = crate::server::client().job_manager(server.endpoint());
    let error = client
        .upload_jar(file.path(), &name, &permit())
        .await
        .unwrap_err();
    assert_eq!(error.route(), Route::UploadJar);
    assert!(
        matches!(error.label(), "status_4xx" | "closed"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_run_gives_the_job_and_tells_refusals_from_riddles() {
    let server = Server::start(|seen| match seen.text() {
        r#"{"entryClass":"a.Main","parallelism":2}"# => {
            ok(r#"{"jobid":"8f3c0a4e5b6d7c8e9f0a1b2c3d4e5f60","applicationId":"8f3c"}"#)
        }
        _ => Act::Say(reply(
            "500 Internal Server Error",
            r#"{"errors":["Internal server error.","<Exception on server side:\norg.apache.flink.runtime.rest.handler.RestHandlerException: Jar file /tmp/u/x.jar does not exist\n\tat a.b\n\nEnd of exception on server side>"]}"#,
        )),
    })
    .await;
    let job_manager = server.job_manager();
    let jar = JarId::new("0b1c_ä b.jar");
    let request = RunRequest {
        entry_class: Some("a.Main".to_owned()),
        parallelism: Some(2),
        ..RunRequest::default()
    };
    let job = job_manager
        .run_jar(&jar, &request, &permit())
        .await
        .unwrap();
    assert_eq!(job.to_string(), "8f3c0a4e5b6d7c8e9f0a1b2c3d4e5f60");
    let line = server.requests()[0].line().to_owned();
    assert_eq!(line, "POST /jars/0b1c_%C3%A4%20b.jar/run HTTP/1.1");
    let error = job_manager
        .run_jar(&jar, &RunRequest::default(), &permit())
        .await
        .unwrap_err();
    assert!(error.is_surely_not_applied(), "{error:?}");
}

#[tokio::test]
async fn jars_are_listed_and_deleted() {
    let server = Server::start(|seen| match seen.line() {
        "GET /jars HTTP/1.1" => ok(
            r#"{"address":"http://10.0.0.1:8081","files":[{"id":"0b1c_a.jar","name":"a.jar","uploaded":1700000000000,"entry":[{"name":"a.Main","description":null}]}]}"#,
        ),
        "DELETE /jars/0b1c_a.jar HTTP/1.1" => ok("{}"),
        _ => Act::SayAndClose(Vec::new()),
    })
    .await;
    let job_manager = server.job_manager();
    let jars = job_manager.jars().await.unwrap();
    assert_eq!(jars[0].name, "a.jar");
    job_manager
        .delete_jar(&jars[0].id, &permit())
        .await
        .unwrap();
    let escape = job_manager
        .delete_jar(&JarId::new(".."), &permit())
        .await
        .unwrap_err();
    assert!(
        matches!(
            escape,
            Error::NotSent {
                why: NotSent::Argument(_),
                ..
            }
        ),
        "{escape:?}"
    );
}
