//! How a process ends, or is stopped for a while.

use flink_operator_oracle::history::End;
use jiff::SignedDuration;

use super::files::Lease;
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
            self.jobs[index].fail_pending("JobMaster terminated", ground.now);
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
        self.frozen = false;
        if !self.highly_available() || self.phase == Phase::Ended {
            return;
        }
        let key = self.lease_key();
        let mine = ground
            .files
            .leases
            .get(&key)
            .is_none_or(|lease| lease.holder == self.holder());
        if mine {
            ground.files.leases.insert(
                key,
                Lease {
                    holder: self.holder(),
                    until: None,
                },
            );
            return;
        }
        for index in 0..self.jobs.len() {
            self.end_run(index, End::Killed, ground);
        }
        self.jobs.clear();
        self.agenda.clear();
        self.phase = Phase::Electing;
        self.schedule(ground.now + SignedDuration::from_secs(5), Event::Elect);
    }
}
