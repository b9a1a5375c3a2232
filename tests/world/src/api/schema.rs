//! Structural schemas of custom resources: pruning, defaults and validation as the real server does them.

use serde_json::{Map, Value, json};

use super::fields::ListType;
use super::violation::Violation;

/// A structural `openAPIV3Schema`.
#[derive(Clone, Debug)]
pub struct Schema {
    root: Value,
}

impl Schema {
    /// Takes the value of `openAPIV3Schema`.
    pub fn new(root: Value) -> Self {
        Self { root }
    }

    /// Takes the schema of one version of a CRD.
    pub fn of_crd(crd: &Value, version: &str) -> Option<Self> {
        let versions = crd["spec"]["versions"].as_array()?;
        let found = versions
            .iter()
            .find(|candidate| candidate["name"] == version)?;
        found["schema"]
            .get("openAPIV3Schema")
            .cloned()
            .map(Self::new)
    }

    /// Drops what the schema does not know and lists the paths of what was dropped.
    pub(crate) fn prune(&self, object: &mut Value) -> Vec<String> {
        let mut dropped = Vec::new();
        prune(object, &self.root, true, "", &mut dropped);
        dropped
    }

    /// Sets defaults where a field is absent.
    pub(crate) fn set_defaults(&self, object: &mut Value) {
        set_defaults(object, &self.root);
    }

    /// Lists what is wrong with an object.
    pub(crate) fn violations(&self, object: &Value) -> Vec<Violation> {
        let mut found = Vec::new();
        check(object, &self.root, "", &mut found);
        found
    }

    /// Tells how owners share the list at a path of field names.
    pub(crate) fn list_type(&self, names: &[&str]) -> ListType {
        let mut schema = &self.root;
        for name in names {
            // Items of the lists on the way are not named in the path.
            while schema["type"] == "array" {
                schema = &schema["items"];
            }
            schema = match schema["properties"].get(name) {
                Some(property) => property,
                None => &schema["additionalProperties"],
            };
        }
        match schema["x-kubernetes-list-type"].as_str() {
            Some("set") => ListType::Set,
            Some("map") => {
                let keys = schema["x-kubernetes-list-map-keys"].as_array();
                ListType::Map(
                    keys.into_iter()
                        .flatten()
                        .filter_map(Value::as_str)
                        .map(str::to_owned)
                        .collect(),
                )
            }
            Some(_) | None => ListType::Atomic,
        }
    }
}

fn is_set(schema: &Value, flag: &str) -> bool {
    schema[flag].as_bool().unwrap_or_default()
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn prune(value: &mut Value, schema: &Value, root: bool, path: &str, dropped: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let embedded = root || is_set(schema, "x-kubernetes-embedded-resource");
            let keeps = is_set(schema, "x-kubernetes-preserve-unknown-fields");
            let known = schema["properties"].as_object();
            let extra = schema
                .get("additionalProperties")
                .filter(|extra| **extra != json!(false));
            let names: Vec<String> = fields.keys().cloned().collect();
            for name in names {
                let place = below(path, &name);
                let of_type =
                    embedded && ["apiVersion", "kind", "metadata"].contains(&name.as_str());
                if of_type {
                    continue;
                }
                match (known.and_then(|known| known.get(&name)), extra) {
                    (Some(property), _) => {
                        prune(&mut fields[&name], property, false, &place, dropped);
                    }
                    (None, Some(Value::Bool(true))) => {}
                    (None, Some(extra)) => prune(&mut fields[&name], extra, false, &place, dropped),
                    (None, None) if keeps => {}
                    (None, None) => {
                        fields.remove(&name);
                        dropped.push(place);
                    }
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                prune(
                    item,
                    &schema["items"],
                    false,
                    &format!("{path}[{index}]"),
                    dropped,
                );
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn set_defaults(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(fields) => {
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                // A null where none is allowed counts as absent.
                if fields.get(name).is_some_and(Value::is_null) && !is_set(property, "nullable") {
                    fields.remove(name);
                }
                if let Some(default) = property.get("default")
                    && !fields.contains_key(name)
                {
                    fields.insert(name.clone(), default.clone());
                }
                if let Some(value) = fields.get_mut(name) {
                    set_defaults(value, property);
                }
            }
            if let Some(extra) = schema
                .get("additionalProperties")
                .filter(|extra| extra.is_object())
            {
                let known = schema["properties"].as_object();
                let is_extra = |name: &str| known.is_none_or(|known| !known.contains_key(name));
                if !is_set(extra, "nullable") {
                    fields.retain(|name, value| !value.is_null() || !is_extra(name));
                }
                for (_, value) in fields.iter_mut().filter(|(name, _)| is_extra(name)) {
                    set_defaults(value, extra);
                }
            }
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| set_defaults(item, &schema["items"])),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Names the JSON type of a value as messages do.
fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn fits(value: &Value, schema: &Value) -> bool {
    if is_set(schema, "x-kubernetes-int-or-string") {
        return matches!(type_of(value), "integer" | "string");
    }
    match (schema["type"].as_str(), type_of(value)) {
        (None, _) | (Some("number"), "integer") => true,
        (Some(_), "null") => is_set(schema, "nullable"),
        (Some(expected), given) => expected == given,
    }
}

fn check(value: &Value, schema: &Value, path: &str, found: &mut Vec<Violation>) {
    if !fits(value, schema) {
        let expected = schema["type"].as_str().unwrap_or("integer or string");
        let given = json!(type_of(value));
        let why = format!("{path} in body must be of type {expected}: {given}");
        found.push(Violation {
            field: path.to_owned(),
            reason: "FieldValueTypeInvalid",
            message: format!("Invalid value: {given}: {why}"),
        });
    }
    if let Some(allowed) = schema["enum"]
        .as_array()
        .filter(|allowed| !allowed.contains(value) && !value.is_null())
    {
        found.push(Violation::unsupported(path, value, allowed));
    }
    if !fits(value, schema) {
        return;
    }
    match value {
        Value::Object(fields) => check_object(fields, schema, path, found),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                check(item, &schema["items"], &format!("{path}[{index}]"), found);
            }
            check_size(items.len(), "items", value, schema, path, found);
        }
        Value::Number(number) => check_range(
            number.as_f64().unwrap_or_default(),
            value,
            schema,
            path,
            found,
        ),
        Value::String(text) => {
            check_size(text.chars().count(), "length", value, schema, path, found);
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn check_object(
    fields: &Map<String, Value>,
    schema: &Value,
    path: &str,
    found: &mut Vec<Violation>,
) {
    for name in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if !fields.contains_key(name) {
            found.push(Violation::required(below(path, name), ""));
        }
    }
    let known = schema["properties"].as_object();
    for (name, value) in fields {
        // The root's metadata has rules of its own.
        if path.is_empty() && ["apiVersion", "kind", "metadata"].contains(&name.as_str()) {
            continue;
        }
        let property = known.and_then(|known| known.get(name));
        let extra = schema
            .get("additionalProperties")
            .filter(|extra| extra.is_object());
        if let Some(schema) = property.or(extra) {
            check(value, schema, &below(path, name), found);
        }
    }
}

fn check_range(number: f64, value: &Value, schema: &Value, path: &str, found: &mut Vec<Violation>) {
    if let Some(minimum) = schema["minimum"]
        .as_f64()
        .filter(|minimum| number < *minimum)
    {
        let why = format!("{path} in body should be greater than or equal to {minimum}");
        found.push(Violation::invalid(path, value, &why));
    }
    if let Some(maximum) = schema["maximum"]
        .as_f64()
        .filter(|maximum| number > *maximum)
    {
        let why = format!("{path} in body should be less than or equal to {maximum}");
        found.push(Violation::invalid(path, value, &why));
    }
}

fn check_size(
    size: usize,
    what: &str,
    value: &Value,
    schema: &Value,
    path: &str,
    found: &mut Vec<Violation>,
) {
    let (minimum, maximum) = if what == "items" {
        ("minItems", "maxItems")
    } else {
        ("minLength", "maxLength")
    };
    let size = u64::try_from(size).unwrap_or(u64::MAX);
    if let Some(limit) = schema[minimum].as_u64().filter(|limit| size < *limit) {
        let why = match what {
            "items" => format!("{path} in body should have at least {limit} items"),
            _ => format!("{path} in body should be at least {limit} chars long"),
        };
        found.push(Violation::invalid(path, value, &why));
    }
    if let Some(limit) = schema[maximum].as_u64().filter(|limit| size > *limit) {
        let (reason, unit) = if what == "items" {
            ("FieldValueTooMany", "items")
        } else {
            ("FieldValueTooLong", "bytes")
        };
        let message = match what {
            "items" => format!("Too many: {size}: must have at most {limit} {unit}"),
            _ => format!("Too long: may not be more than {limit} {unit}"),
        };
        found.push(Violation {
            field: path.to_owned(),
            reason,
            message,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        Schema::new(json!({
            "type": "object",
            "properties": {
                "spec": {
                    "type": "object",
                    "required": ["image"],
                    "properties": {
                        "image": { "type": "string" },
                        "replicas": { "type": "integer", "minimum": 1, "default": 1 },
                        "mode": { "type": "string", "enum": ["a", "b"] },
                        "free": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
                        "labels": { "type": "object", "additionalProperties": { "type": "string" } },
                        "parts": { "type": "array", "items": { "type": "object", "properties": { "name": { "type": "string" } } } },
                        "port": { "x-kubernetes-int-or-string": true }
                    }
                }
            }
        }))
    }

    #[test]
    fn unknown_fields_go_and_their_paths_are_told() {
        let mut object = json!({
            "apiVersion": "g/v1", "kind": "K", "metadata": { "name": "a", "anything": 1 },
            "spec": {
                "image": "i", "new": { "deep": 1 },
                "free": { "kept": { "x": 1 } },
                "labels": { "any": "thing" },
                "parts": [{ "name": "p", "extra": 1 }],
            },
            "other": 1,
        });
        let mut dropped = schema().prune(&mut object);
        dropped.sort();
        assert_eq!(dropped, ["other", "spec.new", "spec.parts[0].extra"]);
        assert_eq!(object["spec"]["free"]["kept"]["x"], 1);
        assert_eq!(object["spec"]["labels"]["any"], "thing");
        assert_eq!(object["metadata"]["anything"], 1);
    }

    #[test]
    fn defaults_fill_what_is_absent() {
        let mut object = json!({ "spec": { "image": "i" } });
        schema().set_defaults(&mut object);
        assert_eq!(object["spec"]["replicas"], 1);
    }

    #[test]
    fn violations_name_field_and_reason() {
        let object =
            json!({ "spec": { "replicas": 0, "mode": "c", "labels": { "a": 1 }, "port": true } });
        let found = schema().violations(&object);
        let reasons: Vec<(&str, &str)> = found
            .iter()
            .map(|one| (one.field.as_str(), one.reason))
            .collect();
        assert!(
            reasons.contains(&("spec.image", "FieldValueRequired")),
            "{found:?}"
        );
        assert!(
            reasons.contains(&("spec.replicas", "FieldValueInvalid")),
            "{found:?}"
        );
        assert!(
            reasons.contains(&("spec.mode", "FieldValueNotSupported")),
            "{found:?}"
        );
        assert!(
            reasons.contains(&("spec.labels.a", "FieldValueTypeInvalid")),
            "{found:?}"
        );
        assert!(
            reasons.contains(&("spec.port", "FieldValueTypeInvalid")),
            "{found:?}"
        );
    }
}
