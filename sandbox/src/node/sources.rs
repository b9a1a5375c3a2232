//! ConfigMaps, Secrets and tokens that pods refer to, and waiting for those that are not there yet.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::pin;
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
}

impl Sources {
    pub(super) fn new(client: Client, namespace: &str) -> Self {
        Self {
            client,
            namespace: namespace.to_owned(),
        }
    }

    /// Returns the content of an object; `None` if it is optional and not there.
    pub(super) async fn read(
        &self,
        what: &Reference,
        optional: bool,
    ) -> Result<Option<Data>, Problem> {
        let found = match what {
            Reference::ConfigMap(name) => self
                .api::<ConfigMap>()
                .get_opt(name)
                .await
                .map(|found| found.map(config_map_data)),
            Reference::Secret(name) => self
                .api::<Secret>()
                .get_opt(name)
                .await
                .map(|found| found.map(secret_data)),
        };
        match found {
            Ok(Some(data)) => Ok(Some(data)),
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

    /// Waits until it is worth trying again.
    pub(super) async fn changed(&self, problem: &Problem) {
        match problem {
            Problem::Missing {
                what: Reference::ConfigMap(name),
                ..
            } => next_version(self.api::<ConfigMap>(), name).await,
            Problem::Missing {
                what: Reference::Secret(name),
                ..
            } => next_version(self.api::<Secret>(), name).await,
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

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}

/// Waits until the object is there in another version than now.
async fn next_version<K>(api: Api<K>, name: &str)
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
    K::DynamicType: Default,
{
    let version = |object: Option<&K>| object.and_then(ResourceExt::resource_version);
    let before = version(api.get_opt(name).await.ok().flatten().as_ref());
    let mut sightings = pin!(watcher::watch_object(api, name).default_backoff());
    while let Some(sighting) = sightings.next().await {
        // Errors are retried by the watch, with a pause.
        if let Ok(Some(object)) = sighting
            && version(Some(&object)) != before
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
