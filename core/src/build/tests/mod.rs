//! What the objects say beyond the golden cases.

mod errors;
mod properties;

use serde_json::json;

use super::*;

fn spec(overrides: Value) -> FlinkDeploymentSpec {
    let mut spec = json!({
        "image": "flink:1.20",
        "flinkVersion": "v1_20",
        "serviceAccount": "flink",
        "jobManager": { "resource": { "cpu": 1, "memory": "2048m" } },
        "taskManager": { "resource": { "cpu": 1, "memory": "2048m" } },
        "job": { "jarURI": "local:///job.jar", "parallelism": 2 },
    });
    if let Value::Object(overrides) = overrides {
        for (key, value) in overrides {
            spec[&key] = value;
        }
    }
    serde_json::from_value(spec).unwrap()
}

fn meta() -> ClusterMeta {
    ClusterMeta {
        name: "demo".to_owned(),
        namespace: "ns".to_owned(),
        uid: "u-1".to_owned(),
        generation: 3,
    }
}

fn submission(restore: Restore) -> Submission {
    Submission {
        job_id: "a".repeat(32),
        result_store_id: "store".to_owned(),
        restore,
    }
}

fn settings(entries: &[(&str, &str)]) -> OperatorSettings {
    OperatorSettings::new(entries.iter().copied().collect(), HostFiles::default())
}

fn effective_of(overrides: Value) -> Result<Effective, BuildError> {
    effective(
        &spec(overrides),
        &meta(),
        &settings(&[]),
        &submission(Restore::Nothing),
    )
}

fn config_of(overrides: Value) -> Configuration {
    effective_of(overrides).unwrap().config
}

fn children_of(overrides: Value) -> Result<Children, BuildError> {
    render(&effective_of(overrides)?)
}

fn pod(children: &Children) -> &Value {
    &children.deployment()["spec"]["template"]["spec"]
}

fn main_of(children: &Children) -> &Value {
    pod(children)["containers"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
}

fn options(entries: Value) -> Value {
    let mut overrides = json!({});
    overrides["flinkConfiguration"] = entries;
    overrides
}

#[test]
fn restore_paths_replace_the_users_own() {
    let own = spec(options(json!({ "execution.savepoint.path": "s3://old" })));
    for (restore, path) in [
        (Restore::Nothing, None),
        (Restore::From("s3://new".to_owned()), Some("s3://new")),
        (Restore::LastState, Some("KUBERNETES_OPERATOR_LAST_STATE")),
    ] {
        let built = effective(&own, &meta(), &settings(&[]), &submission(restore)).unwrap();
        assert_eq!(built.config.text("execution.savepoint.path"), path);
    }
}

#[test]
fn a_job_id_of_the_user_stays() {
    let config = config_of(options(json!({ "$internal.pipeline.job-id": "mine" })));
    assert_eq!(config.text("$internal.pipeline.job-id"), Some("mine"));
}

#[test]
fn the_operators_options_do_not_reach_the_cluster() {
    let config = config_of(options(
        json!({ "kubernetes.operator.job.restart.failed": true, "job.autoscaler.enabled": true }),
    ));
    assert!(config.iter().all(|(key, _)| {
        !key.starts_with("kubernetes.operator.") && !key.starts_with("job.autoscaler.")
    }));
}

#[test]
fn replicas_of_task_managers_decide_the_parallelism() {
    let config = config_of(json!({
        "taskManager": { "replicas": 3, "resource": { "memory": "2g" } },
        "flinkConfiguration": { "taskmanager.numberOfTaskSlots": 4 },
    }));
    assert_eq!(config.text("parallelism.default"), Some("12"));
    assert_eq!(
        config.text("kubernetes.internal.taskmanager.replicas"),
        Some("3")
    );
}

#[test]
fn arguments_keep_their_separators() {
    let overrides = json!({ "job": {
        "jarURI": "local:///j.jar", "parallelism": 1, "entryClass": "a.B",
        "args": ["--k", "v;w", "it's", "x y"],
    } });
    let config = config_of(overrides.clone());
    assert_eq!(
        config.text("$internal.application.program-args"),
        Some("--k;'v;w';'it''s';x y")
    );
    assert_eq!(config.text("$internal.application.main"), Some("a.B"));
    let mut newer = overrides;
    newer["flinkVersion"] = json!("v2_0");
    let children = children_of(newer).unwrap();
    let file = children.dependents().last().unwrap()["data"]["config.yaml"]
        .as_str()
        .unwrap();
    let list = "program-args:\n    - '--k'\n    - v;w\n    - it's\n    - x y\n";
    assert!(file.contains(list), "{file}");
}

#[test]
fn requests_and_limits_become_options_and_template() {
    let config = config_of(json!({ "jobManager": { "resources": {
        "requests": { "cpu": "100m", "memory": "1Gi" },
        "limits": { "cpu": "300m", "memory": "2Gi", "ephemeral-storage": "5Gi" },
    } } }));
    assert_eq!(
        config.text("jobmanager.memory.process.size"),
        Some("1073741824")
    );
    assert_eq!(config.text("kubernetes.jobmanager.cpu.amount"), Some("0.1"));
    assert_eq!(
        config.text("kubernetes.jobmanager.cpu.limit-factor"),
        Some("2.9999999999999996")
    );
    let children = children_of(json!({ "jobManager": { "resources": {
        "requests": { "cpu": "100m", "memory": "1Gi" },
        "limits": { "cpu": "300m", "memory": "2Gi", "ephemeral-storage": "5Gi" },
    } } }))
    .unwrap();
    assert_eq!(
        main_of(&children)["resources"],
        json!({
            "requests": { "cpu": "0.1", "memory": "1024Mi" },
            "limits": { "cpu": "0.3", "memory": "2048Mi", "ephemeral-storage": "5Gi" },
        })
    );
}

#[test]
fn the_network_of_the_node_changes_ports_and_dns() {
    let children = children_of(options(json!({ "kubernetes.hostnetwork.enabled": true }))).unwrap();
    assert_eq!(pod(&children)["hostNetwork"], true);
    assert_eq!(pod(&children)["dnsPolicy"], "ClusterFirstWithHostNet");
    assert_eq!(main_of(&children)["ports"], Value::Null);
}

#[test]
fn ports_of_the_user_are_used_everywhere() {
    let children = children_of(options(json!({
        "rest.port": 9000, "rest.bind-port": 0, "jobmanager.rpc.port": 7000, "blob.server.port": 7001,
    })))
    .unwrap();
    let rest = &children.dependents()[1]["spec"]["ports"][0];
    assert_eq!(
        rest,
        &json!({ "name": "rest", "port": 9000, "targetPort": 8081 })
    );
    assert_eq!(children.dependents()[0]["spec"]["ports"][1]["port"], 7001);
    assert_eq!(main_of(&children)["ports"][1]["containerPort"], 7000);
}

#[test]
fn a_python_job_needs_no_jar() {
    let python = json!({ "job": {
        "entryClass": "org.apache.flink.client.python.PythonDriver",
        "args": ["-py", "/opt/job.py"], "parallelism": 1,
    } });
    assert!(children_of(python).is_ok());
    let error = children_of(json!({ "job": { "parallelism": 1 } })).unwrap_err();
    assert_eq!(error.path(), "spec.job.jarURI");
}

#[test]
fn with_high_availability_there_is_no_internal_service() {
    let high = json!({ "high-availability.type": "kubernetes", "high-availability.storageDir": "s3://ha" });
    let children = children_of(options(high.clone())).unwrap();
    let names: Vec<&str> = children
        .dependents()
        .iter()
        .map(|child| child["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["demo-rest", "flink-config-demo"]);
    let session = json!({ "job": null, "flinkConfiguration": high });
    let config = config_of(session);
    assert_eq!(config.text("job-result-store.storage-path"), None);
    assert_eq!(config.text("high-availability.cluster-id"), Some("demo"));
    for off in ["NONE", "standalone"] {
        let children = children_of(options(json!({ "high-availability.type": off }))).unwrap();
        assert_eq!(children.dependents().len(), 3);
    }
}

#[test]
fn the_configuration_comes_last_and_the_pod_template_before_it() {
    let children =
        children_of(json!({ "podTemplate": { "metadata": { "labels": { "a": "b" } } } }));
    let children = children.unwrap();
    let names: Vec<&str> = children
        .dependents()
        .iter()
        .map(|child| child["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "demo",
            "demo-rest",
            "pod-template-demo",
            "flink-config-demo"
        ]
    );
    assert!(
        children
            .with_owner("d-1")
            .iter()
            .all(|child| { child["metadata"]["ownerReferences"][0]["uid"] == "d-1" })
    );
}

#[test]
fn a_hadoop_configuration_is_mounted_from_the_operator_or_by_name() {
    let files = HostFiles {
        hadoop: BTreeMap::from([("core-site.xml".to_owned(), "<x/>".to_owned())]),
        ..HostFiles::default()
    };
    let with_files = OperatorSettings::new(Configuration::default(), files);
    let build = |overrides: Value| {
        let built = effective(
            &spec(overrides),
            &meta(),
            &with_files,
            &submission(Restore::Nothing),
        )
        .unwrap();
        render(&built).unwrap()
    };
    let own = build(json!({}));
    assert_eq!(own.dependents()[2]["data"]["core-site.xml"], "<x/>");
    let env = main_of(&own)["env"].as_array().unwrap().last().unwrap();
    assert_eq!(
        env,
        &json!({ "name": "HADOOP_CONF_DIR", "value": "/opt/hadoop/conf" })
    );
    let named = build(options(
        json!({ "kubernetes.hadoop.conf.config-map.name": "mine" }),
    ));
    assert_eq!(
        pod(&named)["volumes"][1]["configMap"],
        json!({ "name": "mine" })
    );
    assert_eq!(named.dependents().len(), 3);
    let off = build(options(
        json!({ "kubernetes.decorator.hadoop-conf-mount.enabled": false }),
    ));
    assert_eq!(off.dependents().len(), 3);
}

#[test]
fn log_files_are_the_resources_or_else_the_operators() {
    let files = HostFiles {
        logging: BTreeMap::from([("log4j-console.properties".to_owned(), "default".to_owned())]),
        ..HostFiles::default()
    };
    let with_files = OperatorSettings::new(Configuration::default(), files);
    let built = |overrides: Value| {
        effective(
            &spec(overrides),
            &meta(),
            &with_files,
            &submission(Restore::Nothing),
        )
        .unwrap()
    };
    assert_eq!(
        built(json!({})).log_files["log4j-console.properties"],
        "default"
    );
    let own = built(json!({ "logConfiguration": { "logback-console.xml": "own", "x.txt": "no" } }));
    let names: Vec<&String> = own.log_files.keys().collect();
    assert_eq!(names, ["logback-console.xml"]);
}

#[test]
fn what_may_surprise_is_said() {
    let children = children_of(json!({
        "flinkVersion": "v1_16", "image": null,
        "flinkConfiguration": { "high-availability.type": "kubernetes", "a": "b#c" },
    }))
    .unwrap();
    let [image, availability, cut] = children.warnings() else {
        panic!("{:?}", children.warnings());
    };
    assert!(image.starts_with("spec.image is not set"), "{image}");
    assert!(availability.starts_with("Flink v1_16 does not know high-availability.type"));
    assert_eq!(
        cut,
        "the value of a is cut at '#', which starts a comment in flink-conf.yaml"
    );
    assert!(children_of(json!({})).unwrap().warnings().is_empty());
}

#[test]
fn a_running_cluster_is_observed_with_its_deployed_spec_and_the_current_operator_options() {
    let deployed = spec(options(
        json!({ "rest.port": 1000, "state.savepoints.dir": "s3://a" }),
    ));
    let current = spec(options(json!({
        "rest.port": 2000, "state.savepoints.dir": "s3://b",
        "kubernetes.operator.job.restart.failed": "true",
    })));
    let config = observe_config(&deployed, &current, &meta(), &settings(&[])).unwrap();
    assert_eq!(config.text("rest.port"), Some("1000"));
    assert_eq!(config.text("state.savepoints.dir"), Some("s3://b"));
    assert_eq!(
        config.text("kubernetes.operator.job.restart.failed"),
        Some("true")
    );
}

#[test]
fn defaults_of_namespace_and_version_are_below_the_resource() {
    let with_defaults = settings(&[
        (
            "kubernetes.operator.default-configuration.namespace.ns.a",
            "namespace",
        ),
        (
            "kubernetes.operator.default-configuration.flink-version.v1_20.b",
            "version",
        ),
        ("b", "base"),
    ]);
    let own = spec(options(json!({ "a": "own" })));
    let config = resource_config(&own, "ns", &with_defaults);
    assert_eq!(
        (config.text("a"), config.text("b")),
        (Some("own"), Some("version"))
    );
}
