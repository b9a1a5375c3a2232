//! Steps on what built-in kinds require of their objects.

use serde_json::{Value, json};

use super::step::{Content, Step};

const CONFIG_MAPS: &str = "/api/v1/namespaces/{ns}/configmaps";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/{ns}/deployments";
const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/{ns}/events";
const INGRESSES: &str = "/apis/networking.k8s.io/v1/namespaces/{ns}/ingresses";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases";
const SERVICES: &str = "/api/v1/namespaces/{ns}/services";

fn deployment(change: impl FnOnce(&mut Value)) -> Value {
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "ruled" },
        "spec": {
            "replicas": 0,
            "selector": { "matchLabels": { "app": "ruled" } },
            "template": {
                "metadata": { "labels": { "app": "ruled" } },
                "spec": { "containers": [{ "name": "main", "image": "flink:1.20" }] },
            },
        },
    });
    change(&mut object["spec"]["template"]["spec"]);
    object
}

fn event(change: impl FnOnce(&mut Value)) -> Value {
    let mut object = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": { "name": "told" },
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "world.flink-operator.test/script", "reportingInstance": "script-1",
        "action": "Testing", "reason": "Told", "type": "Normal", "note": "something happened",
        "regarding": { "apiVersion": "v1", "kind": "ConfigMap", "name": "plain", "namespace": "{ns}" },
    });
    change(&mut object);
    object
}

fn lease(spec: &Value) -> Value {
    json!({ "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": "ruled" }, "spec": spec })
}

fn ingress(path: &Value) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": { "name": "ruled" },
        "spec": { "rules": [{ "host": "a.example.com", "http": { "paths": [path] } }] },
    })
}

/// Deployments and what is in their pods.
pub(super) fn workloads() -> Vec<Step> {
    let refused = |says, change: fn(&mut Value)| Step::post(says, DEPLOYMENTS, deployment(change));
    vec![
        refused("a container's name is a label", |pod| {
            pod["containers"][0]["name"] = "Main_1".into();
        }),
        refused("a container's name is given once", |pod| {
            pod["containers"] =
                json!([{ "name": "a", "image": "i" }, { "name": "a", "image": "i" }]);
        }),
        refused("a mounted volume is there", |pod| {
            pod["containers"][0]["volumeMounts"] =
                json!([{ "name": "missing", "mountPath": "/x" }]);
        }),
        refused("a volume's name is given once", |pod| {
            pod["volumes"] =
                json!([{ "name": "v", "emptyDir": {} }, { "name": "v", "emptyDir": {} }]);
        }),
        refused("a port is within its range", |pod| {
            pod["containers"][0]["ports"] = json!([{ "containerPort": 70000 }]);
        }),
        refused("a request is not above its limit", |pod| {
            pod["containers"][0]["resources"] =
                json!({ "requests": { "memory": "2Gi" }, "limits": { "memory": "1Gi" } });
        }),
        refused("a restart policy is Always", |pod| {
            pod["restartPolicy"] = "Never".into();
        }),
        refused("an amount is an amount", |pod| {
            pod["containers"][0]["resources"] = json!({ "requests": { "memory": "lots" } });
        })
        .coarsely(),
        refused("a number is a number", |pod| {
            pod["terminationGracePeriodSeconds"] = "soon".into();
        })
        .coarsely(),
        refused("a list is a list", |pod| {
            pod["containers"] = json!({ "name": "main" });
        })
        .coarsely(),
        Step::post(
            "unknown fields are dropped",
            &format!("{DEPLOYMENTS}?dryRun=All"),
            deployment(|pod| {
                pod["containers"][0]["imagePulPolicy"] = "Never".into();
                pod["nonsense"] = json!({ "a": 1 });
            }),
        )
        .only(&[
            "/spec/template/spec/nonsense",
            "/spec/template/spec/containers/0/imagePulPolicy",
            "/spec/template/spec/containers/0/imagePullPolicy",
        ]),
        Step::post(
            "a strict client is told of them",
            &format!("{DEPLOYMENTS}?fieldValidation=Strict"),
            deployment(|pod| {
                pod["nonsense"] = json!({ "a": 1 });
            }),
        ),
    ]
}

/// Events in their older form, which upstream writes.
pub(super) fn older_events() -> Vec<Step> {
    const EVENTS: &str = "/api/v1/namespaces/{ns}/events";
    let told = |says, name: &str, change: fn(&mut Value)| {
        let mut object = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": { "name": name },
            "involvedObject": { "apiVersion": "v1", "kind": "ConfigMap", "name": "plain", "namespace": "{ns}" },
            "type": "Normal", "reason": "Told", "message": "something happened", "count": 1,
            "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:00Z",
            "source": { "component": "Script" },
            "reportingComponent": "script", "reportingInstance": "script-1",
        });
        change(&mut object);
        Step::post(says, EVENTS, object)
    };
    let count = json!({ "count": 2, "lastTimestamp": "2026-01-01T00:01:00Z", "message": "again" });
    vec![
        told("an older event is told", "older", |_| {}),
        told("a second of its name is not", "older", |_| {}),
        Step::patch(
            "it can be counted",
            &format!("{EVENTS}/older"),
            Content::Merge,
            count,
        )
        .only(&["/count", "/message", "/lastTimestamp"]),
        told("an older event is where its object is", "away", |event| {
            event["involvedObject"]["namespace"] = "default".into();
        }),
        told("or in the default namespace", "nowhere", |event| {
            event["involvedObject"]["namespace"] = "".into();
        }),
        told("an older event may be short of words", "short", |event| {
            event["reason"] = "".into();
            event["message"] = "".into();
        })
        .only(&["/metadata/name"]),
        told("its message may be long", "long", |event| {
            event["message"] = "x".repeat(2000).into();
        })
        .only(&["/metadata/name"]),
        told("its times are times", "times", |event| {
            event["lastTimestamp"] = "yesterday".into();
        })
        .coarsely(),
        Step::get(
            "events are found by their object",
            &format!("{EVENTS}?fieldSelector=involvedObject.name%3Dplain%2Creason%3DTold&limit=1"),
        )
        .only(&["/items/0/involvedObject/name"]),
    ]
}

/// Everything else.
pub(super) fn others() -> Vec<Step> {
    let told = |says, change: fn(&mut Value)| Step::post(says, EVENTS, event(change));
    let backend = json!({ "service": { "name": "rest", "port": { "number": 8081 } } });
    let service = |ports: &Value, kind: &str| json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "ruled" }, "spec": { "type": kind, "ports": ports } });
    vec![
        Step::post("a value of a config map is text", CONFIG_MAPS, json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "ruled" }, "data": { "a": 1 } })).coarsely(),
        Step::post("a key of a config map has its letters", CONFIG_MAPS, json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "ruled" }, "data": { "a b": "1" } })),
        Step::post("an immutable config map", CONFIG_MAPS, json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "fixed" }, "immutable": true, "data": { "a": "1" } })).only(&["/immutable"]),
        Step::patch("stays as it is", &format!("{CONFIG_MAPS}/fixed"), Content::Merge, json!({ "data": { "a": "2" } })),
        Step::post("a lease lasts some time", LEASES, lease(&json!({ "holderIdentity": "me", "leaseDurationSeconds": 0 }))),
        Step::post("a lease's times have microseconds", LEASES, lease(&json!({ "renewTime": "2026-01-01T00:00:00Z" }))).coarsely(),
        Step::post("a lease is taken", LEASES, lease(&json!({ "holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z", "leaseTransitions": 0 }))).save("lease"),
        Step::put_changed("a lease is given back", &format!("{LEASES}/ruled"), "lease", json!({ "spec": { "holderIdentity": "", "leaseDurationSeconds": 1 } })),
        told("an event is told", |_| {}).only(&["/note", "/reason", "/regarding/name", "/type"]),
        told("an event's note is short", |event| event["note"] = "x".repeat(1025).into()),
        told("an event has a reason", |event| event["reason"] = "".into()),
        told("an event is normal or a warning", |event| event["type"] = "Error".into()),
        told("an event has an action", |event| event["action"] = "".into()),
        told("an event has a controller", |event| event["reportingController"] = "".into()),
        told("an event has a time", |event| event["eventTime"] = Value::Null),
        told("an event is where its object is", |event| event["regarding"]["namespace"] = "default".into()),
        Step::post("an ingress path has a type", INGRESSES, ingress(&json!({ "path": "/", "backend": backend }))),
        Step::post("an ingress path is absolute", INGRESSES, ingress(&json!({ "path": "x", "pathType": "Prefix", "backend": backend }))),
        Step::post("an ingress has a backend", INGRESSES, ingress(&json!({ "path": "/", "pathType": "Prefix", "backend": {} }))),
        Step::post("an ingress is created", INGRESSES, ingress(&json!({ "path": "/", "pathType": "Prefix", "backend": backend }))).only(&["/metadata/generation", "/spec", "/status"]),
        Step::post("a service has ports", SERVICES, service(&json!([]), "ClusterIP")),
        Step::post("ports of a service have names if they are many", SERVICES, service(&json!([{ "port": 1 }, { "port": 2 }]), "ClusterIP")),
        Step::post("a port is within its range", SERVICES, service(&json!([{ "port": 0 }]), "ClusterIP")),
        Step::post("a service has a type that exists", SERVICES, service(&json!([{ "port": 1 }]), "Sideways")),
    ]
}
