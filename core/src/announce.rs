//! Kinds that the API accepts and this version does not carry out: what their resources say about that.
//!
//! Nothing here is asked of Flink and nothing is begun. A resource gets conditions that say so, once for each
//! generation, and everything else in its status stays as whoever carried it out before has left it.

use crate::decision::Notice;
use crate::name::{ResourceVersion, Uid};
use crate::status::conditions::{self, Reason, Wished};
use flink_operator_api::Condition;
use jiff::Timestamp;
use serde_json::Value;

/// A kind that is accepted and not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unsupported {
    /// `FlinkSessionJob`: a job of its own on a session cluster.
    FlinkSessionJob,
    /// `FlinkStateSnapshot`: a savepoint or checkpoint on demand.
    FlinkStateSnapshot,
    /// `FlinkBlueGreenDeployment`: two clusters that take turns.
    FlinkBlueGreenDeployment,
}

impl Unsupported {
    /// Every such kind.
    pub const ALL: [Self; 3] = [
        Self::FlinkSessionJob,
        Self::FlinkStateSnapshot,
        Self::FlinkBlueGreenDeployment,
    ];

    /// Returns the kind as it stands in objects.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FlinkSessionJob => "FlinkSessionJob",
            Self::FlinkStateSnapshot => "FlinkStateSnapshot",
            Self::FlinkBlueGreenDeployment => "FlinkBlueGreenDeployment",
        }
    }

    /// Returns the plural of the kind, as it stands in paths.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::FlinkSessionJob => "flinksessionjobs",
            Self::FlinkStateSnapshot => "flinkstatesnapshots",
            Self::FlinkBlueGreenDeployment => "flinkbluegreendeployments",
        }
    }

    /// Returns the finalizer that the Java operator sets on this kind.
    pub const fn finalizer(self) -> &'static str {
        match self {
            Self::FlinkSessionJob => "flinksessionjobs.flink.apache.org/finalizer",
            Self::FlinkStateSnapshot => "flinkstatesnapshots.flink.apache.org/finalizer",
            Self::FlinkBlueGreenDeployment => {
                "flinkbluegreendeployments.flink.apache.org/finalizer"
            }
        }
    }
}

/// What is looked at of a resource of such a kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Its kind.
    pub kind: Unsupported,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: Uid,
    /// The version that was read.
    pub resource_version: ResourceVersion,
    /// Counts changes of the spec; the request to delete it counts, too.
    pub generation: i64,
    /// Whether its deletion was asked for.
    pub deleting: bool,
    /// Whether what it asks for has been done, so that there is nothing to carry out.
    pub done: bool,
    /// All finalizers.
    pub finalizers: Vec<String>,
    /// The stored conditions, whoever wrote them.
    pub conditions: Vec<Value>,
}

/// What is to be said about a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Announcement {
    /// The complete list of conditions; those of others are in it as they are stored.
    pub conditions: Vec<Value>,
    /// What to tell people, unless they have been told before.
    pub notice: Option<Notice>,
}

/// Returns what is to be said about a resource; nothing if it is said already, or if the resource is just going.
pub fn announce(seen: &Seen, now: Timestamp) -> Option<Announcement> {
    let message = message(seen)?;
    let wished = wished(seen.kind, &message);
    let ours = |condition: &Value| {
        wished
            .iter()
            .any(|wished| condition["type"] == wished.type_)
    };
    let (stored, others): (Vec<&Value>, Vec<&Value>) = seen
        .conditions
        .iter()
        .partition(|&condition| ours(condition));
    // One of ours that cannot be read is no more than one that is missing.
    let stored: Vec<Condition> = stored
        .into_iter()
        .filter_map(|condition| serde_json::from_value(condition.clone()).ok())
        .collect();
    let known = stored.iter().any(|condition| {
        condition.type_ == "Progressing"
            && condition.reason.as_deref() == Some(Reason::NotSupported.as_str())
            && condition.message.as_deref() == Some(message.as_str())
    });
    let merged = conditions::merge(&stored, wished, seen.generation, now);
    if merged.iter().all(|condition| stored.contains(condition)) {
        return None;
    }
    let merged = merged.iter().map(|condition| {
        serde_json::to_value(condition).expect("a condition is text, numbers and nothing else")
    });
    let reason = Reason::NotSupported.as_str();
    Some(Announcement {
        conditions: others.into_iter().cloned().chain(merged).collect(),
        notice: (!known).then(|| Notice::warning("Operator", reason, message)),
    })
}

/// Returns whether anything is to be said about a resource; that does not depend on the time.
pub fn is_due(seen: &Seen) -> bool {
    announce(seen, Timestamp::UNIX_EPOCH).is_some()
}

/// Says why nothing happens; nothing if the resource is going, and nothing that we leave undone holds it.
fn message(seen: &Seen) -> Option<String> {
    let (kind, finalizer) = (seen.kind.as_str(), seen.kind.finalizer());
    let accepted = format!("a {kind} is accepted but not carried out by this version yet");
    if seen.done && !seen.deleting {
        return None;
    }
    if !seen.deleting {
        return Some(format!("{accepted}; nothing is started or changed for it"));
    }
    seen.finalizers.iter().any(|name| name == finalizer).then(|| {
        format!(
            "{accepted}; its deletion waits for the finalizer {finalizer} of the operator that carried it out before, \
             whose clean-up has not been done: run that operator again, or clean up and remove the finalizer by hand"
        )
    })
}

/// The same conditions as a `FlinkDeployment` has that is not supported.
fn wished(kind: Unsupported, message: &str) -> Vec<Wished> {
    let wish = |type_, reason: Reason, message: &str| Wished {
        type_,
        holds: false,
        reason: reason.as_str().to_owned(),
        message: message.to_owned(),
    };
    let mut wished = vec![
        wish("Ready", Reason::NotSupported, message),
        wish("Progressing", Reason::NotSupported, message),
        wish(
            "Degraded",
            Reason::AtRest,
            "nothing is known to be wrong; this version does not look",
        ),
    ];
    match kind {
        Unsupported::FlinkSessionJob | Unsupported::FlinkBlueGreenDeployment => {
            wished.push(wish(
                "Suspended",
                Reason::AtRest,
                "this version suspends nothing of this kind, and does not look whether it is suspended",
            ));
        }
        // It has no job of its own.
        Unsupported::FlinkStateSnapshot => {}
    }
    wished
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn seen(kind: Unsupported) -> Seen {
        Seen {
            kind,
            namespace: "demo".to_owned(),
            name: "a".to_owned(),
            uid: Uid::new("u1"),
            resource_version: ResourceVersion::new("7"),
            generation: 1,
            deleting: false,
            done: false,
            finalizers: Vec::new(),
            conditions: Vec::new(),
        }
    }

    fn said(seen: Seen) -> Seen {
        let conditions = announce(&seen, NOW).unwrap().conditions;
        Seen { conditions, ..seen }
    }

    fn condition<'a>(conditions: &'a [Value], type_: &str) -> &'a Value {
        let mut found = conditions.iter().filter(|found| found["type"] == type_);
        found.next().unwrap_or(&Value::Null)
    }

    #[test]
    fn each_kind_is_named_in_conditions_and_a_warning() {
        for kind in Unsupported::ALL {
            let announcement = announce(&seen(kind), NOW).unwrap();
            for type_ in ["Ready", "Progressing"] {
                let condition = condition(&announcement.conditions, type_);
                assert_eq!(condition["status"], "False", "{condition}");
                assert_eq!(condition["reason"], "NotSupported");
                assert_eq!(condition["observedGeneration"], 1);
                let message = condition["message"].as_str().unwrap();
                assert!(message.contains(kind.as_str()), "{message}");
                assert!(message.contains("not carried out by this version"));
            }
            let degraded = condition(&announcement.conditions, "Degraded");
            assert_eq!(degraded["status"], "False");
            let notice = announcement.notice.unwrap();
            assert_eq!((notice.warning, &*notice.reason), (true, "NotSupported"));
            assert!(notice.message.contains(kind.as_str()));
        }
    }

    #[test]
    fn what_is_said_is_not_said_again_at_any_time() {
        let said = said(seen(Unsupported::FlinkSessionJob));
        assert_eq!(announce(&said, NOW), None);
        assert_eq!(
            announce(&said, "2026-01-02T03:04:05Z".parse().unwrap()),
            None
        );
        let mut turned = said;
        turned.conditions.reverse();
        assert!(!is_due(&turned), "whatever the order");
    }

    #[test]
    fn a_new_generation_is_written_and_not_told_again() {
        let edited = Seen {
            generation: 2,
            ..said(seen(Unsupported::FlinkStateSnapshot))
        };
        let announcement = announce(&edited, "2026-01-02T03:04:05Z".parse().unwrap()).unwrap();
        assert_eq!(announcement.notice, None);
        let ready = condition(&announcement.conditions, "Ready");
        assert_eq!(ready["observedGeneration"], 2);
        assert_eq!(ready["lastTransitionTime"], NOW.to_string());
    }

    #[test]
    fn conditions_of_others_stay_as_they_are() {
        let running = json!({ "type": "Running", "status": "True", "newer": [1, null] });
        let broken = json!({ "type": "Ready", "status": "Perhaps" });
        let adopted = Seen {
            conditions: vec![running.clone(), broken],
            ..seen(Unsupported::FlinkBlueGreenDeployment)
        };
        let conditions = announce(&adopted, NOW).unwrap().conditions;
        assert_eq!(*condition(&conditions, "Running"), running);
        assert_eq!(condition(&conditions, "Ready")["status"], "False");
        let of_type = |type_: &str| conditions.iter().filter(|one| one["type"] == type_).count();
        assert_eq!(of_type("Ready"), 1, "the type is the key of the list");
    }

    #[test]
    fn a_condition_taken_away_is_due_again() {
        let mut said = said(seen(Unsupported::FlinkSessionJob));
        said.conditions.retain(|one| one["type"] != "Ready");
        assert!(is_due(&said));
    }

    #[test]
    fn a_deletion_is_commented_on_only_if_it_waits_for_what_we_leave_undone() {
        for kind in Unsupported::ALL {
            let going = Seen {
                deleting: true,
                generation: 2,
                finalizers: vec!["example.com/other".to_owned()],
                ..seen(kind)
            };
            assert_eq!(announce(&going, NOW), None);
            let held = Seen {
                finalizers: vec![kind.finalizer().to_owned()],
                ..going
            };
            let announcement = announce(&held, NOW).unwrap();
            let ready = condition(&announcement.conditions, "Ready");
            let message = ready["message"].as_str().unwrap();
            assert!(message.contains(kind.finalizer()), "{message}");
            assert!(message.contains("has not been done"), "{message}");
            assert!(announcement.notice.is_some(), "that is news");
        }
    }
}
