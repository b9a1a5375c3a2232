//! From the definitions of a Java operator to ours, with objects that are there already, and back.

use std::fs;
use std::path::Path;

use http::Method;
use serde_json::{Value, json};

use crate::rules::{CASES, merge};
use crate::stage::plane::{CRD, Plane, ROOT};
use crate::stage::space::Space;

/// The definitions of the Java operator whose objects are taken over.
const KINDS: [&str; 3] = ["FlinkDeployment", "FlinkSessionJob", "FlinkStateSnapshot"];
/// The folders of statuses that operators of all versions have stored.
const STATUSES: [&str; 3] = [
    "statuses",
    "session-job-statuses",
    "state-snapshot-statuses",
];

#[tokio::test]
async fn from_upstream_s_definitions_and_back_nothing_is_lost() {
    let plane = Plane::bare(&[]).await;
    let space = Space::new(&plane, "versions").await;
    install_upstream(&plane).await;
    let table: Value =
        serde_json::from_str(&fs::read_to_string(format!("{ROOT}/{CASES}")).unwrap()).unwrap();
    let stored = store_statuses(&space, &table["sound"]).await;
    let old = plant_broken(&space, &table).await;

    plane.install(CRD.as_ref()).await;
    for (path, status) in &stored {
        let mut object = space.send(Method::GET, path, None).await.ok();
        assert_eq!(&object["status"], status, "{path} with our definitions");
        let ready = json!({ "type": "Ready", "status": "False" });
        match &mut object["status"]["conditions"] {
            Value::Array(conditions) => conditions.push(ready),
            none => *none = json!([ready]),
        }
        if object["status"]["observedGeneration"].is_null() {
            object["status"]["observedGeneration"] = json!(1);
        }
        let written = status_of(&space, path, &object).await;
        assert_eq!(written, object["status"], "{path} with fields of ours");
    }
    for (rule, path) in &old {
        is_not_bound(&space, rule, path).await;
    }

    install_upstream(&plane).await;
    for (path, status) in &stored {
        let object = space.send(Method::GET, path, None).await.ok();
        holds(path, &object["status"], status);
        holds(path, &status_of(&space, path, &object).await, status);
    }
    println!(
        "{} statuses kept, {} objects from before the rules not bound by them",
        stored.len(),
        old.len()
    );
    assert!(stored.len() >= 17 && old.len() >= 40);
    plane.down().await;
}

async fn install_upstream(plane: &Plane) {
    for kind in KINDS {
        let file = format!(
            "tests/conformance/upstream/{}s-1.15.0.yaml",
            kind.to_lowercase()
        );
        plane.install(Path::new(&file)).await;
    }
}

fn all_of(space: &Space, kind: &str) -> String {
    format!(
        "/apis/flink.apache.org/v1beta1/namespaces/{}/{}s",
        space.name,
        kind.to_lowercase()
    )
}

async fn status_of(space: &Space, path: &str, object: &Value) -> Value {
    let path = format!("{path}/status");
    let reply = space.send(Method::PUT, &path, Some(object)).await;
    reply.ok()["status"].take()
}

/// Stores every status that a Java operator could have stored; gives path and status of each.
async fn store_statuses(space: &Space, sound: &Value) -> Vec<(String, Value)> {
    let mut stored = Vec::new();
    for (kind, folder) in KINDS.iter().zip(STATUSES) {
        let folder = format!("{ROOT}/crds/tests/{folder}");
        for (number, file) in fs::read_dir(folder).unwrap().enumerate() {
            let file = file.unwrap();
            if file.file_name().to_str().unwrap().starts_with("own-") {
                continue;
            }
            let mut object = sound[kind].clone();
            object["metadata"]["name"] = json!(format!("status-{number}"));
            let all = all_of(space, kind);
            let mut object = space.send(Method::POST, &all, Some(&object)).await.ok();
            object["status"] = serde_json::from_slice(&fs::read(file.path()).unwrap()).unwrap();
            let path = format!("{all}/status-{number}");
            let status = status_of(space, &path, &object).await;
            if !status.is_null() {
                stored.push((path, status));
            }
        }
    }
    stored
}

/// Creates objects that the rules would refuse; gives the rule and the path of each.
async fn plant_broken(space: &Space, table: &Value) -> Vec<(String, String)> {
    let mut planted = Vec::new();
    let broken = table["cases"].as_array().unwrap().iter();
    let broken = broken.filter(|case| case["refused"].is_string());
    for (number, case) in broken.enumerate() {
        let kind = case["kind"].as_str().unwrap();
        if !KINDS.contains(&kind) {
            continue;
        }
        let mut object = table["sound"][kind].clone();
        merge(&mut object, &case["sound"]);
        merge(&mut object, &case["create"]);
        if case["create"]["metadata"]["name"].is_null() {
            object["metadata"]["name"] = json!(format!("old-{number}"));
        }
        object["metadata"]["finalizers"] = json!(["flink.apache.org/test"]);
        let all = all_of(space, kind);
        space.send(Method::POST, &all, Some(&object)).await.ok();
        let path = format!("{all}/{}", object["metadata"]["name"].as_str().unwrap());
        if !case["edit"].is_null() {
            let text = match &case["last"] {
                Value::String(text) => text.clone(),
                last => json!({ "spec": last, "resource_metadata": {} }).to_string(),
            };
            let last =
                json!({ "status": { "reconciliationStatus": { "lastReconciledSpec": text } } });
            let status = format!("{path}/status");
            space.send(Method::PATCH, &status, Some(&last)).await.ok();
            space
                .send(Method::PATCH, &path, Some(&case["edit"]))
                .await
                .ok();
        }
        planted.push((case["rule"].as_str().unwrap().to_owned(), path));
    }
    planted
}

/// Checks that an object which breaks a rule can get a status, labels and finalizers, and be deleted.
async fn is_not_bound(space: &Space, rule: &str, path: &str) {
    println!("{rule} {path}");
    let mut object = space.send(Method::GET, path, None).await.ok();
    object["status"]["error"] = json!("it breaks a rule");
    status_of(space, path, &object).await;
    for metadata in [
        json!({ "labels": { "kept": "true" } }),
        json!({ "finalizers": ["flink.apache.org/test", "flink.apache.org/other"] }),
    ] {
        let edit = json!({ "metadata": metadata });
        space.send(Method::PATCH, path, Some(&edit)).await.ok();
    }
    space.send(Method::DELETE, path, None).await.ok();
    let mut object = space.send(Method::GET, path, None).await.ok();
    object["status"]["error"] = json!("it is being deleted");
    status_of(space, path, &object).await;
    let none = json!({ "metadata": { "finalizers": null } });
    space.send(Method::PATCH, path, Some(&none)).await.ok();
    let gone = space.send(Method::GET, path, None).await;
    assert_eq!(gone.code.as_u16(), 404, "{rule} {path}");
}

/// Checks that all fields and conditions of a status are there, whatever else is.
fn holds(path: &str, status: &Value, fields: &Value) {
    for (name, value) in fields.as_object().unwrap() {
        match (&status[name], value) {
            (Value::Array(now), Value::Array(before)) if name == "conditions" => {
                assert!(now.starts_with(before), "{path}: {now:?} of {before:?}");
            }
            (now, before) => assert_eq!(now, before, "{path}: {name}"),
        }
    }
}
