//! Root for those who are not: a user namespace.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;

use anyhow::{Context, Result, bail};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

/// Becomes the command, as root of new user, mount and network namespaces.
pub(super) fn run(command: &[OsString]) -> Result<Infallible> {
    let Some((program, arguments)) = command.split_first() else {
        bail!("unshare needs a command")
    };
    let (user, group) = (geteuid(), getegid());
    let flags = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET;
    unshare(flags).context(
        "this machine allows no user namespaces to you; see the settings kernel.unprivileged_userns_clone, \
         kernel.apparmor_restrict_unprivileged_userns and user.max_user_namespaces",
    )?;
    // The kernel accepts a group map of an ordinary user only after this.
    fs::write("/proc/self/setgroups", "deny").context("cannot give up setting groups")?;
    fs::write("/proc/self/uid_map", format!("0 {user} 1"))
        .context("cannot become root of the namespace")?;
    fs::write("/proc/self/gid_map", format!("0 {group} 1"))
        .context("cannot become root's group of the namespace")?;
    let error = std::process::Command::new(program).args(arguments).exec();
    Err(error).with_context(|| format!("cannot start {}", program.display()))
}
