//! Decoding as the real server does: what does not fit the type is refused, what the type does not know is
//! dropped, and amounts are written one way.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Event as CoreEvent, Pod, Secret, Service};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::networking::v1::Ingress;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::quantity::Quantity;
use crate::api::error::ApiError;
use crate::api::kinds::Kind;

/// Decodes an object of a built-in kind and gives the paths of the fields that its type does not know.
pub(crate) fn conform(kind: &Kind, object: &mut Value) -> Result<Vec<String>, ApiError> {
    let decode: fn(&Value) -> serde_json::Result<Value> = match (kind.group, kind.kind) {
        ("", "ConfigMap") => through::<ConfigMap>,
        ("", "Event") => through::<CoreEvent>,
        ("", "Pod") => through::<Pod>,
        ("", "Secret") => through::<Secret>,
        ("", "Service") => through::<Service>,
        ("apps", "Deployment") => through::<Deployment>,
        ("coordination.k8s.io", "Lease") => through::<Lease>,
        ("events.k8s.io", "Event") => through::<Event>,
        ("networking.k8s.io", "Ingress") => through::<Ingress>,
        _ => return Ok(Vec::new()),
    };
    let refuse = |why: String| {
        ApiError::bad_request(format!(
            "{} in version {:?} cannot be handled as a {}: {why}",
            kind.kind, kind.version, kind.kind
        ))
    };
    check_times(object).map_err(refuse)?;
    fill_nulls(object);
    let mut typed = decode(object).map_err(|error| refuse(error.to_string()))?;
    write_amounts(&mut typed).map_err(refuse)?;
    drop_plain_no(&mut typed);
    let mut unknown = Vec::new();
    compare(object, &typed, "", &mut unknown);
    *object = typed;
    Ok(unknown)
}

/// Replaces nulls in lists and in maps of texts by what the real server reads them as: the empty value.
fn fill_nulls(value: &mut Value) {
    const TEXTS: &[&str] = &[
        "annotations",
        "data",
        "labels",
        "matchLabels",
        "nodeSelector",
    ];
    match value {
        Value::Array(items) => {
            let texts = items.iter().any(Value::is_string);
            for item in items.iter_mut() {
                if item.is_null() {
                    *item = if texts { json!("") } else { json!({}) };
                }
                fill_nulls(item);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                if TEXTS.contains(&name.as_str())
                    && let Some(texts) = value.as_object_mut()
                {
                    texts
                        .values_mut()
                        .filter(|text| text.is_null())
                        .for_each(|text| *text = json!(""));
                }
                fill_nulls(value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn through<T: Serialize + DeserializeOwned>(object: &Value) -> serde_json::Result<Value> {
    serde_json::to_value(T::deserialize(object)?)
}

/// Refuses times without microseconds where the type wants them: the real server reads no others.
fn check_times(object: &Value) -> Result<(), String> {
    for pointer in [
        "/spec/acquireTime",
        "/spec/renewTime",
        "/eventTime",
        "/series/lastObservedTime",
    ] {
        let Some(text) = object.pointer(pointer).and_then(Value::as_str) else {
            continue;
        };
        let fraction = text
            .split_once('.')
            .map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).count());
        if fraction != Some(6) {
            let layout = "2006-01-02T15:04:05.000000Z07:00";
            return Err(format!(
                "parsing time {text:?} as {layout:?}: cannot parse it as \".000000\""
            ));
        }
    }
    Ok(())
}

/// Writes amounts of resources in the one way in which they are stored.
fn write_amounts(value: &mut Value) -> Result<(), String> {
    match value {
        Value::Array(items) => items.iter_mut().try_for_each(write_amounts),
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                if name == "resources" {
                    for list in ["limits", "requests"] {
                        for (_, amount) in value
                            .get_mut(list)
                            .and_then(Value::as_object_mut)
                            .into_iter()
                            .flatten()
                        {
                            let text = amount.as_str().unwrap_or_default();
                            *amount = text.parse::<Quantity>()?.to_string().into();
                        }
                    }
                } else {
                    write_amounts(value)?;
                }
            }
            Ok(())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// Drops what the real server does not tell from nothing: a plain `false` of fields that know only yes.
fn drop_plain_no(value: &mut Value) {
    const ONLY_YES: &[&str] = &[
        "hostNetwork",
        "hostPID",
        "hostIPC",
        "paused",
        "readOnly",
        "stdin",
        "stdinOnce",
        "tty",
    ];
    match value {
        Value::Array(items) => items.iter_mut().for_each(drop_plain_no),
        Value::Object(fields) => {
            fields.retain(|name, value| *value != false || !ONLY_YES.contains(&name.as_str()));
            fields
                .iter_mut()
                .for_each(|(_, value)| drop_plain_no(value));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Lists what was there before decoding and is not any more.
fn compare(given: &Value, typed: &Value, path: &str, unknown: &mut Vec<String>) {
    match (given, typed) {
        (Value::Object(given), Value::Object(typed)) => {
            for (name, value) in given {
                let place = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                match typed.get(name) {
                    Some(typed) => compare(value, typed, &place, unknown),
                    None if value.is_null() => {}
                    None => unknown.push(place),
                }
            }
        }
        (Value::Array(given), Value::Array(typed)) => {
            for (index, (given, typed)) in given.iter().zip(typed).enumerate() {
                compare(given, typed, &format!("{path}[{index}]"), unknown);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn kind(name: &str) -> &'static Kind {
        Kind::find(name).unwrap()
    }

    #[test]
    fn unknown_fields_go_and_amounts_are_rewritten() {
        let mut object = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "a" },
            "spec": { "typo": 1, "containers": [
                { "name": "c", "typo": 2, "resources": { "limits": { "memory": "2048Mi", "cpu": 0.5 } } }
            ] },
        });
        let unknown = conform(kind("Pod"), &mut object).unwrap();
        assert_eq!(unknown, ["spec.containers[0].typo", "spec.typo"]);
        let limits = &object["spec"]["containers"][0]["resources"]["limits"];
        assert_eq!(*limits, json!({ "memory": "2Gi", "cpu": "500m" }));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut number = json!({ "metadata": { "name": "a" }, "data": { "k": 1 } });
        assert_eq!(
            conform(Kind::find("ConfigMap").unwrap(), &mut number)
                .unwrap_err()
                .code,
            400
        );
        let mut time = json!({ "spec": { "renewTime": "2026-01-01T00:00:00Z" } });
        let refused = conform(kind("Lease"), &mut time).unwrap_err();
        assert!(
            refused.message.contains("2026-01-01T00:00:00Z"),
            "{}",
            refused.message
        );
    }
}
