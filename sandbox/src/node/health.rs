//! Watches the health of one running container and tells what changes.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Probe};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::init::{CommandSpec, ExecSpec, InitSpec};
use super::keeper::{Keepers, create_log};
use super::probe::{self, Check, Schedule, Tally, Verdict};

/// Makes the names of commands unique.
static COMMANDS: AtomicU64 = AtomicU64::new(0);

/// What a probe has found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// The startup probe has succeeded, or there is none.
    Started,
    /// The container can serve, or not any more.
    Ready(bool),
    /// A try failed in a new way; nothing follows from it yet.
    TryFailed(String),
    /// The container has to be restarted.
    Unhealthy(String),
}

/// The probes of one container.
#[derive(Debug)]
pub(super) struct Probes {
    startup: Option<Schedule>,
    readiness: Option<Schedule>,
    liveness: Option<Schedule>,
}

impl Probes {
    /// Reads the probes of a container; the error names the one that is wrong.
    pub(super) fn read(container: &Container, ip: std::net::Ipv4Addr) -> Result<Self, String> {
        let read = |kind: &str, probe: &Option<Probe>| {
            let schedule = probe
                .as_ref()
                .map(|probe| Schedule::read(probe, container, ip))
                .transpose();
            schedule.map_err(|problem| format!("{kind}: {problem}"))
        };
        Ok(Self {
            startup: read("startupProbe", &container.startup_probe)?,
            readiness: read("readinessProbe", &container.readiness_probe)?,
            liveness: read("livenessProbe", &container.liveness_probe)?,
        })
    }

    /// Probes until it is dropped, or until the container has to be restarted.
    pub(super) async fn watch(self, inside: Inside, changes: mpsc::UnboundedSender<Change>) {
        // The receiver lives as long as this runs.
        let tell = |change| drop(changes.send(change));
        if let Some(startup) = &self.startup {
            let mut failure = None;
            follow(startup, &inside, "Startup", &tell, |verdict, why| {
                failure = (verdict == Verdict::Failing).then(|| why.to_owned());
                verdict != Verdict::Undecided
            })
            .await;
            if let Some(why) = failure {
                tell(Change::Unhealthy(format!("Startup probe failed: {why}")));
                return;
            }
        }
        tell(Change::Started);
        let readiness = async {
            let Some(readiness) = &self.readiness else {
                return tell(Change::Ready(true));
            };
            follow(readiness, &inside, "Readiness", &tell, |verdict, _| {
                if verdict != Verdict::Undecided {
                    tell(Change::Ready(verdict == Verdict::Succeeding));
                }
                false
            })
            .await;
        };
        let liveness = async {
            let Some(liveness) = &self.liveness else {
                return;
            };
            follow(liveness, &inside, "Liveness", &tell, |verdict, why| {
                let failing = verdict == Verdict::Failing;
                if failing {
                    tell(Change::Unhealthy(format!("Liveness probe failed: {why}")));
                }
                failing
            })
            .await;
        };
        tokio::join!(readiness, liveness);
    }
}

/// Tries again and again until `decide`, which gets each verdict and the last failure, says that it is enough.
async fn follow(
    schedule: &Schedule,
    inside: &Inside,
    kind: &str,
    tell: &impl Fn(Change),
    mut decide: impl FnMut(Verdict, &str) -> bool,
) {
    let mut tick =
        tokio::time::interval_at(Instant::now() + schedule.initial_delay, schedule.period);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tally = Tally::default();
    let mut last_failure = String::new();
    loop {
        tick.tick().await;
        let result = inside.try_once(schedule).await;
        let succeeded = result.is_ok();
        if let Err(why) = result
            && why != last_failure
        {
            tell(Change::TryFailed(format!("{kind} probe failed: {why}")));
            last_failure = why;
        }
        if decide(tally.add(succeeded, schedule), &last_failure) {
            return;
        }
    }
}

/// Runs commands in a container.
#[derive(Debug, Clone)]
pub(super) struct Inside {
    pub(super) keepers: Keepers,
    /// Directory for the files of the commands.
    pub(super) directory: PathBuf,
    /// Holds the container's process id.
    pub(super) pid_file: PathBuf,
    /// Begins the names of the commands' processes.
    pub(super) role: String,
    pub(super) environment: Vec<(String, String)>,
    pub(super) working_directory: PathBuf,
}

impl Inside {
    async fn try_once(&self, schedule: &Schedule) -> Result<(), String> {
        let attempt = async {
            match &schedule.check {
                Check::Http {
                    host,
                    port,
                    path,
                    headers,
                } => probe::http(host, *port, path, headers).await,
                Check::Connect { host, port } => probe::connect(host, *port).await,
                Check::Exec { command } => self.execute(command).await,
            }
        };
        let timed_out = |timeout: Duration| format!("no answer within {timeout:?}");
        tokio::time::timeout(schedule.timeout, attempt)
            .await
            .unwrap_or_else(|_| Err(timed_out(schedule.timeout)))
    }

    /// Runs a command in the container; `Err` holds what it printed. Dropping the future kills the command.
    pub(super) async fn execute(&self, argv: &[String]) -> Result<(), String> {
        let number = COMMANDS.fetch_add(1, Ordering::Relaxed);
        let files = Files {
            spec: self.directory.join(format!("exec-{number}.json")),
            output: self.directory.join(format!("exec-{number}.log")),
        };
        let pid = std::fs::read_to_string(&self.pid_file)
            .ok()
            .and_then(|text| text.parse().ok());
        let container_pid = pid.ok_or_else(|| "the container has no process".to_owned())?;
        let command = CommandSpec {
            argv: argv.to_vec(),
            environment: self.environment.clone(),
            directory: self.working_directory.clone(),
        };
        let spec = InitSpec::Exec(ExecSpec {
            node_pid: nix::unistd::getpid().as_raw(),
            container_pid,
            command,
        });
        let log = create_log(&files.output).map_err(|error| format!("{error:#}"))?;
        let role = format!("{}-exec-{number}", self.role);
        let started = self.keepers.start(&role, &spec, &files.spec, log).await;
        let code = started.map_err(|error| format!("{error:#}"))?.ended().await;
        if code == 0 {
            return Ok(());
        }
        let output = std::fs::read_to_string(&files.output).unwrap_or_default();
        Err(format!(
            "command {argv:?} exited with {code}: {}",
            output.trim()
        ))
    }
}

/// Files of one command, removed with it.
struct Files {
    spec: PathBuf,
    output: PathBuf,
}

impl Drop for Files {
    fn drop(&mut self) {
        // Whatever stays disappears with the pod's directory.
        let _ = std::fs::remove_file(&self.spec);
        let _ = std::fs::remove_file(&self.output);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::launcher::Launcher;

    fn inside(directory: &std::path::Path) -> Inside {
        Inside {
            keepers: Keepers::new(Launcher::new("/nowhere", directory)),
            directory: directory.to_path_buf(),
            pid_file: directory.join("pid"),
            role: "pod".to_owned(),
            environment: Vec::new(),
            working_directory: "/".into(),
        }
    }

    async fn changes(container: serde_json::Value, count: usize) -> Vec<Change> {
        let directory = tempfile::tempdir().unwrap();
        let container: Container = serde_json::from_value(container).unwrap();
        let probes = Probes::read(&container, std::net::Ipv4Addr::LOCALHOST).unwrap();
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let task = tokio::spawn(probes.watch(inside(directory.path()), sender));
        let mut seen = Vec::new();
        while seen.len() < count {
            seen.push(receiver.recv().await.unwrap());
        }
        task.abort();
        seen
    }

    #[tokio::test]
    async fn without_probes_a_container_is_ready_at_once() {
        assert_eq!(
            changes(json!({ "name": "c" }), 2).await,
            [Change::Started, Change::Ready(true)]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_startup_probe_that_keeps_failing_ends_the_container() {
        // Port 1 of this machine refuses.
        let probe =
            json!({ "tcpSocket": { "port": 1 }, "failureThreshold": 3, "periodSeconds": 1 });
        let seen = changes(
            json!({ "name": "c", "startupProbe": probe, "readinessProbe": probe }),
            2,
        )
        .await;
        assert!(
            matches!(&seen[0], Change::TryFailed(why) if why.starts_with("Startup probe failed: dial tcp")),
            "{seen:?}"
        );
        assert!(matches!(&seen[1], Change::Unhealthy(_)), "{seen:?}");
    }
}
