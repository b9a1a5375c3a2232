//! How a JobManager takes checkpoints and savepoints, and what two operations at once do to each other.

use flink_operator_oracle::history::{End, Snapshot};
use jiff::SignedDuration;

use super::checkpoints::Kind;
use super::files::normalised;
use super::job::{Operation, Progress, Purpose, State, Tasks};
use super::process::{Ground, Happening, JobManager};
use super::program::{Program, StopFailure};

/// A directory that cannot be made is noticed at once.
const REFUSED_WITHIN: SignedDuration = SignedDuration::from_millis(20);

impl JobManager {
    pub(super) fn checkpoint_due(&mut self, index: usize, ground: &mut Ground<'_>) {
        let job = &mut self.jobs[index];
        if job.state != State::Running || job.tasks != Tasks::Running {
            return;
        }
        let (stopping, interval) = (job.pending(Purpose::ends_job).is_some(), job.graph.interval);
        if !stopping {
            let id = job.coordinator.begin(Kind::Checkpoint, ground.now);
            self.schedule_job(
                ground.now + self.pace.checkpoint,
                index,
                Happening::CheckpointDone(id),
            );
        }
        if let Some(interval) = interval {
            self.schedule_job(ground.now + interval, index, Happening::CheckpointDue);
        }
    }

    fn checkpoint_path(&self, job: &str, id: u64) -> String {
        match self
            .conf
            .first(&["execution.checkpointing.dir", "state.checkpoints.dir"])
        {
            Some(directory) => format!("{}/{job}/chk-{id}", normalised(directory)),
            None => super::rest::NOT_ADDRESSABLE.to_owned(),
        }
    }

    pub(super) fn checkpoint_done(&mut self, index: usize, id: u64, ground: &mut Ground<'_>) {
        let now = ground.now;
        if !self.jobs[index].coordinator.in_progress(id) {
            return;
        }
        let path = self.checkpoint_path(&self.jobs[index].graph.job, id);
        let taken = path != super::rest::NOT_ADDRESSABLE
            && ground
                .files
                .snapshots
                .iter()
                .any(|snapshot| snapshot.discarded.is_none() && snapshot.path == path);
        if taken || !ground.files.writable(&path) {
            self.jobs[index]
                .coordinator
                .fail(id, "Failure to finalize checkpoint.", now);
            self.fail_task(index, "org.apache.flink.util.FlinkRuntimeException: Exceeded checkpoint tolerable failure threshold.", ground);
            return;
        }
        let number = self.write(index, &path, id, Kind::Checkpoint, ground);
        let old = self.jobs[index].coordinator.store.replace(number);
        self.jobs[index].coordinator.complete(id, number, now);
        if self.highly_available() {
            let value = ground.files.store_pointer(&self.ha_directory(), number);
            let job = self.jobs[index].graph.job.clone();
            let Some(replaced) = self.layout.store_checkpoint(ground.maps, &job, id, value) else {
                self.exit(1, ground);
                return;
            };
            for value in replaced {
                ground.files.remove_named(&value);
            }
        }
        if let Some(old) = old {
            let moment = ground.moment();
            ground.files.discard(old, moment);
        }
    }

    /// Writes a snapshot of a job's state; gives its number.
    fn write(
        &mut self,
        index: usize,
        path: &str,
        id: u64,
        kind: Kind,
        ground: &mut Ground<'_>,
    ) -> usize {
        let job = &self.jobs[index];
        let progress = job.progress(ground.now);
        let run = job.run.expect("only a running job takes snapshots");
        ground.runs[run].progress = progress;
        let completed = ground.moment();
        ground.files.snapshots.push(Snapshot {
            path: path.to_owned(),
            namespace: self.who.namespace.clone(),
            cluster: self.who.cluster.clone(),
            job: job.graph.job.clone(),
            checkpoint: id,
            savepoint: kind.is_savepoint(),
            stop: kind == Kind::SyncSavepoint,
            progress,
            run,
            completed,
            discarded: None,
        });
        ground.files.snapshots.len() - 1
    }

    /// Takes up an asynchronous operation. The request was accepted already: from here on every failure is
    /// a result, to be asked for.
    pub(super) fn operate(
        &mut self,
        job: &str,
        trigger: &str,
        purpose: Purpose,
        directory: &str,
        ground: &mut Ground<'_>,
    ) {
        let now = ground.now;
        let Some(index) = self
            .jobs
            .iter()
            .position(|candidate| candidate.graph.job == job)
        else {
            return;
        };
        let mut operation = Operation {
            purpose,
            directory: directory.to_owned(),
            checkpoint: None,
            path: None,
            progress: Progress::Pending,
            decided: None,
        };
        if let Some(message) = self.refusal(index, purpose) {
            operation.progress = Progress::Failed(message);
            operation.decided = Some(now);
            let operations = &mut self.jobs[index].operations;
            operations.insert(trigger.to_owned(), operation);
            return;
        }
        if purpose.ends_job() && self.jobs[index].pending(Purpose::ends_job).is_some() {
            operation.progress = Progress::Failed("FailoverRegion is restarting.".to_owned());
            operation.decided = Some(now);
            self.fail_operations(index, "Checkpoint Coordinator is suspending.", ground);
            let operations = &mut self.jobs[index].operations;
            operations.insert(trigger.to_owned(), operation);
            self.fail_task(index, "org.apache.flink.util.FlinkException: Stop with savepoint was disturbed by another one.", ground);
            return;
        }
        if purpose.ends_job() {
            self.fail_operations(index, "Checkpoint Coordinator is suspending.", ground);
        }
        let takes = if purpose == Purpose::Checkpoint {
            self.pace.checkpoint
        } else if ground.files.writable(directory) {
            operation.path = Some(begin_writing(job, directory, ground));
            let arguments = self.jobs[index].graph.arguments.clone();
            let program = Program::parse(arguments);
            program.snapshot_takes.unwrap_or(self.pace.savepoint)
        } else {
            REFUSED_WITHIN
        };
        let target = &mut self.jobs[index];
        operation.checkpoint = Some(target.coordinator.begin(kind_of(purpose), now));
        target.operations.insert(trigger.to_owned(), operation);
        // Lost tasks are asked all the same: nobody has noticed, and nobody will answer.
        if target.tasks != Tasks::Lost {
            self.schedule_job(
                now + takes,
                index,
                Happening::OperationDone(trigger.to_owned()),
            );
        }
    }

    /// Says why an operation cannot even begin.
    fn refusal(&self, index: usize, purpose: Purpose) -> Option<String> {
        let target = &self.jobs[index];
        let at_work = matches!(target.tasks, Tasks::Running | Tasks::Lost);
        let forgets = self.who.version.forgets_failed_jobs();
        if target.state == State::Failed && !forgets && purpose != Purpose::Checkpoint {
            Some("java.lang.IllegalStateException: Stop with savepoint operation is not supported: the job is not a streaming job.".to_owned())
        } else if target.state.terminal() {
            Some(format!(
                "org.apache.flink.runtime.messages.FlinkJobNotFoundException: Could not find Flink job ({})",
                target.graph.job
            ))
        } else if !at_work || target.state != State::Running {
            Some("org.apache.flink.runtime.checkpoint.CheckpointException: Checkpoint triggering task Source: numbers (1/1) of job is not being executed at the moment. Aborting checkpoint. Failure reason: Not all required tasks are currently running.".to_owned())
        } else if self.conf.adaptive_scheduler()
            && purpose.ends_job()
            && target.pending(Purpose::ends_job).is_some()
        {
            Some("org.apache.flink.runtime.checkpoint.CheckpointException: The Flink job is currently not executing.".to_owned())
        } else {
            None
        }
    }

    pub(super) fn operation_done(&mut self, index: usize, trigger: &str, ground: &mut Ground<'_>) {
        let Some(operation) = self.jobs[index].operations.get(trigger).cloned() else {
            return;
        };
        let Some(id) = operation
            .checkpoint
            .filter(|_| operation.progress == Progress::Pending)
        else {
            return;
        };
        if operation.purpose == Purpose::Checkpoint {
            self.checkpoint_done(index, id, ground);
            if self.jobs[index].coordinator.in_progress(id) {
                return;
            }
            self.decide(index, trigger, Progress::Done(String::new()), ground);
            return;
        }
        let stop_fails = Program::parse(self.jobs[index].graph.arguments.clone()).stop_fails;
        let path = operation
            .path
            .filter(|_| ground.files.writable(&operation.directory));
        let Some(path) = path else {
            let message = format!(
                "org.apache.flink.runtime.checkpoint.CheckpointException: An Exception occurred while triggering the checkpoint. IO-problem detected.\nCaused by: java.io.IOException: Failed to create savepoint directory at {}",
                operation.directory
            );
            self.refuse(index, trigger, id, &message, ground);
            return;
        };
        if operation.purpose == Purpose::Stop && stop_fails == Some(StopFailure::WhileSaving) {
            self.refuse(index, trigger, id, "Task has failed.", ground);
            self.fail_task(
                index,
                "java.lang.RuntimeException: asked to fail in snapshotState",
                ground,
            );
            return;
        }
        let kind = kind_of(operation.purpose);
        let number = self.write(index, &path, id, kind, ground);
        self.jobs[index]
            .coordinator
            .complete(id, number, ground.now);
        if operation.purpose == Purpose::Stop && stop_fails == Some(StopFailure::AfterSaving) {
            self.stop_spoiled(index, trigger, &path, ground);
            return;
        }
        self.decide(index, trigger, Progress::Done(path), ground);
        match operation.purpose {
            Purpose::Stop => {
                self.complete_savepoints(index, ground);
                self.end_job(index, End::Finished, ground);
            }
            Purpose::SavepointAndCancel => self.cancel(index, ground),
            Purpose::Savepoint | Purpose::Checkpoint => {}
        }
    }

    /// Savepoints that were asked for while a stop was under way are complete before the job ends.
    fn complete_savepoints(&mut self, index: usize, ground: &mut Ground<'_>) {
        let of_job = self.jobs[index].operations.iter();
        let begun: Vec<String> = of_job
            .filter(|(_, operation)| {
                operation.progress == Progress::Pending && operation.purpose == Purpose::Savepoint
            })
            .map(|(trigger, _)| trigger.clone())
            .collect();
        for trigger in begun {
            self.operation_done(index, &trigger, ground);
        }
    }

    /// The savepoint is there, but a task failed while ending.
    fn stop_spoiled(&mut self, index: usize, trigger: &str, path: &str, ground: &mut Ground<'_>) {
        let job = self.jobs[index].graph.job.clone();
        if self.who.version.names_savepoint_of_failed_stop() {
            let message = format!(
                "org.apache.flink.runtime.scheduler.stopwithsavepoint.StopWithSavepointStoppingException: A savepoint has been created at: {path}, but the corresponding job {job} failed during stopping. The savepoint is consistent, but might have uncommitted transactions. If you want to commit the transaction please restart a job from this savepoint."
            );
            self.decide(index, trigger, Progress::Failed(message.clone()), ground);
            self.fail_job(index, &message, ground);
        } else {
            let message = "org.apache.flink.util.FlinkException: Inconsistent execution state after stopping with savepoint.";
            self.decide(index, trigger, Progress::Failed(message.to_owned()), ground);
            self.fail_task(index, message, ground);
        }
    }

    fn refuse(
        &mut self,
        index: usize,
        trigger: &str,
        id: u64,
        message: &str,
        ground: &mut Ground<'_>,
    ) {
        self.jobs[index].coordinator.fail(id, message, ground.now);
        self.decide(index, trigger, Progress::Failed(message.to_owned()), ground);
    }

    fn decide(&mut self, index: usize, trigger: &str, progress: Progress, ground: &mut Ground<'_>) {
        if let Some(operation) = self.jobs[index].operations.get_mut(trigger) {
            operation.progress = progress;
            operation.decided = Some(ground.now);
            if let Some(path) = &operation.path {
                ground.files.unfinished.remove(path);
            }
        }
    }
}

const fn kind_of(purpose: Purpose) -> Kind {
    match purpose {
        Purpose::Stop => Kind::SyncSavepoint,
        Purpose::Savepoint | Purpose::SavepointAndCancel => Kind::Savepoint,
        Purpose::Checkpoint => Kind::Checkpoint,
    }
}

/// Makes the directory of a savepoint; gives its path.
fn begin_writing(job: &str, directory: &str, ground: &mut Ground<'_>) -> String {
    let short: String = job.chars().take(6).collect();
    let path = format!(
        "{}/savepoint-{short}-{}",
        normalised(directory),
        ground.files.next_name()
    );
    ground.files.unfinished.insert(path.clone());
    path
}
