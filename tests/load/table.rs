//! The table at the end, in the form of docs/benchmarks.md.

use std::fmt::Write;
use std::time::Duration;

use crate::bench::{CREATORS, Figures, INTERVAL, NAMESPACES};

/// Writes the figures beside the targets for a thousand resources on two cores.
pub(crate) fn of(figures: &Figures) -> String {
    let n = figures.resources;
    let each = |number: usize| number as f64 / n as f64;
    let mut table = String::new();
    let mut row = |figure: &str, target: &str, measured: String| {
        writeln!(table, "| {figure} | {target} | {measured} |").unwrap();
    };
    row(
        "Figure",
        "Target",
        format!("{n} resources, {CREATORS} creators, {NAMESPACES} namespaces"),
    );
    row("---", "---", "---".to_owned());
    let [empty, full] = figures.ready;
    row(
        &format!("start to ready, with 0 / {n} resources"),
        "0.1 s / 1 s",
        format!("{} / {}", seconds(empty), seconds(full)),
    );
    let [idle, stable, rest, peak] = figures.memory;
    row(
        "resident memory idle / all STABLE / at rest / peak",
        "20 / – / 60 / – MiB",
        format!("{idle:.1} / {stable:.1} / {rest:.1} / {peak:.1} MiB"),
    );
    row(
        "… of which per resource, at rest",
        "40 KiB",
        format!("{:.1} KiB", (rest - idle) * 1024.0 / n as f64),
    );
    let [deployment, alone] = figures.alone;
    row(
        "one alone: create → Deployment / → STABLE",
        "– / 3 s",
        format!("{} / {}", seconds(deployment), seconds(alone)),
    );
    row(
        "raw requests of a creation p50 / p99",
        "–",
        quantiles(&figures.raw),
    );
    let ratio = quantile(&figures.deployment, 0.99).as_secs_f64()
        / quantile(&figures.raw, 0.99).as_secs_f64();
    row(
        "create → Deployment p50 / p99",
        "p99 8 s, at most 1.25 × raw",
        format!(
            "{}; p99 is {ratio:.2} × raw",
            quantiles(&figures.deployment)
        ),
    );
    row(
        "create → STABLE p50 / p99",
        "p99 15 s",
        quantiles(&figures.stable),
    );
    for (what, others) in ["raw requests", "all STABLE"].iter().zip(figures.others) {
        row(
            &format!("{what}: took / CPU of API server and etcd / of the harness"),
            "–",
            format!(
                "{} / {} / {}",
                seconds(others.took),
                seconds(others.server),
                seconds(others.harness)
            ),
        );
    }
    row(
        "CPU until STABLE, in all / per resource",
        "8 ms per resource",
        format!(
            "{} / {:.1} ms",
            seconds(figures.cpu),
            figures.cpu.as_secs_f64() * 1000.0 / n as f64
        ),
    );
    let writes = |verb: &str| !matches!(verb, "get" | "list");
    let all: usize = figures.requests.values().sum();
    let written: usize = figures
        .requests
        .iter()
        .filter(|((verb, _), _)| writes(verb))
        .map(|(_, count)| count)
        .sum();
    row(
        "API requests per resource until STABLE, and told in events",
        "18, 13 of them writes",
        format!("{:.1}, {:.1} of them writes", each(all), each(written)),
    );
    for ((verb, resource), count) in &figures.requests {
        row(
            &format!("… {verb} {resource}"),
            "",
            format!("{:.2}", each(*count)),
        );
    }
    let rest = &figures.rest;
    let looks = n as f64 * rest.window.as_secs_f64() / INTERVAL.as_secs_f64();
    row(
        &format!("at rest, {} s interval: CPU", INTERVAL.as_secs()),
        "0.05 core",
        format!(
            "{:.3} core",
            rest.cpu.as_secs_f64() / rest.window.as_secs_f64()
        ),
    );
    row(
        "… API requests",
        "0",
        format!("{} in {}", rest.requests, seconds(rest.window)),
    );
    row(
        "… Flink calls per look",
        "at most 3",
        format!("{:.2}", rest.calls as f64 / looks),
    );
    row(
        "… new connections to JobManagers per minute",
        "reused",
        format!(
            "{:.0}",
            rest.connections as f64 * 60.0 / rest.window.as_secs_f64()
        ),
    );
    row(
        "restart: all observed once / CPU until then",
        "3 s / 2 s",
        format!(
            "{} / {}",
            seconds(figures.restart.observed),
            seconds(figures.restart.cpu)
        ),
    );
    writeln!(
        table,
        "\nLoad averages of the machine before the run: {}.",
        figures.load
    )
    .unwrap();
    table
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
