//! What the machine must have, and what to do if it has not.

use std::fmt::Write;
use std::process::Stdio;

use anyhow::{Result, bail};
use tokio::process::Command;

/// Names something that the sandbox runs but does not bring along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prerequisite {
    /// The Go tool chain, which builds the control plane.
    Go,
    /// Python with `venv`, which downloads Flink distributions.
    Python,
    /// A JDK, which compiles the test jobs and runs Flink.
    Jdk,
}

struct Demand {
    name: &'static str,
    why: &'static str,
    command: &'static [&'static str],
    minimum: (u32, u32),
    cure: &'static str,
}

impl Prerequisite {
    fn demand(self) -> Demand {
        match self {
            Self::Go => Demand {
                name: "Go",
                why: "to build etcd and Kubernetes",
                command: &["go", "version"],
                // Since 1.21 Go fetches the newer tool chain that a module asks for.
                minimum: (1, 21),
                cure: "install it from https://go.dev/dl, or point KUBEBUILDER_ASSETS to ready-made programs",
            },
            Self::Python => Demand {
                name: "Python 3 with venv",
                why: "to download Flink",
                command: &[
                    "python3",
                    "-c",
                    "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])",
                ],
                minimum: (3, 8),
                cure: "install python3 and its venv module (Debian, Ubuntu: apt install python3-venv)",
            },
            Self::Jdk => Demand {
                name: "JDK 17",
                why: "to compile test jobs and to run Flink",
                command: &["javac", "-version"],
                minimum: (17, 0),
                cure: "install a JDK, not only a JRE (Debian, Ubuntu: apt install openjdk-17-jdk-headless), and put its bin directory into PATH",
            },
        }
    }
}

/// Checks that all of these are there; the error names every missing one with its cure.
pub async fn check(prerequisites: &[Prerequisite]) -> Result<()> {
    let mut missing = String::new();
    for prerequisite in prerequisites {
        let demand = prerequisite.demand();
        if let Some(problem) = problem(&demand).await {
            let Demand {
                name, why, cure, ..
            } = demand;
            let _ = write!(
                missing,
                "\n  {name} is needed {why}: {problem}\n    cure: {cure}"
            );
        }
    }
    if !missing.is_empty() {
        bail!("this machine lacks something:{missing}");
    }
    Ok(())
}

async fn problem(demand: &Demand) -> Option<String> {
    let (program, arguments) = demand
        .command
        .split_first()
        .expect("every demand has a command");
    let output = match Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await
    {
        Ok(output) => output,
        Err(error) => return Some(format!("cannot run `{program}` ({error})")),
    };
    if !output.status.success() {
        return Some(format!("`{program}` ended with {}", output.status));
    }
    // Some JDKs print their version on standard error.
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let (major, minor) = demand.minimum;
    match version(&text) {
        Some(found) if found >= demand.minimum => None,
        Some((found, part)) => Some(format!(
            "found version {found}.{part}, older than {major}.{minor}"
        )),
        None => Some(format!("cannot tell its version from {:?}", text.trim())),
    }
}

/// Finds the first version number in a line such as `go version go1.26.8 linux/amd64`.
fn version(text: &str) -> Option<(u32, u32)> {
    let words = text
        .split_whitespace()
        .map(|word| word.trim_start_matches(|letter: char| letter.is_ascii_alphabetic()));
    words.into_iter().find_map(|word| {
        let mut parts = word.split(|letter: char| !letter.is_ascii_digit());
        let major = parts.next()?.parse().ok()?;
        Some((
            major,
            parts.next().and_then(|part| part.parse().ok()).unwrap_or(0),
        ))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_programs_print_them() {
        let texts = [
            "go version go1.26.8 linux/amd64",
            "javac 17.0.12",
            "javac 21",
            "3.11\n",
            "go version devel +abc",
        ];
        assert_eq!(
            texts.map(version),
            [
                Some((1, 26)),
                Some((17, 0)),
                Some((21, 0)),
                Some((3, 11)),
                None
            ]
        );
    }

    #[tokio::test]
    async fn what_is_missing_is_said_in_a_way_that_helps() {
        let absent = Demand {
            command: &["no-such-program"],
            ..Prerequisite::Jdk.demand()
        };
        assert!(
            problem(&absent)
                .await
                .unwrap()
                .starts_with("cannot run `no-such-program`")
        );
        let old = Demand {
            command: &["echo", "javac 11.0.2"],
            ..Prerequisite::Jdk.demand()
        };
        assert_eq!(
            problem(&old).await.unwrap(),
            "found version 11.0, older than 17.0"
        );
        let failing = Demand {
            command: &["false"],
            ..Prerequisite::Python.demand()
        };
        assert!(problem(&failing).await.unwrap().contains("exit status: 1"));
        let fine = Demand {
            command: &["echo", "javac 17.0.2"],
            ..Prerequisite::Jdk.demand()
        };
        assert_eq!(problem(&fine).await, None);
    }
}
