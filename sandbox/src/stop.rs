//! Ends a sandbox from outside, whatever state it is in.

use std::time::Duration;

use anyhow::{Result, bail};
use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};

use crate::cleanup;
use crate::instance::{Claim, Instance};
use crate::progress::Progress;

/// How long a sandbox may take to end in order.
const GRACE: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(20);

/// Says what there was to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// It ran, or had left something behind.
    Everything,
    /// There was no such sandbox.
    Nothing,
}

/// Ends the sandbox and removes all that it created; also what a killed one left behind.
pub async fn stop(instance: &Instance, progress: &Progress) -> Result<Stopped> {
    if !instance.directory().exists() {
        return Ok(Stopped::Nothing);
    }
    let deadline = Instant::now() + GRACE;
    let mut asked = None;
    let claim = loop {
        if let Some(claim) = Claim::take(instance)? {
            break claim;
        }
        // The owner is the supervisor, except for an instant before it writes its record.
        if let Some(record) = instance.read()? {
            if asked != Some(record.supervisor) {
                record.supervisor.signal(Signal::SIGTERM)?;
                asked = Some(record.supervisor);
            } else if Instant::now() > deadline {
                progress.note(&format!(
                    "sandbox {} did not end within {GRACE:?}, killing it",
                    instance.name()
                ));
                record.supervisor.signal(Signal::SIGKILL)?;
            }
        }
        if Instant::now() > deadline + GRACE {
            bail!(
                "somebody else holds {}; find out who with `fuser -v` on it",
                instance.directory().display()
            );
        }
        sleep(POLL).await;
    };
    cleanup::release(instance, &claim).await?;
    cleanup::remove_files(instance, &claim)?;
    Ok(Stopped::Everything)
}
