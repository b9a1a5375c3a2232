//! GET requests to JobManagers and to the operator's own pages, without a client that has opinions.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The whole exchange, so that a hung server is no answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Gets a page: its status and text, or nothing if nobody answers.
pub(crate) async fn get(address: (&str, u16), path: &str) -> Option<(u16, String)> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        // HTTP/1.0 has no chunks, so the body is what comes after the empty line.
        let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", address.0);
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        let answer = String::from_utf8(answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split_whitespace().nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    };
    timeout(PATIENCE, exchange).await.ok()?
}

/// Gets JSON from a page that answers with success.
pub(crate) async fn get_json(address: (&str, u16), path: &str) -> Option<Value> {
    let (status, body) = get(address, path).await?;
    serde_json::from_str(&body).ok().filter(|_| status == 200)
}
