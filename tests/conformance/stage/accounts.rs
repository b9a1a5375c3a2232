//! The accounts and rights that are shipped, in the namespace of a test.

use std::fs;
use std::path::Path;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::plane::ROOT;
use super::space::Space;

const MANIFEST: &str = "helm/manifests/rbac.yaml";

/// The operator's account.
pub(crate) const OPERATOR: &str = "flink-operator";

/// Installs the shipped manifest, which is written for the namespace `default`.
pub(crate) async fn install(space: &Space) {
    let manifest = fs::read_to_string(Path::new(ROOT).join(MANIFEST)).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&manifest).unwrap();
    for mut document in documents.into_iter().filter(Value::is_object) {
        if document["metadata"]["namespace"] == "default" {
            document["metadata"]["namespace"] = json!(space.name);
        }
        if document["kind"] == "ClusterRoleBinding" {
            // It names an account, so each test has its own.
            let name = document["metadata"]["name"].as_str().unwrap().to_owned();
            document["metadata"]["name"] = json!(format!("{name}-{}", space.name));
        }
        let subjects = document.get_mut("subjects").and_then(Value::as_array_mut);
        for subject in subjects.into_iter().flatten() {
            subject["namespace"] = json!(space.name);
        }
        let reply = space
            .send(Method::POST, &collection(&document), Some(&document))
            .await;
        // Cluster roles are the same for all tests.
        let there = reply.code == StatusCode::CONFLICT && document["kind"] == "ClusterRole";
        assert!(there || reply.code.is_success(), "{}", reply.message());
    }
}

fn collection(document: &Value) -> String {
    let version = document["apiVersion"].as_str().unwrap();
    let base = if version == "v1" {
        "/api/v1".to_owned()
    } else {
        format!("/apis/{version}")
    };
    let plural = format!(
        "{}s",
        document["kind"].as_str().unwrap().to_ascii_lowercase()
    );
    match document["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("{base}/namespaces/{namespace}/{plural}"),
        None => format!("{base}/{plural}"),
    }
}

/// Makes a token of the operator's account.
pub(crate) async fn token(space: &Space) -> String {
    let path = format!(
        "/api/v1/namespaces/{}/serviceaccounts/{OPERATOR}/token",
        space.name
    );
    let request =
        json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {} });
    let reply = space.send(Method::POST, &path, Some(&request)).await.ok();
    reply["status"]["token"].as_str().unwrap().to_owned()
}
