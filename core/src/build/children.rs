//! The objects of one cluster, in the order in which they come into being.

use std::fmt::Write;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use flink_operator_api::names;

/// The Deployment of a cluster and everything that it owns.
#[derive(Clone, Debug, PartialEq)]
pub struct Children {
    deployment: Value,
    dependents: Vec<Value>,
    warnings: Vec<String>,
}

impl Children {
    pub(super) fn new(deployment: Value, dependents: Vec<Value>, warnings: Vec<String>) -> Self {
        Self {
            deployment,
            dependents,
            warnings,
        }
    }

    /// Returns the Deployment as upstream makes it, owned by the resource.
    pub fn deployment(&self) -> &Value {
        &self.deployment
    }

    /// Returns the Deployment with the annotations by which an attempt to deploy is recognised: on the
    /// Deployment itself only, so that pods are those that upstream makes.
    ///
    /// `hash` is that of [`Children::hash`], which callers have at hand because they store it.
    pub fn deployment_of(&self, attempt: &str, hash: &str) -> Value {
        let mut deployment = self.deployment.clone();
        let annotations = &mut deployment["metadata"]["annotations"];
        annotations[names::ATTEMPT_ANNOTATION] = json!(attempt);
        annotations[names::CHILDREN_ANNOTATION] = json!(hash);
        deployment
    }

    /// Returns what the Deployment owns, without owner, in order of creation: Services, files, pod
    /// template, and last the configuration, before which no JobManager can start.
    pub fn dependents(&self) -> &[Value] {
        &self.dependents
    }

    /// Returns what the Deployment owns, owned by the Deployment with this uid.
    pub fn with_owner(&self, deployment_uid: &str) -> Vec<Value> {
        let owner = json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": self.deployment["metadata"]["name"],
            "uid": deployment_uid,
            "controller": true,
            "blockOwnerDeletion": true,
        });
        let children = self.dependents.iter().cloned().map(|mut child| {
            child["metadata"]["ownerReferences"] = json!([owner]);
            child
        });
        children.collect()
    }

    /// Returns sentences about what the user may not expect; they never stop a deployment.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Returns a hash of all objects, independent of the Deployment's uid and of the attempt.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for object in std::iter::once(&self.deployment).chain(&self.dependents) {
            hash.update(canonical_json(object));
            hash.update(b"\n");
        }
        let mut text = String::new();
        for byte in hash.finalize() {
            write!(text, "{byte:02x}").expect("writing to a String never fails");
        }
        text
    }
}

/// Prints JSON with sorted keys and without blanks: equal values give equal bytes.
pub fn canonical_json(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let mut fields: Vec<_> = object.iter().collect();
            fields.sort_by_key(|(key, _)| key.as_str());
            let fields: Vec<String> = fields
                .into_iter()
                .map(|(key, value)| {
                    format!("{}:{}", Value::from(key.as_str()), canonical_json(value))
                })
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(canonical_json).collect();
            format!("[{}]", items.join(","))
        }
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn children() -> Children {
        let deployment = json!({ "metadata": { "name": "a", "annotations": { "x": "y" } } });
        Children::new(
            deployment,
            vec![json!({ "metadata": { "name": "b" } })],
            Vec::new(),
        )
    }

    #[test]
    fn the_hash_knows_content_and_neither_owner_nor_attempt() {
        let one = children();
        let mut other = children();
        assert_eq!(one.hash(), other.hash());
        assert_eq!(one.hash().len(), 64);
        other.dependents[0]["data"] = json!(1);
        assert_ne!(one.hash(), other.hash());
    }

    #[test]
    fn an_attempt_marks_the_deployment_only() {
        let children = children();
        let marked = children.deployment_of("attempt-1", &children.hash());
        let annotations = &marked["metadata"]["annotations"];
        assert_eq!(annotations["flink.apache.org/attempt"], "attempt-1");
        assert_eq!(
            annotations["flink.apache.org/children"],
            json!(children.hash())
        );
        assert_eq!(annotations["x"], "y");
        assert_eq!(
            children.with_owner("u")[0]["metadata"]["ownerReferences"][0]["uid"],
            "u"
        );
    }

    #[test]
    fn canonical_json_sorts() {
        assert_eq!(
            canonical_json(&json!({ "b": [1, "x"], "a": null })),
            r#"{"a":null,"b":[1,"x"]}"#
        );
    }
}
