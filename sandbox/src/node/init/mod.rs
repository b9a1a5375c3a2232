//! Becomes a container: the node starts its own program once more for each of them.
//!
//! Three processes in a row, because a PID namespace takes effect for children only:
//!
//! 1. the node starts `pod-init <spec>`,
//! 2. that *keeper* enters the pod's network namespace, starts process 1 of a new PID namespace, passes
//!    SIGTERM on to it and ends with its exit code,
//! 3. process 1 makes the private root and becomes the container's command.
//!
//! Each asks the kernel to be killed when the process before it ends, and the kernel kills what is left
//! in a PID namespace whose process 1 is gone. So nothing survives the node, however it ends.
//!
//! Must run before the program has a second thread: namespaces belong to threads.

mod enter;
mod keeper;
mod root;
mod spec;

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::sys::signal::SigSet;
use nix::unistd::{Pid, getpid};

pub(super) use keeper::exit_code;
pub use spec::{CommandSpec, ExecSpec, InitSpec, MountSpec, RunSpec};

/// Exit code of a container whose command could not be started, as container runtimes use it.
pub const START_FAILED: i32 = 128;

/// Runs the task in the file `spec`; the process ends with it.
pub fn pod_init(spec: &Path) -> Result<Infallible> {
    // The keeper blocks signals in order to read them, and what is blocked is inherited.
    SigSet::empty()
        .thread_set_mask()
        .context("cannot unblock signals")?;
    let text = fs::read(spec).with_context(|| format!("cannot read {}", spec.display()))?;
    let task: InitSpec = serde_json::from_slice(&text)
        .with_context(|| format!("{} is no pod-init task", spec.display()))?;
    let is_first_process = getpid() == Pid::from_raw(1);
    match task {
        InitSpec::Run(run) if is_first_process => become_container(&run),
        InitSpec::Run(run) => match keeper::keep(&run, spec) {
            Ok(code) => std::process::exit(code),
            Err(error) => fail(fs::File::create(&run.failure_file), &error),
        },
        InitSpec::Exec(exec) => std::process::exit(enter::execute(&exec)?),
    }
}

/// Turns process 1 into the container's command.
fn become_container(run: &RunSpec) -> ! {
    // Opened while the machine's files are still visible.
    let failure = fs::File::create(&run.failure_file);
    let error = match keeper::wait_until_kept().and_then(|()| root::enter(run)) {
        Ok(()) => launch(&run.command),
        Err(error) => error,
    };
    fail(failure, &error)
}

/// Ends this process because the container could not be started.
fn fail(file: std::io::Result<fs::File>, error: &anyhow::Error) -> ! {
    if let Ok(mut file) = file {
        // The exit code says it too; the text is for a person.
        let _ = file.write_all(format!("{error:#}").as_bytes());
    }
    std::process::exit(START_FAILED)
}

/// Replaces this process by a command; returns only the reason why it could not.
///
/// Through the standard library, which also gives SIGPIPE back its default.
fn launch(command: &CommandSpec) -> anyhow::Error {
    match prepare(command) {
        Ok(mut prepared) => {
            anyhow::Error::new(prepared.exec()).context(format!("exec: {:?}", command.argv[0]))
        }
        Err(error) => error,
    }
}

/// Builds the process of a command whose files are those of the current root.
fn prepare(command: &CommandSpec) -> Result<Command> {
    let Some((name, arguments)) = command.argv.split_first() else {
        bail!("no command specified");
    };
    let search = command
        .environment
        .iter()
        .rfind(|(key, _)| key == "PATH")
        .map_or("", |(_, value)| value);
    let program = find_program(name, search, &command.directory)?;
    fs::create_dir_all(&command.directory).with_context(|| {
        format!(
            "cannot make the working directory {}",
            command.directory.display()
        )
    })?;
    let mut process = Command::new(program);
    process
        .arg0(name)
        .args(arguments.iter().map(OsString::from))
        .env_clear()
        .envs(command.environment.iter().map(|(key, value)| (key, value)))
        .current_dir(&command.directory)
        .stdin(std::process::Stdio::null());
    Ok(process)
}

fn find_program(name: &str, search: &str, directory: &Path) -> Result<PathBuf> {
    if name.contains('/') {
        let path = directory.join(name);
        if !path.exists() {
            bail!(
                "exec: {name:?}: stat {}: no such file or directory",
                path.display()
            );
        }
        return Ok(path);
    }
    let found = std::env::split_paths(search)
        .map(|place| place.join(name))
        .find(|path| path.is_file());
    found.with_context(|| format!("exec: {name:?}: executable file not found in $PATH"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_as_a_shell_would() {
        let found = |name, search| {
            find_program(name, search, Path::new("/")).map_err(|error| error.to_string())
        };
        assert!(
            found("sh", "/nowhere:/usr/bin:/bin")
                .unwrap()
                .ends_with("sh")
        );
        assert_eq!(found("/bin/sh", "").unwrap(), Path::new("/bin/sh"));
        assert_eq!(
            found("flinkk", "/usr/bin").unwrap_err(),
            r#"exec: "flinkk": executable file not found in $PATH"#
        );
        assert!(
            found("/flinkk", "")
                .unwrap_err()
                .contains("no such file or directory")
        );
    }

    #[test]
    fn an_empty_command_is_named() {
        let command = CommandSpec {
            argv: vec![],
            environment: vec![],
            directory: "/".into(),
        };
        assert_eq!(launch(&command).to_string(), "no command specified");
    }
}
