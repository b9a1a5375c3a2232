//! Runs the program in an environment that has nothing of this machine's configuration.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a run of the program left.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Returns a command for the program.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flink-operator"));
    command.env_clear().current_dir(root()).stdin(Stdio::null());
    command
}

/// Returns the folder of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Runs the program with arguments.
pub(crate) fn run(arguments: &[&str]) -> Done {
    finish(program().args(arguments))
}

/// Runs the program with arguments and a text on standard input.
pub(crate) fn run_with_input(arguments: &[&str], input: &str) -> Done {
    let mut child = program()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    done(child.wait_with_output().unwrap())
}

/// Runs a command to its end.
pub(crate) fn finish(command: &mut Command) -> Done {
    done(command.output().unwrap())
}

fn done(output: std::process::Output) -> Done {
    Done {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Done {
    /// Returns what was printed by a run that succeeded without a word on standard error.
    pub(crate) fn quietly(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{}", self.out);
        self.out
    }

    /// Returns the error of a run that failed and printed nothing else.
    pub(crate) fn failed(self) -> String {
        assert_eq!((self.code, self.out.as_str()), (1, ""), "{}", self.err);
        self.err
    }
}
