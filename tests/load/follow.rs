//! Watches of the harness: only what it needs of each object is read.

use std::fmt::Debug;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use http::{Method, Request, StatusCode};
use kube::Client;
use kube::core::WatchEvent;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::stage::space::send;

/// The part of an object's metadata that the harness reads.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Meta {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) uid: String,
    pub(crate) resource_version: String,
}

/// An object that can be followed.
pub(crate) trait Followed {
    /// Returns its metadata.
    fn metadata(&self) -> &Meta;
}

impl Meta {
    /// Returns what tells an object from all others of its kind.
    pub(crate) fn key(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// Follows all objects of a kind until it is aborted; returns once nothing can be missed any more.
pub(crate) async fn follow<T>(
    client: &Client,
    path: &str,
    mut seen: impl FnMut(T) + Send + 'static,
) -> JoinHandle<()>
where
    T: Clone + Debug + DeserializeOwned + Followed + Send + 'static,
{
    let query = if path.contains('?') { '&' } else { '?' };
    let list = loop {
        let reply = send(client, Method::GET, path, None).await;
        // A kind that is new has no store for a moment.
        if reply.code != StatusCode::TOO_MANY_REQUESTS {
            break reply.ok();
        }
        sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(
        list["items"].as_array().map(Vec::len),
        Some(0),
        "{path}: something is there before the beginning"
    );
    let mut version = list["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .to_owned();
    let watch = format!("{path}{query}watch=true&timeoutSeconds=7200&resourceVersion=");
    let client = client.clone();
    let begin = async move |version: &str| {
        let request = Request::get(format!("{watch}{version}"));
        let request = request.body(Vec::new()).unwrap();
        client
            .request_events::<T>(request)
            .await
            .map(StreamExt::boxed)
    };
    let mut events = begin(&version).await.unwrap();
    tokio::spawn(async move {
        loop {
            match events.try_next().await {
                Ok(Some(WatchEvent::Added(object) | WatchEvent::Modified(object))) => {
                    version.clone_from(&object.metadata().resource_version);
                    seen(object);
                }
                Ok(Some(WatchEvent::Deleted(_) | WatchEvent::Bookmark(_))) => {}
                Ok(Some(WatchEvent::Error(error))) => {
                    panic!("a watch of the harness failed: {error:?}")
                }
                // The server ends the watch of whoever reads too slowly: this process on a busy machine.
                Ok(None) | Err(_) => match begin(&version).await {
                    Ok(again) => events = again,
                    // At the end the server goes first; before that, whoever waits for an event says so.
                    Err(_) => return,
                },
            }
        }
    })
}
