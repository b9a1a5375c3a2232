//! A sandbox for the duration of a test.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use kube::Client;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use crate::cache::Cache;
use crate::instance::Instance;
use crate::kubeconfig;
use crate::process::Process;
use crate::progress::Progress;
use crate::stop::stop;

/// Names the environment variable with the path of `flink-sandbox`, for programs that cannot find it.
const BINARY_VARIABLE: &str = "FLINK_SANDBOX";

/// What `up` prints when the sandbox is ready.
pub const READY_PREFIX: &str = "export KUBECONFIG=";

/// What kind of sandbox is wanted. The default is one that runs pods.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its name; by default one that no other process uses.
    pub name: Option<String>,
    /// Where its files are; by default in the cache directory.
    pub state_dir: Option<PathBuf>,
    /// Whether pods run, which needs root.
    pub node: bool,
    /// Whether every request is written to [`Sandbox::audit_log`], one JSON document a line.
    pub audit: bool,
    /// Image names that are mapped to directories.
    pub images: BTreeMap<String, PathBuf>,
    /// Further arguments of kube-apiserver.
    pub api_server_arguments: Vec<String>,
    /// The program `flink-sandbox`; by default it is looked for where Cargo puts it.
    pub binary: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            name: None,
            state_dir: None,
            node: true,
            audit: false,
            images: BTreeMap::new(),
            api_server_arguments: Vec::new(),
            binary: None,
        }
    }
}

impl Options {
    /// Asks for a control plane without pods, which is ready sooner and needs no rights.
    pub fn control_plane() -> Self {
        Self {
            node: false,
            ..Self::default()
        }
    }

    fn arguments(&self, instance: &Instance, state_dir: &Path) -> Vec<String> {
        let mut arguments = vec![
            "--state-dir".into(),
            state_dir.display().to_string(),
            "up".into(),
        ];
        arguments.extend(
            [
                "--name",
                instance.name(),
                "--foreground",
                "--until-stdin-closes",
            ]
            .map(String::from),
        );
        if !self.node {
            arguments.push("--no-node".into());
        }
        if self.audit {
            arguments.push("--audit".into());
        }
        arguments.extend(
            self.images
                .iter()
                .map(|(name, directory)| format!("--image={name}={}", directory.display())),
        );
        arguments.extend(
            self.api_server_arguments
                .iter()
                .map(|argument| format!("--api-server-arg={argument}")),
        );
        arguments
    }
}

/// A running sandbox that ends with this value, and also if the process that holds it is killed.
#[derive(Debug)]
pub struct Sandbox {
    instance: Instance,
    child: Child,
    /// The sandbox ends when this is closed, by whatever cause.
    lifeline: Option<ChildStdin>,
}

impl Sandbox {
    /// Starts a sandbox and waits until it is ready.
    ///
    /// The first time on a machine this takes minutes, since the control plane is built; progress is on standard error.
    pub async fn up(options: Options) -> Result<Self> {
        let binary = match &options.binary {
            Some(binary) => binary.clone(),
            None => find_binary()?,
        };
        let state_dir = match &options.state_dir {
            Some(state_dir) => state_dir.clone(),
            None => Instance::default_state_dir(&Cache::resolve()?),
        };
        let name = options.name.clone().unwrap_or_else(unused_name);
        let instance = Instance::new(&state_dir, &name)?;
        let mut command = Command::new(&binary);
        command.args(options.arguments(&instance, &state_dir));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let lifeline = child.stdin.take();
        let stdout = child
            .stdout
            .take()
            .context("the child's output was asked for as a pipe")?;
        let stderr = child
            .stderr
            .take()
            .context("the child's messages were asked for as a pipe")?;
        let mut sandbox = Self {
            instance,
            child,
            lifeline,
        };

        let messages = tokio::spawn(relay(stderr));
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next_line().await? {
            if line.starts_with(READY_PREFIX) {
                // Nothing more comes, but the pipe stays open so that writing to it is no error.
                tokio::spawn(async move { lines.into_inner().read_to_end(&mut Vec::new()).await });
                return Ok(sandbox);
            }
        }
        let status = sandbox.child.wait().await?;
        let messages = messages.await.unwrap_or_default();
        sandbox.clean_up().await?;
        bail!("the sandbox did not start ({status}):\n{messages}");
    }

    /// Returns the path of the administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.instance.kubeconfig()
    }

    /// Makes a client with all rights and without retries.
    pub async fn client(&self) -> Result<Client> {
        kubeconfig::client(&self.kubeconfig()).await
    }

    /// Returns the audit log, which is there if it was asked for.
    pub fn audit_log(&self) -> PathBuf {
        self.instance.audit_log()
    }

    /// Returns the names and directories of this sandbox.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Ends the sandbox and returns when nothing of it is left.
    pub async fn down(mut self) -> Result<()> {
        drop(self.lifeline.take());
        tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .context("the sandbox does not end")??;
        self.clean_up().await
    }

    /// Removes what the sandbox itself could not, if there is any such thing.
    async fn clean_up(&mut self) -> Result<()> {
        stop(&self.instance, &Progress::silent()).await.map(drop)
    }
}

const PATIENCE: Duration = Duration::from_secs(30);

impl Drop for Sandbox {
    /// Waits, blocking, so that the next test does not meet the remains of this one.
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let deadline = Instant::now() + PATIENCE;
        // Not an id but `None` once the child was waited for.
        while let Some(process) = self
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Process::find)
        {
            if Instant::now() > deadline {
                eprintln!(
                    "sandbox {} does not end; `flink-sandbox down --name {0}` ends it",
                    self.instance.name()
                );
                let _ = process.signal(nix::sys::signal::Signal::SIGTERM);
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Passes messages on to standard error and returns them.
async fn relay(messages: impl tokio::io::AsyncRead + Unpin) -> String {
    let mut text = String::new();
    let mut lines = BufReader::new(messages).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        eprintln!("sandbox: {line}");
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Makes a name out of this process's id, which no living process shares.
fn unused_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!(
        "test-{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// Looks for `flink-sandbox`: the environment, this program, the directory where Cargo builds.
fn find_binary() -> Result<PathBuf> {
    const NAME: &str = "flink-sandbox";
    if let Some(binary) = std::env::var_os(BINARY_VARIABLE).filter(|value| !value.is_empty()) {
        return Ok(binary.into());
    }
    let own = std::env::current_exe().context("cannot tell which program this is")?;
    if own.file_name().is_some_and(|name| name == NAME) {
        return Ok(own);
    }
    // Test programs are in `deps` below the directory of the binaries.
    let found = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|directory| directory.join(NAME))
        .find(|binary| binary.is_file());
    let Some(found) = found else {
        bail!(
            "cannot find {NAME} near {}: build it with `cargo build -p flink-sandbox`, or name it in {BINARY_VARIABLE}",
            own.display()
        );
    };
    Ok(found)
}
