//! A server that does on the wire exactly what a test says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flink_rest::{Client, Denied, Endpoint, JobManager, Limits, Network, Permit, SystemClock};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the server does with one request.
#[derive(Clone)]
pub(crate) enum Act {
    /// Writes these bytes and waits for the next request.
    Say(Vec<u8>),
    /// Writes these bytes and closes.
    SayAndClose(Vec<u8>),
    /// Writes these bytes and nothing more, with the connection open.
    SayAndHang(Vec<u8>),
    /// Writes the first, then the second again and again until nobody listens.
    SayForever(Vec<u8>, Vec<u8>),
}

/// A request as it came, head and body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// On which connection, counted from 1.
    pub(crate) connection: usize,
}

impl Seen {
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

type Script = Arc<dyn Fn(&Seen) -> Act + Send + Sync>;

#[derive(Default)]
pub(crate) struct Log {
    pub(crate) opened: usize,
    pub(crate) closed: usize,
    pub(crate) requests: Vec<Seen>,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    log: watch::Receiver<Arc<Mutex<Log>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start(script: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> Self {
        Self::start_with(None, script).await
    }

    pub(crate) async fn start_with(
        tls: Option<tokio_rustls::TlsAcceptor>,
        script: impl Fn(&Seen) -> Act + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (changed, log) = watch::channel(Arc::new(Mutex::new(Log::default())));
        let script: Script = Arc::new(script);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (changed, script, tls) = (changed.clone(), script.clone(), tls.clone());
                let number = note(&changed, |log| {
                    log.opened += 1;
                    log.opened
                });
                connections.spawn(async move {
                    match tls {
                        None => serve(stream, number, &changed, &script).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, number, &changed, &script).await;
                            }
                        }
                    }
                    note(&changed, |log| log.closed += 1);
                });
            }
        });
        Self { address, log, task }
    }

    /// Answers each connection with these bytes before it has read its request, and closes.
    pub(crate) async fn start_early(answer: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (changed, log) = watch::channel(Arc::new(Mutex::new(Log::default())));
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                note(&changed, |log| log.opened += 1);
                let written = stream.write_all(&answer).await;
                let closed = stream.shutdown().await;
                drop((written, closed));
            }
        });
        Self { address, log, task }
    }

    /// Waits until the log is as wanted.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&Log) -> bool) {
        let seen = self.log.wait_for(|log| wanted(&log.lock().unwrap()));
        let result = tokio::time::timeout(Duration::from_secs(5), seen).await;
        assert!(result.is_ok(), "the server waited for 5 seconds in vain");
    }

    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.log.borrow().lock().unwrap().requests.clone()
    }

    pub(crate) fn opened(&self) -> usize {
        self.log.borrow().lock().unwrap().opened
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::http(self.address.ip(), self.address.port())
    }

    pub(crate) fn job_manager(&self) -> JobManager {
        client().job_manager(self.endpoint())
    }
}

fn note<T>(changed: &watch::Sender<Arc<Mutex<Log>>>, note: impl FnOnce(&mut Log) -> T) -> T {
    let mut result = None;
    changed.send_modify(|log| result = Some(note(&mut log.lock().unwrap())));
    result.unwrap()
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    connection: usize,
    changed: &watch::Sender<Arc<Mutex<Log>>>,
    script: &Script,
) {
    while let Some(seen) = read_request(&mut stream, connection).await {
        let act = script(&seen);
        note(changed, |log| log.requests.push(seen));
        match act {
            Act::Say(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Act::SayAndClose(bytes) => {
                let written = stream.write_all(&bytes).await;
                let closed = stream.shutdown().await;
                drop((written, closed));
                return;
            }
            Act::SayAndHang(bytes) => {
                let written = stream.write_all(&bytes).await;
                // Ends when the client closes.
                let mut rest = Vec::new();
                let read = stream.read_to_end(&mut rest).await;
                drop((written, read));
                return;
            }
            Act::SayForever(first, again) => {
                let mut written = stream.write_all(&first).await;
                while written.is_ok() {
                    written = stream.write_all(&again).await;
                }
                return;
            }
        }
    }
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin), connection: usize) -> Option<Seen> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.parse::<usize>().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(Seen {
        head,
        body,
        connection,
    })
}

/// A whole reply with a length.
pub(crate) fn reply(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let kind = "content-type: application/json; charset=UTF-8";
    format!("HTTP/1.1 {status}\r\n{kind}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

pub(crate) fn ok(body: &str) -> Act {
    Act::Say(reply("200 OK", body))
}

pub(crate) fn network() -> Network {
    Network {
        connect: Duration::from_secs(3),
        ..Network::default()
    }
}

pub(crate) fn limits() -> Limits {
    let short = Duration::from_secs(3);
    Limits {
        read: short,
        change: short,
        upload: short,
        run: short,
        ..Limits::default()
    }
}

pub(crate) fn client() -> Client {
    Client::new(network().transport().unwrap(), limits())
}

pub(crate) fn permit() -> Permit {
    permit_with(|| Ok(()))
}

pub(crate) fn permit_with(
    guard: impl Fn() -> Result<(), Denied> + Send + Sync + 'static,
) -> Permit {
    let not_after = std::time::SystemTime::now() + Duration::from_secs(60);
    Permit::until(Arc::new(SystemClock), not_after, guard)
}
