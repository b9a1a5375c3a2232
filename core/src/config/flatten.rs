//! Turns `spec.flinkConfiguration`, free JSON, into flat text values.

use serde_json::{Map, Value};

use super::{Configuration, number};

/// Flattens a JSON object: keys joined with dots, scalars as text, lists joined with `;`.
///
/// List entries are not quoted and those that are objects become empty text, as upstream does; an
/// empty list yields no key. Where two paths are equal the later one in the object's order counts.
pub fn flatten(object: &Map<String, Value>) -> Configuration {
    let mut config = Configuration::default();
    flatten_into("", object, &mut config);
    config
}

fn flatten_into(prefix: &str, object: &Map<String, Value>, out: &mut Configuration) {
    for (key, value) in object {
        let path = if prefix.is_empty() {
            key.clone()
        } else {
            format!("{prefix}.{key}")
        };
        match value {
            Value::Object(inner) => flatten_into(&path, inner, out),
            Value::Array(items) if items.is_empty() => {}
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(scalar_text).collect();
                out.set(path, items.join(";"));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                out.set(path, scalar_text(value));
            }
        }
    }
}

fn scalar_text(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => match value.as_f64() {
            Some(float) if value.is_f64() => number::java_double(float),
            _ => value.to_string(),
        },
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => String::new(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_json_kind_has_its_text() {
        let config = flatten(
            json!({
                "execution": { "checkpointing": { "interval": "30s", "x": {} } },
                "b.c": true, "n": 5, "f": 1.5, "whole": 1000.0, "z": null,
                "list": ["a", 2, { "o": 1 }, "b;c"], "empty": [], "blank": " x "
            })
            .as_object()
            .unwrap(),
        );
        let entries: Vec<_> = config.iter().collect();
        assert_eq!(
            entries,
            [
                ("b.c", "true"),
                ("blank", " x "),
                ("execution.checkpointing.interval", "30s"),
                ("f", "1.5"),
                ("list", "a;2;;b;c"),
                ("n", "5"),
                ("whole", "1000.0"),
                ("z", "null"),
            ]
        );
    }
}
