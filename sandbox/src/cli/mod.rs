//! The command line: what may be typed, and what is then done.

mod signals;
mod unshare;
mod up;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use flink_sandbox::cache::Cache;
use flink_sandbox::instance::Instance;
use flink_sandbox::launcher;
use flink_sandbox::logs::{self, Question};
use flink_sandbox::node;
use flink_sandbox::prerequisites::{self, Prerequisite};
use flink_sandbox::progress::Progress;
use flink_sandbox::status::{State, Status};
use flink_sandbox::stop::{Stopped, stop};
use flink_sandbox::tools::{self, Tool};

/// Kubernetes and real Flink on this machine, without containers.
#[derive(Debug, Parser)]
#[command(
    name = "flink-sandbox",
    version,
    after_help = "Things that are built or downloaded once are kept in FLINK_OPERATOR_CACHE, \
    by default in the user's cache directory."
)]
pub(crate) struct CommandLine {
    /// Where running sandboxes keep their files [default: in the cache directory].
    #[arg(long, global = true, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a sandbox and return when it is ready.
    Up(up::Up),
    /// End a sandbox and remove everything it made, also what a killed one left behind.
    Down {
        #[command(flatten)]
        which: Which,
        /// End all sandboxes of the state directory.
        #[arg(long, conflicts_with = "name")]
        all: bool,
    },
    /// Tell what a sandbox is doing; the exit status is 0 if it is ready.
    Status {
        #[command(flatten)]
        which: Which,
        /// How to print it.
        #[arg(long, short, value_enum, default_value_t = Format::Text)]
        output: Format,
    },
    /// Download Flink distributions into the cache, for example `flink 1.20 2.3`.
    Flink {
        /// Versions: the newest of a line (1.20), or one in particular (1.20.5).
        #[arg(required = true)]
        versions: Vec<String>,
    },
    /// Show the log of a pod; it stays after the pod is gone.
    Logs {
        #[command(flatten)]
        which: Which,
        /// The pod, or the beginning of its name.
        pod: String,
        /// The pod's namespace [default: all are searched].
        #[arg(long, short)]
        namespace: Option<String>,
        /// The container, if the pod has several.
        #[arg(long, short)]
        container: Option<String>,
        /// Show the log of the start before the last one.
        #[arg(long, short)]
        previous: bool,
        /// Go on printing what is added.
        #[arg(long, short)]
        follow: bool,
    },
    /// Print the paths of programs, one a line, after building those that are missing.
    Tool {
        /// The programs.
        #[arg(required = true, value_enum)]
        tools: Vec<Tool>,
    },
    /// Run a command as root of a user namespace with a network of its own, for machines where you are not root.
    Unshare {
        /// The command and its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// Become a program that dies with its parent.
    #[command(hide = true)]
    Init {
        #[arg(long)]
        parent: i32,
        #[arg(long)]
        record: PathBuf,
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        program: Vec<OsString>,
    },
    /// Become a container of a pod.
    #[command(hide = true)]
    PodInit { spec: PathBuf },
}

#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The sandbox's name, for several at a time.
    #[arg(long, default_value = "default")]
    name: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Does what was asked for.
pub(crate) fn run(line: CommandLine) -> Result<ExitCode> {
    let state_dir = line.state_dir.as_deref();
    match line.command {
        // These change the process itself, so no thread may exist yet.
        Command::Init {
            parent,
            record,
            program,
        } => match launcher::init(parent, &record, &program)? {},
        Command::PodInit { spec } => match node::pod_init(&spec)? {},
        Command::Unshare { command } => match unshare::run(&command)? {},
        Command::Up(up) => on_runtime(up.run(state_dir)),
        Command::Down { which, all } => on_runtime(down(state_dir, &which, all)),
        Command::Status { which, output } => on_runtime(status(state_dir, &which, output)),
        Command::Flink { versions } => on_runtime(download_flink(&versions)),
        Command::Tool { tools } => on_runtime(print_tools(&tools)),
        Command::Logs {
            which,
            pod,
            namespace,
            container,
            previous,
            follow,
        } => {
            let question = Question {
                pod,
                namespace,
                container,
                previous,
            };
            on_runtime(show_log(state_dir, &which, &question, follow))
        }
    }
}

fn on_runtime(work: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(work)
}

fn instance(state_dir: Option<&Path>, which: &Which) -> Result<Instance> {
    Instance::new(&resolve(state_dir)?, &which.name)
}

fn resolve(state_dir: Option<&Path>) -> Result<PathBuf> {
    match state_dir {
        Some(state_dir) => Ok(std::path::absolute(state_dir)?),
        None => Ok(Instance::default_state_dir(&Cache::resolve()?)),
    }
}

async fn down(state_dir: Option<&Path>, which: &Which, all: bool) -> Result<ExitCode> {
    let instances = if all {
        Instance::all(&resolve(state_dir)?)?
    } else {
        vec![instance(state_dir, which)?]
    };
    let progress = Progress::stderr();
    for instance in instances {
        match stop(&instance, &progress).await? {
            Stopped::Everything => progress.note(&format!("sandbox {} is gone", instance.name())),
            Stopped::Nothing => progress.note(&format!("there is no sandbox {}", instance.name())),
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn status(state_dir: Option<&Path>, which: &Which, output: Format) -> Result<ExitCode> {
    let status = Status::of(&instance(state_dir, which)?).await?;
    match output {
        Format::Text => println!("{status}"),
        Format::Json => println!("{}", serde_json::to_string_pretty(&status)?),
    }
    Ok(if status.state() == State::Ready {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn download_flink(versions: &[String]) -> Result<ExitCode> {
    prerequisites::check(&[Prerequisite::Python, Prerequisite::Jdk]).await?;
    let (cache, progress) = (Cache::resolve()?, Progress::stderr());
    for version in versions {
        unless_interrupted(node::install_flink(&cache, version, &progress)).await?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn print_tools(tools: &[Tool]) -> Result<ExitCode> {
    let (cache, progress) = (Cache::resolve()?, Progress::stderr());
    for program in unless_interrupted(tools::ensure(tools, &cache, &progress)).await? {
        println!("{}", program.display());
    }
    Ok(ExitCode::SUCCESS)
}

async fn show_log(
    state_dir: Option<&Path>,
    which: &Which,
    question: &Question,
    follow: bool,
) -> Result<ExitCode> {
    let log = question.answer(&instance(state_dir, which)?.pod_logs())?;
    let mut output = tokio::io::stdout();
    let shown = logs::show(&log, follow, &mut output);
    tokio::select! {
        shown = shown => shown?,
        () = signals::interrupted()? => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Gives up when somebody types Ctrl-C; what was begun is cleaned up as the work is dropped.
async fn unless_interrupted<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        result = work => result,
        () = signals::interrupted()? => bail!("interrupted"),
    }
}
