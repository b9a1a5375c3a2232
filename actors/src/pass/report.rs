//! What came of a pass, for its actor, the health page and the metrics.

use flink_operator_api::{Condition, ConditionStatus};
use jiff::Timestamp;
use operator_core::decision::Revisit;
use operator_core::fact::Why;
use operator_core::name::ResourceVersion;
use operator_core::resource::{Broken, Status};
use operator_core::status::conditions::Reason;
use std::time::Duration;

/// How a pass ended. A variant tells the actor what it can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing to do and nothing to store.
    Quiet,
    /// A status was stored, nothing done.
    Stored,
    /// Effects were carried out.
    Acted,
    /// Somebody else wrote the resource meanwhile: look again.
    Conflict,
    /// The API server or Flink refused an effect.
    Refused(Why),
    /// It is not known whether an effect was applied: look again.
    Unknown(Why),
    /// The installed CRD drops what an effect relies on; nothing was done.
    CrdOutdated,
    /// The resource is not there any more.
    Gone,
    /// Too many rounds of looking.
    Undecided,
    /// This instance does not lead.
    NotLeader,
    /// The stored status cannot be read; nothing is done, so that nothing is lost.
    Unreadable(Broken),
    /// The deadline of the pass went by.
    TimedOut,
}

impl End {
    /// Names the variant for metrics: a closed set.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Stored => "stored",
            Self::Acted => "acted",
            Self::Conflict => "conflict",
            Self::Refused(_) => "refused",
            Self::Unknown(_) => "unknown",
            Self::CrdOutdated => "crd-outdated",
            Self::Gone => "gone",
            Self::Undecided => "undecided",
            Self::NotLeader => "not-leader",
            Self::Unreadable(_) => "unreadable",
            Self::TimedOut => "timed-out",
        }
    }
}

/// What a pass tells its actor.
#[derive(Clone, Debug)]
pub struct PassReport {
    /// How it ended.
    pub end: End,
    /// When the next one is due; `None` leaves it to the actor's back-off.
    pub revisit: Option<Revisit>,
    /// Whether it tried to change anything but the status.
    pub acted: bool,
    /// How long it took.
    pub took: Duration,
    /// How the resource stands, if that is known.
    pub summary: Option<Summary>,
    /// The version of the resource after the last write of this pass, if it wrote: its own echo
    /// from the watch is no news.
    pub written: Option<ResourceVersion>,
}

/// How a resource stands, in words of closed sets, and what it waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// `status.lifecycleState`.
    pub lifecycle: Option<&'static str>,
    /// `status.jobManagerDeploymentStatus`.
    pub job_manager: Option<&'static str>,
    /// `status.jobStatus.state`.
    pub job: Option<&'static str>,
    /// What it waits for.
    pub waiting: Option<Waits>,
    /// The Flink version of the running cluster, such as `1.20.1`.
    pub flink_version: Option<String>,
}

/// What a resource waits for, as its conditions say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    /// The reason of the condition: from a closed set.
    pub reason: String,
    /// Its sentence for people.
    pub message: String,
    /// Since when the condition has been as it is; the reason may be younger.
    pub since: Option<Timestamp>,
}

impl PassReport {
    pub(super) fn of(end: End) -> Self {
        Self {
            end,
            revisit: None,
            acted: false,
            took: Duration::ZERO,
            summary: None,
            written: None,
        }
    }

    pub(super) fn revisiting(self, revisit: Revisit) -> Self {
        Self {
            revisit: Some(revisit),
            ..self
        }
    }

    pub(super) fn acting(self) -> Self {
        Self {
            acted: true,
            ..self
        }
    }

    pub(super) fn about(self, status: &Status) -> Self {
        Self {
            summary: Summary::of(status),
            ..self
        }
    }
}

impl Summary {
    fn of(status: &Status) -> Option<Self> {
        let Status::FlinkDeployment(doc) = status else {
            return None;
        };
        let typed = &doc.typed;
        Some(Self {
            lifecycle: typed
                .lifecycle_state
                .map(flink_operator_api::ResourceLifecycleState::as_str),
            job_manager: typed
                .job_manager_deployment_status
                .map(flink_operator_api::JobManagerDeploymentStatus::as_str),
            job: typed
                .job_status
                .as_ref()
                .and_then(|job| job.state)
                .map(flink_operator_api::FlinkJobState::as_str),
            waiting: Waits::of(typed.conditions.as_deref().unwrap_or_default()),
            flink_version: typed
                .cluster_info
                .as_ref()
                .and_then(|info| info.get("flink-version"))
                .cloned(),
        })
    }
}

impl Waits {
    /// Reads what is waited for: what needs a person comes first, then what is on its way, then that it is not ready.
    fn of(conditions: &[Condition]) -> Option<Self> {
        let found = |type_: &str, waits: &dyn Fn(&Condition) -> bool| {
            let mut found = conditions.iter().filter(|found| found.type_ == type_);
            found.next().filter(|found| waits(found))
        };
        let holds = |condition: &Condition| condition.status == Some(ConditionStatus::True);
        let about = |condition: &Condition, reasons: &[Reason]| {
            let word = condition.reason.as_deref();
            reasons.iter().any(|reason| word == Some(reason.as_str()))
        };
        let ended = [Reason::Suspended, Reason::JobFinished, Reason::JobCanceled];
        let condition = found("Degraded", &holds)
            .or_else(|| found("Progressing", &|it| !about(it, &[Reason::AtRest])))
            .or_else(|| found("Ready", &|it| !holds(it) && !about(it, &ended)))?;
        let since = condition.last_transition_time.as_deref();
        Some(Self {
            reason: condition.reason.clone().unwrap_or_default(),
            message: condition.message.clone().unwrap_or_default(),
            since: since.and_then(|since| since.parse().ok()),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Waits;
    use flink_operator_api::{Condition, ConditionStatus};

    fn condition(type_: &str, holds: bool, reason: &str) -> Condition {
        let status = if holds {
            ConditionStatus::True
        } else {
            ConditionStatus::False
        };
        Condition {
            type_: type_.to_owned(),
            status: Some(status),
            reason: Some(reason.to_owned()),
            message: Some(format!("about {type_}")),
            last_transition_time: Some("2026-01-02T03:04:05Z".to_owned()),
            observed_generation: Some(1),
        }
    }

    fn reason(ready: &str, progressing: (bool, &str), degraded: (bool, &str)) -> Option<String> {
        let conditions = [
            condition("Degraded", degraded.0, degraded.1),
            condition("Progressing", progressing.0, progressing.1),
            condition("Ready", ready == "JobRunning", ready),
        ];
        Waits::of(&conditions).map(|waits| waits.reason)
    }

    #[test]
    fn a_resource_that_is_not_at_rest_says_what_it_waits_for() {
        let (rest, fine) = ((false, "AtRest"), (false, "AtRest"));
        for done in ["JobRunning", "Suspended", "JobFinished", "JobCanceled"] {
            assert_eq!(reason(done, rest, fine), None, "{done}");
        }
        let waits = |ready, progressing, degraded| reason(ready, progressing, degraded).unwrap();
        let deploying = (true, "Deploying");
        assert_eq!(waits("Deploying", deploying, fine), "Deploying");
        let failed = (true, "DeploymentFailed");
        assert_eq!(
            waits("DeploymentFailed", deploying, failed),
            "DeploymentFailed"
        );
        let stateful = (false, "StatefulUpgradeNotAvailable");
        assert_eq!(waits("JobRunning", stateful, fine), stateful.1);
        assert_eq!(waits("WaitingForJob", rest, fine), "WaitingForJob");
    }

    #[test]
    fn the_time_is_that_of_the_condition() {
        let waits = Waits::of(&[condition("Progressing", true, "Deploying")]).unwrap();
        assert_eq!(waits.message, "about Progressing");
        assert_eq!(waits.since, "2026-01-02T03:04:05Z".parse().ok());
        assert_eq!(Waits::of(&[]), None);
    }
}
