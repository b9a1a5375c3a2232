//! On the CRD of the Java operator: it drops what this operator has to remember, so nothing is begun.

use std::path::PathBuf;

use http::Method;
use serde_json::{Value, json};

use crate::stage::accounts;
use crate::stage::audit;
use crate::stage::node::{Node, Pace};
use crate::stage::operator::{Operator, Settings};
use crate::stage::plane::{CRD, Plane};
use crate::stage::space::{Space, application, eventually};

/// The cure that every message has to name.
const CURE: &str = "flink-operator crds apply";

#[tokio::test]
async fn on_the_crd_of_java_operators_nothing_is_begun_and_the_cure_is_said() {
    let plane = Plane::bare(&[]).await;
    let space = Space::new(&plane, "upstream").await;
    accounts::install(&space).await;
    let node = Node::start(&space, Pace::default());
    for version in ["1.15.0"] {
        on(&plane, &space, &node, version).await;
    }
    plane.down().await;
}

async fn on(plane: &Plane, space: &Space, node: &Node, version: &str) {
    let settings = Settings {
        options: vec![
            ("reconcile.interval", "1 s".into()),
            ("observer.progress-check.interval", "1 s".into()),
            ("rate-limiter.limit", "100".into()),
        ],
        everywhere: true,
        ..Settings::default()
    };
    // A job from better days runs.
    plane.install(CRD.as_ref()).await;
    let operator = Operator::start(plane, space, &settings).await;
    space.create(&application("running")).await;
    let before = space.until_state("running", "STABLE").await;
    operator.stop().await;

    let crd: PathBuf = format!("tests/conformance/upstream/flinkdeployments-{version}.yaml").into();
    plane.install(&crd).await;
    let user = audit::operator(space);
    let asked_before = audit::asked_by(plane, &user).len();
    let operator = Operator::start(plane, space, &settings).await;

    // Observing goes on.
    let pod = only(space, "running", "pods").await;
    let pod = format!("/api/v1/namespaces/{}/pods/{pod}", space.name);
    space.send(Method::DELETE, &pod, None).await.ok();
    let began = before["status"]["jobStatus"]["startTime"].clone();
    let back = space
        .until("running", "its job is seen to run again", |object| {
            let status = &object["status"];
            status["jobManagerDeploymentStatus"] == "READY"
                && status["jobStatus"]["state"] == "RUNNING"
                && status["jobStatus"]["startTime"] != began
        })
        .await;
    assert_eq!(job(&back), job(&before));
    assert_eq!(
        back["status"]["lineage"],
        Value::Null,
        "{version} keeps additive fields, and this test proves nothing"
    );

    // Nothing is begun: neither a new cluster nor the end of an old one.
    space.create(&application("new")).await;
    told(space, "new").await;
    assert_eq!(space.parts("new").await, Vec::<String>::new());
    space
        .edit(
            "running",
            &json!({ "spec": { "job": { "parallelism": 3 } } }),
        )
        .await;
    told(space, "running").await;
    assert_eq!(node.running(), [job(&before)], "the job runs on");
    let (_, readiness) = operator.get("/readyz").await.unwrap();
    assert!(readiness.contains(CURE), "{readiness}");
    let (_, metrics) = operator.get("/metrics").await.unwrap();
    let gauge = metrics
        .lines()
        .find(|line| line.starts_with("flink_operator_crd_outdated"));
    assert!(gauge.is_some_and(|line| line.ends_with(" 1")), "{gauge:?}");

    // This CRD checks less: what is no spec at all is told, too, and nobody else notices.
    let mut garbled = application("garbled");
    garbled["spec"]["podTemplate"] = json!({ "spec": { "containers": "all of them" } });
    space.create(&garbled).await;
    space
        .until("garbled", "an error that names the field", |object| {
            object["status"]["error"]
                .as_str()
                .is_some_and(|error| error.contains("podTemplate"))
        })
        .await;

    // Deleting works.
    for name in ["garbled", "new", "running"] {
        delete_all_of(space, name).await;
    }
    let asked = audit::asked_by(plane, &user).split_off(asked_before);
    let created: Vec<_> = asked
        .iter()
        .filter(|asked| asked.verb == "create" && asked.resource != "events")
        .collect();
    assert!(created.is_empty(), "{created:#?}");

    // The cure works without a restart.
    space.create(&application("cured")).await;
    told(space, "cured").await;
    plane.install(CRD.as_ref()).await;
    space
        .edit("cured", &json!({ "spec": { "job": { "parallelism": 3 } } }))
        .await;
    space.until_state("cured", "STABLE").await;
    eventually("readiness has nothing more to say", async || {
        let (_, text) = operator.get("/readyz").await.unwrap();
        if text.contains(CURE) {
            Err(text)
        } else {
            Ok(())
        }
    })
    .await;
    space.delete("cured").await;
    space.until_gone("cured").await;
    operator.stop().await;
}

/// Deletes a resource and waits until nothing of its cluster is left.
async fn delete_all_of(space: &Space, name: &str) {
    space.delete(name).await;
    space.until_gone(name).await;
    eventually("nothing is left", async || {
        let parts = space.parts(name).await;
        if parts.is_empty() {
            Ok(())
        } else {
            Err(parts.join(", "))
        }
    })
    .await;
}

/// Waits for the event that says what is wrong and what to do.
async fn told(space: &Space, name: &str) {
    eventually(
        &format!("{name}: an event that names the cure"),
        async || {
            let events = space.events(name).await;
            let found = events
                .iter()
                .any(|(reason, message)| reason == "CrdOutdated" && message.contains(CURE));
            if found {
                Ok(())
            } else {
                Err(format!("{events:#?}"))
            }
        },
    )
    .await;
}

async fn only(space: &Space, cluster: &str, kind: &str) -> String {
    let parts = space.parts(cluster).await;
    let mut of_kind = parts
        .iter()
        .filter_map(|part| part.strip_prefix(kind)?.strip_prefix('/'));
    let first = of_kind.next().expect("there is one").to_owned();
    assert_eq!(of_kind.next(), None);
    first
}

fn job(object: &Value) -> String {
    object["status"]["jobStatus"]["jobId"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}
