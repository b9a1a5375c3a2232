//! Deletion.

use super::scene::{Scene, done, labels, lifecycle, reason, typed};
use crate::effect::{Deletion, Effect};
use crate::fact::Why;
use crate::observed::Pod;
use flink_operator_api::{FlinkJobState, ResourceLifecycleState};
use jiff::SignedDuration;
use serde_json::json;

#[test]
fn a_running_job_is_cancelled_first() {
    let decision = Scene::running().deleted().act(2);
    assert_eq!(
        (labels(&decision), lifecycle(&decision)),
        (vec!["cancel"], ResourceLifecycleState::Deleting)
    );
    assert!(!decision.needs_additive, "deletion works with every CRD");
}

#[test]
fn the_end_of_a_job_whose_deploy_was_not_complete_is_stored_before_its_cluster_is_deleted() {
    let first = Scene::created().act(1);
    let scene = Scene::created()
        .crash_after_intent(&first)
        .with_cluster("attempt-1")
        .with_ready_pod()
        .with_job("CANCELED")
        .deleted();
    let decision = scene.act(2);
    assert_eq!(labels(&decision), ["delete-deployment"]);
    let stored = decision.intent.as_ref().expect("it is stored first");
    let state = |status| typed(status).job_status.as_ref().and_then(|job| job.state);
    assert_eq!(state(stored), Some(FlinkJobState::Canceled));
}

#[test]
fn the_finalizer_outlives_the_pods() {
    let mut scene = Scene::running().deleted();
    let cancel = scene.act(2);
    scene.store(&cancel, &done(&cancel));
    let pod = Pod {
        name: "basic-taskmanager-1-1".into(),
        deleting: true,
        ..Pod::default()
    };
    assert_eq!(
        scene
            .clone()
            .without_cluster()
            .with_pods(vec![pod])
            .act(3)
            .effects,
        []
    );
    assert_eq!(
        labels(&scene.without_cluster().act(3)),
        ["remove-finalizer"]
    );
}

#[test]
fn what_was_never_deployed_goes_at_once() {
    assert_eq!(
        labels(&Scene::created().deleted().act(1)),
        ["remove-finalizer"]
    );
}

#[test]
fn a_hung_job_manager_is_waited_for_until_the_clean_up_time_out() {
    let scene = Scene::running().deleted().silent(Why::TimedOut);
    let waits = scene.clone().later(SignedDuration::from_mins(4)).act(2);
    assert_eq!(
        (labels(&waits), reason(&waits, "Progressing").as_str()),
        (vec![], "CancellingJob")
    );
    let decision = scene.later(SignedDuration::from_mins(6)).act(2);
    assert!(matches!(
        &decision.effects[..],
        [Effect::DeleteDeployment {
            because: Deletion::Ended,
            ..
        }]
    ));
}

#[test]
fn a_savepoint_that_was_asked_for_is_not_skipped_in_silence() {
    let scene = Scene::running()
        .edit(|spec| {
            spec["flinkConfiguration"] =
                json!({ "kubernetes.operator.job.savepoint-on-deletion": "true" });
        })
        .deleted();
    let decision = scene.act(2);
    assert_eq!(
        (labels(&decision), reason(&decision, "Progressing").as_str()),
        (vec![], "StatefulUpgradeNotAvailable")
    );
}

#[test]
fn a_resource_without_our_finalizer_is_let_go() {
    let mut scene = Scene::running().deleted();
    scene.observed.resource.meta.finalizers.clear();
    assert_eq!(scene.act(2).effects, []);
}
