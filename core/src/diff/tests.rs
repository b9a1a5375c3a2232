//! Every row of the table of differences, and that a spec never differs from itself.

use KubernetesDeploymentMode::{Native, Standalone};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn spec(value: Value) -> FlinkDeploymentSpec {
    serde_json::from_value(value).unwrap()
}

fn kind(old: Value, new: Value, mode: KubernetesDeploymentMode) -> ChangeKind {
    diff(&spec(old), &spec(new), mode).kind
}

fn job(field: &str, value: Value) -> Value {
    let mut job = json!({ "parallelism": 1 });
    job[field] = value;
    json!({ "job": job })
}

#[test]
fn fields_of_the_job_ask_for_what_the_table_says() {
    use ChangeKind::{Ignore, SavepointRedeploy, Scale, Upgrade};
    for (field, old, new, native, standalone) in [
        (
            "upgradeMode",
            json!("stateless"),
            json!("savepoint"),
            Ignore,
            Ignore,
        ),
        (
            "allowNonRestoredState",
            json!(null),
            json!(true),
            Ignore,
            Ignore,
        ),
        (
            "initialSavepointPath",
            json!("a"),
            json!("b"),
            Ignore,
            Ignore,
        ),
        ("savepointTriggerNonce", json!(1), json!(2), Ignore, Ignore),
        ("checkpointTriggerNonce", json!(1), json!(2), Ignore, Ignore),
        ("autoscalerResetNonce", json!(1), json!(2), Ignore, Ignore),
        (
            "savepointRedeployNonce",
            json!(1),
            json!(2),
            SavepointRedeploy,
            SavepointRedeploy,
        ),
        (
            "savepointRedeployNonce",
            json!(1),
            json!(null),
            Ignore,
            Ignore,
        ),
        ("parallelism", json!(1), json!(2), Upgrade, Scale),
        ("jarURI", json!("a"), json!("b"), Upgrade, Upgrade),
        ("entryClass", json!("a"), json!(null), Upgrade, Upgrade),
        ("args", json!(["a"]), json!(["a", "b"]), Upgrade, Upgrade),
        ("args", json!(null), json!([]), Ignore, Ignore),
        (
            "state",
            json!("running"),
            json!("suspended"),
            Upgrade,
            Upgrade,
        ),
        ("state", json!(null), json!("running"), Ignore, Ignore),
    ] {
        let (old, new) = (job(field, old), job(field, new));
        assert_eq!(kind(old.clone(), new.clone(), Native), native, "{field}");
        assert_eq!(kind(old, new, Standalone), standalone, "{field}");
    }
}

#[test]
fn other_fields_ask_for_an_upgrade() {
    use ChangeKind::{Ignore, Scale, Upgrade};
    for (old, new, native, standalone) in [
        (
            json!({ "image": "a" }),
            json!({ "image": "b" }),
            Upgrade,
            Upgrade,
        ),
        (
            json!({ "imagePullPolicy": "Always" }),
            json!({}),
            Upgrade,
            Upgrade,
        ),
        (
            json!({ "serviceAccount": "a" }),
            json!({ "serviceAccount": "b" }),
            Upgrade,
            Upgrade,
        ),
        (
            json!({ "flinkVersion": "v1_19" }),
            json!({ "flinkVersion": "v1_20" }),
            Upgrade,
            Upgrade,
        ),
        (
            json!({}),
            json!({ "ingress": { "template": "x" } }),
            Upgrade,
            Upgrade,
        ),
        (
            json!({}),
            json!({ "logConfiguration": { "log4j-console.properties": "" } }),
            Upgrade,
            Upgrade,
        ),
        (json!({}), json!({ "mode": "native" }), Upgrade, Upgrade),
        (json!({}), json!({ "job": {} }), Upgrade, Upgrade),
        (
            json!({ "jobManager": {} }),
            json!({ "jobManager": { "replicas": 1 } }),
            Ignore,
            Ignore,
        ),
        (
            json!({ "jobManager": {} }),
            json!({ "jobManager": { "replicas": 2 } }),
            Upgrade,
            Upgrade,
        ),
        (
            json!({ "taskManager": {} }),
            json!({ "taskManager": { "replicas": 2 } }),
            Upgrade,
            Scale,
        ),
        (
            json!({}),
            json!({ "taskManager": { "replicas": 2 } }),
            Upgrade,
            Upgrade,
        ),
        (
            json!({ "taskManager": { "resource": { "memory": "1g" } } }),
            json!({ "taskManager": { "resource": { "memory": "2g" } } }),
            Upgrade,
            Upgrade,
        ),
        (json!({}), json!({ "restartNonce": 1 }), Upgrade, Upgrade),
        (json!({ "restartNonce": 1 }), json!({}), Ignore, Ignore),
    ] {
        assert_eq!(
            kind(old.clone(), new.clone(), Native),
            native,
            "{old} {new}"
        );
        assert_eq!(
            kind(old.clone(), new.clone(), Standalone),
            standalone,
            "{old} {new}"
        );
    }
}

#[test]
fn options_are_compared_flat_and_by_prefix() {
    use ChangeKind::{Ignore, Scale, Upgrade};
    let config = |value: Value| json!({ "flinkConfiguration": value });
    for (old, new, native, standalone) in [
        (
            json!({ "a.b": 1 }),
            json!({ "a": { "b": "1" } }),
            Ignore,
            Ignore,
        ),
        (json!(null), json!({}), Ignore, Ignore),
        (json!({}), json!({ "a": 1 }), Upgrade, Upgrade),
        (
            json!({}),
            json!({ "kubernetes.operator.reconcile.interval": "1s" }),
            Ignore,
            Ignore,
        ),
        (
            json!({ "job.autoscaler.enabled": true }),
            json!({}),
            Ignore,
            Ignore,
        ),
        (
            json!({}),
            json!({ "parallelism.default": 4 }),
            Ignore,
            Ignore,
        ),
        (
            json!({}),
            json!({ "pipeline.jobvertex-parallelism-overrides": "a:1" }),
            Scale,
            Upgrade,
        ),
    ] {
        let (old, new) = (config(old), config(new));
        assert_eq!(
            kind(old.clone(), new.clone(), Native),
            native,
            "{old} {new}"
        );
        assert_eq!(
            kind(old.clone(), new.clone(), Standalone),
            standalone,
            "{old} {new}"
        );
    }
}

#[test]
fn templates_are_compared_by_meaning() {
    let template = |value: Value| json!({ "podTemplate": value });
    let container = |cpu: Value| json!({ "spec": { "containers": [{ "name": "c", "resources": { "limits": { "cpu": cpu } } }] } });
    for (old, new) in [
        (
            json!({ "apiVersion": "v1", "kind": "Pod", "spec": {} }),
            json!({ "spec": {} }),
        ),
        (
            json!({ "metadata": { "labels": {} }, "spec": null }),
            json!({ "metadata": {} }),
        ),
        (container(json!(1)), container(json!("1000m"))),
    ] {
        assert_eq!(
            kind(template(old), template(new), Native),
            ChangeKind::Ignore
        );
    }
    let changed = kind(
        template(container(json!(1))),
        template(container(json!(2))),
        Native,
    );
    assert_eq!(changed, ChangeKind::Upgrade);
}

#[test]
fn the_summary_has_upstreams_form_and_no_secrets() {
    let old = json!({
        "image": "flink:1.19",
        "flinkConfiguration": { "s3.secret-key": "hush" },
        "job": { "parallelism": 1, "state": "running", "upgradeMode": "last-state" },
    });
    let new = json!({
        "image": "flink:1.20",
        "flinkConfiguration": { "s3.secret-key": "hush2", "a": 5 },
        "podTemplate": { "spec": { "containers": [
            { "name": "c", "env": [{ "name": "DB_PASSWORD", "value": "hush3" }] }] } },
        "job": { "parallelism": 2, "state": "suspended", "upgradeMode": "stateless" },
    });
    let message = diff(&spec(old), &spec(new), Native).summary();
    assert!(!message.contains("hush"), "{message}");
    for part in [
        "UPGRADE change(s) detected (Diff: FlinkDeploymentSpec[flinkConfiguration.a : null -> 5, ",
        "flinkConfiguration.s3.secret-key : ****** -> ******",
        "image : flink:1.19 -> flink:1.20",
        "job.parallelism : 1 -> 2",
        "job.state : RUNNING -> SUSPENDED",
        "job.upgradeMode : LAST_STATE -> STATELESS",
        "])",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
}

#[test]
fn an_ignored_change_is_still_a_change() {
    let changed = diff(
        &spec(job("upgradeMode", json!("savepoint"))),
        &spec(job("args", json!([]))),
        Native,
    );
    assert_eq!(changed.kind, ChangeKind::Ignore);
    assert!(!changed.is_empty());
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z0-9 ]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z.]{1,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_spec_never_differs_from_itself(
        config in prop::collection::btree_map("[a-z.]{1,8}", json_value(), 0..6),
        template in prop::collection::btree_map("metadata|spec|kind", json_value(), 0..3),
        parallelism in any::<i32>(), cpu in 0.0..64.0_f64,
    ) {
        let spec = spec(json!({
            "flinkConfiguration": config,
            "podTemplate": template,
            "job": { "parallelism": parallelism },
            "taskManager": { "resource": { "cpu": cpu } },
        }));
        for mode in [Native, Standalone] {
            let unchanged = diff(&spec, &spec, mode);
            prop_assert!(unchanged.is_empty(), "{unchanged:?}");
            let text = serde_json::to_string(&spec).unwrap();
            let stored: FlinkDeploymentSpec = serde_json::from_str(&text).unwrap();
            prop_assert!(diff(&stored, &spec, mode).is_empty());
        }
    }
}
