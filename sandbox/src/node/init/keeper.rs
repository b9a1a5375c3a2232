//! The process between the node and a container: starts it, passes signals on, reports how it ended.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::unistd::{Pid, getppid};

use super::spec::RunSpec;

/// This program, also after its file was replaced by a newer one.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// Starts process 1 of a new PID namespace and returns its exit code when it has ended.
pub(super) fn keep(run: &RunSpec, spec: &Path) -> Result<i32> {
    end_with_parent(run.node_pid)?;
    let network = File::open(&run.network).with_context(|| {
        format!(
            "cannot open the network namespace {}",
            run.network.display()
        )
    })?;
    setns(&network, CloneFlags::CLONE_NEWNET)
        .context("cannot enter the pod's network namespace")?;
    unshare(CloneFlags::CLONE_NEWPID).context("cannot make a PID namespace")?;

    let signals = watch_signals()?;
    let (mut ours, theirs) = UnixStream::pair().context("cannot make a socket pair")?;
    let mut child = Command::new(OWN_PROGRAM)
        .arg("pod-init")
        .arg(spec)
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
        .spawn()
        .context("cannot start the container's process")?;
    let pid = Pid::from_raw(
        child
            .id()
            .try_into()
            .context("process ids fit into 31 bits")?,
    );
    fs::write(&run.pid_file, pid.to_string()).context("cannot write the pid file")?;

    // The child asks to die with us, says so, and goes on only now: it cannot miss our death.
    let mut word = [0];
    if ours.read_exact(&mut word).is_ok() {
        ours.write_all(&word)
            .context("the container's process ended early")?;
    }
    drop(ours);
    wait(&mut child, pid, &signals).map(exit_code)
}

/// Arranges that this process is killed when its parent ends, also if that has happened already.
pub(super) fn end_with_parent(expected: i32) -> Result<()> {
    set_pdeathsig(Signal::SIGKILL).context("cannot arrange to end with the parent")?;
    if getppid() != Pid::from_raw(expected) {
        bail!("the node that started this process is gone");
    }
    Ok(())
}

/// Arranges that process 1 ends with its keeper; returns when the keeper is known to have been there since.
pub(super) fn wait_until_kept() -> Result<()> {
    set_pdeathsig(Signal::SIGKILL).context("cannot arrange to end with the parent")?;
    let socket = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .context("no socket to the keeper")?;
    let mut keeper = UnixStream::from(socket);
    let mut word = [1];
    keeper
        .write_all(&word)
        .and_then(|()| keeper.read_exact(&mut word))
        .context("the keeper is gone")
}

fn watch_signals() -> Result<SignalFd> {
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGTERM);
    mask.add(Signal::SIGCHLD);
    mask.thread_block().context("cannot block signals")?;
    SignalFd::new(&mask).context("cannot watch signals")
}

fn wait(child: &mut Child, pid: Pid, signals: &SignalFd) -> Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for the container")? {
            return Ok(status);
        }
        let Some(info) = signals.read_signal().context("cannot read signals")? else {
            continue;
        };
        if Signal::try_from(info.ssi_signo.cast_signed()) == Ok(Signal::SIGTERM) {
            // Not waited for since, so the id is still the container's; it may be a zombie, which is fine.
            let _ = kill(pid, Signal::SIGTERM);
        }
    }
}

/// Says how a process ended the way a shell and a container runtime do.
pub(in crate::node) fn exit_code(status: ExitStatus) -> i32 {
    let by_signal = || 128 + status.signal().unwrap_or_default();
    status.code().unwrap_or_else(by_signal)
}
