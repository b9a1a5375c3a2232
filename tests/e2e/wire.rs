//! The operator's wire to the API server, which a test can cut at one exact request.
//!
//! A process that is killed when something was *seen* has long done the next step. Here the request that
//! matters goes through, its reply is held back, and so is everything after it: whenever the operator is
//! killed then, it is killed at that point.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::scene::Scene;

/// Which request a cut is about: method, path and body.
pub(crate) type Matches = fn(&Method, &str, &Value) -> bool;

/// Bodies that the operator sends are small.
const LARGEST_BODY: usize = 4 << 20;

/// Headers that are about one connection, not about the request or reply.
const CONNECTION_HEADERS: [HeaderName; 4] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    header::TRANSFER_ENCODING,
];

/// Whether requests pass.
#[derive(Clone, Copy)]
enum Gate {
    Open,
    /// It shuts behind the first request that matches and succeeds.
    Armed(Matches),
    /// Such a request is being answered; nothing else passes meanwhile.
    Closing,
    Shut,
}

/// A plain server in front of the API server.
pub(crate) struct Wire {
    pub(crate) address: String,
    gate: watch::Sender<Gate>,
    server: JoinHandle<()>,
}

#[derive(Clone)]
struct Line {
    gate: watch::Sender<Gate>,
    upstream: Client,
}

impl Wire {
    /// Starts to listen, open.
    pub(crate) async fn open(scene: &Scene) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let gate = watch::Sender::new(Gate::Open);
        let upstream = nobody(scene).await;
        let line = Line {
            gate: gate.clone(),
            upstream,
        };
        let router = Router::new().fallback(pass).with_state(Arc::new(line));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            gate,
            server,
        }
    }

    /// Prepares a cut behind the first request that matches.
    pub(crate) fn cut_behind(&self, matches: Matches) {
        self.gate.send_replace(Gate::Armed(matches));
    }

    /// Tells whether the request has been answered, so that nothing passes any more.
    pub(crate) fn is_cut(&self) -> bool {
        matches!(*self.gate.borrow(), Gate::Shut)
    }

    /// Lets everything pass again.
    pub(crate) fn mend(&self) {
        self.gate.send_replace(Gate::Open);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Makes a client that says nothing of who it is: the operator's own token goes through.
async fn nobody(scene: &Scene) -> Client {
    let mut file = Kubeconfig::read_from(scene.stage.sandbox.kubeconfig()).unwrap();
    for user in &mut file.auth_infos {
        user.auth_info = None;
    }
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .unwrap();
    config.proxy_url = None;
    config.default_retry = false;
    Client::try_from(config).unwrap()
}

async fn pass(State(line): State<Arc<Line>>, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    let body = to_bytes(body, LARGEST_BODY).await.unwrap();
    let object = serde_json::from_slice(&body).unwrap_or_default();
    let mut armed = None;
    // One step, so that of two requests that match only one is the last.
    line.gate.send_if_modified(|gate| {
        let Gate::Armed(matches) = *gate else {
            return false;
        };
        if !matches(&head.method, head.uri.path(), &object) {
            return false;
        }
        armed = Some(*gate);
        *gate = Gate::Closing;
        true
    });
    if armed.is_none() && matches!(*line.gate.borrow(), Gate::Closing | Gate::Shut) {
        return std::future::pending().await;
    }
    for name in CONNECTION_HEADERS {
        head.headers.remove(name);
    }
    let request = Request::from_parts(head, kube::client::Body::from(body.to_vec()));
    let reply = line.upstream.send(request).await;
    if let Some(armed) = armed {
        if reply
            .as_ref()
            .is_ok_and(|reply| reply.status().is_success())
        {
            line.gate.send_replace(Gate::Shut);
            return std::future::pending().await;
        }
        // A conflict, perhaps: the operator sees it, and the next such request counts.
        line.gate.send_replace(armed);
    }
    match reply {
        Ok(reply) => {
            let (head, body) = reply.into_parts();
            let mut response = Response::new(Body::new(body));
            *response.status_mut() = head.status;
            *response.headers_mut() = head.headers;
            for name in CONNECTION_HEADERS {
                response.headers_mut().remove(name);
            }
            response
        }
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

#[test]
fn nothing_passes_behind_a_cut() {
    use std::time::Duration;

    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Api;
    use kube::api::PostParams;
    use tokio::time::timeout;

    crate::stage::play("wire", async |scene| {
        let wire = Wire::open(scene).await;
        let mut file = Kubeconfig::read_from(scene.stage.sandbox.kubeconfig()).unwrap();
        for cluster in &mut file.clusters {
            cluster.cluster.as_mut().unwrap().server = Some(wire.address.clone());
        }
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(file, &options).await;
        let through = Client::try_from(config.unwrap()).unwrap();
        let maps: Api<ConfigMap> = Api::namespaced(through, &scene.namespace);
        let create = async |name: &str| {
            let map = crate::scene::object(serde_json::json!({ "metadata": { "name": name } }));
            let parameters = PostParams::default();
            timeout(Duration::from_secs(2), maps.create(&parameters, &map)).await
        };

        create("one").await.expect("an open wire answers").unwrap();
        wire.cut_behind(|method, path, body| {
            method == Method::POST
                && path.ends_with("/configmaps")
                && body["metadata"]["name"] == "three"
        });
        create("two")
            .await
            .expect("another request passes")
            .unwrap();
        assert!(!wire.is_cut());
        create("three").await.expect_err("the answer is held back");
        assert!(wire.is_cut());
        create("four").await.expect_err("nothing passes any more");
        wire.mend();
        create("five")
            .await
            .expect("a mended wire answers")
            .unwrap();

        let there = scene.list::<ConfigMap>().await;
        let names: Vec<_> = there
            .iter()
            .map(|map| map["metadata"]["name"].as_str().unwrap())
            .collect();
        for (name, is_there) in [
            ("one", true),
            ("two", true),
            ("three", true),
            ("four", false),
            ("five", true),
        ] {
            assert_eq!(names.contains(&name), is_there, "{name}: {names:?}");
        }
    });
}
