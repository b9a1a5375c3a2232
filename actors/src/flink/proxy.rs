//! Flink's REST API through the service proxy of the API server.

use bytes::Bytes;
use flink_rest::{Transport, TransportError};
use http::Request;
use http_body_util::BodyExt;
use kube::client::Body;

/// Makes a transport that sends every request to the API server, with its credentials.
///
/// The host of a request is a placeholder: the client puts its own in place.
pub fn through_api_server(client: kube::Client) -> Transport {
    Transport::buffered(tower::service_fn(move |request: Request<Bytes>| {
        let client = client.clone();
        async move {
            let (mut head, body) = request.into_parts();
            let path = head
                .uri
                .path_and_query()
                .map_or("/", http::uri::PathAndQuery::as_str);
            head.uri = path
                .parse()
                .map_err(|error| TransportError::NotHttp(format!("{error}")))?;
            head.headers.remove(http::header::HOST);
            let request = Request::from_parts(head, Body::from(body.to_vec()));
            let response = client
                .send(request)
                .await
                .map_err(|error| TransportError::Closed(innermost(&error)))?;
            Ok(
                response
                    .map(|body| body.map_err(|error| TransportError::Closed(innermost(&error)))),
            )
        }
    }))
}

/// Says the innermost cause, which names no address.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
