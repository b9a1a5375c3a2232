//! The node's own HTTPS server, as far as `kubectl logs` needs one.
//!
//! The API server passes the request on to the node's address; it does not check the certificate unless told to.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustls::pki_types::PrivateKeyDer;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt, SeekFrom};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::logs::Question;

/// How often a followed log is looked at.
const POLL: Duration = Duration::from_millis(200);

/// Longer requests are not the API server's.
const LONGEST_REQUEST: usize = 16 * 1024;

/// The containers that run at the moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Running {
    names: watch::Sender<BTreeSet<String>>,
}

impl Running {
    /// Enters a container until the returned value is dropped.
    pub(super) fn enter(&self, namespace: &str, pod: &str, container: &str) -> Entered {
        let name = format!("{namespace}/{pod}/{container}");
        self.names
            .send_if_modified(|names| names.insert(name.clone()));
        Entered {
            running: self.clone(),
            name,
        }
    }

    fn contains(&self, name: &str) -> bool {
        self.names.borrow().contains(name)
    }
}

/// A container that runs.
#[derive(Debug)]
pub(super) struct Entered {
    running: Running,
    name: String,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.running
            .names
            .send_if_modified(|names| names.remove(&self.name));
    }
}

/// Answers the API server's questions about containers.
pub(super) struct Kubelet {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    port: u16,
}

impl Kubelet {
    /// Listens on a free port of the machine's address on the pods' network.
    pub(super) async fn bind(address: Ipv4Addr) -> Result<Self> {
        let listener = TcpListener::bind((address, 0))
            .await
            .context("cannot listen for `kubectl logs`")?;
        let port = listener
            .local_addr()
            .context("a bound listener has an address")?
            .port();
        Ok(Self {
            listener,
            acceptor: acceptor(address)?,
            port,
        })
    }

    /// Returns the port to put into the Node object.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Answers until it is dropped.
    pub(super) async fn serve(self, log_dir: Arc<Path>, running: Running) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let (acceptor, log_dir, running) = (self.acceptor.clone(), log_dir.clone(), running.clone());
                        connections.spawn(async move {
                            if let Err(error) = converse(&acceptor, stream, &log_dir, &running).await {
                                tracing::debug!(error = format!("{error:#}"), "a question to the kubelet was not answered");
                            }
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(POLL).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

fn acceptor(address: Ipv4Addr) -> Result<TlsAcceptor> {
    let certified = rcgen::generate_simple_self_signed([address.to_string()])
        .context("cannot make a certificate")?;
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der())
        .map_err(anyhow::Error::msg)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let configuration = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)?;
    Ok(TlsAcceptor::from(Arc::new(configuration)))
}

async fn converse(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    log_dir: &Path,
    running: &Running,
) -> Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 || request.len() > LONGEST_REQUEST {
            bail!("the request is not complete");
        }
    }
    let line = String::from_utf8_lossy(&request);
    let target = line
        .split_whitespace()
        .nth(1)
        .unwrap_or_default()
        .to_owned();
    match LogRequest::parse(&target)
        .and_then(|asked| Ok((asked.question().answer(log_dir)?, asked)))
    {
        Ok((log, asked)) => {
            // Without a length the answer ends with the connection.
            stream
                .write_all(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n",
                )
                .await?;
            copy(&log, &asked, running, &mut stream).await?;
        }
        Err(error) => {
            let body = format!("{error:#}\n");
            let head = format!(
                "HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all((head + &body).as_bytes()).await?;
        }
    }
    Ok(stream.shutdown().await?)
}

/// What `kubectl logs` asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct LogRequest {
    namespace: String,
    pod: String,
    container: String,
    follow: bool,
    previous: bool,
    tail_lines: Option<usize>,
}

impl LogRequest {
    /// Reads `/containerLogs/<namespace>/<pod>/<container>?follow=true&…`.
    fn parse(target: &str) -> Result<Self> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let &["containerLogs", namespace, pod, container] = parts.as_slice() else {
            bail!("the sandbox's node answers `kubectl logs` only, not {path}");
        };
        let mut asked = Self {
            namespace: namespace.into(),
            pod: pod.into(),
            container: container.into(),
            ..Self::default()
        };
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "follow" => asked.follow = value == "true",
                "previous" => asked.previous = value == "true",
                "tailLines" => asked.tail_lines = value.parse().ok(),
                // The log has no times of its own; more than asked for is better than nothing.
                _ => {}
            }
        }
        Ok(asked)
    }

    fn question(&self) -> Question {
        Question {
            pod: self.pod.clone(),
            namespace: Some(self.namespace.clone()),
            container: Some(self.container.clone()),
            previous: self.previous,
        }
    }
}

/// Copies a log; if it is followed, until the container has ended.
async fn copy(
    log: &Path,
    asked: &LogRequest,
    running: &Running,
    output: &mut (impl AsyncWrite + Unpin),
) -> Result<()> {
    let mut file = File::open(log)
        .await
        .with_context(|| format!("cannot open {}", log.display()))?;
    if let Some(lines) = asked.tail_lines {
        let text = tokio::fs::read(log).await?;
        file.seek(SeekFrom::Start(start_of_tail(&text, lines)))
            .await?;
    }
    let name = format!("{}/{}/{}", asked.namespace, asked.pod, asked.container);
    loop {
        // Asked before copying, so that nothing written until the end is missed.
        let goes_on = asked.follow && !asked.previous && running.contains(&name);
        tokio::io::copy(&mut file, output).await?;
        output.flush().await?;
        if !goes_on {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Finds where the last lines of a text begin.
fn start_of_tail(text: &[u8], lines: usize) -> u64 {
    if lines == 0 {
        return text.len().try_into().unwrap_or(u64::MAX);
    }
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    let breaks = body
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, byte)| **byte == b'\n');
    let start = breaks.map(|(at, _)| at + 1).nth(lines - 1).unwrap_or(0);
    start.try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_the_api_servers() {
        let asked =
            LogRequest::parse("/containerLogs/ns/pod/c?follow=true&tailLines=2&timestamps=true")
                .unwrap();
        assert!(asked.follow && !asked.previous && asked.tail_lines == Some(2));
        assert_eq!(
            (
                asked.namespace.as_str(),
                asked.pod.as_str(),
                asked.container.as_str()
            ),
            ("ns", "pod", "c")
        );
        let error = LogRequest::parse("/exec/ns/pod/c?command=ls")
            .unwrap_err()
            .to_string();
        assert!(error.contains("/exec/ns/pod/c"), "{error}");
    }

    #[test]
    fn a_tail_has_the_lines_asked_for() {
        let tail = |text: &str, lines| {
            text[usize::try_from(start_of_tail(text.as_bytes(), lines)).unwrap()..].to_owned()
        };
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc\n");
        assert_eq!(tail("a\nb\nc", 1), "c");
        assert_eq!(tail("a\n", 5), "a\n");
        assert_eq!(tail("a\n", 0), "");
    }

    #[tokio::test]
    async fn a_followed_log_ends_with_its_container() {
        let log = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(log.path(), "first\n").unwrap();
        let running = Running::default();
        let entered = running.enter("ns", "pod", "c");
        let asked = LogRequest::parse("/containerLogs/ns/pod/c?follow=true").unwrap();
        let (mut output, mut input) = tokio::io::duplex(1024);
        let path = log.path().to_path_buf();
        let copying = tokio::spawn(async move { copy(&path, &asked, &running, &mut output).await });
        let mut text = [0; 6];
        input.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"first\n");
        assert!(!copying.is_finished());
        std::fs::write(log.path(), "first\nlast\n").unwrap();
        drop(entered);
        copying.await.unwrap().unwrap();
        let mut rest = String::new();
        input.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "last\n");
    }
}
