//! An API server in memory, with the manners of the real one and faults on demand.
//!
//! [`ApiServer::wire`] is what the operator talks to; the methods of [`ApiServer`] itself are for simulated
//! controllers and for tests, and see and change everything at once.
//!
//! ```
//! use flink_operator_world::api::{ApiServer, Match, Verb};
//! use flink_operator_world::clock::Clock;
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use kube::api::{Api, ListParams};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), kube::Error> {
//! let server = ApiServer::new(Clock::new());
//! let maps: Api<ConfigMap> = Api::all(server.client("operator-1"));
//! server.control("operator-1").fail_next(Match::any().verb(Verb::List), 503);
//! assert!(maps.list(&ListParams::default()).await.is_err());
//! assert!(maps.list(&ListParams::default()).await?.items.is_empty());
//! assert_eq!(server.journal_records().len(), 2);
//! # Ok(())
//! # }
//! ```
//!
//! Left out: admission (quota, service accounts), TTLs, CEL rules, and the second view of events: the two API
//! groups of events are kept apart here.

mod apply;
mod builtin;
mod check;
mod control;
mod delete;
mod delivery;
mod error;
mod fields;
mod gc;
mod info;
mod journal;
mod kinds;
mod link;
mod local;
mod object;
mod patch;
mod proxy;
mod rest;
mod route;
mod scale;
mod schema;
mod select;
mod store;
mod violation;
mod watch;
mod wire;
mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::Response;
use serde_json::{Value, json};
use tokio::sync::watch as signal;

pub use control::{RuleBuilder, WireControl};
pub use delete::{DeleteOptions, Propagation};
pub use delivery::{Delivery, DeliveryAction, EventType};
pub use error::ApiError;
pub use journal::{Outcome, Record, Request};
pub use kinds::{Kind, Quirk, Scope};
pub use link::Match;
pub use local::Changes;
pub use proxy::ProxyCall;
pub use route::Verb;
pub use schema::Schema;
pub use store::{Author, Change, Key};
pub use wire::{Wire, WireBody};

use self::delivery::Deliveries;
use self::journal::Journal;
use self::link::Link;
use self::proxy::ProxyHandler;
use self::store::State;
use crate::clock::Clock;
use crate::points::{Action, CrashPoints, Point};

/// How long a request takes by default. Not nothing: a client that asks again and again without a pause has to
/// move virtual time, or a test of it would never end.
const LATENCY: Duration = Duration::from_millis(2);

/// The server; clones are the same server.
#[derive(Clone)]
pub struct ApiServer {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    points: CrashPoints,
    state: Mutex<State>,
    /// Rings with every new version.
    bell: signal::Sender<u64>,
    journal: Mutex<Journal>,
    deliveries: Deliveries,
    links: Mutex<BTreeMap<String, Arc<Link>>>,
    latency: Mutex<Duration>,
    proxy: Mutex<Option<Arc<ProxyHandler>>>,
}

impl fmt::Debug for ApiServer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ApiServer")
            .field("version", &self.state().version())
            .finish_non_exhaustive()
    }
}

impl ApiServer {
    /// Starts a server with the namespace `default` and without CRDs: the Flink kinds are served as they come.
    pub fn new(clock: Clock) -> Self {
        let shared = Shared {
            points: CrashPoints::new(clock.clone()),
            state: Mutex::new(State::new(clock.clone())),
            clock,
            bell: signal::Sender::new(0),
            journal: Mutex::default(),
            deliveries: Deliveries::default(),
            links: Mutex::default(),
            latency: Mutex::new(LATENCY),
            proxy: Mutex::default(),
        };
        let server = Self {
            shared: Arc::new(shared),
        };
        server.create_namespace("default");
        server
    }

    /// Installs a CRD: its kind is pruned, defaulted and checked by its schema from now on.
    #[must_use]
    pub fn with_crd(self, crd: &Value) -> Self {
        self.install_crd(crd);
        self
    }

    /// Gives a kind a schema without a CRD object.
    #[must_use]
    pub fn with_schema(self, kind: &str, schema: Value) -> Self {
        let kind = local::known(kind);
        self.state().set_schema(kind, Schema::new(schema));
        self
    }

    /// Installs or replaces a CRD, as another version of the operator might at run time.
    pub fn install_crd(&self, crd: &Value) {
        let mut crd = crd.clone();
        crd["apiVersion"] = "apiextensions.k8s.io/v1".into();
        crd["kind"] = "CustomResourceDefinition".into();
        crd["status"] = json!({ "conditions": [
            { "type": "NamesAccepted", "status": "True", "reason": "NoConflicts" },
            { "type": "Established", "status": "True", "reason": "InitialNamesAccepted" },
        ] });
        let name = object::name(&crd).to_owned();
        if self.get("CustomResourceDefinition", "", &name).is_some() {
            let replaced = self.update("CustomResourceDefinition", "", &name, |stored| {
                stored["spec"] = crd["spec"].take();
            });
            replaced.expect("a CRD can be replaced by another of its name");
        } else {
            self.create(crd)
                .expect("a CRD names group, plural and version");
        }
    }

    /// Stops serving a kind, as if its CRD had never been installed.
    pub fn remove_kind(&self, kind: &str) {
        self.state().unserve(local::known(kind));
    }

    /// Gives the service for a client instance; all wires of one name share one line.
    pub fn wire(&self, instance: &str) -> Wire {
        Wire {
            server: self.clone(),
            link: self.link(instance),
        }
    }

    /// Builds a client on the wire of an instance.
    pub fn client(&self, instance: &str) -> kube::Client {
        kube::Client::new(self.wire(instance), "default")
    }

    /// Gives the handle on an instance's line.
    pub fn control(&self, instance: &str) -> WireControl {
        WireControl {
            link: self.link(instance),
        }
    }

    /// Gives the clock of this world.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Gives the crash points, for other parts of the world that have such.
    pub fn points(&self) -> &CrashPoints {
        &self.shared.points
    }

    /// Sets who decides what happens at crash points.
    pub fn on_mutation(&self, hook: impl FnMut(&Point) -> Action + Send + 'static) {
        self.shared.points.decide_by(hook);
    }

    /// Sets who decides what becomes of watch events.
    pub fn on_delivery(&self, hook: impl FnMut(&Delivery) -> DeliveryAction + Send + 'static) {
        self.shared.deliveries.decide_by(hook);
    }

    /// Tells how many watch events have been on their way so far.
    pub fn delivery_count(&self) -> u64 {
        self.shared.deliveries.count()
    }

    /// Sets how long a request takes, there and back.
    pub fn set_latency(&self, latency: Duration) {
        *self
            .shared
            .latency
            .lock()
            .expect("nothing panics while the latency is set") = latency;
    }

    /// Sets who answers requests through `…/services/…/proxy` and `…/pods/…/proxy`.
    pub fn set_proxy(
        &self,
        handler: impl Fn(ProxyCall) -> BoxFuture<'static, Response<Bytes>> + Send + Sync + 'static,
    ) {
        *self
            .shared
            .proxy
            .lock()
            .expect("nothing panics while the proxy is set") = Some(Arc::new(handler));
    }

    /// Lists the requests so far, in the order in which they left.
    pub fn journal_records(&self) -> Vec<Record> {
        self.journal().records().to_vec()
    }

    /// Lists the changes so far.
    pub fn history(&self) -> Vec<Change> {
        self.state().log().to_vec()
    }

    /// Forgets old changes: watches and list pages from before now are answered with 410 Gone.
    pub fn compact(&self) {
        self.state().compact();
    }

    /// Drops history and journal, for tests of long times; counting goes on. Watches that have not been told
    /// everything are answered with 410 Gone.
    pub fn forget(&self) {
        self.state().forget();
        self.journal().forget();
    }

    pub(crate) fn deliveries(&self) -> &Deliveries {
        &self.shared.deliveries
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .expect("nothing panics while the state is changed")
    }

    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.shared
            .journal
            .lock()
            .expect("nothing panics while the journal is written")
    }

    /// Changes the state and lets everybody know if there is a new version.
    pub(crate) fn write<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (result, before, after) = {
            let mut state = self.state();
            let before = state.version();
            let result = change(&mut state);
            (result, before, state.version())
        };
        if before != after {
            self.shared.bell.send_replace(after);
        }
        result
    }

    pub(crate) fn changed(&self) -> signal::Receiver<u64> {
        self.shared.bell.subscribe()
    }

    pub(crate) fn latency(&self) -> Duration {
        *self
            .shared
            .latency
            .lock()
            .expect("nothing panics while the latency is read")
    }

    pub(crate) async fn proxy(&self, call: ProxyCall) -> Response<Bytes> {
        let refuse = |refusal: &ApiError| {
            let response = Response::builder().status(refusal.code);
            let response = response.body(refusal.status().to_string().into());
            response.expect("a status and a body make a response")
        };
        let target =
            Kind::at("", "v1", &call.resource).expect("only pods and services have a proxy");
        let key = Key {
            kind: target,
            namespace: call.namespace.clone(),
            name: call.name.clone(),
        };
        if self.state().get(&key).is_none() {
            return refuse(&ApiError::not_found(target, &call.name));
        }
        let handler = self
            .shared
            .proxy
            .lock()
            .expect("nothing panics while the proxy is looked up")
            .clone();
        if let Some(handler) = handler {
            return handler(call).await;
        }
        let mut refusal = ApiError::injected(503);
        refusal.message = format!("no endpoints available for service {:?}", call.name);
        refuse(&refusal)
    }

    fn link(&self, instance: &str) -> Arc<Link> {
        let mut links = self
            .shared
            .links
            .lock()
            .expect("nothing panics while links are looked up");
        links
            .entry(instance.to_owned())
            .or_insert_with(|| Arc::new(Link::new(instance)))
            .clone()
    }
}
