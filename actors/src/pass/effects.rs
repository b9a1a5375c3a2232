//! Single effects: one request each, and what its reply proves.

use super::act::Acting;
use super::paths;
use crate::api::Failure;
use operator_core::effect::{Effect, Outcome, Owner, Receipt};
use operator_core::fact::Why;
use operator_core::name::Uid;
use operator_core::observed::ChildKind;
use serde_json::{Value, json};

impl Acting<'_> {
    /// Carries out one effect; `created` is the Deployment that this pass has created.
    pub(super) async fn effect(&mut self, effect: &Effect, created: Option<&Uid>) -> Outcome {
        let namespace = &self.observed.resource.meta.key.namespace;
        let api = &self.shell.api;
        match effect {
            Effect::SaveStatus => Outcome::Done(Receipt::Nothing),
            Effect::AddFinalizer => self.finalizer(true).await,
            Effect::RemoveFinalizer => self.finalizer(false).await,
            Effect::RemoveGraphs {
                name,
                uid,
                resource_version,
                keys,
            } => {
                let path = format!("/api/v1/namespaces/{namespace}/configmaps/{name}");
                plain(
                    self.remove_graphs(&path, uid.as_str(), resource_version.as_str(), keys)
                        .await,
                )
            }
            Effect::CreateDeployment {
                body, not_after, ..
            } => {
                match api
                    .post(&paths::deployments(namespace), body, Some(*not_after))
                    .await
                {
                    Ok(created) => match created["metadata"]["uid"].as_str() {
                        Some(uid) => Outcome::Done(Receipt::Created(Uid::new(uid))),
                        None => Outcome::Unknown(Why::NotUnderstood(
                            "the reply names no uid".to_owned(),
                        )),
                    },
                    Err(failure) => failure.outcome(),
                }
            }
            Effect::CreateChild {
                kind,
                body,
                owner,
                not_after,
            } => {
                let uid = match owner {
                    Owner::Seen(uid) => Some(uid),
                    Owner::JustCreated => created,
                };
                let Some(uid) = uid else {
                    return Outcome::Refused(Why::NotSent(
                        "the owner has not been created".to_owned(),
                    ));
                };
                let body = owned(body, &self.observed.resource.meta.key.name, uid);
                let path = paths::children(namespace, *kind);
                match api.post(&path, &body, Some(*not_after)).await {
                    Ok(_) => Outcome::Done(Receipt::Nothing),
                    Err(failure) if failure.code() == Some(409) => {
                        self.there_already(*kind, &body).await
                    }
                    Err(failure) => failure.outcome(),
                }
            }
            Effect::DeleteDeployment { name, uid, .. } => {
                let options = json!({ "propagationPolicy": "Foreground", "preconditions": { "uid": uid.as_str() } });
                plain(
                    api.delete(
                        &format!("{}/{name}", paths::deployments(namespace)),
                        &options,
                    )
                    .await,
                )
            }
            Effect::DeleteHaMap {
                name,
                uid,
                resource_version,
            } => {
                let options = json!({
                    "preconditions": { "uid": uid.as_str(), "resourceVersion": resource_version.as_str() },
                });
                plain(
                    api.delete(
                        &format!("/api/v1/namespaces/{namespace}/configmaps/{name}"),
                        &options,
                    )
                    .await,
                )
            }
            Effect::Cancel { .. } | Effect::StopWithSavepoint { .. } => self.at_flink(effect).await,
            Effect::RecordSnapshot { body } => self.record_snapshot(body).await,
        }
    }

    /// Creates a snapshot resource and then fills its status. Both can be repeated: the name is fixed, and the status
    /// is always the same.
    async fn record_snapshot(&self, body: &Value) -> Outcome {
        let api = &self.shell.api;
        let collection = paths::snapshots(&self.observed.resource.meta.key.namespace);
        let name = body["metadata"]["name"].as_str().unwrap_or_default();
        let path = format!("{collection}/{name}");
        let stored = match api.post(&collection, body, None).await {
            Ok(created) => created,
            Err(failure) if failure.code() == Some(409) => match api.get(&path).await {
                Ok(Some(bytes)) => serde_json::from_slice(&bytes).unwrap_or_default(),
                Ok(None) => return Outcome::Unknown(Why::Closed),
                Err(failure) => return failure.outcome(),
            },
            Err(failure) => return failure.outcome(),
        };
        if stored["spec"]["savepoint"]["path"] != body["spec"]["savepoint"]["path"] {
            return Outcome::Refused(Why::Taken);
        }
        if stored["status"]["state"] == body["status"]["state"] {
            return Outcome::Done(Receipt::Nothing);
        }
        let version = &stored["metadata"]["resourceVersion"];
        let change =
            json!({ "metadata": { "resourceVersion": version }, "status": body["status"] });
        // The object is the record; whoever finds it without a status finds the savepoint all the same.
        if let Err(failure) = api.merge(&format!("{path}/status"), &change).await {
            tracing::warn!(%path, error = ?failure, "the status of a snapshot is not written");
        }
        Outcome::Done(Receipt::Nothing)
    }

    /// A child that exists already is ours if the same Deployment owns it: an earlier reply was lost.
    async fn there_already(&self, kind: ChildKind, body: &Value) -> Outcome {
        let name = &body["metadata"]["name"];
        let owner = &body["metadata"]["ownerReferences"][0]["uid"];
        let found = match self.children_named(kind, name).await {
            Ok(found) => found,
            Err(why) => return Outcome::Unknown(why),
        };
        let ours = found.iter().any(|child| {
            let owners = child["metadata"]["ownerReferences"].as_array();
            owners.is_some_and(|owners| owners.iter().any(|other| other["uid"] == *owner))
        });
        if ours {
            Outcome::Done(Receipt::Nothing)
        } else {
            Outcome::Refused(Why::Taken)
        }
    }

    /// Reads what has a name: one object, or none that could be ours.
    async fn children_named(&self, kind: ChildKind, name: &Value) -> Result<Vec<Value>, Why> {
        let key = &self.observed.resource.meta.key;
        let api = &self.shell.api;
        let understood = |bytes: Vec<u8>| {
            serde_json::from_slice::<Value>(&bytes)
                .map_err(|error| Why::NotUnderstood(error.to_string()))
        };
        match kind {
            // Services are listed in other places, so that no further right is needed.
            ChildKind::Service => {
                let path = paths::of_cluster(&key.namespace, "services", &key.name);
                let bytes = api.list(&path).await.map_err(|failure| failure.why)?;
                let mut list = understood(bytes)?;
                let items = std::mem::take(&mut list["items"]);
                let items = items.as_array().cloned().unwrap_or_default();
                let named = |child: &Value| child["metadata"]["name"] == *name;
                Ok(items.into_iter().filter(named).collect())
            }
            ChildKind::ConfigMap | ChildKind::Secret => {
                let path = paths::children(&key.namespace, kind);
                let path = format!("{path}/{}", name.as_str().unwrap_or_default());
                let found = api.get(&path).await.map_err(|failure| failure.why)?;
                Ok(found.map(understood).transpose()?.into_iter().collect())
            }
        }
    }

    /// Adds or removes our finalizer by a merge patch under the resource's version.
    async fn finalizer(&mut self, present: bool) -> Outcome {
        let meta = &self.observed.resource.meta;
        let ours = meta.key.kind.finalizer();
        let mut finalizers: Vec<&str> = meta
            .finalizers
            .iter()
            .map(String::as_str)
            .filter(|name| *name != ours)
            .collect();
        if present {
            finalizers.push(ours);
        }
        let patch = json!({ "metadata": { "resourceVersion": self.resource_version, "finalizers": finalizers } });
        match self
            .shell
            .api
            .merge(&paths::resource(&meta.key), &patch)
            .await
        {
            Ok(reply) => {
                if let Some(version) = reply["metadata"]["resourceVersion"].as_str() {
                    version.clone_into(&mut self.resource_version);
                }
                Outcome::Done(Receipt::Nothing)
            }
            Err(failure) => failure.outcome(),
        }
    }

    async fn remove_graphs(
        &self,
        path: &str,
        uid: &str,
        resource_version: &str,
        keys: &[String],
    ) -> Result<(), Failure> {
        let gone = || Failure {
            why: Why::Status {
                code: 409,
                message: "the ConfigMap changed since it was read".to_owned(),
            },
            perhaps_applied: false,
        };
        let bytes = self.shell.api.get(path).await?.ok_or_else(gone)?;
        let mut map: Value = serde_json::from_slice(&bytes).map_err(|error| Failure {
            why: Why::NotUnderstood(error.to_string()),
            perhaps_applied: false,
        })?;
        if map["metadata"]["uid"] != uid || map["metadata"]["resourceVersion"] != resource_version {
            return Err(gone());
        }
        if let Some(data) = map["data"].as_object_mut() {
            data.retain(|key, _| !keys.contains(key));
        }
        self.shell.api.put(path, &map).await.map(|_| ())
    }
}

fn plain(result: Result<(), Failure>) -> Outcome {
    match result {
        Ok(()) => Outcome::Done(Receipt::Nothing),
        Err(failure) => failure.outcome(),
    }
}

/// Makes a child the property of its Deployment.
fn owned(body: &Value, name: &str, uid: &Uid) -> Value {
    let mut body = body.clone();
    body["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": name,
        "uid": uid.as_str(),
        "controller": true,
        "blockOwnerDeletion": true,
    }]);
    body
}
