//! Startup, readiness and liveness probes.

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, HTTPGetAction, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a probe does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Check {
    Http {
        host: String,
        port: u16,
        path: String,
        headers: Vec<(String, String)>,
    },
    Connect {
        host: String,
        port: u16,
    },
    Exec {
        command: Vec<String>,
    },
}

/// A probe with its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Schedule {
    pub(super) check: Check,
    pub(super) initial_delay: Duration,
    pub(super) period: Duration,
    pub(super) timeout: Duration,
    successes: u32,
    failures: u32,
}

impl Schedule {
    /// Reads a probe; the error says what is wrong with it.
    pub(super) fn read(probe: &Probe, container: &Container, ip: Ipv4Addr) -> Result<Self, String> {
        let seconds = |value: Option<i32>, default: u64| {
            Duration::from_secs(
                value
                    .and_then(|value| value.try_into().ok())
                    .unwrap_or(default),
            )
        };
        let count = |value: Option<i32>, default: u32| {
            value
                .and_then(|value| value.try_into().ok())
                .unwrap_or(default)
        };
        Ok(Self {
            check: check(probe, container, ip)?,
            initial_delay: seconds(probe.initial_delay_seconds, 0),
            period: seconds(probe.period_seconds, 10).max(Duration::from_secs(1)),
            timeout: seconds(probe.timeout_seconds, 1).max(Duration::from_secs(1)),
            successes: count(probe.success_threshold, 1).max(1),
            failures: count(probe.failure_threshold, 3).max(1),
        })
    }
}

fn check(probe: &Probe, container: &Container, ip: Ipv4Addr) -> Result<Check, String> {
    if let Some(http) = &probe.http_get {
        let host = http.host.clone().unwrap_or_else(|| ip.to_string());
        let port = port(&http.port, container)?;
        // Certificates are not checked by a kubelet either; a connection is what remains.
        if http.scheme.as_deref() == Some("HTTPS") {
            return Ok(Check::Connect { host, port });
        }
        let path = http
            .path
            .clone()
            .filter(|path| !path.is_empty())
            .unwrap_or_else(|| "/".to_owned());
        return Ok(Check::Http {
            host,
            port,
            path,
            headers: headers(http),
        });
    }
    if let Some(socket) = &probe.tcp_socket {
        let host = socket.host.clone().unwrap_or_else(|| ip.to_string());
        return Ok(Check::Connect {
            host,
            port: port(&socket.port, container)?,
        });
    }
    match probe.exec.as_ref().and_then(|exec| exec.command.clone()) {
        Some(command) => Ok(Check::Exec { command }),
        None => Err("the sandbox knows httpGet, tcpSocket and exec probes only".to_owned()),
    }
}

fn headers(http: &HTTPGetAction) -> Vec<(String, String)> {
    http.http_headers
        .iter()
        .flatten()
        .map(|header| (header.name.clone(), header.value.clone()))
        .collect()
}

fn port(port: &IntOrString, container: &Container) -> Result<u16, String> {
    let number = match port {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(name) => {
            let ports = container.ports.iter().flatten();
            let named = ports
                .into_iter()
                .find(|port| port.name.as_ref() == Some(name))
                .map(|port| port.container_port);
            named.or_else(|| name.parse().ok())
        }
    };
    number
        .and_then(|number| number.try_into().ok())
        .ok_or_else(|| format!("container {} has no port {port:?}", container.name))
}

/// Makes one try over the network; `Err` says how it failed.
pub(super) async fn http(
    host: &str,
    port: u16,
    path: &str,
    headers: &[(String, String)],
) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("Get \"http://{host}:{port}{path}\": {error}");
    let mut stream = TcpStream::connect((host, port)).await.map_err(failed)?;
    let mut request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: kube-probe/1.35\r\nAccept: */*\r\nConnection: close\r\n"
    );
    for (name, value) in headers {
        // Writing to a text cannot fail.
        let _ = write!(request, "{name}: {value}\r\n");
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    // The first line decides: `HTTP/1.1 200 OK`.
    let mut answer = Vec::new();
    while !answer.contains(&b'\n') && answer.len() < 256 {
        let read = stream.read_buf(&mut answer).await.map_err(failed)?;
        if read == 0 {
            break;
        }
    }
    let line = String::from_utf8_lossy(&answer);
    match line
        .split_whitespace()
        .nth(1)
        .and_then(|code| code.parse::<u16>().ok())
    {
        Some(200..400) => Ok(()),
        Some(code) => Err(format!("HTTP probe failed with statuscode: {code}")),
        None => Err("HTTP probe failed: the answer is not HTTP".to_owned()),
    }
}

/// Tries to connect.
pub(super) async fn connect(host: &str, port: u16) -> Result<(), String> {
    TcpStream::connect((host, port))
        .await
        .map(drop)
        .map_err(|error| format!("dial tcp {host}:{port}: {error}"))
}

/// What the tries so far mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Succeeding,
    Failing,
    /// Not often enough in a row to mean anything.
    Undecided,
}

/// Counts results in a row.
#[derive(Debug, Default)]
pub(super) struct Tally {
    last: Option<bool>,
    in_a_row: u32,
}

impl Tally {
    pub(super) fn add(&mut self, succeeded: bool, schedule: &Schedule) -> Verdict {
        self.in_a_row = if self.last == Some(succeeded) {
            self.in_a_row.saturating_add(1)
        } else {
            1
        };
        self.last = Some(succeeded);
        match succeeded {
            true if self.in_a_row >= schedule.successes => Verdict::Succeeding,
            false if self.in_a_row >= schedule.failures => Verdict::Failing,
            true | false => Verdict::Undecided,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(probe: Value) -> Result<Schedule, String> {
        let container = serde_json::from_value(
            json!({ "name": "c", "ports": [{ "name": "rest", "containerPort": 8081 }] }),
        );
        Schedule::read(
            &serde_json::from_value(probe).unwrap(),
            &container.unwrap(),
            Ipv4Addr::LOCALHOST,
        )
    }

    #[test]
    fn named_ports_and_defaults_are_resolved() {
        let schedule =
            read(json!({ "httpGet": { "path": "/config", "port": "rest" }, "periodSeconds": 1 }))
                .unwrap();
        let check = Check::Http {
            host: "127.0.0.1".into(),
            port: 8081,
            path: "/config".into(),
            headers: vec![],
        };
        assert_eq!(
            (schedule.check, schedule.period, schedule.failures),
            (check, Duration::from_secs(1), 3)
        );
        assert!(
            read(json!({ "tcpSocket": { "port": "none" } }))
                .unwrap_err()
                .contains("none")
        );
        assert!(read(json!({ "grpc": { "port": 1 } })).is_err());
    }

    #[test]
    fn a_verdict_needs_results_in_a_row() {
        let schedule = read(json!({ "tcpSocket": { "port": 1 }, "failureThreshold": 2 })).unwrap();
        let mut tally = Tally::default();
        assert_eq!(tally.add(false, &schedule), Verdict::Undecided);
        assert_eq!(tally.add(true, &schedule), Verdict::Succeeding);
        assert_eq!(tally.add(false, &schedule), Verdict::Undecided);
        assert_eq!(tally.add(false, &schedule), Verdict::Failing);
    }

    #[tokio::test]
    async fn the_status_code_decides() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            for status in ["200 OK", "503 Service Unavailable"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 512];
                let read = stream.read(&mut request).await.unwrap();
                assert!(request[..read].starts_with(b"GET /config HTTP/1.1\r\n"));
                stream
                    .write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes())
                    .await
                    .unwrap();
            }
        });
        assert_eq!(http("127.0.0.1", port, "/config", &[]).await, Ok(()));
        assert_eq!(
            http("127.0.0.1", port, "/config", &[]).await,
            Err("HTTP probe failed with statuscode: 503".to_owned())
        );
        server.await.unwrap();
        assert!(connect("127.0.0.1", port).await.is_err());
    }
}
