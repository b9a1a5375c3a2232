//! An API server for very many resources that are copies of one: it lists, watches, and takes writes of status.
//!
//! The in-memory world knows far more, and takes far longer to hold ten thousand of anything.

use bytes::Bytes;
use futures::StreamExt;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use kube::client::Body;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::time::Instant;

type Reply = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// The plurals that are watched.
pub(crate) const RESOURCES: &str = "flinkdeployments";
pub(crate) const DEPLOYMENTS: &str = "deployments";
pub(crate) const PODS: &str = "pods";

/// The server; clones are the same.
#[derive(Clone)]
pub(crate) struct HerdApi(Arc<Mutex<Inner>>);

struct Inner {
    /// JSON text by plural, and by namespace and name.
    objects: BTreeMap<String, BTreeMap<String, String>>,
    watches: Vec<(String, UnboundedSender<Bytes>)>,
    version: u64,
    /// When which status was written.
    writes: Vec<(Instant, String)>,
}

/// A path below which objects of one plural are.
struct Path {
    plural: String,
    namespace: Option<String>,
    name: Option<String>,
}

impl Path {
    fn read(path: &str) -> Self {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        // `api/v1` or `apis/GROUP/VERSION`
        let skipped = if parts.next() == Some("apis") { 2 } else { 1 };
        let mut parts = parts.skip(skipped).map(str::to_owned);
        let first = parts.next().unwrap_or_default();
        let (namespace, plural) = match first.as_str() {
            "namespaces" => (parts.next(), parts.next().unwrap_or_default()),
            _ => (None, first),
        };
        Self {
            plural,
            namespace,
            name: parts.next(),
        }
    }

    fn key(&self) -> String {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        format!("{}/{}", part(&self.namespace), part(&self.name))
    }
}

impl HerdApi {
    /// Begins empty, above all versions of a small world.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Inner {
            objects: BTreeMap::new(),
            watches: Vec::new(),
            version: 1_000_000,
            writes: Vec::new(),
        })))
    }

    /// Puts an object there, before anybody watches.
    pub(crate) fn put(&self, plural: &str, key: String, text: String) {
        let mut inner = self.0.lock().unwrap();
        inner
            .objects
            .entry(plural.to_owned())
            .or_default()
            .insert(key, text);
    }

    /// Changes an object and tells those that watch.
    pub(crate) fn change(&self, plural: &str, key: &str, change: impl FnOnce(&mut Value)) -> Value {
        self.0.lock().unwrap().change(plural, key, change)
    }

    /// Returns when the status of a resource was first written after a moment.
    pub(crate) fn written(&self, key: &str, after: Instant) -> Option<Instant> {
        let inner = self.0.lock().unwrap();
        let mut writes = inner.writes.iter();
        let first = writes.find(|(at, written)| *at >= after && written == key);
        first.map(|(at, _)| *at)
    }

    /// Counts writes of status, by resource.
    pub(crate) fn writes(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for (_, key) in &self.0.lock().unwrap().writes {
            *counts.entry(key.clone()).or_default() += 1;
        }
        counts
    }

    /// Makes a client.
    pub(crate) fn client(&self) -> kube::Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = api.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                Ok::<Reply, tower::BoxError>(api.answer(&Request::from_parts(head, body)))
            }
        });
        kube::Client::new(service, "default")
    }

    fn answer(&self, request: &Request<Bytes>) -> Reply {
        let path = Path::read(request.uri().path());
        let query = request.uri().query().unwrap_or_default();
        let mut inner = self.0.lock().unwrap();
        match *request.method() {
            Method::GET if query.contains("watch=true") => inner.watch(path.plural),
            Method::GET if path.name.is_some() => match inner.text(&path.plural, &path.key()) {
                Some(text) => whole(200, text),
                None => refusal(404, "NotFound"),
            },
            Method::GET => whole(200, inner.list(&path, query)),
            Method::PUT if query.contains("dryRun=All") => {
                whole(200, String::from_utf8_lossy(request.body()).into_owned())
            }
            Method::PUT if path.plural == RESOURCES => {
                let body: Value = serde_json::from_slice(request.body()).unwrap();
                inner.writes.push((Instant::now(), path.key()));
                let status = body["status"].clone();
                let written = inner.change(&path.plural, &path.key(), |object| {
                    object["status"] = status;
                });
                whole(200, written.to_string())
            }
            Method::POST if path.plural == "events" => {
                whole(201, String::from_utf8_lossy(request.body()).into_owned())
            }
            _ => refusal(403, "Forbidden"),
        }
    }
}

impl Inner {
    fn text(&self, plural: &str, key: &str) -> Option<String> {
        self.objects.get(plural)?.get(key).cloned()
    }

    fn list(&self, path: &Path, query: &str) -> String {
        let chosen = query.split('&').find_map(|part| {
            let selector = part.strip_prefix("labelSelector=app%3D")?;
            Some(selector.split("%2C").next().unwrap_or(selector).to_owned())
        });
        let objects = self.objects.get(&path.plural).into_iter().flatten();
        let fits = |key: &str| {
            let (namespace, name) = key.split_once('/').unwrap();
            path.namespace.as_deref().is_none_or(|one| one == namespace)
                && chosen.as_deref().is_none_or(|app| name.starts_with(app))
        };
        let objects: Vec<&str> = objects
            .filter(|(key, _)| fits(key))
            .map(|(_, text)| text.as_str())
            .collect();
        let metadata = json!({ "resourceVersion": self.version.to_string() });
        format!(
            r#"{{"kind":"List","apiVersion":"v1","metadata":{metadata},"items":[{}]}}"#,
            objects.join(",")
        )
    }

    fn watch(&mut self, plural: String) -> Reply {
        let (tell, told) = unbounded();
        self.watches.push((plural, tell));
        let frames = told.map(|event: Bytes| Ok(Frame::data(event)));
        Response::new(StreamBody::new(frames).boxed_unsync())
    }

    fn change(&mut self, plural: &str, key: &str, change: impl FnOnce(&mut Value)) -> Value {
        self.version += 1;
        let text = self.objects.get_mut(plural).unwrap().get_mut(key).unwrap();
        let mut object: Value = serde_json::from_str(text).unwrap();
        change(&mut object);
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        *text = object.to_string();
        // In the real one's order: whoever reads the object as it comes has to know what it is about.
        let event = Bytes::from(format!(r#"{{"type":"MODIFIED","object":{text}}}"#) + "\n");
        for (watched, tell) in &self.watches {
            if watched == plural {
                // Whoever watched may be gone.
                let _ = tell.unbounded_send(event.clone());
            }
        }
        object
    }
}

fn whole(code: u16, text: String) -> Reply {
    let body = Full::new(Bytes::from(text)).boxed_unsync();
    let reply = Response::builder().status(code);
    reply
        .header("content-type", "application/json")
        .body(body)
        .unwrap()
}

fn refusal(code: u16, reason: &str) -> Reply {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "metadata": {},
        "code": code, "reason": reason, "message": "this server only watches",
    });
    whole(code, status.to_string())
}
