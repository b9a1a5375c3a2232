//! What is still to be said, and what has been said: filled by the watches, emptied by the announcer.

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use operator_core::announce::{self, Seen, Unsupported};
use operator_core::name::Uid;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Names one resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Named {
    /// Its kind.
    pub kind: Unsupported,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Named {
    /// Names a resource that was seen.
    pub fn of(seen: &Seen) -> Self {
        Self {
            kind: seen.kind,
            namespace: seen.namespace.clone(),
            name: seen.name.clone(),
        }
    }
}

/// The board of one instance; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    notes: DashMap<Named, Note>,
    /// The plurals of kinds whose CRD is not installed.
    absent: Mutex<BTreeSet<&'static str>>,
}

/// What the board has on a resource. One that never lacked anything is not on it.
#[derive(Debug)]
enum Note {
    Due(Arc<Seen>),
    /// Written once, which is enough for this generation: whoever takes it away again is not fought.
    Said(Edition),
}

/// A state of a resource that is commented on once.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Edition {
    uid: Uid,
    generation: i64,
    deleting: bool,
}

impl Edition {
    fn of(seen: &Seen) -> Self {
        Self {
            uid: seen.uid.clone(),
            generation: seen.generation,
            deleting: seen.deleting,
        }
    }
}

impl Board {
    /// Notes a resource as it was seen; returns its name if that is news to the announcer.
    pub(crate) fn see(&self, seen: Seen) -> Option<Named> {
        let named = Named::of(&seen);
        let due = announce::is_due(&seen);
        match self.0.notes.entry(named.clone()) {
            Entry::Occupied(mut known) => match known.get() {
                Note::Said(edition) if *edition == Edition::of(&seen) => None,
                Note::Due(old) if old.resource_version == seen.resource_version => None,
                Note::Said(_) | Note::Due(_) if due => {
                    known.insert(Note::Due(Arc::new(seen)));
                    Some(named)
                }
                Note::Due(_) => {
                    known.remove();
                    None
                }
                Note::Said(_) => None,
            },
            Entry::Vacant(free) => due.then(|| {
                free.insert(Note::Due(Arc::new(seen)));
                named
            }),
        }
    }

    /// Forgets a resource.
    pub(crate) fn forget(&self, named: &Named) {
        self.0.notes.remove(named);
    }

    /// Lists what is on the board of one kind.
    pub(crate) fn all(&self, kind: Unsupported) -> Vec<Named> {
        let names = self.0.notes.iter().map(|note| note.key().clone());
        names.filter(|named| named.kind == kind).collect()
    }

    /// Returns a resource about which something is to be said.
    pub(super) fn due(&self, named: &Named) -> Option<Arc<Seen>> {
        match self.0.notes.get(named).as_deref() {
            Some(Note::Due(seen)) => Some(Arc::clone(seen)),
            Some(Note::Said(_)) | None => None,
        }
    }

    /// Notes that it was said about a resource as it was seen then, unless there is a newer state to comment on.
    pub(super) fn said(&self, seen: &Seen) {
        let edition = Edition::of(seen);
        match self.0.notes.entry(Named::of(seen)) {
            Entry::Occupied(mut known) => {
                if matches!(known.get(), Note::Due(newest) if Edition::of(newest) == edition) {
                    known.insert(Note::Said(edition));
                }
            }
            // The watch was quicker than the reply. If the resource has gone, the next listing tells.
            Entry::Vacant(free) => {
                free.insert(Note::Said(edition));
            }
        }
    }

    /// Notes whether the CRD of a kind is installed; returns whether that is news.
    pub(crate) fn installed(&self, plural: &'static str, installed: bool) -> bool {
        if installed {
            self.absent().remove(plural)
        } else {
            self.absent().insert(plural)
        }
    }

    fn absent(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        self.0.absent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use operator_core::name::ResourceVersion;

    fn seen(version: &str, generation: i64) -> Seen {
        Seen {
            kind: Unsupported::FlinkSessionJob,
            namespace: "demo".to_owned(),
            name: "a".to_owned(),
            uid: Uid::new("u1"),
            resource_version: ResourceVersion::new(version),
            generation,
            deleting: false,
            done: false,
            finalizers: Vec::new(),
            conditions: Vec::new(),
        }
    }

    #[test]
    fn each_generation_is_said_once_whoever_takes_it_away_again() {
        let board = Board::default();
        let named = board.see(seen("1", 1)).unwrap();
        assert_eq!(board.see(seen("1", 1)), None, "the same is no news");
        assert!(board.see(seen("2", 1)).is_some(), "a new version is");
        board.said(&seen("2", 1));
        assert_eq!(board.due(&named), None);
        assert_eq!(board.see(seen("3", 1)), None, "not fought for");
        assert!(board.see(seen("4", 2)).is_some());
        board.said(&seen("3", 1));
        assert!(board.due(&named).is_some(), "the newer one is still due");
    }

    #[test]
    fn one_that_lacks_nothing_is_not_kept() {
        let board = Board::default();
        let named = board.see(seen("1", 1)).unwrap();
        let conditions = announce::announce(&seen("1", 1), Timestamp::UNIX_EPOCH);
        let right = Seen {
            conditions: conditions.unwrap().conditions,
            ..seen("2", 1)
        };
        assert_eq!(board.see(right.clone()), None);
        assert!(board.due(&named).is_none() && board.all(named.kind).is_empty());
        assert_eq!(board.see(right), None);
        assert!(board.all(named.kind).is_empty());
    }

    #[test]
    fn an_echo_that_comes_before_the_reply_changes_nothing() {
        let board = Board::default();
        board.see(seen("1", 1)).unwrap();
        let conditions = announce::announce(&seen("1", 1), Timestamp::UNIX_EPOCH);
        let echo = Seen {
            conditions: conditions.unwrap().conditions,
            ..seen("2", 1)
        };
        assert_eq!(board.see(echo), None);
        board.said(&seen("1", 1));
        assert_eq!(board.see(seen("3", 1)), None, "it was said once");
    }

    #[test]
    fn another_object_of_the_name_is_told_anew() {
        let board = Board::default();
        board.see(seen("1", 1)).unwrap();
        board.said(&seen("1", 1));
        let other = Seen {
            uid: Uid::new("u2"),
            ..seen("9", 1)
        };
        assert!(board.see(other).is_some());
    }

    #[test]
    fn an_absent_crd_is_news_once() {
        let board = Board::default();
        assert!(!board.installed("flinksessionjobs", true));
        assert!(board.installed("flinksessionjobs", false));
        assert!(!board.installed("flinksessionjobs", false));
        assert!(board.installed("flinksessionjobs", true));
    }
}
