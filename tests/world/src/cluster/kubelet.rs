//! The simulated kubelet and scheduler: one step for each pod.

use flink_operator_oracle::history::Moment;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::kube::Kube;
use super::pod::{CRASH_AFTER, Pod, Role, Stage, needs};
use super::podstatus;
use super::settings::{NodePace, Trouble};
use super::state::State;
use crate::flink::conf::Conf;
use crate::flink::process::{Identity, JobManager, Phase};
use crate::flink::version::Version;

impl State {
    /// Takes up new pods, drops vanished ones and lets each take its next step.
    pub(super) fn run_kubelet(&mut self, kube: &mut Kube, now: Timestamp) {
        let objects = kube.list("Pod");
        let uids: Vec<&str> = objects
            .iter()
            .filter_map(|object| object["metadata"]["uid"].as_str())
            .collect();
        let vanished: Vec<String> = self
            .pods
            .keys()
            .filter(|uid| !uids.contains(&uid.as_str()))
            .cloned()
            .collect();
        for uid in vanished {
            // Deleted with no grace: the kubelet kills what still runs.
            self.with_process(&uid, kube, |process, ground| process.die(false, ground));
            self.pods.remove(&uid);
        }
        for object in &objects {
            let uid = object["metadata"]["uid"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            if !self.pods.contains_key(&uid) {
                let trouble = self.trouble_of(object);
                self.pods.insert(
                    uid.clone(),
                    Pod::new(object, trouble, &self.settings.node, now),
                );
            }
            self.step_pod(&uid, object, kube, now);
        }
    }

    fn trouble_of(&self, object: &Value) -> Option<Trouble> {
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        let app = object["metadata"]["labels"]["app"]
            .as_str()
            .unwrap_or_default();
        self.settings
            .troubles
            .get(&(namespace.to_owned(), app.to_owned()))
            .cloned()
    }

    fn step_pod(&mut self, uid: &str, object: &Value, kube: &mut Kube, now: Timestamp) {
        if object["metadata"]["deletionTimestamp"].is_string() {
            if self.terminate(uid, object, kube, now) {
                return;
            }
        } else {
            self.start_pod(uid, object, kube, now);
        }
        self.run_container(uid, kube, now);
        let Some(pod) = self.pods.get(uid) else {
            return;
        };
        let status = podstatus::render(pod, object, now);
        let node = (!matches!(pod.stage, Stage::Unbound { .. } | Stage::Unschedulable))
            .then_some("node-1");
        if object["status"] != status || (node.is_some() && object["spec"]["nodeName"].is_null()) {
            kube.update("Pod", &pod.namespace, &pod.name, |stored| {
                stored["status"] = status;
                if let Some(node) = node {
                    stored["spec"]["nodeName"] = json!(node);
                }
            });
        }
    }

    /// Brings a pod from its creation to a running container.
    fn start_pod(&mut self, uid: &str, object: &Value, kube: &mut Kube, now: Timestamp) {
        let pace = self.settings.node;
        loop {
            let pod = self
                .pods
                .get_mut(uid)
                .expect("taken up before it is stepped");
            let next = match pod.stage {
                Stage::Unbound { bind_at } if bind_at <= now => match pod.trouble {
                    Some(Trouble::Unschedulable) => Stage::Unschedulable,
                    Some(
                        Trouble::ImagePull
                        | Trouble::Crash(_)
                        | Trouble::Quota
                        | Trouble::NeverReady,
                    )
                    | None => {
                        pod.accepted = Some(now);
                        Stage::Mounting {
                            next_try: now,
                            pause: pace.mount_retry,
                        }
                    }
                },
                Stage::Mounting { next_try, pause } if next_try <= now => {
                    match mount(pod, object, kube) {
                        Ok(()) => {
                            pod.missing = None;
                            let ip = pod.ip.take();
                            let ip = ip.unwrap_or_else(|| self.next_ip());
                            let pod = self.pods.get_mut(uid).expect("still there");
                            pod.ip = Some(ip);
                            if pod.trouble == Some(Trouble::ImagePull) {
                                pull_failed(pod, object, kube);
                                Stage::PullFailed { since: now }
                            } else {
                                Stage::Starting {
                                    at: now + pace.start,
                                }
                            }
                        }
                        Err(why) => {
                            if pod.missing.is_none() {
                                kube.event(object, "FailedMount", "Warning", &why);
                            }
                            pod.missing = Some(why);
                            let longer = (pause * 2).min(pace.mount_retry_max);
                            Stage::Mounting {
                                next_try: now + pause,
                                pause: longer,
                            }
                        }
                    }
                }
                Stage::BackOff { until } if until <= now => {
                    pod.restarts += 1;
                    // A restarted container sees the volumes as they are now.
                    let _ = mount(pod, object, kube);
                    Stage::Starting { at: now }
                }
                Stage::Starting { at } if at <= now => {
                    start_container(pod, object, now, &pace, &self.settings.flink);
                    continue;
                }
                Stage::Unbound { .. }
                | Stage::Unschedulable
                | Stage::Mounting { .. }
                | Stage::PullFailed { .. }
                | Stage::Starting { .. }
                | Stage::Running { .. }
                | Stage::BackOff { .. }
                | Stage::Ended { .. } => return,
            };
            self.pods.get_mut(uid).expect("still there").stage = next;
        }
    }

    /// Lets a running container act, end by itself, or become ready.
    fn run_container(&mut self, uid: &str, kube: &mut Kube, now: Timestamp) {
        self.advance_process(uid, kube, now);
        let pace = self.settings.node;
        let Some(pod) = self.pods.get_mut(uid) else {
            return;
        };
        let Stage::Running { since, ready } = pod.stage else {
            return;
        };
        if let Some(Trouble::Crash(code)) = pod.trouble
            && since + CRASH_AFTER <= now
        {
            pod.container_ended(code, pod.role != Role::TaskManager, &pace, now);
            return;
        }
        if ready.is_none() && pod.probe_at.is_some_and(|at| at <= now) {
            let leads = pod.process.as_ref().is_some_and(|process| {
                matches!(process.phase, Phase::Leading { .. }) && !process.frozen
            });
            pod.probe_at = if leads { None } else { Some(now + pace.probe) };
            pod.stage = Stage::Running {
                since,
                ready: leads.then_some(now),
            };
        }
    }

    /// Ends a pod that is being deleted; tells whether it is gone.
    fn terminate(&mut self, uid: &str, object: &Value, kube: &mut Kube, now: Timestamp) -> bool {
        let pace = self.settings.node;
        let pod = self
            .pods
            .get_mut(uid)
            .expect("taken up before it is stepped");
        if self
            .lost_nodes
            .contains(&(pod.namespace.clone(), pod.app.clone()))
        {
            pod.stopping = Some((now, Timestamp::MAX));
            return false;
        }
        let grace = object["metadata"]["deletionGracePeriodSeconds"]
            .as_i64()
            .unwrap_or(30);
        let running = pod.running_since().is_some();
        let (_, end) = *pod.stopping.get_or_insert_with(|| {
            let frozen = pod.process.as_ref().is_some_and(|process| process.frozen);
            let needed = match pod.role {
                _ if !running => jiff::SignedDuration::ZERO,
                _ if frozen => jiff::SignedDuration::from_secs(grace),
                Role::JobManager => pace.stop_job_manager,
                Role::TaskManager | Role::Other => pace.stop_task_manager,
            };
            (
                now,
                now + needed.min(jiff::SignedDuration::from_secs(grace)),
            )
        });
        if end > now {
            return false;
        }
        let frozen = pod.process.as_ref().is_some_and(|process| process.frozen);
        self.with_process(uid, kube, |process, ground| process.die(!frozen, ground));
        let pod = self.pods.remove(uid).expect("looked up above");
        kube.remove_pod(&pod.namespace, &pod.name, uid);
        true
    }

    fn next_ip(&mut self) -> String {
        let address = |number: u32| format!("10.1.{}.{}", number / 250, number % 250 + 1);
        if self.settings.reuse_addresses {
            let taken = |ip: &String| self.pods.values().any(|pod| pod.ip.as_ref() == Some(ip));
            return (1..62_000)
                .map(address)
                .find(|ip| !taken(ip))
                .expect("there are more numbers than pods");
        }
        self.ips += 1;
        address(self.ips)
    }
}

/// Mounts the volumes of a pod: reads the Flink configuration as it is now, or says what is missing.
fn mount(pod: &mut Pod, object: &Value, kube: &Kube) -> Result<(), String> {
    for (kind, name, volume) in needs(object) {
        let Some(found) = kube.get(kind, &pod.namespace, &name) else {
            let what = if kind == "Secret" {
                "secret"
            } else {
                "configmap"
            };
            return Err(format!(
                "MountVolume.SetUp failed for volume \"{volume}\" : {what} \"{name}\" not found"
            ));
        };
        if name == format!("flink-config-{}", pod.app) {
            pod.mounted = Some(Conf::of_config_map(&found));
        }
    }
    Ok(())
}

fn pull_failed(pod: &Pod, object: &Value, kube: &mut Kube) {
    let image = image_of(object);
    let why = format!(
        "Failed to pull image \"{image}\": rpc error: code = NotFound desc = failed to pull and unpack image \"{image}\": not found"
    );
    kube.event(object, "Failed", "Warning", &why);
    debug_assert_eq!(
        pod.uid,
        object["metadata"]["uid"].as_str().unwrap_or_default()
    );
}

fn start_container(
    pod: &mut Pod,
    object: &Value,
    now: Timestamp,
    pace: &NodePace,
    flink: &crate::flink::pace::Pace,
) {
    let works = !matches!(pod.trouble, Some(Trouble::Crash(_) | Trouble::NeverReady));
    let probed = object["spec"]["containers"]
        .as_array()
        .is_some_and(|all| all.iter().any(|c| c["startupProbe"].is_object()));
    if pod.role == Role::JobManager && works {
        let conf = pod.mounted.clone().unwrap_or_default();
        pod.process = Some(JobManager::boot(
            identity(pod, object, &conf),
            conf,
            *flink,
            now,
        ));
    }
    let crashes = matches!(pod.trouble, Some(Trouble::Crash(_)));
    let waits = crashes
        || pod.trouble == Some(Trouble::NeverReady)
        || (pod.role == Role::JobManager && probed);
    pod.probe_at = (waits && !crashes).then(|| now + pace.probe);
    pod.stage = Stage::Running {
        since: now,
        ready: (!waits).then_some(now),
    };
}

fn identity(pod: &Pod, object: &Value, conf: &Conf) -> Identity {
    let owners = object["metadata"]["ownerReferences"].as_array();
    let owner = owners.and_then(|owners| owners.iter().find(|owner| owner["kind"] == "Deployment"));
    let configured = conf
        .text("$internal.flink.version")
        .and_then(Version::parse);
    let version = Version::of_image(&image_of(object))
        .or(configured)
        .unwrap_or(Version::new(1, 20));
    Identity {
        namespace: pod.namespace.clone(),
        cluster: pod.app.clone(),
        deployment: owner
            .and_then(|owner| owner["uid"].as_str())
            .unwrap_or_default()
            .to_owned(),
        pod: pod.name.clone(),
        pod_uid: pod.uid.clone(),
        container: pod.restarts,
        version,
    }
}

/// Gives the image of the main container.
pub(super) fn image_of(object: &Value) -> String {
    let containers = object["spec"]["containers"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let main = containers
        .iter()
        .find(|c| c["name"] == "flink-main-container")
        .or_else(|| containers.first());
    main.and_then(|container| container["image"].as_str())
        .unwrap_or_default()
        .to_owned()
}

/// Converts a reading of the world's clock into the form of the history.
pub(super) fn moment(moment: crate::clock::Moment) -> Moment {
    Moment::new(moment.order, moment.at)
}
