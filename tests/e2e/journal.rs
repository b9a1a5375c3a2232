//! What the sandbox's test job has counted, from files outside of Flink: proof that no state was lost or
//! used twice.
//!
//! The job numbers its records from 0 on and counts them per key, number modulo the number of keys. So each
//! count of each key belongs to one number, and all counts of all jobs together have to be 1, 2, 3 and so on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A count that one task of a job has made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) key: u64,
    pub(crate) count: u64,
    number: u64,
    job: String,
    parallelism: u32,
    at: u64,
    /// The start of a task, each of which writes a file: its first count, and the file.
    start: (u64, usize),
}

/// Where a count may stand twice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Repeats {
    /// Nowhere: every job was stopped, and none failed.
    Never,
    /// Within a job: Flink has started it again from one of its own checkpoints.
    WithinAJob,
}

/// All counts, in order of time.
#[derive(Debug)]
pub(crate) struct Journal {
    lines: Vec<Line>,
}

impl Journal {
    /// Reads what has been written so far; without a directory that is nothing.
    pub(crate) fn read(directory: &Path) -> Self {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let texts = entries.map(|entry| fs::read_to_string(entry.path()).unwrap());
        Self::of(texts)
    }

    fn of(texts: impl IntoIterator<Item = String>) -> Self {
        let mut lines = Vec::new();
        for (file, text) in texts.into_iter().enumerate() {
            // A line without an end is being written, or its task was killed while it wrote.
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            let mut began = None;
            lines.extend(whole.lines().map(|line| {
                let mut line = parse(line)
                    .unwrap_or_else(|| panic!("the journal has a strange line: {line:?}"));
                line.start = (*began.get_or_insert(line.at), file);
                line
            }));
        }
        lines.sort_by_key(|line| line.at);
        Self { lines }
    }

    /// Returns the jobs that have counted, in order of their first counts.
    pub(crate) fn jobs(&self) -> Vec<String> {
        let mut jobs: Vec<String> = Vec::new();
        for line in &self.lines {
            if !jobs.contains(&line.job) {
                jobs.push(line.job.clone());
            }
        }
        jobs
    }

    /// Returns how often a job has counted its rarest key.
    pub(crate) fn rounds(&self, job: &str) -> usize {
        let keys: BTreeSet<u64> = self.lines.iter().map(|line| line.key).collect();
        let of_key = |key| self.of_job(job).filter(move |line| line.key == key);
        let counts = keys.into_iter().map(|key| of_key(key).count());
        counts.min().unwrap_or_default()
    }

    /// Returns the parallelism in which a job has counted.
    pub(crate) fn parallelism(&self, job: &str) -> Option<u32> {
        self.of_job(job).next().map(|line| line.parallelism)
    }

    fn of_job(&self, job: &str) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.job == job)
    }

    /// Fails the test unless every number is counted once, over all jobs.
    pub(crate) fn assert_continuous(&self, repeats: Repeats) {
        if let Err(flaw) = self.continuity(repeats) {
            panic!("{flaw}; jobs in order: {:?}", self.jobs());
        }
    }

    fn continuity(&self, repeats: Repeats) -> Result<(), String> {
        let keys: BTreeSet<u64> = self.lines.iter().map(|line| line.key).collect();
        let number_of_keys = keys.len() as u64;
        if keys.last().is_none_or(|last| last + 1 != number_of_keys) {
            return Err(format!("not all keys have been counted, but {keys:?}"));
        }
        for line in &self.lines {
            let expected = line.key + line.count.saturating_sub(1) * number_of_keys;
            if line.number != expected {
                return Err(format!("{line:?} should be number {expected}"));
            }
        }
        let mut last: BTreeMap<u64, u64> = BTreeMap::new();
        for job in self.jobs() {
            for key in &keys {
                let last = last.entry(*key).or_default();
                let began = *last;
                for counts in self.starts(&job, *key).into_values() {
                    // What a start counts again must have been counted by this job, and not by the one before.
                    let first = counts.first().copied().unwrap_or_default();
                    if repeats == Repeats::WithinAJob && (began + 1..=*last).contains(&first) {
                        *last = first - 1;
                    }
                    for count in counts {
                        if count != *last + 1 {
                            return Err(format!(
                                "job {job} has counted key {key} to {count} after {last}"
                            ));
                        }
                        *last = count;
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns the counts of a key in order, for each time that its task was started.
    fn starts(&self, job: &str, key: u64) -> BTreeMap<(u64, usize), Vec<u64>> {
        let mut starts: BTreeMap<_, Vec<u64>> = BTreeMap::new();
        for line in self.of_job(job).filter(|line| line.key == key) {
            starts.entry(line.start).or_default().push(line.count);
        }
        for counts in starts.values_mut() {
            counts.sort_unstable();
        }
        starts
    }
}

/// Reads `key count number job subtask/parallelism attempt milliseconds`.
fn parse(line: &str) -> Option<Line> {
    let words: Vec<&str> = line.split(' ').collect();
    let [key, count, number, job, subtask, _attempt, at] = words[..] else {
        return None;
    };
    Some(Line {
        key: key.parse().ok()?,
        count: count.parse().ok()?,
        number: number.parse().ok()?,
        job: job.to_owned(),
        parallelism: subtask.split_once('/')?.1.parse().ok()?,
        at: at.parse().ok()?,
        start: (0, 0),
    })
}

/// Writes a journal of two keys: for each start of a job, its numbers from one to before another.
#[cfg(test)]
fn journal(jobs: &[(&str, std::ops::Range<u64>)]) -> Journal {
    let mut at = 0;
    let mut line = |job: &str, number: u64| {
        at += 1;
        format!(
            "{} {} {number} {job} 1/1 0 {at}\n",
            number % 2,
            number / 2 + 1
        )
    };
    let text = |(job, numbers): &(&str, std::ops::Range<u64>)| {
        let lines = numbers.clone().map(|number| line(job, number));
        lines.collect::<String>()
    };
    let mut texts: Vec<String> = jobs.iter().map(text).collect();
    // In a directory, files have no order.
    texts.reverse();
    Journal::of(texts)
}

#[test]
fn counts_that_go_on_are_continuous() {
    let upgraded = journal(&[("a", 0..7), ("b", 7..8), ("c", 8..30)]);
    assert_eq!(upgraded.continuity(Repeats::Never), Ok(()));
    assert_eq!(upgraded.jobs(), ["a", "b", "c"]);
    assert_eq!((upgraded.rounds("a"), upgraded.rounds("b")), (3, 0));
}

#[test]
fn a_gap_is_noticed() {
    let skipped = journal(&[("a", 0..7), ("b", 9..30)]);
    let flaw = skipped.continuity(Repeats::WithinAJob).unwrap_err();
    assert_eq!(flaw, "job b has counted key 0 to 6 after 4");
}

#[test]
fn a_repeat_is_noticed() {
    let older_state = journal(&[("a", 0..8), ("b", 6..30)]);
    for repeats in [Repeats::Never, Repeats::WithinAJob] {
        let flaw = older_state.continuity(repeats).unwrap_err();
        assert_eq!(flaw, "job b has counted key 0 to 4 after 4");
    }
}

#[test]
fn a_job_may_repeat_itself_only_where_that_is_said() {
    let restarted = journal(&[("a", 0..8), ("a", 4..9), ("b", 9..30)]);
    assert_eq!(restarted.continuity(Repeats::WithinAJob), Ok(()));
    let flaw = restarted.continuity(Repeats::Never).unwrap_err();
    assert_eq!(flaw, "job a has counted key 0 to 3 after 4");
}

#[test]
fn the_state_of_a_job_is_that_of_its_last_start() {
    let began_anew = journal(&[("a", 0..30), ("a", 0..9), ("b", 9..20)]);
    assert_eq!(began_anew.continuity(Repeats::WithinAJob), Ok(()));
    for wrong in [
        journal(&[("a", 0..30), ("a", 0..9), ("b", 30..40)]),
        journal(&[("a", 0..9), ("b", 9..20), ("b", 0..30)]),
        journal(&[("a", 0..9), ("a", 12..20)]),
    ] {
        assert!(wrong.continuity(Repeats::WithinAJob).is_err(), "{wrong:?}");
    }
}

#[test]
fn an_empty_start_is_noticed() {
    let forgotten = journal(&[("a", 0..8), ("b", 0..20)]);
    let flaw = forgotten.continuity(Repeats::WithinAJob).unwrap_err();
    assert_eq!(flaw, "job b has counted key 0 to 1 after 4");
}

#[test]
fn state_without_the_place_in_the_source_is_noticed() {
    // Half of the state: counts go on, and the source begins again.
    let numbers_again = "0 1 0 a 1/1 0 1\n1 1 1 a 1/1 0 2\n0 2 0 b 1/1 0 3\n1 2 1 b 1/1 0 4\n";
    let flaw = Journal::of([numbers_again.to_owned()]).continuity(Repeats::Never);
    assert!(flaw.unwrap_err().ends_with("should be number 2"));
}

#[test]
fn nothing_and_a_missing_key_are_no_proof() {
    assert!(journal(&[]).continuity(Repeats::Never).is_err());
    let one_task_is_silent = "1 1 1 a 2/2 0 1\n1 2 3 a 2/2 0 2\n";
    let flaw = Journal::of([one_task_is_silent.to_owned()]).continuity(Repeats::Never);
    assert!(flaw.unwrap_err().contains("not all keys"));
}

#[test]
fn a_torn_last_line_is_passed_over() {
    let torn = "0 1 0 a 1/2 0 1\n0 2 2 a 1/2".to_owned();
    let other_task = "1 1 1 a 2/2 0 1\n".to_owned();
    let journal = Journal::of([torn, other_task, String::new()]);
    assert_eq!(journal.continuity(Repeats::Never), Ok(()));
    assert_eq!(
        (journal.lines.len(), journal.parallelism("a")),
        (2, Some(2))
    );
}
