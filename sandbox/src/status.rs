//! Tells what a sandbox is doing.

use std::fmt::{self, Write as _};
use std::fs;
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use serde::Serialize;

use crate::cleanup;
use crate::instance::{Instance, Phase, Record};
use crate::kubeconfig;
use crate::process::Process;
use crate::progress::duration;

/// How long the API server may take to list pods before it counts as not answering.
const PATIENCE: Duration = Duration::from_secs(5);

/// Everything there is to tell about one sandbox.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    name: String,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    started: Option<Timestamp>,
    api_server: Option<SocketAddrV4>,
    kubeconfig: PathBuf,
    logs: PathBuf,
    processes: Vec<ProcessStatus>,
    pods: Vec<PodStatus>,
}

/// In which state a sandbox is, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// There is none.
    Absent,
    /// It is being started.
    Starting,
    /// It can be used.
    Ready,
    /// It is being stopped.
    Stopping,
    /// It ended by itself.
    Failed,
    /// It was killed; the next `up` or `down` cleans up.
    Killed,
}

impl State {
    fn of(record: Option<&Record>) -> Self {
        let Some(record) = record else {
            return Self::Absent;
        };
        match &record.phase {
            Phase::Failed(_) => Self::Failed,
            Phase::Starting | Phase::Ready | Phase::Stopping if !record.supervisor.runs() => {
                Self::Killed
            }
            Phase::Starting => Self::Starting,
            Phase::Ready => Self::Ready,
            Phase::Stopping => Self::Stopping,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Absent => "not there",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Stopping => "stopping",
            Self::Failed => "failed",
            Self::Killed => "killed, `down` or `up` cleans up",
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ProcessStatus {
    role: String,
    pid: i32,
    runs: bool,
    resident_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PodStatus {
    namespace: String,
    name: String,
    phase: String,
    ready: bool,
    restarts: i32,
    address: Option<String>,
}

impl Status {
    /// Looks at a sandbox.
    pub async fn of(instance: &Instance) -> Result<Self> {
        let record = instance.read()?;
        let state = State::of(record.as_ref());
        let mut status = Self {
            name: instance.name().to_owned(),
            state,
            problem: None,
            started: record.as_ref().map(|record| record.started),
            api_server: record.as_ref().and_then(|record| record.api_server),
            kubeconfig: instance.kubeconfig(),
            logs: instance.logs(),
            processes: processes(instance, record.as_ref())?,
            pods: Vec::new(),
        };
        if let Some(Record {
            phase: Phase::Failed(why),
            ..
        }) = record
        {
            status.problem = Some(why);
        }
        if state == State::Ready {
            match pods(instance).await {
                Ok(pods) => status.pods = pods,
                Err(error) => status.problem = Some(format!("{error:#}")),
            }
        }
        Ok(status)
    }

    /// Returns the state it is in.
    pub fn state(&self) -> State {
        self.state
    }

    /// Returns why it failed, or why it cannot be asked.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }
}

fn processes(instance: &Instance, record: Option<&Record>) -> Result<Vec<ProcessStatus>> {
    let supervisor = record.map(|record| ("flink-sandbox".to_owned(), record.supervisor));
    let all = supervisor.into_iter().chain(cleanup::recorded(instance)?);
    Ok(all.map(|(role, process)| describe(role, process)).collect())
}

fn describe(role: String, process: Process) -> ProcessStatus {
    let runs = process.runs();
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap_or_default();
    let resident_bytes = runs.then(|| resident_bytes(&status)).flatten();
    ProcessStatus {
        role,
        pid: process.pid(),
        runs,
        resident_bytes,
    }
}

/// Reads the line `VmRSS:     12345 kB`.
fn resident_bytes(status: &str) -> Option<u64> {
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    value
        .trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<u64>()
        .ok()
        .map(|kilobytes| kilobytes * 1024)
}

async fn pods(instance: &Instance) -> Result<Vec<PodStatus>> {
    let client = kubeconfig::client(&instance.kubeconfig()).await?;
    let api: Api<Pod> = Api::all(client);
    let list = tokio::time::timeout(PATIENCE, api.list(&kube::api::ListParams::default())).await;
    let list = list
        .context("the API server does not answer")?
        .context("cannot list pods")?;
    Ok(list.items.into_iter().map(pod).collect())
}

fn pod(pod: Pod) -> PodStatus {
    let status = pod.status.unwrap_or_default();
    let containers = status.container_statuses.unwrap_or_default();
    PodStatus {
        namespace: pod.metadata.namespace.unwrap_or_default(),
        name: pod.metadata.name.unwrap_or_default(),
        phase: status.phase.unwrap_or_default(),
        ready: !containers.is_empty() && containers.iter().all(|container| container.ready),
        restarts: containers
            .iter()
            .map(|container| container.restart_count)
            .sum(),
        address: status.pod_ip,
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.name, self.state.words())?;
        if self.state == State::Absent {
            return Ok(());
        }
        if let Some(started) = self.started {
            let age = Timestamp::now().duration_since(started);
            write!(formatter, ", started {} ago", duration(age.unsigned_abs()))?;
        }
        if let Some(api_server) = self.api_server {
            write!(formatter, ", https://{api_server}")?;
        }
        if let Some(problem) = &self.problem {
            write!(
                formatter,
                "\n  problem: {}",
                problem.replace('\n', "\n    ")
            )?;
        }
        write!(
            formatter,
            "\n  KUBECONFIG={}\n  logs in {}",
            self.kubeconfig.display(),
            self.logs.display()
        )?;
        for process in &self.processes {
            let memory = process.resident_bytes.map_or_else(
                || "ended".into(),
                |bytes| format!("{} MB", bytes / 1_000_000),
            );
            write!(
                formatter,
                "\n  process {:<40} {:>8} {memory:>8}",
                process.role, process.pid
            )?;
        }
        for pod in &self.pods {
            let mut line = format!("{}/{} {}", pod.namespace, pod.name, pod.phase);
            if pod.ready {
                line.push_str(", ready");
            }
            if pod.restarts > 0 {
                let _ = write!(line, ", {} restarts", pod.restarts);
            }
            write!(
                formatter,
                "\n  pod {line} {}",
                pod.address.as_deref().unwrap_or("without address")
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn record(phase: Phase, supervisor: Process) -> Record {
        Record {
            supervisor,
            started: Timestamp::UNIX_EPOCH,
            phase,
            node: false,
            api_server: None,
        }
    }

    #[test]
    fn a_sandbox_whose_supervisor_is_gone_was_killed_unless_it_said_more() {
        let (alive, gone) = (Process::current().unwrap(), "1 1".parse().unwrap());
        assert_eq!(State::of(None), State::Absent);
        assert_eq!(State::of(Some(&record(Phase::Ready, alive))), State::Ready);
        assert_eq!(State::of(Some(&record(Phase::Ready, gone))), State::Killed);
        assert_eq!(
            State::of(Some(&record(Phase::Failed("x".into()), gone))),
            State::Failed
        );
    }

    #[test]
    fn memory_is_read_in_bytes() {
        assert_eq!(
            resident_bytes("Name:\tetcd\nVmRSS:\t   41000 kB\n"),
            Some(41_984_000)
        );
        assert_eq!(resident_bytes("Name:\tzombie\n"), None);
    }
}
