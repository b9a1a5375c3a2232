//! Label and field selectors of lists and watches.

use serde_json::Value;

use super::error::ApiError;
use super::kinds::{Kind, Quirk};
use super::object;

/// One condition on labels.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    /// The label has one of these values.
    In(String, Vec<String>),
    /// The label is absent or has none of these values.
    NotIn(String, Vec<String>),
    /// The label is there.
    Exists(String),
    /// The label is not there.
    Absent(String),
}

/// What a list or watch is limited to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selector {
    labels: Vec<Requirement>,
    /// Field path, value, and whether it must be equal or differ.
    fields: Vec<(String, String, bool)>,
}

impl Selector {
    /// Reads both selectors of a query.
    pub(crate) fn parse(kind: &Kind, labels: &str, fields: &str) -> Result<Self, ApiError> {
        Ok(Self {
            labels: parse_labels(labels)?,
            fields: parse_fields(kind, fields)?,
        })
    }

    /// Limits the selection to one object besides.
    pub(crate) fn and_name(mut self, name: &str) -> Self {
        self.fields
            .push(("metadata.name".to_owned(), name.to_owned(), true));
        self
    }

    /// Tells whether an object is wanted.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.labels
            .iter()
            .all(|requirement| requirement.holds(&object["metadata"]["labels"]))
            && self
                .fields
                .iter()
                .all(|(path, value, equal)| (field(object, path) == *value) == *equal)
    }
}

impl Requirement {
    fn holds(&self, labels: &Value) -> bool {
        let value = |name: &str| labels[name].as_str();
        let among = |name: &str, values: &[String]| {
            value(name).is_some_and(|value| values.iter().any(|one| one == value))
        };
        match self {
            Self::In(name, values) => among(name, values),
            Self::NotIn(name, values) => !among(name, values),
            Self::Exists(name) => value(name).is_some(),
            Self::Absent(name) => value(name).is_none(),
        }
    }
}

/// Gives a field as text, empty if absent.
fn field<'a>(object: &'a Value, path: &str) -> &'a str {
    match path {
        "metadata.name" => object::name(object),
        "metadata.namespace" => object::namespace(object),
        other => other
            .split('.')
            .try_fold(object, |value, step| value.get(step))
            .and_then(Value::as_str)
            .unwrap_or_default(),
    }
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>, ApiError> {
    let mut found = Vec::new();
    for part in split_outside_brackets(text) {
        let part = part.trim();
        let malformed = || {
            ApiError::bad_request(format!(
                "unable to parse requirement: {part:?} is no label requirement"
            ))
        };
        if let Some((name, values)) = part.strip_suffix(')').and_then(|part| part.split_once('(')) {
            let values = values
                .split(',')
                .map(|value| value.trim().to_owned())
                .collect();
            let mut words = name.split_whitespace();
            let (Some(name), Some(word), None) = (words.next(), words.next(), words.next()) else {
                return Err(malformed());
            };
            found.push(match word {
                "in" => Requirement::In(name.to_owned(), values),
                "notin" => Requirement::NotIn(name.to_owned(), values),
                _ => return Err(malformed()),
            });
        } else if let Some((name, value)) = part.split_once("!=") {
            found.push(Requirement::NotIn(
                name.trim().to_owned(),
                vec![value.trim().to_owned()],
            ));
        } else if let Some((name, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
            found.push(Requirement::In(
                name.trim().to_owned(),
                vec![value.trim().to_owned()],
            ));
        } else if let Some(name) = part.strip_prefix('!') {
            found.push(Requirement::Absent(name.trim().to_owned()));
        } else if part.contains(char::is_whitespace) {
            return Err(malformed());
        } else {
            found.push(Requirement::Exists(part.to_owned()));
        }
    }
    Ok(found)
}

fn split_outside_brackets(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (index, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// Lists the field paths that objects of a kind can be selected by.
fn selectable(kind: &Kind) -> &'static [&'static str] {
    const EVERY: &[&str] = &["metadata.name", "metadata.namespace"];
    match (kind.group, kind.kind) {
        ("", "Pod") => &[
            "metadata.name",
            "metadata.namespace",
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.phase",
            "status.podIP",
        ],
        ("", "Event") => &[
            "metadata.name",
            "metadata.namespace",
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("", "Namespace") => &["metadata.name", "status.phase"],
        ("", "Secret") => &["metadata.name", "metadata.namespace", "type"],
        _ => EVERY,
    }
}

/// Refuses a field path as the real server does: kinds with fields of their own in other words.
fn unknown_field(kind: &Kind, path: &str) -> ApiError {
    let own = kind.has(Quirk::Custom) || selectable(kind).len() != 2;
    ApiError::bad_request(if own {
        format!("field label not supported: {path}")
    } else {
        format!(
            "{path:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
        )
    })
}

fn parse_fields(kind: &Kind, text: &str) -> Result<Vec<(String, String, bool)>, ApiError> {
    let mut found = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (path, value, equal) = if let Some((path, value)) = part.split_once("!=") {
            (path, value, false)
        } else if let Some((path, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
            (path, value, true)
        } else {
            return Err(ApiError::bad_request(format!(
                "invalid selector: '{text}'; can't understand '{part}'"
            )));
        };
        if !selectable(kind).contains(&path) {
            return Err(unknown_field(kind, path));
        }
        found.push((path.to_owned(), value.to_owned(), equal));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pods() -> &'static Kind {
        Kind::find("Pod").expect("pods are known")
    }

    fn matches(labels: &str, fields: &str) -> bool {
        let object = json!({
            "metadata": { "name": "a", "namespace": "ns", "labels": { "app": "x", "tier": "back" } },
            "status": { "phase": "Running" },
        });
        Selector::parse(pods(), labels, fields)
            .expect("a valid selector")
            .matches(&object)
    }

    #[test]
    fn labels_select_by_equality_and_by_sets() {
        assert!(matches("", ""));
        assert!(matches("app=x,tier==back", ""));
        assert!(!matches("app=y", ""));
        assert!(matches("app in (x, y),tier notin (front)", ""));
        assert!(!matches("app notin (x)", ""));
        assert!(matches("app,!other,other!=z", ""));
        assert!(!matches("!app", ""));
    }

    #[test]
    fn fields_select_by_name_and_phase() {
        assert!(matches("", "metadata.name=a,metadata.namespace!=b"));
        assert!(!matches("", "metadata.name=b"));
        assert!(matches("", "status.phase=Running"));
        assert!(Selector::parse(pods(), "", "spec.nonsense=1").is_err());
    }
}
