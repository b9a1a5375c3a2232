//! How a JobManager moves its jobs: registration, restore, tasks, restarts, ends.

use flink_operator_oracle::history::{End, Restored, Run};
use jiff::{SignedDuration, Timestamp};

use super::checkpoints::RestoredFrom;
use super::files::{Graph, Outcome, Written};
use super::job::{Job, Problem, State, Tasks};
use super::process::{Demand, Event, Ground, Happening, JobManager};
use super::program::Program;

/// Idle TaskManagers are kept this long.
const IDLE_WORKERS: SignedDuration = SignedDuration::from_secs(30);
/// The adaptive scheduler waits this long for slots.
const SLOTS_WITHIN: SignedDuration = SignedDuration::from_mins(5);
/// A requested TaskManager that never shows up is requested again after this time.
const REQUEST_AGAIN: SignedDuration = SignedDuration::from_secs(5);
/// A crash this soon after a job's end leaves an empty result file.
const TORN: SignedDuration = SignedDuration::from_millis(100);

/// What a job starts from.
enum Origin {
    Nothing,
    Snapshot { index: usize, from_ha: bool },
    Unreadable { pointer: bool, message: String },
}

impl JobManager {
    /// Takes a job in: a new one, or one recovered from its graph.
    pub(super) fn register(&mut self, graph: Graph, recovered: bool, ground: &mut Ground<'_>) {
        if self.highly_available() {
            let directory = self.ha_directory();
            let word = if self.who.version.since(2, 0) {
                "ExecutionPlan"
            } else {
                "JobGraph"
            };
            let value =
                (!recovered).then(|| ground.files.store_graph(&directory, word, graph.clone()));
            self.layout
                .register(ground.maps, &graph.job, value, &self.holder());
            self.label_maps_soon(ground.now);
        }
        self.jobs.push(Job::new(graph, ground.now));
        self.schedule_job(
            ground.now + self.pace.initializing,
            self.jobs.len() - 1,
            Happening::Initialized,
        );
    }

    pub(super) fn ha_directory(&self) -> String {
        let storage = self
            .conf
            .text("high-availability.storageDir")
            .unwrap_or("file:///ha");
        format!("{storage}/{}", self.who.cluster)
    }

    pub(super) fn happen_to_job(&mut self, index: usize, what: Happening, ground: &mut Ground<'_>) {
        match what {
            Happening::Initialized => self.initialize(index, ground),
            Happening::TasksUp => self.tasks_up(index, ground),
            Happening::CheckpointDue => self.checkpoint_due(index, ground),
            Happening::CheckpointDone(id) => self.checkpoint_done(index, id, ground),
            Happening::OperationDone(trigger) => self.operation_done(index, &trigger, ground),
            Happening::Canceled => self.end_job(index, End::Canceled, ground),
            Happening::LossNoticed => self.loss_noticed(index, ground),
            Happening::SlotsGivenUp => self.give_up_slots(index, ground),
            Happening::Restart => self.restart(index, ground),
            Happening::FinishDue => self.end_job(index, End::Finished, ground),
            Happening::FailDue => {
                self.fail_task(index, "java.lang.RuntimeException: asked to fail", ground);
            }
        }
    }

    /// Looks where the state of a starting job is: HA metadata first, then the configured path.
    fn origin(&self, index: usize, ground: &Ground<'_>) -> Origin {
        let graph = &self.jobs[index].graph;
        if self.highly_available()
            && let Some((_, value)) = self.layout.newest_checkpoint(ground.maps, &graph.job)
        {
            return match ground.files.pointed(&value) {
                Some(index) => Origin::Snapshot { index, from_ha: true },
                None => Origin::Unreadable {
                    pointer: true,
                    message: "org.apache.flink.util.FlinkException: Could not retrieve checkpoint from state handle".to_owned(),
                },
            };
        }
        let Some(path) = &graph.savepoint_path else {
            return Origin::Nothing;
        };
        match ground.files.readable(path) {
            Some(index) => Origin::Snapshot {
                index,
                from_ha: false,
            },
            None => Origin::Unreadable {
                pointer: false,
                message: ground.files.complaint(path),
            },
        }
    }

    fn initialize(&mut self, index: usize, ground: &mut Ground<'_>) {
        let origin = match self.origin(index, ground) {
            Origin::Unreadable { pointer, message } => {
                self.fail_job(index, &message, ground);
                // A path that leads nowhere ends the 1.x process; its result decides what the next one does.
                if !pointer && !self.who.version.survives_failed_start() {
                    self.schedule(ground.now + self.pace.shutdown, Event::Shutdown(2));
                }
                return;
            }
            Origin::Nothing => None,
            Origin::Snapshot { index, from_ha } => Some((index, from_ha)),
        };
        self.begin_run(index, origin, ground);
    }

    /// Starts a run of a job from a snapshot, or from nothing.
    fn begin_run(&mut self, index: usize, origin: Option<(usize, bool)>, ground: &mut Ground<'_>) {
        let started = ground.moment();
        let job = &mut self.jobs[index];
        let restored = origin.map(|(number, from_ha)| {
            let snapshot = &ground.files.snapshots[number];
            let count = job
                .coordinator
                .restored
                .as_ref()
                .map_or(0, |restored| restored.count)
                + 1;
            job.coordinator.restored = Some(RestoredFrom {
                id: snapshot.checkpoint,
                at: ground.now,
                is_savepoint: snapshot.savepoint || !from_ha,
                snapshot: number,
                count,
            });
            job.coordinator.next = job.coordinator.next.max(snapshot.checkpoint + 1);
            if from_ha {
                job.coordinator.store = Some(number);
            }
            Restored {
                path: snapshot.path.clone(),
                checkpoint: snapshot.checkpoint,
                progress: snapshot.progress,
                from_ha,
            }
        });
        job.base = restored.as_ref().map_or(0, |restored| restored.progress);
        job.run = Some(ground.runs.len());
        ground.runs.push(Run {
            namespace: self.who.namespace.clone(),
            cluster: self.who.cluster.clone(),
            deployment: self.who.deployment.clone(),
            pod: self.who.pod_uid.clone(),
            container: self.who.container,
            job: job.graph.job.clone(),
            started,
            working: None,
            ended: None,
            progress: job.base,
            restored,
        });
        job.enter(State::Created, ground.now);
        job.tasks = Tasks::Scheduled;
        if self.conf.adaptive_scheduler() {
            self.schedule_job(ground.now + SLOTS_WITHIN, index, Happening::SlotsGivenUp);
        } else {
            self.jobs[index].enter(State::Running, ground.now);
        }
    }

    /// Requests TaskManagers for waiting jobs and notices lost ones.
    pub(super) fn tend_workers(&mut self, ground: &mut Ground<'_>) {
        let slots = self.conf.number("taskmanager.numberOfTaskSlots", 1).max(1);
        let registered = |since: Timestamp| since + self.pace.registering;
        let ready = ground
            .workers
            .iter()
            .filter(|w| {
                w.running
                    .is_some_and(|since| registered(since) <= ground.now)
            })
            .count();
        let soon: Vec<Timestamp> = ground
            .workers
            .iter()
            .filter_map(|w| w.running.map(registered))
            .filter(|at| *at > ground.now)
            .collect();
        let mut needed = 0;
        for index in 0..self.jobs.len() {
            let wanted =
                usize::try_from(self.jobs[index].graph.parallelism.div_ceil(slots)).unwrap_or(1);
            match self.jobs[index].tasks {
                Tasks::None | Tasks::Ended => {}
                Tasks::Scheduled if ready >= wanted => {
                    self.jobs[index].tasks = Tasks::Deploying;
                    if self.jobs[index].state == State::Created {
                        self.jobs[index].enter(State::Running, ground.now);
                    }
                    self.schedule_job(ground.now + self.pace.deploying, index, Happening::TasksUp);
                    needed += wanted;
                }
                Tasks::Deploying | Tasks::Running if ready < wanted => {
                    self.lose_tasks_of(index, ground);
                    needed += wanted;
                }
                Tasks::Scheduled | Tasks::Deploying | Tasks::Running | Tasks::Lost => {
                    needed += wanted;
                }
            }
        }
        for at in soon {
            if !self
                .agenda
                .iter()
                .any(|((due, _), event)| *due == at && *event == Event::Look)
            {
                self.schedule(at, Event::Look);
            }
        }
        self.request_workers(needed, ground);
    }

    fn request_workers(&mut self, needed: usize, ground: &mut Ground<'_>) {
        self.requested.retain(|name, at| {
            !ground.workers.iter().any(|worker| worker.name == *name)
                && *at + REQUEST_AGAIN > ground.now
        });
        let missing = needed.saturating_sub(ground.workers.len() + self.requested.len());
        for _ in 0..missing {
            self.workers_asked += 1;
            let name = format!(
                "{}-taskmanager-{}-{}",
                self.who.cluster,
                self.who.container + 1,
                self.workers_asked
            );
            self.requested.insert(name.clone(), ground.now);
            ground.demands.push(Demand::StartWorker(name));
            self.schedule(ground.now + REQUEST_AGAIN, Event::Look);
        }
    }

    fn tasks_up(&mut self, index: usize, ground: &mut Ground<'_>) {
        let moment = ground.moment();
        let now = ground.now;
        let job = &mut self.jobs[index];
        if job.tasks != Tasks::Deploying {
            return;
        }
        job.tasks = Tasks::Running;
        job.working = Some(now);
        if let Some(run) = job.run {
            ground.runs[run].working = Some(moment);
        }
        let (base, interval) = (job.base, job.graph.interval);
        let program = Program::parse(job.graph.arguments.clone());
        if let Some(interval) = interval {
            self.schedule_job(now + interval, index, Happening::CheckpointDue);
        }
        let left = |at: SignedDuration| {
            at.checked_sub(SignedDuration::from_millis(
                i64::try_from(base).unwrap_or(i64::MAX),
            ))
            .unwrap_or(at)
        };
        if let Some(at) = program.finish_at {
            self.schedule_job(
                now + left(at).max(SignedDuration::ZERO),
                index,
                Happening::FinishDue,
            );
        }
        if let Some(at) = program
            .fail_at
            .map(left)
            .filter(SignedDuration::is_positive)
        {
            self.schedule_job(now + at, index, Happening::FailDue);
        }
    }

    /// A task fails: the job starts again from its newest checkpoint, or ends if it may not.
    pub fn fail_task(&mut self, index: usize, message: &str, ground: &mut Ground<'_>) {
        if self.begin_restart(index, message, ground) {
            self.fail_operations(index, "FailoverRegion is restarting", ground);
            let coordinator = &mut self.jobs[index].coordinator;
            coordinator.abort_all("Checkpoint Coordinator is suspending.", ground.now);
        }
    }

    /// Takes the failure of a task up; tells whether the job will start again. What is under way is not decided yet.
    pub(super) fn begin_restart(
        &mut self,
        index: usize,
        message: &str,
        ground: &mut Ground<'_>,
    ) -> bool {
        let restarts = self.jobs[index].graph.interval.is_some()
            || self
                .conf
                .first(&["restart-strategy.type", "restart-strategy"])
                .is_some_and(|s| s != "none");
        if self.jobs[index].state != State::Running {
            return false;
        }
        if !restarts {
            self.fail_job(index, message, ground);
            return false;
        }
        self.end_run(index, End::Restarted, ground);
        let now = ground.now;
        let job = &mut self.jobs[index];
        job.problems
            .push(problem(message, Some("Source: numbers (1/1)"), now));
        job.enter(State::Restarting, now);
        job.tasks = Tasks::None;
        job.epoch += 1;
        self.schedule_job(now + self.pace.restart, index, Happening::Restart);
        true
    }

    fn restart(&mut self, index: usize, ground: &mut Ground<'_>) {
        self.fail_operations(index, "FailoverRegion is restarting", ground);
        let job = &mut self.jobs[index];
        job.coordinator
            .abort_all("Checkpoint Coordinator is suspending.", ground.now);
        job.restarts += 1;
        let coordinator = &self.jobs[index].coordinator;
        let newest = coordinator.store.map(|number| (number, true));
        let origin = newest.or_else(|| {
            coordinator
                .restored
                .as_ref()
                .map(|restored| (restored.snapshot, false))
        });
        if let Some((number, _)) = origin
            && ground.files.snapshots[number].discarded.is_some()
        {
            self.fail_job(
                index,
                "java.io.FileNotFoundException: the state of the checkpoint is gone",
                ground,
            );
            return;
        }
        self.begin_run(index, origin, ground);
    }

    /// A job ends by a failure.
    pub fn fail_job(&mut self, index: usize, message: &str, ground: &mut Ground<'_>) {
        if self.jobs[index].state.terminal() {
            return;
        }
        let now = ground.now;
        self.jobs[index].problems.push(problem(message, None, now));
        self.end_job(index, End::Failed, ground);
    }

    /// Cancels a job.
    pub(super) fn cancel(&mut self, index: usize, ground: &mut Ground<'_>) {
        let now = ground.now;
        self.fail_operations(index, "CheckpointCoordinator shutdown.", ground);
        let job = &mut self.jobs[index];
        job.enter(State::Cancelling, now);
        job.epoch += 1;
        self.schedule_job(now + self.pace.cancel, index, Happening::Canceled);
    }

    /// Ends the current run of a job, if there is one.
    pub(super) fn end_run(&mut self, index: usize, end: End, ground: &mut Ground<'_>) {
        let now = ground.now;
        let job = &mut self.jobs[index];
        job.base = job.progress(now);
        job.working = None;
        if let Some(run) = job.run.take() {
            let moment = ground.moment();
            let run = &mut ground.runs[run];
            run.progress = self.jobs[index].base;
            run.ended = Some((moment, end));
        }
    }

    /// A job ends for good.
    pub fn end_job(&mut self, index: usize, end: End, ground: &mut Ground<'_>) {
        if self.jobs[index].state.terminal() {
            return;
        }
        self.end_run(index, end, ground);
        let now = ground.now;
        let state = match end {
            End::Finished => State::Finished,
            End::Canceled => State::Canceled,
            End::Failed | End::Killed | End::Restarted => State::Failed,
        };
        let job = &mut self.jobs[index];
        job.enter(state, now);
        job.end = Some(now);
        job.tasks = Tasks::Ended;
        job.epoch += 1;
        self.fail_operations(index, "CheckpointCoordinator shutdown.", ground);
        let job = &mut self.jobs[index];
        job.coordinator
            .abort_all("Checkpoint Coordinator is shutting down.", now);
        let id = job.graph.job.clone();
        self.drop_checkpoint(index, end, ground);
        if self.highly_available() {
            for value in self.layout.forget(ground.maps, &id) {
                ground.files.remove_named(&value);
            }
            if self.who.version.has_result_store() {
                let file = format!("{}/{id}.json", self.result_directory());
                ground.files.results.insert(
                    file,
                    Outcome {
                        end,
                        at: now,
                        written: Written::Dirty,
                    },
                );
                self.ending.insert(id.clone());
                self.schedule(now + self.pace.cleanup, Event::CleanedUp(id));
            }
        }
        self.schedule(now + IDLE_WORKERS, Event::ReleaseWorkers);
        if self.jobs.iter().all(|job| job.state.terminal()) {
            if self.who.version.always_shuts_down() {
                self.layout.forget_all(ground.maps);
            }
            if self.shuts_down_cluster() {
                let code = i32::from(end == End::Failed) * 2;
                self.schedule(now + self.pace.shutdown, Event::Shutdown(code));
            }
        }
    }

    /// Keeps or removes the last checkpoint of an ended job, as its retention says.
    fn drop_checkpoint(&mut self, index: usize, end: End, ground: &mut Ground<'_>) {
        let retention = self
            .conf
            .first(&[
                "execution.checkpointing.externalized-checkpoint-retention",
                "execution.checkpointing.externalized-checkpoint-retention-mode",
            ])
            .unwrap_or("NO_EXTERNALIZED_CHECKPOINTS")
            .to_owned();
        let kept = match end {
            End::Finished => false,
            End::Canceled => retention == "RETAIN_ON_CANCELLATION",
            End::Failed | End::Killed | End::Restarted => {
                retention != "NO_EXTERNALIZED_CHECKPOINTS"
            }
        };
        if let Some(number) = self.jobs[index].coordinator.store.filter(|_| !kept) {
            let moment = ground.moment();
            ground.files.discard(number, moment);
        }
    }

    /// Finishes the clean-up after a job's end.
    pub(super) fn commit_result(&mut self, job: &str, ground: &mut Ground<'_>) {
        self.ending.remove(job);
        let file = format!("{}/{job}.json", self.result_directory());
        if self.conf.flag("job-result-store.delete-on-commit", true) {
            ground.files.results.remove(&file);
        } else if let Some(outcome) = ground.files.results.get_mut(&file) {
            outcome.written = Written::Clean;
        }
    }

    /// Leaves the traces of a crash in the middle of a clean-up.
    pub(super) fn tear_results(&mut self, ground: &mut Ground<'_>) {
        for job in &self.ending {
            let file = format!("{}/{job}.json", self.result_directory());
            if let Some(outcome) = ground.files.results.get_mut(&file)
                && ground.now.duration_since(outcome.at) < TORN
                && !self.who.version.since(2, 0)
            {
                outcome.written = Written::Torn;
            }
        }
    }
}

fn problem(message: &str, task: Option<&str>, at: Timestamp) -> Problem {
    let (class, _) = message
        .split_once(": ")
        .unwrap_or(("java.lang.Exception", message));
    Problem {
        at,
        class: class.to_owned(),
        message: message.to_owned(),
        task: task.map(str::to_owned),
    }
}
