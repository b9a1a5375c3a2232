//! Deleting: preconditions, finalizers, propagation and grace periods.

use std::sync::Arc;

use serde_json::{Value, json};

use super::error::ApiError;
use super::kinds::Quirk;
use super::object::{self, CLEANUP, FOREGROUND, ORPHAN};
use super::store::{Context, Key, State};
use super::violation::Violation;
use crate::clock::whole_seconds;

/// What happens to the objects that a deleted object owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They go after it.
    Background,
    /// They go before it.
    Foreground,
    /// They stay.
    Orphan,
}

/// How an object is deleted, as in the body of a DELETE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Only if this is its uid.
    pub uid: Option<String>,
    /// Only if this is its resourceVersion.
    pub resource_version: Option<String>,
    /// What happens to what it owns; what its finalizers say if not given.
    pub propagation: Option<Propagation>,
    /// Seconds that a pod gets to end.
    pub grace_period: Option<i64>,
}

impl DeleteOptions {
    /// Deletes at once, without waiting for anybody to end the object.
    pub fn now() -> Self {
        Self {
            grace_period: Some(0),
            ..Self::default()
        }
    }

    /// Deletes with a propagation.
    pub fn with(propagation: Propagation) -> Self {
        Self {
            propagation: Some(propagation),
            ..Self::default()
        }
    }

    /// Reads the body of a DELETE.
    pub(crate) fn parse(body: &Value) -> Result<Self, ApiError> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let propagation = match (
            body["propagationPolicy"].as_str(),
            body["orphanDependents"].as_bool(),
        ) {
            (Some("Background"), _) | (None, Some(false)) => Some(Propagation::Background),
            (Some("Foreground"), _) => Some(Propagation::Foreground),
            (Some("Orphan"), _) | (None, Some(true)) => Some(Propagation::Orphan),
            (None, None) => None,
            (Some(_), _) => {
                let ways = ["Foreground", "Background", "Orphan", "nil"].map(Value::from);
                let wrong =
                    Violation::unsupported("propagationPolicy", &body["propagationPolicy"], &ways);
                return Err(ApiError::invalid_options("DeleteOptions", &[wrong]));
            }
        };
        Ok(Self {
            uid: text(&body["preconditions"]["uid"]),
            resource_version: text(&body["preconditions"]["resourceVersion"]),
            propagation,
            grace_period: body["gracePeriodSeconds"].as_i64(),
        })
    }
}

/// What a deletion came to.
#[derive(Clone, Debug)]
pub(crate) enum Deleted {
    /// The object is gone.
    Gone(Arc<Value>),
    /// The object is marked and waits.
    Waiting(Arc<Value>),
}

impl Deleted {
    pub(crate) fn object(&self) -> &Arc<Value> {
        match self {
            Self::Gone(object) | Self::Waiting(object) => object,
        }
    }
}

/// Deletes an object or marks it for deletion, as DELETE does.
pub(crate) fn delete(
    state: &mut State,
    context: &Context,
    key: &Key,
    options: &DeleteOptions,
) -> Result<Deleted, ApiError> {
    let old = state
        .get(key)
        .cloned()
        .ok_or_else(|| ApiError::not_found(key.kind, &key.name))?;
    check_preconditions(key, &old, options)?;
    let mut new = Value::clone(&old);
    let grace = match grace(key, &old, options) {
        Grace::Pending => return Ok(Deleted::Waiting(old)),
        Grace::Seconds(seconds) => seconds,
    };
    let mut finalizers = finalizers_after(&old, options.propagation);
    if key.kind.kind == "CustomResourceDefinition" && !object::is_deleting(&old) {
        finalizers.push(CLEANUP.to_owned());
    }
    object::set_finalizers(&mut new, &finalizers);
    // A namespace waits for its own controller, which empties it, by a finalizer in its spec.
    let waits = !finalizers.is_empty() || grace > 0 || new["spec"]["finalizers"].is_array();
    if !waits {
        // Whoever runs a pod is told first that its time is up.
        if key.kind.has(Quirk::Graceful) {
            mark(state, key, &mut new, 0);
            state.put(context, key, new);
        }
        let gone = state.remove(context, key).expect("looked up just above");
        return Ok(Deleted::Gone(gone));
    }
    mark(state, key, &mut new, grace);
    if new == *old {
        return Ok(Deleted::Waiting(old));
    }
    Ok(Deleted::Waiting(state.put(context, key, new)))
}

fn check_preconditions(key: &Key, old: &Value, options: &DeleteOptions) -> Result<(), ApiError> {
    if let Some(uid) = options
        .uid
        .as_deref()
        .filter(|uid| *uid != object::uid(old))
    {
        let why = format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been deleted and then recreated",
            object::uid(old)
        );
        return Err(ApiError::precondition(key.kind, &key.name, &why));
    }
    let stored = object::text(old, "resourceVersion");
    if let Some(version) = options
        .resource_version
        .as_deref()
        .filter(|version| *version != stored)
    {
        let why = format!(
            "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({stored}). The object might have been modified"
        );
        return Err(ApiError::precondition(key.kind, &key.name, &why));
    }
    Ok(())
}

enum Grace {
    /// A deletion is under way and this one does not shorten it.
    Pending,
    /// The object gets this long; 0 means at once.
    Seconds(i64),
}

/// Tells how long the object gets: pods that run somewhere get time, everything else none.
fn grace(key: &Key, old: &Value, options: &DeleteOptions) -> Grace {
    if !key.kind.has(Quirk::Graceful) {
        return Grace::Seconds(0);
    }
    let current = old["metadata"]["deletionGracePeriodSeconds"].as_i64();
    if object::is_deleting(old) {
        return match (current, options.grace_period) {
            (None | Some(0), _) => Grace::Seconds(0),
            (Some(current), Some(asked)) if asked < current => Grace::Seconds(asked.max(0)),
            (Some(_), _) => Grace::Pending,
        };
    }
    let default = old["spec"]["terminationGracePeriodSeconds"]
        .as_i64()
        .unwrap_or(30);
    let ended = matches!(
        old["status"]["phase"].as_str(),
        Some("Succeeded" | "Failed")
    );
    let scheduled = old["spec"]["nodeName"]
        .as_str()
        .is_some_and(|node| !node.is_empty());
    if ended || !scheduled {
        Grace::Seconds(0)
    } else {
        Grace::Seconds(options.grace_period.unwrap_or(default))
    }
}

/// Tells which finalizers the object has once the propagation is settled.
fn finalizers_after(old: &Value, propagation: Option<Propagation>) -> Vec<String> {
    let given = object::finalizers(old);
    let mut after: Vec<String> = given
        .iter()
        .filter(|finalizer| ![ORPHAN, FOREGROUND].contains(finalizer))
        .map(|finalizer| (*finalizer).to_owned())
        .collect();
    let keeps = |finalizer: &str| propagation.is_none() && given.contains(&finalizer);
    if propagation == Some(Propagation::Orphan) || keeps(ORPHAN) {
        after.push(ORPHAN.to_owned());
    } else if propagation == Some(Propagation::Foreground) || keeps(FOREGROUND) {
        after.push(FOREGROUND.to_owned());
    }
    after
}

/// Marks the object as being deleted; a first mark counts as a change of what is wanted.
fn mark(state: &State, key: &Key, new: &mut Value, grace: i64) {
    let first = !object::is_deleting(new);
    let ends = state.clock.now() + jiff::SignedDuration::from_secs(grace);
    let namespace = key.kind.kind == "Namespace";
    // A second deletion can only bring the end nearer. The fixed format makes text order time order.
    let ends = whole_seconds(ends);
    let ends = if first {
        ends
    } else {
        ends.min(object::text(new, "deletionTimestamp").to_owned())
    };
    let metadata = object::metadata_mut(new);
    metadata.insert("deletionTimestamp".into(), ends.into());
    if !namespace {
        metadata.insert("deletionGracePeriodSeconds".into(), json!(grace));
    }
    if first && let Some(generation) = metadata.get("generation").and_then(Value::as_i64) {
        metadata.insert("generation".into(), json!(generation + 1));
    }
    if namespace {
        new["status"]["phase"] = "Terminating".into();
    }
}

/// Gives the body that answers a deletion.
pub(crate) fn answer(key: &Key, deleted: &Deleted) -> Value {
    match deleted {
        Deleted::Gone(object) if !key.kind.has(Quirk::ReturnsDeleted) => {
            let mut details =
                json!({ "name": key.name, "kind": key.kind.resource, "uid": object::uid(object) });
            if !key.kind.group.is_empty() {
                details["group"] = key.kind.group.into();
            }
            json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details })
        }
        Deleted::Gone(object) | Deleted::Waiting(object) => Value::clone(object),
    }
}
