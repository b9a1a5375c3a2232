//! What the supervisor does about births, deaths and crashes.

use super::bench::{Bench, key, millis, pass, quiet, report};
use actix::WeakRecipient;
use actix::prelude::*;
use flink_operator_actors::health::{Activity, Part};
use flink_operator_actors::pass::End;
use flink_operator_actors::resource::{ChildNews, Order, Wake};
use flink_operator_actors::supervisor::{CutOff, Drain, Factory, Led, Sighting};
use operator_core::name::Key;
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// An actor that panics at its first order, as long as it is told to.
struct Crasher {
    key: Key,
    incarnation: u64,
    crash: bool,
    parent: WeakRecipient<ChildNews>,
}

impl Actor for Crasher {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Self::Context) {
        let (key, incarnation) = (self.key.clone(), self.incarnation);
        self.parent
            .upgrade()
            .unwrap()
            .do_send(ChildNews::Stopped { key, incarnation });
    }
}

impl Handler<Order> for Crasher {
    type Result = ();

    fn handle(&mut self, _: Order, _: &mut Self::Context) {
        assert!(!self.crash, "a crash on purpose");
    }
}

/// Starts actors that crash in their first lives, and notes when each was born, in seconds.
fn crashing(lives: u64) -> (Bench, Arc<Mutex<Vec<u64>>>) {
    let births = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&births);
    let factory = move |_| -> Factory {
        let start = Instant::now();
        Box::new(move |key, incarnation, parent| {
            noted.lock().unwrap().push(start.elapsed().as_secs());
            Crasher {
                key,
                incarnation,
                crash: incarnation <= lives,
                parent,
            }
            .start()
            .recipient()
        })
    };
    let bench = Bench::standby(1, |_, _| pass(0, quiet(None)), factory);
    bench.supervisor.do_send(Led);
    (bench, births)
}

#[actix::test]
async fn a_crashed_actor_is_started_again_after_growing_pauses() {
    let (bench, births) = crashing(6);
    bench.wake("a", Wake::Listed);
    millis(500).await;
    let health = bench.health.actor(&key("a")).unwrap();
    assert_eq!(
        (health.activity, health.restarts, health.crash_looping),
        (Activity::Crashed, 1, false)
    );
    millis(200_000).await;
    assert_eq!(*births.lock().unwrap(), [0, 1, 3, 7, 15, 31, 63]);
    let health = bench.health.actor(&key("a")).unwrap();
    assert_eq!((health.restarts, health.crash_looping), (6, true));
}

#[actix::test]
async fn a_crash_loop_is_named_and_disturbs_nobody_else() {
    let (bench, _) = crashing(100);
    bench.wake("a", Wake::Listed);
    millis(40_000).await;
    let page = serde_json::to_value(bench.health.snapshot()).unwrap();
    let actor = &page["actors"][0];
    assert_eq!(
        (&actor["activity"], &actor["waiting"]["reason"]),
        (&json!("crashed"), &json!("ActorCrashLoop")),
        "{actor}"
    );
    assert_eq!(page["counts"]["crashLooping"], 1);
    let details = bench.health.readiness().details.join("\n");
    assert!(details.contains("FlinkDeployment demo/a"), "{details}");
    assert_eq!(
        bench.health.liveness(Duration::from_secs(10)),
        Ok(()),
        "it is no reason to kill the process"
    );
}

#[actix::test]
async fn a_resource_that_vanishes_is_not_started_again() {
    let (bench, births) = crashing(100);
    bench.wake("a", Wake::Listed);
    millis(2000).await;
    bench.vanish("a");
    millis(100_000).await;
    assert_eq!(births.lock().unwrap().len(), 2);
    assert!(bench.health.actor(&key("a")).is_none());
}

#[actix::test]
async fn a_pass_is_finished_before_its_actor_retires() {
    let bench = Bench::new(|_, _| pass(1000, quiet(None)));
    bench.put("a", "1");
    bench.wake("a", Wake::Listed);
    millis(100).await;
    bench.vanish("a");
    millis(100).await;
    assert_eq!(
        bench.health.actor(&key("a")).unwrap().activity,
        Activity::Draining
    );
    millis(1000).await;
    assert!(bench.health.actor(&key("a")).is_none());
}

#[actix::test]
async fn a_resource_that_comes_back_while_its_actor_retires_gets_a_new_one() {
    let bench = Bench::new(|_, _| pass(1000, quiet(None)));
    bench.put("a", "1");
    bench.wake("a", Wake::Listed);
    millis(100).await;
    bench.vanish("a");
    bench.put("a", "2");
    bench.wake("a", Wake::Edited);
    millis(5000).await;
    assert_eq!(bench.times(), [0, 1000]);
    assert!(bench.health.actor(&key("a")).is_some());
}

#[actix::test]
async fn a_pass_that_finds_nothing_retires_its_actor() {
    let bench = Bench::new(|_, _| pass(0, report(End::Gone)));
    bench.wake("a", Wake::Child);
    millis(1000).await;
    assert_eq!(bench.times(), [0]);
    assert!(bench.health.actor(&key("a")).is_none());
}

#[actix::test]
async fn a_standby_knows_resources_and_starts_nothing_until_it_leads() {
    let births = Arc::new(Mutex::new(0));
    let noted = Arc::clone(&births);
    let standby = Bench::standby(
        1,
        |_, _| pass(0, quiet(None)),
        move |_| {
            Box::new(move |key, incarnation, parent| {
                *noted.lock().unwrap() += 1;
                Crasher {
                    key,
                    incarnation,
                    crash: false,
                    parent,
                }
                .start()
                .recipient()
            })
        },
    );
    standby
        .supervisor
        .do_send(Sighting::Listed(vec![key("a"), key("b"), key("c")]));
    standby.vanish("b");
    millis(60_000).await;
    assert_eq!(*births.lock().unwrap(), 0);
    standby.supervisor.do_send(Led);
    millis(10).await;
    assert_eq!(*births.lock().unwrap(), 2);
}

#[actix::test]
async fn draining_waits_for_running_passes_and_starts_no_more() {
    let bench = Bench::new(|_, _| pass(3000, quiet(Some(0))));
    for name in ["a", "b"] {
        bench.wake(name, Wake::Listed);
    }
    millis(1000).await;
    let (tell, drained) = tokio::sync::oneshot::channel();
    bench.supervisor.do_send(Drain(tell));
    bench.wake("c", Wake::Edited);
    let began = Instant::now();
    drained.await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    millis(10_000).await;
    assert_eq!(bench.names(), ["a", "b"]);
}

#[actix::test]
async fn a_cut_ends_everything_at_once() {
    let bench = Bench::new(|_, _| pass(3000, quiet(Some(0))));
    bench.wake("a", Wake::Listed);
    millis(1000).await;
    bench.tasks.cut();
    bench.supervisor.do_send(CutOff);
    millis(60_000).await;
    assert_eq!(bench.names(), ["a"]);
    assert_eq!(bench.tasks.running(), 0);
    assert!(!bench.supervisor.connected());
    assert_eq!(
        bench.health.liveness(Duration::ZERO),
        Ok(()),
        "nothing is expected of what has ended"
    );
}

#[actix::test]
async fn the_supervisor_gives_signs_of_life() {
    let bench = Bench::new(|_, _| pass(0, quiet(None)));
    millis(600_000).await;
    assert_eq!(bench.health.liveness(Duration::from_secs(10)), Ok(()));
    // A part that never ran again would be late by now.
    bench.health.beat(Part::Elector);
    millis(60_000).await;
    assert_eq!(
        bench.health.liveness(Duration::from_secs(10)),
        Err(vec![Part::Elector])
    );
}
