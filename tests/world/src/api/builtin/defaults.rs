//! What the real server fills in, as far as the operator meets it.

use serde_json::{Map, Value, json};

use crate::api::kinds::Kind;

/// Fills in defaults.
pub(crate) fn complete(kind: &Kind, object: &mut Value) {
    match (kind.group, kind.kind) {
        ("apps", "Deployment") => {
            let spec = part(object, "spec");
            default(spec, "replicas", || json!(1));
            default(spec, "revisionHistoryLimit", || json!(10));
            default(spec, "progressDeadlineSeconds", || json!(600));
            default(
                spec,
                "strategy",
                || json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": "25%", "maxUnavailable": "25%" } }),
            );
            if let Some(template) = spec.get_mut("template").and_then(Value::as_object_mut) {
                complete_metadata(template);
                complete_pod_spec(part_of(template, "spec"));
            }
            part(object, "status");
        }
        ("", "Pod") => {
            complete_pod_spec(part(object, "spec"));
            let status = part(object, "status");
            default(status, "phase", || json!("Pending"));
            default(status, "qosClass", || json!("BestEffort"));
        }
        ("", "Service") => {
            let spec = part(object, "spec");
            default(spec, "type", || json!("ClusterIP"));
            default(spec, "sessionAffinity", || json!("None"));
            default(spec, "internalTrafficPolicy", || json!("Cluster"));
            if ["NodePort", "LoadBalancer"].contains(&spec["type"].as_str().unwrap_or_default()) {
                default(spec, "externalTrafficPolicy", || json!("Cluster"));
            }
            for port in items(spec, "ports") {
                let number = port.get("port").cloned().unwrap_or_default();
                default(port, "protocol", || json!("TCP"));
                default(port, "targetPort", || number);
            }
            default(part(object, "status"), "loadBalancer", || json!({}));
        }
        ("", "Namespace") => {
            let name = object["metadata"]["name"].clone();
            let deleting = object["metadata"]["deletionTimestamp"].is_string();
            default(part(object, "status"), "phase", || json!("Active"));
            if !deleting {
                default(part(object, "spec"), "finalizers", || json!(["kubernetes"]));
            }
            let metadata = part(object, "metadata");
            part_of(metadata, "labels").insert("kubernetes.io/metadata.name".into(), name);
        }
        ("", "Secret") => {
            let fields = object
                .as_object_mut()
                .expect("stored objects are JSON objects");
            default(fields, "type", || json!("Opaque"));
        }
        ("networking.k8s.io", "Ingress") => {
            default(part(object, "status"), "loadBalancer", || json!({}));
        }
        _ => {}
    }
}

fn part<'a>(object: &'a mut Value, field: &str) -> &'a mut Map<String, Value> {
    part_of(
        object
            .as_object_mut()
            .expect("stored objects are JSON objects"),
        field,
    )
}

/// Gives a map inside a map for writing; what is there and is no map gives way.
fn part_of<'a>(fields: &'a mut Map<String, Value>, field: &str) -> &'a mut Map<String, Value> {
    let value = fields.entry(field).or_insert_with(|| json!({}));
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("made a map just above")
}

fn default(fields: &mut Map<String, Value>, field: &str, value: impl FnOnce() -> Value) {
    // Typed objects do not tell an empty text from none.
    if fields
        .get(field)
        .is_none_or(|value| value.is_null() || *value == "")
    {
        fields.insert(field.to_owned(), value());
    }
}

fn items<'a>(
    fields: &'a mut Map<String, Value>,
    field: &str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    let listed = fields.get_mut(field).and_then(Value::as_array_mut);
    listed
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
}

fn complete_metadata(template: &mut Map<String, Value>) {
    let metadata = part_of(template, "metadata");
    metadata.retain(|_, value| !value.is_null());
}

fn complete_pod_spec(spec: &mut Map<String, Value>) {
    default(spec, "restartPolicy", || json!("Always"));
    default(spec, "dnsPolicy", || json!("ClusterFirst"));
    default(spec, "schedulerName", || json!("default-scheduler"));
    default(spec, "securityContext", || json!({}));
    default(spec, "terminationGracePeriodSeconds", || json!(30));
    // The older of two names of one field; the newer wins.
    if let Some(account) = spec.get("serviceAccount").cloned() {
        default(spec, "serviceAccountName", || account);
    }
    if let Some(account) = spec.get("serviceAccountName").cloned() {
        spec.insert("serviceAccount".into(), account);
    }
    for volume in items(spec, "volumes") {
        if volume
            .iter()
            .all(|(field, source)| field == "name" || source.is_null())
        {
            volume.insert("emptyDir".into(), json!({}));
        }
        for source in ["configMap", "secret"] {
            if let Some(source) = volume.get_mut(source).and_then(Value::as_object_mut) {
                default(source, "defaultMode", || json!(420));
            }
        }
    }
    for list in ["containers", "initContainers"] {
        for container in items(spec, list) {
            complete_container(container);
        }
    }
}

fn complete_container(container: &mut Map<String, Value>) {
    let image = container
        .get("image")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let floating = image.ends_with(":latest")
        || !image
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .contains([':', '@']);
    default(container, "imagePullPolicy", || {
        json!(if floating { "Always" } else { "IfNotPresent" })
    });
    default(container, "resources", || json!({}));
    default(container, "terminationMessagePath", || {
        json!("/dev/termination-log")
    });
    default(container, "terminationMessagePolicy", || json!("File"));
    for port in items(container, "ports") {
        default(port, "protocol", || json!("TCP"));
    }
    for variable in items(container, "env") {
        if let Some(source) = variable
            .get_mut("valueFrom")
            .and_then(|from| from.get_mut("fieldRef"))
            && let Some(source) = source.as_object_mut()
        {
            default(source, "apiVersion", || json!("v1"));
        }
    }
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let Some(probe) = container.get_mut(probe).and_then(Value::as_object_mut) else {
            continue;
        };
        for (field, value) in [
            ("failureThreshold", 3),
            ("periodSeconds", 10),
            ("successThreshold", 1),
            ("timeoutSeconds", 1),
        ] {
            default(probe, field, || json!(value));
        }
        if let Some(get) = probe.get_mut("httpGet").and_then(Value::as_object_mut) {
            default(get, "scheme", || json!("HTTP"));
            default(get, "path", || json!("/"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment() -> Value {
        json!({
            "metadata": { "name": "a" },
            "spec": {
                "selector": { "matchLabels": { "app": "a" } },
                "template": {
                    "metadata": { "labels": { "app": "a" } },
                    "spec": { "containers": [{ "name": "main", "image": "flink:1.20" }] }
                }
            }
        })
    }

    #[test]
    fn a_deployment_gets_its_defaults() {
        let mut object = deployment();
        complete(
            Kind::find("Deployment").expect("deployments are known"),
            &mut object,
        );
        assert_eq!(object["spec"]["replicas"], 1);
        let pod = &object["spec"]["template"]["spec"];
        assert_eq!(pod["restartPolicy"], "Always");
        assert_eq!(pod["containers"][0]["imagePullPolicy"], "IfNotPresent");
    }
}
