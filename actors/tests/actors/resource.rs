//! What the actor of a resource makes of wake-ups and reports.

use super::bench::{Bench, key, millis, pass, quiet, report, stored};
use actix::Actor;
use flink_operator_actors::health::Activity;
use flink_operator_actors::lanes::Lane;
use flink_operator_actors::pass::{End, PassReport};
use flink_operator_actors::resource::{ResourceActor, Wake};
use flink_operator_actors::supervisor::Led;
use operator_core::fact::Why;
use std::sync::Arc;

#[actix::test]
async fn changes_during_a_pass_lead_to_one_more_pass() {
    let bench = Bench::new(|_, _| pass(100, quiet(None)));
    bench.wake("a", Wake::Listed);
    millis(10).await;
    for _ in 0..20 {
        bench.wake("a", Wake::Child);
        bench.wake("a", Wake::Edited);
    }
    millis(10).await;
    assert_eq!(
        bench.health.actor(&key("a")).unwrap().activity,
        Activity::Busy
    );
    millis(5000).await;
    assert_eq!(bench.times(), [0, 100]);
    assert_eq!(bench.health.actor(&key("a")).unwrap().passes, 2);
}

#[actix::test]
async fn a_revisit_is_made_on_time_and_a_change_comes_before_it() {
    let bench = Bench::new(|number, _| pass(0, quiet((number < 2).then_some(60_000))));
    bench.wake("a", Wake::Listed);
    millis(61_000).await;
    assert_eq!(bench.times(), [0, 60_000]);
    bench.wake("a", Wake::Child);
    millis(600_000).await;
    assert_eq!(
        bench.times(),
        [0, 60_000, 61_000],
        "the change took the place of the look at 120 s"
    );
}

#[actix::test]
async fn the_echo_of_a_pass_s_own_write_is_no_news() {
    let bench = Bench::new(|number, _| {
        pass(
            10,
            if number == 0 {
                stored("7")
            } else {
                quiet(None)
            },
        )
    });
    bench.put("a", "5");
    bench.wake("a", Wake::Edited);
    millis(15).await;
    bench.put("a", "6");
    bench.wake("a", Wake::Touched);
    bench.put("a", "7");
    bench.wake("a", Wake::Touched);
    millis(100).await;
    bench.wake("a", Wake::Touched);
    millis(10_000).await;
    assert_eq!(bench.times(), [0]);
    bench.put("a", "8");
    bench.wake("a", Wake::Touched);
    millis(100).await;
    assert_eq!(bench.times().len(), 2, "somebody else wrote it");
}

#[actix::test]
async fn what_is_due_waits_until_the_store_shows_our_write_but_not_for_ever() {
    let acted = |version: &str| PassReport {
        end: End::Acted,
        acted: true,
        ..stored(version)
    };
    let bench = Bench::new(move |number, _| {
        pass(
            0,
            match number {
                0 => acted("7"),
                2 => acted("9"),
                _ => quiet(None),
            },
        )
    });
    bench.put("a", "5");
    bench.wake("a", Wake::Edited);
    millis(300).await;
    assert_eq!(bench.times(), [0]);
    bench.put("a", "7");
    bench.wake("a", Wake::Touched);
    millis(100).await;
    assert_eq!(
        bench.times(),
        [0, 300],
        "looked at what it did once that could be seen"
    );
    bench.put("a", "8");
    bench.wake("a", Wake::Edited);
    millis(5000).await;
    assert_eq!(
        bench.times(),
        [0, 300, 400, 1400],
        "the echo of 9 never came"
    );
}

#[actix::test]
async fn failures_are_tried_again_at_growing_pauses_and_a_change_at_once() {
    let bench = Bench::new(|_, _| pass(0, report(End::Refused(Why::Refused))));
    bench.wake("a", Wake::Listed);
    millis(20_000).await;
    assert_eq!(bench.times(), [0, 5000, 10_000, 17_500]);
    let health = bench.health.actor(&key("a")).unwrap();
    assert_eq!(health.consecutive_failures, 4);
    assert_eq!(
        health.last_pass.unwrap().detail.as_deref(),
        Some("connection refused")
    );
    bench.wake("a", Wake::Edited);
    millis(100).await;
    assert_eq!(bench.times().last(), Some(&20_000));
}

#[actix::test]
async fn the_rate_limit_holds_up_a_resource_that_acts_again_and_again() {
    let bench = Bench::new(|_, _| {
        pass(
            0,
            PassReport {
                acted: true,
                ..report(End::Acted)
            },
        )
    });
    bench.wake("a", Wake::Listed);
    millis(14_000).await;
    assert_eq!(bench.times().len(), 5);
    assert_eq!(
        bench.health.actor(&key("a")).unwrap().next.unwrap().why,
        "rate-limit"
    );
    bench.wake("a", Wake::Edited);
    millis(500).await;
    assert_eq!(bench.times().len(), 5, "a change does not get round it");
    millis(2000).await;
    assert_eq!(bench.times().len(), 10);
}

#[actix::test]
async fn a_panicking_pass_is_a_failure_of_its_resource_alone() {
    let bench = Bench::new(|_, key| {
        pass(
            0,
            if key.name == "bad" {
                None
            } else {
                Some(quiet(None))
            },
        )
    });
    bench.wake("bad", Wake::Listed);
    bench.wake("good", Wake::Listed);
    millis(6000).await;
    let bad = bench.health.actor(&key("bad")).unwrap();
    assert_eq!(
        (
            bad.last_pass.unwrap().outcome,
            bad.consecutive_failures,
            bad.restarts
        ),
        ("panicked", 2, 0)
    );
    assert_eq!(
        bench
            .health
            .actor(&key("good"))
            .unwrap()
            .last_pass
            .unwrap()
            .outcome,
        "quiet"
    );
}

#[actix::test]
async fn a_change_overtakes_what_waits_to_be_looked_at() {
    let factory = |crew| -> flink_operator_actors::supervisor::Factory {
        let crew = Arc::new(crew);
        Box::new(move |key, life, parent| {
            ResourceActor::new(key, life, Arc::clone(&crew), parent)
                .start()
                .recipient()
        })
    };
    assert!(Lane::Look < Lane::Change);
    let bench = Bench::standby(1, |_, _| pass(1000, quiet(None)), factory);
    bench.supervisor.do_send(Led);
    for number in 0..20 {
        bench.wake(&format!("listed-{number}"), Wake::Listed);
    }
    millis(10).await;
    bench.wake("edited", Wake::Edited);
    bench.wake("listed-19", Wake::Edited);
    millis(1005).await;
    assert_eq!(
        bench.names()[..4],
        ["listed-0", "listed-1", "listed-2", "listed-3"]
    );
    assert_eq!(
        bench.names()[4],
        "edited",
        "it did not wait for those that were listed before"
    );
    assert_eq!(
        bench.health.actor(&key("listed-18")).unwrap().activity,
        Activity::Queued
    );
    millis(1005).await;
    assert!(
        bench.names().contains(&"listed-19".to_owned()),
        "it changed lanes while it waited"
    );
}
