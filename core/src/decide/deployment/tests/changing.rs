//! Edits.

use super::scene::{Scene, done, labels, lifecycle, reason, typed};
use crate::effect::{Deletion, Effect};
use flink_operator_api::{OperationKind, ResourceLifecycleState};
use serde_json::json;

fn edited() -> Scene {
    Scene::running().edit(|spec| spec["job"]["parallelism"] = json!(4))
}

#[test]
fn a_stateless_edit_cancels_the_job_first() {
    let decision = edited().act(2);
    assert_eq!(labels(&decision), ["cancel"]);
    let operation = typed(&decision.status).operation.clone().unwrap();
    assert_eq!(operation.kind, OperationKind::End);
    assert!(
        decision
            .notices
            .iter()
            .any(|notice| notice.reason == "SpecChanged")
    );
}

#[test]
fn the_cluster_is_deleted_once_the_job_has_ended() {
    let mut scene = edited();
    let cancel = scene.act(2);
    scene.store(&cancel, &done(&cancel));
    assert_eq!(scene.clone().with_job("CANCELLING").act(3).effects, []);
    let decision = scene.with_job("CANCELED").act(3);
    assert!(matches!(
        &decision.effects[..],
        [Effect::DeleteDeployment {
            because: Deletion::Ended,
            ..
        }]
    ));
}

#[test]
fn the_new_cluster_starts_only_after_everything_of_the_old_one_is_gone() {
    let mut scene = edited();
    let cancel = scene.act(2);
    scene.store(&cancel, &done(&cancel));
    let data = scene
        .clone()
        .without_cluster()
        .with_ha("basic-cluster-config-map", &["x"])
        .act(3);
    assert_eq!(labels(&data), ["delete-ha-map"]);
    let start = scene.without_cluster().act(3);
    assert_eq!(labels(&start)[0], "create-deployment");
    assert_eq!(typed(&start.status).observed_generation, Some(2));
}

#[test]
fn a_suspend_ends_the_cluster_and_leaves_nothing() {
    let mut scene = Scene::running().edit(|spec| spec["job"]["state"] = json!("suspended"));
    let cancel = scene.act(2);
    scene.store(&cancel, &done(&cancel));
    let decision = scene.clone().without_cluster().act(3);
    assert_eq!(
        (labels(&decision), lifecycle(&decision)),
        (vec![], ResourceLifecycleState::Suspended)
    );
    scene = scene.without_cluster().settled();
    let resumed = scene
        .edit(|spec| spec["job"]["state"] = json!("running"))
        .act(4);
    assert_eq!(labels(&resumed)[0], "create-deployment");
}

#[test]
fn an_ignorable_edit_moves_the_generation_and_nothing_else() {
    let decision = Scene::running()
        .edit(|spec| {
            spec["flinkConfiguration"] = json!({ "kubernetes.operator.reconcile.interval": "1 m" });
        })
        .act(2);
    assert_eq!(decision.effects, []);
    assert_eq!(typed(&decision.status).observed_generation, Some(2));
    assert_eq!(lifecycle(&decision), ResourceLifecycleState::Stable);
}

#[test]
fn an_edit_that_asks_for_the_last_state_waits_while_the_job_runs_on() {
    let scene = Scene::running().edit(|spec| {
        spec["job"]["upgradeMode"] = json!("last-state");
        spec["job"]["parallelism"] = json!(4);
        spec["flinkConfiguration"] =
            json!({ "state.checkpoints.dir": "s3://a", "state.savepoints.dir": "s3://b" });
    });
    let decision = scene.act(2);
    assert_eq!(decision.effects, []);
    assert_eq!(
        reason(&decision, "Progressing"),
        "StatefulUpgradeNotAvailable"
    );
    assert_eq!(lifecycle(&decision), ResourceLifecycleState::Stable);
    assert_eq!(decision.notices.len(), 1);
    assert_eq!(scene.settled().act(3).notices, [], "said once");
}

#[test]
fn an_invalid_edit_is_reported_and_disturbs_nothing() {
    let scene = Scene::running().edit(|spec| spec["job"]["parallelism"] = json!(0));
    let decision = scene.act(2);
    assert_eq!(
        (labels(&decision), lifecycle(&decision)),
        (vec![], ResourceLifecycleState::Stable)
    );
    assert!(
        typed(&decision.status)
            .error
            .as_ref()
            .unwrap()
            .contains("spec.job.parallelism")
    );
    assert_eq!(typed(&decision.status).observed_generation, Some(1));
    let corrected = scene
        .settled()
        .edit(|spec| spec["job"]["parallelism"] = json!(2))
        .act(3);
    assert_eq!(typed(&corrected.status).error, None);
}

#[test]
fn a_broken_field_is_reported_by_its_path() {
    let decision = Scene::created()
        .edit(|spec| spec["podTemplate"] = json!("not a template"))
        .act(1);
    assert!(
        typed(&decision.status)
            .error
            .as_ref()
            .unwrap()
            .contains("spec.podTemplate")
    );
    assert_eq!(lifecycle(&decision), ResourceLifecycleState::Failed);
}
