//! Starting a cluster, and going on after a crash.

use super::scene::{DEPLOYMENT, Scene, deployment, done, labels, lifecycle, reason, typed};
use crate::decision::Step;
use crate::effect::{Deletion, Effect, Outcome, Owner};
use crate::fact::{Fact, Why};
use crate::name::Uid;
use crate::observed::{Deployment, Pod};
use crate::question::Question;
use crate::status::recorded::Recorded;
use flink_operator_api::{
    FlinkDeploymentStatus, JobManagerDeploymentStatus, ReconciliationState, ResourceLifecycleState,
};
use jiff::SignedDuration;
use serde_json::json;

const CREATION: [&str; 5] = [
    "create-deployment",
    "save-status",
    "create-child",
    "create-child",
    "create-child",
];

fn recorded(status: &FlinkDeploymentStatus) -> Recorded {
    let reconciliation = status.reconciliation_status.as_ref().unwrap();
    Recorded::read(reconciliation.last_reconciled_spec.as_ref().unwrap()).unwrap()
}

#[test]
fn the_finalizer_comes_before_everything() {
    let mut scene = Scene::created();
    scene.observed.resource.meta.finalizers.clear();
    assert_eq!(labels(&scene.act(1)), ["add-finalizer"]);
}

#[test]
fn nothing_is_created_seen_in_stores() {
    let Step::Ask(wanted) = Scene::created().seen_in_stores().step(1) else {
        panic!("decides on a stale look")
    };
    assert!(
        wanted.contains(&Question::Pods)
            && wanted.contains(&Question::Children)
            && wanted.contains(&Question::Ha)
    );
}

#[test]
fn a_start_stores_its_intent_and_creates_the_configuration_last() {
    let scene = Scene::created();
    let decision = scene.act(1);
    assert_eq!(labels(&decision), CREATION);
    assert!(decision.needs_additive);
    let Some(Effect::CreateChild { body, owner, .. }) = decision.effects.last() else {
        panic!()
    };
    assert_eq!(body["metadata"]["name"], "flink-config-basic");
    assert_eq!(*owner, Owner::JustCreated);
    let intent = typed(decision.intent.as_ref().unwrap());
    let operation = intent.operation.as_ref().unwrap();
    assert_eq!(operation.attempt.as_ref().unwrap().id, "attempt-1");
    assert_eq!(
        intent.reconciliation_status.as_ref().unwrap().state,
        Some(ReconciliationState::Upgrading)
    );
    assert!(!recorded(intent).is_running() && recorded(intent).is_first_deployment());
    assert_eq!(
        intent.job_status.as_ref().unwrap().job_id.as_deref(),
        Some("00000000000000000000000000000001")
    );
    assert_eq!(lifecycle(&decision), ResourceLifecycleState::Upgrading);
}

#[test]
fn the_uid_is_stored_before_any_child_and_the_end_is_deployed() {
    let mut scene = Scene::created();
    let decision = scene.act(1);
    let outcomes = done(&decision);
    scene.store(&decision, &outcomes[..1]);
    let stored = stored(&scene);
    assert_eq!(stored.cluster.unwrap().deployment_uid, DEPLOYMENT);
    assert!(stored.operation.is_some());
    let mut scene = Scene::created();
    scene.store(&decision, &outcomes);
    let status = scene.with_cluster("attempt-1").act(3).status;
    let status = typed(&status);
    assert_eq!(status.operation, None);
    assert_eq!(status.cluster.as_ref().unwrap().deployment_uid, DEPLOYMENT);
    assert_eq!(
        status.job_manager_deployment_status,
        Some(JobManagerDeploymentStatus::Deploying)
    );
    assert!(recorded(status).is_running());
}

#[test]
fn the_same_observation_gives_the_same_decision() {
    assert_eq!(Scene::created().act(1), Scene::created().act(1));
}

#[test]
fn an_unanswered_creation_is_sent_again_under_the_same_attempt_while_it_may() {
    let first = Scene::created().act(1);
    let scene = Scene::created()
        .crash_after_intent(&first)
        .later(SignedDuration::from_secs(5));
    let again = scene.act(2);
    assert_eq!(labels(&again), CREATION);
    assert_eq!(again.effects[0], first.effects[0]);
}

#[test]
fn another_attempt_waits_until_requests_of_the_old_one_cannot_arrive() {
    let first = Scene::created().act(1);
    let scene = Scene::created().crash_after_intent(&first);
    let early = scene.clone().later(SignedDuration::from_secs(16)).act(2);
    assert_eq!(early.effects, []);
    assert_eq!(reason(&early, "Progressing"), "WaitingForAttempt");
    let late = scene.later(SignedDuration::from_secs(21)).act(2);
    let Effect::CreateDeployment { attempt, .. } = &late.effects[0] else {
        panic!()
    };
    assert_eq!(attempt.as_str(), "attempt-2");
}

#[test]
fn an_edit_during_a_start_is_picked_up_by_the_next_attempt() {
    let first = Scene::created().act(1);
    let scene = Scene::created()
        .crash_after_intent(&first)
        .edit(|spec| spec["job"]["parallelism"] = json!(4));
    assert_eq!(
        scene.act(2).effects,
        [],
        "the old attempt's request may still arrive"
    );
    let late = scene.later(SignedDuration::from_secs(21)).act(2);
    let Effect::CreateDeployment { body, .. } = &late.effects[0] else {
        panic!()
    };
    assert_eq!(
        body["metadata"]["annotations"]["flinkdeployment.flink.apache.org/generation"],
        "2"
    );
}

#[test]
fn missing_children_are_completed_after_a_crash() {
    let first = Scene::created().act(1);
    let scene = Scene::created().crash_after_intent(&first);
    let hash = typed(first.intent.as_ref().unwrap())
        .operation
        .as_ref()
        .unwrap()
        .attempt
        .as_ref()
        .unwrap()
        .children_hash
        .clone();
    let decision = scene.with_deployment(deployment("attempt-1", hash)).act(2);
    assert_eq!(labels(&decision), ["create-child"; 3]);
    let Effect::CreateChild { owner, .. } = &decision.effects[0] else {
        panic!()
    };
    assert_eq!(*owner, Owner::Seen(Uid::new(DEPLOYMENT)));
}

#[test]
fn an_attempt_that_renders_differently_now_is_taken_back_before_it_can_run() {
    let first = Scene::created().act(1);
    let scene = Scene::created()
        .crash_after_intent(&first)
        .edit(|spec| spec["image"] = json!("flink:other"));
    let decision = scene
        .with_deployment(deployment("attempt-1", Some("old".into())))
        .act(2);
    assert!(matches!(
        &decision.effects[..],
        [Effect::DeleteDeployment {
            because: Deletion::NeverRan,
            ..
        }]
    ));
}

#[test]
fn an_attempt_with_its_configuration_counts_as_deployed() {
    let first = Scene::created().act(1);
    let decision = Scene::created()
        .crash_after_intent(&first)
        .with_cluster("attempt-1")
        .act(2);
    assert_eq!(decision.effects, []);
    assert_eq!(typed(&decision.status).operation, None);
}

#[test]
fn a_late_deployment_of_a_former_leader_is_deleted_and_never_adopted() {
    let first = Scene::created().act(1);
    let stray = deployment("attempt-of-another", Some("x".into()));
    let decision = Scene::created()
        .crash_after_intent(&first)
        .with_deployment(stray)
        .act(2);
    assert!(matches!(
        &decision.effects[..],
        [Effect::DeleteDeployment {
            because: Deletion::NeverRan,
            ..
        }]
    ));
}

#[test]
fn somebody_elses_deployment_is_named_and_left_alone() {
    let foreign = Deployment {
        owners: Vec::new(),
        ..deployment("", None)
    };
    let decision = Scene::created().with_deployment(foreign).act(1);
    assert_eq!(decision.effects, []);
    assert_eq!(reason(&decision, "Degraded"), "NameTaken");
}

#[test]
fn somebody_elses_service_is_named_and_left_alone() {
    let decision = Scene::created().with_children("").act(1);
    assert_eq!(decision.effects, []);
    assert_eq!(reason(&decision, "Degraded"), "NameTaken");
}

#[test]
fn pods_and_children_of_an_old_cluster_are_waited_for() {
    let pod = Pod {
        name: "basic-taskmanager-1-1".into(),
        deleting: true,
        ..Pod::default()
    };
    let pods = Scene::created().with_pods(vec![pod]).act(1);
    assert_eq!(
        (labels(&pods), reason(&pods, "Progressing").as_str()),
        (vec![], "WaitingForPods")
    );
    let children = Scene::created().with_children("gone").act(1);
    assert_eq!(
        (labels(&children), reason(&children, "Progressing").as_str()),
        (vec![], "WaitingForCleanup")
    );
}

#[test]
fn an_unanswered_list_of_pods_is_not_an_empty_one() {
    let mut scene = Scene::created();
    scene.observed.answers.pods = Fact::Unknown(Why::TimedOut);
    assert_eq!(scene.act(1).effects, []);
}

#[test]
fn job_graphs_are_removed_before_the_deployment_is_created() {
    let decision = Scene::created()
        .with_ha("basic-cluster-config-map", &["jobGraph-x", "other"])
        .act(1);
    assert_eq!(
        labels(&decision)[..2],
        ["remove-graphs", "create-deployment"]
    );
    let Effect::RemoveGraphs { keys, .. } = &decision.effects[0] else {
        panic!()
    };
    assert_eq!(*keys, ["jobGraph-x"]);
}

#[test]
fn session_clusters_and_standalone_mode_say_that_they_are_not_carried_out() {
    let session = Scene::created().edit(|spec| spec["job"] = json!(null));
    assert_eq!(
        (
            labels(&session.act(1)),
            reason(&session.act(1), "Progressing").as_str()
        ),
        (vec![], "NotSupported")
    );
    let standalone = Scene::created().edit(|spec| spec["mode"] = json!("standalone"));
    assert_eq!(reason(&standalone.act(1), "Progressing"), "NotSupported");
}

#[test]
fn created_suspended_nothing_happens() {
    let decision = Scene::created()
        .edit(|spec| spec["job"]["state"] = json!("suspended"))
        .act(1);
    assert_eq!(
        (labels(&decision), lifecycle(&decision)),
        (vec![], ResourceLifecycleState::Created)
    );
}

#[test]
fn a_refused_creation_is_an_error_that_names_the_servers_words() {
    let mut scene = Scene::created();
    let decision = scene.act(1);
    let refused = Outcome::Refused(Why::Status {
        code: 403,
        message: "exceeded quota".into(),
    });
    scene.store(&decision, &[refused]);
    let status = stored(&scene);
    assert!(status.error.as_ref().unwrap().contains("exceeded quota"));
}

fn stored(scene: &Scene) -> FlinkDeploymentStatus {
    match &scene.observed.resource.body {
        crate::resource::Body::FlinkDeployment { status, .. } => {
            status.as_ref().as_ref().unwrap().typed.clone()
        }
    }
}
