//! Ways to a JobManager: straight, or through the proxy of the API server.

use std::fmt;

use bytes::Bytes;
use http::{Request, Response, Uri};
use serde_json::{Value, json};

/// Where a request goes, read from its URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Direct {
        host: String,
        port: u16,
    },
    Proxy {
        namespace: String,
        resource: String,
        name: String,
        port: String,
    },
}

impl fmt::Display for Way {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct { host, port } => write!(out, "{host}:{port}"),
            Self::Proxy {
                namespace,
                resource,
                name,
                port,
            } => write!(out, "{resource}/{namespace}/{name}:{port}"),
        }
    }
}

/// Reads the way from an absolute URI; gives it with path and query as the JobManager sees them.
pub(super) fn way_of(uri: &Uri) -> Option<(Way, String)> {
    let whole = uri
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str);
    if let Some(rest) = whole.strip_prefix("/api/v1/namespaces/") {
        let mut parts = rest.splitn(4, '/');
        let (namespace, resource, name) = (parts.next()?, parts.next()?, parts.next()?);
        let path = parts.next()?.strip_prefix("proxy")?;
        let (name, port) = name.split_once(':').unwrap_or((name, "8081"));
        let way = Way::Proxy {
            namespace: namespace.into(),
            resource: resource.into(),
            name: name.into(),
            port: port.into(),
        };
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        return Some((way, path));
    }
    let host = uri
        .host()?
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let port = uri
        .port_u16()
        .unwrap_or(if uri.scheme_str() == Some("https") {
            443
        } else {
            80
        });
    Some((Way::Direct { host, port }, whole.to_owned()))
}

/// Copies a request with another path.
pub(super) fn rewritten(request: &Request<Bytes>, path: &str) -> Request<Bytes> {
    let mut passed = Request::new(request.body().clone());
    *passed.method_mut() = request.method().clone();
    *passed.headers_mut() = request.headers().clone();
    *passed.uri_mut() = path.parse().unwrap_or_else(|_| Uri::from_static("/"));
    passed
}

fn status(code: u16, reason: &str, message: &str) -> Response<Bytes> {
    let body: Value = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code });
    let response = Response::builder()
        .status(code)
        .header(http::header::CONTENT_TYPE, "application/json");
    response
        .body(Bytes::from(body.to_string()))
        .expect("a status and a constant header make a response")
}

/// Says that the API server could not reach what it was to pass a request on to.
pub(super) fn unavailable(message: &str) -> Response<Bytes> {
    status(503, "ServiceUnavailable", message)
}

/// Says that there is no such Service or pod.
pub(super) fn not_found(way: &Way) -> Response<Bytes> {
    status(404, "NotFound", &format!("{way} not found"))
}
