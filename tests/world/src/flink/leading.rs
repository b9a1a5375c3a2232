//! How a process becomes leader, recovers jobs from HA metadata, and runs the application's `main`.

use flink_operator_oracle::history::End;
use jiff::{SignedDuration, Timestamp};

use super::files::{Graph, Lease, Written};
use super::job::{Job, State};
use super::process::{Event, Ground, JobManager, Phase};

impl JobManager {
    /// Gives the key under which the cluster's lease is kept.
    pub(super) fn lease_key(&self) -> String {
        format!("{}/{}", self.who.namespace, self.who.cluster)
    }

    /// Gives the name under which this process holds leases.
    pub(super) fn holder(&self) -> String {
        format!("{}-{}", self.who.pod_uid, self.who.container)
    }

    pub(super) fn highly_available(&self) -> bool {
        self.conf.high_availability()
    }

    pub(super) fn try_to_lead(&mut self, ground: &mut Ground<'_>) {
        if self.highly_available() {
            let key = self.lease_key();
            let free_at = match ground.files.leases.get(&key) {
                None => None,
                Some(lease) if lease.holder == self.holder() => None,
                Some(Lease {
                    until: Some(until), ..
                }) => Some(*until).filter(|until| *until > ground.now),
                // Its holder lives: look again after a retry period.
                Some(Lease { until: None, .. }) => Some(ground.now + SignedDuration::from_secs(5)),
            };
            if let Some(at) = free_at {
                self.schedule(at, Event::Elect);
                return;
            }
            ground.files.leases.insert(
                key,
                Lease {
                    holder: self.holder(),
                    until: None,
                },
            );
            self.layout.elect(ground.maps, &self.holder(), ground.now);
            self.label_maps_soon(ground.now);
        }
        self.phase = Phase::Leading { since: ground.now };
        let main = self.program.main.unwrap_or(self.pace.main);
        self.schedule(ground.now + main, Event::MainDone);
        self.recover(ground);
    }

    pub(super) fn label_maps_soon(&mut self, now: Timestamp) {
        if self.who.version.labels_maps_late() {
            self.schedule(now + SignedDuration::from_millis(100), Event::LabelMaps);
        }
    }

    /// Starts the jobs whose graphs are in the HA maps, whatever the configuration says now.
    fn recover(&mut self, ground: &mut Ground<'_>) {
        if !self.highly_available() {
            return;
        }
        if self.who.version.has_result_store() && self.results_torn(ground) {
            self.exit(1, ground);
            return;
        }
        for (job, value) in self.layout.graphs(ground.maps) {
            if self.result(&job, ground).is_some() {
                continue;
            }
            let Some(graph) = ground.files.graph(&value).cloned() else {
                self.exit(239, ground);
                return;
            };
            self.register(graph, true, ground);
        }
    }

    fn results_torn(&self, ground: &Ground<'_>) -> bool {
        let prefix = format!("{}/", self.result_directory());
        ground
            .files
            .results
            .iter()
            .any(|(file, o)| file.starts_with(&prefix) && o.written == Written::Torn)
    }

    /// Gives the directory of the job result store.
    pub(super) fn result_directory(&self) -> String {
        let storage = self
            .conf
            .text("high-availability.storageDir")
            .unwrap_or("file:///ha");
        self.conf.text("job-result-store.storage-path").map_or_else(
            || format!("{storage}/job-result-store/{}", self.who.cluster),
            str::to_owned,
        )
    }

    /// Finds how a job ended in an earlier process, if that is remembered.
    pub(super) fn result(
        &self,
        job: &str,
        ground: &Ground<'_>,
    ) -> Option<(End, Written, Timestamp)> {
        if !self.highly_available() || !self.who.version.has_result_store() {
            return None;
        }
        let file = format!("{}/{job}.json", self.result_directory());
        ground
            .files
            .results
            .get(&file)
            .map(|outcome| (outcome.end, outcome.written, outcome.at))
    }

    /// `main` has returned: its job is submitted, unless there is a reason not to.
    pub(super) fn submit(&mut self, ground: &mut Ground<'_>) {
        let graph = self.graph(ground);
        if self.program.fails_in_main {
            self.main_failed("org.apache.flink.client.program.ProgramInvocationException: The main method caused an error", graph, ground);
            return;
        }
        if let Some((end, written, at)) = self.result(&graph.job, ground) {
            if written == Written::Dirty {
                if self.who.version.survives_failed_start() {
                    self.jobs
                        .push(Job::record(graph.clone(), state_of(end), at));
                }
                self.commit_result(&graph.job, ground);
            }
            return;
        }
        if self.jobs.iter().any(|job| job.graph.job == graph.job) {
            return;
        }
        if !self.jobs.is_empty() && self.who.version.refuses_foreign_jobs() {
            for index in 0..self.jobs.len() {
                self.fail_job(
                    index,
                    "Base job ID is not found in the recovered jobs",
                    ground,
                );
            }
            let mut driver = Job::record(graph, State::Failed, ground.now);
            "(application driver)".clone_into(&mut driver.graph.name);
            self.jobs.push(driver);
            return;
        }
        self.register(graph, false, ground);
    }

    /// Builds the graph that `main` submits.
    fn graph(&self, ground: &mut Ground<'_>) -> Graph {
        let job = self.conf.text("$internal.pipeline.job-id").map_or_else(
            || {
                format!(
                    "{}{}{}",
                    ground.files.next_name(),
                    ground.files.next_name(),
                    "00000000"
                )
            },
            str::to_owned,
        );
        Graph {
            job,
            name: self
                .conf
                .text("pipeline.name")
                .unwrap_or("Flink Streaming Job")
                .to_owned(),
            parallelism: self.conf.number("parallelism.default", 1),
            interval: self.conf.duration(&["execution.checkpointing.interval"]),
            savepoint_path: self
                .conf
                .first(&["execution.state-recovery.path", "execution.savepoint.path"])
                .map(str::to_owned),
            arguments: self.program.arguments.clone(),
        }
    }

    fn main_failed(&mut self, message: &str, graph: Graph, ground: &mut Ground<'_>) {
        let records = self
            .conf
            .flag("execution.submit-failed-job-on-application-error", false);
        if records && self.who.version.has_result_store() {
            let mut job = Job::new(graph, ground.now);
            "(application driver)".clone_into(&mut job.graph.name);
            job.placeholder = true;
            self.jobs.push(job);
            let index = self.jobs.len() - 1;
            self.fail_job(index, message, ground);
        } else if !self.who.version.survives_failed_start() {
            self.schedule(ground.now + self.pace.shutdown, Event::Shutdown(2));
        }
    }

    /// Tells whether the end of the application makes the process remove its own cluster.
    pub(super) fn shuts_down_cluster(&self) -> bool {
        self.who.version.always_shuts_down()
            || self
                .conf
                .flag("execution.shutdown-on-application-finish", true)
    }
}

/// Gives the state that a result stands for.
fn state_of(end: End) -> State {
    match end {
        End::Finished => State::Finished,
        End::Canceled => State::Canceled,
        End::Failed | End::Killed | End::Restarted => State::Failed,
    }
}
