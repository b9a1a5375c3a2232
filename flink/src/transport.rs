//! The seam between this client and whatever carries its requests.

use std::fmt;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};

use crate::body::{BodyError, RequestBody};
use crate::permit::Denied;

/// Says what became of a request that got no complete reply.
///
/// None of the texts holds an address, so that nothing in one can leak.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection came about: refused, unreachable, unknown name, untrusted certificate.
    #[error("{0}")]
    Refused(String),
    /// No connection came about in time.
    #[error("no connection in time")]
    ConnectTimedOut,
    /// The connection ended before the reply did.
    #[error("{0}")]
    Closed(String),
    /// The other side does not speak HTTP/1.1.
    #[error("{0}")]
    NotHttp(String),
    /// The permit did not hold any more when the connection was ready.
    #[error("{0}")]
    Denied(Denied),
}

impl From<BodyError> for TransportError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Denied(denied) => Self::Denied(denied),
            BodyError::File(_) => Self::Closed(error.to_string()),
        }
    }
}

/// The body of a reply, read in pieces.
pub type ReplyBody = UnsyncBoxBody<Bytes, TransportError>;

/// What carries a request to a JobManager and its reply back.
///
/// A request has an absolute URI; dropping the future gives the request up, and a connection on
/// which a reply may still come must then be closed. A transport neither retries nor redirects.
#[derive(Clone)]
pub struct Transport(
    BoxCloneSyncService<Request<RequestBody>, Response<ReplyBody>, TransportError>,
);

impl Transport {
    /// Wraps a service that streams.
    pub fn new<S, B>(service: S) -> Self
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = TransportError>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<TransportError>,
    {
        let boxed = service.map_response(|reply: Response<B>| {
            reply.map(|body| body.map_err(Into::into).boxed_unsync())
        });
        Self(BoxCloneSyncService::new(boxed))
    }

    /// Wraps a service that takes whole requests: a simulated Flink, or another HTTP client.
    ///
    /// The permit of a change is asked before the service sees the request.
    pub fn buffered<S, B>(service: S) -> Self
    where
        S: Service<Request<Bytes>, Response = Response<B>, Error = TransportError>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<TransportError>,
    {
        Self::new(tower::service_fn(move |request: Request<RequestBody>| {
            let service = service.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                service.oneshot(Request::from_parts(head, body)).await
            }
        }))
    }

    pub(crate) async fn carry(
        &self,
        request: Request<RequestBody>,
    ) -> Result<Response<ReplyBody>, TransportError> {
        self.0.clone().oneshot(request).await
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}
