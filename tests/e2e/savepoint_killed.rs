//! The operator killed with -9 in the middle of a stop with savepoint: there is one savepoint in the end, and
//! the new job has begun with it.

use axum::http::Method;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::PostParams;
use serde_json::json;

use crate::counting::{Counting, arguments};
use crate::flink::{one_at_a_time, runs};
use crate::journal::Repeats;
use crate::killed::{ENDED, INTENT as BEGUN, Point, Victim, is_status};
use crate::leftovers;
use crate::requests::{sent, succeeded};
use crate::resource::SOON;
use crate::scene::{Scene, object};
use crate::stage::{full_scope, play};

const INTENT: Point = Point {
    what: "the intent to stop is stored, and Flink knows nothing of it",
    matches: |method, path, body| {
        method == Method::PUT
            && is_status(path)
            && body["status"]["operation"]["kind"] == "Stop"
            && body["status"]["operation"]["trigger"]["id"].is_string()
    },
};
const SENT: Point = Point {
    what: "Flink has been asked to stop the job",
    matches: |method, path, _| method == Method::POST && path.ends_with("/stop"),
};
const STOPPED: Point = Point {
    what: "the path of the savepoint is stored",
    matches: |method, path, body| {
        method == Method::PUT
            && is_status(path)
            && body["status"]["jobStatus"]["upgradeSavepointPath"].is_string()
    },
};
const RECORDED: Point = Point {
    what: "the snapshot is there",
    matches: |method, path, _| method == Method::POST && path.ends_with("/flinkstatesnapshots"),
};

/// When the operator is killed, besides at points of its own requests.
#[derive(Clone, Copy, PartialEq)]
enum Meanwhile {
    /// While Flink works at the savepoint.
    Killed,
    Alive,
}

/// Edits the parallelism of a counting job, and the operator is killed before, while and after Flink takes the savepoint.
async fn upgrade(scene: &Scene, before: &[Point], meanwhile: Meanwhile, after: &[Point]) {
    allow_proxy(scene).await;
    // Through the API server, so that the requests to Flink are on the wire that is cut.
    let mut victim = Victim::start(scene, &["--flink-access", "proxy"]).await;
    let counting = Counting::create(scene, |resource| {
        resource["spec"]["job"]["args"] = arguments(&["--snapshot-takes", "10 min"]);
    });
    let counting = counting.await;
    let first = counting.begins().await;

    counting.trouble();
    let change = json!({ "job": { "parallelism": 1 } });
    let edit = async || counting.resource.edit(change).await;
    if before.is_empty() {
        edit().await;
    } else {
        victim.dies_at(before, edit).await;
    }
    counting.is_stopping().await;
    victim.operator.ready().await;
    let name = &counting.resource.name;
    let looked = async || victim.operator.actor(name).await?["passes"].as_u64();
    let looked = async || looked().await.filter(|passes| *passes >= 2);
    let what = "the operator has looked at the stop";
    scene.until(SOON, what, looked).await;
    if meanwhile == Meanwhile::Killed {
        victim.dies(after.first().map(|point| point.matches)).await;
    }
    let mend = async || counting.mend();
    if after.is_empty() {
        mend().await;
    } else {
        victim.dies_at(after, mend).await;
    }

    let status = counting.resource.stable().await;
    let second = counting.went_on(&status, &first, Repeats::Never).await;
    assert_eq!(counting.savepoints_begun(), 1, "no stop was begun again");
    assert_eq!(counting.snapshots().await.len(), 1);
    counting.resource.delete().await;
    counting.resource.gone().await;
    leftovers::none(scene).await;
    let ran: Vec<String> = runs(scene).into_iter().map(|run| run.job).collect();
    assert_eq!(ran, [first, second], "each job ran once, and no other");
    assert!(one_at_a_time(&runs(scene)), "{:#?}", runs(scene));
    assert_eq!(succeeded(&sent(scene), "create", "deployments"), 2);
    victim.operator.stop().await;
}

/// Gives the operator the right that the chart gives with `rbac.serviceProxyRule.create`.
async fn allow_proxy(scene: &Scene) {
    let parameters = PostParams::default();
    let role = object::<Role>(json!({
        "metadata": { "name": "proxy" },
        "rules": [{ "apiGroups": [""], "resources": ["services/proxy"], "verbs": ["get", "create", "patch"] }],
    }));
    scene.api().create(&parameters, &role).await.unwrap();
    let account =
        json!({ "kind": "ServiceAccount", "name": "flink-operator", "namespace": scene.namespace });
    let binding = object::<RoleBinding>(json!({
        "metadata": { "name": "proxy" },
        "subjects": [account],
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "proxy" },
    }));
    scene.api().create(&parameters, &binding).await.unwrap();
}

#[test]
fn an_operator_killed_at_any_step_of_a_stop_goes_on_where_it_was() {
    play("savepoint-killed", async |scene| {
        let (before, after) = ([INTENT, SENT], [STOPPED, RECORDED, ENDED, BEGUN]);
        upgrade(scene, &before, Meanwhile::Killed, &after).await;
    });
}

/// The same points one by one, so that no restart hides what another one needed.
#[test]
fn an_operator_killed_once_in_a_stop_goes_on_where_it_was() {
    if !full_scope() {
        return;
    }
    for (index, point) in [INTENT, SENT].into_iter().enumerate() {
        play(&format!("savepoint-killed-asking-{index}"), async |scene| {
            upgrade(scene, &[point], Meanwhile::Alive, &[]).await;
        });
    }
    play("savepoint-killed-waiting", async |scene| {
        upgrade(scene, &[], Meanwhile::Killed, &[]).await;
    });
    for (index, point) in [STOPPED, RECORDED, ENDED, BEGUN].into_iter().enumerate() {
        play(&format!("savepoint-killed-after-{index}"), async |scene| {
            upgrade(scene, &[], Meanwhile::Alive, &[point]).await;
        });
    }
}
