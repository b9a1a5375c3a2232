//! What came of a pass, for its actor, the health page and the metrics.

use operator_core::decision::Revisit;
use operator_core::fact::Why;
use operator_core::name::ResourceVersion;
use operator_core::resource::{Broken, Status};
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
    /// What it waits for: reason and sentence.
    pub waiting: Option<(String, String)>,
    /// The Flink version of the running cluster, such as `1.20.1`.
    pub flink_version: Option<String>,
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
        let progressing = typed
            .conditions
            .iter()
            .flatten()
            .find(|condition| condition.type_ == "Progressing");
        let waiting = progressing.filter(|condition| condition.reason.as_deref() != Some("AtRest"));
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
            waiting: waiting.map(|condition| {
                (
                    condition.reason.clone().unwrap_or_default(),
                    condition.message.clone().unwrap_or_default(),
                )
            }),
            flink_version: typed
                .cluster_info
                .as_ref()
                .and_then(|info| info.get("flink-version"))
                .cloned(),
        })
    }
}
