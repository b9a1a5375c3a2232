//! What is stored: objects by key, the log of all changes, and the counter that orders them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use serde_json::{Value, json};

use super::apply::Managers;
use super::kinds::{Kind, Quirk};
use super::object;
use super::scale::ScalePaths;
use super::schema::Schema;
use crate::clock::{Clock, Moment};

/// Names one object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The kind.
    pub kind: &'static Kind,
    /// The namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Key {
    /// Gives the path under which the real server would keep the object; some messages show it.
    pub(crate) fn storage_path(&self) -> String {
        let kind = self.kind;
        let mut path = "/registry/".to_owned();
        if kind.has(Quirk::Custom) || kind.group == "apiextensions.k8s.io" {
            path = format!("{path}{}/", kind.group);
        }
        path.push_str(kind.resource);
        if kind.is_namespaced() {
            path = format!("{path}/{}", self.namespace);
        }
        format!("{path}/{}", self.name)
    }
}

/// Who made a change, and by which request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The client instance, or the part of the world that acted.
    pub instance: Arc<str>,
    /// The field manager.
    pub manager: Arc<str>,
    /// Whether fields were applied rather than written.
    pub applied: bool,
    /// Sequence number in the journal, for requests over a wire.
    pub request: Option<u64>,
}

impl Author {
    /// Gives the author of changes that no client asked for.
    pub fn world(part: &str) -> Self {
        Self {
            instance: part.into(),
            manager: part.into(),
            applied: false,
            request: None,
        }
    }
}

/// One change of one object: created without `old`, deleted without `new`.
#[derive(Clone, Debug)]
pub struct Change {
    /// When, and where in the order of the world.
    pub moment: Moment,
    /// The resourceVersion that the change made.
    pub version: u64,
    /// Which object.
    pub key: Key,
    /// The object before.
    pub old: Option<Arc<Value>>,
    /// The object after.
    pub new: Option<Arc<Value>>,
    /// Who made it.
    pub author: Author,
}

/// How a write treats the request: who, whether for real, and how strict about unknown fields.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) author: Author,
    pub(crate) dry_run: bool,
    pub(crate) strict: bool,
    /// Fields that were dropped because the schema does not know them.
    pub(crate) dropped: Vec<String>,
}

impl Context {
    pub(crate) fn of(author: Author) -> Self {
        Self {
            author,
            dry_run: false,
            strict: false,
            dropped: Vec::new(),
        }
    }
}

/// Everything behind the server's lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) clock: Clock,
    objects: BTreeMap<Key, Arc<Value>>,
    log: Vec<Change>,
    version: u64,
    /// Changes up to this version can no longer be watched.
    compacted: u64,
    /// Changes up to this version are not known any more at all.
    forgotten: u64,
    serial: u64,
    schemas: BTreeMap<&'static Kind, Arc<Schema>>,
    scales: BTreeMap<&'static Kind, ScalePaths>,
    unserved: BTreeSet<&'static Kind>,
    /// Field owners of objects that have been applied at least once.
    pub(crate) managers: BTreeMap<Key, Managers>,
}

impl State {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            objects: BTreeMap::new(),
            log: Vec::new(),
            version: 1000,
            compacted: 0,
            forgotten: 0,
            serial: 0,
            schemas: BTreeMap::new(),
            scales: BTreeMap::new(),
            unserved: Kind::find("Specimen").into_iter().collect(),
            managers: BTreeMap::new(),
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn compacted(&self) -> u64 {
        self.compacted
    }

    /// Forgets the changes made so far, as far as watches and old list pages are concerned.
    pub(crate) fn compact(&mut self) {
        self.compacted = self.version;
    }

    /// Drops the log for good, and with it what a slow watch has not been told yet.
    pub(crate) fn forget(&mut self) {
        self.compact();
        self.forgotten = self.version;
        self.log.clear();
    }

    /// Tells up to which version the log has been dropped.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    pub(crate) fn log(&self) -> &[Change] {
        &self.log
    }

    /// Gives the changes after a version, oldest first.
    pub(crate) fn since(&self, version: u64) -> &[Change] {
        &self.log[self.log.partition_point(|change| change.version <= version)..]
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<Value>> {
        self.objects.get(key)
    }

    /// Gives the objects of a kind in order of namespace and name; an empty namespace means all.
    pub(crate) fn list(&self, kind: &'static Kind, namespace: &str) -> Vec<Arc<Value>> {
        let start = Key {
            kind,
            namespace: namespace.to_owned(),
            name: String::new(),
        };
        let range = self
            .objects
            .range((Bound::Included(start), Bound::Unbounded));
        range
            .take_while(|(key, _)| {
                key.kind == kind && (namespace.is_empty() || key.namespace == namespace)
            })
            .map(|(_, object)| object.clone())
            .collect()
    }

    /// Gives the objects of a kind as they were at a version, by undoing what came after.
    pub(crate) fn list_at(
        &self,
        kind: &'static Kind,
        namespace: &str,
        version: u64,
    ) -> Vec<Arc<Value>> {
        let key = |object: &Value| {
            (
                object::namespace(object).to_owned(),
                object::name(object).to_owned(),
            )
        };
        let mut objects: BTreeMap<(String, String), Arc<Value>> = self
            .list(kind, namespace)
            .into_iter()
            .map(|object| (key(&object), object))
            .collect();
        for change in self.since(version).iter().rev() {
            let inside = namespace.is_empty() || change.key.namespace == namespace;
            if change.key.kind == kind && inside {
                let place = (change.key.namespace.clone(), change.key.name.clone());
                match &change.old {
                    Some(old) => objects.insert(place, old.clone()),
                    None => objects.remove(&place),
                };
            }
        }
        objects.into_values().collect()
    }

    /// Gives every object, for the garbage collector.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        self.objects.iter()
    }

    /// Draws the next identity of this world, in the shape of a UUID.
    pub(crate) fn next_uid(&mut self) -> String {
        self.serial += 1;
        format!("{:08x}-0000-4000-8000-{:012x}", self.serial, self.serial)
    }

    /// Draws five characters for `generateName`, from the alphabet that the real server uses.
    pub(crate) fn next_suffix(&mut self) -> String {
        const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        self.serial += 1;
        // Spread, so that consecutive names do not look like a sequence that code could come to rely on.
        let mut rest = self.serial.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16;
        let mut suffix = String::new();
        for _ in 0..5 {
            let index = usize::try_from(rest % 27).expect("a remainder of 27 fits");
            suffix.push(char::from(ALPHABET[index]));
            rest /= 27;
        }
        suffix
    }

    /// Stores an object and gives it the next resourceVersion; a dry run only answers.
    pub(crate) fn put(&mut self, context: &Context, key: &Key, mut object: Value) -> Arc<Value> {
        let old = self.objects.get(key).cloned();
        if context.dry_run {
            return Arc::new(object);
        }
        self.version += 1;
        object::metadata_mut(&mut object)
            .insert("resourceVersion".into(), json!(self.version.to_string()));
        let new = Arc::new(object);
        self.objects.insert(key.clone(), new.clone());
        self.record(context, key, old, Some(new.clone()));
        new
    }

    /// Removes an object; gives it with the resourceVersion of its removal.
    pub(crate) fn remove(&mut self, context: &Context, key: &Key) -> Option<Arc<Value>> {
        let old = self.objects.get(key).cloned()?;
        if context.dry_run {
            return Some(old);
        }
        self.objects.remove(key);
        self.managers.remove(key);
        self.version += 1;
        let last = with_version(&old, self.version);
        self.record(context, key, Some(old), None);
        Some(Arc::new(last))
    }

    fn record(
        &mut self,
        context: &Context,
        key: &Key,
        old: Option<Arc<Value>>,
        new: Option<Arc<Value>>,
    ) {
        let moment = self.clock.moment();
        if key.kind.kind == "CustomResourceDefinition" {
            self.serve_by(old.as_deref(), new.as_deref());
        }
        let author = context.author.clone();
        self.log.push(Change {
            moment,
            version: self.version,
            key: key.clone(),
            old,
            new,
            author,
        });
    }

    /// Follows a CRD: its schema prunes from now on, and a kind without CRD is not served.
    fn serve_by(&mut self, old: Option<&Value>, new: Option<&Value>) {
        let kind_of = |crd: &Value| {
            let group = crd["spec"]["group"].as_str()?;
            let plural = crd["spec"]["names"]["plural"].as_str()?;
            Kind::all().iter().find(|kind| {
                kind.group == group && kind.resource == plural && kind.has(Quirk::Custom)
            })
        };
        match (old, new) {
            (_, Some(crd)) => {
                let Some(kind) = kind_of(crd) else { return };
                self.unserved.remove(kind);
                self.scales.remove(kind);
                if let Some(paths) = ScalePaths::of_crd(crd, kind.version) {
                    self.scales.insert(kind, paths);
                }
                if let Some(schema) = Schema::of_crd(crd, kind.version) {
                    self.set_schema(kind, schema);
                }
            }
            (Some(crd), None) => {
                let Some(kind) = kind_of(crd) else { return };
                self.unserve(kind);
            }
            (None, None) => {}
        }
    }

    /// Makes a schema valid for a kind. Stored objects lose at once what it does not know, without a new
    /// version: the real server drops such fields whenever it reads an object.
    pub(crate) fn set_schema(&mut self, kind: &'static Kind, schema: Schema) {
        let schema = Arc::new(schema);
        for (_, object) in self.objects.iter_mut().filter(|(key, _)| key.kind == kind) {
            let mut pruned = Value::clone(object);
            if !schema.prune(&mut pruned).is_empty() {
                *object = Arc::new(pruned);
            }
        }
        self.schemas.insert(kind, schema);
    }

    pub(crate) fn schema(&self, kind: &'static Kind) -> Option<Arc<Schema>> {
        self.schemas.get(kind).cloned()
    }

    pub(crate) fn scale_paths(&self, kind: &'static Kind) -> Option<ScalePaths> {
        self.scales.get(kind).cloned()
    }

    /// Stops serving a kind: its paths lead nowhere and its objects are gone.
    pub(crate) fn unserve(&mut self, kind: &'static Kind) {
        self.schemas.remove(kind);
        self.unserved.insert(kind);
        self.objects.retain(|key, _| key.kind != kind);
    }

    pub(crate) fn serves(&self, kind: &'static Kind) -> bool {
        !self.unserved.contains(kind)
    }
}

/// Copies an object with another resourceVersion.
pub(crate) fn with_version(object: &Value, version: u64) -> Value {
    let mut copy = object.clone();
    object::metadata_mut(&mut copy).insert("resourceVersion".into(), json!(version.to_string()));
    copy
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> (State, Context) {
        (State::new(Clock::new()), Context::of(Author::world("test")))
    }

    fn config_map(name: &str, value: &str) -> (Key, Value) {
        let kind = Kind::find("ConfigMap").expect("config maps are known");
        let key = Key {
            kind,
            namespace: "ns".into(),
            name: name.into(),
        };
        (
            key,
            json!({ "metadata": { "name": name, "namespace": "ns" }, "data": { "k": value } }),
        )
    }

    #[test]
    fn versions_count_all_writes() {
        let (mut state, context) = world();
        let (a, first) = config_map("a", "1");
        let (b, second) = config_map("b", "1");
        state.put(&context, &a, first);
        let stored = state.put(&context, &b, second);
        assert_eq!(object::version(&stored), 1002);
        let gone = state.remove(&context, &a).expect("a is stored");
        assert_eq!(object::version(&gone), 1003);
        assert_eq!(state.since(1001).len(), 2);
    }

    #[test]
    fn an_old_version_can_be_listed_again() {
        let (mut state, context) = world();
        let (a, first) = config_map("a", "1");
        let (b, second) = config_map("b", "1");
        state.put(&context, &a, first);
        let before = state.version();
        state.put(&context, &b, second);
        let (_, changed) = config_map("a", "2");
        state.put(&context, &a, changed);
        state.remove(&context, &a);
        let then = state.list_at(a.kind, "", before);
        assert_eq!(then.len(), 1);
        assert_eq!(then[0]["data"]["k"], "1");
        assert_eq!(state.list_at(a.kind, "other", before).len(), 0);
    }

    #[test]
    fn a_dry_run_changes_nothing() {
        let (mut state, mut context) = world();
        context.dry_run = true;
        let (a, first) = config_map("a", "1");
        state.put(&context, &a, first);
        assert_eq!(state.get(&a), None);
        assert_eq!(state.version(), 1000);
    }
}
