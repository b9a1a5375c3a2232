//! The status of a pod as a function of what its containers do.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated,
    ContainerStateWaiting, ContainerStatus, HostIP, Pod, PodCondition, PodIP, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// Where one container stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) image: String,
    pub(super) state: State,
    /// How it ended the last time, if it was started again.
    pub(super) last: Option<Termination>,
    pub(super) restarts: i32,
    pub(super) startup: Startup,
    pub(super) ready: bool,
    /// An init container that runs beside the others.
    is_helper: bool,
}

/// Whether a container's startup probe has succeeded; one without a probe is up when it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Startup {
    Never,
    /// In this run.
    Up,
    /// In an earlier run, but not yet or not any more in this one.
    Earlier,
}

/// What a container is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    Waiting {
        reason: &'static str,
        message: String,
    },
    Running {
        since: Timestamp,
    },
    Ended(Termination),
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Termination {
    pub(super) exit_code: i32,
    pub(super) reason: &'static str,
    pub(super) message: String,
    pub(super) started: Timestamp,
    pub(super) finished: Timestamp,
}

impl Record {
    /// Begins with a container that this node has not started; an earlier node may have.
    pub(super) fn new(
        container: &Container,
        before: Option<&ContainerStatus>,
        now: Timestamp,
    ) -> Self {
        let restarts = before.map_or(0, |status| status.restart_count);
        let lost = before.and_then(|status| lost(status, now));
        Self {
            name: container.name.clone(),
            image: container.image.clone().unwrap_or_default(),
            state: State::Waiting {
                reason: "ContainerCreating",
                message: String::new(),
            },
            restarts: if lost.is_some() {
                restarts + 1
            } else {
                restarts
            },
            last: lost,
            startup: Startup::Never,
            ready: false,
            is_helper: container.restart_policy.as_deref() == Some("Always"),
        }
    }

    /// Lets a container that ran under an earlier node end with it.
    pub(super) fn end_if_lost(&mut self) {
        if let Some(end) = self.last.take() {
            self.restarts -= 1;
            self.state = State::Ended(end);
        }
    }

    /// Tells whether an init container has done what others wait for.
    fn lets_others_start(&self) -> bool {
        if self.is_helper {
            self.startup != Startup::Never
        } else {
            self.has_ended_well()
        }
    }

    fn has_failed(&self) -> bool {
        matches!(&self.state, State::Ended(end) if end.exit_code != 0)
    }

    pub(super) fn has_ended_well(&self) -> bool {
        matches!(&self.state, State::Ended(end) if end.exit_code == 0)
    }
}

/// Says how a container ended whose node ended first.
fn lost(before: &ContainerStatus, now: Timestamp) -> Option<Termination> {
    let running = before.state.as_ref()?.running.as_ref()?;
    let started = running.started_at.as_ref().map_or(now, |time| time.0);
    let message = "The container could not be located when the node was started again".to_owned();
    Some(Termination {
        exit_code: 137,
        reason: "ContainerStatusUnknown",
        message,
        started,
        finished: now,
    })
}

/// Says whether a container is started again after its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RestartPolicy {
    Always,
    OnFailure,
    Never,
}

impl RestartPolicy {
    pub(super) fn of(pod: &Pod) -> Self {
        match pod
            .spec
            .as_ref()
            .and_then(|spec| spec.restart_policy.as_deref())
        {
            Some("Never") => Self::Never,
            Some("OnFailure") => Self::OnFailure,
            // The API server's default.
            None | Some(_) => Self::Always,
        }
    }

    pub(super) fn restarts_after(self, exit_code: i32) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => exit_code != 0,
            Self::Never => false,
        }
    }
}

/// Where a pod stands.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    pub(super) start_time: Timestamp,
    pub(super) host_ip: Ipv4Addr,
    /// `None` until the pod has its network.
    pub(super) ip: Option<Ipv4Addr>,
    pub(super) policy: RestartPolicy,
    pub(super) init: Vec<Record>,
    pub(super) main: Vec<Record>,
    /// Nothing will be started again: the pod is being deleted and all its containers have ended.
    pub(super) stopped: bool,
    /// When each condition took its value.
    transitions: BTreeMap<&'static str, (bool, Timestamp)>,
}

impl Progress {
    pub(super) fn new(pod: &Pod, host_ip: Ipv4Addr, now: Timestamp) -> Self {
        let before = pod.status.as_ref();
        let records = |containers: &[Container], statuses: Option<&Vec<ContainerStatus>>| {
            let status = |name: &str| {
                statuses
                    .into_iter()
                    .flatten()
                    .find(|status| status.name == name)
            };
            containers
                .iter()
                .map(|container| Record::new(container, status(&container.name), now))
                .collect()
        };
        let spec = pod.spec.as_ref();
        Self {
            start_time: before
                .and_then(|status| status.start_time.as_ref())
                .map_or(now, |time| time.0),
            host_ip,
            ip: None,
            policy: RestartPolicy::of(pod),
            init: records(
                spec.and_then(|spec| spec.init_containers.as_deref())
                    .unwrap_or_default(),
                before.and_then(|status| status.init_container_statuses.as_ref()),
            ),
            main: records(
                spec.map(|spec| spec.containers.as_slice())
                    .unwrap_or_default(),
                before.and_then(|status| status.container_statuses.as_ref()),
            ),
            stopped: false,
            transitions: BTreeMap::new(),
        }
    }

    /// Returns one of the containers, which are known by name.
    pub(super) fn record_mut(&mut self, name: &str) -> Option<&mut Record> {
        self.init
            .iter_mut()
            .chain(&mut self.main)
            .find(|record| record.name == name)
    }

    /// Tells whether all containers of the pod can serve.
    pub(super) fn is_ready(&self) -> bool {
        self.main.iter().all(|record| record.ready) && !self.main.is_empty()
    }

    /// Tells whether the init containers have done their work; one that runs beside the pod only has to be started.
    fn is_initialized(&self) -> bool {
        self.init.iter().all(Record::lets_others_start)
    }

    fn phase(&self) -> &'static str {
        if !self.is_initialized() {
            let over = self.stopped || self.policy == RestartPolicy::Never;
            return if over && self.init.iter().any(Record::has_failed) {
                "Failed"
            } else {
                "Pending"
            };
        }
        let never_started = |record: &Record| {
            matches!(record.state, State::Waiting { .. }) && record.last.is_none()
        };
        if self.main.iter().any(never_started) {
            return if self.stopped { "Failed" } else { "Pending" };
        }
        if !self
            .main
            .iter()
            .all(|record| matches!(record.state, State::Ended(_)))
        {
            return "Running";
        }
        let all_well = self.main.iter().all(Record::has_ended_well);
        match (self.policy, all_well) {
            (RestartPolicy::Always, _) | (RestartPolicy::OnFailure, false) if !self.stopped => {
                "Running"
            }
            (_, true) => "Succeeded",
            (_, false) => "Failed",
        }
    }

    /// Tells whether the pod has come to its end.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase(), "Failed" | "Succeeded")
    }

    /// Writes the status down.
    pub(super) fn status(&mut self, now: Timestamp) -> PodStatus {
        let phase = self.phase();
        let init = self
            .init
            .iter()
            .map(|record| container_status(record, self.ip.is_some()))
            .collect::<Vec<_>>();
        let main = self
            .main
            .iter()
            .map(|record| container_status(record, self.is_initialized()))
            .collect();
        PodStatus {
            phase: Some(phase.to_owned()),
            conditions: Some(self.conditions(phase, now)),
            host_ip: Some(self.host_ip.to_string()),
            host_ips: Some(vec![HostIP {
                ip: self.host_ip.to_string(),
            }]),
            pod_ip: self.ip.map(|ip| ip.to_string()),
            pod_ips: self.ip.map(|ip| vec![PodIP { ip: ip.to_string() }]),
            start_time: Some(Time(self.start_time)),
            init_container_statuses: (!init.is_empty()).then_some(init),
            container_statuses: Some(main),
            ..PodStatus::default()
        }
    }

    fn conditions(&mut self, phase: &str, now: Timestamp) -> Vec<PodCondition> {
        let unready = names(&self.main, |record| !record.ready);
        let incomplete = names(&self.init, |record| !record.lets_others_start());
        let not_ready = match phase {
            "Succeeded" => Some(("PodCompleted", String::new())),
            "Failed" => Some(("PodFailed", String::new())),
            _ if unready.is_empty() => None,
            _ => Some((
                "ContainersNotReady",
                format!("containers with unready status: [{unready}]"),
            )),
        };
        let not_initialized = (!self.is_initialized()).then(|| {
            (
                "ContainersNotInitialized",
                format!("containers with incomplete status: [{incomplete}]"),
            )
        });
        let no_network = self.ip.is_none().then(|| ("", String::new()));
        let conditions = [
            ("PodReadyToStartContainers", no_network),
            ("Initialized", not_initialized),
            ("ContainersReady", not_ready.clone()),
            ("Ready", not_ready),
        ];
        conditions
            .into_iter()
            .map(|(kind, problem)| self.condition(kind, problem, now))
            .collect()
    }

    fn condition(
        &mut self,
        kind: &'static str,
        problem: Option<(&'static str, String)>,
        now: Timestamp,
    ) -> PodCondition {
        let holds = problem.is_none();
        let transition = self.transitions.entry(kind).or_insert((holds, now));
        if transition.0 != holds {
            *transition = (holds, now);
        }
        let (reason, message) = problem.unwrap_or_default();
        PodCondition {
            type_: kind.to_owned(),
            status: if holds { "True" } else { "False" }.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message),
            last_transition_time: Some(Time(transition.1)),
            ..PodCondition::default()
        }
    }
}

fn names(records: &[Record], chosen: impl Fn(&Record) -> bool) -> String {
    let chosen: Vec<&str> = records
        .iter()
        .filter(|record| chosen(record))
        .map(|record| record.name.as_str())
        .collect();
    chosen.join(" ")
}

fn container_status(record: &Record, may_start: bool) -> ContainerStatus {
    let ended = |end: &Termination| ContainerState {
        terminated: Some(terminated(end, &record.name)),
        ..ContainerState::default()
    };
    let state = match &record.state {
        State::Waiting {
            reason: "ContainerCreating",
            message,
        } if !may_start => waiting("PodInitializing", message),
        State::Waiting { reason, message } => waiting(reason, message),
        State::Running { since } => {
            let running = ContainerStateRunning {
                started_at: Some(Time(*since)),
            };
            ContainerState {
                running: Some(running),
                ..ContainerState::default()
            }
        }
        State::Ended(end) => ended(end),
    };
    let was_started = !matches!(record.state, State::Waiting { .. }) || record.last.is_some();
    ContainerStatus {
        name: record.name.clone(),
        image: record.image.clone(),
        image_id: if was_started {
            format!("sandbox://{}", record.image)
        } else {
            String::new()
        },
        container_id: was_started.then(|| format!("sandbox://{}-{}", record.name, record.restarts)),
        ready: record.ready,
        started: Some(record.startup == Startup::Up),
        restart_count: record.restarts,
        state: Some(state),
        last_state: record.last.as_ref().map(ended),
        ..ContainerStatus::default()
    }
}

fn waiting(reason: &str, message: &str) -> ContainerState {
    let message = (!message.is_empty()).then(|| message.to_owned());
    ContainerState {
        waiting: Some(ContainerStateWaiting {
            reason: Some(reason.to_owned()),
            message,
        }),
        ..ContainerState::default()
    }
}

fn terminated(end: &Termination, name: &str) -> ContainerStateTerminated {
    ContainerStateTerminated {
        container_id: Some(format!("sandbox://{name}")),
        exit_code: end.exit_code,
        reason: Some(end.reason.to_owned()),
        message: (!end.message.is_empty()).then(|| end.message.clone()),
        started_at: Some(Time(end.started)),
        finished_at: Some(Time(end.finished)),
        ..ContainerStateTerminated::default()
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
