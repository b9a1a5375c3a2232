//! What must be equal, and where the order of things says nothing.

use operator_core::build::{self, Effective, memory};
use operator_core::config::{Configuration, MemorySize, legacy, nested, text};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

use super::case::{Case, DEPLOYMENT_UID, named, parse};

/// Options that hold a map whose order is arbitrary.
const MAPS: [&str; 2] = [
    "kubernetes.jobmanager.annotations",
    "kubernetes.jobmanager.owner.reference",
];

/// The annotations of this operator.
const OWN_ANNOTATIONS: [&str; 2] = ["flink.apache.org/attempt", "flink.apache.org/children"];

const PROGRAM_ARGS: &str = "$internal.application.program-args";

/// The resource gives the recorded configuration, pod templates and log files.
pub(crate) fn first_half(case: &Case) {
    let built = build::effective(
        &case.spec(),
        &case.meta(),
        &case.settings(),
        &case.submission(),
    )
    .unwrap();
    let recorded = case.recorded_input();
    equal_configs(&built.config, &recorded.config);
    let Effective {
        config: _,
        job_manager_template,
        task_manager_template,
        log_files,
        host_files,
    } = built;
    assert_eq!(
        job_manager_template, recorded.job_manager_template,
        "JobManager template"
    );
    assert_eq!(
        task_manager_template, recorded.task_manager_template,
        "TaskManager template"
    );
    assert_eq!(log_files, recorded.log_files);
    assert_eq!(host_files, recorded.host_files);
}

/// The recorded configuration and templates give the recorded objects.
pub(crate) fn second_half(case: &Case) {
    let input = case.recorded_input();
    if case.fails() {
        let error = build::render(&input).unwrap_err();
        assert_eq!(error.path(), failure(case), "{error}");
        return;
    }
    let children = build::render(&input).unwrap();
    assert_eq!(
        build::render(&input).unwrap(),
        children,
        "the same inputs give the same objects"
    );
    let mut objects: BTreeMap<String, Value> = children
        .with_owner(DEPLOYMENT_UID)
        .into_iter()
        .map(named)
        .collect();
    let (name, deployment) = named(children.deployment().clone());
    objects.insert(name, deployment);
    equal_sets(objects, case, &input.config);
}

/// The program gives the recorded objects for the resource, or fails as recorded.
pub(crate) fn command_line(case: &Case) {
    let done = case.rendered();
    let said = String::from_utf8(done.stderr).unwrap();
    if case.fails() {
        assert_eq!(done.status.code(), Some(1), "{said}");
        assert!(said.contains(failure(case)), "{said}");
        return;
    }
    assert_eq!(done.status.code(), Some(0), "{said}");
    let printed = String::from_utf8(done.stdout).unwrap();
    let mut objects: BTreeMap<String, Value> =
        printed.split("\n---\n").map(parse).map(named).collect();
    for object in objects.values_mut() {
        let metadata = object["metadata"].as_object_mut().unwrap();
        if let Some(annotations) = metadata.get_mut("annotations") {
            let annotations = annotations.as_object_mut().unwrap();
            // What is ours beside upstream's.
            annotations.retain(|name, _| !OWN_ANNOTATIONS.contains(&name.as_str()));
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
    equal_sets(objects, case, &case.recorded_input().config);
}

fn equal_sets(mut objects: BTreeMap<String, Value>, case: &Case, config: &Configuration) {
    let recorded = case.objects();
    assert_eq!(
        objects.keys().collect::<Vec<_>>(),
        recorded.keys().collect::<Vec<_>>(),
        "names of objects"
    );
    for (name, recorded) in recorded {
        let built = objects.remove(&name).unwrap();
        equal_objects(&name, built, recorded, case, config);
    }
}

/// Returns the field that an error has to name where the recorded submission failed.
fn failure(case: &Case) -> &'static str {
    match case.reason().split(' ').next().unwrap() {
        "High" => "spec.jobManager.replicas",
        "Overlapping" => "high-availability",
        other => panic!("a reason that is not known here: {other}"),
    }
}

/// The memory of both processes is divided as the scripts of the image divide it.
pub(crate) fn memory(case: &Case) {
    if case.fails() {
        return;
    }
    let recorded = case.info("process-memory.yaml");
    let config = case.recorded_input().config;
    let jm = memory::job_manager(&config).unwrap();
    let tm = memory::task_manager(&config).unwrap();
    let numbers = |pairs: &[(&str, MemorySize)]| {
        let pairs = pairs
            .iter()
            .map(|(name, size)| ((*name).to_owned(), json!(size.bytes())));
        pairs.collect::<Map<String, Value>>()
    };
    let job_manager = numbers(&[
        ("jvmHeap", jm.heap),
        ("jvmMetaspace", jm.metaspace),
        ("jvmOverhead", jm.overhead),
        ("offHeap", jm.off_heap),
        ("totalFlink", jm.flink),
        ("totalProcess", jm.process),
    ]);
    let task_manager = numbers(&[
        ("frameworkHeap", tm.framework_heap),
        ("frameworkOffHeap", tm.framework_off_heap),
        ("jvmMetaspace", tm.metaspace),
        ("jvmOverhead", tm.overhead),
        ("managed", tm.managed),
        ("network", tm.network),
        ("taskHeap", tm.task_heap),
        ("taskOffHeap", tm.task_off_heap),
        ("totalFlink", tm.flink),
        ("totalProcess", tm.process),
    ]);
    for (process, computed) in [("jobManager", job_manager), ("taskManager", task_manager)] {
        let mut recorded = recorded[process].as_object().unwrap().clone();
        recorded.retain(|_, value| value.is_u64());
        assert_eq!(computed, recorded, "{process}");
    }
}

fn equal_objects(name: &str, built: Value, recorded: Value, case: &Case, config: &Configuration) {
    match name.split_once(' ').unwrap() {
        ("Deployment", _) => {
            let ordered = |mut object: Value| {
                sort_unordered(&mut object, config);
                object
            };
            assert_eq!(ordered(built), ordered(recorded), "{name}");
        }
        ("ConfigMap", rest) if rest.starts_with("flink-config-") => {
            let (built_config, built) = take_config(built);
            let (_, recorded) = take_config(recorded);
            assert_eq!(built, recorded, "{name}");
            equal_as_read(&built_config, &case.info("flink-config.flat.yaml"), config);
        }
        ("ConfigMap", rest) if rest.starts_with("pod-template-") => {
            let file = "taskmanager-pod-template.yaml";
            let entry = |object: &Value| object["data"][file].as_str().unwrap().to_owned();
            // Ours has upstream's very form, though only the content matters.
            assert_eq!(entry(&built), entry(&recorded), "{name}");
            assert_eq!(parse(&entry(&built)), parse(&entry(&recorded)), "{name}");
            assert_eq!(built, recorded, "{name}");
        }
        _ => assert_eq!(built, recorded, "{name}"),
    }
}

/// Takes the configuration out of its ConfigMap, read as its file format is read.
fn take_config(mut object: Value) -> (Configuration, Value) {
    let data = object["data"].as_object_mut().unwrap();
    if let Some(flat) = data.remove(legacy::FILE_NAME) {
        return (legacy::read(flat.as_str().unwrap()), object);
    }
    let nested = data.remove(nested::FILE_NAME).unwrap();
    (nested::read(nested.as_str().unwrap()).unwrap(), object)
}

/// Compares a configuration with what the cluster's Flink version read from the recorded one.
fn equal_as_read(built: &Configuration, recorded: &Value, input: &Configuration) {
    let mut built = built.clone();
    let mut expected: Configuration = recorded
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned()))
        .collect();
    let is_flat = expected.text(PROGRAM_ARGS).is_none();
    for (key, value) in input.iter() {
        if value.contains('\n') && is_flat {
            // Upstream's flat file is damaged by a line break; ours is not.
            assert_eq!(
                built.remove(key).as_deref(),
                Some(value.replace('\n', " ").as_str())
            );
            expected.remove(key);
        }
    }
    // An empty list of arguments: absent from a flat file, `[]` in a nested one.
    let args = |config: &mut Configuration| {
        text::parse_list(&config.remove(PROGRAM_ARGS).unwrap_or_default()).unwrap()
    };
    assert_eq!(args(&mut built), args(&mut expected));
    equal_configs(&built, &expected);
}

/// Compares configurations; in maps the order says nothing.
fn equal_configs(built: &Configuration, recorded: &Configuration) {
    let comparable = |config: &Configuration| {
        let mut config = config.clone();
        for key in MAPS {
            if let Some(value) = config.remove(key) {
                let maps = text::parse_maps(&value).unwrap();
                config.set(key, text::print_maps(&maps));
            }
        }
        config
            .iter()
            .map(|(key, value)| format!("{key}: {value}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(comparable(built), comparable(recorded));
}

/// Sorts what Java takes from hash maps: variables of `containerized.master.env.*`, and volumes and
/// mounts of `kubernetes.secrets`.
fn sort_unordered(deployment: &mut Value, config: &Configuration) {
    let variables: Vec<String> = config
        .below("containerized.master.env.")
        .map(|(name, _)| name.to_owned())
        .collect();
    let secrets = config.text("kubernetes.secrets").unwrap_or_default();
    let volumes: Vec<String> = text::parse_pairs(secrets)
        .unwrap()
        .into_iter()
        .map(|(secret, _)| format!("{secret}-volume"))
        .collect();
    let pod = &mut deployment["spec"]["template"]["spec"];
    sort_among(&mut pod["volumes"], &volumes);
    for container in pod["containers"].as_array_mut().unwrap() {
        sort_among(&mut container["env"], &variables);
        sort_among(&mut container["volumeMounts"], &volumes);
    }
}

/// Sorts the entries with these names among themselves; the others stay where they are.
fn sort_among(list: &mut Value, names: &[String]) {
    let Some(items) = list.as_array_mut() else {
        return;
    };
    let is_one = |item: &Value| names.iter().any(|name| item["name"] == name.as_str());
    let mut sorted: Vec<Value> = items.iter().filter(|item| is_one(item)).cloned().collect();
    sorted.sort_by_key(|item| item["name"].as_str().map(str::to_owned));
    let mut sorted = sorted.into_iter();
    for item in items.iter_mut().filter(|item| is_one(item)) {
        *item = sorted.next().expect("as many were taken as are put back");
    }
}
