//! The life of one container: image, start, health, end, restart.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::Node;
use super::backoff::{self, Backoff};
use super::facts::PodFacts;
use super::health::{Change, Inside, Probes};
use super::image::Image;
use super::init::{CommandSpec, InitSpec, MountSpec, RunSpec};
use super::keeper::{Kept, create_log, start_failure};
use super::sources::{Problem, Sources};
use super::status::{Record, RestartPolicy, Startup, State, Termination};
use super::termination;
use super::volumes::Volumes;
use crate::logs;

/// When a pod's containers have to be gone; `None` as long as they may run.
pub(super) type StopSignal = watch::Receiver<Option<Instant>>;

/// Something that a pod's status has to tell.
#[derive(Debug)]
pub(super) enum Report {
    /// The pod has its network.
    Address(std::net::Ipv4Addr),
    /// A container has changed.
    Container(Box<Record>),
}

/// What all containers of a pod share.
pub(super) struct PodGround {
    pub(super) node: Arc<Node>,
    pub(super) pod: Arc<Pod>,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) ip: std::net::Ipv4Addr,
    /// The pod's network namespace, as a file.
    pub(super) network: PathBuf,
    pub(super) directory: PathBuf,
    pub(super) hostname: String,
    pub(super) sources: Sources,
    pub(super) volumes: tokio::sync::Mutex<Volumes>,
}

impl PodGround {
    pub(super) fn facts(&self) -> PodFacts<'_> {
        self.node.facts(&self.pod, Some(self.ip))
    }

    pub(super) fn hosts_file(directory: &Path) -> PathBuf {
        directory.join("hosts")
    }
}

/// Runs one container until it has ended for good.
pub(super) struct Runner<'a> {
    pub(super) ground: &'a PodGround,
    pub(super) container: &'a Container,
    pub(super) policy: RestartPolicy,
    pub(super) record: Record,
    pub(super) reports: mpsc::UnboundedSender<Report>,
    pub(super) stop: StopSignal,
    /// Becomes true when the container has started.
    pub(super) started: watch::Sender<bool>,
}

/// A container's process and how to reach it.
struct Started {
    process: Kept,
    inside: Inside,
    since: Timestamp,
    log: PathBuf,
}

/// Says that the pod is being stopped.
struct Stopped;

impl Runner<'_> {
    /// Runs the container; its last report tells how it ended.
    pub(super) async fn run(mut self) -> Record {
        let mut backoff = Backoff::default();
        while let Ok(end) = self.run_once().await {
            let ran =
                Duration::try_from(end.finished.duration_since(end.started)).unwrap_or_default();
            self.record.ready = false;
            if self.record.startup == Startup::Up {
                self.record.startup = Startup::Earlier;
            }
            self.report(State::Ended(end.clone()));
            if self.is_stopped() || !self.policy.restarts_after(end.exit_code) {
                break;
            }
            self.record.last = Some(end.clone());
            if let Some(pause) = backoff.after_run(ran)
                && self.back_off(pause).await.is_err()
            {
                self.record.last = None;
                self.report(State::Ended(end));
                break;
            }
            self.record.restarts += 1;
        }
        self.record
    }

    /// Starts the container and lets it run to its end.
    async fn run_once(&mut self) -> Result<Termination, Stopped> {
        let image = self.pull().await?;
        let started = self.start(&image).await?;
        match started {
            Ok(started) => Ok(self.live(started).await),
            Err(error) => {
                let (now, message) = (Timestamp::now(), format!("{error:#}"));
                self.ground.node.events.warning(
                    &self.ground.pod,
                    "Failed",
                    format!("Error: {message}"),
                );
                let (exit_code, reason) = (super::init::START_FAILED, "StartError");
                Ok(Termination {
                    exit_code,
                    reason,
                    message,
                    started: now,
                    finished: now,
                })
            }
        }
    }

    async fn back_off(&mut self, pause: Duration) -> Result<(), Stopped> {
        let PodGround {
            namespace,
            name,
            uid,
            ..
        } = self.ground;
        let (container, pause_text) = (&self.container.name, backoff::text(pause));
        let message = format!(
            "back-off {pause_text} restarting failed container={container} pod={name}_{namespace}({uid})"
        );
        let note = format!(
            "Back-off restarting failed container {container} in pod {name}_{namespace}({uid})"
        );
        self.ground
            .node
            .events
            .warning(&self.ground.pod, "BackOff", note);
        self.report(State::Waiting {
            reason: "CrashLoopBackOff",
            message,
        });
        self.unless_stopped(tokio::time::sleep(pause)).await
    }

    /// Gets the image, however long that takes.
    async fn pull(&mut self) -> Result<Image, Stopped> {
        let ground = self.ground;
        let node = &ground.node;
        let name = self.container.image.as_deref().unwrap_or_default();
        let may_pull = self.container.image_pull_policy.as_deref() != Some("Never");
        let mut backoff = Backoff::default();
        loop {
            let present = node.images.is_present(name);
            let (reason, why) = if present || may_pull {
                if !present {
                    node.events
                        .normal(&ground.pod, "Pulling", format!("Pulling image {name:?}"));
                }
                match self.unless_stopped(node.images.pull(name)).await? {
                    Ok(image) => {
                        if !present {
                            node.events.normal(
                                &ground.pod,
                                "Pulled",
                                format!("Successfully pulled image {name:?}"),
                            );
                        }
                        return Ok(image);
                    }
                    Err(why) => ("ErrImagePull", why),
                }
            } else {
                (
                    "ErrImageNeverPull",
                    format!("Container image {name:?} is not present with pull policy of Never"),
                )
            };
            node.events.warning(
                &ground.pod,
                "Failed",
                format!("Failed to pull image {name:?}: {why}"),
            );
            node.events
                .warning(&ground.pod, "Failed", format!("Error: {reason}"));
            self.report(State::Waiting {
                reason,
                message: why.clone(),
            });
            let pause = backoff.after_failure();
            // Both states are seen by whoever looks: first the error, a moment later that it is waited for.
            self.unless_stopped(tokio::time::sleep(Duration::from_secs(1)))
                .await?;
            if may_pull {
                let message = format!("Back-off pulling image {name:?}: {reason}: {why}");
                node.events
                    .warning(&ground.pod, "Failed", "Error: ImagePullBackOff");
                self.report(State::Waiting {
                    reason: "ImagePullBackOff",
                    message,
                });
            }
            self.unless_stopped(tokio::time::sleep(pause)).await?;
        }
    }

    /// Starts the process; waits for what its environment refers to.
    async fn start(&mut self, image: &Image) -> Result<Result<Started>, Stopped> {
        let ground = self.ground;
        loop {
            match self.unless_stopped(self.assemble(image)).await? {
                Ok((command, mounts)) => return Ok(self.spawn(image, command, mounts).await),
                Err(problem) => {
                    ground.node.events.warning(
                        &ground.pod,
                        "Failed",
                        format!("Error: {}", problem.message()),
                    );
                    self.report(State::Waiting {
                        reason: "CreateContainerConfigError",
                        message: problem.message().to_owned(),
                    });
                    self.unless_stopped(ground.sources.changed(&problem))
                        .await?;
                }
            }
        }
    }

    /// Works out command, environment and mounts.
    async fn assemble(&self, image: &Image) -> Result<(CommandSpec, Vec<MountSpec>), Problem> {
        let (ground, container) = (self.ground, self.container);
        let node = &ground.node;
        let mut environment = image.environment.clone();
        environment.set("HOSTNAME", ground.hostname.as_str());
        let api_server = node.config.api_server;
        let (host, port) = (api_server.ip().to_string(), api_server.port().to_string());
        environment.set("KUBERNETES_SERVICE_HOST", host);
        environment.set("KUBERNETES_SERVICE_PORT", port.as_str());
        environment.set("KUBERNETES_SERVICE_PORT_HTTPS", port);
        environment
            .add_container(container, &ground.facts(), &ground.sources)
            .await?;
        let (mark, instance) = node.config.launcher.mark();
        environment.set(mark, instance.to_string_lossy());

        let mounts = ground
            .volumes
            .lock()
            .await
            .mounts(&ground.pod, container, &environment)?;
        let expand = |texts: &[String]| {
            texts
                .iter()
                .map(|text| environment.expand(text))
                .collect::<Vec<_>>()
        };
        let command = container
            .command
            .as_deref()
            .filter(|command| !command.is_empty());
        let arguments = container
            .args
            .as_deref()
            .filter(|arguments| !arguments.is_empty());
        // A command of the pod's own also replaces the image's arguments.
        let mut argv = command.map_or_else(|| image.entry_point.clone(), expand);
        match (command, arguments) {
            (_, Some(arguments)) => argv.extend(expand(arguments)),
            (None, None) => argv.extend(image.arguments.iter().cloned()),
            (Some(_), None) => {}
        }
        let directory = container
            .working_dir
            .as_deref()
            .filter(|directory| !directory.is_empty());
        let directory = directory.map_or_else(|| image.directory.clone(), PathBuf::from);
        Ok((
            CommandSpec {
                argv,
                environment: environment.into_variables(),
                directory,
            },
            mounts,
        ))
    }

    async fn spawn(
        &mut self,
        image: &Image,
        command: CommandSpec,
        mut mounts: Vec<MountSpec>,
    ) -> Result<Started> {
        let (ground, container) = (self.ground, self.container);
        let node = &ground.node;
        let files = ground.directory.join("containers").join(&container.name);
        let root = files.join("root");
        fs::create_dir_all(&root).with_context(|| format!("cannot make {}", root.display()))?;
        let file = |source: PathBuf, target: &str| MountSpec {
            source,
            target: target.into(),
            read_only: false,
        };
        let termination_log = termination::log_file(&files);
        fs::write(&termination_log, "").context("cannot make the termination log")?;
        let resolver = ground.directory.join("resolv.conf");
        fs::write(&resolver, "").context("cannot make resolv.conf")?;
        mounts.push(file(PodGround::hosts_file(&ground.directory), "/etc/hosts"));
        mounts.push(file(resolver, "/etc/resolv.conf"));
        mounts.push(file(termination_log, termination::path(container)));
        let start = u32::try_from(self.record.restarts).unwrap_or_default();
        let log = logs::log_file(
            &node.config.log_dir,
            &ground.namespace,
            &ground.name,
            &container.name,
            start,
        );
        let pid_file = files.join("pid");
        let failure_file = termination::failure_file(&files);
        for stale in [&pid_file, &failure_file] {
            // Mostly there is none.
            let _ = fs::remove_file(stale);
        }
        let inside = Inside {
            keepers: node.keepers.clone(),
            directory: files.clone(),
            pid_file: pid_file.clone(),
            role: format!("pod-{}-{}", ground.uid, container.name),
            environment: command.environment.clone(),
            working_directory: command.directory.clone(),
        };
        let spec = InitSpec::Run(Box::new(RunSpec {
            node_pid: nix::unistd::getpid().as_raw(),
            network: ground.network.clone(),
            hostname: ground.hostname.clone(),
            root,
            layers: image.layers.clone(),
            host_directories: image.host_directories.clone(),
            mounts,
            command,
            pid_file,
            failure_file,
        }));
        let process = node
            .keepers
            .start(
                &inside.role,
                &spec,
                &files.join("spec.json"),
                create_log(&log)?,
            )
            .await?;
        node.events.normal(
            &ground.pod,
            "Started",
            format!("Started container {}", container.name),
        );
        Ok(Started {
            process,
            inside,
            since: Timestamp::now(),
            log,
        })
    }

    /// Watches the running container until it has ended.
    async fn live(&mut self, started: Started) -> Termination {
        let Started {
            mut process,
            inside,
            since,
            log,
        } = started;
        let PodGround {
            node,
            namespace,
            name,
            ..
        } = self.ground;
        let _running = node.running.enter(namespace, name, &self.container.name);
        self.report(State::Running { since });
        let files = inside.directory.clone();
        let (sender, mut changes) = mpsc::unbounded_channel();
        let mut health = tokio::task::JoinSet::new();
        match Probes::read(self.container, self.ground.ip) {
            Ok(probes) => drop(health.spawn(probes.watch(inside, sender))),
            Err(problem) => self
                .ground
                .node
                .events
                .warning(&self.ground.pod, "Unhealthy", problem),
        }
        let exit_code = loop {
            tokio::select! {
                exit_code = process.ended() => break exit_code,
                Some(change) = changes.recv() => {
                    if self.take(change) {
                        let deadline = Instant::now() + grace(&self.ground.pod);
                        break self.terminate(&mut process, Some(deadline)).await;
                    }
                }
                () = stopped(self.stop.clone()) => break self.terminate(&mut process, None).await,
            }
        };
        termination::read(
            self.container,
            &files,
            &log,
            exit_code,
            since,
            start_failure(&termination::failure_file(&files)),
        )
    }

    /// Takes over what a probe found; returns whether the container has to be restarted.
    fn take(&mut self, change: Change) -> bool {
        let events = &self.ground.node.events;
        match change {
            Change::Started => {
                self.record.startup = Startup::Up;
                self.started.send_replace(true);
            }
            Change::Ready(ready) => {
                if self.record.ready == ready {
                    return false;
                }
                self.record.ready = ready;
            }
            Change::TryFailed(why) => {
                events.warning(&self.ground.pod, "Unhealthy", why);
                return false;
            }
            Change::Unhealthy(why) => {
                let note = format!("Container {} will be restarted: {why}", self.container.name);
                events.normal(&self.ground.pod, "Killing", note);
                return true;
            }
        }
        self.report(self.record.state.clone());
        false
    }

    /// Asks the process to end and makes it end at the deadline, which the pod's own may bring forward.
    async fn terminate(&self, process: &mut Kept, deadline: Option<Instant>) -> i32 {
        process.terminate();
        let mut stop = self.stop.clone();
        loop {
            let pods = *stop.borrow_and_update();
            let Some(at) = pods.into_iter().chain(deadline).min() else {
                return process.ended().await;
            };
            tokio::select! {
                exit_code = process.ended() => return exit_code,
                Ok(()) = stop.changed() => {}
                () = tokio::time::sleep_until(at) => {
                    process.kill();
                    return process.ended().await;
                }
            }
        }
    }

    fn report(&mut self, state: State) {
        self.record.state = state;
        // The receiver outlives the containers.
        let _ = self
            .reports
            .send(Report::Container(Box::new(self.record.clone())));
    }

    fn is_stopped(&self) -> bool {
        self.stop.borrow().is_some()
    }

    /// Awaits something, unless the pod is stopped before.
    async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, Stopped> {
        tokio::select! {
            biased;
            () = stopped(self.stop.clone()) => Err(Stopped),
            result = work => Ok(result),
        }
    }
}

/// Waits until the pod is being stopped.
pub(super) async fn stopped(mut stop: StopSignal) {
    if stop.wait_for(Option::is_some).await.is_err() {
        // The pod's task is gone, and this one is about to be dropped with it.
        std::future::pending::<()>().await;
    }
}

/// Returns how long a pod's containers may take to end.
pub(super) fn grace(pod: &Pod) -> Duration {
    let asked = pod.metadata.deletion_grace_period_seconds;
    let usual = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.termination_grace_period_seconds);
    Duration::from_secs(
        asked
            .or(usual)
            .and_then(|seconds| seconds.try_into().ok())
            .unwrap_or(30),
    )
}
