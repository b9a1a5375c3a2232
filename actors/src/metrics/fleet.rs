//! How the actors and watches fare, read from the health registry whenever metrics are asked for.

use super::names::free_gauges;
use crate::health::{Health, Role};
use crate::stores::Stores;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, GaugeVec};
use std::sync::Mutex;

/// What a store entry takes besides its texts: metadata, keys, pointers.
const ENTRY: usize = 600;

/// Collects from health and stores.
pub(super) struct Fleet {
    health: Health,
    stores: Stores,
    gauges: Gauges,
    /// One scrape at a time: families are emptied and filled again.
    turn: Mutex<()>,
}

struct Gauges {
    actors: GaugeVec,
    failing: GaugeVec,
    crash_looping: GaugeVec,
    waiting: GaugeVec,
    watch_ready: GaugeVec,
    watch_trouble: GaugeVec,
    undecodable: GaugeVec,
    leading: GaugeVec,
    crd_outdated: GaugeVec,
    configuration_bad: GaugeVec,
    stored: GaugeVec,
    stored_bytes: GaugeVec,
}

impl Fleet {
    pub(super) fn new(health: Health, stores: Stores) -> Self {
        let gauges = Gauges {
            actors: free_gauges(
                "actors",
                "Actors of resources by what they are doing",
                &["activity"],
            ),
            failing: free_gauges("actors_failing", "Actors whose last pass failed", &[]),
            crash_looping: free_gauges(
                "actors_crash_looping",
                "Actors that crash again and again",
                &[],
            ),
            waiting: free_gauges(
                "actors_waiting",
                "Actors whose resource waits for something, by reason",
                &["reason"],
            ),
            watch_ready: free_gauges(
                "watch_ready",
                "Whether a namespace has been listed completely",
                &["resourcens"],
            ),
            watch_trouble: free_gauges(
                "watch_trouble",
                "Watches that do not work",
                &["resourcens", "resource"],
            ),
            undecodable: free_gauges("undecodable_objects", "Objects that cannot be decoded", &[]),
            leading: free_gauges("leading", "Whether this instance acts", &[]),
            crd_outdated: free_gauges(
                "crd_outdated",
                "Whether the installed CRD drops status fields",
                &[],
            ),
            configuration_bad: free_gauges(
                "configuration_bad",
                "Whether the configuration files cannot be read",
                &[],
            ),
            stored: free_gauges("stored_resources", "Resources in the watch stores", &[]),
            stored_bytes: free_gauges(
                "stored_bytes",
                "Estimated memory of resources in the watch stores",
                &[],
            ),
        };
        Self {
            health,
            stores,
            gauges,
            turn: Mutex::new(()),
        }
    }

    fn all(&self) -> [&GaugeVec; 12] {
        let gauges = &self.gauges;
        [
            &gauges.actors,
            &gauges.failing,
            &gauges.crash_looping,
            &gauges.waiting,
            &gauges.watch_ready,
            &gauges.watch_trouble,
            &gauges.undecodable,
            &gauges.leading,
            &gauges.crd_outdated,
            &gauges.configuration_bad,
            &gauges.stored,
            &gauges.stored_bytes,
        ]
    }

    fn fill(&self) {
        let gauges = &self.gauges;
        for (activity, count) in self.health.activities() {
            set(
                &gauges.actors.with_label_values(&[activity.as_str()]),
                count,
            );
        }
        let single =
            |gauges: &GaugeVec, value: i64| set(&gauges.with_label_values::<&str>(&[]), value);
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        single(
            &gauges.failing,
            count(self.health.count(|actor| actor.consecutive_failures > 0)),
        );
        single(
            &gauges.crash_looping,
            count(self.health.count(|actor| actor.crash_looping)),
        );
        for (reason, waiting) in self.health.waiting() {
            set(&gauges.waiting.with_label_values(&[reason]), waiting);
        }
        for (scope, watch) in self.health.watches() {
            set(
                &gauges.watch_ready.with_label_values(&[&scope]),
                i64::from(watch.ready),
            );
            for plural in watch.troubles.keys() {
                set(
                    &gauges
                        .watch_trouble
                        .with_label_values(&[scope.as_str(), plural]),
                    1,
                );
            }
        }
        single(
            &gauges.undecodable,
            count(self.health.undecodable_objects().len()),
        );
        single(
            &gauges.leading,
            i64::from(self.health.role() == Role::Leading),
        );
        single(
            &gauges.crd_outdated,
            i64::from(self.health.crd_is_outdated()),
        );
        single(
            &gauges.configuration_bad,
            i64::from(self.health.configuration_problem().is_some()),
        );
        let keys = self.stores.keys();
        single(&gauges.stored, count(keys.len()));
        let bytes = keys
            .iter()
            .filter_map(|key| self.stores.resource(key))
            .map(|resource| {
                let texts = [&resource.spec, &resource.status];
                ENTRY
                    + texts
                        .iter()
                        .filter_map(|text| text.as_ref())
                        .map(|text| text.get().len())
                        .sum::<usize>()
            });
        single(&gauges.stored_bytes, count(bytes.sum()));
    }
}

fn set(gauge: &Gauge, value: i64) {
    // Counts of this kind stay far below what a float counts exactly.
    #[allow(clippy::cast_precision_loss)]
    gauge.set(value as f64);
}

impl Collector for Fleet {
    fn desc(&self) -> Vec<&Desc> {
        self.all().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let _turn = self
            .turn
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for gauges in self.all() {
            gauges.reset();
        }
        self.fill();
        self.all()
            .into_iter()
            .flat_map(Collector::collect)
            .collect()
    }
}
