//! One request of the script, and the little language in which later ones refer to earlier answers.

use std::collections::BTreeMap;

use serde_json::Value;

/// What the body of a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A whole object or options.
    Json,
    /// A merge patch.
    Merge,
    /// A list of operations.
    Operations,
    /// A strategic merge patch.
    Strategic,
    /// A configuration to apply.
    Apply,
}

impl Content {
    /// Gives the media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Merge => "application/merge-patch+json",
            Self::Operations => "application/json-patch+json",
            Self::Strategic => "application/strategic-merge-patch+json",
            Self::Apply => "application/apply-patch+yaml",
        }
    }
}

/// One request, and how its answer is compared.
///
/// In path and body `{ns}` stands for the namespace and `{name/json/pointer}` for a part of a saved answer.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it is about, as a sentence.
    pub says: &'static str,
    /// HTTP method.
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// What the body is; none for requests without.
    pub content: Option<Content>,
    /// The body.
    pub body: Value,
    /// Name of a saved answer that the body is merged into.
    pub base: Option<&'static str>,
    /// Name under which the answer is saved.
    pub saves: Option<&'static str>,
    /// The `Accept` header.
    pub accept: Option<&'static str>,
    /// The request is repeated until this code comes.
    pub waits_for: Option<u16>,
    /// How often at most, half a second apart.
    pub patience: u32,
    /// JSON pointers of what is compared of a success; none means everything.
    pub only: Option<Vec<&'static str>>,
    /// Only code and reason are compared: wording is not ours to copy.
    pub coarse: bool,
}

impl Step {
    fn new(says: &'static str, method: &'static str, path: &str) -> Self {
        Self {
            says,
            method,
            path: path.to_owned(),
            content: None,
            body: Value::Null,
            base: None,
            saves: None,
            accept: None,
            waits_for: None,
            patience: 0,
            only: None,
            coarse: false,
        }
    }

    /// Reads an object or a list.
    pub fn get(says: &'static str, path: &str) -> Self {
        Self::new(says, "GET", path)
    }

    /// Creates an object.
    pub fn post(says: &'static str, path: &str, body: Value) -> Self {
        Self::new(says, "POST", path).with(Content::Json, body)
    }

    /// Replaces an object by a body of its own.
    pub fn put(says: &'static str, path: &str, body: Value) -> Self {
        Self::new(says, "PUT", path).with(Content::Json, body)
    }

    /// Replaces an object by a saved answer with changes.
    pub fn put_changed(says: &'static str, path: &str, base: &'static str, changes: Value) -> Self {
        let mut step = Self::put(says, path, changes);
        step.base = Some(base);
        step
    }

    /// Patches an object.
    pub fn patch(says: &'static str, path: &str, content: Content, body: Value) -> Self {
        Self::new(says, "PATCH", path).with(content, body)
    }

    /// Deletes an object with options; null sends none.
    pub fn delete(says: &'static str, path: &str, options: Value) -> Self {
        let step = Self::new(says, "DELETE", path);
        if options.is_null() {
            step
        } else {
            step.with(Content::Json, options)
        }
    }

    fn with(mut self, content: Content, body: Value) -> Self {
        self.content = Some(content);
        self.body = body;
        self
    }

    /// Saves the answer under a name.
    #[must_use]
    pub fn save(mut self, name: &'static str) -> Self {
        self.saves = Some(name);
        self
    }

    /// Asks for another representation.
    #[must_use]
    pub fn accept(mut self, media_type: &'static str) -> Self {
        self.accept = Some(media_type);
        self
    }

    /// Repeats the request until a code comes, for half a minute.
    #[must_use]
    pub fn until(mut self, code: u16) -> Self {
        self.waits_for = Some(code);
        self.patience = 60;
        self
    }

    /// Compares only these parts of the answer.
    #[must_use]
    pub fn only(mut self, pointers: &[&'static str]) -> Self {
        self.only = Some(pointers.to_vec());
        self
    }

    /// Compares only code and reason.
    #[must_use]
    pub fn coarsely(mut self) -> Self {
        self.coarse = true;
        self
    }

    /// Tells whether the answer is a stream of events.
    pub fn watches(&self) -> bool {
        self.path.contains("watch=true")
    }

    /// Puts the namespace and parts of saved answers into path and body.
    pub(super) fn resolve(
        &self,
        namespace: &str,
        saved: &BTreeMap<&'static str, Value>,
    ) -> (String, Option<Value>) {
        let path = fill(&self.path, namespace, saved);
        if self.content.is_none() {
            return (path, None);
        }
        let mut changes = self.body.clone();
        fill_all(&mut changes, namespace, saved);
        let Some(base) = self.base else {
            return (path, Some(changes));
        };
        let mut body = saved.get(base).cloned().unwrap_or_default();
        json_patch::merge(&mut body, &changes);
        (path, Some(body))
    }
}

fn fill_all(value: &mut Value, namespace: &str, saved: &BTreeMap<&'static str, Value>) {
    match value {
        Value::String(text) => *text = fill(text, namespace, saved),
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| fill_all(item, namespace, saved)),
        Value::Object(fields) => {
            for (_, value) in fields.iter_mut() {
                fill_all(value, namespace, saved);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn fill(text: &str, namespace: &str, saved: &BTreeMap<&'static str, Value>) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (what, after) = after.split_once('}').expect("braces in steps are closed");
        filled.push_str(before);
        filled.push_str(&lookup(what, namespace, saved));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

fn lookup(what: &str, namespace: &str, saved: &BTreeMap<&'static str, Value>) -> String {
    if what == "ns" {
        return namespace.to_owned();
    }
    let (name, pointer) = what
        .split_once('/')
        .expect("references in steps have a pointer");
    let found = saved
        .get(name)
        .and_then(|answer| answer.pointer(&format!("/{pointer}")));
    // A reference to nothing shows in the answer, where it is compared.
    found
        .and_then(Value::as_str)
        .unwrap_or("missing")
        .to_owned()
}
