//! Watches end: by the server's will, by a broken line, and so late that what was missed is forgotten.

use std::path::Path;

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::stage::accounts;
use crate::stage::audit::{self, Asked};
use crate::stage::line::Line;
use crate::stage::node::{Node, Pace};
use crate::stage::operator::{Operator, Settings};
use crate::stage::plane::{CRD, Plane};
use crate::stage::space::{Space, application, eventually, send};

#[tokio::test]
async fn watches_that_end_are_begun_again_and_nothing_is_missed() {
    // Without a cache in front of it the store decides what is too old, and it forgets within seconds.
    let plane = Plane::bare(&["--watch-cache=false", "--etcd-compaction-interval=1s"]).await;
    plane.install(Path::new(CRD)).await;
    let space = Space::new(&plane, "watches").await;
    accounts::install(&space).await;
    let node = Node::start(&space, Pace::default());
    let line = Line::to(plane.api_server()).await;
    let settings = Settings {
        options: vec![
            // Only what is seen by a watch can make the operator look within the patience of this test.
            ("reconcile.interval", "10 min".into()),
            ("observer.progress-check.interval", "1 s".into()),
            ("rate-limiter.limit", "100".into()),
        ],
        server: Some(line.address),
        ..Settings::default()
    };
    let operator = Operator::start(&plane, &space, &settings).await;
    space.create(&application("job")).await;
    space.until_state("job", "STABLE").await;
    let user = audit::operator(&space);

    // A change of the CRD makes the server end the watches of its kind.
    let before = watches(&plane, &user);
    change_crd(&plane).await;
    eventually("a new watch", async || {
        if watches(&plane, &user) > before {
            Ok(())
        } else {
            Err(String::new())
        }
    })
    .await;
    edit(&space, "after the server ended the watch").await;

    line.interrupt();
    edit(&space, "after the connection broke").await;

    // A long time without a line.
    space.create(&suspended("vanishing")).await;
    space
        .until("vanishing", "a finalizer", |object| {
            object["metadata"]["finalizers"].is_array()
        })
        .await;
    eventually("its actor", async || {
        if actors(&operator).await.contains(&"vanishing".to_owned()) {
            Ok(())
        } else {
            Err(String::new())
        }
    })
    .await;
    let old = version(&space).await;
    line.cut();
    space
        .edit("vanishing", &json!({ "metadata": { "finalizers": null } }))
        .await;
    space.delete("vanishing").await;
    space.create(&application("missed")).await;
    eventually("the store has forgotten", async || {
        let path = format!(
            "{}?watch=true&timeoutSeconds=1&resourceVersion={old}",
            space.all()
        );
        let reply = send(&space.client, Method::GET, &path, None).await;
        let expired = reply.body["code"] == 410 || reply.body["object"]["code"] == 410;
        // A store that remembers sends events, one a line, which are no JSON document together.
        if expired {
            Ok(())
        } else {
            Err(format!("{:.300}", reply.body.to_string()))
        }
    })
    .await;
    let mended = Timestamp::now();
    line.mend();
    space.until_state("missed", "STABLE").await;
    edit(&space, "after the outage").await;
    let relisted = |asked: &Asked| {
        asked.verb == "list" && asked.resource == "flinkdeployments" && asked.at >= mended
    };
    assert!(
        audit::asked_by(&plane, &user).iter().any(relisted),
        "what is too old has to be listed again"
    );
    eventually("the actor of what vanished unseen is gone", async || {
        let actors = actors(&operator).await;
        if actors == ["job", "missed"] {
            Ok(())
        } else {
            Err(actors.join(", "))
        }
    })
    .await;
    assert_eq!(node.running().len(), 2);
    operator.stop().await;
    plane.down().await;
}

/// Adds a column to the CRD.
async fn change_crd(plane: &Plane) {
    let column = json!([{ "op": "add", "path": "/spec/versions/0/additionalPrinterColumns/-",
        "value": { "name": "Image", "type": "string", "jsonPath": ".spec.image" } }]);
    let printed = plane
        .kubectl(&[
            "patch",
            "crd",
            "flinkdeployments.flink.apache.org",
            "--type=json",
            "-p",
            &column.to_string(),
        ])
        .await;
    assert!(printed.ok, "{}", printed.err);
}

/// Edits a job, which the operator can only learn by a watch.
async fn edit(space: &Space, when: &str) {
    let before = space.get("job").await.unwrap();
    let parallelism = before["spec"]["job"]["parallelism"].as_i64().unwrap();
    space
        .edit(
            "job",
            &json!({ "spec": { "job": { "parallelism": parallelism + 1 } } }),
        )
        .await;
    let after = space.until_state("job", "STABLE").await;
    let job = |object: &Value| object["status"]["jobStatus"]["jobId"].clone();
    assert_ne!(job(&after), job(&before), "an edit {when}");
}

fn suspended(name: &str) -> Value {
    let mut object = application(name);
    object["spec"]["job"]["state"] = json!("suspended");
    object
}

fn watches(plane: &Plane, user: &str) -> usize {
    let asked = audit::asked_by(plane, user);
    asked
        .iter()
        .filter(|asked| {
            asked.verb == "watch" && asked.resource == "flinkdeployments" && asked.code == 200
        })
        .count()
}

/// Returns the version of the newest state.
async fn version(space: &Space) -> String {
    let list = space.send(Method::GET, &space.all(), None).await.ok();
    list["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Names the resources that have an actor.
async fn actors(operator: &Operator) -> Vec<String> {
    let (_, text) = operator.get("/actors").await.unwrap();
    let page: Value = serde_json::from_str(&text).unwrap();
    let actors = page["actors"].as_array().unwrap().iter();
    actors
        .map(|actor| actor["name"].as_str().unwrap().to_owned())
        .collect()
}
