//! What ConfigMaps, Services, Leases, Events and Ingresses refuse.

use serde_json::{Value, json};

use super::pods::{list, number_of_port};
use crate::api::violation::Violation;

/// Lists what is wrong with a `ConfigMap`.
pub(super) fn config_map(object: &Value) -> Vec<Violation> {
    const KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
    let valid = |key: &str| {
        !key.is_empty()
            && key
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "-._".contains(letter))
    };
    let data = object["data"].as_object();
    let keys = data.into_iter().flatten().map(|(key, _)| key);
    let mut found: Vec<Violation> = keys
        .filter(|key| !valid(key))
        .map(|key| Violation::invalid(format!("data[{key}]"), &json!(key), KEY))
        .collect();
    let size: usize = data
        .into_iter()
        .flatten()
        .map(|(_, value)| value.as_str().map_or(0, str::len))
        .sum();
    if size > 1024 * 1024 {
        found.push(Violation::too_long("", 1024 * 1024));
    }
    found
}

/// Lists changes of a `ConfigMap` that nobody may make.
pub(super) fn config_map_change(old: &Value, new: &Value) -> Vec<Violation> {
    if old["immutable"] != true {
        return Vec::new();
    }
    let why = "field is immutable when `immutable` is set";
    ["immutable", "data", "binaryData"]
        .into_iter()
        .filter(|field| old[field] != new[field])
        .map(|field| Violation::forbidden(field, why))
        .collect()
}

/// Lists what is wrong with a Service.
pub(super) fn service(object: &Value) -> Vec<Violation> {
    let spec = &object["spec"];
    let mut found = Vec::new();
    let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"].map(Value::from);
    if !types.contains(&spec["type"]) {
        found.push(Violation::unsupported("spec.type", &spec["type"], &types));
    }
    let ports = list(spec, "ports");
    if ports.is_empty() && spec["clusterIP"] != "None" && spec["type"] != "ExternalName" {
        found.push(Violation::required("spec.ports", ""));
    }
    for (index, port) in ports.iter().enumerate() {
        let place = format!("spec.ports[{index}]");
        if ports.len() > 1 && port["name"].as_str().is_none_or(str::is_empty) {
            found.push(Violation::required(format!("{place}.name"), ""));
        }
        for field in ["port", "targetPort"] {
            number_of_port(&port[field], format!("{place}.{field}"), &mut found);
        }
    }
    found
}

/// Lists what is wrong with a Lease.
pub(super) fn lease(object: &Value) -> Vec<Violation> {
    let spec = &object["spec"];
    let mut found = Vec::new();
    if let Some(seconds) = spec["leaseDurationSeconds"]
        .as_i64()
        .filter(|seconds| *seconds <= 0)
    {
        found.push(Violation::invalid(
            "spec.leaseDurationSeconds",
            &json!(seconds),
            "must be greater than 0",
        ));
    }
    if let Some(count) = spec["leaseTransitions"].as_i64().filter(|count| *count < 0) {
        found.push(Violation::invalid(
            "spec.leaseTransitions",
            &json!(count),
            "must be greater than or equal to 0",
        ));
    }
    found
}

/// Lists what is wrong with an Event in its older form.
pub(super) fn older_event(object: &Value) -> Vec<Violation> {
    let about = object["involvedObject"]["namespace"]
        .as_str()
        .unwrap_or_default();
    let home = object["metadata"]["namespace"].as_str().unwrap_or_default();
    // Events about objects without namespace are kept in the default one.
    if about == home || (about.is_empty() && home == "default") {
        return Vec::new();
    }
    let why = "does not match event.namespace";
    vec![Violation::invalid(
        "involvedObject.namespace",
        &json!(about),
        why,
    )]
}

/// Lists what is wrong with an Event; the real server names the fields of its older form.
pub(super) fn event(object: &Value) -> Vec<Violation> {
    const NAME: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
    let nothing = Value::from("");
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    let mut found = Vec::new();
    if text("reportingController").is_empty() {
        found.push(Violation::invalid(
            "reportingController",
            &nothing,
            "name part must be non-empty",
        ));
        found.push(Violation::invalid("reportingController", &nothing, NAME));
    }
    for field in [
        "reportingController",
        "reportingInstance",
        "action",
        "reason",
        "eventTime",
    ] {
        if text(field).is_empty() {
            found.push(Violation::required(field, ""));
        }
    }
    for (field, told, limit) in [
        ("reportingInstance", "reportingInstance", 128),
        ("action", "action", 128),
        ("reason", "reason", 128),
        ("note", "message", 1024),
    ] {
        if text(field).len() > limit {
            let why = format!("can have at most {limit} characters");
            found.push(Violation::invalid(told, &nothing, &why));
        }
    }
    if !["Normal", "Warning"].contains(&text("type")) {
        let why = format!("has invalid value: {}", text("type"));
        found.push(Violation::invalid("type", &nothing, &why));
    }
    found
}

/// Lists what is wrong with an Ingress.
pub(super) fn ingress(object: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, rule) in list(&object["spec"], "rules").iter().enumerate() {
        for (number, path) in list(&rule["http"], "paths").iter().enumerate() {
            let place = format!("spec.rules[{index}].http.paths[{number}]");
            if path["pathType"].as_str().is_none_or(str::is_empty) {
                found.push(Violation::required(
                    format!("{place}.pathType"),
                    "pathType must be specified",
                ));
            } else if !path["path"].as_str().unwrap_or_default().starts_with('/') {
                found.push(Violation::invalid(
                    format!("{place}.path"),
                    &path["path"],
                    "must be an absolute path",
                ));
            }
            if path["backend"]["service"].is_null() && path["backend"]["resource"].is_null() {
                let why = "resource or service backend is required";
                found.push(Violation::invalid(
                    format!("{place}.backend"),
                    &Value::from(""),
                    why,
                ));
            }
        }
    }
    found
}
