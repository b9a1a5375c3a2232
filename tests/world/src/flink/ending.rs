//! How a process ends, or is stopped for a while.

use flink_operator_oracle::history::End;
use jiff::SignedDuration;

use super::files::Lease;
use super::losing::LOST;
use super::process::{Demand, Event, Ground, JobManager, Phase};

impl JobManager {
    /// Stops when somebody has deleted the maps it leads by.
    pub(super) fn watch_ha_maps(&mut self, ground: &mut Ground<'_>) {
        if !self.highly_available() || !self.ending.is_empty() {
            return;
        }
        let ended = self.who.version.always_shuts_down()
            && self.jobs.iter().all(|job| job.state.terminal());
        if !ended && !ground.maps.0.contains_key(&self.layout.graph_map()) {
            self.exit(1, ground);
        }
    }

    /// Ends the process from within.
    pub(crate) fn exit(&mut self, code: i32, ground: &mut Ground<'_>) {
        ground.demands.push(Demand::Exit(code));
        self.die(false, ground);
    }

    /// Ends the process: in good order (SIGTERM), or at once (SIGKILL, a crash).
    pub fn die(&mut self, orderly: bool, ground: &mut Ground<'_>) {
        if self.phase == Phase::Ended {
            return;
        }
        for index in 0..self.jobs.len() {
            // What was begun stays behind: nobody is left to remove it.
            drop(self.jobs[index].fail_pending("JobMaster terminated", ground.now));
            self.end_run(index, End::Killed, ground);
        }
        let key = self.lease_key();
        let holds = ground
            .files
            .leases
            .get(&key)
            .is_some_and(|lease| lease.holder == self.holder());
        if holds && matches!(self.phase, Phase::Leading { .. }) {
            if orderly {
                self.layout.resign(ground.maps);
            }
            if orderly && self.who.version.releases_lease() {
                ground.files.leases.remove(&key);
            } else {
                let until = Some(ground.now + self.pace.lease);
                ground.files.leases.insert(
                    key,
                    Lease {
                        holder: self.holder(),
                        until,
                    },
                );
            }
        }
        self.tear_results(ground);
        self.agenda.clear();
        self.phase = Phase::Ended;
    }

    /// Stops the process without ending it (SIGSTOP): its lease runs out, its TaskManagers go on.
    pub fn freeze(&mut self, ground: &mut Ground<'_>) {
        self.frozen = true;
        let key = self.lease_key();
        if let Some(lease) = ground
            .files
            .leases
            .get_mut(&key)
            .filter(|lease| lease.holder == self.holder())
        {
            lease.until = Some(ground.now + self.pace.lease);
        }
    }

    /// Lets a stopped process go on. If somebody else leads meanwhile it gives up its jobs and touches nothing.
    pub fn thaw(&mut self, ground: &mut Ground<'_>) {
        let stood_still = std::mem::take(&mut self.frozen);
        // Who does not lead yet has neither a lease to hold on to nor jobs.
        if !stood_still || !matches!(self.phase, Phase::Leading { .. }) {
            return;
        }
        if self.highly_available() && !self.keep_lease(ground) {
            for index in 0..self.jobs.len() {
                self.end_run(index, End::Killed, ground);
            }
            self.jobs.clear();
            self.agenda.clear();
            self.phase = Phase::Electing;
            self.schedule(ground.now + SignedDuration::from_secs(5), Event::Elect);
            return;
        }
        self.miss_tasks(ground);
    }

    /// Holds the lease on, if nobody else has it; tells whether that is so.
    fn keep_lease(&self, ground: &mut Ground<'_>) -> bool {
        let key = self.lease_key();
        let found = ground.files.leases.get(&key);
        let mine = found.is_none_or(|lease| lease.holder == self.holder());
        if mine {
            let holder = self.holder();
            let lease = Lease {
                holder,
                until: None,
            };
            ground.files.leases.insert(key, lease);
        }
        mine
    }

    /// Ends the runs of a stopped process once nothing is left to work for it. A job that still waits for slots has
    /// nothing to lose.
    pub(super) fn lose_tasks(&mut self, ground: &mut Ground<'_>) {
        if ground.workers.iter().any(|worker| worker.running.is_some()) {
            return;
        }
        for index in 0..self.jobs.len() {
            if self.jobs[index].tasks.sent() {
                self.end_run(index, End::Killed, ground);
            }
        }
    }

    /// Notices which jobs lost their tasks during a stop, before anything else happens to them: nobody answers for
    /// their checkpoints and savepoints any more.
    fn miss_tasks(&mut self, ground: &mut Ground<'_>) {
        for index in 0..self.jobs.len() {
            let job = &self.jobs[index];
            if job.tasks.sent() && job.run.is_none() {
                self.fail_task(index, LOST, ground);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::rig::{HA, JOB, Rig, TRIGGER};
    use super::*;

    /// Stops the process for a minute in which its TaskManagers are lost.
    fn lose_all_in_a_stop(rig: &mut Rig) {
        rig.with(JobManager::freeze);
        rig.workers.clear();
        rig.pass(60_000);
        rig.with(JobManager::thaw);
        rig.pass(30_000);
    }

    #[test]
    fn what_was_under_way_when_tasks_were_lost_in_a_stop_fails() {
        for conf in [&[][..], &HA] {
            let mut rig = Rig::new("1.20", conf);
            rig.pass(40_000);
            assert_eq!(rig.stop(TRIGGER), 202);
            let before = rig.files.snapshots.len();
            lose_all_in_a_stop(&mut rig);
            let outcome = &rig.outcome(TRIGGER)["operation"]["failure-cause"];
            assert!(outcome.is_object(), "{outcome}");
            assert_eq!(rig.runs[0].ended.unwrap().1, End::Killed);
            let written = &rig.files.snapshots[before..];
            assert!(written.iter().all(|snapshot| snapshot.run == 1));
            assert_eq!(rig.state(), "RUNNING");
        }
    }

    #[test]
    fn a_checkpoint_that_was_under_way_too() {
        let mut rig = Rig::new("1.20", &[]);
        rig.process.pace.checkpoint = SignedDuration::from_secs(5);
        let under_way = |rig: &Rig| {
            let mut jobs = rig.process.jobs.iter();
            jobs.any(|job| job.coordinator.in_progress(1))
        };
        while !under_way(&rig) {
            rig.pass(500);
        }
        lose_all_in_a_stop(&mut rig);
        let failed = &rig.get(&format!("/jobs/{JOB}/checkpoints"))["latest"]["failed"];
        assert_eq!(failed["id"], 1);
    }

    #[test]
    fn who_never_led_leaves_no_lease_behind() {
        for stops in [false, true] {
            let mut rig = Rig::new("1.20", &HA);
            if stops {
                rig.with(JobManager::freeze);
                rig.pass(1_000);
            }
            rig.with(JobManager::thaw);
            rig.restart(false, &HA).pass(40_000);
            assert_eq!(rig.state(), "RUNNING", "stops: {stops}");
        }
    }

    #[test]
    fn a_job_that_waits_for_slots_loses_nothing_in_a_stop() {
        let mut rig = Rig::new("1.20", &[]);
        while rig.process.jobs.iter().all(|job| job.run.is_none()) {
            rig.pass(100);
        }
        lose_all_in_a_stop(&mut rig);
        assert_eq!(rig.runs.len(), 1);
        assert!(rig.runs[0].working.is_some());
    }
}
