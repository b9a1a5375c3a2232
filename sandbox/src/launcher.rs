//! Starts processes that are known before they run and that die with the sandbox.
//!
//! Every process is started as `flink-sandbox init … -- program`. The init makes itself leader of a
//! session, asks the kernel to be killed when its parent dies, writes its process id and start time
//! into a record, and only then becomes the program (same process id, so signals and exit codes are
//! the program's). Besides, the environment of everything started here carries a mark, which
//! grandchildren inherit: the clean-up finds them by it, even if the record is lost.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{getpid, getppid, setsid};
use tokio::process::Command;

use crate::process::Process;

/// Names the environment variable whose value, the instance's state directory, marks its processes.
///
/// Whoever gives a child a fresh environment must pass it on, see [`Launcher::mark`].
pub const MARK_VARIABLE: &str = "FLINK_SANDBOX_INSTANCE";

/// Starts and records the processes of one instance.
#[derive(Debug, Clone)]
pub struct Launcher {
    binary: PathBuf,
    instance: PathBuf,
}

impl Launcher {
    /// Makes a launcher for the instance with this state directory; `binary` is `flink-sandbox` itself.
    pub fn new(binary: impl Into<PathBuf>, instance: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
            instance: instance.into(),
        }
    }

    /// Returns the path of `flink-sandbox`, for hidden subcommands of one's own.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Returns the variable and value that every environment of the instance must contain.
    pub fn mark(&self) -> (&'static str, &OsStr) {
        (MARK_VARIABLE, self.instance.as_os_str())
    }

    /// Returns a command that will run `program`; arguments, output and environment are the caller's to add.
    ///
    /// `role` is unique among the living processes of the instance and a plain file name, for example `etcd` or
    /// `pod-<uid>`. Spawn it on a thread that lives as long as the child may (a tokio worker, not `spawn_blocking`):
    /// the kernel takes the end of the spawning *thread* for the parent's death.
    pub fn command(&self, role: &str, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .arg("init")
            .arg("--parent")
            .arg(getpid().to_string());
        command.arg("--record").arg(self.record(role));
        command
            .arg("--")
            .arg(program)
            .env(MARK_VARIABLE, &self.instance)
            .kill_on_drop(true);
        command
    }

    /// Forgets a process that has ended and was waited for.
    pub fn forget(&self, role: &str) {
        // A record that stays is harmless: its start time matches no living process.
        let _ = fs::remove_file(self.record(role));
    }

    fn record(&self, role: &str) -> PathBuf {
        records(&self.instance).join(role)
    }
}

/// Returns where an instance keeps one file per process.
pub(crate) fn records(instance: &Path) -> PathBuf {
    instance.join("processes")
}

/// Becomes the given program after recording this process and tying it to its parent.
///
/// Runs as the hidden subcommand `init`, before any thread exists.
pub fn init(parent: i32, record: &Path, program: &[OsString]) -> Result<Infallible> {
    let Some((program, arguments)) = program.split_first() else {
        bail!("init needs a program to become");
    };
    setsid().context("cannot begin a session")?;
    set_pdeathsig(Signal::SIGKILL).context("cannot tie the process to its parent")?;
    // The parent may have died before the line above.
    if getppid().as_raw() != parent {
        bail!("the sandbox that started this process is gone");
    }
    Process::current()?.write(record)?;
    let error = std::process::Command::new(program).args(arguments).exec();
    Err(error).with_context(|| format!("cannot start {}", program.display()))
}
