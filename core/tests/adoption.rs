//! What the Java operator left behind is read without loss, and a running job is taken over by a
//! decision that does nothing but store. The fixtures are those of the scenarios.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // a panic is the failure of a test; fixtures are files

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use flink_operator_api::{FlinkDeploymentStatus, FlinkJobState};
use jiff::Timestamp;
use operator_core::config::{Configuration, HostFiles, OperatorSettings};
use operator_core::decide;
use operator_core::decision::{Decision, Step};
use operator_core::fact::{Fact, JobManagers, Subject};
use operator_core::name::{
    AttemptId, Ids, JobId, Key, Kind, ResourceVersion, ResultStoreId, TriggerId, Uid,
};
use operator_core::observed::{
    Answers, Checkpoints, Deployment, FlinkInfo, Job, Observed, Origin, Pod,
};
use operator_core::resource::{Doc, Meta, Resource};
use operator_core::status::recorded::Recorded;
use serde_json::{Value, json};

const JOB: &str = "3f9c0b1a7d2e48c6a5b4c3d2e1f00918";
const START: i64 = 1_700_000_000_000;
const GENERATION: i64 = 2;

fn fixtures() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenario/java");
    let files = std::fs::read_dir(folder).unwrap();
    let named = files.map(|file| {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(path).unwrap();
        let text = text
            .replace("\"$GENERATION\"", &GENERATION.to_string())
            .replace("$GENERATION", &GENERATION.to_string())
            .replace("$JOB", JOB)
            .replace("$START", &START.to_string());
        (name, serde_json::from_str(&text).unwrap())
    });
    let fixtures: BTreeMap<_, _> = named.collect();
    assert!(fixtures.len() > 70, "{}", fixtures.len());
    fixtures
}

fn kind(fixture: &Value) -> &str {
    fixture["outcome"]["kind"].as_str().unwrap()
}

/// Removes nulls, as an API server does before it stores an object.
fn pruned(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, field)| !field.is_null());
            kept.map(|(name, field)| (name.clone(), pruned(field)))
                .collect()
        }
        Value::Array(items) => items.iter().map(pruned).collect(),
        other => other.clone(),
    }
}

fn merge(document: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *document = patch.clone();
        return;
    };
    if !document.is_object() {
        *document = json!({});
    }
    for (name, value) in patch {
        if value.is_null() {
            document.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut document[name], value);
        }
    }
}

fn spec(fixture: &Value) -> Value {
    let mut spec = json!({
        "image": "flink:1.20", "flinkVersion": "v1_20", "serviceAccount": "flink",
        "flinkConfiguration": { "taskmanager.numberOfTaskSlots": "2" },
        "jobManager": { "resource": { "memory": "2048m", "cpu": 1 } },
        "taskManager": { "resource": { "memory": "2048m", "cpu": 1 } },
        "job": {
            "jarURI": "local:///opt/flink/examples/streaming/StateMachineExample.jar",
            "parallelism": 2, "upgradeMode": "stateless",
        },
    });
    merge(&mut spec, &fixture["spec"]);
    merge(&mut spec, &fixture["edit"]);
    spec
}

fn meta() -> Meta {
    Meta {
        key: Key {
            kind: Kind::FlinkDeployment,
            namespace: "default".into(),
            name: "basic".into(),
        },
        uid: Uid::new("uid-of-resource"),
        resource_version: ResourceVersion::new("7"),
        generation: GENERATION,
        deleted_at: None,
        finalizers: vec![Kind::FlinkDeployment.finalizer().to_owned()],
        labels: BTreeMap::default(),
        annotations: BTreeMap::default(),
    }
}

/// What there is in the world of a fixture, read afresh.
fn observed(fixture: &Value, status: &Value, state: &str) -> Observed {
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let resource = Resource::parse(
        meta(),
        &spec(fixture).to_string(),
        Some(&status.to_string()),
    );
    let of_resource = Subject::Resource(Uid::new("uid-of-resource"));
    let of_flink = Subject::JobManager(JobManagers(vec![(Uid::new("uid-of-pod"), 0)]));
    let there = matches!(fixture["world"].as_str(), Some("running" | "finished"));
    let deployment = Deployment {
        uid: "uid-of-deployment".into(),
        owners: vec!["uid-of-resource".into()],
        generation: match fixture["annotation"].as_str().unwrap() {
            "none" => None,
            "deployed" => Some(1),
            _ => Some(GENERATION),
        },
        available: 1,
        ..Deployment::default()
    };
    let pod = Pod {
        name: "basic-1".into(),
        uid: "uid-of-pod".into(),
        is_job_manager: true,
        ready: true,
        ..Pod::default()
    };
    let pods = if there { vec![pod] } else { Vec::new() };
    let job = Job {
        id: JobId::new(JOB),
        name: "State machine job".into(),
        state: state.into(),
        start_time: START,
    };
    let checkpoints = Checkpoints::default();
    let info = FlinkInfo {
        version: "1.20.1".into(),
        revision: "1641cb9 @ 2025-02-01T00:00:00+00:00".into(),
    };
    let flink = if there {
        Answers {
            jobs: Fact::known(vec![job], of_flink.clone(), now),
            checkpoints: Fact::known(checkpoints, of_flink.clone(), now),
            flink: Fact::known(info, of_flink.clone(), now),
            task_managers: Fact::known(1, of_flink.clone(), now),
            root_cause: Fact::known(None, of_flink, now),
            ..Answers::default()
        }
    } else {
        Answers::default()
    };
    let base: Configuration = [("parallelism.default", "1")].into_iter().collect();
    Observed {
        resource,
        settings: Arc::new(OperatorSettings::new(base, HostFiles::default())),
        crd_outdated: false,
        origin: Origin::Server,
        deployment: Fact::known(there.then_some(deployment), of_resource.clone(), now),
        job_managers: Fact::known(pods.clone(), of_resource.clone(), now),
        answers: Answers {
            pods: Fact::known(pods, of_resource.clone(), now),
            children: Fact::known(Vec::new(), of_resource.clone(), now),
            ha: Fact::known(Vec::new(), of_resource, now),
            ..flink
        },
    }
}

fn act(observed: &Observed) -> Decision {
    let ids = Ids {
        operation: "operation-1".to_owned(),
        attempt: AttemptId::new("attempt-1"),
        job: JobId::new("00000000000000000000000000000001"),
        result_store: ResultStoreId::new("store-1"),
        trigger: TriggerId::new("00000000000000000000000000000001"),
    };
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    match decide::decide(observed, now, &ids) {
        Step::Act(decision) => *decision,
        Step::Ask(wanted) => panic!("asks for {wanted:?}"),
    }
}

/// Proves that the first decision only stores, and the second does nothing; gives what is stored.
fn stores_once(name: &str, fixture: &Value, status: &Value, state: &str) -> Value {
    let first = act(&observed(fixture, status, state));
    assert_eq!(first.effects, [], "{name}");
    let stored = first.status.to_json().unwrap();
    assert_ne!(&stored, status, "{name}");
    let again = observed(fixture, &stored, state);
    let second = act(&again);
    assert_eq!(second.effects, [], "{name}");
    assert!(second.status.is_stored_in(&again.resource), "{name}");
    assert_eq!(second.notices, [], "{name}");
    stored
}

#[test]
fn every_status_is_written_back_as_it_was_read() {
    for (name, fixture) in fixtures() {
        let status = &fixture["status"];
        let typed: FlinkDeploymentStatus = serde_json::from_value(status.clone()).unwrap();
        assert_eq!(
            serde_json::to_value(typed).unwrap(),
            pruned(status),
            "{name}"
        );
        let read = |status: &Value| {
            Doc::<FlinkDeploymentStatus>::read("status", &status.to_string()).unwrap()
        };
        assert_eq!(
            read(status),
            read(&pruned(status)),
            "{name}: null is absent"
        );
    }
}

#[test]
fn every_record_keeps_all_that_java_reads_from_it() {
    for (name, fixture) in fixtures() {
        for text in ["lastReconciledSpec", "lastStableSpec"] {
            let Some(text) = fixture["status"]["reconciliationStatus"][text].as_str() else {
                continue;
            };
            let old: Value = serde_json::from_str(text).unwrap();
            let recorded = Recorded::read(text).unwrap();
            let new: Value = serde_json::from_str(&recorded.write()).unwrap();
            let mut old = pruned(old.get("spec").unwrap_or(&old));
            old.as_object_mut().unwrap().remove("apiVersion");
            for (field, value) in old.as_object().unwrap() {
                let written = pruned(&new["spec"][field]);
                assert!(
                    contains(&written, value),
                    "{name}: {field}: {value} became {written}"
                );
            }
        }
    }
}

/// Tells whether a value has all that another has; numbers are equal by value.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(name, value)| whole.get(name).is_some_and(|whole| contains(whole, value))),
        (Value::Number(whole), Value::Number(part)) => whole.as_f64() == part.as_f64(),
        (whole, part) => whole == part,
    }
}

#[test]
fn what_runs_is_taken_over_by_storing_once() {
    for (name, fixture) in fixtures() {
        if kind(&fixture) != "adopted" {
            continue;
        }
        let finished = fixture["world"] == "finished";
        let state = if finished { "FINISHED" } else { "RUNNING" };
        for status in [fixture["status"].clone(), pruned(&fixture["status"])] {
            let stored = stores_once(&name, &fixture, &status, state);
            let expected = &fixture["outcome"]["lifecycleState"];
            assert_eq!(&stored["lifecycleState"], expected, "{name}");
        }
    }
}

#[test]
fn what_waits_is_said_once_and_touches_nothing() {
    for (name, fixture) in fixtures() {
        if kind(&fixture) != "waits" {
            continue;
        }
        let state = match fixture["status"]["jobStatus"]["state"].as_str() {
            Some("FINISHED") => "FINISHED",
            // Also where Java had asked to cancel it: the request did not arrive.
            _ => "RUNNING",
        };
        let stored = stores_once(&name, &fixture, &pruned(&fixture["status"]), state);
        let conditions = stored["conditions"].as_array().unwrap();
        let reason = &fixture["outcome"]["reason"];
        let says = |condition: &Value| &condition["reason"] == reason;
        assert!(conditions.iter().any(says), "{name}: {conditions:#?}");
        assert_eq!(
            stored["reconciliationStatus"]["lastReconciledSpec"],
            fixture["status"]["reconciliationStatus"]["lastReconciledSpec"],
            "{name}"
        );
    }
}

#[test]
fn every_word_for_the_state_of_a_job_is_taken_over() {
    let fixture = &fixtures()["at-rest-1.0"];
    for word in FlinkJobState::WORDS {
        let mut status = pruned(&fixture["status"]);
        status["jobStatus"]["state"] = (*word).into();
        let ended = matches!(*word, "FINISHED" | "FAILED" | "CANCELED");
        let state = if ended { word } else { "RUNNING" };
        let stored = stores_once(word, fixture, &status, state);
        assert_eq!(stored["jobStatus"]["state"], state, "{word}");
    }
}

#[test]
fn a_session_cluster_is_left_as_it_is() {
    let mut fixture = fixtures()["at-rest-1.15"].clone();
    let text = &fixture["status"]["reconciliationStatus"]["lastReconciledSpec"];
    let mut record: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
    record["spec"]["job"] = Value::Null;
    fixture["spec"]["job"] = Value::Null;
    let status = &mut fixture["status"];
    for field in ["lastReconciledSpec", "lastStableSpec"] {
        status["reconciliationStatus"][field] = record.to_string().into();
    }
    status["jobStatus"] = json!({ "savepointInfo": { "savepointHistory": [] } });
    let stored = stores_once("session", &fixture, &fixture["status"], "RUNNING");
    assert_eq!(stored["lifecycleState"], "STABLE");
}
