//! Jobs: which there are, how they are, how they ended, and the call that cancels one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::client::{Call, JobManager, Nothing};
use crate::endpoint::push_encoded;
use crate::error::Error;
use crate::failure::FailureCause;
use crate::id::{JobId, VertexId};
use crate::lenient::{UnixMillis, moment, or_default, words};
use crate::permit::Permit;
use crate::route::Route;

words! {
    /// The state of a job.
    JobState {
        /// The `JobMaster` is starting.
        Initializing = "INITIALIZING",
        /// Nothing is scheduled yet.
        Created = "CREATED",
        /// Scheduled; tasks need not run.
        Running = "RUNNING",
        /// On the way to `Failed`.
        Failing = "FAILING",
        /// Ended by a failure.
        Failed = "FAILED",
        /// On the way to `Canceled`.
        Cancelling = "CANCELLING",
        /// Ended by a cancel.
        Canceled = "CANCELED",
        /// Ended of its own accord, or stopped with a savepoint.
        Finished = "FINISHED",
        /// Between a failure and the next attempt.
        Restarting = "RESTARTING",
        /// Left by its JobManager, for another to take over.
        Suspended = "SUSPENDED",
        /// Being taken over.
        Reconciling = "RECONCILING",
    }
}

impl JobState {
    /// Tells whether the job has ended for good.
    pub fn is_terminal(&self) -> bool {
        match self {
            Self::Failed | Self::Canceled | Self::Finished => true,
            Self::Initializing
            | Self::Created
            | Self::Running
            | Self::Failing
            | Self::Cancelling
            | Self::Restarting
            | Self::Suspended
            | Self::Reconciling
            | Self::Other(_) => false,
        }
    }
}

/// How many tasks of a job are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tasks {
    /// All; 0 while the job is initializing.
    pub total: u32,
    /// Running ones.
    pub running: u32,
    /// Finished ones.
    pub finished: u32,
    /// Those that wait for a slot: with no TaskManager a job is RUNNING and all its tasks here.
    #[serde(default, deserialize_with = "or_default")]
    pub scheduled: u32,
    /// Those on their way to a TaskManager.
    #[serde(default, deserialize_with = "or_default")]
    pub deploying: u32,
    /// Those that restore their state.
    #[serde(default, deserialize_with = "or_default")]
    pub initializing: u32,
    /// Failed ones.
    #[serde(default, deserialize_with = "or_default")]
    pub failed: u32,
}

impl Tasks {
    /// Tells whether every task runs or has finished: the only sign of life.
    pub fn are_all_up(&self) -> bool {
        self.total > 0
            && u64::from(self.running) + u64::from(self.finished) == u64::from(self.total)
    }
}

/// An entry of `/jobs/overview`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct JobOverview {
    /// The job.
    pub jid: JobId,
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Its state, never stale.
    pub state: JobState,
    /// When this run of it was submitted or recovered.
    #[serde(default, deserialize_with = "moment")]
    pub start_time: Option<UnixMillis>,
    /// When it ended.
    #[serde(default, deserialize_with = "moment")]
    pub end_time: Option<UnixMillis>,
    /// When its state changed last.
    #[serde(default, deserialize_with = "moment")]
    pub last_modification: Option<UnixMillis>,
    /// Its tasks; absent means unknown, not none.
    pub tasks: Option<Tasks>,
}

/// The answer to `/jobs/:jobid`, up to the refresh interval old.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobDetails {
    /// The job.
    pub jid: JobId,
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Its state, perhaps stale.
    pub state: JobState,
    /// When this run of it was submitted or recovered.
    #[serde(default, rename = "start-time", deserialize_with = "moment")]
    pub start_time: Option<UnixMillis>,
    /// When it ended.
    #[serde(default, rename = "end-time", deserialize_with = "moment")]
    pub end_time: Option<UnixMillis>,
    /// The highest parallelism it can be rescaled to.
    #[serde(default, rename = "maxParallelism")]
    pub max_parallelism: Option<i64>,
    /// When it entered each state last; 0 where it never did.
    #[serde(default, deserialize_with = "or_default")]
    pub timestamps: BTreeMap<String, i64>,
    /// Its operator chains.
    #[serde(default, deserialize_with = "or_default")]
    pub vertices: Vec<Vertex>,
}

/// An operator chain of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vertex {
    /// The chain.
    pub id: VertexId,
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Its parallelism.
    #[serde(default)]
    pub parallelism: Option<i64>,
    /// The highest parallelism it can be rescaled to.
    #[serde(default, rename = "maxParallelism")]
    pub max_parallelism: Option<i64>,
    /// The state of its tasks, summed up.
    #[serde(default, deserialize_with = "or_default")]
    pub status: String,
}

/// The answer to `/jobs/:jobid/execution-result`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecutionResult {
    /// The job has not ended.
    InProgress,
    /// The job ended.
    Ended {
        /// How.
        status: ApplicationStatus,
        /// Why, if it failed.
        cause: Option<FailureCause>,
    },
}

words! {
    /// How a job ended.
    ApplicationStatus {
        /// Of its own accord.
        Succeeded = "SUCCEEDED",
        /// By a failure.
        Failed = "FAILED",
        /// By a cancel.
        Canceled = "CANCELED",
        /// Flink does not know.
        Unknown = "UNKNOWN",
    }
}

#[derive(Deserialize)]
struct Jobs {
    jobs: Vec<JobOverview>,
}

#[derive(Deserialize)]
struct Execution {
    status: ExecutionStatus,
    #[serde(rename = "job-execution-result")]
    result: Option<JobExecutionResult>,
}

#[derive(Deserialize)]
struct ExecutionStatus {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct JobExecutionResult {
    application_status: ApplicationStatus,
    failure_cause: Option<FailureCause>,
}

#[derive(Deserialize)]
struct Metric {
    id: String,
    value: Option<String>,
}

/// Values of metrics by name; one that Flink does not have is not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metrics(BTreeMap<String, String>);

impl Metrics {
    /// Gives a metric as Flink writes it.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Gives a metric that is a finite number.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.text(name)?
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
    }
}

impl JobManager {
    /// Lists all jobs. Their order changes from call to call.
    ///
    /// A job missing here may still be in its `main`, have ended before a restart, or have expired.
    pub async fn jobs(&self) -> Result<Vec<JobOverview>, Error> {
        let Jobs { jobs } = self.ask(Call::read(Route::JobsOverview, &[])).await?;
        Ok(jobs)
    }

    /// Asks for one job in detail; its state may be stale.
    pub async fn job(&self, job: JobId) -> Result<JobDetails, Error> {
        self.ask(Call::read(Route::JobDetails, &[&job.to_string()]))
            .await
    }

    /// Asks how a job ended.
    pub async fn execution_result(&self, job: JobId) -> Result<ExecutionResult, Error> {
        let route = Route::ExecutionResult;
        let answer: Execution = self.ask(Call::read(route, &[&job.to_string()])).await?;
        match (answer.status.id.as_str(), answer.result) {
            ("IN_PROGRESS", None) => Ok(ExecutionResult::InProgress),
            (_, Some(result)) => Ok(ExecutionResult::Ended {
                status: result.application_status,
                cause: result.failure_cause,
            }),
            (_, None) => Err(Error::NotUnderstood {
                route,
                what: "expected IN_PROGRESS or a result".to_owned(),
                at: "status.id".to_owned(),
            }),
        }
    }

    /// Asks for metrics of a job by name.
    pub async fn job_metrics(&self, job: JobId, names: &[&str]) -> Result<Metrics, Error> {
        let mut query = "get=".to_owned();
        for (index, name) in names.iter().enumerate() {
            if index > 0 {
                query.push(',');
            }
            push_encoded(&mut query, name);
        }
        let parameters = [&*job.to_string()];
        let call = Call::read(Route::JobMetrics, &parameters).query(query);
        let metrics: Vec<Metric> = self.ask(call).await?;
        let known = metrics
            .into_iter()
            .filter_map(|metric| Some((metric.id, metric.value?)));
        Ok(Metrics(known.collect()))
    }

    /// Cancels a job. Whatever the answer is, the overview tells what became of the job.
    pub async fn cancel(&self, job: JobId, permit: &Permit) -> Result<(), Error> {
        let parameters = [&*job.to_string()];
        self.tell(
            Call::change(Route::Cancel, &parameters, &Nothing {}, permit).query("mode=cancel"),
        )
        .await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn unknown_states_are_kept_and_not_terminal() {
        let state: JobState = serde_json::from_str("\"PAUSED\"").unwrap();
        assert_eq!(state, JobState::Other("PAUSED".to_owned()));
        assert!(!state.is_terminal());
        assert_eq!(
            serde_json::to_string(&JobState::Canceled).unwrap(),
            "\"CANCELED\""
        );
    }

    #[test]
    fn only_all_tasks_up_is_a_sign_of_life() {
        let up = |total, running, finished| {
            Tasks {
                total,
                running,
                finished,
                ..Tasks::default()
            }
            .are_all_up()
        };
        assert!(up(4, 4, 0) && up(4, 1, 3));
        assert!(!up(0, 0, 0) && !up(4, 3, 0));
        assert!(!up(u32::MAX, u32::MAX, 1));
    }

    #[test]
    fn metrics_are_numbers_only_if_they_are() {
        let metrics = [("a", "3"), ("b", "NaN"), ("c", "text")];
        let metrics = Metrics(metrics.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
        assert_eq!(metrics.number("a"), Some(3.0));
        assert_eq!((metrics.number("b"), metrics.number("c")), (None, None));
        assert_eq!(metrics.text("c"), Some("text"));
    }
}
