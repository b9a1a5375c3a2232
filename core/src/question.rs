//! What a pass may look at beyond the watch stores.

use crate::name::{JobId, TriggerId};
use std::collections::BTreeSet;

/// One thing to look at. Each is fetched with its own deadline and answered by one fact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// The jobs of the cluster: `GET /jobs/overview`, the one view that does not lag.
    Jobs,
    /// Checkpoint statistics of a job: `GET /jobs/:id/checkpoints`; up to 3 s old.
    Checkpoints(JobId),
    /// Version and revision of the running Flink: `GET /config`.
    FlinkInfo,
    /// How many TaskManagers are registered: `GET /taskmanagers`.
    TaskManagers,
    /// Why a job failed: `GET /jobs/:id/exceptions`.
    RootCause(JobId),
    /// The state of a savepoint or stop under its trigger id.
    Trigger(JobId, TriggerId),
    /// Events of the cluster's pods that explain why they do not start. Asked at the API server.
    PodEvents,
    /// TaskManager pods, to explain why a job does not run. Asked at the API server.
    TaskManagerPods,
    /// Pods of the cluster, of JobManagers and TaskManagers. Asked at the API server.
    Pods,
    /// Services and ConfigMaps that are rendered for a cluster. Asked at the API server.
    Children,
    /// High-availability ConfigMaps. Asked at the API server.
    Ha,
}

/// A set of questions, asked concurrently.
pub type Wanted = BTreeSet<Question>;

impl Question {
    /// Returns whether the answer proves something about the cluster's objects, so that it counts
    /// only together with a fresh read of the resource and its Deployment.
    pub fn is_proof(&self) -> bool {
        match self {
            Self::Pods | Self::Children | Self::Ha => true,
            Self::Jobs
            | Self::Checkpoints(_)
            | Self::FlinkInfo
            | Self::TaskManagers
            | Self::RootCause(_)
            | Self::Trigger(..)
            | Self::PodEvents
            | Self::TaskManagerPods => false,
        }
    }

    /// Returns whether a JobManager is asked.
    pub fn is_for_flink(&self) -> bool {
        match self {
            Self::Jobs
            | Self::Checkpoints(_)
            | Self::FlinkInfo
            | Self::TaskManagers
            | Self::RootCause(_)
            | Self::Trigger(..) => true,
            Self::PodEvents | Self::TaskManagerPods | Self::Pods | Self::Children | Self::Ha => {
                false
            }
        }
    }
}
