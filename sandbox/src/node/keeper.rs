//! The node's handle on one container process.
//!
//! Each process has a thread that starts it and waits for it. The kernel ties a child to the *thread* that
//! started it, so that thread must live exactly as long as the child: a pool's thread would not.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use tokio::sync::watch;

use super::init::InitSpec;
use crate::launcher::Launcher;

/// Starts processes of containers.
#[derive(Debug, Clone)]
pub(super) struct Keepers {
    launcher: Launcher,
    /// How many processes run.
    running: watch::Sender<usize>,
}

impl Keepers {
    pub(super) fn new(launcher: Launcher) -> Self {
        Self {
            launcher,
            running: watch::Sender::new(0),
        }
    }

    /// Waits until no process is left.
    pub(super) async fn all_ended(&self) {
        // The sender is ours, so there is no error.
        let _ = self
            .running
            .subscribe()
            .wait_for(|running| *running == 0)
            .await;
    }

    /// Starts the task described by `spec`, which is stored at `path`; its output goes to `log`.
    ///
    /// `role` names the process among those of the sandbox.
    pub(super) async fn start(
        &self,
        role: &str,
        spec: &InitSpec,
        path: &Path,
        log: File,
    ) -> Result<Kept> {
        fs::write(
            path,
            serde_json::to_vec(spec).context("a spec is always JSON")?,
        )
        .with_context(|| format!("cannot write {}", path.display()))?;
        let mut command = self
            .launcher
            .command(role, self.launcher.binary())
            .into_std();
        command
            .arg("pod-init")
            .arg(path)
            .stdin(std::process::Stdio::null());
        command
            .stdout(log.try_clone().context("cannot share the log file")?)
            .stderr(log);

        let (started, starting) = tokio::sync::oneshot::channel();
        let (launcher, role_name) = (self.launcher.clone(), role.to_owned());
        let running = Counted::new(self.running.clone());
        std::thread::Builder::new()
            .name(format!("keep {role}"))
            .spawn(move || {
                run(command, started);
                launcher.forget(&role_name);
                drop(running);
            })
            .context("cannot start a thread")?;
        starting
            .await
            .context("the thread of a container ended early")?
    }
}

/// A running process; dropping it kills the process.
#[derive(Debug)]
pub(super) struct Kept {
    /// `None` once the process has been waited for: its id may then belong to somebody else.
    pid: Arc<Mutex<Option<Pid>>>,
    exit_code: watch::Receiver<Option<i32>>,
}

impl Kept {
    /// Asks the process to end.
    pub(super) fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Ends the process and everything below it.
    pub(super) fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    fn signal(&self, signal: Signal) {
        let pid = self.pid.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(pid) = *pid else { return };
        match kill(pid, signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => tracing::warn!(%pid, %signal, %error, "cannot signal a container"),
        }
    }

    /// Waits until the process has ended and returns its exit code.
    pub(super) async fn ended(&mut self) -> i32 {
        let killed = 128 + Signal::SIGKILL as i32;
        match self.exit_code.wait_for(Option::is_some).await {
            Ok(code) => code.unwrap_or(killed),
            // The thread panicked, which killed the process.
            Err(_) => killed,
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Counts one process as long as it exists.
struct Counted(watch::Sender<usize>);

impl Counted {
    fn new(running: watch::Sender<usize>) -> Self {
        running.send_modify(|running| *running += 1);
        Self(running)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running -= 1);
    }
}

/// Starts the process, hands it out and waits for its end: all in one thread.
fn run(mut command: Command, started: tokio::sync::oneshot::Sender<Result<Kept>>) {
    let mut child = match command
        .spawn()
        .context("cannot start a container's process")
    {
        Ok(child) => child,
        Err(error) => {
            // The receiver is gone only if the node itself is ending.
            let _ = started.send(Err(error));
            return;
        }
    };
    let raw = child.id().try_into().expect("process ids fit into 31 bits");
    let pid = Arc::new(Mutex::new(Some(Pid::from_raw(raw))));
    let (report, exit_code) = watch::channel(None);
    // If nobody takes it, dropping it kills the process.
    let _ = started.send(Ok(Kept {
        pid: pid.clone(),
        exit_code,
    }));
    let code = wait(&mut child, &pid);
    report.send_replace(Some(code));
}

fn wait(child: &mut Child, pid: &Mutex<Option<Pid>>) -> i32 {
    let raw = child.id().try_into().expect("process ids fit into 31 bits");
    // Does not free the id yet: until it is taken away below, signals reach this process or nobody.
    while waitid(
        Id::Pid(Pid::from_raw(raw)),
        WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT,
    ) == Err(Errno::EINTR)
    {}
    *pid.lock().unwrap_or_else(PoisonError::into_inner) = None;
    match child.wait() {
        Ok(status) => super::init::exit_code(status),
        Err(error) => {
            tracing::warn!(%error, "cannot learn how a container ended");
            super::init::START_FAILED
        }
    }
}

/// Says why a command could not be started, if that is what happened.
pub(super) fn start_failure(failure_file: &Path) -> Option<String> {
    match fs::read_to_string(failure_file) {
        Ok(text) if !text.is_empty() => Some(text),
        Ok(_) => None,
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => Some(format!("cannot read {}: {error}", failure_file.display())),
    }
}

/// Makes the file for the output of a container.
pub(super) fn create_log(path: &Path) -> Result<File> {
    let directory: PathBuf = path.parent().map(Path::to_path_buf).unwrap_or_default();
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    File::create(path).with_context(|| format!("cannot create the log {}", path.display()))
}
