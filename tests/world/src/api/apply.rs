//! Server-side apply: who owns which field, and what an apply may therefore change.
//!
//! Ownership is worked out when an object is first applied, from the log of its changes; objects that
//! nobody applies cost nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::error::ApiError;
use super::fields::{self, Path, Shape};
use super::kinds::Quirk;
use super::object;
use super::store::{Context, Key, State};
use super::violation::Violation;
use super::write::{self, Part};

/// One owner of fields: a manager, and whether it applies or writes.
type Owner = (String, bool);

/// The owners of an object's fields.
#[derive(Clone, Debug, Default)]
pub(crate) struct Managers {
    sets: BTreeMap<Owner, BTreeSet<Path>>,
    /// Changes up to this version are accounted for.
    seen: u64,
}

impl Managers {
    /// Accounts for what was written since: whoever changes a field owns it from then on.
    fn catch_up(&mut self, state: &State, key: &Key, shape: &Shape) {
        for change in state
            .since(self.seen)
            .iter()
            .filter(|change| change.key == *key)
        {
            self.seen = change.version;
            let Some(new) = &change.new else {
                self.sets.clear();
                continue;
            };
            if change.author.applied {
                continue;
            }
            let before = change
                .old
                .as_deref()
                .map(|old| fields::leaves(old, shape))
                .unwrap_or_default();
            let after = fields::leaves(new, shape);
            let old = change.old.as_deref().unwrap_or(&Value::Null);
            let changed: BTreeSet<Path> = after
                .iter()
                .filter(|path| {
                    fields::at(old, path) != fields::at(new, path) && !same_item(old, new, path)
                })
                .cloned()
                .collect();
            for set in self.sets.values_mut() {
                set.retain(|path| {
                    !changed.contains(path) && (after.contains(path) || !before.contains(path))
                });
            }
            if !changed.is_empty() {
                self.sets
                    .entry((change.author.manager.to_string(), false))
                    .or_default()
                    .extend(changed);
            }
        }
        self.sets.retain(|_, set| !set.is_empty());
        self.seen = state.version();
    }

    /// Lists the fields that an apply would take away from others, with who owns them.
    fn conflicts(
        &self,
        owner: &Owner,
        live: &Value,
        config: &Value,
        wanted: &BTreeSet<Path>,
    ) -> Vec<(Owner, Path)> {
        let mut conflicts = Vec::new();
        for (other, set) in self.sets.iter().filter(|(other, _)| *other != owner) {
            for path in wanted.intersection(set) {
                let differs = fields::at(live, path) != fields::at(config, path);
                if differs && !fields::is_item(path) {
                    conflicts.push((other.clone(), path.clone()));
                }
            }
        }
        conflicts
    }
}

/// A list item as such does not change when a field of it does.
fn same_item(old: &Value, new: &Value, path: &Path) -> bool {
    fields::is_item(path) && fields::at(old, path).is_some() && fields::at(new, path).is_some()
}

/// Applies a configuration; says besides whether the object was created by it.
pub(crate) fn apply(
    state: &mut State,
    context: &mut Context,
    key: &Key,
    mut config: Value,
    part: Part,
    force: bool,
) -> Result<(Arc<Value>, bool), ApiError> {
    context.author.applied = true;
    check(key, &config, context)?;
    let owner: Owner = (context.author.manager.to_string(), true);
    let schema = state.schema(key.kind);
    let shape = Shape {
        schema: schema.as_deref(),
    };
    restrict(key, &mut config, part);
    let Some(live) = state.get(key).cloned() else {
        if part == Part::Status {
            return Err(ApiError::not_found(key.kind, &key.name));
        }
        let wanted = fields::leaves(&config, &shape);
        write::check_name(key, &config)?;
        let stored = write::create(state, context, key.kind, &key.namespace, config, part)?;
        if !context.dry_run {
            let managers = Managers {
                sets: BTreeMap::from([(owner, wanted)]),
                seen: state.version(),
            };
            state.managers.insert(key.clone(), managers);
        }
        return Ok((stored, true));
    };
    let mut managers = state.managers.get(key).cloned().unwrap_or_default();
    managers.catch_up(state, key, &shape);
    let before = managers.sets.clone();
    let wanted = fields::leaves(&config, &shape);
    let conflicts = managers.conflicts(&owner, &live, &config, &wanted);
    if !conflicts.is_empty() && !force {
        return Err(ApiError::apply_conflict(&worded(key, &conflicts)));
    }
    for (other, path) in conflicts {
        managers.sets.entry(other).or_default().remove(&path);
    }
    let had = managers
        .sets
        .insert(owner.clone(), wanted.clone())
        .unwrap_or_default();
    let mut new = Value::clone(&live);
    fields::merge(&mut new, &config, &shape);
    // In order of paths a list item goes before its fields, while its keys still tell it from others.
    for path in had.difference(&wanted) {
        let of_others = managers
            .sets
            .iter()
            .any(|(other, set)| *other != owner && fields::holds(set, path));
        if !of_others {
            fields::remove(&mut new, path);
        }
    }
    let version = object::text(&config, "resourceVersion");
    let version = if version.is_empty() {
        object::text(&live, "resourceVersion")
    } else {
        version
    };
    let version = version.to_owned();
    object::metadata_mut(&mut new).insert("resourceVersion".into(), json!(version));
    let mut stored = write::update(state, context, key, &live, new, part)?;
    managers.sets.retain(|_, set| !set.is_empty());
    if object::version(&stored) == object::version(&live) && managers.sets != before {
        // A change of owners alone is a change of the object, which the real server keeps them in.
        stored = state.put(context, key, Value::clone(&stored));
    }
    if !context.dry_run {
        managers.seen = state.version();
        state.managers.insert(key.clone(), managers);
    }
    Ok((stored, false))
}

/// Words conflicts as the real server does: owner with API version for writers, then the field.
fn worded(key: &Key, conflicts: &[(Owner, Path)]) -> Vec<(String, String)> {
    conflicts
        .iter()
        .map(|((manager, applied), path)| {
            let by = if *applied {
                format!("{manager:?}")
            } else {
                format!("{manager:?} using {}", key.kind.api_version())
            };
            (by, fields::shown(path))
        })
        .collect()
}

fn check(key: &Key, config: &Value, context: &Context) -> Result<(), ApiError> {
    if context.author.manager.is_empty() {
        let missing = Violation::required("fieldManager", "is required for apply patch");
        return Err(ApiError::invalid_options("PatchOptions", &[missing]));
    }
    if config["kind"].is_null() || config["apiVersion"].is_null() {
        return Err(ApiError::bad_request("invalid object type: /, Kind="));
    }
    if !object::name(config).is_empty() {
        write::check_name(key, config)?;
    }
    if config["metadata"]["managedFields"]
        .as_array()
        .is_some_and(|fields| !fields.is_empty())
    {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    Ok(())
}

/// Leaves of the configuration what this part of the object may take.
fn restrict(key: &Key, config: &mut Value, part: Part) {
    let fields = config
        .as_object_mut()
        .expect("checked to have apiVersion and kind");
    match part {
        Part::Main if key.kind.has(Quirk::Status) => {
            fields.remove("status");
        }
        Part::Status => fields.retain(|field, _| {
            ["apiVersion", "kind", "metadata", "status"].contains(&field.as_str())
        }),
        Part::Main | Part::Whole => {}
    }
}
