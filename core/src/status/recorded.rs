//! `lastReconciledSpec`: the spec that was deployed, in every form that was ever written.
//!
//! The text is written in the shape of the Java operator: every field of the spec, nulls included.
//! STABLE is an equality of two such texts, so that a text is only ever replaced by a whole new one.

use crate::resource::{Broken, read};
use flink_operator_api::{FlinkDeploymentSpec, JobState, UpgradeMode};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

/// The recorded spec, decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// The spec; its `job.upgradeMode` is the mode it was restored with, not the user's.
    pub spec: FlinkDeploymentSpec,
    /// What the first release of the Java operator did not write.
    pub metadata: Option<Metadata>,
}

/// What goes with a recorded spec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The API version of the resource.
    #[serde(default, deserialize_with = "null_as_default")]
    pub api_version: String,
    /// Whether nothing but the initial spec has been deployed.
    #[serde(default, deserialize_with = "null_as_default")]
    pub first_deployment: bool,
    /// The generation that was deployed, as releases 1.1 to 1.9 wrote it in an object of its own.
    /// Newer ones have `status.observedGeneration` and refuse to read the old form: never written.
    #[serde(
        default,
        rename = "metadata",
        skip_serializing,
        deserialize_with = "inner_generation"
    )]
    pub generation: Option<i64>,
}

fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// Reads the generation out of the metadata of a resource; whatever else is there is dropped.
fn inner_generation<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let metadata = Value::deserialize(from)?;
    Ok(metadata["generation"].as_i64())
}

impl Recorded {
    /// Records a spec.
    pub fn new(spec: FlinkDeploymentSpec, first_deployment: bool) -> Self {
        let metadata = Metadata {
            api_version: "flink.apache.org/v1beta1".to_owned(),
            first_deployment,
            generation: None,
        };
        Self {
            spec,
            metadata: Some(metadata),
        }
    }

    /// Decodes the text of any release: the flat form of 1.0, and the wrapped one since 1.1.
    pub fn read(text: &str) -> Result<Self, Broken> {
        const ROOT: &str = "status.reconciliationStatus.lastReconciledSpec";
        let mut whole: Map<String, Value> = read(ROOT, text)?;
        let Some(metadata) = whole.remove("resource_metadata") else {
            whole.remove("apiVersion");
            let spec = read(ROOT, &Value::Object(whole).to_string())?;
            return Ok(Self {
                spec,
                metadata: None,
            });
        };
        let spec = whole.remove("spec").unwrap_or(Value::Null);
        Ok(Self {
            spec: read(&format!("{ROOT}.spec"), &spec.to_string())?,
            metadata: read(&format!("{ROOT}.resource_metadata"), &metadata.to_string())?,
        })
    }

    /// Encodes in the form that every release since 1.1 reads.
    pub fn write(&self) -> String {
        let spec =
            serde_json::to_value(&self.spec).expect("a spec has text keys and finite numbers");
        let metadata = self.metadata.clone().unwrap_or_else(|| Metadata {
            api_version: "flink.apache.org/v1beta1".to_owned(),
            first_deployment: false,
            generation: None,
        });
        json!({ "spec": with_nulls(spec), "resource_metadata": metadata }).to_string()
    }

    /// Returns the generation in the record, where only it tells which one was deployed.
    pub fn generation(&self) -> Option<i64> {
        self.metadata.as_ref()?.generation
    }

    /// Returns whether the record asks for a start without state; a session cluster has none.
    pub fn is_stateless(&self) -> bool {
        let job = self.spec.job.as_ref();
        job.is_none_or(|job| job.upgrade_mode == UpgradeMode::Stateless)
    }

    /// Returns the state of the job that the record is about; a session cluster has none.
    pub fn job_state(&self) -> Option<JobState> {
        self.spec.job.as_ref().map(|job| job.state)
    }

    /// Returns whether the record says that a job should run.
    pub fn is_running(&self) -> bool {
        self.job_state() != Some(JobState::Suspended)
    }

    /// Returns whether nothing but the initial spec has been deployed.
    pub fn is_first_deployment(&self) -> bool {
        self.metadata
            .as_ref()
            .is_some_and(|metadata| metadata.first_deployment)
    }

    /// Sets the state of the job.
    #[must_use]
    pub fn with_state(mut self, state: JobState) -> Self {
        if let Some(job) = &mut self.spec.job {
            job.state = state;
        }
        self
    }

    /// Sets the mode that the spec was, or will be, restored with.
    #[must_use]
    pub fn with_mode(mut self, mode: UpgradeMode) -> Self {
        if let Some(job) = &mut self.spec.job {
            job.upgrade_mode = mode;
        }
        self
    }

    /// Says that more than the initial spec has been, or is about to be, deployed.
    #[must_use]
    pub fn not_first(mut self) -> Self {
        if let Some(metadata) = &mut self.metadata {
            metadata.first_deployment = false;
        }
        self
    }
}

/// Adds the fields that the Java operator writes as null or with its default.
fn with_nulls(spec: Value) -> Value {
    let mut whole = json!({
        "job": null, "restartNonce": null, "flinkConfiguration": {}, "image": null,
        "imagePullPolicy": null, "serviceAccount": null, "flinkVersion": null, "ingress": null,
        "podTemplate": null, "jobManager": null, "taskManager": null, "logConfiguration": null,
        "mode": null,
    });
    let job = json!({
        "jarURI": null, "parallelism": 0, "entryClass": null, "args": [], "state": "running",
        "savepointTriggerNonce": null, "initialSavepointPath": null, "checkpointTriggerNonce": null,
        "upgradeMode": "stateless", "allowNonRestoredState": null, "savepointRedeployNonce": null,
        "autoscalerResetNonce": null,
    });
    let resource = json!({ "cpu": null, "memory": null, "ephemeralStorage": null });
    let job_manager =
        json!({ "resource": null, "resources": null, "replicas": 1, "podTemplate": null });
    let task_manager =
        json!({ "resource": null, "resources": null, "replicas": null, "podTemplate": null });
    overlay(&mut whole, spec);
    for (field, defaults) in [
        ("job", job),
        ("jobManager", job_manager),
        ("taskManager", task_manager),
    ] {
        complete(&mut whole[field], defaults);
        if whole[field]["resource"].is_object() {
            complete(&mut whole[field]["resource"], resource.clone());
        }
    }
    whole
}

/// Puts the fields of an object over those of another.
fn overlay(under: &mut Value, over: Value) {
    let (Value::Object(under), Value::Object(over)) = (under, over) else {
        return;
    };
    under.extend(over);
}

/// Adds to an object the defaults it lacks; a value that is no object stays as it is.
fn complete(object: &mut Value, mut defaults: Value) {
    if object.is_object() {
        overlay(&mut defaults, object.take());
        *object = defaults;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_written_alike() {
        let text = r#"{"job":{"jarURI":"local:///a.jar","parallelism":2},"jobManager":{"resource":{"memory":"1g","cpu":1.0}}}"#;
        let spec: FlinkDeploymentSpec = serde_json::from_str(text).unwrap();
        let recorded = Recorded::new(spec, true);
        let written = recorded.write();
        assert_eq!(Recorded::read(&written).unwrap(), recorded);
        assert_eq!(Recorded::read(&written).unwrap().write(), written);
        let value: Value = serde_json::from_str(&written).unwrap();
        assert_eq!(value["spec"]["job"]["args"], json!([]));
        assert_eq!(value["spec"]["jobManager"]["replicas"], 1);
        assert_eq!(
            value["spec"]["jobManager"]["resource"]["ephemeralStorage"],
            Value::Null
        );
        assert!(value["spec"].as_object().unwrap().contains_key("mode"));
    }

    #[test]
    fn the_form_of_release_1_0_is_read() {
        let recorded = Recorded::read(
            r#"{"job":{"jarURI":"local:///a.jar","parallelism":2,"state":"running"},"image":"flink:1.15","apiVersion":"flink.apache.org/v1beta1"}"#,
        );
        let recorded = recorded.unwrap();
        assert_eq!(recorded.metadata, None);
        assert_eq!(recorded.spec.image.as_deref(), Some("flink:1.15"));
        assert!(recorded.is_running() && !recorded.is_first_deployment());
    }

    #[test]
    fn the_inner_metadata_of_releases_to_1_9_is_dropped() {
        let text = r#"{"spec":{"job":{"state":"suspended","upgradeMode":"last-state"}},"resource_metadata":{"apiVersion":"flink.apache.org/v1beta1","metadata":{"generation":3},"firstDeployment":true}}"#;
        let recorded = Recorded::read(text).unwrap();
        assert!(recorded.is_first_deployment() && !recorded.is_running());
        assert_eq!(recorded.generation(), Some(3));
        assert!(!recorded.write().contains("generation"));
    }

    #[test]
    fn nulls_and_unknown_fields_of_the_metadata_are_read() {
        for metadata in [
            r#"{"apiVersion":null,"firstDeployment":null,"metadata":null}"#,
            r#"{"invented":1}"#,
        ] {
            let text = format!(r#"{{"spec":{{"job":null}},"resource_metadata":{metadata}}}"#);
            let recorded = Recorded::read(&text).unwrap();
            assert_eq!(recorded.generation(), None);
            assert!(!recorded.is_first_deployment());
        }
        let absent = r#"{"spec":{"job":null},"resource_metadata":null}"#;
        assert_eq!(Recorded::read(absent).unwrap().metadata, None);
    }
}
