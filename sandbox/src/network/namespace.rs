//! Network namespaces without names.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::thread;

use anyhow::{Context, Result, anyhow};
use nix::sched::{CloneFlags, setns, unshare};
use tokio::sync::oneshot;

use super::links::Links;

/// Makes a network namespace that lives as long as the returned file is open or a process is in it.
pub(super) async fn create() -> Result<File> {
    on_own_thread(|| {
        unshare(CloneFlags::CLONE_NEWNET)
            .context("cannot create a network namespace; that needs root or a user namespace")?;
        File::open("/proc/thread-self/ns/net").context("cannot open a new network namespace")
    })
    .await
}

/// Sets up addresses and routes inside a pod's namespace.
pub(super) async fn configure(
    namespace: &File,
    address: Ipv4Addr,
    gateway: Ipv4Addr,
) -> Result<()> {
    let namespace = namespace
        .try_clone()
        .context("cannot duplicate a file handle")?;
    on_own_thread(move || {
        setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET)
            .context("cannot enter a pod's network namespace")?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async { Links::open()?.configure_pod(address, gateway).await })
    })
    .await
}

/// Runs work on a thread that ends with it: a thread that changed its namespace must not be used again.
async fn on_own_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (tell, told) = oneshot::channel();
    let thread = thread::Builder::new().name("pod-network".into());
    // A caller that went away has dropped the receiver; then nobody wants the result.
    thread
        .spawn(move || drop(tell.send(work())))
        .context("cannot start a thread")?;
    told.await
        .map_err(|_| anyhow!("the thread that sets up a network panicked"))?
}
