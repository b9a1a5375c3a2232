//! Processes named so that a reused process id is never taken for the old one.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpid};
use serde::{Deserialize, Serialize};

/// Names one process: its id and when it began, in clock ticks since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Process {
    pid: i32,
    began: u64,
}

impl Process {
    /// Looks up the process that has this id now.
    pub fn find(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let stat = Stat::parse(&stat)?;
        (!stat.over).then_some(Self {
            pid,
            began: stat.began,
        })
    }

    /// Names this process.
    pub fn current() -> Result<Self> {
        Self::find(getpid().as_raw()).context("cannot read /proc/self/stat; is /proc mounted?")
    }

    /// Reads what [`Process::write`] wrote; a missing or torn record names nobody.
    pub fn read(record: &Path) -> Option<Self> {
        fs::read_to_string(record).ok()?.parse().ok()
    }

    /// Stores the name in a file.
    pub fn write(&self, record: &Path) -> Result<()> {
        fs::write(record, self.to_string())
            .with_context(|| format!("cannot write {}", record.display()))
    }

    /// Returns the process id.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Tells whether this very process still runs (a zombie does not).
    pub fn runs(&self) -> bool {
        Self::find(self.pid) == Some(*self)
    }

    /// Sends a signal if this very process still runs.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        if !self.runs() {
            return Ok(());
        }
        match kill(Pid::from_raw(self.pid), signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => {
                Err(error).with_context(|| format!("cannot send {signal} to process {}", self.pid))
            }
        }
    }

    /// Tells whether the process was started with this variable in its environment.
    fn has_variable(&self, name: &str, value: &[u8]) -> bool {
        let Ok(environment) = fs::read(format!("/proc/{}/environ", self.pid)) else {
            return false;
        };
        let variables = environment.split(|byte| *byte == 0);
        variables.into_iter().any(|entry| {
            entry
                .strip_prefix(name.as_bytes())
                .and_then(|rest| rest.strip_prefix(b"="))
                == Some(value)
        })
    }
}

impl fmt::Display for Process {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.pid, self.began)
    }
}

impl FromStr for Process {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (pid, began) = text
            .trim()
            .split_once(' ')
            .context("not a process id and a start time")?;
        Ok(Self {
            pid: pid.parse()?,
            began: began.parse()?,
        })
    }
}

/// Lists every process whose environment has the variable, this process excepted.
pub fn with_variable(name: &str, value: &[u8]) -> Result<Vec<Process>> {
    let entries = match fs::read_dir("/proc") {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).context("cannot list /proc"),
    };
    let own = getpid().as_raw();
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let processes = pids.filter(|pid| *pid != own).filter_map(Process::find);
    Ok(processes
        .filter(|process| process.has_variable(name, value))
        .collect())
}

/// The fields of `/proc/<pid>/stat` that identify a process.
struct Stat {
    over: bool,
    began: u64,
}

impl Stat {
    /// The second field, the name, is in parentheses and may itself contain blanks and parentheses.
    fn parse(line: &str) -> Option<Self> {
        let (_, rest) = line.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        let state = fields.next()?;
        let began = fields.nth(18)?.trim().parse().ok()?;
        Some(Self {
            over: matches!(state, "Z" | "X" | "x"),
            began,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_behind_any_program_name() {
        let line = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 0 0\n";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.began, stat.over), (4711, false));
        assert!(Stat::parse(&line.replace(" S ", " Z ")).unwrap().over);
    }

    #[test]
    fn a_process_with_a_reused_id_is_another_one() {
        let current = Process::current().unwrap();
        assert!(current.runs());
        let predecessor = Process {
            began: current.began - 1,
            ..current
        };
        assert!(!predecessor.runs());
        // Would end this test if the start time were not looked at.
        predecessor.signal(Signal::SIGKILL).unwrap();
    }

    #[test]
    fn records_survive_writing_and_torn_ones_name_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let record = directory.path().join("etcd");
        assert_eq!(Process::read(&record), None);
        let process = Process { pid: 12, began: 34 };
        process.write(&record).unwrap();
        assert_eq!(Process::read(&record), Some(process));
        fs::write(&record, "12").unwrap();
        assert_eq!(Process::read(&record), None);
    }

    #[test]
    fn marked_processes_are_found_and_others_are_not() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .env("SANDBOX_TEST", "/state/a")
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let found = |value: &[u8]| {
            with_variable("SANDBOX_TEST", value)
                .unwrap()
                .iter()
                .any(|process| process.pid == pid)
        };
        // The kernel shows the environment a moment after the program has begun.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while !found(b"/state/a") {
            assert!(
                std::time::Instant::now() < deadline,
                "the mark is not found"
            );
        }
        assert!(!found(b"/state"));
        assert!(!found(b"/state/a/b"));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
