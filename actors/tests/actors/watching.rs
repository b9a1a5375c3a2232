//! The watcher of namespaces before an API server that says what the test wants.

use super::bench::millis;
use actix::prelude::*;
use bytes::Bytes;
use flink_operator_actors::announcer::{Board, Due};
use flink_operator_actors::backoff::Jitter;
use flink_operator_actors::clock::Clock;
use flink_operator_actors::health::Health;
use flink_operator_actors::leadership::Leadership;
use flink_operator_actors::namespaces::{Announcing, NamespaceSet, NamespaceWatcher, Watching};
use flink_operator_actors::shell::CrdSupport;
use flink_operator_actors::stores::Stores;
use flink_operator_actors::supervisor::{CutOff, Sighting};
use flink_operator_actors::tasks::Tasks;
use flink_operator_world::clock::Clock as VirtualClock;
use flink_operator_world::cluster::WorldClock;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use kube::client::Body;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Said = Arc<Mutex<Value>>;

/// A client of a server that lists these FlinkDeployments and nothing else; its watches stay silent.
fn client(said: Said) -> kube::Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let said = Arc::clone(&said);
        async move {
            // A server that answers at once would never let virtual time move.
            millis(1).await;
            let uri = request.uri().to_string();
            if uri.contains("watch=") {
                let silence = futures::stream::pending::<Result<_, Infallible>>();
                let body: UnsyncBoxBody<Bytes, Infallible> =
                    StreamBody::new(silence).boxed_unsync();
                return Ok::<_, Infallible>(Response::new(body));
            }
            let items = if uri.contains("flinkdeployments") {
                said.lock().unwrap().clone()
            } else {
                json!([])
            };
            let list = json!({
                "kind": "List", "apiVersion": "v1", "metadata": { "resourceVersion": "7" }, "items": items,
            });
            Ok(Response::new(
                Full::new(Bytes::from(list.to_string())).boxed_unsync(),
            ))
        }
    });
    kube::Client::new(service, "default")
}

/// Notes what it is told.
struct Listener(Arc<Mutex<Vec<String>>>);

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<Sighting> for Listener {
    type Result = ();

    fn handle(&mut self, sighting: Sighting, _: &mut Self::Context) {
        let told = match sighting {
            Sighting::Listed(keys) => {
                let names: Vec<String> = keys.into_iter().map(|key| key.name).collect();
                format!("listed {}", names.join(" "))
            }
            Sighting::Changed(key, wake) => format!("{} {wake:?}", key.name),
            Sighting::Vanished(key) => format!("{} vanished", key.name),
        };
        self.0.lock().unwrap().push(told);
    }
}

/// Is told nothing here.
struct Nobody;

impl Actor for Nobody {
    type Context = Context<Self>;
}

impl Handler<Due> for Nobody {
    type Result = ();

    fn handle(&mut self, due: Due, _: &mut Self::Context) {
        panic!("{due:?}");
    }
}

fn flink(name: &str, version: &str, (field, value): (&str, Value)) -> Value {
    let mut object = json!({
        "metadata": { "name": name, "namespace": "demo", "uid": name, "resourceVersion": version, "generation": 1 },
        "spec": {},
    });
    object["metadata"][field] = value;
    object
}

#[actix::test]
async fn an_object_that_cannot_be_decoded_is_isolated_and_not_taken_for_deleted() {
    tokio::time::pause();
    let broken = ("finalizers", json!("none"));
    let whole = |generation: i64| ("generation", json!(generation));
    let said = Arc::new(Mutex::new(json!([
        flink("bad", "1", broken.clone()),
        flink("good", "2", whole(1)),
        flink("other", "3", whole(1)),
    ])));
    let told = Arc::new(Mutex::new(Vec::new()));
    let clock = Clock::new(WorldClock(VirtualClock::new()));
    let health = Health::new(
        clock.clone(),
        Leadership::alone(clock.clone()),
        CrdSupport::default(),
    );
    let watching = Watching {
        client: client(Arc::clone(&said)),
        stores: Stores::default(),
        health: health.clone(),
        tasks: Tasks::new(),
        clock,
        announcing: Announcing {
            board: Board::default(),
            announcer: Nobody.start().recipient(),
        },
        jitter: Jitter::seeded(1),
        selector: None,
        relist: Duration::from_secs(100),
    };
    let listener = Listener(Arc::clone(&told)).start();
    let watcher = NamespaceWatcher::new(watching, NamespaceSet::All, listener.recipient()).start();
    millis(1000).await;
    let take = || std::mem::take(&mut *told.lock().unwrap());
    assert_eq!(take(), ["listed good other"]);
    let details = health.readiness().details.join("\n");
    assert!(
        details.contains("FlinkDeployment demo/bad cannot be decoded: metadata.finalizers"),
        "{details}"
    );
    assert!(health.readiness().ready, "it is not in the way of others");

    *said.lock().unwrap() = json!([
        flink("bad", "1", broken.clone()),
        flink("good", "4", broken)
    ]);
    millis(130_000).await;
    assert_eq!(
        take(),
        ["other vanished"],
        "what cannot be read is not absent"
    );
    assert_eq!(health.undecodable_objects().len(), 2);

    *said.lock().unwrap() = json!([flink("good", "5", whole(2))]);
    millis(130_000).await;
    assert_eq!(take(), ["good Edited"]);
    assert!(
        health.undecodable_objects().is_empty(),
        "{:?}",
        health.undecodable_objects()
    );
    watcher.do_send(CutOff);
}
