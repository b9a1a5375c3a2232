//! Requests that the server passes on to a pod or a service.

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request, Response};

use super::route::{Proxied, Verb};

/// A request passed on by the API server.
#[derive(Clone, Debug)]
pub struct ProxyCall {
    /// Which client instance asks.
    pub instance: String,
    /// The namespace of the pod or service.
    pub namespace: String,
    /// `services` or `pods`.
    pub resource: String,
    /// The name, without scheme and port.
    pub name: String,
    /// The port as written: a number, a name, or empty.
    pub port: String,
    /// What is passed on; its URI is path and query behind the proxy.
    pub request: Request<Bytes>,
}

/// Who answers such requests.
pub(crate) type ProxyHandler =
    dyn Fn(ProxyCall) -> BoxFuture<'static, Response<Bytes>> + Send + Sync;

impl ProxyCall {
    pub(crate) fn new(instance: &str, proxied: &Proxied, request: &Request<Bytes>) -> Self {
        let parts: Vec<&str> = proxied.name.split(':').collect();
        let (name, port) = match parts.as_slice() {
            [_scheme, name, port] => (*name, *port),
            [name, port] => (*name, *port),
            _ => (proxied.name.as_str(), ""),
        };
        let mut passed = Request::new(request.body().clone());
        *passed.method_mut() = request.method().clone();
        *passed.headers_mut() = request.headers().clone();
        *passed.uri_mut() = proxied
            .path
            .parse()
            .expect("part of a URI that was parsed before");
        Self {
            instance: instance.to_owned(),
            namespace: proxied.namespace.clone(),
            resource: proxied.resource.clone(),
            name: name.to_owned(),
            port: port.to_owned(),
            request: passed,
        }
    }
}

/// Gives the verb by which RBAC judges a proxied request.
pub(crate) fn verb(method: &Method) -> Verb {
    match method.as_str() {
        "POST" => Verb::Create,
        "PUT" => Verb::Update,
        "PATCH" => Verb::Patch,
        "DELETE" => Verb::Delete,
        _ => Verb::Get,
    }
}
