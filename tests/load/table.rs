//! The table at the end, in the form of docs/benchmarks.md.

// Figures for people, far below what a float can tell apart.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]

use std::fmt::Write;
use std::time::Duration;

use crate::bench::{CREATORS, Figures, INTERVAL, NAMESPACES};

/// Writes the figures beside the targets for a thousand resources on two cores.
pub(crate) fn of(figures: &Figures) -> String {
    let mut table = Table {
        lines: String::new(),
        resources: figures.resources,
    };
    table.row(
        "Figure",
        "Target",
        &format!(
            "{} resources, {CREATORS} creators, {NAMESPACES} namespaces",
            figures.resources
        ),
    );
    table.row("---", "---", "---");
    table.process(figures);
    table.creation(figures);
    table.requests(figures);
    table.rest(figures);
    let load = &figures.load;
    writeln!(
        table.lines,
        "\nLoad averages of the machine before the run: {load}."
    )
    .unwrap();
    table.lines
}

/// A table under way.
struct Table {
    lines: String,
    resources: usize,
}

impl Table {
    fn row(&mut self, figure: &str, target: &str, measured: &str) {
        writeln!(self.lines, "| {figure} | {target} | {measured} |").unwrap();
    }

    /// Shares a number out among the resources.
    fn each(&self, number: f64) -> f64 {
        number / self.resources as f64
    }

    fn process(&mut self, figures: &Figures) {
        let [empty, full] = figures.ready;
        self.row(
            &format!("start to ready, with 0 / {} resources", self.resources),
            "0.1 s / 1 s",
            &format!("{} / {}", seconds(empty), seconds(full)),
        );
        let restart = &figures.restart;
        self.row(
            "restart: all observed once / CPU until then",
            "3 s / 2 s",
            &format!("{} / {}", seconds(restart.observed), seconds(restart.cpu)),
        );
        let [idle, stable, rest, peak] = figures.memory;
        self.row(
            "resident memory idle / all STABLE / at rest / peak",
            "20 / – / 60 / – MiB",
            &format!("{idle:.1} / {stable:.1} / {rest:.1} / {peak:.1} MiB"),
        );
        let each = self.each((rest - idle) * 1024.0);
        self.row(
            "… of which per resource, at rest",
            "40 KiB",
            &format!("{each:.1} KiB"),
        );
    }

    fn creation(&mut self, figures: &Figures) {
        let names = [
            "one alone, on an API server that has just begun",
            "one alone",
        ];
        for (name, [deployment, stable]) in names.into_iter().zip(&figures.alone) {
            self.row(
                &format!("{name}: create → Deployment / → STABLE"),
                "– / 3 s",
                &format!("{} / {}", seconds(*deployment), seconds(*stable)),
            );
        }
        self.row(
            "raw requests of a creation p50 / p99",
            "–",
            &quantiles(&figures.raw),
        );
        let last = |sorted| quantile(sorted, 0.99).as_secs_f64();
        let ratio = last(&figures.deployment) / last(&figures.raw);
        self.row(
            "create → Deployment p50 / p99",
            "p99 8 s, at most 1.25 × raw",
            &format!(
                "{}; p99 is {ratio:.2} × raw",
                quantiles(&figures.deployment)
            ),
        );
        self.row(
            "create → STABLE p50 / p99",
            "p99 15 s",
            &quantiles(&figures.stable),
        );
        for (what, others) in ["raw requests", "all STABLE"].iter().zip(figures.others) {
            self.row(
                &format!("{what}: took / CPU of API server and etcd / of the harness"),
                "–",
                &format!(
                    "{} / {} / {}",
                    seconds(others.took),
                    seconds(others.server),
                    seconds(others.harness)
                ),
            );
        }
        let each = self.each(figures.cpu.as_secs_f64() * 1000.0);
        self.row(
            "CPU until STABLE, in all / per resource",
            "8 ms per resource",
            &format!("{} / {each:.1} ms", seconds(figures.cpu)),
        );
    }

    fn requests(&mut self, figures: &Figures) {
        let count = |of: fn(&str) -> bool| -> usize {
            let counts = figures.requests.iter();
            counts
                .filter(|((verb, _), _)| of(verb))
                .map(|(_, count)| count)
                .sum()
        };
        let all = self.each(count(|_| true) as f64);
        let written = self.each(count(|verb| !matches!(verb, "get" | "list")) as f64);
        self.row(
            "API requests per resource until STABLE, and told in events",
            "18, 13 of them writes",
            &format!("{all:.1}, {written:.1} of them writes"),
        );
        for ((verb, resource), count) in &figures.requests {
            let each = self.each(*count as f64);
            self.row(&format!("… {verb} {resource}"), "", &format!("{each:.2}"));
        }
    }

    fn rest(&mut self, figures: &Figures) {
        let rest = &figures.rest;
        let window = rest.window.as_secs_f64();
        let looks = self.resources as f64 * window / INTERVAL.as_secs_f64();
        self.row(
            &format!("at rest, {} s interval: CPU", INTERVAL.as_secs()),
            "0.05 core",
            &format!("{:.3} core", rest.cpu.as_secs_f64() / window),
        );
        self.row(
            "… API requests",
            "0",
            &format!("{} in {}", rest.requests, seconds(rest.window)),
        );
        self.row(
            "… Flink calls per look",
            "at most 3",
            &format!("{:.2}", rest.calls as f64 / looks),
        );
        self.row(
            "… new connections to JobManagers per minute",
            "reused",
            &format!("{:.0}", rest.connections as f64 * 60.0 / window),
        );
    }
}

fn quantiles(sorted: &[Duration]) -> String {
    format!(
        "{} / {}",
        seconds(quantile(sorted, 0.5)),
        seconds(quantile(sorted, 0.99))
    )
}

/// Returns the least value that so large a part of all does not exceed.
fn quantile(sorted: &[Duration], part: f64) -> Duration {
    let rank = (sorted.len() as f64 * part).ceil() as usize;
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1000.0)
    } else {
        format!("{seconds:.1} s")
    }
}
