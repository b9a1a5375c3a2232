//! The checkpoint coordinator's numbers: ids, the last ten attempts, the newest of each kind.

use std::collections::VecDeque;

use jiff::Timestamp;

/// Kind of a snapshot attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A periodic or triggered checkpoint.
    Checkpoint,
    /// A savepoint while the job goes on.
    Savepoint,
    /// The savepoint of a stop.
    SyncSavepoint,
}

impl Kind {
    /// Gives the name in REST replies.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Checkpoint => "CHECKPOINT",
            Self::Savepoint => "SAVEPOINT",
            Self::SyncSavepoint => "SYNC_SAVEPOINT",
        }
    }

    /// Tells whether it is a savepoint of either sort.
    pub const fn is_savepoint(self) -> bool {
        match self {
            Self::Checkpoint => false,
            Self::Savepoint | Self::SyncSavepoint => true,
        }
    }
}

/// How an attempt stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Under way.
    InProgress,
    /// Done; number of the snapshot in the files.
    Completed(usize),
    /// Failed with a message.
    Failed(String),
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Checkpoint id.
    pub id: u64,
    /// Kind.
    pub kind: Kind,
    /// Status.
    pub status: Status,
    /// When it was triggered.
    pub triggered: Timestamp,
    /// When it was decided.
    pub decided: Option<Timestamp>,
}

/// What a job was restored from, as REST tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoredFrom {
    /// Checkpoint id.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// Whether REST calls it a savepoint: anything that came by `execution.savepoint.path`.
    pub is_savepoint: bool,
    /// Number of the snapshot in the files.
    pub snapshot: usize,
    /// How often this job was restored, this time included.
    pub count: u32,
}

/// How many attempts `history` keeps.
const HISTORY: usize = 10;

/// The statistics of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coordinator {
    /// The id that the next attempt gets.
    pub next: u64,
    /// The last attempts, newest first.
    pub history: VecDeque<Entry>,
    /// The newest completed checkpoint of this process.
    pub completed: Option<Entry>,
    /// The newest completed savepoint of this process.
    pub savepoint: Option<Entry>,
    /// The newest failed attempt.
    pub failed: Option<Entry>,
    /// What the job was restored from last.
    pub restored: Option<RestoredFrom>,
    /// The checkpoint that a restart within this process would take: number of the snapshot.
    pub store: Option<usize>,
    /// Numbers of completed and failed attempts.
    pub counts: (u64, u64),
}

impl Default for Coordinator {
    fn default() -> Self {
        Self {
            next: 1,
            history: VecDeque::new(),
            completed: None,
            savepoint: None,
            failed: None,
            restored: None,
            store: None,
            counts: (0, 0),
        }
    }
}

impl Coordinator {
    /// Begins an attempt under the next id.
    pub fn begin(&mut self, kind: Kind, now: Timestamp) -> u64 {
        let id = self.next;
        self.next += 1;
        let entry = Entry {
            id,
            kind,
            status: Status::InProgress,
            triggered: now,
            decided: None,
        };
        self.history.push_front(entry);
        self.history.truncate(HISTORY);
        id
    }

    /// Completes an attempt.
    pub fn complete(&mut self, id: u64, snapshot: usize, now: Timestamp) {
        let Some(entry) = self.decide(id, Status::Completed(snapshot), now) else {
            return;
        };
        self.counts.0 += 1;
        match entry.kind {
            Kind::Checkpoint => self.completed = Some(entry),
            Kind::Savepoint | Kind::SyncSavepoint => self.savepoint = Some(entry),
        }
    }

    /// Fails an attempt, unless it is decided already.
    pub fn fail(&mut self, id: u64, message: &str, now: Timestamp) {
        if let Some(entry) = self.decide(id, Status::Failed(message.to_owned()), now) {
            self.counts.1 += 1;
            self.failed = Some(entry);
        }
    }

    fn decide(&mut self, id: u64, status: Status, now: Timestamp) -> Option<Entry> {
        let entry = self.history.iter_mut().find(|entry| entry.id == id)?;
        if entry.status != Status::InProgress {
            return None;
        }
        entry.status = status;
        entry.decided = Some(now);
        Some(entry.clone())
    }

    /// Tells whether an attempt is under way.
    pub fn in_progress(&self, id: u64) -> bool {
        self.history
            .iter()
            .any(|entry| entry.id == id && entry.status == Status::InProgress)
    }

    /// Fails everything that is under way, as a restart or an end does.
    pub fn abort_all(&mut self, message: &str, now: Timestamp) {
        let open: Vec<u64> = self
            .history
            .iter()
            .filter(|entry| entry.status == Status::InProgress)
            .map(|entry| entry.id)
            .collect();
        for id in open {
            self.fail(id, message, now);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn one_counter_serves_all_kinds_and_failures() {
        let mut coordinator = Coordinator::default();
        let first = coordinator.begin(Kind::Checkpoint, NOW);
        let second = coordinator.begin(Kind::Savepoint, NOW);
        coordinator.fail(first, "declined", NOW);
        coordinator.complete(second, 0, NOW);
        assert_eq!((first, second, coordinator.next), (1, 2, 3));
        assert_eq!(coordinator.counts, (1, 1));
        assert!(coordinator.completed.is_none());
        assert_eq!(coordinator.savepoint.as_ref().unwrap().id, 2);
    }

    #[test]
    fn a_decided_attempt_stays_decided() {
        let mut coordinator = Coordinator::default();
        let id = coordinator.begin(Kind::Checkpoint, NOW);
        coordinator.fail(id, "aborted", NOW);
        coordinator.complete(id, 0, NOW);
        assert_eq!(coordinator.completed, None);
        assert_eq!(coordinator.counts, (0, 1));
    }

    #[test]
    fn history_keeps_ten_newest_first() {
        let mut coordinator = Coordinator::default();
        for _ in 0..12 {
            coordinator.begin(Kind::Checkpoint, NOW);
        }
        assert_eq!(coordinator.history.len(), 10);
        assert_eq!(coordinator.history[0].id, 12);
    }
}
