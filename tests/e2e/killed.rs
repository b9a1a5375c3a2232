//! The operator killed with -9 at exact points of a job's life: the end is the same, and each job ran once.

use axum::http::Method;
use serde_json::json;

use crate::flink::{one_at_a_time, runs};
use crate::leftovers;
use crate::operator::Operator;
use crate::requests::{sent, succeeded};
use crate::resource::{END, job_id};
use crate::scene::Scene;
use crate::stage::{full_scope, play};
use crate::wire::{Matches, Wire};

/// A point at which the operator is killed: right behind a request, before it knows the answer.
pub(crate) struct Point {
    pub(crate) what: &'static str,
    pub(crate) matches: Matches,
}

const FINALIZER: Point = Point {
    what: "the finalizer is there",
    matches: |method, path, body| {
        method == Method::PATCH && is_resource(path) && !body["metadata"]["finalizers"].is_null()
    },
};
pub(crate) const INTENT: Point = Point {
    what: "the intent to deploy is stored",
    matches: |method, path, body| {
        method == Method::PUT && is_status(path) && body["status"]["operation"]["kind"] == "Deploy"
    },
};
const DEPLOYMENT: Point = Point {
    what: "the Deployment is there, and nothing else",
    matches: |method, path, _| method == Method::POST && path.ends_with("/deployments"),
};
const CONFIGURATION: Point = Point {
    what: "the configuration is there, so that the JobManager starts",
    matches: |method, path, body| {
        let name = body["metadata"]["name"].as_str().unwrap_or_default();
        method == Method::POST && path.ends_with("/configmaps") && name.starts_with("flink-config-")
    },
};
const ENDING: Point = Point {
    what: "the intent to end the cluster is stored",
    matches: |method, path, body| {
        method == Method::PUT && is_status(path) && body["status"]["operation"]["kind"] == "End"
    },
};
pub(crate) const ENDED: Point = Point {
    what: "the Deployment is being deleted",
    matches: |method, path, _| method == Method::DELETE && path.contains("/deployments/"),
};
const RELEASED: Point = Point {
    what: "the finalizer is gone",
    matches: |method, path, _| method == Method::PATCH && is_resource(path),
};

fn is_resource(path: &str) -> bool {
    path.contains("/flinkdeployments/") && !is_status(path)
}

pub(crate) fn is_status(path: &str) -> bool {
    path.contains("/flinkdeployments/") && path.ends_with("/status")
}

/// An operator behind a wire that is cut.
pub(crate) struct Victim<'a> {
    scene: &'a Scene,
    wire: Wire,
    arguments: &'static [&'static str],
    pub(crate) operator: Operator<'a>,
}

impl<'a> Victim<'a> {
    pub(crate) async fn start(scene: &'a Scene, arguments: &'static [&'static str]) -> Self {
        let wire = Wire::open(scene).await;
        let operator = Operator::launch(scene, &wire.address, arguments).await;
        Self {
            scene,
            wire,
            arguments,
            operator,
        }
    }

    /// Does something that leads to the points, one after the other; at each the operator is killed and another one started.
    pub(crate) async fn dies_at(&mut self, points: &[Point], cause: impl AsyncFnOnce()) {
        self.wire.cut_behind(points[0].matches);
        cause().await;
        for (index, point) in points.iter().enumerate() {
            self.scene
                .until(END, point.what, async || self.wire.is_cut().then_some(()))
                .await;
            let next = points.get(index + 1).map(|next| next.matches);
            self.dies(next).await;
        }
    }

    /// Is killed now, and started again with a wire that is open, or cut behind the next request that matches.
    pub(crate) async fn dies(&mut self, next: Option<Matches>) {
        self.operator.kill().await;
        match next {
            Some(next) => self.wire.cut_behind(next),
            None => self.wire.mend(),
        }
        let operator = Operator::launch(self.scene, &self.wire.address, self.arguments);
        self.operator = operator.await;
    }
}

/// Lives through create, edit and delete, being killed at some points of each.
async fn live(scene: &Scene, create: &[Point], edit: &[Point], delete: &[Point]) {
    let mut victim = Victim::start(scene, &[]).await;
    let path = "basic.yaml";
    let basic = if create.is_empty() {
        scene.example(path, |_| {}).await
    } else {
        let mut created = None;
        victim
            .dies_at(create, async || {
                created = Some(scene.example(path, |_| {}).await);
            })
            .await;
        created.expect("it has been created")
    };
    let first = job_id(&basic.stable().await);

    let change = json!({ "job": { "parallelism": 1 } });
    if edit.is_empty() {
        basic.edit(change).await;
    } else {
        victim
            .dies_at(edit, async || basic.edit(change).await)
            .await;
    }
    let second = job_id(&basic.stable().await);

    if delete.is_empty() {
        basic.delete().await;
    } else {
        victim.dies_at(delete, async || basic.delete().await).await;
    }
    basic.gone().await;
    leftovers::none(scene).await;

    let ran: Vec<String> = runs(scene).into_iter().map(|run| run.job).collect();
    assert_eq!(ran, [first, second], "each job ran once, and no other");
    assert!(one_at_a_time(&runs(scene)), "{:#?}", runs(scene));
    let created = succeeded(&sent(scene), "create", "deployments");
    assert_eq!(
        created, 2,
        "what was begun is gone on with, not begun again"
    );
    victim.operator.stop().await;
}

#[test]
fn an_operator_killed_at_any_step_goes_on_where_it_was() {
    play("killed", async |scene| {
        let create = [FINALIZER, INTENT, DEPLOYMENT, CONFIGURATION];
        live(scene, &create, &[ENDING, ENDED], &[ENDING, ENDED, RELEASED]).await;
    });
}

/// The same points one by one, so that no restart hides what another one needed.
#[test]
fn an_operator_killed_once_goes_on_where_it_was() {
    if !full_scope() {
        return;
    }
    for (index, point) in [FINALIZER, INTENT, DEPLOYMENT, CONFIGURATION]
        .into_iter()
        .enumerate()
    {
        play(&format!("killed-creating-{index}"), async |scene| {
            live(scene, &[point], &[], &[]).await;
        });
    }
    for (index, point) in [ENDING, ENDED, INTENT, DEPLOYMENT, CONFIGURATION]
        .into_iter()
        .enumerate()
    {
        play(&format!("killed-editing-{index}"), async |scene| {
            live(scene, &[], &[point], &[]).await;
        });
    }
    for (index, point) in [ENDING, ENDED, RELEASED].into_iter().enumerate() {
        play(&format!("killed-deleting-{index}"), async |scene| {
            live(scene, &[], &[], &[point]).await;
        });
    }
}
