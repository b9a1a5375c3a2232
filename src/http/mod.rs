//! The operator's pages: probes, metrics, and what each actor does.
//!
//! They show and change nothing, and they never wait for an actor: what they show is a registry that the actors
//! keep up to date.

mod page;
mod selection;
#[cfg(test)]
mod tests;

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use flink_operator_actors::health::{Health, Part};
use prometheus::{Registry, TextEncoder};
use selection::Selection;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long a part may be silent before the process counts as dead. Parts give a sign of life every 5 s.
const PATIENCE: Duration = Duration::from_secs(45);
/// How long requests under way may take at the end.
const LAST_REQUESTS: Duration = Duration::from_secs(1);
/// What a page may load: nothing but its own style.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// What the pages show.
#[derive(Clone)]
pub(crate) struct Shown {
    /// How the actors fare.
    pub(crate) health: Health,
    /// The metrics.
    pub(crate) registry: Registry,
}

/// The pages, being served.
pub(crate) struct Server {
    stop: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
}

/// Opens the port, on every address of this machine unless one is given.
pub(crate) async fn listen(address: Option<SocketAddr>, port: u16) -> Result<TcpListener> {
    let listener = match address {
        Some(address) => TcpListener::bind(address).await,
        None => match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
            Ok(listener) => Ok(listener),
            // A machine without IPv6.
            Err(_) => TcpListener::bind(("0.0.0.0", port)).await,
        },
    };
    let shown = address.map_or_else(|| format!("port {port}"), |address| address.to_string());
    listener.with_context(|| {
        format!("cannot listen on {shown} for probes and pages; see --http-address")
    })
}

impl Server {
    /// Begins to answer.
    pub(crate) fn start(listener: TcpListener, router: Router) -> Self {
        let (stop, stopped) = oneshot::channel();
        let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
            // A dropped sender stops the server, too.
            let _ = stopped.await;
        });
        Self {
            stop,
            served: tokio::spawn(serving.into_future()),
        }
    }

    /// Answers what was asked, then closes the port.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        let abort = self.served.abort_handle();
        if tokio::time::timeout(LAST_REQUESTS, self.served)
            .await
            .is_err()
        {
            abort.abort();
        }
    }
}

/// Makes all pages.
pub(crate) fn pages(shown: Shown) -> Router {
    Router::new()
        .route("/", get(live))
        .route("/healthz", get(live))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/actors", get(actors))
        .fallback(nothing_here)
        .with_state(shown)
}

/// Makes a port that shows metrics at any path, as those of Flink's reporters do.
pub(crate) fn only_metrics(shown: Shown) -> Router {
    Router::new().fallback(metrics).with_state(shown)
}

/// Upstream's probe: OK, or ERROR with the parts that are late.
async fn live(State(shown): State<Shown>) -> Response {
    match shown.health.liveness(PATIENCE) {
        Ok(()) => "OK\n".into_response(),
        Err(late) => {
            let late: Vec<&str> = late.into_iter().map(Part::as_str).collect();
            let text = format!(
                "ERROR: no sign of life for {PATIENCE:?} from: {}\n",
                late.join(", ")
            );
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }
}

async fn ready(State(shown): State<Shown>) -> Response {
    let readiness = shown.health.readiness();
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(readiness)).into_response()
}

async fn metrics(State(shown): State<Shown>) -> Response {
    match TextEncoder::new().encode_to_string(&shown.registry.gather()) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn actors(
    State(shown): State<Shown>,
    selection: Result<Query<Selection>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let selection = match selection {
        Ok(Query(selection)) => selection,
        Err(wrong) => {
            let text = format!("{}; {}\n", wrong.body_text(), selection::USAGE);
            return (StatusCode::BAD_REQUEST, text).into_response();
        }
    };
    let mut snapshot = shown
        .health
        .snapshot_of(|key, actor| selection.fits(key, actor));
    let mut response = if wants_html(&headers) {
        let policy = [(header::CONTENT_SECURITY_POLICY, POLICY)];
        let readiness = shown.health.readiness();
        let page = page::html(&mut snapshot, &readiness, &selection);
        (policy, Html(page)).into_response()
    } else {
        selection.cut(&mut snapshot.actors, usize::MAX);
        Json(snapshot).into_response()
    };
    response
        .headers_mut()
        .insert(header::VARY, header::HeaderValue::from_static("accept"));
    response
}

/// Tells whether a browser asks: it names HTML before JSON. Everybody else gets JSON.
fn wants_html(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let types = accept
        .split(',')
        .map(|entry| entry.split(';').next().unwrap_or(entry).trim());
    for wanted in types {
        match wanted {
            "text/html" => return true,
            "application/json" => return false,
            _ => {}
        }
    }
    false
}

async fn nothing_here() -> Response {
    let pages = "nothing here; there are / and /healthz (alive?), /readyz (serving?), /metrics and /actors\n";
    (StatusCode::NOT_FOUND, pages).into_response()
}
