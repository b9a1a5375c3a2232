//! Requests to end.

use std::os::fd::AsFd;

use anyhow::{Context, Result};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::signal::unix::{SignalKind, signal};

/// Returns a future that ends when somebody asks this process to end: Ctrl-C, SIGTERM, a closed terminal.
///
/// From the call on, not only from the first poll, these signals no longer end the process by themselves.
pub(super) fn interrupted() -> Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

/// Returns a future that ends when the other end of standard input is closed, by whatever cause.
pub(super) fn stdin_closed() -> Result<impl Future<Output = ()>> {
    let stdin = std::io::stdin().as_fd().try_clone_to_owned()?;
    let mut pipe = Receiver::from_owned_fd(stdin)
        .context("standard input is not a pipe, as --until-stdin-closes needs")?;
    Ok(async move {
        let mut ignored = [0; 64];
        while pipe.read(&mut ignored).await.is_ok_and(|read| read > 0) {}
    })
}
