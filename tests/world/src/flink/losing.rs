//! How a JobManager loses TaskManagers: the work ends at once, the notice comes later.

use flink_operator_oracle::history::End;
use jiff::SignedDuration;

use super::job::{Purpose, State, Tasks};
use super::process::{Ground, Happening, JobManager};

/// What is said when the TaskManagers of a job are lost.
pub(super) const LOST: &str =
    "org.apache.flink.runtime.jobmaster.JobMasterException: TaskManager is no longer reachable.";
/// A checkpoint that nobody answers for is given up after this time, unless the configuration says another.
const CHECKPOINT_TIMEOUT: SignedDuration = SignedDuration::from_mins(10);

impl JobManager {
    /// The TaskManagers of a job are gone: nothing of it works any more, and no snapshot under way will complete.
    pub(super) fn lose_tasks_of(&mut self, index: usize, ground: &mut Ground<'_>) {
        if self.jobs[index].state != State::Running {
            return;
        }
        self.end_run(index, End::Restarted, ground);
        let job = &mut self.jobs[index];
        job.tasks = Tasks::Lost;
        job.epoch += 1;
        // The adaptive scheduler keeps a stop under way until its savepoint is decided.
        let stopping = job.pending(Purpose::ends_job).is_some();
        let within = if stopping && self.conf.adaptive_scheduler() {
            let configured = self.conf.duration(&["execution.checkpointing.timeout"]);
            configured.unwrap_or(CHECKPOINT_TIMEOUT)
        } else {
            self.pace.notice
        };
        self.schedule_job(ground.now + within, index, Happening::LossNoticed);
    }

    /// The loss is noticed. Snapshots under way fail when the job starts again, not before.
    pub(super) fn loss_noticed(&mut self, index: usize, ground: &mut Ground<'_>) {
        self.begin_restart(index, LOST, ground);
    }

    /// The adaptive scheduler ends a job for which it never got enough slots.
    pub(super) fn give_up_slots(&mut self, index: usize, ground: &mut Ground<'_>) {
        if self.jobs[index].state == State::Created {
            let message = "org.apache.flink.runtime.jobmanager.scheduler.NoResourceAvailableException: Not enough resources available for scheduling.";
            self.fail_job(index, message, ground);
        }
    }

    /// Fails all operations of a job that are under way, and removes what they had begun to write.
    pub(super) fn fail_operations(&mut self, index: usize, message: &str, ground: &mut Ground<'_>) {
        for begun in self.jobs[index].fail_pending(message, ground.now) {
            ground.files.unfinished.remove(&begun);
        }
    }
}
