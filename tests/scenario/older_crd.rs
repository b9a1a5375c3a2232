//! An older CRD, as upstream installs it: fields that we need stored are dropped in silence.

use serde_json::{Value, json};

use crate::play::{NAME, NAMESPACE, application, our_crd, pass};
use crate::scene::{Scene, scene, scene_with};

/// Our CRD without the fields that upstream's does not have.
fn older_crd() -> Value {
    let mut crd = our_crd();
    for version in crd["spec"]["versions"].as_array_mut().unwrap() {
        let status =
            &mut version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"];
        for field in ["operation", "cluster", "lineage"] {
            assert!(
                status.as_object_mut().unwrap().remove(field).is_some(),
                "{field} is in our CRD"
            );
        }
    }
    crd
}

#[test]
fn nothing_is_deployed_on_an_older_crd_and_an_event_says_what_to_do() {
    scene_with(&older_crd(), async |scene| {
        scene.create(application());
        scene
            .until("told", |scene| !scene.events("CrdOutdated").is_empty())
            .await;
        scene
            .stays(600.0, "undeployed", |scene| scene.deployment().is_empty())
            .await;
        let told = scene.events("CrdOutdated");
        assert!(
            told.len() == 1 && told[0].contains("flink-operator crds apply"),
            "{told:?}"
        );
        scene.delete();
        scene
            .until("gone", |scene| scene.resource().is_null())
            .await;
        scene
    });
}

#[test]
fn a_new_crd_lets_the_operator_go_on() {
    scene_with(&older_crd(), async |scene| {
        scene.create(application());
        scene
            .until("told", |scene| !scene.events("CrdOutdated").is_empty())
            .await;
        scene.world.api.install_crd(&our_crd());
        scene.until_state("STABLE").await;
        scene
    });
}

#[test]
fn on_an_older_crd_a_running_job_is_observed_and_deleted_but_not_stopped_for_an_edit() {
    scene(async |scene: Scene| {
        scene.run(application()).await;
        pass(5.0).await;
        // What Java would find, and what is left of it after a write through its CRD.
        scene.world.api.install_crd(&older_crd());
        let deployment = scene.deployment();
        scene.edit(|spec| spec["restartNonce"] = json!(5));
        scene
            .until("told", |scene| !scene.events("CrdOutdated").is_empty())
            .await;
        scene
            .stays(300.0, "running", |scene| scene.deployment() == deployment)
            .await;
        assert!(
            scene
                .world
                .cluster
                .calls()
                .iter()
                .all(|call| call.method == "GET"),
            "nothing was asked of Flink but reads"
        );
        scene
            .world
            .cluster
            .fail_jobs(NAMESPACE, NAME, "out of luck");
        scene
            .until("observed", |scene| {
                scene.status()["jobStatus"]["state"] == "FAILED"
            })
            .await;
        scene.delete();
        scene
            .until("gone", |scene| scene.resource().is_null())
            .await;
        scene
    });
}
