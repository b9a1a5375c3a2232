//! The real transport: reqwest, reduced to one attempt over pooled connections.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore};

use crate::body::{BodyError, RequestBody};
use crate::tls::Tls;
use crate::transport::{Transport, TransportError};

/// How connections are made and kept.
#[derive(Debug, Clone)]
pub struct Network {
    /// How long a connection may take to come about, name look-up and TLS included.
    pub connect: Duration,
    /// How long an idle connection is kept. Longer than the interval of looks, or each look
    /// connects anew; shorter than Flink's own `rest.idleness-timeout` of 5 minutes.
    pub idle: Duration,
    /// How many idle connections are kept per JobManager. Each takes about 20 KiB, most of it
    /// hyper's buffers; one is enough for a caller that asks one thing after another.
    pub idle_per_host: usize,
    /// What the client calls itself.
    pub user_agent: String,
    /// Whom it trusts, and as whom it appears; without it no certificate is trusted.
    pub tls: Option<Tls>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            idle: Duration::from_secs(75),
            idle_per_host: 1,
            user_agent: concat!("flink-rest/", env!("CARGO_PKG_VERSION")).to_owned(),
            tls: None,
        }
    }
}

/// Says why the network could not be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot set up the HTTP client: {0}")]
pub struct BadNetwork(pub(crate) String);

impl Network {
    /// Makes the transport; clones of it share the connections.
    pub fn transport(&self) -> Result<Transport, BadNetwork> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls_config()?)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(self.connect)
            .pool_idle_timeout(self.idle)
            .pool_max_idle_per_host(self.idle_per_host)
            .user_agent(&self.user_agent)
            .build()
            .map_err(|error| BadNetwork(innermost(&error)))?;
        Ok(Transport::new(tower::service_fn(
            move |request: Request<RequestBody>| {
                let client = client.clone();
                async move { carry(&client, request).await }
            },
        )))
    }

    fn tls_config(&self) -> Result<ClientConfig, BadNetwork> {
        let provider = CryptoProvider::get_default()
            .cloned()
            .unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()));
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| BadNetwork(error.to_string()))?;
        match &self.tls {
            Some(tls) => tls.configure(builder),
            None => Ok(builder
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth()),
        }
    }
}

async fn carry(
    client: &reqwest::Client,
    request: Request<RequestBody>,
) -> Result<Response<Reply>, TransportError> {
    let (head, body) = request.into_parts();
    // A wrapped body is streamed; reqwest must know that an empty one is none.
    let body = if body.is_end_stream() {
        reqwest::Body::default()
    } else {
        reqwest::Body::wrap(body)
    };
    let request = reqwest::Request::try_from(Request::from_parts(head, body))
        .map_err(|error| TransportError::Refused(innermost(&error)))?;
    let response = client
        .execute(request)
        .await
        .map_err(|error| classify(&error))?;
    Ok(Response::<reqwest::Body>::from(response).map(Reply))
}

/// reqwest's reply with our errors.
struct Reply(reqwest::Body);

impl Body for Reply {
    type Data = Bytes;
    type Error = TransportError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, TransportError>>> {
        std::pin::Pin::new(&mut self.0)
            .poll_frame(cx)
            .map(|frame| frame.map(|read| read.map_err(|error| classify(&error))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.size_hint()
    }
}

impl From<Infallible> for TransportError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

fn classify(error: &reqwest::Error) -> TransportError {
    if let Some(body) = find::<BodyError>(error) {
        return body.clone().into();
    }
    if error.is_connect() {
        if error.is_timeout() {
            return TransportError::ConnectTimedOut;
        }
        return TransportError::Refused(innermost(error));
    }
    if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) {
        return TransportError::NotHttp(innermost(error));
    }
    TransportError::Closed(innermost(error))
}

fn chain(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |&error| error.source())
}

fn find<E: StdError + 'static>(error: &reqwest::Error) -> Option<&E> {
    chain(error).find_map(|source| source.downcast_ref::<E>())
}

/// Gives the last cause; the outer ones say little and may hold the URL.
fn innermost(error: &reqwest::Error) -> String {
    chain(error)
        .last()
        .map_or_else(|| "the HTTP client failed".to_owned(), ToString::to_string)
}
