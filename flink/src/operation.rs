//! Savepoints, stops, triggered checkpoints and disposals: asked for by one call, answered by others.
//!
//! That Flink accepts one says nothing: it accepts them for jobs that ended or never were.

use serde::{Deserialize, Serialize};

use crate::client::{Call, JobManager};
use crate::error::Error;
use crate::failure::FailureCause;
use crate::id::{JobId, TriggerId};
use crate::permit::Permit;
use crate::route::Route;

/// How a savepoint is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SavepointFormat {
    /// The same for every state backend.
    Canonical,
    /// That of the state backend in use.
    Native,
}

/// Asks for a savepoint of a job that goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SavepointRequest {
    /// The directory; without it Flink uses its configuration's.
    #[serde(rename = "target-directory", skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// The format; from 1.15.
    #[serde(rename = "formatType", skip_serializing_if = "Option::is_none")]
    pub format: Option<SavepointFormat>,
    /// The id under which it is asked about, and repeated safely; from 1.15.
    #[serde(rename = "triggerId", skip_serializing_if = "Option::is_none")]
    pub trigger: Option<TriggerId>,
}

/// Asks for a savepoint of a job that ends with it.
///
/// A second stop under another id destroys the first. One with the id of a savepoint stops nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StopRequest {
    /// The directory; without it Flink uses its configuration's.
    #[serde(rename = "targetDirectory", skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// Whether windows and timers fire as if the input had ended.
    pub drain: bool,
    /// The format; from 1.15.
    #[serde(rename = "formatType", skip_serializing_if = "Option::is_none")]
    pub format: Option<SavepointFormat>,
    /// The id under which it is asked about, and repeated safely; from 1.15.
    #[serde(rename = "triggerId", skip_serializing_if = "Option::is_none")]
    pub trigger: Option<TriggerId>,
}

/// Whether a triggered checkpoint may rely on files of earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CheckpointType {
    /// As the job is configured.
    Configured,
    /// It may not.
    Full,
    /// It may.
    Incremental,
}

/// Asks for a checkpoint; from 1.17.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointRequest {
    /// Whether it is full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_type: Option<CheckpointType>,
    /// The id under which it is asked about, and repeated safely.
    #[serde(rename = "triggerId", skip_serializing_if = "Option::is_none")]
    pub trigger: Option<TriggerId>,
}

/// How an operation stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation<T> {
    /// Flink works on it; there is no limit to that.
    InProgress,
    /// It succeeded.
    Done(T),
    /// It failed. The same id repeats this answer, and does nothing, until Flink forgets it.
    Failed(FailureCause),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Accepted {
    request_id: TriggerId,
}

#[derive(Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
struct Answer<T> {
    status: Option<Status>,
    operation: Option<T>,
}

#[derive(Deserialize)]
struct Status {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct SavepointResult {
    location: Option<String>,
    failure_cause: Option<FailureCause>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CheckpointResult {
    checkpoint_id: Option<u64>,
    #[serde(alias = "failure-cause")]
    failure_cause: Option<FailureCause>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct DisposalResult {
    failure_cause: Option<FailureCause>,
}

impl<T> Answer<T> {
    /// Takes the result if there is one; `pick` finds success or failure in it.
    fn settle<D>(
        self,
        route: Route,
        pick: impl FnOnce(T) -> Option<Result<D, FailureCause>>,
    ) -> Result<Operation<D>, Error> {
        match (self.operation.and_then(pick), self.status) {
            (Some(Ok(done)), _) => Ok(Operation::Done(done)),
            (Some(Err(cause)), _) => Ok(Operation::Failed(cause)),
            (None, Some(status)) if status.id == "IN_PROGRESS" => Ok(Operation::InProgress),
            (None, _) => Err(Error::NotUnderstood {
                route,
                what: "expected IN_PROGRESS, a result or a failure".to_owned(),
                at: "operation".to_owned(),
            }),
        }
    }
}

#[derive(Serialize)]
struct Disposal<'a> {
    #[serde(rename = "savepoint-path")]
    path: &'a str,
}

impl JobManager {
    async fn trigger(&self, call: Call<'_>) -> Result<TriggerId, Error> {
        let Accepted { request_id } = self.ask(call).await?;
        Ok(request_id)
    }

    /// Starts a savepoint. The id is the given one, or Flink's own choice.
    pub async fn trigger_savepoint(
        &self,
        job: JobId,
        request: &SavepointRequest,
        permit: &Permit,
    ) -> Result<TriggerId, Error> {
        let parameters = [&*job.to_string()];
        self.trigger(Call::change(
            Route::TriggerSavepoint,
            &parameters,
            request,
            permit,
        ))
        .await
    }

    /// Starts a stop with savepoint. The id is the given one, or Flink's own choice.
    pub async fn stop_with_savepoint(
        &self,
        job: JobId,
        request: &StopRequest,
        permit: &Permit,
    ) -> Result<TriggerId, Error> {
        let parameters = [&*job.to_string()];
        self.trigger(Call::change(Route::Stop, &parameters, request, permit))
            .await
    }

    /// Asks how a savepoint or stop stands; done, it gives its location.
    pub async fn savepoint_status(
        &self,
        job: JobId,
        trigger: TriggerId,
    ) -> Result<Operation<String>, Error> {
        let route = Route::SavepointStatus;
        let parameters = [&*job.to_string(), &*trigger.to_string()];
        let answer: Answer<SavepointResult> = self.ask(Call::read(route, &parameters)).await?;
        answer.settle(route, |result| match result {
            SavepointResult {
                failure_cause: Some(cause),
                ..
            } => Some(Err(cause)),
            SavepointResult { location, .. } => location.filter(|path| !path.is_empty()).map(Ok),
        })
    }

    /// Starts a checkpoint. The id is the given one, or Flink's own choice.
    pub async fn trigger_checkpoint(
        &self,
        job: JobId,
        request: &CheckpointRequest,
        permit: &Permit,
    ) -> Result<TriggerId, Error> {
        let parameters = [&*job.to_string()];
        self.trigger(Call::change(
            Route::TriggerCheckpoint,
            &parameters,
            request,
            permit,
        ))
        .await
    }

    /// Asks how a triggered checkpoint stands; done, it gives its number.
    pub async fn checkpoint_status(
        &self,
        job: JobId,
        trigger: TriggerId,
    ) -> Result<Operation<u64>, Error> {
        let route = Route::CheckpointStatus;
        let parameters = [&*job.to_string(), &*trigger.to_string()];
        let answer: Answer<CheckpointResult> = self.ask(Call::read(route, &parameters)).await?;
        answer.settle(route, |result| match result {
            CheckpointResult {
                failure_cause: Some(cause),
                ..
            } => Some(Err(cause)),
            CheckpointResult { checkpoint_id, .. } => checkpoint_id.map(Ok),
        })
    }

    /// Starts the deletion of a savepoint's files.
    pub async fn dispose_savepoint(&self, path: &str, permit: &Permit) -> Result<TriggerId, Error> {
        let body = Disposal { path };
        self.trigger(Call::change(Route::DisposeSavepoint, &[], &body, permit))
            .await
    }

    /// Asks how a disposal stands.
    pub async fn disposal_status(&self, trigger: TriggerId) -> Result<Operation<()>, Error> {
        let route = Route::DisposalStatus;
        let parameters = [&*trigger.to_string()];
        let answer: Answer<DisposalResult> = self.ask(Call::read(route, &parameters)).await?;
        answer.settle(route, |result| {
            Some(result.failure_cause.map_or(Ok(()), Err))
        })
    }
}
