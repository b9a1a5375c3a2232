//! What the node tells the process that becomes a container, as a file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One task for a process started as `pod-init <file>`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InitSpec {
    /// Becomes a container.
    Run(Box<RunSpec>),
    /// Runs one more command in a container that exists.
    Exec(ExecSpec),
}

/// Describes a container: its namespaces, its files and its command.
#[derive(Debug, Serialize, Deserialize)]
pub struct RunSpec {
    /// The node's process; the container ends when it does.
    pub node_pid: i32,
    /// Network namespace of the pod, as a file that can be entered.
    pub network: PathBuf,
    /// Host name inside.
    pub hostname: String,
    /// Empty directory that becomes the mount point of the private root.
    pub root: PathBuf,
    /// Directories laid over each other, the topmost first.
    pub layers: Vec<PathBuf>,
    /// Directories of the machine that are visible at their own place; what is written there stays private.
    pub host_directories: Vec<PathBuf>,
    /// Volumes and single files, in the order in which they are mounted.
    pub mounts: Vec<MountSpec>,
    /// The command to run.
    pub command: CommandSpec,
    /// Gets the process id of the container, as the machine counts.
    pub pid_file: PathBuf,
    /// Gets the reason if the command could not be started.
    pub failure_file: PathBuf,
}

/// Makes one file or directory visible in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountSpec {
    /// File or directory on the machine.
    pub source: PathBuf,
    /// Absolute path inside the container.
    pub target: PathBuf,
    /// Refuses writes.
    pub read_only: bool,
}

/// A command with its surroundings.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CommandSpec {
    /// Program and arguments; the program is looked for in the `PATH` of `environment`.
    pub argv: Vec<String>,
    /// All there is: nothing is inherited.
    pub environment: Vec<(String, String)>,
    /// Working directory, made if it is not there.
    pub directory: PathBuf,
}

/// Describes a command in a running container.
#[derive(Debug, Serialize, Deserialize)]
pub struct ExecSpec {
    /// The node's process; the command ends when it does.
    pub node_pid: i32,
    /// The container's process id, as the machine counts.
    pub container_pid: i32,
    /// The command to run.
    pub command: CommandSpec,
}
