//! The file form of a pod template, as upstream writes it into the ConfigMap for TaskManagers.

use serde_json::{Map, Value};

/// Renders a template: fields sorted at every level, texts in double quotes, and what is not part of
/// a pod template (`apiVersion`, `kind`) at the end.
pub(super) fn render(template: &Value) -> String {
    let mut out = String::from("---\n");
    let Value::Object(template) = template else {
        unreachable!("templates are objects");
    };
    let (own, additional): (Vec<_>, Vec<_>) = template
        .iter()
        .partition(|(key, _)| matches!(key.as_str(), "metadata" | "spec"));
    if template.is_empty() {
        return "--- {}\n".to_owned();
    }
    for (key, value) in own.into_iter().chain(additional) {
        field(key, value, 0, &mut out);
    }
    out
}

fn fields(object: &Map<String, Value>, depth: usize, out: &mut String) {
    let mut sorted: Vec<_> = object.iter().collect();
    sorted.sort_by_key(|(key, _)| key.as_str());
    for (key, value) in sorted {
        field(key, value, depth, out);
    }
}

fn field(key: &str, value: &Value, depth: usize, out: &mut String) {
    indent(depth, out);
    out.push_str(&name(key));
    out.push(':');
    match value {
        Value::Object(object) if !object.is_empty() => {
            out.push('\n');
            fields(object, depth + 1, out);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            list(items, depth, out);
        }
        scalar => line(scalar, out),
    }
}

fn list(items: &[Value], depth: usize, out: &mut String) {
    for item in items {
        indent(depth, out);
        out.push('-');
        match item {
            Value::Object(object) if !object.is_empty() => {
                // The first field stands on the line of the dash, the others below it.
                let mut inner = String::new();
                fields(object, depth + 1, &mut inner);
                out.push(' ');
                out.push_str(inner.trim_start_matches(' '));
            }
            Value::Array(inner) if !inner.is_empty() => {
                out.push('\n');
                list(inner, depth + 1, out);
            }
            scalar => line(scalar, out),
        }
    }
}

/// Renders a value that fits on one line; JSON's form of it is YAML too.
fn line(value: &Value, out: &mut String) {
    out.push(' ');
    out.push_str(&value.to_string());
    out.push('\n');
}

/// Renders a field name, quoted where YAML could take it for something else.
fn name(key: &str) -> String {
    let plain = key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '-' | '_'))
        && !matches!(
            key.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if plain {
        key.to_owned()
    } else {
        Value::from(key).to_string()
    }
}

fn indent(depth: usize, out: &mut String) {
    for _ in 0..depth {
        out.push_str("  ");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_form_is_upstreams() {
        let template = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "labels": { "team": "data", "yes": "x", "a:b": "y" } },
            "spec": {
                "volumes": [{ "name": "v", "emptyDir": {} }],
                "containers": [{ "name": "c", "args": ["a", "b\n\"c\""],
                    "ports": [{ "containerPort": 1 }] }],
                "hostNetwork": true,
            },
        });
        let text = render(&template);
        assert_eq!(
            text,
            r#"---
metadata:
  labels:
    "a:b": "y"
    team: "data"
    "yes": "x"
spec:
  containers:
  - args:
    - "a"
    - "b\n\"c\""
    name: "c"
    ports:
    - containerPort: 1
  hostNetwork: true
  volumes:
  - emptyDir: {}
    name: "v"
apiVersion: "v1"
kind: "Pod"
"#
        );
        assert_eq!(serde_saphyr::from_str::<Value>(&text).unwrap(), template);
        assert_eq!(render(&json!({})), "--- {}\n");
    }
}
