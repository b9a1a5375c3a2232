//! Fields of an object as paths: the currency of server-side apply.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use super::schema::Schema;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// A field of a map.
    Field(String),
    /// An item of a list, known by the values of its keys (as JSON text).
    Item(Vec<(String, String)>),
    /// A member of a list that is a set (as JSON text).
    Member(String),
}

/// A way from the root of an object to a field.
pub(crate) type Path = Vec<Step>;

/// How two owners share a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListType {
    /// They do not.
    Atomic,
    /// Each owns members.
    Set,
    /// Each owns items, known by these keys.
    Map(Vec<String>),
}

/// What is known about the lists of a kind.
pub(crate) struct Shape<'a> {
    pub(crate) schema: Option<&'a Schema>,
}

/// Lists of built-in kinds that are not atomic, by the names of the last fields.
const SHARED_LISTS: &[(&str, &[&str])] = &[
    ("metadata/ownerReferences", &["uid"]),
    ("containers", &["name"]),
    ("initContainers", &["name"]),
    ("ephemeralContainers", &["name"]),
    ("env", &["name"]),
    ("volumes", &["name"]),
    ("volumeMounts", &["mountPath"]),
    ("containers/ports", &["containerPort", "protocol"]),
    ("spec/ports", &["port", "protocol"]),
    ("status/conditions", &["type"]),
    ("imagePullSecrets", &["name"]),
    ("hostAliases", &["ip"]),
    (
        "topologySpreadConstraints",
        &["topologyKey", "whenUnsatisfiable"],
    ),
];

impl Shape<'_> {
    fn list_type(&self, path: &[Step]) -> ListType {
        let names: Vec<&str> = path
            .iter()
            .filter_map(|step| match step {
                Step::Field(name) => Some(name.as_str()),
                Step::Item(_) | Step::Member(_) => None,
            })
            .collect();
        if names == ["metadata", "finalizers"] {
            return ListType::Set;
        }
        if let Some(schema) = self.schema
            && names.first() != Some(&"metadata")
        {
            return schema.list_type(&names);
        }
        let joined = names.join("/");
        let ends_with = |suffix: &str| joined == suffix || joined.ends_with(&format!("/{suffix}"));
        SHARED_LISTS
            .iter()
            .find(|(suffix, _)| ends_with(suffix))
            .map_or(ListType::Atomic, |(_, keys)| {
                ListType::Map(keys.iter().map(|key| (*key).to_owned()).collect())
            })
    }
}

/// Fields that nobody owns: identity, and what the server itself keeps.
const UNOWNED: &[&str] = &[
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "generation",
    "managedFields",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generateName",
    "selfLink",
];

/// Lists the fields of an object that somebody can own.
pub(crate) fn leaves(object: &Value, shape: &Shape<'_>) -> BTreeSet<Path> {
    let mut found = BTreeSet::new();
    for (name, value) in object.as_object().into_iter().flatten() {
        match name.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" => {
                for (field, value) in value.as_object().into_iter().flatten() {
                    if !UNOWNED.contains(&field.as_str()) {
                        let path = vec![Step::Field("metadata".into()), Step::Field(field.clone())];
                        collect(value, path, shape, &mut found);
                    }
                }
            }
            _ => collect(value, vec![Step::Field(name.clone())], shape, &mut found),
        }
    }
    found
}

fn collect(value: &Value, path: Path, shape: &Shape<'_>, found: &mut BTreeSet<Path>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let mut path = path.clone();
                path.push(Step::Field(name.clone()));
                collect(value, path, shape, found);
            }
        }
        Value::Array(items) => match shape.list_type(&path) {
            ListType::Atomic => {
                found.insert(path);
            }
            ListType::Set => {
                for item in items {
                    let mut path = path.clone();
                    path.push(Step::Member(item.to_string()));
                    found.insert(path);
                }
            }
            ListType::Map(keys) => {
                for item in items {
                    let mut path = path.clone();
                    path.push(item_step(item, &keys));
                    found.insert(path.clone());
                    collect(item, path, shape, found);
                }
            }
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            found.insert(path);
        }
    }
}

fn item_step(item: &Value, keys: &[String]) -> Step {
    // The protocol of a port is the one key with a default.
    let value = |key: &String| match &item[key] {
        Value::Null if key == "protocol" => "\"TCP\"".to_owned(),
        value => value.to_string(),
    };
    Step::Item(keys.iter().map(|key| (key.clone(), value(key))).collect())
}

/// Tells whether a path names a list item as such.
pub(crate) fn is_item(path: &Path) -> bool {
    matches!(path.last(), Some(Step::Item(_)))
}

/// Tells whether a set owns a path or anything below it.
pub(crate) fn holds(set: &BTreeSet<Path>, path: &Path) -> bool {
    set.iter().any(|owned| owned.starts_with(path))
}

fn position(items: &[Value], step: &Step) -> Option<usize> {
    match step {
        Step::Item(keys) => {
            let names: Vec<String> = keys.iter().map(|(name, _)| name.clone()).collect();
            items
                .iter()
                .position(|item| item_step(item, &names) == *step)
        }
        Step::Member(text) => {
            let member: Value = serde_json::from_str(text).expect("written from a value");
            items.iter().position(|item| *item == member)
        }
        Step::Field(_) => None,
    }
}

/// Follows a path.
pub(crate) fn at<'a>(object: &'a Value, path: &Path) -> Option<&'a Value> {
    let mut here = object;
    for step in path {
        here = match step {
            Step::Field(name) => here.get(name)?,
            Step::Item(_) | Step::Member(_) => {
                let items = here.as_array()?;
                &items[position(items, step)?]
            }
        };
    }
    Some(here)
}

/// Removes what a path leads to, if it is there, and what is empty then.
pub(crate) fn remove(object: &mut Value, path: &[Step]) {
    let Some((last, way)) = path.split_last() else {
        return;
    };
    let Some(holder) = at_mut(object, way) else {
        return;
    };
    match (last, &mut *holder) {
        (Step::Field(name), Value::Object(fields)) => {
            fields.remove(name);
        }
        (Step::Item(_) | Step::Member(_), Value::Array(items)) => {
            if let Some(index) = position(items, last) {
                items.remove(index);
            }
        }
        (Step::Field(_) | Step::Item(_) | Step::Member(_), _) => return,
    }
    let empty = match holder {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    if empty {
        remove(object, way);
    }
}

fn at_mut<'a>(object: &'a mut Value, way: &[Step]) -> Option<&'a mut Value> {
    let mut here = object;
    for step in way {
        here = match step {
            Step::Field(name) => here.get_mut(name)?,
            Step::Item(_) | Step::Member(_) => {
                let items = here.as_array_mut()?;
                let index = position(items, step)?;
                items.get_mut(index)?
            }
        };
    }
    Some(here)
}

/// Puts a configuration over an object.
pub(crate) fn merge(object: &mut Value, config: &Value, shape: &Shape<'_>) {
    merge_at(object, config, &mut Vec::new(), shape);
}

fn merge_at(object: &mut Value, config: &Value, path: &mut Path, shape: &Shape<'_>) {
    match (object, config) {
        (Value::Object(fields), Value::Object(wanted)) => {
            for (name, value) in wanted {
                path.push(Step::Field(name.clone()));
                match fields.get_mut(name) {
                    Some(existing) => merge_at(existing, value, path, shape),
                    None => {
                        fields.insert(name.clone(), value.clone());
                    }
                }
                path.pop();
            }
        }
        (object @ Value::Array(_), Value::Array(wanted)) => {
            let shared = shape.list_type(path);
            let items = object.as_array_mut().expect("matched as an array");
            match shared {
                ListType::Atomic => items.clone_from(wanted),
                ListType::Set => {
                    for item in wanted {
                        if !items.contains(item) {
                            items.push(item.clone());
                        }
                    }
                }
                ListType::Map(keys) => {
                    for item in wanted {
                        let step = item_step(item, &keys);
                        match position(items, &step) {
                            Some(index) => {
                                path.push(step);
                                merge_at(&mut items[index], item, path, shape);
                                path.pop();
                            }
                            None => items.push(item.clone()),
                        }
                    }
                }
            }
        }
        (object, config) => *object = config.clone(),
    }
}

/// Shows a path as messages do: `.spec.containers[name="a"].image`.
pub(crate) fn shown(path: &Path) -> String {
    let mut text = String::new();
    for step in path {
        let written = match step {
            Step::Field(name) => write!(text, ".{name}"),
            Step::Item(keys) => {
                let keys: Vec<String> = keys
                    .iter()
                    .map(|(key, value)| format!("{key}={value}"))
                    .collect();
                write!(text, "[{}]", keys.join(","))
            }
            Step::Member(value) => write!(text, "[={value}]"),
        };
        written.expect("writing to a string succeeds");
    }
    text
}
