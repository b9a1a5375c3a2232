//! Answers without what differs from run to run: identities, versions, times.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::step::Step;

/// Collects answers and gives volatile values names in order of appearance.
#[derive(Debug)]
pub struct Answers {
    namespace: String,
    uids: BTreeMap<String, String>,
    versions: BTreeMap<String, String>,
    names: BTreeMap<String, String>,
    list: Vec<Value>,
}

impl Answers {
    /// Begins a collection; the namespace of the run becomes `NS`.
    pub fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            uids: BTreeMap::new(),
            versions: BTreeMap::new(),
            names: BTreeMap::new(),
            list: Vec::new(),
        }
    }

    /// Adds the answer to a step.
    pub(super) fn add(&mut self, step: &Step, code: u16, mut body: Value) {
        self.learn(&body, step.only.is_none());
        if let Some(only) = step.only.as_ref().filter(|_| code < 300) {
            body = pick(&body, only);
        }
        if step.coarse {
            body = pick(&body, &["/reason"]);
        }
        self.normalise(&mut body);
        self.list
            .push(json!({ "step": step.says, "code": code, "body": body }));
    }

    /// Gives the collected answers.
    pub(super) fn finish(self) -> Vec<Value> {
        self.list
    }

    /// Notes the identities and versions in an answer, in a fixed order.
    fn learn(&mut self, value: &Value, whole: bool) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.learn(item, whole)),
            Value::Object(fields) => {
                let is_list = fields.get("items").is_some_and(Value::is_array);
                if let Some(metadata) = fields.get("metadata").filter(|_| !is_list) {
                    name(&mut self.uids, "uid", &metadata["uid"]);
                    // Of an answer that is not compared as a whole, versions may come and go unseen.
                    if whole {
                        name(&mut self.versions, "version", &metadata["resourceVersion"]);
                    }
                    if metadata["generateName"].is_string() {
                        name(&mut self.names, "generated", &metadata["name"]);
                    }
                }
                if let Some(details) = fields.get("details") {
                    name(&mut self.uids, "uid", &details["uid"]);
                }
                for (field, value) in fields {
                    if field != "metadata" && field != "spec" {
                        self.learn(value, whole);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn normalise(&self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.normalise(item)),
            Value::Object(fields) => self.normalise_fields(fields),
            Value::String(text) => *text = self.normal(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn normalise_fields(&self, fields: &mut Map<String, Value>) {
        fields.remove("managedFields");
        // Nothing and null are the same to every reader.
        fields.retain(|field, value| !value.is_null() || field.starts_with('/'));
        if let Some(causes) = fields.get_mut("causes").and_then(Value::as_array_mut) {
            // In no order, and what two layers find is told twice.
            causes.sort_by_key(ToString::to_string);
            causes.dedup();
        }
        let is_list = fields.get("items").is_some_and(Value::is_array);
        for (field, value) in fields.iter_mut() {
            match field.as_str() {
                "creationTimestamp" | "deletionTimestamp" | "lastTransitionTime"
                    if value.is_string() =>
                {
                    *value = "TIME".into();
                }
                "message"
                    if value
                        .as_str()
                        .is_some_and(|text| text.contains("is invalid: [")) =>
                {
                    let text = value.as_str().unwrap_or_default();
                    *value = text.split(": [").next().unwrap_or_default().into();
                }
                "continue" if *value != "" => *value = "TOKEN".into(),
                "metadata" if is_list => {
                    // The version of a list moves with everything else that is written.
                    if let Some(version) = value.get_mut("resourceVersion") {
                        *version = "LIST".into();
                    }
                    self.normalise(value);
                }
                _ => self.normalise(value),
            }
        }
    }

    fn normal(&self, text: &str) -> String {
        let mut normal = text.replace(&self.namespace, "NS");
        for (uid, name) in self.uids.iter().chain(&self.names) {
            normal = normal.replace(uid, name);
        }
        if let Some(name) = self.versions.get(&normal) {
            return name.clone();
        }
        // In sentences versions stand in brackets; other numbers there may be anything.
        for (version, name) in &self.versions {
            normal = normal.replace(&format!("({version})"), &format!("({name})"));
        }
        normal
    }
}

fn name(known: &mut BTreeMap<String, String>, prefix: &str, value: &Value) {
    let Some(text) = value.as_str().filter(|text| !text.is_empty()) else {
        return;
    };
    let next = known.len() + 1;
    known
        .entry(text.to_owned())
        .or_insert_with(|| format!("{prefix}-{next}"));
}

/// Keeps what the pointers name.
fn pick(body: &Value, pointers: &[&str]) -> Value {
    let kept = pointers.iter().map(|pointer| {
        (
            (*pointer).to_owned(),
            body.pointer(pointer).cloned().unwrap_or_default(),
        )
    });
    Value::Object(kept.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volatile_values_get_names_that_keep_their_equality() {
        let mut answers = Answers::new("demo");
        let object = |version: &str| {
            json!({ "metadata": {
                "name": "a", "namespace": "demo", "uid": "u-1", "resourceVersion": version,
                "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [],
            } })
        };
        let step = Step::get("reads", "/");
        answers.add(&step, 200, object("100"));
        answers.add(&step, 200, object("100"));
        answers.add(&step, 200, object("230"));
        answers.add(
            &step,
            409,
            json!({ "message": "not (100) but (230) for u-1 in demo, at most 100" }),
        );
        let list = answers.finish();
        assert_eq!(list[0], list[1]);
        assert_eq!(list[0]["body"]["metadata"]["resourceVersion"], "version-1");
        assert_eq!(list[0]["body"]["metadata"]["creationTimestamp"], "TIME");
        assert_eq!(
            list[3]["body"]["message"],
            "not (version-1) but (version-2) for uid-1 in NS, at most 100"
        );
    }
}
