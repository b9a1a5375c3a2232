//! What Flink, and others who reach it, do to a cluster in the middle of a change.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use flink_operator_world::api::{DeleteOptions, Propagation};
use flink_operator_world::cluster::{RestTrouble, World};

use crate::play::{NAME, NAMESPACE, pass};

/// Where the resources of sweeps have their savepoints.
pub const SAVEPOINTS: &str = "file:///sp";
/// How long a lasting deed lasts, in seconds.
const LASTING: f64 = 30.0;
/// How long a savepoint takes in sweeps: long enough to be looked at while it is taken.
pub const SAVING: Duration = Duration::from_secs(2);
/// The trigger id of somebody else.
const OTHERS: &str = "0123456789abcdef0123456789abcdef";

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// All TaskManagers are killed.
    TaskManagersKilled,
    /// The JobManager's container is killed, and started again.
    JobManagerKilled,
    /// The job comes to its own end.
    JobFinishes,
    /// A task fails, and the job starts again.
    TaskFails,
    /// For half a minute Flink forgets each result at once.
    ResultsEvicted,
    /// For half a minute no savepoint can be written.
    SavepointsUnwritable,
    /// For half a minute the REST endpoint takes requests and answers none.
    RestSilent,
    /// Somebody else stops the job, under another trigger id.
    StoppedByOthers,
    /// Somebody deletes the JobManager Deployment, which is gone before its pods are.
    DeploymentDeleted,
}

impl Deed {
    /// Lists all deeds.
    pub const ALL: [Self; 9] = [
        Self::TaskManagersKilled,
        Self::JobManagerKilled,
        Self::JobFinishes,
        Self::TaskFails,
        Self::ResultsEvicted,
        Self::SavepointsUnwritable,
        Self::RestSilent,
        Self::StoppedByOthers,
        Self::DeploymentDeleted,
    ];

    /// Gives the name in plans.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TaskManagersKilled => "task-managers-killed",
            Self::JobManagerKilled => "job-manager-killed",
            Self::JobFinishes => "job-finishes",
            Self::TaskFails => "task-fails",
            Self::ResultsEvicted => "results-evicted",
            Self::SavepointsUnwritable => "savepoints-unwritable",
            Self::RestSilent => "rest-silent",
            Self::StoppedByOthers => "stopped-by-others",
            Self::DeploymentDeleted => "deployment-deleted",
        }
    }

    /// Tells whether processes end by it.
    pub const fn kills(self) -> bool {
        match self {
            Self::TaskManagersKilled | Self::JobManagerKilled => true,
            Self::JobFinishes
            | Self::TaskFails
            | Self::ResultsEvicted
            | Self::SavepointsUnwritable
            | Self::RestSilent
            | Self::StoppedByOthers
            | Self::DeploymentDeleted => false,
        }
    }

    /// Does it.
    pub async fn happen(self, world: &World) {
        let cluster = &world.cluster;
        match self {
            Self::TaskManagersKilled => cluster.kill_task_managers(NAMESPACE, NAME),
            Self::JobManagerKilled => cluster.kill_job_manager(NAMESPACE, NAME),
            Self::JobFinishes => cluster.finish_jobs(NAMESPACE, NAME),
            Self::TaskFails => {
                cluster.fail_tasks(NAMESPACE, NAME, "java.lang.RuntimeException: asked to fail");
            }
            Self::ResultsEvicted => {
                // More often than anybody asks.
                for _ in 0..150 {
                    cluster.forget_results(NAMESPACE, NAME);
                    pass(LASTING / 150.0).await;
                }
            }
            Self::SavepointsUnwritable => {
                cluster.with_files(|files| files.unwritable.insert(SAVEPOINTS.to_owned()));
                pass(LASTING).await;
                cluster.with_files(|files| files.unwritable.remove(SAVEPOINTS));
            }
            Self::RestSilent => {
                cluster.set_rest_trouble(NAMESPACE, NAME, Some(RestTrouble::Hang));
                pass(LASTING).await;
                cluster.set_rest_trouble(NAMESPACE, NAME, None);
            }
            Self::StoppedByOthers => {
                // Nobody may be there to hear it.
                drop(cluster.stop_jobs(NAMESPACE, NAME, OTHERS, SAVEPOINTS));
            }
            Self::DeploymentDeleted => {
                let in_background = DeleteOptions::with(Propagation::Background);
                // It may be gone already.
                drop(
                    world
                        .api
                        .delete_with("Deployment", NAMESPACE, NAME, &in_background),
                );
            }
        }
    }
}

/// When it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before this write of the operator arrives.
    Write(u64),
    /// While the savepoint of the first stop is being written.
    Saving,
    /// In the first moments after that stop has ended the job, when what Flink writes of an end is half done.
    Ending,
    /// Right after that.
    Saved,
}

impl When {
    /// Lists the moments of a play with this many writes.
    pub fn all(writes: u64) -> impl Iterator<Item = Self> {
        let of_stop = [Self::Saving, Self::Ending, Self::Saved];
        (1..=writes).map(Self::Write).chain(of_stop)
    }

    /// Tells whether a write is the one that the moment hangs on.
    pub fn is_at(self, number: u64, call: &str) -> bool {
        match self {
            Self::Write(at) => number == at,
            Self::Saving | Self::Ending | Self::Saved => call.contains("/stop at "),
        }
    }

    /// Gives how long after that write leaves it is.
    pub fn after(self) -> Duration {
        match self {
            Self::Write(_) => Duration::ZERO,
            Self::Saving => SAVING / 2,
            // A JobManager that dies now may never come up again.
            Self::Ending => SAVING + Duration::from_millis(50),
            Self::Saved => SAVING + Duration::from_millis(110),
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(at) => write!(out, "{at}"),
            Self::Saving => out.write_str("saving"),
            Self::Ending => out.write_str("ending"),
            Self::Saved => out.write_str("saved"),
        }
    }
}

impl FromStr for When {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "saving" => Ok(Self::Saving),
            "ending" => Ok(Self::Ending),
            "saved" => Ok(Self::Saved),
            _ => text.parse().map(Self::Write).map_err(drop),
        }
    }
}
