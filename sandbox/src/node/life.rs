//! What happens to a pod from its volumes to the end of its containers, in order.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use k8s_openapi::api::core::v1::{Container, Pod};
use kube::ResourceExt;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::Node;
use super::container::{self, PodGround, Report, Runner, StopSignal, stopped};
use super::hosts::{Host, Hosts};
use super::sources::Sources;
use super::status::{Record, RestartPolicy};
use super::volumes::Volumes;

/// How often ConfigMaps, Secrets and tokens in volumes are brought up to date, as a kubelet does.
const REFRESH: Duration = Duration::from_secs(60);

/// How long to wait before trying again what the machine refused.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Lives through one pod; returns when all its containers have ended for good.
pub(super) struct Life {
    pub(super) node: Arc<Node>,
    pub(super) pod: Arc<Pod>,
    pub(super) init: Vec<Record>,
    pub(super) main: Vec<Record>,
    pub(super) reports: mpsc::UnboundedSender<Report>,
    pub(super) stop: StopSignal,
}

impl Life {
    pub(super) async fn run(self) {
        let ground = tokio::select! {
            biased;
            () = stopped(self.stop.clone()) => return,
            ground = self.prepare() => ground,
        };
        let (ground, _network, _names) = ground;
        let refresh = refresh(&ground);
        tokio::select! {
            () = self.containers(&ground) => {}
            () = refresh => {}
        }
    }

    /// Makes volumes and network; tries until it succeeds.
    async fn prepare(&self) -> (PodGround, crate::network::PodNetwork, Named) {
        let (namespace, uid) = (
            self.pod.namespace().unwrap_or_default(),
            self.pod.uid().unwrap_or_default(),
        );
        let sources = Sources::new(self.node.config.client.clone(), &namespace);
        let directory = self.node.pod_directory(&uid);
        let mut volumes = Volumes::new(sources.clone(), directory.join("volumes"));
        self.forget_earlier_logs(&namespace);
        self.fill(&mut volumes, &sources).await;
        loop {
            match self.connect(&directory).await {
                Ok((network, names)) => {
                    let ground = PodGround {
                        node: self.node.clone(),
                        pod: self.pod.clone(),
                        namespace,
                        name: self.pod.name_any(),
                        uid,
                        ip: network.ip(),
                        network: network.namespace().to_path_buf(),
                        directory,
                        hostname: hostname(&self.pod),
                        sources,
                        volumes: tokio::sync::Mutex::new(volumes),
                    };
                    // The receiver outlives this.
                    let _ = self.reports.send(Report::Address(ground.ip));
                    return (ground, network, names);
                }
                Err(error) => {
                    let note = format!("Failed to create pod sandbox: {error:#}");
                    self.node
                        .events
                        .warning(&self.pod, "FailedCreatePodSandBox", note);
                    tokio::time::sleep(AFTER_FAILURE).await;
                }
            }
        }
    }

    /// Removes the logs of an earlier pod of this name, unless they are of this pod under an earlier node.
    fn forget_earlier_logs(&self, namespace: &str) {
        if self
            .init
            .iter()
            .chain(&self.main)
            .any(|record| record.restarts > 0)
        {
            return;
        }
        let directory = self
            .node
            .config
            .log_dir
            .join(namespace)
            .join(self.pod.name_any());
        if let Err(error) = crate::cache::remove_tree(&directory) {
            tracing::warn!(error = format!("{error:#}"), "cannot remove old logs");
        }
    }

    /// Fills all volumes, waiting for what is not there yet.
    async fn fill(&self, volumes: &mut Volumes, sources: &Sources) {
        let facts = self.node.facts(&self.pod, None);
        let mut told = None;
        while let Err(found) = volumes.prepare(&facts).await {
            if told.as_ref() != Some(&found) {
                let note = format!(
                    "MountVolume.SetUp failed for volume {:?} : {}",
                    found.volume,
                    found.problem.message()
                );
                self.node.events.warning(&self.pod, "FailedMount", note);
            }
            sources.changed(&found.problem).await;
            told = Some(found);
        }
    }

    /// Gives the pod its network and its names.
    async fn connect(
        &self,
        directory: &std::path::Path,
    ) -> Result<(crate::network::PodNetwork, Named)> {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        let network = self.node.config.network.attach_pod().await?;
        let uid = self.pod.uid().unwrap_or_default();
        self.node.hosts.add(
            &uid,
            self.host(network.ip(), PodGround::hosts_file(directory)),
        );
        Ok((
            network,
            Named {
                hosts: self.node.hosts.clone(),
                uid,
            },
        ))
    }

    fn host(&self, ip: std::net::Ipv4Addr, file: PathBuf) -> Host {
        let mut aliases = String::new();
        for alias in self
            .pod
            .spec
            .iter()
            .flat_map(|spec| spec.host_aliases.iter().flatten())
        {
            let names = alias.hostnames.clone().unwrap_or_default().join(" ");
            // Writing to a text cannot fail.
            let _ = writeln!(aliases, "{} {names}", alias.ip);
        }
        Host {
            namespace: self.pod.namespace().unwrap_or_default(),
            name: hostname(&self.pod),
            labels: self.pod.labels().clone(),
            ip,
            file,
            aliases,
            ready: false,
        }
    }

    /// Runs init containers one after another, then the others side by side.
    async fn containers(&self, ground: &PodGround) {
        // Init containers that are restarted always are helpers: they run beside the others and end after them.
        let (helpers, taken) = mpsc::unbounded_channel();
        let (end_helpers, helpers_end) = watch::channel(None);
        let sequence = async {
            if self.initialize(ground, helpers, &helpers_end).await {
                let containers = self.containers_of_spec().iter().zip(&self.main);
                let policy = RestartPolicy::of(&self.pod);
                join_all(containers.map(|(container, record)| {
                    self.runner(ground, container, record, policy).run()
                }))
                .await;
            }
            let deadline = *self.stop.borrow();
            end_helpers.send_replace(Some(
                deadline.unwrap_or_else(|| Instant::now() + container::grace(&self.pod)),
            ));
        };
        tokio::join!(run_all(taken), sequence);
    }

    /// Runs the init containers; returns whether the pod may go on.
    async fn initialize<'a>(
        &'a self,
        ground: &'a PodGround,
        helpers: mpsc::UnboundedSender<Runner<'a>>,
        helpers_end: &StopSignal,
    ) -> bool {
        let containers = self
            .pod
            .spec
            .iter()
            .flat_map(|spec| spec.init_containers.iter().flatten());
        for (container, record) in containers.zip(&self.init) {
            if container.restart_policy.as_deref() == Some("Always") {
                let mut helper = self.runner(ground, container, record, RestartPolicy::Always);
                helper.stop = helpers_end.clone();
                let mut started = helper.started.subscribe();
                // The receiver is polled beside this.
                let _ = helpers.send(helper);
                tokio::select! {
                    // An error means that the helper has ended for good.
                    _ = started.wait_for(|started| *started) => {}
                    () = stopped(self.stop.clone()) => return false,
                }
                continue;
            }
            // Whatever the pod's policy says, an init container is not repeated after its success.
            let never = RestartPolicy::of(&self.pod) == RestartPolicy::Never;
            let policy = if never {
                RestartPolicy::Never
            } else {
                RestartPolicy::OnFailure
            };
            let record = self.runner(ground, container, record, policy).run().await;
            if !record.has_ended_well() {
                return false;
            }
        }
        true
    }

    fn containers_of_spec(&self) -> &[Container] {
        self.pod
            .spec
            .as_ref()
            .map(|spec| spec.containers.as_slice())
            .unwrap_or_default()
    }

    fn runner<'a>(
        &self,
        ground: &'a PodGround,
        container: &'a Container,
        record: &Record,
        policy: RestartPolicy,
    ) -> Runner<'a> {
        let (reports, stop) = (self.reports.clone(), self.stop.clone());
        Runner {
            ground,
            container,
            policy,
            record: record.clone(),
            reports,
            stop,
            started: watch::channel(false).0,
        }
    }
}

/// Runs what comes, side by side, until nothing more can come and all have ended.
async fn run_all(mut runners: mpsc::UnboundedReceiver<Runner<'_>>) {
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(runner) = runners.recv() => running.push(runner.run()),
            Some(_) = running.next() => {}
            else => return,
        }
    }
}

/// Keeps volumes up to date for ever.
async fn refresh(ground: &PodGround) {
    loop {
        tokio::time::sleep(REFRESH).await;
        if let Err(found) = ground.volumes.lock().await.prepare(&ground.facts()).await {
            // What was mounted stays; the next round tries again.
            tracing::debug!(
                pod = ground.name,
                volume = found.volume,
                problem = found.problem.message(),
                "cannot refresh a volume"
            );
        }
    }
}

/// Takes the pod's names away when its network goes.
struct Named {
    hosts: Hosts,
    uid: String,
}

impl Drop for Named {
    fn drop(&mut self) {
        self.hosts.remove(&self.uid);
    }
}

/// Returns the host name inside a pod.
fn hostname(pod: &Pod) -> String {
    let name = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.hostname.clone())
        .unwrap_or_else(|| pod.name_any());
    let end = (0..=63.min(name.len()))
        .rev()
        .find(|at| name.is_char_boundary(*at))
        .unwrap_or_default();
    name[..end].trim_end_matches(['-', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_short_enough_for_the_kernel() {
        let mut pod = Pod::default();
        pod.metadata.name = Some("basic-taskmanager-1-1".to_owned());
        assert_eq!(hostname(&pod), "basic-taskmanager-1-1");
        pod.metadata.name = Some(format!("{}-{}", "a".repeat(62), "b".repeat(20)));
        assert_eq!(hostname(&pod), "a".repeat(62));
    }
}
