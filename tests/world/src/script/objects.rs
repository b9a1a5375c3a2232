//! Steps on single objects: creating, updating, patching, deleting.

use serde_json::{Value, json};

use super::step::{Content, Step};

pub(super) const SPECIMENS: &str = "/apis/world.flink-operator.test/v1/namespaces/{ns}/specimens";
pub(super) const CONFIG_MAPS: &str = "/api/v1/namespaces/{ns}/configmaps";
pub(super) const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases";

pub(super) fn specimen(name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "world.flink-operator.test/v1",
        "kind": "Specimen",
        "metadata": { "name": name },
        "spec": spec,
    })
}

pub(super) fn config_map(name: &str, value: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": { "key": value } })
}

fn lease(name: &str, holder: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": { "name": name }, "spec": { "holderIdentity": holder },
    })
}

/// Gives the path of an object.
pub(super) fn of(collection: &str, name: &str) -> String {
    format!("{collection}/{name}")
}

/// Creating, and what is refused.
#[expect(
    clippy::too_many_lines,
    reason = "a list that is read from top to bottom"
)]
pub(super) fn creating() -> Vec<Step> {
    let mut with_status = specimen("full", &json!({ "image": "i", "count": 1 }));
    with_status["status"] = json!({ "phase": "wishful" });
    let mut versioned = config_map("versioned", "1");
    versioned["metadata"]["resourceVersion"] = "1".into();
    let elsewhere = {
        let mut object = config_map("elsewhere", "1");
        object["metadata"]["namespace"] = "another".into();
        object
    };
    let generated =
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "generateName": "made-" } });
    let unowned = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "unowned", "ownerReferences": [{ "apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "" }] },
    });
    let labelled = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "labelled", "labels": { "app": "x".repeat(64) } },
    });
    vec![
        Step::post(
            "a config map is created",
            CONFIG_MAPS,
            config_map("plain", "1"),
        )
        .save("plain"),
        Step::post(
            "a name is taken once",
            CONFIG_MAPS,
            config_map("plain", "2"),
        ),
        Step::post("a name can be generated", CONFIG_MAPS, generated),
        Step::post("a version cannot be chosen", CONFIG_MAPS, versioned),
        Step::post("a namespace has to fit the path", CONFIG_MAPS, elsewhere),
        Step::post(
            "a name is needed",
            CONFIG_MAPS,
            json!({ "apiVersion": "v1", "kind": "ConfigMap" }),
        ),
        Step::post(
            "a name has letters in lower case",
            CONFIG_MAPS,
            config_map("Upper", "1"),
        ),
        Step::post(
            "a name is not endless",
            CONFIG_MAPS,
            config_map(&"x".repeat(300), "1"),
        ),
        Step::post("an owner has a uid", CONFIG_MAPS, unowned),
        Step::post("a label value is short", CONFIG_MAPS, labelled),
        Step::post(
            "a body is of its path's kind",
            CONFIG_MAPS,
            lease("plain", "me"),
        )
        .coarsely(),
        Step::post(
            "a custom object loses its status and unknown fields, and gets defaults",
            SPECIMENS,
            {
                with_status["spec"]["unknown"] = json!({ "deep": 1 });
                with_status
            },
        )
        .save("full"),
        Step::post(
            "a custom object is checked by its schema",
            SPECIMENS,
            specimen("wrong", &json!({ "mode": "x", "count": "two" })),
        ),
        Step::post(
            "a null counts as absent",
            &format!("{SPECIMENS}?dryRun=All"),
            specimen(
                "nulls",
                &json!({ "image": "i", "mode": null, "count": null, "config": { "a": null } }),
            ),
        )
        .only(&["/spec"]),
        Step::post(
            "what is of the wrong type is not of the allowed values either",
            SPECIMENS,
            specimen("wrong", &json!({ "image": "i", "mode": 5 })),
        ),
        Step::post(
            "a required field is required",
            SPECIMENS,
            specimen("wrong", &json!({ "image": "i", "parts": [{ "size": 1 }] })),
        ),
        Step::post(
            "a number has bounds",
            SPECIMENS,
            specimen("wrong", &json!({ "image": "i", "count": -1 })),
        ),
        Step::post(
            "a strict client is told of unknown fields",
            &format!("{SPECIMENS}?fieldValidation=Strict"),
            specimen(
                "wrong",
                &json!({ "image": "i", "typo": 1, "free": { "any": 1 } }),
            ),
        ),
        Step::post(
            "a custom object says what it is",
            SPECIMENS,
            json!({ "metadata": { "name": "wrong" } }),
        )
        .coarsely(),
        Step::post(
            "a dry run only answers",
            &format!("{CONFIG_MAPS}?dryRun=All"),
            config_map("dry", "1"),
        )
        .only(&["/metadata/name"]),
        Step::get("so that there is nothing then", &of(CONFIG_MAPS, "dry")),
        Step::post(
            "a namespace has to be there",
            "/api/v1/namespaces/world-nowhere/configmaps",
            config_map("plain", "1"),
        ),
        Step::get(
            "an unknown kind leads nowhere",
            "/apis/world.flink-operator.test/v1/namespaces/{ns}/things",
        ),
    ]
}

/// Replacing whole objects.
pub(super) fn updating() -> Vec<Step> {
    let plain = &of(CONFIG_MAPS, "plain");
    let full = &of(SPECIMENS, "full");
    vec![
        Step::put_changed(
            "a config map is replaced",
            plain,
            "plain",
            json!({ "data": { "key": "2" } }),
        )
        .save("second"),
        Step::put_changed(
            "a stale version is a conflict",
            plain,
            "plain",
            json!({ "data": { "key": "3" } }),
        ),
        Step::put_changed("no change is no write", plain, "second", json!({})),
        Step::put(
            "a config map needs no version",
            plain,
            config_map("plain", "4"),
        )
        .save("fourth"),
        Step::put_changed(
            "another uid is a conflict",
            plain,
            "fourth",
            json!({ "metadata": { "uid": "11111111-2222-3333-4444-555555555555" } }),
        ),
        Step::put(
            "a body has its path's name",
            plain,
            config_map("other", "1"),
        ),
        Step::put(
            "a missing config map is not found",
            &of(CONFIG_MAPS, "missing"),
            config_map("missing", "1"),
        ),
        Step::put(
            "a missing lease is created",
            &of(LEASES, "made"),
            lease("made", "me"),
        )
        .only(&["/metadata/name", "/spec"]),
        Step::put(
            "a lease needs a version",
            &of(LEASES, "made"),
            lease("made", "you"),
        ),
        Step::put(
            "a custom object needs a version",
            full,
            specimen("full", &json!({ "image": "other" })),
        ),
        Step::put_changed(
            "a spec change counts as a generation, and status stays out",
            full,
            "full",
            json!({ "spec": { "image": "other" }, "status": { "phase": "wishful" } }),
        )
        .save("full"),
        Step::put_changed(
            "an annotation does not count as a generation",
            full,
            "full",
            json!({ "metadata": { "annotations": { "a": "b" }, "generation": 77 } }),
        )
        .save("full"),
        Step::put_changed(
            "creation time and deletion marks cannot be set",
            full,
            "full",
            json!({ "metadata": { "creationTimestamp": "2001-01-01T00:00:00Z" } }),
        ),
    ]
}

/// Status and what a write of it may not change.
pub(super) fn status() -> Vec<Step> {
    let path = &format!("{SPECIMENS}/full/status");
    let change = json!({
        "status": { "phase": "Running", "unknown": 1, "operation": { "id": "1" } },
        "spec": { "image": "third" },
        "metadata": { "annotations": { "more": "x" }, "finalizers": ["world.flink-operator.test/x"] },
    });
    vec![
        Step::put_changed("a status write changes status alone", path, "full", change)
            .save("with-status"),
        Step::put_changed(
            "a stale status write is a conflict",
            path,
            "full",
            json!({ "status": { "phase": "Failed" } }),
        ),
        Step::put_changed(
            "the same status again is no write",
            path,
            "with-status",
            json!({}),
        ),
        Step::put(
            "a status write needs a version",
            path,
            specimen("full", &json!({ "image": "i" })),
        ),
        Step::patch(
            "status can be patched",
            path,
            Content::Merge,
            json!({ "status": { "phase": "Failed" }, "spec": { "image": "fourth" } }),
        ),
        Step::get("status can be read", path).only(&["/status", "/spec"]),
        Step::put_changed(
            "a status is checked by its schema",
            path,
            "with-status",
            json!({ "metadata": { "resourceVersion": null }, "status": { "phase": 5 } }),
        ),
        Step::put_changed(
            "a missing object has no status",
            &format!("{SPECIMENS}/missing/status"),
            "with-status",
            json!({ "metadata": { "name": "missing" } }),
        ),
        Step::get(
            "a config map has no status",
            &format!("{CONFIG_MAPS}/plain/status"),
        )
        .coarsely(),
        Step::get("scale shows replicas", &format!("{SPECIMENS}/full/scale")),
        Step::patch(
            "scale sets replicas",
            &format!("{SPECIMENS}/full/scale"),
            Content::Merge,
            json!({ "spec": { "replicas": 3 } }),
        ),
        Step::get("which counts as a generation", &of(SPECIMENS, "full")).save("full"),
    ]
}

/// Patches of all types.
pub(super) fn patching() -> Vec<Step> {
    let plain = &of(CONFIG_MAPS, "plain");
    let full = &of(SPECIMENS, "full");
    let operation =
        |op: &str, path: &str, value: &str| json!({ "op": op, "path": path, "value": value });
    vec![
        Step::patch("a merge patch sets and removes", plain, Content::Merge, json!({ "data": { "key": null, "other": "1" } })).save("merged"),
        Step::patch("the same again is no write", plain, Content::Merge, json!({ "data": { "other": "1" } })),
        Step::patch("a version in a patch guards it", plain, Content::Merge, json!({ "metadata": { "resourceVersion": "{fourth/metadata/resourceVersion}" }, "data": { "x": "y" } })),
        Step::patch("a uid in a patch guards it", plain, Content::Merge, json!({ "metadata": { "uid": "11111111-2222-3333-4444-555555555555" } })),
        Step::patch("operations are carried out", plain, Content::Operations, json!([operation("test", "/data/other", "1"), operation("replace", "/data/other", "2")])),
        Step::patch("a failed test refuses all", plain, Content::Operations, json!([operation("test", "/data/other", "1")])).coarsely(),
        Step::patch("a strategic patch of a config map", plain, Content::Strategic, json!({ "data": { "third": "3" } })),
        Step::patch("a custom object knows no strategic patch", full, Content::Strategic, json!({ "spec": {} })),
        Step::patch("what is missing cannot be patched", &of(SPECIMENS, "missing"), Content::Merge, json!({})),
        Step::patch("a patch cannot rename", full, Content::Merge, json!({ "metadata": { "name": "renamed" } })),
        Step::patch("a patch is pruned and checked", full, Content::Merge, json!({ "spec": { "unknown": 1, "mode": "z" } })),
        Step::patch("a strict patch is told of unknown fields", &format!("{full}?fieldValidation=Strict"), Content::Merge, json!({ "spec": { "unknown": 1 } })).coarsely(),
        Step::patch("a finalizer can be added", full, Content::Merge, json!({ "metadata": { "finalizers": ["world.flink-operator.test/hold"], "resourceVersion": "{full/metadata/resourceVersion}" } })).save("held"),
    ]
}

/// Deleting, with preconditions and finalizers.
pub(super) fn deleting() -> Vec<Step> {
    let plain = &of(CONFIG_MAPS, "plain");
    let full = &of(SPECIMENS, "full");
    let only = |field: &str, value: &str| json!({ "preconditions": { field: value } });
    let finalizers = |list: &[&str]| json!({ "metadata": { "finalizers": list } });
    vec![
        Step::delete(
            "another uid is not deleted",
            plain,
            only("uid", "11111111-2222-3333-4444-555555555555"),
        ),
        Step::delete(
            "another version is not deleted",
            plain,
            only("resourceVersion", "{fourth/metadata/resourceVersion}"),
        ),
        Step::delete(
            "another custom object is not deleted",
            full,
            only("uid", "11111111-2222-3333-4444-555555555555"),
        ),
        Step::delete(
            "a dry run deletes nothing",
            &format!("{plain}?dryRun=All"),
            Value::Null,
        )
        .only(&["/status"]),
        Step::delete(
            "the right uid is deleted",
            plain,
            only("uid", "{merged/metadata/uid}"),
        ),
        Step::delete("what is gone cannot be deleted", plain, Value::Null),
        Step::delete("a finalizer holds an object", full, Value::Null).save("leaving"),
        Step::delete("deleting it again changes nothing", full, Value::Null),
        Step::patch(
            "a finalizer cannot be added now",
            full,
            Content::Merge,
            finalizers(&[
                "world.flink-operator.test/hold",
                "world.flink-operator.test/more",
            ]),
        ),
        Step::patch(
            "but the spec can still be changed",
            full,
            Content::Merge,
            json!({ "spec": { "image": "late" } }),
        ),
        Step::put_changed(
            "and status too",
            &format!("{full}/status"),
            "leaving",
            json!({ "metadata": { "resourceVersion": "{leaving/metadata/resourceVersion}" }, "status": { "phase": "Gone" } }),
        ),
        Step::patch(
            "the last finalizer lets it go",
            full,
            Content::Merge,
            finalizers(&[]),
        ),
        Step::get("then it is gone", full),
        Step::post(
            "its name is free again",
            SPECIMENS,
            specimen("full", &json!({ "image": "i" })),
        ),
    ]
}
