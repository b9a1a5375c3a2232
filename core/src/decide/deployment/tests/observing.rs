//! What facts mean for the status.

use super::scene::{Scene, deployment, labels, lifecycle, reason, typed};
use crate::decide;
use crate::decision::Step;
use crate::fact::{Fact, Subject, Why};
use crate::observed::{ContainerTrouble, Pod};
use crate::question::Question;
use flink_operator_api::{FlinkJobState, JobManagerDeploymentStatus, ResourceLifecycleState};
use jiff::SignedDuration;

fn job(decision: &crate::decision::Decision) -> Option<FlinkJobState> {
    typed(&decision.status).job_status.as_ref().unwrap().state
}

#[test]
fn a_running_job_makes_the_resource_stable() {
    let decision = Scene::running().act(2);
    assert_eq!(
        (job(&decision), lifecycle(&decision)),
        (Some(FlinkJobState::Running), ResourceLifecycleState::Stable)
    );
    assert_eq!(reason(&decision, "Ready"), "JobRunning");
}

#[test]
fn a_quiet_resource_stays_as_it_is_stored() {
    let scene = Scene::running().later(SignedDuration::from_hours(1));
    let decision = scene.act(2);
    assert!(decision.effects.is_empty() && decision.notices.is_empty());
    assert!(decision.status.is_stored_in(&scene.observed.resource));
}

#[test]
fn a_silent_job_manager_makes_the_state_unknown_and_not_lost() {
    let decision = Scene::running().silent(Why::TimedOut).act(2);
    assert_eq!(job(&decision), Some(FlinkJobState::Reconciling));
    assert_eq!(
        typed(&decision.status).job_manager_deployment_status,
        Some(JobManagerDeploymentStatus::Ready)
    );
    assert_eq!(reason(&decision, "Progressing"), "JobManagerSilent");
    assert_eq!(decision.effects, []);
}

#[test]
fn an_ended_job_that_flink_forgot_stays_ended() {
    let finished = Scene::running().with_job("FINISHED").settled();
    let decision = finished.without_jobs().act(2);
    assert_eq!(job(&decision), Some(FlinkJobState::Finished));
    assert_eq!(typed(&decision.status).error, None);
}

#[test]
fn a_job_that_vanishes_is_reported_and_not_started_again() {
    let decision = Scene::running().without_jobs().act(2);
    assert_eq!(
        typed(&decision.status).error.as_deref(),
        Some("Job Not Found")
    );
    assert_eq!(decision.effects, []);
    let told = Scene::running().without_jobs().settled().act(3);
    assert_eq!(told.notices, [], "told once");
}

#[test]
fn checkpoint_progress_alone_is_stored_every_five_minutes() {
    let scene = Scene::running().with_checkpoint(1).settled();
    let soon = scene
        .clone()
        .later(SignedDuration::from_secs(60))
        .with_checkpoint(7);
    assert!(soon.act(2).status.is_stored_in(&soon.observed.resource));
    let due = scene
        .later(SignedDuration::from_secs(301))
        .with_checkpoint(9);
    let status = due.act(2).status;
    assert_eq!(
        typed(&status)
            .lineage
            .as_ref()
            .unwrap()
            .newest
            .as_ref()
            .unwrap()
            .id,
        Some(9)
    );
}

#[test]
fn checkpoint_progress_goes_with_any_other_change() {
    let scene = Scene::running()
        .with_checkpoint(1)
        .settled()
        .later(SignedDuration::from_secs(60));
    let status = scene
        .with_checkpoint(7)
        .with_job("RESTARTING")
        .act(2)
        .status;
    assert_eq!(
        typed(&status)
            .lineage
            .as_ref()
            .unwrap()
            .newest
            .as_ref()
            .unwrap()
            .id,
        Some(1),
        "a job that restarts may show old figures"
    );
}

#[test]
fn a_bad_image_is_named_within_one_look() {
    let mut scene = Scene::created();
    let first = scene.act(1);
    scene.store(&first, &super::scene::done(&first));
    let trouble = ContainerTrouble {
        container: "flink-main-container".into(),
        reason: "ErrImagePull".into(),
        message: "no such image".into(),
        last_termination: None,
    };
    let pod = Pod {
        name: "basic-1".into(),
        is_job_manager: true,
        troubles: vec![trouble],
        ..Pod::default()
    };
    let decision = scene
        .with_deployment(deployment("attempt-1", None))
        .with_pods(vec![pod])
        .act(2);
    let status = typed(&decision.status);
    assert_eq!(
        status.job_manager_deployment_status,
        Some(JobManagerDeploymentStatus::Error)
    );
    assert!(status.error.as_ref().unwrap().contains("no such image"));
    assert_eq!(
        (
            reason(&decision, "Degraded").as_str(),
            decision.notices.len()
        ),
        ("DeploymentFailed", 1)
    );
}

#[test]
fn an_absence_in_a_store_is_looked_up_before_it_is_recorded() {
    let scene = Scene::running().without_cluster().seen_in_stores();
    assert!(matches!(scene.step(2), Step::Ask(_)));
}

#[test]
fn a_lost_stateless_cluster_is_started_again() {
    let decision = Scene::running().without_cluster().act(2);
    assert_eq!(labels(&decision)[0], "create-deployment");
    assert!(
        decision
            .notices
            .iter()
            .any(|notice| notice.reason == "RecoverDeployment")
    );
}

#[test]
fn a_lost_stateful_cluster_waits_and_says_what_is_missing() {
    let stateful = Scene::running_with(|spec| {
        spec["job"]["upgradeMode"] = "last-state".into();
        spec["flinkConfiguration"] = serde_json::json!({ "state.checkpoints.dir": "s3://a" });
    });
    let decision = stateful.without_cluster().act(2);
    assert_eq!(labels(&decision), Vec::<&str>::new());
    assert_eq!(reason(&decision, "Progressing"), "JobManagerMissing");
}

#[test]
fn a_finished_job_whose_cluster_is_gone_is_not_started_again() {
    let decision = Scene::running()
        .with_job("FINISHED")
        .settled()
        .without_cluster()
        .act(2);
    assert_eq!(decision.effects, []);
    assert_eq!(job(&decision), Some(FlinkJobState::Finished));
}

#[test]
fn task_managers_are_looked_at_only_when_their_job_has_waited_for_a_while() {
    let ready = |seconds: i64| {
        let mut scene = Scene::running().with_job("CREATED").settled();
        let since = scene.now - SignedDuration::from_secs(seconds);
        let pods = scene.observed.job_managers.value().unwrap().clone();
        let pods = pods.into_iter().map(|pod| Pod {
            ready_since: Some(since),
            ..pod
        });
        scene.observed.job_managers = Fact::known(
            pods.collect(),
            Subject::Resource(scene.observed.resource.meta.uid.clone()),
            scene.now,
        );
        decide::wanted(&scene.observed, scene.now).contains(&Question::TaskManagerPods)
    };
    assert_eq!((ready(10), ready(30)), (false, true));
}

#[test]
fn a_task_manager_that_cannot_start_is_what_the_job_waits_for() {
    let trouble = ContainerTrouble {
        container: "flink-main-container".into(),
        reason: "CrashLoopBackOff".into(),
        message: "back-off 10s restarting failed container".into(),
        last_termination: None,
    };
    let pod = Pod {
        name: "basic-taskmanager-1-1".into(),
        troubles: vec![trouble],
        ..Pod::default()
    };
    let mut scene = Scene::running().with_job("CREATED");
    let subject = Subject::Resource(scene.observed.resource.meta.uid.clone());
    scene.observed.answers.task_manager_pods = Fact::known(vec![pod], subject, scene.now);
    let decision = scene.act(2);
    assert_eq!(reason(&decision, "Degraded"), "DeploymentFailed");
    assert_eq!(reason(&decision, "Progressing"), "WaitingForJob");
    let manager = typed(&decision.status).job_manager_deployment_status;
    assert_eq!(manager, Some(JobManagerDeploymentStatus::Ready));
}

#[test]
fn an_answer_from_before_the_end_does_not_make_a_job_run_again() {
    let ended = Scene::running().with_job("CANCELED").settled();
    let decision = ended.with_job("RUNNING").act(3);
    let state = |status| typed(status).job_status.as_ref().and_then(|job| job.state);
    assert_eq!(state(&decision.status), Some(FlinkJobState::Canceled));
}
