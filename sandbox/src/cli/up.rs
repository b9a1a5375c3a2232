//! `up`: in the foreground, or in a process of its own that this one waits for.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use flink_sandbox::cache::Cache;
use flink_sandbox::instance::Instance;
use flink_sandbox::process::Process;
use flink_sandbox::progress::Progress;
use flink_sandbox::status::{State, Status};
use flink_sandbox::supervisor::{Content, Supervisor, kubectl};
use flink_sandbox::tools::Programs;
use flink_sandbox::{READY_PREFIX, launcher};
use nix::sys::signal::Signal;
use nix::unistd::{dup2_stderr, dup2_stdout, setsid};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;
use tracing_subscriber::EnvFilter;

use super::{Which, instance, signals, unless_interrupted};

/// While the API server starts, the client complains about each question that comes too early.
const LOG_FILTER: &str = "info,kube_client::client::builder=off";

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(super) struct Up {
    #[command(flatten)]
    which: Which,
    /// Start the control plane only: ready in seconds, needs no root, runs no pods.
    #[arg(long)]
    no_node: bool,
    /// Stay here until Ctrl-C.
    #[arg(long)]
    foreground: bool,
    /// Write every request to the API server to logs/audit.log.
    #[arg(long)]
    audit: bool,
    /// Let an image name stand for a directory; can be repeated.
    #[arg(long = "image", value_name = "NAME=DIR", value_parser = image)]
    images: Vec<(String, PathBuf)>,
    /// Pass an argument to kube-apiserver; can be repeated.
    #[arg(
        long = "api-server-arg",
        value_name = "ARG",
        allow_hyphen_values = true
    )]
    api_server_arguments: Vec<String>,
    /// End when standard input is closed.
    #[arg(long, hide = true, requires = "foreground")]
    until_stdin_closes: bool,
    /// Be the process that another `up` waits for.
    #[arg(long, hide = true, requires = "foreground")]
    detached: bool,
}

fn image(text: &str) -> Result<(String, PathBuf)> {
    let (name, directory) = text.split_once('=').context("not of the form NAME=DIR")?;
    Ok((name.to_owned(), std::path::absolute(directory)?))
}

impl Up {
    pub(super) async fn run(self, state_dir: Option<&Path>) -> Result<ExitCode> {
        let instance = instance(state_dir, &self.which)?;
        let cache = Cache::resolve()?;
        if self.foreground {
            self.stay(instance, &cache).await?;
            return Ok(ExitCode::SUCCESS);
        }
        let progress = Progress::stderr();
        if Status::of(&instance).await?.state() == State::Ready {
            self.check_running(&instance)?;
            progress.note(&format!("sandbox {} is running already", instance.name()));
        } else {
            self.content().check_machine().await?;
            // Here, so that progress is shown and Ctrl-C works; the other process finds all there.
            unless_interrupted(Programs::ensure(&cache, &progress)).await?;
            self.detach(&instance).await?;
        }
        println!("{READY_PREFIX}{}", instance.kubeconfig().display());
        let kubectl =
            kubectl(&cache).map_or_else(|| "kubectl".into(), |path| path.display().to_string());
        progress.note(&format!("then: {kubectl} get namespaces; `flink-sandbox status` tells more, `flink-sandbox down` ends it"));
        Ok(ExitCode::SUCCESS)
    }

    /// Refuses to take a control plane alone for a sandbox that runs pods.
    fn check_running(&self, instance: &Instance) -> Result<()> {
        if !self.no_node && instance.read()?.is_some_and(|record| !record.node) {
            bail!(
                "sandbox {0} is running without pods; `flink-sandbox down --name {0}`, then again",
                instance.name()
            );
        }
        Ok(())
    }

    fn content(&self) -> Content {
        Content {
            node: !self.no_node,
            audit: self.audit,
            images: self.images.iter().cloned().collect::<BTreeMap<_, _>>(),
            api_server_arguments: self.api_server_arguments.clone(),
        }
    }

    /// Runs the sandbox in this process.
    async fn stay(&self, instance: Instance, cache: &Cache) -> Result<()> {
        if self.detached {
            setsid().context("cannot leave the terminal's session")?;
        }
        let interrupted = signals::interrupted()?;
        let lifeline = if self.until_stdin_closes {
            Some(signals::stdin_closed()?)
        } else {
            None
        };
        let shutdown = async {
            match lifeline {
                Some(closed) => tokio::select! { () = interrupted => {}, () = closed => {} },
                None => interrupted.await,
            }
        };
        tokio::pin!(shutdown);
        let (content, progress) = (self.content(), Progress::stderr());
        if !self.detached {
            content.check_machine().await?;
        }
        let programs = tokio::select! {
            programs = Programs::ensure(cache, &progress) => programs?,
            () = &mut shutdown => bail!("interrupted"),
        };
        let supervisor = Supervisor::claim(instance.clone(), &content).await?;
        let log = open_log(&instance)?;
        let lines = log.try_clone()?;
        let filter =
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG_FILTER));
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_env_filter(filter)
            .with_writer(lines)
            .init();
        let ready = |instance: &Instance| {
            writeln!(
                stdout(),
                "{READY_PREFIX}{}",
                instance.kubeconfig().display()
            )?;
            stdout().flush()?;
            if self.detached {
                // Whoever waits sees the end of both and goes away.
                dup2_stdout(&log)?;
                dup2_stderr(&log)?;
            }
            Ok(())
        };
        supervisor
            .run(&content, programs, cache, &progress, ready, shutdown)
            .await
    }

    /// Starts a process that runs the sandbox, and waits until it is ready.
    async fn detach(&self, instance: &Instance) -> Result<()> {
        let interrupted = signals::interrupted()?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(std::env::args_os().skip(1))
            .args(["--foreground", "--detached"]);
        // A sandbox that is started from a pod of another one is not a part of that.
        command.env_remove(launcher::MARK_VARIABLE);
        command
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .context("cannot start the sandbox's process")?;
        let process = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Process::find);
        let stdout = child
            .stdout
            .take()
            .context("the child's output was asked for as a pipe")?;
        let stderr = child
            .stderr
            .take()
            .context("the child's messages were asked for as a pipe")?;
        let started = async {
            let (ready, ()) = tokio::join!(is_ready(stdout), relay(stderr));
            ready
        };
        tokio::pin!(started);
        let ready = tokio::select! {
            ready = &mut started => ready,
            () = interrupted => {
                if let Some(process) = process {
                    process.signal(Signal::SIGTERM)?;
                }
                started.await;
                child.wait().await?;
                bail!("interrupted");
            }
        };
        if !ready {
            let status = child.wait().await?;
            bail!(
                "sandbox {} did not start ({status}); its logs are in {}",
                instance.name(),
                instance.logs().display()
            );
        }
        Ok(())
    }
}

fn open_log(instance: &Instance) -> Result<File> {
    let path = instance.logs().join("sandbox.log");
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))
}

async fn is_ready(output: impl AsyncRead + Unpin) -> bool {
    let mut lines = BufReader::new(output).lines();
    let mut ready = false;
    while let Ok(Some(line)) = lines.next_line().await {
        ready |= line.starts_with(READY_PREFIX);
    }
    ready
}

async fn relay(messages: impl AsyncRead + Unpin) {
    let mut lines = BufReader::new(messages).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        eprintln!("{line}");
    }
}
