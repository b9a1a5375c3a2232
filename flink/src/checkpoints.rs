//! Checkpoint statistics, and what in them is fit to restore from.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::client::{Call, JobManager};
use crate::error::Error;
use crate::id::JobId;
use crate::lenient::{UnixMillis, amount, moment, or_default, words};
use crate::route::Route;

words! {
    /// How far a checkpoint is.
    CheckpointStatus {
        /// Not all tasks have answered.
        InProgress = "IN_PROGRESS",
        /// Complete.
        Completed = "COMPLETED",
        /// Given up.
        Failed = "FAILED",
    }
}

words! {
    /// What a checkpoint was made for.
    CheckpointKind {
        /// The job's own interval, or a trigger.
        Checkpoint = "CHECKPOINT",
        /// The same, not relying on files of earlier ones.
        FullCheckpoint = "FULL_CHECKPOINT",
        /// A savepoint.
        Savepoint = "SAVEPOINT",
        /// A stop with savepoint.
        SyncSavepoint = "SYNC_SAVEPOINT",
    }
}

/// Where a checkpoint lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExternalPath {
    /// At a path.
    At(String),
    /// Somewhere that has no path, as in JobManager memory: nothing can be restored from it.
    NotAddressable,
}

/// What Flink writes instead of a path.
const NOT_ADDRESSABLE: &str = "<checkpoint-not-externally-addressable>";

/// Reads a path; null, nothing and the text `null` are none.
fn external_path<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<ExternalPath>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    Ok(match text.as_deref() {
        None | Some("" | "null") => None,
        Some(NOT_ADDRESSABLE) => Some(ExternalPath::NotAddressable),
        Some(path) => Some(ExternalPath::At(path.to_owned())),
    })
}

impl Serialize for ExternalPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::At(path) => path,
            Self::NotAddressable => NOT_ADDRESSABLE,
        })
    }
}

/// A checkpoint or savepoint in the statistics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Its number, from one counter per job for all kinds and failed attempts.
    pub id: u64,
    /// How far it is.
    pub status: CheckpointStatus,
    /// What it was made for.
    #[serde(rename = "checkpoint_type")]
    pub kind: Option<CheckpointKind>,
    /// Whether it is a savepoint, a stop's included.
    #[serde(default, deserialize_with = "or_default")]
    pub is_savepoint: bool,
    /// `CANONICAL` or `NATIVE`; savepoints from 1.18 on.
    #[serde(rename = "savepointFormat")]
    pub savepoint_format: Option<String>,
    /// When it was triggered.
    #[serde(default, deserialize_with = "moment")]
    pub trigger_timestamp: Option<UnixMillis>,
    /// When the last task answered.
    #[serde(default, deserialize_with = "moment")]
    pub latest_ack_timestamp: Option<UnixMillis>,
    /// How long it took, in milliseconds.
    #[serde(default, deserialize_with = "amount")]
    pub end_to_end_duration: Option<u64>,
    /// Bytes of the whole state.
    #[serde(default, deserialize_with = "amount")]
    pub state_size: Option<u64>,
    /// Bytes written for it.
    #[serde(default, deserialize_with = "amount")]
    pub checkpointed_size: Option<u64>,
    /// Where it lies, once completed.
    #[serde(default, deserialize_with = "external_path")]
    pub external_path: Option<ExternalPath>,
    /// Whether its files are gone; it is listed, path and all, nevertheless.
    #[serde(default, deserialize_with = "or_default")]
    pub discarded: bool,
    /// When it failed.
    #[serde(default, deserialize_with = "moment")]
    pub failure_timestamp: Option<UnixMillis>,
    /// Why it failed.
    pub failure_message: Option<String>,
}

impl Checkpoint {
    /// Gives the path if a job can be started from it: completed, addressable, not discarded.
    pub fn restore_path(&self) -> Option<&str> {
        let Some(ExternalPath::At(path)) = &self.external_path else {
            return None;
        };
        let fit = self.status == CheckpointStatus::Completed && !self.discarded;
        fit.then_some(path)
    }

    /// Tells whether this is the savepoint of a stop.
    pub fn is_stop(&self) -> bool {
        self.kind == Some(CheckpointKind::SyncSavepoint)
    }
}

/// What a job was started from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// The number of the checkpoint.
    pub id: u64,
    /// When it was restored.
    #[serde(default, deserialize_with = "moment")]
    pub restore_timestamp: Option<UnixMillis>,
    /// Whether it is a savepoint.
    #[serde(default, deserialize_with = "or_default")]
    pub is_savepoint: bool,
    /// Where it lies.
    #[serde(default, deserialize_with = "external_path")]
    pub external_path: Option<ExternalPath>,
}

/// The newest of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latest {
    /// The newest completed checkpoint, savepoints excluded.
    pub completed: Option<Checkpoint>,
    /// The newest completed savepoint.
    pub savepoint: Option<Checkpoint>,
    /// The newest failed attempt.
    pub failed: Option<Checkpoint>,
    /// What the job was started from last.
    pub restored: Option<Restored>,
}

/// How many there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Restores.
    #[serde(default, deserialize_with = "or_default")]
    pub restored: u64,
    /// All attempts.
    #[serde(default, deserialize_with = "or_default")]
    pub total: u64,
    /// Pending ones.
    #[serde(default, deserialize_with = "or_default")]
    pub in_progress: u64,
    /// Completed ones.
    #[serde(default, deserialize_with = "or_default")]
    pub completed: u64,
    /// Failed ones.
    #[serde(default, deserialize_with = "or_default")]
    pub failed: u64,
}

/// The answer to `/jobs/:jobid/checkpoints`, up to the refresh interval old.
///
/// Right after a stop it lacks the stop's savepoint, and offers an older checkpoint as newest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointStatistics {
    /// How many there were.
    #[serde(default, deserialize_with = "or_default")]
    pub counts: Counts,
    /// The newest of each kind.
    #[serde(default, deserialize_with = "or_default")]
    pub latest: Latest,
    /// The last ten of all kinds, newest first.
    #[serde(default, deserialize_with = "or_default")]
    pub history: Vec<Checkpoint>,
}

impl CheckpointStatistics {
    /// Gives the completed checkpoint or savepoint with the highest number, fit for a restore or not.
    pub fn newest_completed(&self) -> Option<&Checkpoint> {
        let of_kind = [&self.latest.completed, &self.latest.savepoint];
        let known = of_kind.into_iter().flatten().chain(&self.history);
        known
            .filter(|one| one.status == CheckpointStatus::Completed)
            .max_by_key(|one| one.id)
    }

    /// Gives the highest number that is known, of whatever kind; the next one is above it.
    pub fn highest_id(&self) -> Option<u64> {
        let Latest {
            completed,
            savepoint,
            failed,
            restored,
        } = &self.latest;
        let listed = [completed, savepoint, failed]
            .into_iter()
            .flatten()
            .chain(&self.history);
        listed
            .map(|one| one.id)
            .chain(restored.as_ref().map(|one| one.id))
            .max()
    }
}

impl JobManager {
    /// Asks for the checkpoint statistics of a job.
    pub async fn checkpoints(&self, job: JobId) -> Result<CheckpointStatistics, Error> {
        self.ask(Call::read(Route::Checkpoints, &[&job.to_string()]))
            .await
    }

    /// Asks for one checkpoint.
    pub async fn checkpoint(&self, job: JobId, checkpoint: u64) -> Result<Checkpoint, Error> {
        let parameters = [&*job.to_string(), &*checkpoint.to_string()];
        self.ask(Call::read(Route::CheckpointDetails, &parameters))
            .await
    }
}
