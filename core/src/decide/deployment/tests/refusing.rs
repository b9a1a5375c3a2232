//! What is refused, or would be dropped: told once, kept until it is over, and never half begun.

use super::scene::{DEPLOYMENT, Scene, deployment, done, labels, reason, typed};
use crate::decide;
use crate::effect::{Effect, Outcome, Receipt};
use crate::fact::Why;
use crate::name::Uid;
use serde_json::json;

#[test]
fn a_child_whose_name_is_taken_is_named_once() {
    let mut scene = Scene::created();
    let decision = scene.act(1);
    let mut outcomes = vec![
        Outcome::Done(Receipt::Created(Uid::new(DEPLOYMENT))),
        Outcome::Done(Receipt::Nothing),
    ];
    outcomes.push(Outcome::Refused(Why::Taken));
    let Effect::CreateChild { kind, body, .. } = &decision.effects[2] else {
        panic!("{:?} creates no child", decision.effects[2])
    };
    let name = format!(
        "{} {}",
        kind.as_str(),
        body["metadata"]["name"].as_str().unwrap()
    );
    let settled = decide::settle(&scene.observed, &decision, &outcomes, scene.now);
    assert_eq!(settled.notices.len(), 1, "{:?}", settled.notices);
    assert!(
        settled.notices[0].message.contains(&name),
        "{:?}",
        settled.notices
    );
    assert!(
        typed(&settled.status)
            .error
            .as_ref()
            .unwrap()
            .contains(&name)
    );
    // The next try repeats the complaint and tells nobody again.
    scene.put(&settled.status);
    let attempt = typed(&settled.status)
        .operation
        .clone()
        .unwrap()
        .attempt
        .unwrap();
    let scene = scene.with_deployment(deployment(&attempt.id, attempt.children_hash));
    let again = scene.act(2);
    assert_eq!(
        (
            reason(&again, "Degraded").as_str(),
            reason(&again, "Progressing").as_str()
        ),
        ("NameTaken", "NameTaken")
    );
    let refused = vec![Outcome::Refused(Why::Taken)];
    let settled = decide::settle(&scene.observed, &again, &refused, scene.now);
    assert_eq!(settled.notices, []);
    // And takes it back when it succeeds.
    let settled = decide::settle(&scene.observed, &again, &done(&again), scene.now);
    let status = typed(&settled.status);
    assert_eq!((&status.error, &status.operation), (&None, &None));
}

#[test]
fn on_an_older_crd_nothing_is_begun_and_what_is_seen_is_stored() {
    let mut created = Scene::created();
    created.observed.crd_outdated = true;
    let decision = created.act(1);
    assert_eq!(
        (
            decision.effects.len(),
            reason(&decision, "Progressing").as_str()
        ),
        (0, "CrdOutdated")
    );
    assert!(
        decision
            .notices
            .iter()
            .any(|notice| notice.message.contains("flink-operator crds apply"))
    );
    let status = typed(&decision.status);
    assert!(
        status.operation.is_none() && status.reconciliation_status.is_none(),
        "{status:?}"
    );
    created.put(&decision.status);
    assert_eq!(created.act(2).notices, [], "told once");

    let mut running = Scene::running()
        .edit(|spec| spec["restartNonce"] = json!(3))
        .with_job("CANCELED");
    running.observed.crd_outdated = true;
    let decision = running.act(2);
    assert_eq!(labels(&decision), Vec::<&str>::new());
    let state = typed(&decision.status).job_status.as_ref().unwrap().state;
    assert_eq!(
        state.map(|state| format!("{state:?}")).as_deref(),
        Some("Canceled")
    );
}

#[test]
fn on_an_older_crd_a_deletion_goes_its_way() {
    let mut scene = Scene::running().deleted();
    scene.observed.crd_outdated = true;
    assert!(!scene.act(2).effects.is_empty());
}
