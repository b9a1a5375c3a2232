//! Steps beyond single objects: the kind itself, reading many, watching, built-in kinds,
//! propagation, and a namespace that goes away.

use serde_json::{Value, json};

use super::objects::{CONFIG_MAPS, SPECIMENS, config_map, of, specimen};
use super::step::{Content, Step};

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/{ns}/deployments";
const PODS: &str = "/api/v1/namespaces/{ns}/pods";
const CRD: &str =
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/specimens.world.flink-operator.test";

/// The CRD of the kind that the script works on.
fn crd() -> Value {
    let spec = json!({
        "type": "object",
        "required": ["image"],
        "properties": {
            "image": { "type": "string" },
            "count": { "type": "integer", "format": "int32", "minimum": 0, "maximum": 100 },
            "mode": { "type": "string", "enum": ["native", "standalone"], "default": "native" },
            "replicas": { "type": "integer", "format": "int32" },
            "free": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
            "config": { "type": "object", "additionalProperties": { "type": "string" } },
            "port": { "x-kubernetes-int-or-string": true },
            "parts": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": {
                    "type": "object",
                    "required": ["name"],
                    "properties": { "name": { "type": "string" }, "size": { "type": "integer" } },
                },
            },
        },
    });
    let status = json!({
        "type": "object",
        "properties": {
            "phase": { "type": "string" },
            "replicas": { "type": "integer", "format": "int32" },
            "selector": { "type": "string" },
            "operation": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
        },
    });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": "specimens.world.flink-operator.test" },
        "spec": {
            "group": "world.flink-operator.test",
            "scope": "Namespaced",
            "names": { "kind": "Specimen", "plural": "specimens", "singular": "specimen", "listKind": "SpecimenList" },
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": { "openAPIV3Schema": { "type": "object", "properties": { "spec": spec, "status": status } } },
                "subresources": {
                    "status": {},
                    "scale": { "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector" },
                },
            }],
        },
    })
}

/// The namespace and the kind that everything else needs.
pub(super) fn kind() -> Vec<Step> {
    let namespace =
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "{ns}" } });
    vec![
        Step::post("a namespace is created", "/api/v1/namespaces", namespace),
        Step::get("a kind without CRD leads nowhere", SPECIMENS),
        Step::patch(
            "a CRD is applied",
            &format!("{CRD}?fieldManager=script&force=true"),
            Content::Apply,
            crd(),
        )
        .only(&[
            "/metadata/name",
            "/spec/versions/0/schema",
            "/metadata/generation",
        ]),
        Step::get("a CRD is established", CRD).only(&["/spec/names/plural"]),
        // A kind that has just come into being refuses writes for a moment.
        Step::get("then its kind is served", SPECIMENS).until(200),
        Step::post(
            "and takes objects",
            &format!("{SPECIMENS}?dryRun=All"),
            specimen("first", &json!({ "image": "i" })),
        )
        .until(201)
        .only(&["/spec"]),
        Step::patch(
            "the same CRD again is no write",
            &format!("{CRD}?fieldManager=script&force=true"),
            Content::Apply,
            crd(),
        )
        .only(&["/metadata/generation"]),
    ]
}

fn letter(name: &str) -> Value {
    let mut object = config_map(name, "1");
    object["metadata"]["labels"] = json!({ "letter": name, "set": "letters" });
    object
}

/// Lists, selectors, pages, representations.
pub(super) fn reading() -> Vec<Step> {
    let select = |query: &str| format!("{CONFIG_MAPS}?{query}");
    let metadata_one = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    let metadata_many = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let mut steps: Vec<Step> = ["a", "b", "c", "d"]
        .iter()
        .map(|name| {
            Step::post("letters are created", CONFIG_MAPS, letter(name)).only(&["/metadata/name"])
        })
        .collect();
    steps.extend([
        Step::get("one object is read", &of(CONFIG_MAPS, "a")).save("letter"),
        Step::get("a missing object is not found", &of(CONFIG_MAPS, "missing")),
        Step::get("a missing custom object is not found", &of(SPECIMENS, "missing")),
        Step::get("a list is selected by label", &select("labelSelector=set%3Dletters%2Cletter%20in%20%28a%2Cb%29%2Cletter%21%3Db")),
        Step::get("by absence of a label", &select("labelSelector=set%3Dletters%2C%21nothing%2Cletter%20notin%20%28a%2Cb%2Cc%29")),
        Step::get("by name", &select("fieldSelector=metadata.name%3Dc")),
        Step::get("by nothing that is unknown", &select("fieldSelector=spec.nonsense%3Dc")),
        Step::get("nor malformed", &select("labelSelector=a%20like%20b")).coarsely(),
        Step::get("a first page", &select("labelSelector=set%3Dletters&limit=3")).save("page"),
        Step::delete("a change between the pages", &of(CONFIG_MAPS, "d"), Value::Null),
        Step::get("a second page shows the first page's time", &select("labelSelector=set%3Dletters&limit=3&continue={page/metadata/continue}")),
        Step::get("a list of another time", &select("labelSelector=set%3Dletters&resourceVersionMatch=Exact&resourceVersion={letter/metadata/resourceVersion}")),
        Step::get("a list of custom objects", SPECIMENS),
        Step::get("an empty list of leases", "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases?labelSelector=a%3Db"),
        Step::get("metadata of one", &of(CONFIG_MAPS, "a")).accept(metadata_one),
        Step::get("metadata of many", &select("labelSelector=letter%3Da")).accept(metadata_many),
    ]);
    steps
}

/// Watches that end by themselves.
pub(super) fn watching() -> Vec<Step> {
    let watch = |version: &str, rest: &str| {
        format!(
            "{CONFIG_MAPS}?watch=true&timeoutSeconds=1&labelSelector=set%3Dletters&resourceVersion={version}{rest}"
        )
    };
    let since = "{letter/metadata/resourceVersion}";
    vec![
        Step::patch("an object changes", &of(CONFIG_MAPS, "b"), Content::Merge, json!({ "data": { "key": "2" } })).only(&["/data"]),
        Step::patch("an object leaves the selection", &of(CONFIG_MAPS, "c"), Content::Merge, json!({ "metadata": { "labels": { "set": "others" } } })).only(&["/data"]),
        Step::patch("and comes back", &of(CONFIG_MAPS, "c"), Content::Merge, json!({ "metadata": { "labels": { "set": "letters" } } })).only(&["/data"]),
        Step::get("a watch tells all of it", &watch(since, "")),
        Step::get("a watch from nowhere begins with what is there", &watch("0", "")),
        Step::get("a streaming list ends with a mark", &watch("0", "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true")).only(&["/0", "/1", "/2", "/3/type", "/3/object/metadata/annotations"]),
        Step::get("initial events need a way to match", &watch("0", "&sendInitialEvents=true")),
        Step::get("a version is a number", &watch("nonsense", "")).coarsely(),
    ]
}

fn pod(name: &str, node: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name },
        "spec": { "nodeName": node, "containers": [{ "name": "main", "image": "flink:1.20" }] },
        "status": { "phase": "Running" },
    })
}

fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name },
        "spec": {
            "replicas": 0,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "main", "image": "flink:1.20", "ports": [{ "containerPort": 8081 }] }] },
            },
        },
    })
}

/// Built-in kinds and their rules.
pub(super) fn built_in() -> Vec<Step> {
    let changed = |pointer: &str, value: Value| {
        let mut object = deployment("wrong");
        *object
            .pointer_mut(pointer)
            .expect("a part of the deployment above") = value;
        object
    };
    let negative =
        json!([{ "name": "main", "image": "i", "resources": { "requests": { "cpu": "-1" } } }]);
    let image = "/spec/template/spec/containers/0";
    let account =
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "default" } });
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "rest" },
        "spec": { "clusterIP": "None", "selector": { "app": "a" }, "ports": [{ "name": "rest", "port": 8081 }] },
    });
    vec![
        // Pods are admitted only where their service account is; a controller may be quicker than the script.
        Step::post("a service account is created", "/api/v1/namespaces/{ns}/serviceaccounts", account).until(409).coarsely(),
        Step::post("a deployment gets defaults", DEPLOYMENTS, deployment("built")).save("built").only(&[
            "/metadata/generation", "/spec/replicas", "/spec/strategy", "/spec/progressDeadlineSeconds", "/spec/revisionHistoryLimit", image,
            "/spec/template/spec/restartPolicy", "/spec/template/spec/dnsPolicy", "/spec/template/spec/terminationGracePeriodSeconds",
        ]),
        Step::post("a selector fits the template", DEPLOYMENTS, changed("/spec/template/metadata/labels/app", "other".into())),
        Step::post("a deployment has containers", DEPLOYMENTS, changed("/spec/template/spec/containers", json!([]))),
        Step::post("amounts are not negative", DEPLOYMENTS, changed("/spec/template/spec/containers", negative)),
        Step::post("replicas are not negative", DEPLOYMENTS, changed("/spec/replicas", (-1).into())),
        Step::patch("a selector cannot be changed", &of(DEPLOYMENTS, "built"), Content::Merge, json!({ "spec": { "selector": { "matchLabels": { "app": "new" } }, "template": { "metadata": { "labels": { "app": "new" } } } } })),
        Step::patch("a deployment's spec counts as a generation", &of(DEPLOYMENTS, "built"), Content::Merge, json!({ "spec": { "paused": true } })).only(&["/metadata/generation"]),
        Step::patch("containers merge by name", &of(DEPLOYMENTS, "built"), Content::Strategic, json!({ "spec": { "template": { "spec": { "containers": [{ "name": "main", "image": "flink:2.0" }, { "name": "side", "image": "s:1" }] } } } })).only(&["/spec/template/spec/containers/0/name", "/spec/template/spec/containers/0/image", "/spec/template/spec/containers/1/name"]),
        Step::delete("another deployment is not deleted", &of(DEPLOYMENTS, "built"), json!({ "preconditions": { "uid": "11111111-2222-3333-4444-555555555555" } })),
        Step::post("a pod begins as pending", PODS, pod("scheduled", "nowhere")).only(&["/status/phase", "/metadata/generation", "/spec/restartPolicy"]),
        Step::delete("a pod on a node gets its time", &of(PODS, "scheduled"), Value::Null).only(&["/kind", "/metadata/name", "/metadata/deletionGracePeriodSeconds", "/metadata/generation"]),
        Step::delete("a pod can be deleted at once", &of(PODS, "scheduled"), json!({ "gracePeriodSeconds": 0 })).only(&["/kind", "/metadata/name", "/metadata/deletionGracePeriodSeconds"]),
        Step::get("then it is gone", &of(PODS, "scheduled")),
        Step::post("a pod waits for a node", PODS, pod("unscheduled", "")).only(&["/status/phase"]),
        Step::delete("a pod without node goes at once", &of(PODS, "unscheduled"), Value::Null).only(&["/kind", "/metadata/name"]),
        Step::get("and is gone", &of(PODS, "unscheduled")).until(404),
        Step::post("a service gets defaults", "/api/v1/namespaces/{ns}/services", service).only(&["/spec/clusterIP", "/spec/type", "/spec/sessionAffinity", "/spec/ports", "/status"]),
        Step::delete("a deleted service is shown", "/api/v1/namespaces/{ns}/services/rest", Value::Null).only(&["/kind", "/metadata/name"]),
        Step::delete("many are deleted by label", &format!("{CONFIG_MAPS}?labelSelector=set%3Dletters"), Value::Null).only(&["/kind", "/items/0/metadata/name"]),
        Step::get("none of them is left", &format!("{CONFIG_MAPS}?labelSelector=set%3Dletters")),
    ]
}

fn owned(name: &str, owner: &str, blocks: bool) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name, "ownerReferences": [{
            "apiVersion": "world.flink-operator.test/v1", "kind": "Specimen",
            "name": owner, "uid": format!("{{{owner}/metadata/uid}}"), "blockOwnerDeletion": blocks,
        }] },
    })
}

/// What a deletion does to what is owned.
pub(super) fn propagating() -> Vec<Step> {
    let mut steps = Vec::new();
    for (owner, child, policy) in [
        ("back", "back-child", "Background"),
        ("front", "front-child", "Foreground"),
        ("leaver", "leaver-child", "Orphan"),
    ] {
        steps.extend([
            Step::post(
                "an owner is created",
                SPECIMENS,
                specimen(owner, &json!({ "image": "i" })),
            )
            .save(owner)
            .only(&["/metadata/name"]),
            Step::post("and what it owns", CONFIG_MAPS, owned(child, owner, true))
                .only(&["/metadata/name", "/metadata/ownerReferences"]),
            Step::delete(
                "the owner is deleted",
                &of(SPECIMENS, owner),
                json!({ "propagationPolicy": policy }),
            )
            .only(&["/kind", "/metadata/finalizers"]),
            Step::get("and goes in the end", &of(SPECIMENS, owner)).until(404),
        ]);
    }
    steps.extend([
        Step::get(
            "a child follows in the background",
            &of(CONFIG_MAPS, "back-child"),
        )
        .until(404),
        Step::get("or goes before its owner", &of(CONFIG_MAPS, "front-child")),
        Step::get("or stays as an orphan", &of(CONFIG_MAPS, "leaver-child"))
            .only(&["/metadata/name", "/metadata/ownerReferences"]),
        Step::delete(
            "there are only three ways",
            &of(CONFIG_MAPS, "leaver-child"),
            json!({ "propagationPolicy": "Sideways" }),
        ),
    ]);
    steps
}

/// A namespace that goes away, and the CRD with it.
pub(super) fn leaving() -> Vec<Step> {
    let namespace = "/api/v1/namespaces/{ns}";
    let holds = json!({ "metadata": { "finalizers": ["world.flink-operator.test/hold"] } });
    vec![
        Step::patch(
            "an object holds the namespace",
            &of(SPECIMENS, "full"),
            Content::Merge,
            holds,
        )
        .only(&["/metadata/finalizers"]),
        Step::delete("a namespace is deleted", namespace, Value::Null).only(&[
            "/kind",
            "/status/phase",
            "/spec/finalizers",
        ]),
        Step::post(
            "nothing can be created in it",
            CONFIG_MAPS,
            config_map("late", "1"),
        ),
        Step::post(
            "not even custom objects",
            SPECIMENS,
            specimen("late", &json!({ "image": "i" })),
        ),
        Step::patch(
            "nor by applying",
            &format!("{CONFIG_MAPS}/later?fieldManager=one"),
            Content::Apply,
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "later" } }),
        ),
        Step::get("other objects go", &of(CONFIG_MAPS, "leaver-child")).until(404),
        Step::get("it stays as long as it is held", namespace).only(&["/status/phase"]),
        Step::patch(
            "what held it lets go",
            &of(SPECIMENS, "full"),
            Content::Merge,
            json!({ "metadata": { "finalizers": null } }),
        )
        .only(&["/metadata/name"]),
        Step::get("and the namespace goes", namespace).until(404),
        Step::delete("the CRD goes too", CRD, Value::Null).only(&["/metadata/name"]),
        Step::get("in the end", CRD).until(404),
        Step::get(
            "and its kind leads nowhere",
            "/apis/world.flink-operator.test/v1/specimens",
        )
        .until(404),
    ]
}
