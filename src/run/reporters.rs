//! Ports of the Java operator's Prometheus reporters: what scrapes them goes on finding metrics there.

use std::ops::RangeInclusive;

use operator_core::config::Configuration;
use tokio::net::TcpListener;

use crate::http;

/// What the keys of reporters begin with.
const REPORTER: &str = "kubernetes.operator.metrics.reporter.";
/// The reporter that has a port for Prometheus.
const PROMETHEUS: &str = "PrometheusReporterFactory";
/// Flink's default.
const DEFAULT_PORT: u16 = 9249;

/// Opens the port of every Prometheus reporter, the first free one of a range.
///
/// A port that cannot be opened is reported and costs nothing else: metrics are on the other pages, too.
pub(super) async fn open(config: &Configuration) -> Vec<TcpListener> {
    let mut opened = Vec::new();
    for (reporter, ports) in reporters(config) {
        let Some(ports) = ports else {
            tracing::error!(
                reporter,
                "port of the metrics reporter is neither a number nor a range such as 9250-9260"
            );
            continue;
        };
        match first_free(ports).await {
            Ok(listener) => {
                let address = listener
                    .local_addr()
                    .map(|address| address.to_string())
                    .unwrap_or_default();
                tracing::info!(reporter, address, "metrics are served");
                opened.push(listener);
            }
            Err(error) => tracing::error!(
                reporter,
                error = format!("{error:#}"),
                "metrics are not served"
            ),
        }
    }
    opened
}

async fn first_free(ports: RangeInclusive<u16>) -> anyhow::Result<TcpListener> {
    let last = *ports.end();
    for port in ports {
        match http::listen(None, port).await {
            Ok(listener) => return Ok(listener),
            Err(error) if port == last => return Err(error),
            Err(_) => {}
        }
    }
    anyhow::bail!("its range of ports is empty")
}

/// Lists the names of Prometheus reporters with their ports; none for a port that cannot be read.
fn reporters(config: &Configuration) -> Vec<(&str, Option<RangeInclusive<u16>>)> {
    let below = config.below(REPORTER);
    let named = below.filter_map(|(key, class)| {
        let name = key.strip_suffix(".factory.class")?;
        class.trim().ends_with(PROMETHEUS).then_some(name)
    });
    named
        .map(|name| {
            let port = config.text(&format!("{REPORTER}{name}.port"));
            (name, port.map_or(Some(DEFAULT_PORT..=DEFAULT_PORT), range))
        })
        .collect()
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_prometheus_reporters_have_a_port_for_it() {
        let config: Configuration = [
            (
                "slf4j.factory.class",
                "org.apache.flink.metrics.slf4j.Slf4jReporterFactory",
            ),
            ("slf4j.interval", "5 MINUTE"),
            (
                "a.factory.class",
                "org.apache.flink.metrics.prometheus.PrometheusReporterFactory",
            ),
            (
                "b.factory.class",
                "org.apache.flink.metrics.prometheus.PrometheusReporterFactory",
            ),
            ("b.port", "9999"),
            (
                "c.factory.class",
                "org.apache.flink.metrics.prometheus.PrometheusReporterFactory",
            ),
            ("c.port", "9250-9260"),
            (
                "d.factory.class",
                "org.apache.flink.metrics.prometheus.PrometheusReporterFactory",
            ),
            ("d.port", "some"),
            (
                "e.factory.class",
                "org.apache.flink.metrics.prometheus.PrometheusPushGatewayReporterFactory",
            ),
        ]
        .into_iter()
        .map(|(key, value)| (format!("{REPORTER}{key}"), value))
        .collect();
        let expected = [
            ("a", Some(9249..=9249)),
            ("b", Some(9999..=9999)),
            ("c", Some(9250..=9260)),
            ("d", None),
        ];
        assert_eq!(reporters(&config), expected);
    }

    #[tokio::test]
    async fn of_a_range_the_first_free_port_is_taken() {
        let taken = http::listen(None, 0).await.unwrap();
        let port = taken.local_addr().unwrap().port();
        if let Some(next) = port.checked_add(50) {
            let listener = first_free(port..=next).await.unwrap();
            assert!(listener.local_addr().unwrap().port() > port);
        }
        first_free(port..=port).await.unwrap_err();
    }
}
