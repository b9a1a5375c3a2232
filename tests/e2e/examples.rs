//! Every example of the repository does on real Flink what it says; `basic.yaml`, `flink-2.yaml` and `savepoint.yaml`
//! have tests of their own.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::json;

use crate::flink::pods;
use crate::leftovers;
use crate::operator::Operator;
use crate::resource::{SOON, condition};
use crate::scene::Scene;
use crate::stage::{play, repository};

#[test]
fn every_example_has_a_test() {
    let entries = std::fs::read_dir(repository().join("examples")).unwrap();
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().into_string().unwrap());
    let found: BTreeSet<String> = names.filter(|name| name != "README.md").collect();
    let tested = [
        "basic.yaml",
        "flink-2.yaml",
        "high-availability.yaml",
        "pod-template.yaml",
        "savepoint.yaml",
        "suspended.yaml",
    ];
    assert_eq!(found, tested.map(ToOwned::to_owned).into());
}

#[test]
fn an_example_is_created_suspended_and_started() {
    play("suspended", async |scene| {
        let operator = Operator::start(scene).await;
        let example = scene.example("suspended.yaml", |_| {}).await;
        let waits = "is told to be suspended";
        let status = example
            .until(SOON, waits, |resource| {
                condition(&resource["status"], "Progressing")["reason"] == "Suspended"
            })
            .await;
        assert_eq!(status["status"]["lifecycleState"], "CREATED");
        assert_eq!(leftovers::objects(scene).await, [""; 0]);

        example.edit(json!({ "job": { "state": "running" } })).await;
        example.stable().await;
        example.delete().await;
        example.gone().await;
        leftovers::none(scene).await;
        operator.stop().await;
    });
}

#[test]
fn an_example_shapes_its_pods() {
    play("pod-template", async |scene| {
        let operator = Operator::start(scene).await;
        let example = scene.example("pod-template.yaml", |_| {}).await;
        example.stable().await;
        for (component, role) in [("jobmanager", "coordinator"), ("taskmanager", "worker")] {
            let pods = pods(scene, &example.name, component).await;
            let metadata = &pods[0]["metadata"];
            assert_eq!(metadata["labels"]["team"], "streaming");
            assert_eq!(metadata["labels"]["role"], role);
            assert_eq!(
                metadata["annotations"]["example.com/contact"],
                "streaming@example.com"
            );
            let mounts = pods[0]["spec"]["containers"][0]["volumeMounts"]
                .as_array()
                .unwrap();
            assert!(
                mounts.iter().any(|mount| mount["mountPath"] == "/scratch"),
                "{mounts:#?}"
            );
        }
        example.delete().await;
        example.gone().await;
        leftovers::none(scene).await;
        operator.stop().await;
    });
}

#[test]
fn an_example_survives_its_job_manager() {
    play("high-availability", async |scene| {
        let operator = Operator::start(scene).await;
        let data = scene.folder.join("data");
        std::fs::create_dir_all(&data).unwrap();
        let example = scene.example("high-availability.yaml", |resource| {
            let path =
                &mut resource["spec"]["podTemplate"]["spec"]["volumes"][0]["hostPath"]["path"];
            assert!(path.is_string(), "the example keeps its data on the node");
            *path = json!(data);
        });
        let example = example.await;
        let before = example.stable().await;
        assert!(
            !ha_maps(scene).await.is_empty(),
            "Flink keeps its high-availability data in ConfigMaps"
        );

        example.delete().await;
        example.gone().await;
        leftovers::none(scene).await;
        assert_eq!(before["error"], json!(null));
        operator.stop().await;
    });
}

async fn ha_maps(scene: &Scene) -> Vec<String> {
    let maps = scene.list::<ConfigMap>().await;
    let names = maps
        .iter()
        .map(|map| map["metadata"]["name"].as_str().unwrap().to_owned());
    names.filter(|name| name.ends_with("-config-map")).collect()
}
