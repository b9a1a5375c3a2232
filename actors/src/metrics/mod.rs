//! Metrics: upstream's names where it has them, ours for what it does not measure.
//!
//! Labels come from closed sets and namespaces; no names of objects.

mod counts;
mod fleet;
mod lifecycle;
mod names;
mod requests;
mod samples;

pub use names::{Identity, Switches};
pub use requests::RequestMeter;

use crate::clock::Clock;
use crate::health::Health;
use crate::pass::End;
use crate::resource::PassEnded;
use crate::stores::Stores;
use crate::supervisor::{CutOff, Forgotten};
use actix::prelude::*;
use counts::Counts;
use fleet::Fleet;
use names::Maker;
use prometheus::Registry;
use requests::PassMeter;

/// The actor that counts resources and passes.
pub struct Metrics {
    counts: Counts,
    passes: PassMeter,
    requests: RequestMeter,
    clock: Clock,
}

impl Metrics {
    /// Makes all metrics and registers them; fails if the registry has any of them already.
    pub fn make(
        registry: &Registry,
        identity: &Identity,
        switches: &Switches,
        (clock, health, stores): (Clock, Health, Stores),
    ) -> prometheus::Result<Self> {
        let maker = Maker {
            registry,
            identity,
            switches,
        };
        registry.register(Box::new(Fleet::new(health, stores)))?;
        Ok(Self {
            counts: Counts::make(&maker)?,
            passes: PassMeter::make(&maker)?,
            requests: RequestMeter::make(&maker)?,
            clock,
        })
    }

    /// Returns what counts requests.
    pub fn request_meter(&self) -> RequestMeter {
        self.requests.clone()
    }
}

impl Actor for Metrics {
    type Context = Context<Self>;
}

impl Handler<PassEnded> for Metrics {
    type Result = ();

    fn handle(&mut self, ended: PassEnded, _: &mut Self::Context) {
        let kind = ended.key.kind.as_str();
        let outcome = ended
            .report
            .as_ref()
            .map_or("panicked", |report| report.end.label());
        self.passes.ends.with_label_values(&[kind, outcome]).inc();
        self.passes
            .queued
            .with_label_values(&[kind])
            .observe(ended.queued.as_secs_f64());
        if ended.retry {
            self.passes.retries.with_label_values(&[kind]).inc();
        }
        let Some(report) = &ended.report else { return };
        self.passes
            .seconds
            .with_label_values(&[kind])
            .observe(report.took.as_secs_f64());
        if report.end != End::Gone {
            self.counts
                .see(&ended.key, report.summary.as_ref(), self.clock.monotonic());
        }
    }
}

impl Handler<Forgotten> for Metrics {
    type Result = ();

    fn handle(&mut self, Forgotten(key): Forgotten, _: &mut Self::Context) {
        self.counts.forget(&key);
    }
}

impl Handler<CutOff> for Metrics {
    type Result = ();

    fn handle(&mut self, _: CutOff, ctx: &mut Self::Context) {
        ctx.stop();
    }
}
