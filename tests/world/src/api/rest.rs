//! Carrying out calls: each verb once, for every kind.

use serde_json::{Value, json};

use super::apply;
use super::delete::{self, DeleteOptions};
use super::error::ApiError;
use super::kinds::Quirk;
use super::object;
use super::patch::{self, PatchType};
use super::route::{Call, Verb};
use super::scale;
use super::select::Selector;
use super::store::{Context, Key, State};
use super::watch::Plan;
use super::write::{self, Part};

/// What a call is answered with.
#[derive(Debug)]
pub(crate) enum Reply {
    /// A code and a body.
    Body(u16, Value),
    /// A stream of events.
    Watch(Box<Plan>),
}

/// Carries out a call.
pub(crate) fn handle(
    state: &mut State,
    context: &mut Context,
    call: &Call,
) -> Result<Reply, ApiError> {
    if !state.serves(call.kind) {
        return Err(ApiError::no_such_path());
    }
    let part = match call.subresource.as_str() {
        "" => Part::Main,
        "status" if call.kind.has(Quirk::Status) => Part::Status,
        "scale" if call.kind.has(Quirk::Custom) => {
            return scale::handle(state, context, call);
        }
        _ => return Err(ApiError::no_such_part()),
    };
    let key = Key {
        kind: call.kind,
        namespace: call.namespace.clone(),
        name: call.name.clone(),
    };
    context.dry_run = call.option("dryRun") == "All";
    context.strict = call.option("fieldValidation") == "Strict";
    let answer = |code: u16, object: &Value| Ok(Reply::Body(code, view(call, object)));
    match call.verb {
        Verb::Get => {
            let found = state
                .get(&key)
                .ok_or_else(|| ApiError::not_found(key.kind, &key.name))?;
            answer(200, found)
        }
        Verb::List => list(state, call),
        Verb::Watch => Ok(Reply::Watch(Box::new(Plan::new(state, call)?))),
        Verb::Create => {
            let created = write::create(
                state,
                context,
                key.kind,
                &key.namespace,
                call.body.clone(),
                part,
            )?;
            answer(201, &created)
        }
        Verb::Update => {
            let before = state.get(&key).is_some();
            let written = write::replace(state, context, &key, call.body.clone(), part)?;
            answer(if before { 200 } else { 201 }, &written)
        }
        Verb::Patch => {
            let kind_of_patch = PatchType::parse(&call.content_type, key.kind.has(Quirk::Custom))?;
            if kind_of_patch == PatchType::Apply {
                let force = call.flag("force");
                let (written, created) =
                    apply::apply(state, context, &key, call.body.clone(), part, force)?;
                return answer(if created { 201 } else { 200 }, &written);
            }
            let written =
                patch::patch(state, context, &key, kind_of_patch, call.body.clone(), part)?;
            answer(200, &written)
        }
        Verb::Delete => {
            let options = delete_options(context, call)?;
            let deleted = delete::delete(state, context, &key, &options)?;
            Ok(Reply::Body(200, delete::answer(&key, &deleted)))
        }
        Verb::DeleteCollection => delete_collection(state, context, call),
    }
}

/// Shows an object as the client asked for it.
pub(crate) fn view(call: &Call, object: &Value) -> Value {
    if !call.metadata_only {
        return object.clone();
    }
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object["metadata"],
    })
}

/// Reads how to delete: from the body if there is one, and only otherwise from the query.
fn delete_options(context: &mut Context, call: &Call) -> Result<DeleteOptions, ApiError> {
    if call.body.is_null() {
        let given = call.option("propagationPolicy");
        let policy = if given.is_empty() {
            Value::Null
        } else {
            given.into()
        };
        let grace: Option<i64> = call.option("gracePeriodSeconds").parse().ok();
        return DeleteOptions::parse(
            &json!({ "propagationPolicy": policy, "gracePeriodSeconds": grace }),
        );
    }
    context.dry_run = call.body["dryRun"] == json!(["All"]);
    DeleteOptions::parse(&call.body)
}

fn delete_collection(
    state: &mut State,
    context: &mut Context,
    call: &Call,
) -> Result<Reply, ApiError> {
    let options = delete_options(context, call)?;
    let selector = Selector::parse(
        call.kind,
        call.option("labelSelector"),
        call.option("fieldSelector"),
    )?;
    let mut items = Vec::new();
    for found in state.list(call.kind, &call.namespace) {
        if selector.matches(&found) {
            let key = Key {
                kind: call.kind,
                namespace: object::namespace(&found).to_owned(),
                name: object::name(&found).to_owned(),
            };
            let deleted = delete::delete(state, context, &key, &options)?;
            items.push(item(call, deleted.object()));
        }
    }
    Ok(Reply::Body(
        200,
        listing(call, state.version(), &items, None),
    ))
}

fn list(state: &State, call: &Call) -> Result<Reply, ApiError> {
    let selector = Selector::parse(
        call.kind,
        call.option("labelSelector"),
        call.option("fieldSelector"),
    )?;
    let limit: usize = call.option("limit").parse().unwrap_or_default();
    let (version, after) = page_start(state, call)?;
    let all = if version == state.version() {
        state.list(call.kind, &call.namespace)
    } else {
        state.list_at(call.kind, &call.namespace, version)
    };
    let mut wanted: Vec<_> = all
        .into_iter()
        .filter(|object| selector.matches(object))
        .collect();
    if let Some((namespace, name)) = after {
        wanted.retain(|object| {
            (object::namespace(object), object::name(object)) > (namespace.as_str(), name.as_str())
        });
    }
    if limit == 0 || wanted.len() <= limit {
        let items: Vec<Value> = wanted.iter().map(|object| item(call, object)).collect();
        return Ok(Reply::Body(200, listing(call, version, &items, None)));
    }
    let page = &wanted[..limit];
    let last = page.last().expect("a limit of at least one");
    let token = format!(
        "{version}:{}:{}",
        object::namespace(last),
        object::name(last)
    );
    let remaining = (selector == Selector::default()).then_some(wanted.len() - limit);
    let items: Vec<Value> = page.iter().map(|object| item(call, object)).collect();
    Ok(Reply::Body(
        200,
        listing(call, version, &items, Some((token, remaining))),
    ))
}

type Place = (String, String);

/// Tells from which version a page is read, and after which object.
fn page_start(state: &State, call: &Call) -> Result<(u64, Option<Place>), ApiError> {
    let token = call.option("continue");
    if token.is_empty() {
        let asked = call.option("resourceVersion");
        if asked.is_empty() {
            return Ok((state.version(), None));
        }
        let version = asked
            .parse()
            .map_err(|_| ApiError::bad_version(asked, false))?;
        if version > state.version() {
            return Err(ApiError::too_large_version(version, state.version()));
        }
        if call.option("resourceVersionMatch") != "Exact" {
            return Ok((state.version(), None));
        }
        if version < state.compacted() {
            return Err(ApiError::expired(
                "The resourceVersion for the provided list is too old.",
            ));
        }
        return Ok((version, None));
    }
    let malformed =
        || ApiError::bad_request("continue key is not valid: it was not issued by this server");
    let mut parts = token.splitn(3, ':');
    let version: u64 = parts
        .next()
        .and_then(|part| part.parse().ok())
        .ok_or_else(malformed)?;
    let (Some(namespace), Some(name)) = (parts.next(), parts.next()) else {
        return Err(malformed());
    };
    if version < state.compacted() {
        return Err(ApiError::expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.",
        ));
    }
    Ok((version, Some((namespace.to_owned(), name.to_owned()))))
}

/// Shows an object as an item of a list: built-in kinds leave out what the list says already.
fn item(call: &Call, object: &Value) -> Value {
    let mut item = view(call, object);
    if !call.metadata_only
        && !call.kind.has(Quirk::Custom)
        && let Some(fields) = item.as_object_mut()
    {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    item
}

fn listing(
    call: &Call,
    version: u64,
    items: &[Value],
    more: Option<(String, Option<usize>)>,
) -> Value {
    let mut metadata = json!({ "resourceVersion": version.to_string() });
    if call.kind.has(Quirk::Custom) && !call.metadata_only {
        // Lists of custom objects are untyped and keep the empty field.
        metadata["continue"] = "".into();
    }
    if let Some((token, remaining)) = more {
        metadata["continue"] = token.into();
        if let Some(remaining) = remaining {
            metadata["remainingItemCount"] = remaining.into();
        }
    }
    let (kind, version) = if call.metadata_only {
        (
            "PartialObjectMetadataList".to_owned(),
            "meta.k8s.io/v1".to_owned(),
        )
    } else {
        (format!("{}List", call.kind.kind), call.kind.api_version())
    };
    json!({ "kind": kind, "apiVersion": version, "metadata": metadata, "items": items })
}
