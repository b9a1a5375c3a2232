//! Runs one more command inside a container that exists: probes and `exec`.

use std::fs::File;

use anyhow::{Context, Result};
use nix::sched::{CloneFlags, setns};
use nix::unistd::{chdir, chroot};

use super::keeper::{end_with_parent, exit_code};
use super::prepare;
use super::spec::ExecSpec;

/// Enters the container's namespaces, runs the command and returns its exit code.
pub(super) fn execute(exec: &ExecSpec) -> Result<i32> {
    end_with_parent(exec.node_pid)?;
    let process = format!("/proc/{}", exec.container_pid);
    let gone = || format!("the container's process {} is gone", exec.container_pid);
    // Everything is opened first: entering the mount namespace changes what `/proc` is.
    let namespaces = [
        ("net", CloneFlags::CLONE_NEWNET),
        ("uts", CloneFlags::CLONE_NEWUTS),
        ("ipc", CloneFlags::CLONE_NEWIPC),
        ("pid", CloneFlags::CLONE_NEWPID),
        ("mnt", CloneFlags::CLONE_NEWNS),
    ];
    let mut opened = Vec::new();
    for (name, kind) in namespaces {
        opened.push((
            File::open(format!("{process}/ns/{name}")).with_context(gone)?,
            kind,
        ));
    }
    for (file, kind) in &opened {
        setns(file, *kind)
            .with_context(|| format!("cannot enter the container's namespaces ({kind:?})"))?;
    }
    chdir("/")
        .and_then(|()| chroot("."))
        .context("cannot enter the container's root")?;
    let status = prepare(&exec.command)?
        .status()
        .with_context(|| format!("exec: {:?}", exec.command.argv))?;
    Ok(exit_code(status))
}
