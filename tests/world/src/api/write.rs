//! Creating and updating: what a request may set, what the server sets, and what is refused.

use std::sync::Arc;

use serde_json::{Value, json};

use super::builtin;
use super::check;
use super::error::ApiError;
use super::kinds::{Kind, Quirk};
use super::object;
use super::store::{Context, Key, State};
use super::violation::Violation;

/// Which half of an object a write may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All but status.
    Main,
    /// Status alone.
    Status,
    /// Both: only the world's own controllers write like this.
    Whole,
}

/// Creates an object, as POST does.
pub(crate) fn create(
    state: &mut State,
    context: &mut Context,
    kind: &'static Kind,
    namespace: &str,
    mut body: Value,
    part: Part,
) -> Result<Arc<Value>, ApiError> {
    check_type(kind, &body)?;
    check_namespace(kind, namespace, &mut body)?;
    refuse_in_missing_namespace(state, kind, namespace, &body)?;
    if !object::text(&body, "resourceVersion").is_empty() {
        let mut error = ApiError::injected(500);
        error.message = "resourceVersion should not be set on objects to be created".into();
        error.reason = "";
        return Err(error);
    }
    name_it(state, &mut body);
    begin(state, kind, &mut body, part);
    let name = object::name(&body).to_owned();
    conform(state, context, kind, &mut body, part)?;
    builtin::complete(kind, &mut body);
    let mut violations = check::metadata(kind, &body);
    violations.extend(builtin::violations(kind, &body));
    if !violations.is_empty() {
        return Err(ApiError::invalid(kind, &name, &violations));
    }
    let key = Key {
        kind,
        namespace: namespace.to_owned(),
        name,
    };
    if state.get(&key).is_some() {
        return Err(ApiError::already_exists(kind, &key.name));
    }
    Ok(state.put(context, &key, body))
}

/// Replaces an object, as PUT does.
pub(crate) fn replace(
    state: &mut State,
    context: &mut Context,
    key: &Key,
    mut body: Value,
    part: Part,
) -> Result<Arc<Value>, ApiError> {
    let kind = key.kind;
    check_type(kind, &body)?;
    check_name(key, &body)?;
    check_namespace(kind, &key.namespace, &mut body)?;
    let Some(old) = state.get(key).cloned() else {
        if kind.has(Quirk::CreateOnUpdate) && part == Part::Main {
            return create(state, context, kind, &key.namespace, body, part);
        }
        return Err(ApiError::not_found(kind, &key.name));
    };
    let (asked, stored) = (object::uid(&body), object::uid(&old));
    if !asked.is_empty() && asked != stored {
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: {}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {asked}, UID in object meta: {stored}",
            key.storage_path()
        );
        return Err(ApiError::conflict(kind, &key.name, &why));
    }
    if object::text(&body, "resourceVersion").is_empty() && kind.has(Quirk::Guarded) {
        return Err(ApiError::unguarded(kind, &key.name));
    }
    update(state, context, key, &old, body, part)
}

/// Puts a candidate in the place of the stored object; what it may not change is put back first.
pub(crate) fn update(
    state: &mut State,
    context: &mut Context,
    key: &Key,
    old: &Arc<Value>,
    mut new: Value,
    part: Part,
) -> Result<Arc<Value>, ApiError> {
    let kind = key.kind;
    let version = object::text(&new, "resourceVersion");
    if !version.is_empty() && version != object::text(old, "resourceVersion") {
        return Err(ApiError::stale(kind, &key.name));
    }
    conform(state, context, kind, &mut new, part)?;
    keep_what_is_not_ours(kind, old, &mut new, part);
    count_generation(kind, old, &mut new);
    let mut violations = update_violations(old, &new);
    violations.extend(check::metadata(kind, &new));
    violations.extend(builtin::violations(kind, &new));
    violations.extend(builtin::update_violations(kind, old, &new));
    if !violations.is_empty() {
        return Err(ApiError::invalid(kind, &key.name, &violations));
    }
    object::copy_metadata(old, &mut new, "resourceVersion");
    if is_finished(&new) {
        return Ok(finish(state, context, key, new));
    }
    if new == **old {
        return Ok(old.clone());
    }
    Ok(state.put(context, key, new))
}

/// Tells whether a deletion has nothing left to wait for.
fn is_finished(object: &Value) -> bool {
    let waits = object["metadata"]["deletionGracePeriodSeconds"]
        .as_i64()
        .unwrap_or_default()
        > 0;
    object::is_deleting(object)
        && object::finalizers(object).is_empty()
        && !waits
        && object["spec"]["finalizers"].is_null()
}

/// Removes an object with its last finalizer; the answer is the object as the request wanted it.
fn finish(state: &mut State, context: &Context, key: &Key, last: Value) -> Arc<Value> {
    state.remove(context, key);
    Arc::new(last)
}

fn check_type(kind: &Kind, body: &Value) -> Result<(), ApiError> {
    let (version, name) = (body["apiVersion"].as_str(), body["kind"].as_str());
    let expected = kind.api_version();
    match (version, name) {
        (Some(version), Some(name)) if version == expected && name == kind.kind => Ok(()),
        (Some(version), Some(_)) if version != expected => Err(ApiError::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({expected})"
        ))),
        (Some(_), Some(name)) => Err(ApiError::bad_request(format!(
            "{name} in version {:?} cannot be handled as a {}: no kind {name:?} is registered here",
            kind.version, kind.kind
        ))),
        // Typed kinds are decoded with the path's kind as default; custom ones have to say what they are.
        (None, _) | (_, None) if kind.has(Quirk::Custom) => Err(ApiError::bad_request(format!(
            "Object 'Kind' is missing in '{body}'"
        ))),
        (None, _) | (_, None) => Ok(()),
    }
}

pub(crate) fn check_name(key: &Key, body: &Value) -> Result<(), ApiError> {
    match object::name(body) {
        "" => Err(ApiError::bad_request(format!(
            "the name of the object ({} based on URL) was undeterminable: name must be provided",
            key.name
        ))),
        name if name == key.name => Ok(()),
        name => Err(ApiError::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            key.name
        ))),
    }
}

fn check_namespace(kind: &Kind, namespace: &str, body: &mut Value) -> Result<(), ApiError> {
    if !body.is_object() {
        return Err(ApiError::bad_request(
            "the object provided is unrecognized: it must be a JSON object",
        ));
    }
    if !kind.is_namespaced() {
        object::metadata_mut(body).remove("namespace");
        return Ok(());
    }
    match object::namespace(body) {
        "" => {
            object::metadata_mut(body).insert("namespace".into(), namespace.into());
            Ok(())
        }
        given if given == namespace => Ok(()),
        _ => Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        )),
    }
}

fn refuse_in_missing_namespace(
    state: &State,
    kind: &'static Kind,
    namespace: &str,
    body: &Value,
) -> Result<(), ApiError> {
    if !kind.is_namespaced() {
        return Ok(());
    }
    let namespaces = Kind::at("", "v1", "namespaces").expect("namespaces are known");
    let key = Key {
        kind: namespaces,
        namespace: String::new(),
        name: namespace.to_owned(),
    };
    match state.get(&key) {
        None => Err(ApiError::not_found(namespaces, namespace)),
        Some(found) if object::is_deleting(found) => {
            Err(ApiError::terminating(kind, object::name(body), namespace))
        }
        Some(_) => Ok(()),
    }
}

fn name_it(state: &mut State, body: &mut Value) {
    let prefix = object::text(body, "generateName").to_owned();
    if object::name(body).is_empty() && !prefix.is_empty() {
        // The real server cuts the prefix so that the whole stays a valid label value.
        let cut: String = prefix.chars().take(58).collect();
        let name = format!("{cut}{}", state.next_suffix());
        object::metadata_mut(body).insert("name".into(), name.into());
    }
}

/// Sets what the server alone sets on a new object.
fn begin(state: &mut State, kind: &'static Kind, body: &mut Value, part: Part) {
    let (uid, now) = (state.next_uid(), state.clock.stamp());
    let fields = body.as_object_mut().expect("checked to be a JSON object");
    fields.insert("apiVersion".into(), kind.api_version().into());
    fields.insert("kind".into(), kind.kind.into());
    if kind.has(Quirk::Status) && part != Part::Whole {
        fields.remove("status");
    }
    let metadata = object::metadata_mut(body);
    for field in [
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "selfLink",
        "generation",
    ] {
        metadata.remove(field);
    }
    metadata.insert("uid".into(), uid.into());
    metadata.insert("creationTimestamp".into(), now.into());
    if kind.has(Quirk::Generation) {
        metadata.insert("generation".into(), json!(1));
    }
    object::tidy_metadata(body);
}

/// Fits an object to the type or schema of its kind: unknown fields are dropped, defaults set, the rest checked.
fn conform(
    state: &State,
    context: &mut Context,
    kind: &'static Kind,
    body: &mut Value,
    part: Part,
) -> Result<(), ApiError> {
    object::tidy_metadata(body);
    let schema = state.schema(kind);
    let dropped = match &schema {
        Some(schema) => schema.prune(body),
        // The world's own controllers are trusted to write objects of their types.
        None if kind.has(Quirk::Custom) || part == Part::Whole => Vec::new(),
        None => builtin::conform(kind, body)?,
    };
    if context.strict && !dropped.is_empty() {
        let told: Vec<String> = dropped
            .iter()
            .map(|field| format!("unknown field {field:?}"))
            .collect();
        return Err(ApiError::bad_request(format!(
            "{} in version {:?} cannot be handled as a {}: strict decoding error: {}",
            kind.kind,
            kind.version,
            kind.kind,
            told.join(", ")
        )));
    }
    context.dropped = dropped;
    let Some(schema) = schema else { return Ok(()) };
    schema.set_defaults(body);
    let violations = schema.violations(body);
    if violations.is_empty() {
        Ok(())
    } else {
        Err(ApiError::invalid(kind, object::name(body), &violations))
    }
}

/// Puts back what this kind of write may not change.
fn keep_what_is_not_ours(kind: &Kind, old: &Value, new: &mut Value, part: Part) {
    match part {
        Part::Status if kind.has(Quirk::Custom) => {
            let status = new.get("status").cloned();
            let version = new["metadata"].get("resourceVersion").cloned();
            *new = old.clone();
            let fields = new
                .as_object_mut()
                .expect("stored objects are JSON objects");
            match status {
                Some(status) => fields.insert("status".into(), status),
                None => fields.remove("status"),
            };
            if let Some(version) = version {
                object::metadata_mut(new).insert("resourceVersion".into(), version);
            }
        }
        Part::Status => {
            object::copy_field(old, new, "spec");
            object::copy_metadata(old, new, "labels");
            object::copy_metadata(old, new, "ownerReferences");
        }
        Part::Main if kind.has(Quirk::Status) => object::copy_field(old, new, "status"),
        Part::Main | Part::Whole => {}
    }
    object::copy_field(old, new, "apiVersion");
    object::copy_field(old, new, "kind");
    object::metadata_mut(new).remove("managedFields");
    for field in [
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        object::copy_metadata(old, new, field);
    }
    if object::uid(new).is_empty() {
        object::copy_metadata(old, new, "uid");
    }
    object::tidy_metadata(new);
    builtin::complete(kind, new);
}

/// Bumps the generation if anything but metadata and status differs; Pods and Deployments look at spec.
fn count_generation(kind: &Kind, old: &Value, new: &mut Value) {
    if !kind.has(Quirk::Generation) {
        return;
    }
    let wanted = |object: &Value| {
        let mut fields = object.as_object().cloned().unwrap_or_default();
        fields.remove("metadata");
        fields.remove("status");
        fields
    };
    if wanted(old) != wanted(new) {
        let generation = old["metadata"]["generation"].as_i64().unwrap_or_default() + 1;
        object::metadata_mut(new).insert("generation".into(), json!(generation));
    }
}

fn update_violations(old: &Value, new: &Value) -> Vec<Violation> {
    let mut violations = Vec::new();
    if object::is_deleting(old) {
        let had = object::finalizers(old);
        let added: Vec<&str> = object::finalizers(new)
            .into_iter()
            .filter(|finalizer| !had.contains(finalizer))
            .collect();
        if !added.is_empty() {
            let listed: Vec<String> = added
                .iter()
                .map(|finalizer| format!("{finalizer:?}"))
                .collect();
            let why = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                listed.join(", ")
            );
            violations.push(Violation::forbidden("metadata.finalizers", &why));
        }
    }
    if object::uid(old) != object::uid(new) {
        violations.push(Violation::invalid(
            "metadata.uid",
            &new["metadata"]["uid"],
            "field is immutable",
        ));
    }
    violations
}
