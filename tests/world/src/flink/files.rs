//! The storage that outlives clusters: checkpoints, savepoints, job graphs, results of ended jobs, and
//! who held a lease last.
//!
//! Values in HA ConfigMaps are opaque here as in Flink: they encode the name of a file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use flink_operator_oracle::history::{End, Moment, Snapshot};
use jiff::{SignedDuration, Timestamp};

/// A job as its submitted graph describes it; a recovered job takes these and not the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// Job id.
    pub job: String,
    /// Job name.
    pub name: String,
    /// Number of parallel tasks.
    pub parallelism: u32,
    /// Interval of periodic checkpoints.
    pub interval: Option<SignedDuration>,
    /// `execution.savepoint.path` at the time of submission.
    pub savepoint_path: Option<String>,
    /// Arguments of the program, which decide how it behaves.
    pub arguments: Vec<String>,
}

/// How complete the file with a job's result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The process died while writing: an empty file.
    Torn,
    /// The result is there, the clean-up after it was not finished.
    Dirty,
    /// All done.
    Clean,
}

/// The result of an ended job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How the job ended.
    pub end: End,
    /// When.
    pub at: Timestamp,
    /// How complete the file is.
    pub written: Written,
}

/// A lease on the leadership of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which process holds it.
    pub holder: String,
    /// Until when it keeps others out; `None` while the holder lives and renews it.
    pub until: Option<Timestamp>,
}

/// The shared storage of a world.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Every completed snapshot by its number; files of discarded ones are gone.
    pub snapshots: Vec<Snapshot>,
    /// Directories of savepoints that were begun and have no `_metadata`: a crash leaves them behind.
    pub unfinished: BTreeSet<String>,
    /// Graphs by file name.
    pub graphs: BTreeMap<String, Graph>,
    /// Pointer files of HA checkpoints: name to number of the snapshot.
    pub pointers: BTreeMap<String, usize>,
    /// Results by file name.
    pub results: BTreeMap<String, Outcome>,
    /// Leases by `namespace/cluster`.
    pub leases: BTreeMap<String, Lease>,
    /// Path prefixes that cannot be written.
    pub unwritable: BTreeSet<String>,
    /// Path prefixes that cannot be read.
    pub unreadable: BTreeSet<String>,
    serial: u64,
}

impl Files {
    /// Makes twelve hex digits that were not made before.
    pub fn next_name(&mut self) -> String {
        self.serial += 1;
        // Spread over all digits: names must not look ordered.
        format!(
            "{:012x}",
            self.serial.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16
        )
    }

    /// Finds the newest snapshot with this path whose files are there and readable.
    pub fn readable(&self, path: &str) -> Option<usize> {
        let path = normalised(path);
        if blocked(&self.unreadable, &path) {
            return None;
        }
        self.snapshots
            .iter()
            .rposition(|snapshot| snapshot.discarded.is_none() && snapshot.path == path)
    }

    /// Says why a path cannot be restored from.
    pub fn complaint(&self, path: &str) -> String {
        if self.unfinished.contains(&normalised(path)) {
            format!(
                "java.io.FileNotFoundException: Cannot find meta data file '_metadata' in directory '{path}'. Please try to load the checkpoint/savepoint directly from the metadata file instead of the directory."
            )
        } else {
            format!(
                "java.io.FileNotFoundException: Cannot find checkpoint or savepoint file/directory '{path}' on file system 'file'."
            )
        }
    }

    /// Follows a pointer file; small state lives in the file itself, so the checkpoint directory need not exist.
    pub fn pointed(&self, value: &str) -> Option<usize> {
        let file = decode(value)?;
        if blocked(&self.unreadable, &file) {
            return None;
        }
        self.pointers.get(&file).copied()
    }

    /// Tells whether a path can be written.
    pub fn writable(&self, path: &str) -> bool {
        !blocked(&self.unwritable, path)
    }

    /// Puts a savepoint there that another cluster made.
    pub fn bring(&mut self, path: &str, checkpoint: u64, progress: u64, completed: Moment) {
        self.snapshots.push(Snapshot {
            path: normalised(path),
            namespace: String::new(),
            cluster: String::new(),
            job: String::new(),
            checkpoint,
            savepoint: true,
            stop: false,
            progress,
            run: usize::MAX,
            completed,
            discarded: None,
        });
    }

    /// Removes the files of a snapshot, once.
    pub fn discard(&mut self, index: usize, moment: Moment) {
        if let Some(snapshot) = self.snapshots.get_mut(index) {
            snapshot.discarded.get_or_insert(moment);
        }
    }

    /// Stores a graph; gives the value for the HA map.
    pub fn store_graph(&mut self, directory: &str, word: &str, graph: Graph) -> String {
        let file = format!("{directory}/submitted{word}{}", self.next_name());
        self.graphs.insert(file.clone(), graph);
        encode(&file)
    }

    /// Stores a pointer to a snapshot; gives the value for the HA map.
    pub fn store_pointer(&mut self, directory: &str, snapshot: usize) -> String {
        let file = format!("{directory}/completedCheckpoint{}", self.next_name());
        self.pointers.insert(file.clone(), snapshot);
        encode(&file)
    }

    /// Reads the graph that a value of an HA map names.
    pub fn graph(&self, value: &str) -> Option<&Graph> {
        let file = decode(value)?;
        if blocked(&self.unreadable, &file) {
            return None;
        }
        self.graphs.get(&file)
    }

    /// Removes the file that a value of an HA map names.
    pub fn remove_named(&mut self, value: &str) {
        if let Some(file) = decode(value) {
            self.graphs.remove(&file);
            self.pointers.remove(&file);
        }
    }
}

fn blocked(prefixes: &BTreeSet<String>, path: &str) -> bool {
    let path = normalised(path);
    prefixes
        .iter()
        .any(|prefix| path.starts_with(&normalised(prefix)))
}

/// Writes `file:///x` as Flink prints it: `file:/x`.
pub fn normalised(path: &str) -> String {
    path.strip_prefix("file:///")
        .map_or_else(|| path.to_owned(), |rest| format!("file:/{rest}"))
        .trim_end_matches('/')
        .to_owned()
}

/// Makes an opaque value that names a file, as a serialized Java object would.
fn encode(file: &str) -> String {
    file.bytes().fold(String::from("rO0ABX"), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

fn decode(value: &str) -> Option<String> {
    let hex = value.strip_prefix("rO0ABX")?;
    let bytes: Option<Vec<u8>> = (0..hex.len() / 2)
        .map(|i| u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok())
        .collect();
    String::from_utf8(bytes?).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn snapshot(path: &str, checkpoint: u64) -> Snapshot {
        let moment = Moment::new(checkpoint, Timestamp::UNIX_EPOCH);
        Snapshot {
            path: path.into(),
            namespace: "ns".into(),
            cluster: "a".into(),
            job: "j".into(),
            checkpoint,
            savepoint: true,
            stop: false,
            progress: checkpoint,
            run: 0,
            completed: moment,
            discarded: None,
        }
    }

    #[test]
    fn values_of_ha_maps_lead_back_to_their_file() {
        let mut files = Files::default();
        files.snapshots.push(snapshot("file:/sp/1", 4));
        let value = files.store_pointer("file:///ha/a", 0);
        assert!(
            !value.contains("completedCheckpoint"),
            "the value must be opaque"
        );
        assert_eq!(files.pointed(&value), Some(0));
        files.remove_named(&value);
        assert_eq!(files.pointed(&value), None);
    }

    #[test]
    fn what_another_cluster_made_can_be_read() {
        let mut files = Files::default();
        let moment = Moment::new(1, Timestamp::UNIX_EPOCH);
        files.bring("file:///sp/theirs", 7, 700, moment);
        assert_eq!(files.readable("file:///sp/theirs"), Some(0));
        assert_eq!(files.snapshots[0].checkpoint, 7);
    }

    #[test]
    fn a_path_is_found_in_either_spelling_until_discarded() {
        let mut files = Files::default();
        files.snapshots.push(snapshot("file:/sp/1", 4));
        assert_eq!(files.readable("file:///sp/1/"), Some(0));
        files.unreadable.insert("file:///sp".into());
        assert_eq!(files.readable("file:/sp/1"), None);
        files.unreadable.clear();
        files.discard(0, Moment::new(9, Timestamp::UNIX_EPOCH));
        assert_eq!(files.readable("file:/sp/1"), None);
    }
}
