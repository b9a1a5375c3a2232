//! The kubelet's view of one pod: a state machine over virtual time.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::settings::{NodePace, Trouble};
use crate::flink::conf::Conf;
use crate::flink::process::JobManager;

/// What a pod runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A Flink JobManager.
    JobManager,
    /// A Flink TaskManager.
    TaskManager,
    /// Something else that simply runs.
    Other,
}

impl Role {
    /// Reads the role from a pod's labels.
    pub(super) fn of(pod: &Value) -> Self {
        let labels = &pod["metadata"]["labels"];
        match (labels["type"].as_str(), labels["component"].as_str()) {
            (Some("flink-native-kubernetes"), Some("jobmanager")) => Self::JobManager,
            (Some("flink-native-kubernetes"), Some("taskmanager")) => Self::TaskManager,
            (_, _) => Self::Other,
        }
    }
}

/// Where a pod stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not bound to a node yet.
    Unbound {
        /// When it will be.
        bind_at: Timestamp,
    },
    /// No node has room.
    Unschedulable,
    /// Bound, volumes are being mounted.
    Mounting {
        /// When the next try is.
        next_try: Timestamp,
        /// Pause after that.
        pause: SignedDuration,
    },
    /// The image cannot be pulled.
    PullFailed {
        /// Since when.
        since: Timestamp,
    },
    /// Everything is there.
    Starting {
        /// When the container will run.
        at: Timestamp,
    },
    /// The container runs.
    Running {
        /// Since when.
        since: Timestamp,
        /// Since when it is ready.
        ready: Option<Timestamp>,
    },
    /// The container has ended and will be started again.
    BackOff {
        /// When.
        until: Timestamp,
    },
    /// The container has ended for good.
    Ended {
        /// Its exit code.
        code: i32,
        /// When.
        at: Timestamp,
    },
}

/// How a container ended last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terminated {
    /// Exit code.
    pub(super) code: i32,
    /// When it was started.
    pub(super) started: Timestamp,
    /// When it ended.
    pub(super) finished: Timestamp,
}

/// The kubelet's record of a pod.
#[derive(Debug)]
pub(super) struct Pod {
    /// Namespace.
    pub(super) namespace: String,
    /// Name.
    pub(super) name: String,
    /// Uid.
    pub(super) uid: String,
    /// Label `app`, which is the cluster id.
    pub(super) app: String,
    /// What it runs.
    pub(super) role: Role,
    /// Where it stands.
    pub(super) stage: Stage,
    /// What keeps it from starting or running.
    pub(super) trouble: Option<Trouble>,
    /// Its address, from the first successful mount on.
    pub(super) ip: Option<String>,
    /// When the kubelet took it up.
    pub(super) accepted: Option<Timestamp>,
    /// How often its container was started again.
    pub(super) restarts: u32,
    /// How its container ended last.
    pub(super) last: Option<Terminated>,
    /// The process, if it is a JobManager that runs.
    pub(super) process: Option<JobManager>,
    /// The configuration as mounted last: it stays when the `ConfigMap` is deleted.
    pub(super) mounted: Option<Conf>,
    /// What a mount waits for.
    pub(super) missing: Option<String>,
    /// When SIGTERM was sent and when the container will have ended.
    pub(super) stopping: Option<(Timestamp, Timestamp)>,
    /// When the next probe is.
    pub(super) probe_at: Option<Timestamp>,
}

impl Pod {
    /// Takes a pod up.
    pub(super) fn new(
        object: &Value,
        trouble: Option<Trouble>,
        pace: &NodePace,
        now: Timestamp,
    ) -> Self {
        let metadata = &object["metadata"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            namespace: text(&metadata["namespace"]),
            name: text(&metadata["name"]),
            uid: text(&metadata["uid"]),
            app: text(&metadata["labels"]["app"]),
            role: Role::of(object),
            stage: Stage::Unbound {
                bind_at: now + pace.bind,
            },
            trouble: trouble.or_else(|| trouble_of(object)),
            ip: None,
            accepted: None,
            restarts: 0,
            last: None,
            process: None,
            mounted: None,
            missing: None,
            stopping: None,
            probe_at: None,
        }
    }

    /// Tells when the pod has to be looked at next.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let own = match self.stage {
            // Whatever it was about to do: it ends now.
            _ if self.stopping.is_some() => None,
            Stage::Unbound { bind_at: at }
            | Stage::Mounting { next_try: at, .. }
            | Stage::Starting { at }
            | Stage::BackOff { until: at } => Some(at),
            Stage::Running { since, .. } => match self.trouble {
                Some(Trouble::Crash(_)) => Some(since + CRASH_AFTER),
                Some(
                    Trouble::ImagePull
                    | Trouble::Unschedulable
                    | Trouble::Quota
                    | Trouble::NeverReady,
                )
                | None => None,
            },
            Stage::Unschedulable | Stage::PullFailed { .. } | Stage::Ended { .. } => None,
        };
        let process = self.process.as_ref().and_then(JobManager::next);
        let stop = self
            .stopping
            .map(|(_, at)| at)
            .filter(|at| *at != Timestamp::MAX);
        [own, process, stop, self.probe_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// Tells since when the container has been running.
    pub(super) fn running_since(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::Running { since, .. } => Some(since),
            Stage::Unbound { .. }
            | Stage::Unschedulable
            | Stage::Mounting { .. }
            | Stage::PullFailed { .. }
            | Stage::Starting { .. }
            | Stage::BackOff { .. }
            | Stage::Ended { .. } => None,
        }
    }

    /// Tells whether the pod is ready.
    pub(super) fn is_ready(&self) -> bool {
        matches!(self.stage, Stage::Running { ready: Some(_), .. })
    }

    /// Notes that the container has ended and says when it starts again, if it does.
    pub(super) fn container_ended(
        &mut self,
        code: i32,
        restarts: bool,
        pace: &NodePace,
        now: Timestamp,
    ) {
        let started = self.running_since().unwrap_or(now);
        self.last = Some(Terminated {
            code,
            started,
            finished: now,
        });
        self.process = None;
        self.probe_at = None;
        self.stage = if restarts {
            Stage::BackOff {
                until: now + self.back_off(pace),
            }
        } else {
            Stage::Ended { code, at: now }
        };
    }

    /// The first restart comes at once, later ones after pauses that double.
    fn back_off(&self, pace: &NodePace) -> SignedDuration {
        match self.restarts {
            0 => SignedDuration::ZERO,
            n => {
                let doubled = pace.back_off.as_millis() << u32::min(n - 1, 10);
                let pause = SignedDuration::from_millis(i64::try_from(doubled).unwrap_or(i64::MAX));
                pause.min(pace.back_off_max)
            }
        }
    }
}

/// A crashing container ends this long after its start.
pub(super) const CRASH_AFTER: SignedDuration = SignedDuration::from_secs(1);

/// Reads a pod's troubles from its own specification.
fn trouble_of(pod: &Value) -> Option<Trouble> {
    let containers = pod["spec"]["containers"].as_array()?;
    containers.iter().find_map(|container| {
        let image = container["image"].as_str().unwrap_or_default();
        let cpu = &container["resources"]["requests"]["cpu"];
        let cpu = cpu.as_str().map_or_else(|| cpu.to_string(), str::to_owned);
        Trouble::of_image(image).or_else(|| Trouble::of_cpu(&cpu))
    })
}

/// Names the ConfigMaps and Secrets that a pod cannot do without: `(kind, name, volume)`.
pub(super) fn needs(pod: &Value) -> Vec<(&'static str, String, String)> {
    let volumes = pod["spec"]["volumes"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut needs = Vec::new();
    for volume in volumes {
        let volume_name = volume["name"].as_str().unwrap_or_default().to_owned();
        for (kind, field, name) in [
            ("ConfigMap", "configMap", "name"),
            ("Secret", "secret", "secretName"),
        ] {
            let source = &volume[field];
            if source["optional"].as_bool() == Some(true) {
                continue;
            }
            if let Some(name) = source[name].as_str() {
                needs.push((kind, name.to_owned(), volume_name.clone()));
            }
        }
    }
    needs
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn restarts_come_at_once_and_then_ever_later() {
        let pace = NodePace::default();
        let object = json!({ "metadata": { "name": "p", "namespace": "ns", "uid": "u" } });
        let mut pod = Pod::new(&object, None, &pace, Timestamp::UNIX_EPOCH);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            pauses.push(pod.back_off(&pace).as_secs());
            pod.restarts += 1;
        }
        assert_eq!(pauses, [0, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn optional_volumes_are_not_waited_for() {
        let pod = json!({ "spec": { "volumes": [
            { "name": "a", "configMap": { "name": "flink-config-a" } },
            { "name": "b", "configMap": { "name": "log", "optional": true } },
            { "name": "c", "secret": { "secretName": "keys" } },
            { "name": "d", "emptyDir": {} },
        ] } });
        let names: Vec<_> = needs(&pod)
            .into_iter()
            .map(|(kind, name, _)| (kind, name))
            .collect();
        assert_eq!(
            names,
            [
                ("ConfigMap", "flink-config-a".to_owned()),
                ("Secret", "keys".to_owned())
            ]
        );
    }
}
