//! Access without a wire, for simulated controllers and for tests: everything, at once, and never refused
//! for what only clients may not do.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch as signal;

use super::ApiServer;
use super::delete::{self, DeleteOptions};
use super::error::ApiError;
use super::kinds::Kind;
use super::object;
use super::store::{Author, Change, Context, Key};
use super::write::{self, Part};

/// Finds a kind that the caller believes in.
pub(crate) fn known(name: &str) -> &'static Kind {
    Kind::find(name)
        .unwrap_or_else(|| panic!("the world knows no kind {name:?}; add a line to kinds.rs"))
}

fn key(kind: &str, namespace: &str, name: &str) -> Key {
    Key {
        kind: known(kind),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

fn world() -> Context {
    Context::of(Author::world("world"))
}

impl ApiServer {
    /// Makes a namespace that is ready for use.
    pub fn create_namespace(&self, name: &str) {
        let namespace =
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        self.create(namespace)
            .expect("a new namespace with a valid name");
    }

    /// Reads an object; the kind may be named by its name or its plural.
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        self.look(kind, namespace, name)
            .map(|object| Value::clone(&object))
    }

    /// Reads an object without copying it.
    pub fn look(&self, kind: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.state().get(&key(kind, namespace, name)).cloned()
    }

    /// Reads all objects of a kind, in one namespace or (empty) in all.
    pub fn list(&self, kind: &str, namespace: &str) -> Vec<Value> {
        let objects = self.look_at_all(kind, namespace);
        objects.iter().map(|object| Value::clone(object)).collect()
    }

    /// Reads all objects of a kind, in one namespace or (empty) in all, without copying them.
    pub fn look_at_all(&self, kind: &str, namespace: &str) -> Vec<Arc<Value>> {
        self.state().list(known(kind), namespace)
    }

    /// Creates an object with everything it says, status included; its kind is the one it names.
    pub fn create(&self, object: Value) -> Result<Value, ApiError> {
        let (version, name) = (object["apiVersion"].as_str(), object["kind"].as_str());
        let kind =
            Kind::of(version.unwrap_or_default(), name.unwrap_or_default()).ok_or_else(|| {
                ApiError::bad_request(format!(
                    "the world knows no {name:?} in {version:?}: set apiVersion and kind"
                ))
            })?;
        let namespace = if kind.is_namespaced() {
            object::namespace(&object).to_owned()
        } else {
            String::new()
        };
        let created = self.write(|state| {
            write::create(state, &mut world(), kind, &namespace, object, Part::Whole)
        })?;
        Ok(Value::clone(&created))
    }

    /// Changes an object as it is now, spec and status alike; the generation follows changes of the spec.
    pub fn update(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<Value, ApiError> {
        let key = key(kind, namespace, name);
        let updated = self.write(|state| {
            let old = state
                .get(&key)
                .cloned()
                .ok_or_else(|| ApiError::not_found(key.kind, &key.name))?;
            let mut new = Value::clone(&old);
            change(&mut new);
            object::copy_metadata(&old, &mut new, "resourceVersion");
            write::update(state, &mut world(), &key, &old, new, Part::Whole)
        })?;
        Ok(Value::clone(&updated))
    }

    /// Deletes an object as a DELETE without options does: pods get their grace period, finalizers are waited for.
    pub fn delete(&self, kind: &str, namespace: &str, name: &str) -> Result<(), ApiError> {
        self.delete_with(kind, namespace, name, &DeleteOptions::default())
    }

    /// Deletes an object with options.
    pub fn delete_with(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<(), ApiError> {
        let key = key(kind, namespace, name);
        self.write(|state| delete::delete(state, &world(), &key, options))
            .map(drop)
    }

    /// Follows all changes from now on.
    pub fn subscribe(&self) -> Changes {
        let position = self.state().version();
        Changes {
            server: self.clone(),
            position,
            queue: VecDeque::new(),
            changed: self.changed(),
        }
    }
}

/// All changes from some moment on, in order.
#[derive(Debug)]
pub struct Changes {
    server: ApiServer,
    position: u64,
    queue: VecDeque<Change>,
    changed: signal::Receiver<u64>,
}

impl Changes {
    /// Gives the next change if there is one already.
    pub fn try_next(&mut self) -> Option<Change> {
        if self.queue.is_empty() {
            let state = self.server.state();
            self.queue
                .extend(state.since(self.position).iter().cloned());
            self.position = state.version();
        }
        self.queue.pop_front()
    }

    /// Waits for the next change.
    pub async fn next(&mut self) -> Change {
        loop {
            self.changed.mark_unchanged();
            if let Some(change) = self.try_next() {
                return change;
            }
            // The server lives in self, so that its bell cannot be gone.
            self.changed
                .changed()
                .await
                .expect("the server outlives its subscribers");
        }
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match (&self.old, &self.new) {
            (None, _) => "created",
            (Some(_), Some(_)) => "changed",
            (Some(_), None) => "deleted",
        };
        let Key {
            kind,
            namespace,
            name,
        } = &self.key;
        write!(
            out,
            "{} v{} {} {what} {namespace}/{name} by {}",
            self.moment.at, self.version, kind.kind, self.author.instance
        )
    }
}
