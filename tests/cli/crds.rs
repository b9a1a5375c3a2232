//! `flink-operator crds`.

use std::fs;

use serde_json::Value;

use crate::command::{finish, program, root, run};

#[test]
fn the_printed_definitions_are_the_charts() {
    let printed = run(&["crds"]).quietly();
    let folder = root().join("helm/flink-kubernetes-operator/crds");
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    let committed: Vec<Value> = names
        .iter()
        .map(|path| serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap())
        .collect();
    let mut printed: Vec<Value> = serde_saphyr::from_multiple(&printed).unwrap();
    printed.sort_by_key(|crd| crd["metadata"]["name"].to_string());
    assert_eq!(printed, committed);
}

#[test]
fn the_rules_can_be_left_out() {
    let with = run(&["crds"]).quietly();
    let without = run(&["crds", "--without-rules"]).quietly();
    assert!(with.contains("x-kubernetes-validations"));
    assert!(!without.contains("x-kubernetes-validations"));
    let (with, without): (Vec<Value>, Vec<Value>) = (
        serde_saphyr::from_multiple(&with).unwrap(),
        serde_saphyr::from_multiple(&without).unwrap(),
    );
    let names = |crds: &[Value]| {
        crds.iter()
            .map(|crd| crd["metadata"]["name"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&with), names(&without));
}

#[test]
fn without_a_way_to_a_cluster_apply_says_what_to_set() {
    let done = finish(
        program()
            .args(["crds", "apply"])
            .env("HOME", "/nonexistent"),
    );
    let error = done.failed();
    assert!(error.contains("set KUBECONFIG"), "{error}");
    let error = run(&["crds", "apply", "--kubeconfig", "/no/such"]).failed();
    assert!(error.contains("kubeconfig /no/such"), "{error}");
}
