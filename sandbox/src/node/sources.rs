//! ConfigMaps, Secrets and tokens that pods refer to, and waiting for those that are not there yet.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, ServiceAccount};
use kube::api::PostParams;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};

/// How long to wait before asking an API server again that answered with an error.
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// Contents by key.
pub(super) type Data = BTreeMap<String, Vec<u8>>;

/// Names an object that a pod needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reference {
    ConfigMap(String),
    Secret(String),
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConfigMap(name) => write!(formatter, "configmap {name:?}"),
            Self::Secret(name) => write!(formatter, "secret {name:?}"),
        }
    }
}

/// Why something cannot be prepared now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// Goes away when the object comes or changes.
    Missing { what: Reference, message: String },
    /// The API server answered with an error, which may pass.
    Refused { message: String },
    /// Does not go away: the pod asks for something that does not exist here.
    Unsupported { message: String },
}

impl Problem {
    pub(super) fn message(&self) -> &str {
        match self {
            Self::Missing { message, .. }
            | Self::Refused { message }
            | Self::Unsupported { message } => message,
        }
    }
}

/// Reads what the pods of one namespace refer to.
#[derive(Clone)]
pub(super) struct Sources {
    client: Client,
    namespace: String,
    /// In which version each object was read last; `None` if it was not there.
    seen: Arc<Mutex<BTreeMap<String, Option<String>>>>,
}

impl Sources {
    pub(super) fn new(client: Client, namespace: &str) -> Self {
        Self {
            client,
            namespace: namespace.to_owned(),
            seen: Arc::default(),
        }
    }

    /// Returns the content of an object; `None` if it is optional and not there.
    pub(super) async fn read(
        &self,
        what: &Reference,
        optional: bool,
    ) -> Result<Option<Data>, Problem> {
        let found =
            match what {
                Reference::ConfigMap(name) => {
                    self.api::<ConfigMap>().get_opt(name).await.map(|found| {
                        found.map(|object| (object.resource_version(), config_map_data(object)))
                    })
                }
                Reference::Secret(name) => self.api::<Secret>().get_opt(name).await.map(|found| {
                    found.map(|object| (object.resource_version(), secret_data(object)))
                }),
            };
        if let Ok(found) = &found {
            let version = found.as_ref().and_then(|(version, _)| version.clone());
            self.seen().insert(what.to_string(), version);
        }
        match found {
            Ok(Some((_, data))) => Ok(Some(data)),
            Ok(None) if optional => Ok(None),
            Ok(None) => Err(Problem::Missing {
                what: what.clone(),
                message: format!("{what} not found"),
            }),
            Err(error) => Err(Problem::Refused {
                message: format!("cannot read {what}: {error}"),
            }),
        }
    }

    /// Waits until it is worth trying again, which it is at once if the object came in the meantime.
    pub(super) async fn changed(&self, problem: &Problem) {
        match problem {
            Problem::Missing { what, .. } => {
                let before = self.seen().get(&what.to_string()).cloned().flatten();
                match what {
                    Reference::ConfigMap(name) => {
                        other_version(self.api::<ConfigMap>(), name, before).await;
                    }
                    Reference::Secret(name) => {
                        other_version(self.api::<Secret>(), name, before).await;
                    }
                }
            }
            Problem::Refused { .. } => tokio::time::sleep(AFTER_ERROR).await,
            Problem::Unsupported { .. } => std::future::pending().await,
        }
    }

    /// Gets a token for the pod's service account that ends with the pod.
    pub(super) async fn token(
        &self,
        pod: &Pod,
        audience: Option<&str>,
        seconds: i64,
    ) -> Result<String, Problem> {
        let account = pod
            .spec
            .as_ref()
            .and_then(|spec| spec.service_account_name.as_deref())
            .unwrap_or("default");
        let bound = BoundObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: Some(pod.name_any()),
            uid: pod.uid(),
        };
        let audiences = audience.map(str::to_owned).into_iter().collect();
        let spec = TokenRequestSpec {
            audiences,
            expiration_seconds: Some(seconds),
            bound_object_ref: Some(bound),
        };
        let request = TokenRequest {
            spec,
            ..TokenRequest::default()
        };
        let answer = self
            .api::<ServiceAccount>()
            .create_token_request(account, &PostParams::default(), &request)
            .await;
        let refused = |why: String| Problem::Refused {
            message: format!("cannot get a token of serviceaccount {account:?}: {why}"),
        };
        let answer = answer.map_err(|error| refused(error.to_string()))?;
        answer
            .status
            .map(|status| status.token)
            .ok_or_else(|| refused("the answer has none".to_owned()))
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<String, Option<String>>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}

/// Waits until the object is there in another version than the one that was read.
async fn other_version<K>(api: Api<K>, name: &str, before: Option<String>)
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
    K::DynamicType: Default,
{
    let mut sightings = pin!(watcher::watch_object(api, name).default_backoff());
    while let Some(sighting) = sightings.next().await {
        // Errors are retried by the watch, with a pause.
        if let Ok(Some(object)) = sighting
            && object.resource_version() != before
        {
            return;
        }
    }
}

fn config_map_data(object: ConfigMap) -> Data {
    let texts = object
        .data
        .into_iter()
        .flatten()
        .map(|(key, text)| (key, text.into_bytes()));
    texts
        .chain(
            object
                .binary_data
                .into_iter()
                .flatten()
                .map(|(key, bytes)| (key, bytes.0)),
        )
        .collect()
}

fn secret_data(object: Secret) -> Data {
    object
        .data
        .into_iter()
        .flatten()
        .map(|(key, bytes)| (key, bytes.0))
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicBool, Ordering};

    use http::{Request, Response};
    use kube::client::Body;
    use serde_json::json;
    use tokio::time::timeout;

    use super::*;

    /// An API server on which the ConfigMap `late` comes right after it was asked for in vain.
    fn client() -> Client {
        let asked = Arc::new(AtomicBool::new(false));
        let service = tower::service_fn(move |request: Request<Body>| {
            let path = request.uri().path();
            let (status, answer) = if !path.ends_with("/late") {
                let map = json!({ "metadata": { "name": "late", "resourceVersion": "7" } });
                (
                    200,
                    json!({ "metadata": { "resourceVersion": "7" }, "items": [map] }),
                )
            } else if asked.swap(true, Ordering::Relaxed) {
                (
                    200,
                    json!({ "metadata": { "name": "late", "resourceVersion": "7" }, "data": { "a": "1" } }),
                )
            } else {
                (
                    404,
                    json!({ "kind": "Status", "status": "Failure", "reason": "NotFound", "message": "late", "code": 404 }),
                )
            };
            let answer = Response::builder()
                .status(status)
                .body(Body::from(answer.to_string().into_bytes()));
            async move { Ok::<_, Infallible>(answer.unwrap()) }
        });
        Client::new(service, "default")
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_that_came_before_the_wait_ends_it() {
        let sources = Sources::new(client(), "default");
        let late = Reference::ConfigMap("late".to_owned());
        let problem = sources.read(&late, false).await.unwrap_err();
        assert!(problem.message().contains("not found"), "{problem:?}");
        let waited = timeout(Duration::from_secs(60), sources.changed(&problem)).await;
        waited.expect("what is there now was not there when it was read");
        assert!(sources.read(&late, false).await.unwrap().is_some());
        let missing = Problem::Missing {
            what: late,
            message: "has no key".to_owned(),
        };
        let waited = timeout(Duration::from_secs(60), sources.changed(&missing)).await;
        waited.expect_err("the version that was read lacks the key, and there is no other");
    }
}
