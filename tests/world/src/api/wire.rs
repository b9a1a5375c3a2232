//! The wire: a tower service that a kube client is built on, with everything that can go wrong on it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http::{Request as HttpRequest, Response, header};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use kube::client::Body;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::sleep;
use tower::{BoxError, Service};

use super::ApiServer;
use super::error::ApiError;
use super::info;
use super::journal::{Outcome, Request};
use super::link::{Link, Measure};
use super::proxy::ProxyCall;
use super::rest::{self, Reply};
use super::route::{self, Target};
use super::store::{Author, Context};
use super::watch;
use crate::points::{Action, Cut, Failure};

/// Body of an answer: whole, or a stream of watch events.
pub type WireBody = UnsyncBoxBody<Bytes, io::Error>;

/// The service for one client instance; give it to `kube::Client::new`.
#[derive(Clone, Debug)]
pub struct Wire {
    pub(crate) server: ApiServer,
    pub(crate) link: Arc<Link>,
}

impl Service<HttpRequest<Body>> for Wire {
    type Response = Response<WireBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        let wire = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            wire.exchange(HttpRequest::from_parts(parts, body)).await
        })
    }
}

/// What the server said, before it is put on the wire.
#[derive(Debug)]
enum Answer {
    Json(u16, Value, Vec<String>),
    Watch(Box<watch::Plan>),
    Raw(Response<Bytes>),
}

impl Answer {
    fn refusal(refusal: &ApiError) -> Self {
        if !refusal.is_text() {
            return Self::Json(refusal.code, refusal.status(), Vec::new());
        }
        let response = Response::builder()
            .status(refusal.code)
            .header(header::CONTENT_TYPE, "text/plain");
        let response = response.body(format!("{}\n", refusal.message).into());
        Self::Raw(response.expect("a code and a text make a response"))
    }

    fn code(&self) -> u16 {
        match self {
            Self::Json(code, ..) => *code,
            Self::Watch(_) => 200,
            Self::Raw(response) => response.status().as_u16(),
        }
    }
}

/// A request under way.
#[derive(Clone)]
struct Exchange {
    server: ApiServer,
    link: Arc<Link>,
    seq: u64,
    target: Result<Target, ApiError>,
    request: Arc<HttpRequest<Bytes>>,
}

impl Wire {
    async fn exchange(self, request: HttpRequest<Bytes>) -> Result<Response<WireBody>, BoxError> {
        let Self { server, link } = self;
        let target = route::parse(
            request.method(),
            request.uri(),
            request.headers(),
            request.body(),
        );
        let described = describe(link.instance(), &request, &target);
        let seq = server
            .journal()
            .open(server.clock().moment(), described.clone());
        let exchange = Exchange {
            server,
            link,
            seq,
            target,
            request: Arc::new(request),
        };
        if let Some(cut) = exchange.link.cut() {
            return exchange.unreachable(cut).await;
        }
        match exchange.decide(&described) {
            Measure::Forbid => {
                let refusal = forbidden(&described);
                exchange.settle(Outcome::Answered(403));
                exchange.send(Answer::Json(403, refusal.status(), Vec::new()))
            }
            Measure::Act(action) => exchange.carry(action).await,
        }
    }
}

impl Exchange {
    /// Asks the rules of this wire, then whoever decides at crash points.
    fn decide(&self, described: &Request) -> Measure {
        let measure = self.link.measure(described);
        // A mutating call through the proxy passes its crash point where it reaches Flink.
        if !described.mutates() || described.subresource == "proxy" {
            return measure.unwrap_or(Measure::Act(Action::Proceed));
        }
        let (point, action) = self
            .server
            .points()
            .pass(self.link.instance(), described.to_string());
        self.server
            .journal()
            .amend(self.seq, |record| record.point = Some(point.number));
        measure.unwrap_or(Measure::Act(action))
    }

    async fn carry(self, action: Action) -> Result<Response<WireBody>, BoxError> {
        let half = self.server.latency() / 2;
        match action {
            Action::Proceed => {
                self.travel(half).await?;
                let answer = self.arrive().await;
                self.reply(answer, half).await
            }
            Action::DelayAfter(late) => {
                self.travel(half).await?;
                let answer = self.arrive().await;
                self.reply(answer, late).await
            }
            Action::DelayBefore(late) => {
                // Once sent, a request arrives whether or not its client still waits.
                let (tell, told) = oneshot::channel();
                let detached = self.clone();
                tokio::spawn(async move {
                    sleep(late).await;
                    let answer = detached.arrive().await;
                    // The client may be gone, and that is the point of this fault.
                    drop(tell.send(answer));
                });
                let answer = told.await.map_err(|_| reset())?;
                self.reply(answer, half).await
            }
            Action::FailBefore(failure) => {
                self.settle(Outcome::Lost);
                self.fail(failure).await
            }
            Action::FailAfter(failure) => {
                self.travel(half).await?;
                let answer = self.arrive().await;
                self.settle(Outcome::Unheard(answer.code()));
                self.fail(failure).await
            }
            Action::CutBefore(cut) => {
                self.link.set_cut(Some(cut));
                self.unreachable(cut).await
            }
            Action::CutAfter(cut) => {
                self.travel(half).await?;
                let answer = self.arrive().await;
                self.link.set_cut(Some(cut));
                self.settle(Outcome::Unheard(answer.code()));
                self.unheard(cut).await
            }
        }
    }

    /// Takes its time to the server, unless the line breaks on the way.
    async fn travel(&self, time: Duration) -> Result<(), BoxError> {
        tokio::select! {
            biased;
            cut = self.link.broken() => {
                self.settle(Outcome::Lost);
                self.unheard(cut).await?;
                Ok(())
            }
            () = sleep(time) => Ok(()),
        }
    }

    async fn reply(self, answer: Answer, time: Duration) -> Result<Response<WireBody>, BoxError> {
        let code = answer.code();
        self.settle(Outcome::Unheard(code));
        tokio::select! {
            biased;
            cut = self.link.broken() => self.unheard(cut).await,
            () = sleep(time) => {
                self.settle(Outcome::Answered(code));
                self.send(answer)
            }
        }
    }

    /// Does at the server what the request asks for.
    async fn arrive(&self) -> Answer {
        let moment = self.server.clock().moment();
        let answer = match &self.target {
            Err(refusal) => Answer::refusal(refusal),
            Ok(Target::Server(path)) => {
                match info::answer(&self.server, &self.link, path, self.request.body()) {
                    Ok((code, body)) => Answer::Json(code, body, Vec::new()),
                    Err(refusal) => Answer::refusal(&refusal),
                }
            }
            Ok(Target::Proxy(proxied)) => {
                let call = ProxyCall::new(self.link.instance(), proxied, &self.request);
                Answer::Raw(self.server.proxy(call).await)
            }
            Ok(Target::Kind(call)) => {
                let mut context = Context::of(self.author(call));
                let result = self
                    .server
                    .write(|state| rest::handle(state, &mut context, call));
                match result {
                    Ok(Reply::Body(code, body)) => Answer::Json(code, body, context.dropped),
                    Ok(Reply::Watch(plan)) => Answer::Watch(plan),
                    Err(refusal) => Answer::refusal(&refusal),
                }
            }
        };
        let version = self.server.state().version();
        self.server.journal().amend(self.seq, |record| {
            record.arrived = Some(moment);
            record.version = Some(version);
        });
        answer
    }

    fn author(&self, call: &route::Call) -> Author {
        let applies = call.content_type.starts_with("application/apply-patch");
        let given = call.option("fieldManager");
        // Writers without a name go by their client's; an apply has to name its manager.
        let manager = if given.is_empty() && !applies {
            self.link.instance()
        } else {
            given
        };
        Author {
            instance: self.link.instance().into(),
            manager: manager.into(),
            applied: false,
            request: Some(self.seq),
        }
    }

    fn settle(&self, outcome: Outcome) {
        self.server
            .journal()
            .amend(self.seq, |record| record.outcome = outcome);
    }

    async fn fail(&self, failure: Failure) -> Result<Response<WireBody>, BoxError> {
        match failure {
            Failure::Reset => Err(reset()),
            Failure::Hang => futures::future::pending().await,
            Failure::Status(code) => self.send(Answer::Json(
                code,
                ApiError::injected(code).status(),
                Vec::new(),
            )),
        }
    }

    /// Ends a request that never left.
    async fn unreachable(&self, cut: Cut) -> Result<Response<WireBody>, BoxError> {
        self.settle(Outcome::Lost);
        self.unheard(cut).await
    }

    /// Ends a request on a line that is cut: silence until it is mended, or an error.
    async fn unheard(&self, cut: Cut) -> Result<Response<WireBody>, BoxError> {
        match cut {
            Cut::Silent => self.link.mended().await,
            Cut::Refusing => {}
        }
        Err(reset())
    }

    fn send(&self, answer: Answer) -> Result<Response<WireBody>, BoxError> {
        let builder = |code: u16| Response::builder().status(code);
        match answer {
            Answer::Json(code, body, dropped) => {
                let mut builder = builder(code).header(header::CONTENT_TYPE, "application/json");
                for field in dropped {
                    builder = builder.header(
                        header::WARNING,
                        format!("299 - \"unknown field \\\"{field}\\\"\""),
                    );
                }
                if let Some(seconds) = body["details"]["retryAfterSeconds"].as_i64() {
                    builder = builder.header(header::RETRY_AFTER, seconds);
                }
                Ok(builder.body(whole(body.to_string().into()))?)
            }
            Answer::Watch(plan) => {
                let lines = watch::open(self.server.clone(), self.link.clone(), *plan);
                let body = StreamBody::new(lines.map(|line| line.map(Frame::data)));
                Ok(builder(200)
                    .header(header::CONTENT_TYPE, "application/json")
                    .body(body.boxed_unsync())?)
            }
            Answer::Raw(response) => Ok(response.map(whole)),
        }
    }
}

fn whole(bytes: Bytes) -> WireBody {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

fn reset() -> BoxError {
    io::Error::new(
        io::ErrorKind::ConnectionReset,
        "the connection to the API server broke",
    )
    .into()
}

fn describe(
    instance: &str,
    request: &HttpRequest<Bytes>,
    target: &Result<Target, ApiError>,
) -> Request {
    let path = request.uri().path();
    match target {
        Ok(Target::Kind(call)) => Request::of(instance, path, call),
        Ok(Target::Proxy(proxied)) => Request {
            instance: instance.to_owned(),
            verb: Some(super::proxy::verb(request.method())),
            resource: proxied.resource.clone(),
            subresource: "proxy".to_owned(),
            namespace: proxied.namespace.clone(),
            name: proxied.name.clone(),
            path: path.to_owned(),
            ..Request::default()
        },
        Ok(Target::Server(_)) | Err(_) => Request {
            instance: instance.to_owned(),
            path: path.to_owned(),
            ..Request::default()
        },
    }
}

/// Words a refusal as RBAC does.
fn forbidden(request: &Request) -> ApiError {
    let verb = request.verb.map_or("get", route::Verb::word);
    let mut resource = request.resource.clone();
    if !request.subresource.is_empty() {
        resource = format!("{resource}/{}", request.subresource);
    }
    let place = if request.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace {:?}", request.namespace)
    };
    let why = format!(
        "User {:?} cannot {verb} resource {resource:?} in API group {:?} {place}",
        request.instance, request.group
    );
    let kind = super::kinds::Kind::all()
        .iter()
        .find(|kind| kind.group == request.group && kind.resource == request.resource)
        .expect("rules mean requests to known kinds");
    ApiError::forbidden(kind, &request.name, &why)
}
