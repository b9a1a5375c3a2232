//! A job at rest costs the API server nothing.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::time::sleep;

use crate::stage::accounts;
use crate::stage::audit::{self, Asked};
use crate::stage::node::{Node, Pace};
use crate::stage::operator::{Operator, Settings};
use crate::stage::plane::Plane;
use crate::stage::space::{Space, application, eventually};

/// How long is listened.
const WINDOW: Duration = Duration::from_secs(60);
/// How often the operator looks at a job at rest.
const INTERVAL: u64 = 5;

#[tokio::test]
async fn jobs_at_rest_cause_no_request_but_watches() {
    let plane = Plane::shared().await;
    let space = Space::new(plane, "quiet").await;
    accounts::install(&space).await;
    let node = Node::start(&space, Pace::default());
    let settings = Settings {
        options: vec![
            ("reconcile.interval", format!("{INTERVAL} s")),
            ("observer.progress-check.interval", "1 s".into()),
        ],
        ..Settings::default()
    };
    let operator = Operator::start(plane, &space, &settings).await;
    space.create(&application("plain")).await;
    let mut checkpointing = application("checkpointing");
    checkpointing["spec"]["flinkConfiguration"]["execution.checkpointing.interval"] = json!("1 s");
    space.create(&checkpointing).await;
    space.until_state("plain", "STABLE").await;
    space.until_state("checkpointing", "STABLE").await;
    // The first look at a job that runs may have news; from then on only checkpoints are new.
    space
        .until(
            "checkpointing",
            "its first checkpoint is stored",
            |object| object["status"]["lineage"]["newest"]["id"].is_number(),
        )
        .await;
    let user = audit::operator(&space);
    eventually("all is told", async || {
        let last = sent(plane, &user)
            .into_iter()
            .map(|asked| asked.at)
            .max()
            .unwrap();
        let pause = Timestamp::now().duration_since(last);
        if pause.as_secs() >= 2 {
            Ok(())
        } else {
            Err(format!("{pause:#} since the last request"))
        }
    })
    .await;

    let before = sent(plane, &user).len();
    let (calls, connections) = node.counts().now();
    sleep(WINDOW).await; // the subject itself: nothing is to happen meanwhile
    let (calls_after, connections_after) = node.counts().now();
    let extra = sent(plane, &user).split_off(before);
    assert!(extra.is_empty(), "within {WINDOW:?}: {extra:#?}");

    let looks = WINDOW.as_secs() / INTERVAL;
    let asked = calls_after - calls;
    // Two jobs; the interval is spread by some jitter, and a look is at most three calls.
    assert!(
        (2 * (looks - 2)..=2 * 3 * (looks + 2)).contains(&asked),
        "{asked} calls of Flink in {looks} looks at 2 jobs"
    );
    assert_eq!(
        connections_after - connections,
        0,
        "new connections to JobManagers"
    );
    space.until_state("plain", "STABLE").await;
    operator.stop().await;
}

/// Returns all requests but watches, whose number is the API server's affair: it ends them as it likes.
fn sent(plane: &Plane, user: &str) -> Vec<Asked> {
    let mut asked = audit::asked_by(plane, user);
    asked.retain(|asked| asked.verb != "watch");
    asked
}
