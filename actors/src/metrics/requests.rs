//! Requests to the API server and to JobManagers, counted by closed sets of labels.

use super::names::{Maker, SYSTEM};
use super::samples::Samples;
use crate::api::ApiMeter;
use flink_rest::Route;
use prometheus::{HistogramVec, IntCounterVec, IntGauge, Opts, Registry};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Buckets of request times, in seconds.
const BUCKETS: [f64; 11] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0,
];
/// The plurals that the operator works with; anything else is counted as `other`.
const PLURALS: [&str; 10] = [
    "flinkdeployments",
    "flinksessionjobs",
    "flinkstatesnapshots",
    "flinkbluegreendeployments",
    "deployments",
    "pods",
    "services",
    "configmaps",
    "secrets",
    "events",
];

/// Counts requests; clones count into the same metrics.
#[derive(Clone)]
pub struct RequestMeter(Arc<Inner>);

struct Inner {
    api: IntCounterVec,
    api_seconds: HistogramVec,
    flink: IntCounterVec,
    flink_seconds: HistogramVec,
    upstream: Option<Upstream>,
}

/// What upstream shows of its client.
struct Upstream {
    requests: IntGauge,
    failed: IntGauge,
    slow: IntGauge,
    responses: IntGauge,
    times: Samples,
    methods: BTreeMap<&'static str, IntGauge>,
    codes: Mutex<BTreeMap<u16, IntGauge>>,
    slow_from: Duration,
    registry: Registry,
    code: Opts,
}

impl RequestMeter {
    pub(super) fn make(maker: &Maker<'_>) -> prometheus::Result<Self> {
        let inner = Inner {
            api: maker.counters(
                "api_requests_total",
                "Requests to the API server",
                &["verb", "resource", "code"],
            )?,
            api_seconds: maker.histograms(
                "api_request_seconds",
                "Time of requests to the API server",
                &["verb", "resource"],
                &BUCKETS,
            )?,
            flink: maker.counters(
                "flink_requests_total",
                "Requests to JobManagers",
                &["route", "outcome"],
            )?,
            flink_seconds: maker.histograms(
                "flink_request_seconds",
                "Time of requests to JobManagers",
                &["route"],
                &BUCKETS,
            )?,
            upstream: maker
                .switches
                .requests
                .then(|| Upstream::make(maker))
                .transpose()?,
        };
        Ok(Self(Arc::new(inner)))
    }
}

impl Upstream {
    fn make(maker: &Maker<'_>) -> prometheus::Result<Self> {
        let gauge = |name: &str, help: &str| maker.gauge(SYSTEM, name, help);
        let mut methods = BTreeMap::new();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let name = format!("KubeClient_HttpRequest_{method}_Count");
            methods.insert(method, gauge(&name, "Requests by method")?);
        }
        Ok(Self {
            requests: gauge("KubeClient_HttpRequest_Count", "Requests sent")?,
            failed: gauge(
                "KubeClient_HttpRequest_Failed_Count",
                "Failed responses and connections",
            )?,
            slow: gauge("KubeClient_HttpRequest_Slow_Count", "Slow requests")?,
            responses: gauge("KubeClient_HttpResponse_Count", "Responses")?,
            times: Samples::make(
                maker,
                SYSTEM,
                "KubeClient_HttpResponse_TimeNanos",
                "Latency",
                &[],
            )?,
            methods,
            codes: Mutex::default(),
            slow_from: maker.switches.slow_request,
            registry: maker.registry.clone(),
            code: maker.opts(
                SYSTEM,
                "KubeClient_HttpResponse",
                "Responses by status code",
            ),
        })
    }

    fn note(&self, verb: &str, code: u16, took: Duration) {
        self.requests.inc();
        if let Some(method) = self.methods.get(method(verb)) {
            method.inc();
        }
        if took >= self.slow_from {
            self.slow.inc();
        }
        if code == 0 || code >= 400 {
            self.failed.inc();
        }
        if code != 0 {
            self.responses.inc();
            // Nanoseconds of a request stay below what a float counts exactly.
            #[allow(clippy::cast_precision_loss)]
            self.times.note(&[], took.as_nanos() as f64);
            self.count_code(code);
        }
    }

    /// Counts a status code; its metric is made when the code is first seen, as upstream does.
    fn count_code(&self, code: u16) {
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gauge) = codes.get(&code) {
            gauge.inc();
            return;
        }
        if !(100..600).contains(&code) {
            return;
        }
        let mut opts = self.code.clone();
        opts.name = format!("{}_{code}_Count", opts.name);
        let made = IntGauge::with_opts(opts).and_then(|gauge| {
            self.registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        });
        match made {
            Ok(gauge) => {
                gauge.inc();
                codes.insert(code, gauge);
            }
            Err(error) => tracing::debug!(code, %error, "status code not counted"),
        }
    }
}

fn method(verb: &str) -> &'static str {
    match verb {
        "create" => "POST",
        "update" => "PUT",
        "patch" => "PATCH",
        "delete" => "DELETE",
        _ => "GET",
    }
}

/// Writes a status code as a label; no answer is `none`.
fn code_label(code: u16) -> String {
    if code == 0 {
        "none".to_owned()
    } else {
        code.to_string()
    }
}

impl ApiMeter for RequestMeter {
    fn request(&self, verb: &'static str, resource: &str, code: u16, took: Duration) {
        let resource = PLURALS
            .into_iter()
            .find(|plural| *plural == resource)
            .unwrap_or("other");
        self.0
            .api
            .with_label_values(&[verb, resource, &code_label(code)])
            .inc();
        self.0
            .api_seconds
            .with_label_values(&[verb, resource])
            .observe(took.as_secs_f64());
        if let Some(upstream) = &self.0.upstream {
            upstream.note(verb, code, took);
        }
    }
}

impl flink_rest::Meter for RequestMeter {
    fn finished(&self, route: Route, outcome: &'static str, elapsed: Duration) {
        self.0
            .flink
            .with_label_values(&[route.template(), outcome])
            .inc();
        self.0
            .flink_seconds
            .with_label_values(&[route.template()])
            .observe(elapsed.as_secs_f64());
    }
}

/// Passes: how they end, how long they take, how long they wait for their turn.
pub(super) struct PassMeter {
    pub(super) ends: IntCounterVec,
    pub(super) seconds: HistogramVec,
    pub(super) queued: HistogramVec,
    pub(super) retries: IntCounterVec,
}

impl PassMeter {
    pub(super) fn make(maker: &Maker<'_>) -> prometheus::Result<Self> {
        let kind = ["resourcetype"];
        Ok(Self {
            ends: maker.counters(
                "passes_total",
                "Passes by how they ended",
                &["resourcetype", "outcome"],
            )?,
            seconds: maker.histograms("pass_seconds", "Time of passes", &kind, &BUCKETS)?,
            queued: maker.histograms(
                "pass_queue_seconds",
                "Time that passes waited for their turn",
                &kind,
                &BUCKETS,
            )?,
            retries: maker.counters(
                "pass_retries_total",
                "Passes that follow a failed one",
                &kind,
            )?,
        })
    }
}
