//! Connecting, reusing, giving up.

use std::time::Duration;

use flink_rest::{Client, Endpoint, Error, Host, Limits, Network, Waiting};
use tokio::net::{TcpSocket, TcpStream};

use crate::server::{Act, Server, client, limits, network, ok, permit, reply};

const CONFIG: &str = r#"{"flink-version":"1.20.5"}"#;

#[tokio::test]
async fn a_closed_port_is_refused() {
    let server = Server::start(|_| ok(CONFIG)).await;
    let job_manager = server.job_manager();
    let address = server.address;
    drop(server);
    // Wait for the listener to be gone.
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let error = job_manager.config().await.unwrap_err();
    assert!(
        matches!(&error, Error::Refused { why, .. } if why.contains("refused")),
        "{error:?}"
    );
    assert!(
        !error.to_string().contains(&address.port().to_string()),
        "{error}"
    );
}

#[tokio::test]
async fn a_host_that_swallows_packets_is_told_from_a_slow_one() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let _deaf = socket.listen(0).unwrap();
    // Once its queue is full, the kernel drops what else comes.
    let mut queue = Vec::new();
    while let Ok(one) =
        tokio::time::timeout(Duration::from_millis(100), TcpStream::connect(address)).await
    {
        queue.push(one.unwrap());
    }
    let network = Network {
        connect: Duration::from_millis(100),
        ..network()
    };
    let client = Client::new(network.transport().unwrap(), limits());
    let endpoint = Endpoint::http(address.ip(), address.port());
    let error = client.job_manager(endpoint).config().await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::TimedOut {
                waiting: Waiting::Connect,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(error.is_surely_not_applied());
}

#[tokio::test]
async fn an_unknown_name_changes_nothing() {
    let endpoint = Endpoint::http(Host::name("no-such-cluster.invalid").unwrap(), 8081);
    let job_manager = client().job_manager(endpoint);
    let error = job_manager
        .cancel("0".repeat(32).parse().unwrap(), &permit())
        .await
        .unwrap_err();
    assert!(
        error.is_surely_not_applied() && error.is_unreachable(),
        "{error:?}"
    );
}

#[tokio::test]
async fn one_connection_serves_many_calls_also_after_errors() {
    let server = Server::start(|seen| match seen.line() {
        "GET /config HTTP/1.1" => ok(CONFIG),
        _ => Act::Say(reply(
            "404 Not Found",
            r#"{"errors":["Not found: /jobs/overview"]}"#,
        )),
    })
    .await;
    let job_manager = server.job_manager();
    for _ in 0..10 {
        assert!(job_manager.config().await.is_ok());
        assert!(matches!(
            job_manager.jobs().await,
            Err(Error::Status { .. })
        ));
    }
    assert_eq!(server.requests().len(), 20);
    assert_eq!(server.opened(), 1);
}

#[tokio::test]
async fn idle_connections_are_bounded_in_number_and_time() {
    let mut server = Server::start(|_| ok(CONFIG)).await;
    let network = Network {
        idle: Duration::from_millis(200),
        idle_per_host: 1,
        ..network()
    };
    let client = Client::new(network.transport().unwrap(), limits());
    let job_manager = client.job_manager(server.endpoint());
    let calls = (
        job_manager.config(),
        job_manager.config(),
        job_manager.config(),
    );
    let results = tokio::join!(calls.0, calls.1, calls.2);
    assert!(results.0.is_ok() && results.1.is_ok() && results.2.is_ok());
    let opened = server.opened();
    // All but one at once, the last by its age.
    server.until(|log| log.closed + 1 >= opened).await;
    server.until(|log| log.closed == log.opened).await;
}

#[tokio::test]
async fn a_call_that_timed_out_leaves_no_connection_behind() {
    let mut server = Server::start(|seen| match seen.connection {
        1 => Act::SayAndHang(Vec::new()),
        _ => ok(CONFIG),
    })
    .await;
    let job_manager = server.job_manager();
    let limit = Duration::from_millis(300);
    let error = job_manager
        .clone()
        .within(limit)
        .config()
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::TimedOut { waiting: Waiting::Reply, limit: said, .. } if said == limit),
        "{error:?}"
    );
    server.until(|log| log.closed == 1).await;
    assert!(job_manager.config().await.is_ok());
    assert_eq!(server.requests()[1].connection, 2);
}

#[tokio::test]
async fn a_body_that_drips_is_timed_out_as_a_whole() {
    let mut server = Server::start(|_| {
        Act::SayAndHang(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"fl".to_vec())
    })
    .await;
    let job_manager = server.job_manager().within(Duration::from_millis(300));
    let error = job_manager.config().await.unwrap_err();
    assert_eq!(error.label(), "timed_out");
    server.until(|log| log.closed == 1).await;
}

#[tokio::test]
async fn a_change_can_be_given_less_time_but_not_more() {
    let server = Server::start(|_| Act::SayAndHang(Vec::new())).await;
    let short = Limits {
        change: Duration::from_millis(100),
        ..limits()
    };
    let client = Client::new(network().transport().unwrap(), short);
    let job_manager = client.job_manager(server.endpoint());
    let job = "0".repeat(32).parse().unwrap();
    for (wanted, granted) in [(60_000, 100), (50, 50)] {
        let job_manager = job_manager.clone().within(Duration::from_millis(wanted));
        let error = job_manager.cancel(job, &permit()).await.unwrap_err();
        let said = Duration::from_millis(granted);
        assert!(
            matches!(error, Error::TimedOut { limit, .. } if limit == said),
            "{error:?}"
        );
        assert!(!error.is_surely_not_applied());
    }
}

#[tokio::test]
async fn a_change_is_never_sent_twice() {
    let server = Server::start(|_| Act::SayAndClose(Vec::new())).await;
    let job_manager = server.job_manager();
    let job = "0".repeat(32).parse().unwrap();
    let error = job_manager.cancel(job, &permit()).await.unwrap_err();
    assert_eq!(error.label(), "closed", "{error:?}");
    assert!(!error.is_surely_not_applied());
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn redirects_are_not_followed_and_cookies_not_kept() {
    let elsewhere = Server::start(|_| ok(CONFIG)).await;
    let target = format!("http://{}/config", elsewhere.address);
    let server = Server::start(move |_| {
        let head = format!("location: {target}\r\nset-cookie: a=b\r\ncontent-length: 0");
        Act::Say(format!("HTTP/1.1 307 Temporary Redirect\r\n{head}\r\n\r\n").into_bytes())
    })
    .await;
    let job_manager = server.job_manager();
    for _ in 0..2 {
        let error = job_manager.config().await.unwrap_err();
        assert!(
            matches!(&error, Error::Status { status, .. } if *status == 307),
            "{error:?}"
        );
    }
    assert_eq!(elsewhere.opened(), 0);
    let heads: Vec<String> = server
        .requests()
        .into_iter()
        .map(|seen| seen.head)
        .collect();
    assert!(
        !heads.concat().to_ascii_lowercase().contains("cookie"),
        "{heads:?}"
    );
}

#[test]
fn proxies_of_the_environment_are_ignored() {
    // The environment is read when a client is made, and only a process of its own may change it.
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "connections::one_connection_serves_many_calls_also_after_errors",
            "--exact",
        ])
        .envs(["HTTP_PROXY", "http_proxy", "ALL_PROXY"].map(|name| (name, "http://127.0.0.1:9")))
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && said.contains("1 passed"),
        "{said}"
    );
}
