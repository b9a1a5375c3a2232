//! One call from beginning to end: deadline, permit, transport, reply.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::body::RequestBody;
use crate::endpoint::Endpoint;
use crate::error::{Error, NotSent, Waiting};
use crate::meter::{Meter, NoMeter, Stopwatch};
use crate::permit::Permit;
use crate::reply::{self, Read};
use crate::route::{Effort, Route};
use crate::transport::Transport;

/// How long calls may take and how long their replies may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The whole of a call that reads.
    pub read: Duration,
    /// The whole of a call that changes something. It cannot be lengthened for a single call: how
    /// late a change may arrive is counted on elsewhere.
    pub change: Duration,
    /// The whole of an upload.
    pub upload: Duration,
    /// The whole of running a `main`, which ends once that has submitted its job.
    pub run: Duration,
    /// The bytes of a reply.
    pub reply: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            read: Duration::from_secs(10),
            change: Duration::from_secs(4),
            upload: Duration::from_secs(120),
            run: Duration::from_secs(600),
            reply: 8 * 1024 * 1024,
        }
    }
}

/// Calls any number of JobManagers through one transport.
#[derive(Clone)]
pub struct Client {
    transport: Transport,
    limits: Limits,
    meter: Arc<dyn Meter>,
}

impl Client {
    /// Makes a client that counts nothing.
    pub fn new(transport: Transport, limits: Limits) -> Self {
        Self {
            transport,
            limits,
            meter: Arc::new(NoMeter),
        }
    }

    /// Reports every call to `meter`.
    #[must_use]
    pub fn metered(self, meter: Arc<dyn Meter>) -> Self {
        Self { meter, ..self }
    }

    /// Addresses one JobManager. Nothing is sent.
    pub fn job_manager(&self, endpoint: Endpoint) -> JobManager {
        JobManager {
            client: self.clone(),
            endpoint,
            deadline: None,
            reply: None,
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// One JobManager, by its address. Each method is one call, made once.
#[derive(Debug, Clone)]
pub struct JobManager {
    client: Client,
    endpoint: Endpoint,
    deadline: Option<Duration>,
    reply: Option<usize>,
}

impl JobManager {
    /// Sets the deadline of the calls made through this value.
    ///
    /// A change may get a shorter one only.
    #[must_use]
    pub fn within(self, deadline: Duration) -> Self {
        Self {
            deadline: Some(deadline),
            ..self
        }
    }

    /// Sets the longest reply, in bytes, of the calls made through this value.
    #[must_use]
    pub fn at_most(self, bytes: usize) -> Self {
        Self {
            reply: Some(bytes),
            ..self
        }
    }

    /// Gives the address.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn deadline(&self, route: Route) -> Duration {
        let limits = &self.client.limits;
        match route.effort() {
            Effort::Read => self.deadline.unwrap_or(limits.read),
            Effort::Change => self
                .deadline
                .map_or(limits.change, |own| own.min(limits.change)),
            Effort::Upload => self.deadline.unwrap_or(limits.upload),
            Effort::Run => self.deadline.unwrap_or(limits.run),
        }
    }

    /// Makes a call and understands its reply.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, Error> {
        let route = call.route;
        let stopwatch = Stopwatch::start(self.client.meter.clone(), route);
        let result = match self.exchange(call).await {
            Ok(reply) => reply::understand(route, &reply),
            Err(error) => Err(error),
        };
        stopwatch.stop(&result);
        result
    }

    /// Makes a call of which Flink says nothing but that it was accepted.
    pub(crate) async fn tell(&self, call: Call<'_>) -> Result<(), Error> {
        let route = call.route;
        let stopwatch = Stopwatch::start(self.client.meter.clone(), route);
        let result = match self.exchange(call).await {
            Ok(reply) => reply::acknowledge(route, &reply),
            Err(error) => Err(error),
        };
        stopwatch.stop(&result);
        result
    }

    async fn exchange(&self, call: Call<'_>) -> Result<Bytes, Error> {
        let (route, limit) = (call.route, self.deadline(call.route));
        let permit = call.permit.cloned();
        let request = self.request(call)?;
        if let Some(permit) = permit {
            let denied = |denied| Error::NotSent {
                route,
                why: NotSent::Denied(denied),
            };
            permit.check().map_err(denied)?;
        }
        // Dropping the exchange closes its connection: no late reply, no reuse.
        match tokio::time::timeout(limit, self.carry(route, request, limit)).await {
            Ok(result) => result,
            Err(_) => Err(Error::TimedOut {
                route,
                waiting: Waiting::Reply,
                limit,
            }),
        }
    }

    async fn carry(
        &self,
        route: Route,
        request: Request<RequestBody>,
        limit: Duration,
    ) -> Result<Bytes, Error> {
        let failed = |error| Error::from_transport(route, error, limit);
        let (head, body) = self
            .client
            .transport
            .carry(request)
            .await
            .map_err(failed)?
            .into_parts();
        if !head.status.is_success() {
            let proxied = self.endpoint.is_proxied();
            return Err(match reply::read(body, reply::ERROR_LIMIT).await {
                Ok(Read::Whole(text) | Read::Cut(text)) => {
                    reply::refusal(route, head.status, &text, proxied)
                }
                // The status alone says enough; the text was lost.
                Err(_) => reply::refusal(route, head.status, b"", proxied),
            });
        }
        let limit = self.reply.unwrap_or(self.client.limits.reply);
        match reply::read(body, limit).await.map_err(failed)? {
            Read::Whole(reply) => Ok(reply),
            Read::Cut(_) => Err(Error::TooLarge { route, limit }),
        }
    }

    fn request(&self, call: Call<'_>) -> Result<Request<RequestBody>, Error> {
        let route = call.route;
        let argument = |error: &dyn fmt::Display| {
            let why = NotSent::Argument(error.to_string());
            Error::NotSent { route, why }
        };
        let mut path = route
            .path(call.parameters)
            .map_err(|error| argument(&error))?;
        if let Some(query) = &call.query {
            path.push('?');
            path.push_str(query);
        }
        let mut request = Request::new(call.body);
        *request.method_mut() = route.method();
        *request.uri_mut() = self.endpoint.uri(&path);
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if route.is_mutating() {
            let kind =
                HeaderValue::from_str(&call.content_type).map_err(|error| argument(&error))?;
            headers.insert(CONTENT_TYPE, kind);
        }
        Ok(request)
    }
}

/// A call about to be made.
pub(crate) struct Call<'a> {
    route: Route,
    parameters: &'a [&'a str],
    query: Option<String>,
    permit: Option<&'a Permit>,
    body: RequestBody,
    content_type: String,
}

const JSON: &str = "application/json";

impl<'a> Call<'a> {
    /// Begins a call that reads.
    pub(crate) fn read(route: Route, parameters: &'a [&'a str]) -> Self {
        debug_assert!(!route.is_mutating(), "{route} needs a permit");
        Self::bare(route, parameters)
    }

    /// Begins a call that changes something.
    ///
    /// It always has a body, `{}` at least as Flink's own client sends, because the permit is
    /// asked a second time when the body is taken.
    pub(crate) fn change(
        route: Route,
        parameters: &'a [&'a str],
        body: &impl Serialize,
        permit: &'a Permit,
    ) -> Self {
        let json = serde_json::to_vec(body).expect("our requests have text keys and plain values");
        let body = RequestBody::text(json, permit.clone());
        Self {
            permit: Some(permit),
            body,
            ..Self::bare(route, parameters)
        }
    }

    /// Begins a change whose body is made already.
    pub(crate) fn with_body(
        route: Route,
        body: RequestBody,
        content_type: String,
        permit: &'a Permit,
    ) -> Self {
        Self {
            permit: Some(permit),
            body,
            content_type,
            ..Self::bare(route, &[])
        }
    }

    fn bare(route: Route, parameters: &'a [&'a str]) -> Self {
        Self {
            route,
            parameters,
            query: None,
            permit: None,
            body: RequestBody::empty(),
            content_type: JSON.to_owned(),
        }
    }

    /// Adds a query, encoded already.
    pub(crate) fn query(self, query: impl Into<String>) -> Self {
        Self {
            query: Some(query.into()),
            ..self
        }
    }
}

/// The body of a change that has nothing to say.
#[derive(Serialize)]
pub(crate) struct Nothing {}
