//! What the cluster says about itself.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::client::{Call, JobManager};
use crate::error::Error;
use crate::lenient::{amount, or_default};
use crate::route::Route;
use crate::version::FlinkVersion;

/// The answer to `/config`, the cheapest sign that the REST API works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ClusterConfig {
    /// The full version, as `1.20.5`.
    pub flink_version: String,
    /// The commit it was built from, with its date.
    #[serde(default, deserialize_with = "or_default")]
    pub flink_revision: String,
    /// Milliseconds for which answers about single jobs may be stale.
    #[serde(default, deserialize_with = "amount")]
    pub refresh_interval: Option<u64>,
    /// What is switched on.
    #[serde(default, deserialize_with = "or_default")]
    pub features: Features,
}

/// What is switched on in a cluster; absent where its version does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Features {
    /// Whether jars may be uploaded; false in application mode.
    pub web_submit: Option<bool>,
    /// Whether the web page may cancel; from 1.14.
    pub web_cancel: Option<bool>,
    /// Whether this is a history server; from 1.16.
    pub web_history: Option<bool>,
    /// Whether the web page may rescale; from 1.18.
    pub web_rescale: Option<bool>,
}

impl ClusterConfig {
    /// Gives the version as far as calls depend on it; none of a build without a proper number.
    pub fn version(&self) -> Option<FlinkVersion> {
        self.flink_version.parse().ok()
    }

    /// Gives how stale `/jobs/:jobid`, `/exceptions` and `/checkpoints` may be; Flink's own default
    /// if it does not say.
    pub fn staleness(&self) -> Duration {
        Duration::from_millis(self.refresh_interval.unwrap_or(3000))
    }
}

/// A TaskManager that registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskManager {
    /// Its resource id; in native mode the name of its pod.
    pub id: String,
    /// How many slots it has.
    #[serde(default, deserialize_with = "or_default")]
    pub slots_number: u32,
    /// How many of them are free.
    #[serde(default, deserialize_with = "or_default")]
    pub free_slots: u32,
}

/// One line of the JobManager's effective configuration.
///
/// Flink hides the values of keys that look like secrets, not all that are: so `Debug` shows keys.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigLine {
    /// The key.
    pub key: String,
    /// The value.
    #[serde(default, deserialize_with = "or_default")]
    pub value: String,
}

impl fmt::Debug for ConfigLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigLine")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct TaskManagers {
    taskmanagers: Vec<TaskManager>,
}

impl JobManager {
    /// Asks what the cluster is: version, refresh interval, features.
    pub async fn config(&self) -> Result<ClusterConfig, Error> {
        self.ask(Call::read(Route::Config, &[])).await
    }

    /// Lists the TaskManagers that registered.
    pub async fn task_managers(&self) -> Result<Vec<TaskManager>, Error> {
        let TaskManagers { taskmanagers } = self.ask(Call::read(Route::TaskManagers, &[])).await?;
        Ok(taskmanagers)
    }

    /// Asks for the JobManager's effective configuration.
    pub async fn effective_config(&self) -> Result<Vec<ConfigLine>, Error> {
        self.ask(Call::read(Route::JobManagerConfig, &[])).await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_version_describes_itself() {
        let v1_13 = r#"{"refresh-interval":3000,"timezone-name":"UTC","timezone-offset":0,"flink-version":"1.13.6","flink-revision":"b2ca390 @ 2022-02-03T14:54:22+01:00","features":{"web-submit":true}}"#;
        let v2_3 = r#"{"refresh-interval":500,"flink-version":"2.3.0","flink-revision":null,"features":{"web-submit":false,"web-cancel":false,"web-rescale":false,"web-history":false},"new":{}}"#;
        let bare = r#"{"flink-version":"2.4-SNAPSHOT","features":null}"#;
        let read = |text: &str| serde_json::from_str::<ClusterConfig>(text).unwrap();
        assert_eq!(read(v1_13).features.web_cancel, None);
        assert_eq!(read(v1_13).version(), Some(FlinkVersion::new(1, 13)));
        assert_eq!(read(v2_3).features.web_submit, Some(false));
        assert_eq!(read(v2_3).staleness(), Duration::from_millis(500));
        assert_eq!(read(bare).staleness(), Duration::from_secs(3));
        assert!(serde_json::from_str::<ClusterConfig>("{}").is_err());
    }

    #[test]
    fn values_of_the_configuration_are_not_printed() {
        let line: ConfigLine = serde_json::from_str(r#"{"key":"s3.x","value":"hunter2"}"#).unwrap();
        assert_eq!(line.value, "hunter2");
        assert!(!format!("{line:?}").contains("hunter2"));
    }
}
