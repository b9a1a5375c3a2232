//! What hurries a resource in trouble and what does not, and who hears of a new configuration.

use super::bench::{Bench, key, millis, pass, quiet, report};
use actix::Actor;
use flink_operator_actors::config_watcher::ConfigWatcher;
use flink_operator_actors::pass::End;
use flink_operator_actors::resource::Wake;
use flink_operator_actors::supervisor::Reconfigured;
use operator_core::config::{Configuration, HostFiles, OperatorSettings};
use operator_core::fact::Why;
use operator_core::resource::Broken;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Every pass takes 100 ms and ends like this; the next one is due after that many milliseconds.
async fn only_a_user_hurries(end: End, due: u64) {
    let bench = Bench::new(move |_, _| pass(100, report(end.clone())));
    bench.put("a", "1");
    bench.wake("a", Wake::Edited);
    millis(50).await;
    bench.put("a", "2");
    bench.wake("a", Wake::Touched);
    millis(1000).await;
    bench.put("a", "3");
    bench.wake("a", Wake::Touched);
    millis(1000).await;
    assert_eq!(bench.times(), [0], "neither during the pass nor after it");
    bench.put("a", "4");
    bench.wake("a", Wake::Edited);
    millis(due - 10).await;
    assert_eq!(bench.times(), [0, 2050], "a user does not wait");
    millis(1000).await;
    assert_eq!(bench.times(), [0, 2050, 2150 + u128::from(due)]);
}

#[actix::test]
async fn a_change_of_the_status_does_not_shorten_the_pause_after_a_failure() {
    only_a_user_hurries(End::Refused(Why::Refused), 5_000).await;
}

#[actix::test]
async fn a_change_of_the_status_does_not_shorten_the_pause_after_an_old_crd_was_found() {
    only_a_user_hurries(End::CrdOutdated, 60_000).await;
}

#[actix::test]
async fn an_edit_during_a_pass_that_fails_is_looked_at_next() {
    let bench = Bench::new(|_, _| pass(100, report(End::Refused(Why::Refused))));
    bench.put("a", "1");
    bench.wake("a", Wake::Listed);
    millis(50).await;
    bench.put("a", "2");
    bench.wake("a", Wake::Edited);
    millis(1000).await;
    assert_eq!(bench.times(), [0, 100]);
}

#[actix::test]
async fn a_resource_that_the_store_shows_too_long_is_looked_for_at_growing_pauses() {
    let bench = Bench::new(|_, _| pass(0, report(End::Gone)));
    bench.put("a", "1");
    bench.wake("a", Wake::Listed);
    millis(900).await;
    assert_eq!(bench.times(), [0, 100, 250, 480, 820]);
    bench.vanish("a");
    millis(60_000).await;
    assert_eq!(bench.times().len(), 5);
    assert!(bench.health.actor(&key("a")).is_none());
}

#[actix::test]
async fn a_new_configuration_is_a_reason_to_look_at_every_resource() {
    let bench = Bench::new(|_, _| pass(10, quiet(None)));
    for name in ["a", "b"] {
        bench.wake(name, Wake::Listed);
    }
    millis(1000).await;
    bench.supervisor.do_send(Reconfigured);
    millis(1000).await;
    assert_eq!(bench.names(), ["a", "b", "a", "b"]);
}

#[actix::test]
async fn files_that_change_wake_resources_and_files_that_do_not_let_them_sleep() {
    let bench = Bench::new(|_, _| pass(0, quiet(None)));
    bench.wake("a", Wake::Listed);
    let interval = Arc::new(AtomicU64::new(15));
    let read = {
        let interval = Arc::clone(&interval);
        move || settings(interval.load(Ordering::Relaxed))
    };
    let (send, settings) = watch::channel(Arc::new(read()));
    let told = (bench.supervisor.clone().recipient(), None);
    let watcher = ConfigWatcher::new(
        (Arc::new(move || Ok(read())), Duration::from_secs(5)),
        send,
        (bench.health.clone(), bench.tasks.clone()),
        told,
        "default".to_owned(),
    )
    .start();
    millis(20_000).await;
    assert_eq!(bench.times(), [0]);
    interval.store(30, Ordering::Relaxed);
    millis(20_000).await;
    assert_eq!(bench.times().len(), 2, "once, not at every look");
    assert_eq!(**settings.borrow(), self::settings(30));
    watcher.do_send(flink_operator_actors::supervisor::CutOff);
}

fn settings(interval: u64) -> OperatorSettings {
    let mut base = Configuration::default();
    base.set(
        "kubernetes.operator.reconcile.interval",
        format!("{interval} s"),
    );
    OperatorSettings::new(base, HostFiles::default())
}

#[actix::test]
async fn a_status_that_cannot_be_read_is_told_once() {
    let warnings = Warnings::default();
    let counted = Arc::clone(&warnings.0);
    let _listening = tracing::subscriber::set_default(warnings);
    let broken = |problem: &str| {
        report(End::Unreadable(Broken {
            path: "status.operation".into(),
            problem: problem.into(),
        }))
    };
    let bench = Bench::new(move |number, _| match number {
        0..=2 => pass(0, broken("no map")),
        4 => pass(0, quiet(None)),
        _ => pass(0, broken("no id")),
    });
    let mut told = Vec::new();
    for _ in 0..6 {
        bench.wake("a", Wake::Child);
        millis(100).await;
        told.push(counted.load(Ordering::Relaxed));
    }
    assert_eq!(told, [1, 1, 1, 2, 2, 3]);
}

/// Counts warnings about a status that cannot be read.
#[derive(Default)]
struct Warnings(Arc<AtomicUsize>);

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Message(&self.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Message<'a>(&'a AtomicUsize);

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" && format!("{value:?}").contains("cannot be read") {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}
