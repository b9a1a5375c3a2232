//! Specs that no rule refuses, by their parts.

use std::collections::BTreeMap;

use operator_core::build::ClusterMeta;
use operator_core::config::{HostFiles, OperatorSettings};
use operator_core::name::{Key, Kind, ResourceVersion, Uid};
use operator_core::resource::Meta;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const NAME: &str = "demo";
const NAMESPACE: &str = "ns";

pub(crate) fn settings() -> OperatorSettings {
    OperatorSettings::new(
        std::iter::empty::<(&str, &str)>().collect(),
        HostFiles::default(),
    )
}

pub(crate) fn cluster() -> ClusterMeta {
    ClusterMeta {
        name: NAME.to_owned(),
        namespace: NAMESPACE.to_owned(),
        uid: "u-1".to_owned(),
        generation: 3,
    }
}

pub(crate) fn meta() -> Meta {
    Meta {
        key: Key {
            kind: Kind::FlinkDeployment,
            namespace: NAMESPACE.to_owned(),
            name: NAME.to_owned(),
        },
        uid: Uid::new("u-1"),
        resource_version: ResourceVersion::new("7"),
        generation: 3,
        deleted_at: None,
        finalizers: vec![],
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
    }
}

fn option_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[ -~]{0,12}".prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_u16..1000).prop_map(|n| Value::from(f64::from(n) / 100.0)),
        prop::collection::vec("[a-z;']{1,4}", 0..3).prop_map(Value::from),
        prop::collection::btree_map("[a-z]{1,3}", "[a-z]{0,3}", 1..3).prop_map(|map| json!(map)),
    ]
}

/// What upgrades, savepoints and standby JobManagers need, in either spelling.
fn state_options() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({
            "high-availability.type": "kubernetes",
            "high-availability.storageDir": "s3://ha",
            "execution.checkpointing.dir": "s3://c",
            "execution.checkpointing.savepoint-dir": "s3://s",
        })),
        Just(json!({
            "high-availability": { "type": "KUBERNETES", "storageDir": "s3://ha" },
            "state": { "checkpoints": { "dir": "s3://c" }, "savepoints": { "dir": "s3://s" } },
        })),
    ]
}

fn memory() -> impl Strategy<Value = String> {
    let unit = prop::sample::select(vec!["m", " mb", "Mi", "MB"]);
    (1024..8192_u32, unit).prop_map(|(amount, unit)| format!("{amount}{unit}"))
}

/// The sizes of a process in one of both forms.
fn sizes() -> impl Strategy<Value = Value> {
    let cpu = (1..80_u16).prop_map(|tenths| f64::from(tenths) / 10.0);
    let old = (memory(), cpu.clone(), any::<bool>()).prop_map(|(memory, cpu, storage)| {
        let storage = storage.then_some("2Gi");
        json!({ "resource": { "memory": memory, "cpu": cpu, "ephemeralStorage": storage } })
    });
    let new = (1024..8192_u32, cpu).prop_map(|(memory, cpu)| {
        let limit = format!("{}Mi", memory * 2);
        json!({ "resources": {
            "requests": { "memory": format!("{memory}Mi"), "cpu": cpu.to_string() },
            "limits": { "memory": limit, "cpu": cpu.to_string() },
        } })
    });
    prop_oneof![old, new]
}

/// A pod template with labels, environment and a second container, or none.
fn pod_template() -> impl Strategy<Value = Value> {
    let variables = prop::collection::btree_map("[A-Z]{1,5}", "[ -~]{0,8}", 0..4);
    let labels = prop::collection::btree_map("[a-z]{1,5}", "[a-z]{0,5}", 0..3);
    let some = (labels, variables, any::<bool>()).prop_map(|(labels, variables, sidecar)| {
        let env: Vec<Value> = variables
            .into_iter()
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect();
        let mut containers = vec![json!({ "name": "flink-main-container", "env": env })];
        if sidecar {
            containers.push(json!({ "name": "sidecar", "image": "busybox:1" }));
        }
        json!({ "metadata": { "labels": labels }, "spec": { "containers": containers } })
    });
    prop_oneof![Just(Value::Null), some]
}

fn job() -> impl Strategy<Value = Value> {
    let mode = prop::sample::select(vec!["stateless", "last-state", "savepoint"]);
    let args = prop::collection::vec("[ -~]{0,8}", 0..4);
    (1..100_i32, mode, args, any::<Option<bool>>()).prop_map(|(parallelism, mode, args, free)| {
        json!({
            "jarURI": "local:///j.jar", "parallelism": parallelism, "upgradeMode": mode, "args": args,
            "allowNonRestoredState": free,
        })
    })
}

prop_compose! {
    /// Any spec that is valid, as JSON.
    pub(crate) fn any_spec()(
        version in prop::sample::select(flink_operator_api::FlinkVersion::WORDS.to_vec()),
        state in state_options(),
        user in prop::collection::btree_map("user\\.[a-c]{1,4}", option_value(), 0..5),
        (job_manager, task_manager) in (sizes(), sizes()),
        (template, of_job_manager, of_task_manager) in (pod_template(), pod_template(), pod_template()),
        (job, session) in (job(), any::<bool>()),
        (masters, workers) in (1..3_i32, prop::option::of(1..9_i32)),
        logs in prop::option::of("[ -~\n]{0,20}"),
        restart in prop::option::of(any::<i32>()),
    ) -> Value {
        let mut options: Map<String, Value> = user.into_iter().collect();
        options.extend(state.as_object().unwrap().clone());
        let component = |mut sizes: Value, replicas: Value, template: Value| {
            sizes["replicas"] = replicas;
            sizes["podTemplate"] = template;
            sizes
        };
        json!({
            "image": "flink:1",
            "serviceAccount": "flink",
            "flinkVersion": version,
            "flinkConfiguration": options,
            "podTemplate": template,
            "jobManager": component(job_manager, masters.into(), of_job_manager),
            "taskManager": component(task_manager, workers.into(), of_task_manager),
            "logConfiguration": logs.map(|text| json!({ "log4j-console.properties": text })),
            "restartNonce": restart,
            "job": if session { Value::Null } else { job },
        })
    }
}
