//! Removes everything an instance ever created, whether or not it ended in order.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};
use nix::sys::signal::Signal;
use tokio::time::Instant;

use crate::cache::remove_tree;
use crate::instance::{Claim, Instance};
use crate::launcher::{MARK_VARIABLE, records};
use crate::network::Network;
use crate::process::{self, Process};

/// Removes the instance's processes, mounts and network devices. The files stay.
pub(crate) async fn release(instance: &Instance, _claim: &Claim) -> Result<()> {
    end_processes(instance).await?;
    unmount(instance.directory())?;
    Network::remove(instance.directory()).await
}

/// Removes the files of an instance whose processes and mounts are gone.
pub(crate) fn remove_files(instance: &Instance, _claim: &Claim) -> Result<()> {
    check_unmounted(instance.directory())?;
    remove_tree(instance.directory())
}

/// Removes everything but the instance's directory itself, for a new start.
pub(crate) async fn empty(instance: &Instance, claim: &Claim) -> Result<()> {
    release(instance, claim).await?;
    check_unmounted(instance.directory())?;
    for entry in fs::read_dir(instance.directory())?.flatten() {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            remove_tree(&path)?;
        } else {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Lists the living processes of an instance: those recorded, and those that carry its mark.
pub(crate) fn processes(instance: &Instance) -> Result<BTreeSet<Process>> {
    let recorded = recorded(instance)?.into_iter().map(|(_, process)| process);
    let marked =
        process::with_variable(MARK_VARIABLE, instance.directory().as_os_str().as_bytes())?;
    Ok(recorded.chain(marked).filter(Process::runs).collect())
}

/// Reads the records of processes by role, ended ones included.
pub(crate) fn recorded(instance: &Instance) -> Result<Vec<(String, Process)>> {
    let Ok(entries) = fs::read_dir(records(instance.directory())) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let (Ok(role), Some(process)) = (
            entry.file_name().into_string(),
            Process::read(&entry.path()),
        ) {
            found.push((role, process));
        }
    }
    found.sort();
    Ok(found)
}

/// Kills until nothing is left: while one is killed, it may start another.
async fn end_processes(instance: &Instance) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let left = processes(instance)?;
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("processes {left:?} do not end although they were killed");
        }
        for process in left {
            process.signal(Signal::SIGKILL)?;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn unmount(directory: &Path) -> Result<()> {
    for mount in mounts_below(directory)? {
        match umount2(&mount, MntFlags::MNT_DETACH) {
            // One that went away together with another mount.
            Ok(()) | Err(Errno::EINVAL | Errno::ENOENT) => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot unmount {}", mount.display()));
            }
        }
    }
    Ok(())
}

/// Through a mount that is still there, files of somebody else would be removed.
fn check_unmounted(directory: &Path) -> Result<()> {
    if let Some(mount) = mounts_below(directory)?.first() {
        bail!(
            "{} is still mounted; unmount it and try again",
            mount.display()
        );
    }
    Ok(())
}

/// Lists mount points inside a directory, the innermost first.
fn mounts_below(directory: &Path) -> Result<Vec<PathBuf>> {
    let table = fs::read("/proc/self/mountinfo").context("cannot read the table of mounts")?;
    Ok(mount_points(&table, directory))
}

fn mount_points(table: &[u8], directory: &Path) -> Vec<PathBuf> {
    let lines = table.split(|byte| *byte == b'\n');
    let points = lines
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .map(unescape);
    let mut inside: Vec<_> = points
        .filter(|point| point.starts_with(directory))
        .collect();
    inside.reverse();
    inside
}

/// Blanks and the like are written as three octal digits behind a backslash.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail
            .get(..3)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if *first == b'\\' => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            Some(_) | None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"22 1 254:0 / / rw - ext4 /dev/vda rw\n\
        30 22 0:30 / /state/demo/node/pods/a\\040b/root rw shared:1 - tmpfs tmpfs rw\n\
        31 30 0:31 / /state/demo/node/pods/a\\040b/root/opt rw - tmpfs tmpfs rw\n\
        32 22 0:32 / /state/demo-2/node rw - tmpfs tmpfs rw\n";

    #[test]
    fn only_mounts_inside_are_found_and_the_innermost_first() {
        let found = mount_points(TABLE, Path::new("/state/demo"));
        let pod = Path::new("/state/demo/node/pods/a b/root");
        assert_eq!(found, [pod.join("opt"), pod.to_path_buf()]);
    }
}
