//! What failed in a job.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::client::{Call, JobManager};
use crate::error::Error;
use crate::id::JobId;
use crate::lenient::{UnixMillis, moment, or_default};
use crate::route::Route;

/// The answer to `/jobs/:jobid/exceptions`, up to the refresh interval old.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobExceptions {
    /// The latest failure's trace; before 2.0.
    #[serde(rename = "root-exception")]
    pub root_exception: Option<String>,
    /// When that was; before 2.0.
    #[serde(default, deserialize_with = "moment")]
    pub timestamp: Option<UnixMillis>,
    /// Failures, newest first.
    #[serde(default, rename = "exceptionHistory", deserialize_with = "or_default")]
    pub history: ExceptionHistory,
}

/// The failures that Flink still knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionHistory {
    /// Failures, newest first.
    #[serde(default, deserialize_with = "or_default")]
    pub entries: Vec<ExceptionEntry>,
    /// Whether older ones were dropped.
    #[serde(default, deserialize_with = "or_default")]
    pub truncated: bool,
}

/// One failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionEntry {
    /// Its class.
    #[serde(default, deserialize_with = "or_default")]
    pub exception_name: String,
    /// Its trace.
    #[serde(default, deserialize_with = "or_default")]
    pub stacktrace: String,
    /// When it happened.
    #[serde(default, deserialize_with = "moment")]
    pub timestamp: Option<UnixMillis>,
    /// The task it happened in; none of a failure of the whole job.
    pub task_name: Option<String>,
    /// Host and port of the task, in versions that call it so.
    endpoint: Option<String>,
    /// The same, under its name in older versions.
    location: Option<String>,
    /// The TaskManager.
    pub task_manager_id: Option<String>,
    /// Labels of failure enrichers; from 1.18.
    #[serde(default, deserialize_with = "or_default")]
    pub failure_labels: BTreeMap<String, String>,
    /// Failures caused by the same; from 1.15.
    #[serde(default, deserialize_with = "or_default")]
    pub concurrent_exceptions: Vec<ExceptionEntry>,
}

impl ExceptionEntry {
    /// Gives host and port of the task.
    pub fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref().or(self.location.as_deref())
    }
}

impl JobManager {
    /// Asks what failed in a job.
    pub async fn exceptions(&self, job: JobId) -> Result<JobExceptions, Error> {
        self.ask(Call::read(Route::Exceptions, &[&job.to_string()]))
            .await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(text: &str) -> JobExceptions {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_job_without_failures_has_none_in_any_version() {
        for nothing in [
            r#"{"root-exception":null,"timestamp":null,"all-exceptions":[],"truncated":false,"exceptionHistory":{"entries":[],"truncated":false}}"#,
            r#"{"exceptionHistory":{"entries":[],"truncated":false}}"#,
            r#"{"exceptionHistory":{"entries":null}}"#,
            r#"{"exceptionHistory":null}"#,
            "{}",
        ] {
            assert_eq!(read(nothing), JobExceptions::default(), "{nothing}");
        }
    }

    #[test]
    fn the_endpoint_has_two_names_and_labels_may_be_missing() {
        let old = r#"{"root-exception":"java.lang.E: x\n\tat y","timestamp":7,"exceptionHistory":{"entries":[{"exceptionName":"java.lang.E","stacktrace":"java.lang.E: x","timestamp":7,"taskName":"Map (1/2)","location":"10.0.0.7:41000","taskManagerId":"tm-1","failureLabels":null}]}}"#;
        let new = r#"{"exceptionHistory":{"entries":[{"exceptionName":"E","stacktrace":"E","timestamp":7,"failureLabels":{"type":"user"},"taskName":null,"endpoint":"10.0.0.7:41000","taskManagerId":null,"concurrentExceptions":[{"exceptionName":"F","stacktrace":"F","timestamp":-1}]}],"truncated":true}}"#;
        let entry = |text| read(text).history.entries.remove(0);
        assert_eq!(entry(old).endpoint(), Some("10.0.0.7:41000"));
        assert!(entry(old).failure_labels.is_empty());
        assert_eq!(entry(new).endpoint(), Some("10.0.0.7:41000"));
        assert_eq!(entry(new).failure_labels["type"], "user");
        assert_eq!(entry(new).concurrent_exceptions[0].timestamp, None);
    }
}
