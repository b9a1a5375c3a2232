//! Patches: merge (RFC 7386), JSON (RFC 6902), and strategic for built-in kinds.

use std::sync::Arc;

use serde_json::{Value, json};

use super::error::ApiError;
use super::fields::{self, Shape};
use super::object;
use super::store::{Context, Key, State};
use super::violation::Violation;
use super::write::{self, Part};

/// What the body of a PATCH is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatchType {
    /// `application/merge-patch+json`
    Merge,
    /// `application/json-patch+json`
    Json,
    /// `application/strategic-merge-patch+json`
    Strategic,
    /// `application/apply-patch+yaml`
    Apply,
}

impl PatchType {
    /// Reads the content type; custom resources know no strategic patches.
    pub(crate) fn parse(content_type: &str, custom: bool) -> Result<Self, ApiError> {
        match content_type.split(';').next().unwrap_or_default().trim() {
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/json-patch+json" => Ok(Self::Json),
            "application/apply-patch+yaml" => Ok(Self::Apply),
            "application/strategic-merge-patch+json" if !custom => Ok(Self::Strategic),
            _ => {
                let known = if custom {
                    ""
                } else {
                    ", application/strategic-merge-patch+json"
                };
                Err(ApiError::unsupported_media_type(format!(
                    "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json{known}, application/apply-patch+yaml"
                )))
            }
        }
    }
}

/// Patches an object, as PATCH does (all but apply).
pub(crate) fn patch(
    state: &mut State,
    context: &mut Context,
    key: &Key,
    kind_of_patch: PatchType,
    patch: Value,
    part: Part,
) -> Result<Arc<Value>, ApiError> {
    let old = state
        .get(key)
        .cloned()
        .ok_or_else(|| ApiError::not_found(key.kind, &key.name))?;
    let mut new = Value::clone(&old);
    // Unless the patch says otherwise it is meant for whatever version is stored.
    match kind_of_patch {
        PatchType::Json => {
            let operations: json_patch::Patch = serde_json::from_value(patch)
                .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))?;
            json_patch::patch(&mut new, &operations.0).map_err(|error| failed_json(key, &error))?;
        }
        PatchType::Merge | PatchType::Apply => {
            if !patch.is_object() {
                return Err(ApiError::bad_request(
                    "error decoding patch: a merge patch must be a JSON object",
                ));
            }
            json_patch::merge(&mut new, &patch);
        }
        PatchType::Strategic => {
            let schema = state.schema(key.kind);
            fields::merge(
                &mut new,
                &patch,
                &Shape {
                    schema: schema.as_deref(),
                },
            );
            drop_nulls(&mut new, &patch);
        }
    }
    if !new.is_object() {
        return Err(ApiError::bad_request("the patch leaves no JSON object"));
    }
    if object::text(&new, "resourceVersion").is_empty() {
        object::copy_metadata(&old, &mut new, "resourceVersion");
    }
    for field in ["name", "namespace"] {
        let (was, is) = (object::text(&old, field), object::text(&new, field));
        if was != is {
            return Err(ApiError::bad_request(format!(
                "the {field} of the object ({is}) does not match the {field} on the URL ({was})"
            )));
        }
    }
    write::update(state, context, key, &old, new, part).map_err(|error| as_patch(key, error))
}

/// A strict client is told of unknown fields in a patch as of an invalid patch.
fn as_patch(key: &Key, error: ApiError) -> ApiError {
    let Some((_, why)) = error.message.split_once(" cannot be handled as a ") else {
        return error;
    };
    let why = why.split_once(": ").map_or(why, |(_, why)| why);
    ApiError::invalid(
        key.kind,
        &key.name,
        &[Violation::invalid("patch", &Value::Null, why)],
    )
}

/// The real server answers a JSON patch that cannot be carried out with 422 and no field.
fn failed_json(key: &Key, error: &json_patch::PatchError) -> ApiError {
    let mut refusal = ApiError::invalid(key.kind, &key.name, &[]);
    refusal.message =
        format!("the server rejected our request due to an error in our request: {error}");
    refusal.details = json!({});
    refusal
}

/// Removes what a strategic patch sets to null.
fn drop_nulls(object: &mut Value, patch: &Value) {
    let (Value::Object(fields), Value::Object(wanted)) = (object, patch) else {
        return;
    };
    for (name, value) in wanted {
        if value.is_null() {
            fields.remove(name);
        } else if let Some(existing) = fields.get_mut(name) {
            drop_nulls(existing, value);
        }
    }
}
