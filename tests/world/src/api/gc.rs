//! The garbage collector and the namespace controller: what follows a deletion, step by step.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use super::ApiServer;
use super::delete::{self, DeleteOptions, Propagation};
use super::kinds::Kind;
use super::object::{self, CLEANUP, FOREGROUND, ORPHAN, Owner};
use super::store::{Author, Change, Context, Key, State};

impl ApiServer {
    /// Runs garbage collector and namespace controller until dropped; each step comes `lag` after its cause.
    pub async fn run_garbage_collector(self, lag: Duration) {
        let mut changed = self.changed();
        let mut seen = 0;
        loop {
            changed.mark_unchanged();
            let (relevant, version) = {
                let state = self.state();
                (state.since(seen).iter().any(matters), state.version())
            };
            if relevant {
                sleep(lag).await;
                self.collect_garbage();
            }
            seen = version;
            // Changes made meanwhile, also our own, are looked at in the next round.
            if self.state().version() == seen && changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// Does one round of what the garbage collector and the namespace controller would do now; tells whether
    /// anything changed.
    pub fn collect_garbage(&self) -> bool {
        self.write(|state| {
            let before = state.version();
            let context = Context::of(Author::world("garbage-collector"));
            collect(state, &context);
            empty_namespaces(state, &Context::of(Author::world("namespace-controller")));
            empty_kinds(state, &Context::of(Author::world("crd-finalizer")));
            state.version() != before
        })
    }
}

/// Tells whether a change can give the collector anything to do.
fn matters(change: &Change) -> bool {
    match &change.new {
        None => true,
        Some(new) => {
            object::is_deleting(new)
                || (change.old.is_none() && new["metadata"]["ownerReferences"].is_array())
        }
    }
}

/// How an owner reference stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// The owner is there.
    Solid,
    /// There is no such owner.
    Dangling,
    /// The owner waits for what it owns to go.
    Waiting,
}

fn collect(state: &mut State, context: &Context) {
    let all: Vec<(Key, Arc<Value>)> = state
        .all()
        .map(|(key, object)| (key.clone(), object.clone()))
        .collect();
    for (key, object) in &all {
        if object::has_finalizer(object, ORPHAN) && object::is_deleting(object) {
            orphan_dependents(state, context, key, object, &all);
        }
    }
    for (key, object) in &all {
        attempt_to_delete(state, context, key, object, &all);
    }
    for (key, object) in &all {
        if object::has_finalizer(object, FOREGROUND) && object::is_deleting(object) {
            let blocked = state.all().any(|(_, other)| {
                object::owners(other)
                    .iter()
                    .any(|owner| owner.uid == object::uid(object) && owner.blocks)
            });
            if !blocked {
                drop_finalizer(state, context, key, FOREGROUND);
            }
        }
    }
}

fn standing(state: &State, key: &Key, owner: &Owner) -> Standing {
    // The real collector cannot resolve a kind that is not served, and leaves its dependents alone.
    let Some(kind) = Kind::of(&owner.api_version, &owner.kind).filter(|kind| state.serves(kind))
    else {
        return Standing::Solid;
    };
    let namespace = if kind.is_namespaced() {
        key.namespace.clone()
    } else {
        String::new()
    };
    let place = Key {
        kind,
        namespace,
        name: owner.name.clone(),
    };
    match state
        .get(&place)
        .filter(|found| object::uid(found) == owner.uid)
    {
        None => Standing::Dangling,
        Some(found) if object::is_deleting(found) && object::has_finalizer(found, FOREGROUND) => {
            Standing::Waiting
        }
        Some(_) => Standing::Solid,
    }
}

fn attempt_to_delete(
    state: &mut State,
    context: &Context,
    key: &Key,
    object: &Value,
    all: &[(Key, Arc<Value>)],
) {
    let owners = object::owners(object);
    let current = state
        .get(key)
        .is_some_and(|stored| object::version(stored) == object::version(object));
    if owners.is_empty() || !current {
        return;
    }
    let standings: Vec<Standing> = owners
        .iter()
        .map(|owner| standing(state, key, owner))
        .collect();
    if standings.contains(&Standing::Solid) {
        let gone: Vec<&str> = owners
            .iter()
            .zip(&standings)
            .filter(|(_, standing)| **standing != Standing::Solid)
            .map(|(owner, _)| owner.uid.as_str())
            .collect();
        if !gone.is_empty() {
            drop_owners(state, context, key, &gone);
        }
        return;
    }
    if object::is_deleting(object) {
        return;
    }
    let has_dependents = all.iter().any(|(_, other)| {
        object::owners(other)
            .iter()
            .any(|owner| owner.uid == object::uid(object))
    });
    let propagation = if standings.contains(&Standing::Waiting) && has_dependents {
        Propagation::Foreground
    } else if object::has_finalizer(object, ORPHAN) {
        Propagation::Orphan
    } else if object::has_finalizer(object, FOREGROUND) {
        Propagation::Foreground
    } else {
        Propagation::Background
    };
    let options = DeleteOptions {
        uid: Some(object::uid(object).to_owned()),
        ..DeleteOptions::with(propagation)
    };
    delete::delete(state, context, key, &options)
        .expect("the object was looked up under the same lock");
}

fn orphan_dependents(
    state: &mut State,
    context: &Context,
    key: &Key,
    object: &Value,
    all: &[(Key, Arc<Value>)],
) {
    for (dependent, _) in all.iter().filter(|(_, other)| {
        object::owners(other)
            .iter()
            .any(|owner| owner.uid == object::uid(object))
    }) {
        drop_owners(state, context, dependent, &[object::uid(object)]);
    }
    drop_finalizer(state, context, key, ORPHAN);
}

fn drop_owners(state: &mut State, context: &Context, key: &Key, uids: &[&str]) {
    let Some(stored) = state.get(key) else { return };
    let mut new = Value::clone(stored);
    if let Some(references) = object::metadata_mut(&mut new)
        .get_mut("ownerReferences")
        .and_then(Value::as_array_mut)
    {
        references
            .retain(|reference| !uids.contains(&reference["uid"].as_str().unwrap_or_default()));
    }
    object::tidy_metadata(&mut new);
    state.put(context, key, new);
}

fn drop_finalizer(state: &mut State, context: &Context, key: &Key, finalizer: &str) {
    let Some(stored) = state.get(key) else { return };
    let mut new = Value::clone(stored);
    let left: Vec<String> = object::finalizers(&new)
        .into_iter()
        .filter(|one| *one != finalizer)
        .map(str::to_owned)
        .collect();
    object::set_finalizers(&mut new, &left);
    let waits = new["metadata"]["deletionGracePeriodSeconds"]
        .as_i64()
        .unwrap_or_default()
        > 0;
    if left.is_empty() && !waits {
        state.remove(context, key);
    } else {
        state.put(context, key, new);
    }
}

/// Deletes the objects of kinds whose CRD is going away, and lets the CRD go once they are gone.
fn empty_kinds(state: &mut State, context: &Context) {
    let crds = Kind::find("CustomResourceDefinition").expect("CRDs are known");
    for crd in state.list(crds, "") {
        if !object::is_deleting(&crd) || !object::has_finalizer(&crd, CLEANUP) {
            continue;
        }
        let (group, plural) = (&crd["spec"]["group"], &crd["spec"]["names"]["plural"]);
        let kind = Kind::all()
            .iter()
            .find(|kind| *group == kind.group && *plural == kind.resource);
        let left = kind.map(|kind| state.list(kind, "")).unwrap_or_default();
        for found in &left {
            let key = Key {
                kind: kind.expect("objects are of a kind"),
                namespace: object::namespace(found).to_owned(),
                name: object::name(found).to_owned(),
            };
            if !object::is_deleting(found) {
                delete::delete(state, context, &key, &DeleteOptions::default())
                    .expect("the object was looked up under the same lock");
            }
        }
        if left.is_empty() {
            let key = Key {
                kind: crds,
                namespace: String::new(),
                name: object::name(&crd).to_owned(),
            };
            drop_finalizer(state, context, &key, CLEANUP);
        }
    }
}

/// Deletes what is in namespaces that are going away, and those namespaces once they are empty.
fn empty_namespaces(state: &mut State, context: &Context) {
    let namespaces = Kind::at("", "v1", "namespaces").expect("namespaces are known");
    for namespace in state.list(namespaces, "") {
        if !object::is_deleting(&namespace) {
            continue;
        }
        let name = object::name(&namespace);
        let inside: Vec<(Key, bool)> = state
            .all()
            .filter(|(key, _)| key.namespace == name)
            .map(|(key, object)| (key.clone(), object::is_deleting(object)))
            .collect();
        for (key, deleting) in &inside {
            if !deleting {
                let options = DeleteOptions::with(Propagation::Background);
                delete::delete(state, context, key, &options)
                    .expect("the object was looked up under the same lock");
            }
        }
        if !state.all().any(|(key, _)| key.namespace == name)
            && object::finalizers(&namespace).is_empty()
        {
            let key = Key {
                kind: namespaces,
                namespace: String::new(),
                name: name.to_owned(),
            };
            state.remove(context, &key);
        }
    }
}
