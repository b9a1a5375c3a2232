//! The wire from an operator instance to JobManagers, with everything that can go wrong on it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use flink_operator_oracle::history::Call;
use http::{Method, Request, Response, StatusCode};
use tokio::sync::oneshot;
use tokio::time::sleep;
use tower::Service;

use super::body::FlinkBody;
use super::control::Cluster;
use super::kube::Kube;
use super::kubelet::moment;
use super::network::Target;
use super::way::{Way, not_found, rewritten, unavailable, way_of};
use crate::api::{ProxyCall, WireControl};
use crate::points::{Action, Cut, Failure};

/// Says why a request got no complete reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// The name does not resolve.
    NoSuchHost,
    /// Nothing has the address.
    Unreachable,
    /// Nothing listens there.
    Refused,
    /// The connection ended before the reply did.
    Closed,
}

impl WireError {
    /// Tells whether the request surely had no effect.
    pub const fn before_connection(self) -> bool {
        match self {
            Self::NoSuchHost | Self::Unreachable | Self::Refused => true,
            Self::Closed => false,
        }
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NoSuchHost => "no such host",
            Self::Unreachable => "no route to host",
            Self::Refused => "connection refused",
            Self::Closed => "connection closed before message completed",
        })
    }
}

impl std::error::Error for WireError {}

/// What is wrong with a REST endpoint, whoever asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestTrouble {
    /// Connections are accepted and nothing is ever answered; nothing is done either.
    Hang,
    /// Connections are refused.
    Refuse,
    /// Every reply has this status.
    Status(u16),
    /// Replies are 200 and no JSON.
    Garbage,
    /// Replies are 200 and this long.
    Huge(u64),
    /// Replies take this long to begin.
    Slow(Duration),
    /// Replies come one byte at a time, with this pause between.
    Dripping(Duration),
    /// Replies break off in the middle.
    Truncated,
    /// Headers come, the body never does.
    SilentBody,
    /// Requests are carried out and never answered.
    LoseReplies,
}

impl RestTrouble {
    /// Tells whether what is sent can be read in the end, so that its receiver knows what it says.
    const fn is_readable(&self) -> bool {
        match self {
            Self::Slow(_) | Self::Dripping(_) => true,
            Self::Hang
            | Self::Refuse
            | Self::Status(_)
            | Self::Garbage
            | Self::Huge(_)
            | Self::Truncated
            | Self::SilentBody
            | Self::LoseReplies => false,
        }
    }
}

/// The way of one operator instance to JobManagers: a service over whole requests with absolute URIs.
#[derive(Clone, Debug)]
pub struct FlinkWire {
    cluster: Cluster,
    instance: Arc<str>,
    line: WireControl,
}

/// What came back, before it is put on the wire.
enum Answer {
    Reply(Response<FlinkBody>, Duration),
    Failed(WireError),
    Nothing,
}

impl Service<Request<Bytes>> for FlinkWire {
    type Response = Response<FlinkBody>;
    type Error = WireError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<FlinkBody>, WireError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), WireError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let wire = self.clone();
        Box::pin(async move {
            let (way, path) = way_of(request.uri()).ok_or(WireError::NoSuchHost)?;
            wire.exchange(way, rewritten(&request, &path)).await
        })
    }
}

impl FlinkWire {
    pub(super) fn new(cluster: &Cluster, instance: &str) -> Self {
        Self {
            cluster: cluster.clone(),
            instance: instance.into(),
            line: cluster.inner.api.control(instance),
        }
    }

    /// Answers a request that came by way of the API server.
    pub(super) async fn proxied(cluster: Option<Cluster>, call: ProxyCall) -> Response<Bytes> {
        let Some(cluster) = cluster else {
            return unavailable("the cluster is gone");
        };
        let wire = Self::new(&cluster, &call.instance);
        let way = Way::Proxy {
            namespace: call.namespace,
            resource: call.resource,
            name: call.name,
            port: call.port,
        };
        match wire.exchange(way, call.request).await {
            Ok(response) => {
                let (head, body) = response.into_parts();
                match http_body_util::BodyExt::collect(body).await {
                    Ok(body) => Response::from_parts(head, body.to_bytes()),
                    Err(error) => unavailable(&format!("error trying to reach service: {error}")),
                }
            }
            Err(error) => unavailable(&format!("error trying to reach service: {error}")),
        }
    }

    async fn exchange(
        self,
        way: Way,
        request: Request<Bytes>,
    ) -> Result<Response<FlinkBody>, WireError> {
        if self.line.is_cut() {
            return self.unheard().await;
        }
        let action = if request.method() == Method::GET {
            self.cluster
                .pass_read(&self.instance, request.uri().to_string())
        } else {
            let call = format!("{} {} at {way}", request.method(), request.uri());
            self.cluster.inner.api.points().pass(&self.instance, call).1
        };
        let half = self.cluster.inner.api.latency() / 2;
        match action {
            Action::Proceed => {
                self.travel(half).await?;
                let answer = self.arrive(&way, &request);
                self.reply(answer, half).await
            }
            Action::DelayAfter(late) => {
                self.travel(half).await?;
                let answer = self.arrive(&way, &request);
                self.reply(answer, late).await
            }
            Action::DelayBefore(late) => {
                // Once sent, a request arrives whether or not its client still waits.
                let (tell, told) = oneshot::channel();
                let detached = self.clone();
                tokio::spawn(async move {
                    sleep(late).await;
                    let answer = detached.arrive(&way, &request);
                    drop(tell.send(answer));
                });
                let answer = told.await.map_err(|_| WireError::Closed)?;
                self.reply(answer, half).await
            }
            Action::FailBefore(failure) => fail(failure).await,
            Action::FailAfter(failure) => {
                self.travel(half).await?;
                self.arrive(&way, &request);
                fail(failure).await
            }
            Action::CutBefore(cut) => {
                self.line.cut(cut);
                self.unheard().await
            }
            Action::CutAfter(cut) => {
                self.travel(half).await?;
                self.arrive(&way, &request);
                self.line.cut(cut);
                self.unheard().await
            }
        }
    }

    /// Takes its time to the JobManager, unless the line breaks on the way.
    async fn travel(&self, time: Duration) -> Result<(), WireError> {
        tokio::select! {
            biased;
            _ = self.line.link.broken() => self.unheard().await.map(drop),
            () = sleep(time) => Ok(()),
        }
    }

    async fn reply(
        &self,
        answer: (Option<usize>, Answer),
        half: Duration,
    ) -> Result<Response<FlinkBody>, WireError> {
        let (call, answer) = answer;
        let (outcome, time) = match answer {
            Answer::Reply(response, time) => (Ok(response), time + half),
            Answer::Failed(error) => (Err(error), half),
            Answer::Nothing => (Err(WireError::Closed), Duration::MAX),
        };
        tokio::select! {
            biased;
            _ = self.line.link.broken() => self.unheard().await,
            () = sleep(time) => {
                if let Some(index) = call {
                    let mut state = self.cluster.state();
                    let received = moment(state.clock.moment());
                    state.calls[index].received = Some(received);
                }
                outcome
            }
        }
    }

    /// Ends a request on a line that is cut: silence until it is mended, or an error.
    async fn unheard(&self) -> Result<Response<FlinkBody>, WireError> {
        match self.line.link.cut() {
            Some(Cut::Silent) => self.line.link.mended().await,
            Some(Cut::Refusing) | None => {}
        }
        Err(WireError::Closed)
    }

    /// Does at the JobManager what the request asks for; gives the number of the recorded call.
    fn arrive(&self, way: &Way, request: &Request<Bytes>) -> (Option<usize>, Answer) {
        let proxied = matches!(way, Way::Proxy { .. });
        let target = {
            let mut state = self.cluster.state();
            state.step();
            match way {
                Way::Direct { host, port } => state.resolve(host, *port),
                Way::Proxy {
                    namespace,
                    resource,
                    name,
                    ..
                } if resource == "pods" => {
                    let pod = state
                        .pods
                        .values()
                        .find(|pod| pod.namespace == *namespace && pod.name == *name);
                    pod.map_or(Target::NoSuchHost, |pod| Target::Pod(pod.uid.clone()))
                }
                Way::Proxy {
                    namespace,
                    name,
                    port,
                    ..
                } => state.service(namespace, name, port),
            }
        };
        let refused = |error: WireError, message: String| {
            if proxied {
                Answer::Reply(unavailable(&message).map(FlinkBody::whole), Duration::ZERO)
            } else {
                Answer::Failed(error)
            }
        };
        let trying = |error: WireError| format!("error trying to reach service: dial tcp: {error}");
        match target {
            Target::Pod(uid) => {
                let answer = self.ask(&uid, request);
                match answer {
                    (call, Answer::Failed(error)) => (call, refused(error, trying(error))),
                    other => other,
                }
            }
            Target::NoSuchHost if proxied => (
                None,
                Answer::Reply(not_found(way).map(FlinkBody::whole), Duration::ZERO),
            ),
            Target::NoSuchHost => (None, Answer::Failed(WireError::NoSuchHost)),
            Target::Unreachable => (
                None,
                refused(WireError::Unreachable, trying(WireError::Unreachable)),
            ),
            Target::NoEndpoints => {
                let message = format!("no endpoints available for service \"{way}\"");
                (None, refused(WireError::Refused, message))
            }
        }
    }

    /// Asks one process.
    fn ask(&self, uid: &str, request: &Request<Bytes>) -> (Option<usize>, Answer) {
        let mut state = self.cluster.state();
        let Some(process) = state.pods.get(uid).and_then(|pod| pod.process.as_ref()) else {
            return (None, Answer::Failed(WireError::Refused));
        };
        let (namespace, cluster) = (process.who.namespace.clone(), process.who.cluster.clone());
        let trouble = if process.frozen {
            Some(RestTrouble::Hang)
        } else {
            self.cluster.rest_trouble_of(&namespace, &cluster)
        };
        let arrived = moment(state.clock.moment());
        let mut call = Call {
            moment: arrived,
            instance: self.instance.to_string(),
            namespace,
            cluster,
            method: request.method().to_string(),
            path: request.uri().to_string(),
            body: serde_json::from_slice(request.body()).ok(),
            code: 0,
            reply: None,
            received: None,
        };
        let answer = match trouble {
            Some(RestTrouble::Hang) => Answer::Nothing,
            Some(RestTrouble::Refuse) => Answer::Failed(WireError::Refused),
            Some(RestTrouble::Status(code)) => {
                let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                call.code = code.as_u16();
                let reply = crate::flink::rest::Reply::error(code, "asked to answer so");
                Answer::Reply(reply.into_response().map(FlinkBody::whole), Duration::ZERO)
            }
            Some(
                trouble @ (RestTrouble::Garbage
                | RestTrouble::Huge(_)
                | RestTrouble::Slow(_)
                | RestTrouble::Dripping(_)
                | RestTrouble::Truncated
                | RestTrouble::SilentBody
                | RestTrouble::LoseReplies),
            ) => {
                let reply = answered(&mut state, uid, request, &mut call);
                if !trouble.is_readable() {
                    call.reply = None;
                }
                spoil(&trouble, reply)
            }
            None => answered(&mut state, uid, request, &mut call)
                .map_or(Answer::Failed(WireError::Refused), |reply| {
                    Answer::Reply(reply.map(FlinkBody::whole), Duration::ZERO)
                }),
        };
        state.calls.push(call);
        let index = state.calls.len() - 1;
        drop(state);
        self.cluster.wake();
        (Some(index), answer)
    }
}

/// Lets a process answer and records the reply.
fn answered(
    state: &mut super::state::State,
    uid: &str,
    request: &Request<Bytes>,
    call: &mut Call,
) -> Option<Response<Bytes>> {
    let mut kube = Kube::new(&state.api, state.clock.now());
    let reply = state
        .with_process(uid, &mut kube, |process, ground| {
            process.answer(request, ground)
        })
        .flatten()?;
    call.code = reply.code.as_u16();
    call.reply = Some(reply.body.clone());
    Some(reply.into_response())
}

/// Spoils a reply whose request was carried out.
fn spoil(trouble: &RestTrouble, reply: Option<Response<Bytes>>) -> Answer {
    let Some(reply) = reply else {
        return Answer::Failed(WireError::Refused);
    };
    let (head, bytes) = reply.into_parts();
    let (body, time) = match trouble {
        RestTrouble::Garbage => (
            FlinkBody::whole(Bytes::from_static(b"<html>\xff\xfe not json")),
            Duration::ZERO,
        ),
        RestTrouble::Huge(length) => (FlinkBody::huge(*length), Duration::ZERO),
        RestTrouble::Slow(time) => (FlinkBody::whole(bytes), *time),
        RestTrouble::Dripping(pause) => (FlinkBody::dripping(bytes, *pause), Duration::ZERO),
        RestTrouble::Truncated => (FlinkBody::truncated(&bytes), Duration::ZERO),
        RestTrouble::SilentBody => (FlinkBody::silent(), Duration::ZERO),
        RestTrouble::LoseReplies | RestTrouble::Hang => return Answer::Nothing,
        RestTrouble::Refuse | RestTrouble::Status(_) => (FlinkBody::whole(bytes), Duration::ZERO),
    };
    Answer::Reply(Response::from_parts(head, body), time)
}

async fn fail(failure: Failure) -> Result<Response<FlinkBody>, WireError> {
    match failure {
        Failure::Reset => Err(WireError::Closed),
        Failure::Hang => std::future::pending().await,
        Failure::Status(code) => {
            let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let reply = crate::flink::rest::Reply::error(code, "asked to answer so");
            Ok(reply.into_response().map(FlinkBody::whole))
        }
    }
}
