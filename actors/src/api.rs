//! Requests to the API server: one at a time, each with a deadline, told apart by what came of it.
//!
//! Nothing here retries. A request that changes something is sent only while this instance leads.

use crate::clock::Clock;
use crate::leadership::Leadership;
use http::{Method, Request, StatusCode};
use jiff::Timestamp;
use kube::client::Body;
use operator_core::effect::Outcome;
use operator_core::fact::Why;
use serde_json::Value;
use std::time::Duration;

/// The deadline of one request.
const DEADLINE: Duration = Duration::from_secs(4);
/// The longest reply that is read: lists of pods and ConfigMaps of one cluster are far below.
const LONGEST_REPLY: usize = 64 * 1024 * 1024;
/// The longest text of an error that is passed on.
const LONGEST_MESSAGE: usize = 700;

/// The API server, as passes use it.
#[derive(Clone)]
pub struct Api {
    client: kube::Client,
    leadership: Leadership,
    clock: Clock,
    meter: Option<std::sync::Arc<dyn ApiMeter>>,
}

/// Counts requests by closed sets of labels.
pub trait ApiMeter: Send + Sync {
    /// Notes one request: its verb, the plural of its resource, and the status (0 without one).
    fn request(&self, verb: &'static str, resource: &str, code: u16, took: Duration);
}

/// Why a request brought nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What happened.
    pub why: Why,
    /// Whether the request may have been carried out all the same.
    pub perhaps_applied: bool,
}

impl Failure {
    /// Returns the HTTP status, if there was one.
    pub fn code(&self) -> Option<u16> {
        match &self.why {
            Why::Status { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Says what became of an effect.
    pub fn outcome(self) -> Outcome {
        if self.perhaps_applied {
            Outcome::Unknown(self.why)
        } else {
            Outcome::Refused(self.why)
        }
    }
}

impl Api {
    /// Wraps a client, which must not retry.
    pub fn new(client: kube::Client, leadership: Leadership, clock: Clock) -> Self {
        Self {
            client,
            leadership,
            clock,
            meter: None,
        }
    }

    /// Reports every request to `meter`.
    #[must_use]
    pub fn metered(self, meter: std::sync::Arc<dyn ApiMeter>) -> Self {
        Self {
            meter: Some(meter),
            ..self
        }
    }

    /// Returns the client for watches.
    pub fn client(&self) -> &kube::Client {
        &self.client
    }

    /// Reads one object; `None` if it is not there.
    pub async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        match self.send("get", Method::GET, path, None, None).await {
            Ok(body) => Ok(Some(body)),
            Err(failure) if failure.code() == Some(404) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Lists what a path with its query names.
    pub async fn list(&self, path: &str) -> Result<Vec<u8>, Failure> {
        self.send("list", Method::GET, path, None, None).await
    }

    /// Creates an object.
    pub async fn post(
        &self,
        path: &str,
        body: &Value,
        not_after: Option<Timestamp>,
    ) -> Result<Value, Failure> {
        let reply = self
            .send(
                "create",
                Method::POST,
                path,
                Some(("application/json", body)),
                not_after,
            )
            .await?;
        parse(&reply)
    }

    /// Replaces an object under the resourceVersion that its body names.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let reply = self
            .send(
                "update",
                Method::PUT,
                path,
                Some(("application/json", body)),
                None,
            )
            .await?;
        parse(&reply)
    }

    /// Merges into an object.
    pub async fn merge(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let reply = self
            .send(
                "patch",
                Method::PATCH,
                path,
                Some(("application/merge-patch+json", body)),
                None,
            )
            .await?;
        parse(&reply)
    }

    /// Deletes an object under the preconditions that the options name; gone already is success.
    pub async fn delete(&self, path: &str, options: &Value) -> Result<(), Failure> {
        match self
            .send(
                "delete",
                Method::DELETE,
                path,
                Some(("application/json", options)),
                None,
            )
            .await
        {
            Ok(_) => Ok(()),
            Err(failure) if failure.code() == Some(404) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    async fn send(
        &self,
        verb: &'static str,
        method: Method,
        path: &str,
        body: Option<(&str, &Value)>,
        not_after: Option<Timestamp>,
    ) -> Result<Vec<u8>, Failure> {
        let mutates = method != Method::GET;
        if mutates {
            self.may_send(not_after)?;
        }
        let request = request(method, path, body)?;
        let began = tokio::time::Instant::now();
        let answer = tokio::time::timeout(DEADLINE, self.exchange(request)).await;
        let result = match answer {
            Ok(result) => result,
            Err(_) => Err(Failure {
                why: Why::TimedOut,
                perhaps_applied: true,
            }),
        };
        if let Some(meter) = &self.meter {
            let code = match &result {
                Ok((status, _)) => status.as_u16(),
                Err(_) => 0,
            };
            meter.request(verb, resource_of(path), code, began.elapsed());
        }
        let (status, bytes) = result?;
        if status.is_success() {
            return Ok(bytes);
        }
        // A 5xx may come from something in between, after the server acted.
        let perhaps_applied = mutates && status.is_server_error();
        Err(Failure {
            why: Why::Status {
                code: status.as_u16(),
                message: message(&bytes),
            },
            perhaps_applied,
        })
    }

    /// The last look before a change leaves: leadership and time.
    fn may_send(&self, not_after: Option<Timestamp>) -> Result<(), Failure> {
        let not_sent = |why: String| Failure {
            why: Why::NotSent(why),
            perhaps_applied: false,
        };
        self.leadership
            .permit()
            .map_err(|denied| not_sent(denied.to_string()))?;
        match not_after {
            Some(limit) if self.clock.now() > limit => Err(not_sent("its time is over".to_owned())),
            Some(_) | None => Ok(()),
        }
    }

    async fn exchange(&self, request: Request<Body>) -> Result<(StatusCode, Vec<u8>), Failure> {
        let response = self
            .client
            .send(request)
            .await
            .map_err(|error| transport_failure(&error))?;
        let status = response.status();
        let body = http_body_util::Limited::new(response.into_body(), LONGEST_REPLY);
        let bytes = http_body_util::BodyExt::collect(body)
            .await
            .map_err(|_| Failure {
                why: Why::Closed,
                perhaps_applied: true,
            })?;
        Ok((status, bytes.to_bytes().to_vec()))
    }
}

fn request(
    method: Method,
    path: &str,
    body: Option<(&str, &Value)>,
) -> Result<Request<Body>, Failure> {
    let mut builder = Request::builder()
        .method(method)
        .uri(path)
        .header("accept", "application/json");
    let bytes = body.map_or_else(Vec::new, |(content_type, value)| {
        builder = std::mem::take(&mut builder).header("content-type", content_type);
        value.to_string().into_bytes()
    });
    builder.body(Body::from(bytes)).map_err(|error| Failure {
        why: Why::NotSent(format!("the request cannot be written: {error}")),
        perhaps_applied: false,
    })
}

fn parse(reply: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(reply).map_err(|error| Failure {
        why: Why::NotUnderstood(error.to_string()),
        perhaps_applied: true,
    })
}

/// Tells a connection that never came about from one that broke.
fn transport_failure(error: &kube::Error) -> Failure {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        let refused = current
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused);
        if refused {
            return Failure {
                why: Why::Refused,
                perhaps_applied: false,
            };
        }
        cause = current.source();
    }
    Failure {
        why: Why::Closed,
        perhaps_applied: true,
    }
}

/// The server's own words, cut to a readable length.
fn message(body: &[u8]) -> String {
    let status: Option<Value> = serde_json::from_slice(body).ok();
    let text = status.and_then(|status| status["message"].as_str().map(ToOwned::to_owned));
    let text = text.unwrap_or_else(|| {
        String::from_utf8_lossy(&body[..body.len().min(LONGEST_MESSAGE)]).into_owned()
    });
    text.chars().take(LONGEST_MESSAGE).collect()
}

/// Returns the plural in a path, which comes from the closed set of paths in this crate.
fn resource_of(path: &str) -> &str {
    let path = path.split('?').next().unwrap_or(path);
    let mut parts = path
        .split('/')
        .skip_while(|part| *part != "namespaces")
        .skip(2);
    parts.next().unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::resource_of;

    #[test]
    fn requests_are_counted_by_plural() {
        assert_eq!(
            resource_of("/apis/apps/v1/namespaces/a/deployments/b"),
            "deployments"
        );
        assert_eq!(
            resource_of("/api/v1/namespaces/a/pods?labelSelector=app%3Db"),
            "pods"
        );
        assert_eq!(
            resource_of("/apis/flink.apache.org/v1beta1/namespaces/a/flinkdeployments/b/status"),
            "flinkdeployments"
        );
        assert_eq!(resource_of("/version"), "other");
    }
}
