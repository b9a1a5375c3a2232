//! Replies that are too long, too short, or not what was asked for.

use flink_rest::{Error, Reason};

use crate::server::{Act, Server, ok, permit, reply};

async fn error_of(act: Act) -> Error {
    let server = Server::start(move |_| act.clone()).await;
    server.job_manager().config().await.unwrap_err()
}

fn chunk(body: &str) -> Vec<u8> {
    format!("{:x}\r\n{body}\r\n", body.len()).into_bytes()
}

fn chunked(status: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ntransfer-encoding: chunked\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn an_announced_giant_is_not_read_at_all() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000000000\r\n\r\n".to_vec();
    let error = error_of(Act::SayAndHang(head)).await;
    assert!(matches!(error, Error::TooLarge { limit, .. } if limit == 8 * 1024 * 1024));
}

#[tokio::test]
async fn an_endless_reply_is_left_at_the_limit_and_its_connection_closed() {
    let mut server =
        Server::start(|_| Act::SayForever(chunked("200 OK"), chunk(&"x".repeat(1000)))).await;
    let error = server
        .job_manager()
        .at_most(10_000)
        .config()
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::TooLarge { limit: 10_000, .. }),
        "{error:?}"
    );
    server.until(|log| log.closed == 1).await;
}

#[tokio::test]
async fn an_endless_error_keeps_its_status_and_a_short_text() {
    let head = [
        chunked("500 Internal Server Error"),
        chunk(r#"{"errors":["Job has already been "#),
    ];
    let server =
        Server::start(move |_| Act::SayForever(head.concat(), chunk(&"submitted ".repeat(90))))
            .await;
    let error = server.job_manager().config().await.unwrap_err();
    let Error::Status {
        status,
        reason,
        errors,
        ..
    } = &error
    else {
        panic!("{error:?}")
    };
    assert_eq!(
        (status.as_u16(), reason),
        (500, &Reason::DuplicateSubmission)
    );
    assert!(errors.iter().map(String::len).sum::<usize>() <= 4096);
    assert!(error.to_string().len() < 3000);
}

#[tokio::test]
async fn a_reply_cut_short_is_a_lost_connection() {
    let with_length = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"flink".to_vec();
    let in_chunks = [chunked("200 OK"), chunk("{\"flink")].concat();
    for cut in [with_length, in_chunks, Vec::new(), b"HTTP/1.1 200".to_vec()] {
        let error = error_of(Act::SayAndClose(cut)).await;
        assert_eq!(error.label(), "closed", "{error:?}");
    }
}

#[tokio::test]
async fn an_error_cut_short_keeps_its_status() {
    let cut = b"HTTP/1.1 404 Not Found\r\ncontent-length: 100\r\n\r\n{\"err".to_vec();
    assert_eq!(error_of(Act::SayAndClose(cut)).await.label(), "status_4xx");
}

#[tokio::test]
async fn chunks_are_put_together() {
    let parts = [chunk("{\"flink-ver"), chunk("sion\":\"2.3.0\"}"), chunk("")];
    let whole = [chunked("200 OK"), parts.concat()].concat();
    let server = Server::start(move |_| Act::Say(whole.clone())).await;
    let job_manager = server.job_manager();
    for _ in 0..2 {
        assert_eq!(job_manager.config().await.unwrap().flink_version, "2.3.0");
    }
    assert_eq!(server.opened(), 1);
}

#[tokio::test]
async fn what_is_not_flinks_is_not_understood() {
    for body in [
        "",
        "[]",
        "null",
        "{}",
        "<html>sesame</html>",
        "{\"flink-version\":[\"sesame\"]}",
    ] {
        let error = error_of(ok(body)).await;
        assert_eq!(error.label(), "not_understood", "{body}: {error:?}");
        assert!(!format!("{error:?}").contains("sesame"), "{error:?}");
    }
    let error = error_of(Act::SayAndClose(b"SSH-2.0-OpenSSH_9.9\r\n\r\n".to_vec())).await;
    assert_eq!(error.label(), "not_understood", "{error:?}");
}

#[tokio::test]
async fn a_page_instead_of_an_acknowledgement_leaves_a_change_unknown() {
    let server = Server::start(|_| ok("<html>Welcome</html>")).await;
    let job = "0".repeat(32).parse().unwrap();
    let error = server
        .job_manager()
        .cancel(job, &permit())
        .await
        .unwrap_err();
    assert_eq!(error.label(), "not_understood");
    assert!(!error.is_surely_not_applied());
}

#[tokio::test]
async fn a_page_of_a_proxy_gives_its_words() {
    let page = "<html><body><h1>503 Service Temporarily Unavailable</h1><hr>nginx</body></html>";
    let error = error_of(Act::Say(reply("503 Service Unavailable", page))).await;
    let words = "503 Service Temporarily Unavailable nginx";
    assert!(
        matches!(&error, Error::Status { cause, .. } if cause == words),
        "{error:?}"
    );
}
