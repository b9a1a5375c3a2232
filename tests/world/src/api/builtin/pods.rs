//! What pods and Deployments of them refuse.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::quantity::Quantity;
use crate::api::check;
use crate::api::violation::Violation;

pub(super) fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// Lists what is wrong with a Deployment.
pub(super) fn deployment(object: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    let spec = &object["spec"];
    if let Some(replicas) = spec["replicas"].as_i64().filter(|replicas| *replicas < 0) {
        found.push(Violation::invalid(
            "spec.replicas",
            &json!(replicas),
            "must be greater than or equal to 0",
        ));
    }
    let labels = &spec["template"]["metadata"]["labels"];
    let wanted = spec["selector"]["matchLabels"]
        .as_object()
        .filter(|wanted| !wanted.is_empty());
    match wanted {
        None if spec["selector"]["matchExpressions"].is_null() => {
            let why = "empty selector is invalid for deployment";
            found.push(Violation::invalid("spec.selector", &json!({}), why));
        }
        Some(wanted) if wanted.iter().any(|(name, value)| labels[name] != *value) => {
            let why = "`selector` does not match template `labels`";
            found.push(Violation::invalid(
                "spec.template.metadata.labels",
                labels,
                why,
            ));
        }
        None | Some(_) => {}
    }
    let pod_spec = &spec["template"]["spec"];
    found.extend(pod(pod_spec, "spec.template.spec"));
    if pod_spec["restartPolicy"] != "Always" {
        let field = "spec.template.spec.restartPolicy";
        found.push(Violation::unsupported(
            field,
            &pod_spec["restartPolicy"],
            &["Always".into()],
        ));
    }
    found
}

/// Lists what is wrong with the spec of a pod.
pub(super) fn pod(spec: &Value, path: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut volumes = BTreeSet::new();
    for (index, volume) in list(spec, "volumes").iter().enumerate() {
        let place = format!("{path}.volumes[{index}].name");
        name(&volume["name"], &place, &mut volumes, &mut found);
    }
    if list(spec, "containers").is_empty() {
        found.push(Violation::required(format!("{path}.containers"), ""));
    }
    let mut names = BTreeSet::new();
    for kind in ["initContainers", "containers"] {
        for (index, container) in list(spec, kind).iter().enumerate() {
            let place = format!("{path}.{kind}[{index}]");
            name(
                &container["name"],
                &format!("{place}.name"),
                &mut names,
                &mut found,
            );
            self::container(container, &place, &volumes, &mut found);
        }
    }
    found
}

/// Checks a name that has to be a label and may be given once.
fn name<'a>(
    value: &'a Value,
    place: &str,
    taken: &mut BTreeSet<&'a str>,
    found: &mut Vec<Violation>,
) {
    let text = value.as_str().unwrap_or_default();
    if text.is_empty() {
        found.push(Violation::required(place, ""));
    } else if !check::is_label(text) {
        found.push(Violation::invalid(place, value, check::LABEL));
    } else if !taken.insert(text) {
        found.push(Violation::duplicate(place, value));
    }
}

fn container(container: &Value, place: &str, volumes: &BTreeSet<&str>, found: &mut Vec<Violation>) {
    if container["image"].as_str().is_none_or(str::is_empty) {
        found.push(Violation::required(format!("{place}.image"), ""));
    }
    let policies = ["Always", "IfNotPresent", "Never"].map(Value::from);
    if !policies.contains(&container["imagePullPolicy"]) {
        let field = format!("{place}.imagePullPolicy");
        found.push(Violation::unsupported(
            field,
            &container["imagePullPolicy"],
            &policies,
        ));
    }
    for (index, port) in list(container, "ports").iter().enumerate() {
        let place = format!("{place}.ports[{index}].containerPort");
        match port["containerPort"].as_i64() {
            None | Some(0) => found.push(Violation::required(place, "")),
            Some(_) => number_of_port(&port["containerPort"], place, found),
        }
    }
    for kind in ["startupProbe", "livenessProbe", "readinessProbe"] {
        probe(&container[kind], &format!("{place}.{kind}"), found);
    }
    for (index, variable) in list(container, "env").iter().enumerate() {
        environment(variable, &format!("{place}.env[{index}]"), found);
    }
    for (index, mount) in list(container, "volumeMounts").iter().enumerate() {
        let place = format!("{place}.volumeMounts[{index}]");
        if !volumes.contains(mount["name"].as_str().unwrap_or_default()) {
            found.push(Violation::not_found(
                format!("{place}.name"),
                &mount["name"],
            ));
        }
        if mount["mountPath"].as_str().is_none_or(str::is_empty) {
            found.push(Violation::required(format!("{place}.mountPath"), ""));
        }
    }
    resources(
        &container["resources"],
        &format!("{place}.resources"),
        found,
    );
}

fn probe(probe: &Value, place: &str, found: &mut Vec<Violation>) {
    let Some(fields) = probe.as_object() else {
        return;
    };
    if !["exec", "grpc", "httpGet", "tcpSocket"]
        .iter()
        .any(|handler| fields.contains_key(*handler))
    {
        found.push(Violation::required(place, "must specify a handler type"));
    }
    number_of_port(
        &probe["httpGet"]["port"],
        format!("{place}.httpGet.port"),
        found,
    );
    for field in [
        "failureThreshold",
        "initialDelaySeconds",
        "periodSeconds",
        "successThreshold",
        "timeoutSeconds",
    ] {
        if probe[field].as_i64().is_some_and(|number| number < 0) {
            let why = "must be greater than or equal to 0";
            found.push(Violation::invalid(
                format!("{place}.{field}"),
                &probe[field],
                why,
            ));
        }
    }
}

fn environment(variable: &Value, place: &str, found: &mut Vec<Violation>) {
    let given = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    if !given(&variable["name"]) {
        found.push(Violation::required(format!("{place}.name"), ""));
    }
    let Some(source) = variable["valueFrom"].as_object() else {
        return;
    };
    if source.is_empty() {
        let why = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";
        found.push(Violation::invalid(
            format!("{place}.valueFrom"),
            &Value::from(""),
            why,
        ));
    }
    if let Some(field) = source.get("fieldRef") {
        let place = format!("{place}.valueFrom.fieldRef.fieldPath");
        let path = &field["fieldPath"];
        if !given(path) {
            found.push(Violation::required(place, ""));
        } else if field["apiVersion"] != "v1" {
            let version = field["apiVersion"].as_str().unwrap_or_default();
            let why = format!("error converting fieldPath: unsupported pod version: {version}");
            found.push(Violation::invalid(place, path, &why));
        } else if !path.as_str().is_some_and(is_pod_field) {
            let path_text = path.as_str().unwrap_or_default();
            let why = format!("error converting fieldPath: field label not supported: {path_text}");
            found.push(Violation::invalid(place, path, &why));
        }
    }
}

/// Tells whether a field of a pod can be given to its containers.
fn is_pod_field(path: &str) -> bool {
    const PATHS: &[&str] = &[
        "metadata.annotations",
        "metadata.labels",
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.serviceAccountName",
        "spec.schedulerName",
        "spec.hostNetwork",
        "status.phase",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    ];
    PATHS.contains(&path.split('[').next().unwrap_or_default())
}

/// Checks that a port is one.
pub(super) fn number_of_port(port: &Value, place: String, found: &mut Vec<Violation>) {
    if let Some(number) = port
        .as_i64()
        .filter(|number| !(1..=65_535).contains(number))
    {
        found.push(Violation::invalid(
            place,
            &json!(number),
            "must be between 1 and 65535, inclusive",
        ));
    }
}

fn resources(resources: &Value, place: &str, found: &mut Vec<Violation>) {
    let amount = |value: &Value| {
        value
            .as_str()
            .and_then(|text| text.parse::<Quantity>().ok())
    };
    for kind in ["limits", "requests"] {
        for (name, value) in resources[kind].as_object().into_iter().flatten() {
            if amount(value).is_some_and(|amount| amount.nano() < 0) {
                let field = format!("{place}.{kind}[{name}]");
                found.push(Violation::invalid(
                    field,
                    value,
                    "must be greater than or equal to 0",
                ));
            }
        }
    }
    for (name, limit) in resources["limits"].as_object().into_iter().flatten() {
        let request = &resources["requests"][name];
        if let (Some(request_amount), Some(limit_amount)) = (amount(request), amount(limit))
            && request_amount.nano() > limit_amount.nano()
        {
            let limit = limit.as_str().unwrap_or_default();
            let why = format!("must be less than or equal to {name} limit of {limit}");
            found.push(Violation::invalid(
                format!("{place}.requests"),
                request,
                &why,
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut object = json!({
            "metadata": { "name": "a" },
            "spec": {
                "selector": { "matchLabels": { "app": "a" } },
                "template": {
                    "metadata": { "labels": { "app": "a" } },
                    "spec": { "restartPolicy": "Always", "containers": [{ "name": "main", "image": "flink:1.20", "imagePullPolicy": "Always" }] }
                }
            }
        });
        change(&mut object);
        deployment(&object)
            .into_iter()
            .map(|violation| violation.field)
            .collect()
    }

    #[test]
    fn a_deployment_names_what_is_wrong_with_it() {
        assert_eq!(wrong(|_| {}), [""; 0]);
        let selector =
            wrong(|object| object["spec"]["template"]["metadata"]["labels"]["app"] = "b".into());
        assert_eq!(selector, ["spec.template.metadata.labels"]);
        let resources = json!({ "requests": { "cpu": "-1" } });
        let negative = wrong(|object| {
            object["spec"]["template"]["spec"]["containers"][0]["resources"] = resources;
        });
        assert_eq!(
            negative,
            ["spec.template.spec.containers[0].resources.requests[cpu]"]
        );
    }
}
