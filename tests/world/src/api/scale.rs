//! The scale subresource: a number of replicas read from and written to where the CRD says.

use serde_json::{Value, json};

use super::error::ApiError;
use super::object;
use super::patch::PatchType;
use super::rest::Reply;
use super::route::{Call, Verb};
use super::store::{Context, Key, State};
use super::write::{self, Part};

/// Carries out a call on `/scale`.
pub(crate) fn handle(
    state: &mut State,
    context: &mut Context,
    call: &Call,
) -> Result<Reply, ApiError> {
    let key = Key {
        kind: call.kind,
        namespace: call.namespace.clone(),
        name: call.name.clone(),
    };
    let paths = state
        .scale_paths(call.kind)
        .ok_or_else(ApiError::no_such_path)?;
    let stored = state
        .get(&key)
        .cloned()
        .ok_or_else(|| ApiError::not_found(key.kind, &key.name))?;
    let mut scale = show(&stored, &paths);
    match call.verb {
        Verb::Get if stored.pointer(&paths.spec).is_none() => {
            let field = paths.spec.replace('/', ".");
            return Err(ApiError::internal(&format!(
                "the spec replicas field {field:?} does not exist"
            )));
        }
        Verb::Get => return Ok(Reply::Body(200, scale)),
        Verb::Update => scale = call.body.clone(),
        Verb::Patch => {
            if PatchType::parse(&call.content_type, true)? != PatchType::Merge {
                return Err(ApiError::unsupported_media_type(
                    "scale is patched by merge patches here",
                ));
            }
            json_patch::merge(&mut scale, &call.body);
        }
        Verb::List | Verb::Watch | Verb::Create | Verb::Delete | Verb::DeleteCollection => {
            return Err(ApiError::method_not_allowed());
        }
    }
    let mut wanted = Value::clone(&stored);
    set(&mut wanted, &paths.spec, scale["spec"]["replicas"].clone());
    let version = scale["metadata"]
        .get("resourceVersion")
        .filter(|version| version.is_string());
    if let Some(version) = version {
        object::metadata_mut(&mut wanted).insert("resourceVersion".into(), version.clone());
    }
    let written = write::update(state, context, &key, &stored, wanted, Part::Main)?;
    Ok(Reply::Body(200, show(&written, &paths)))
}

/// Where a CRD keeps what scale shows, as JSON pointers.
#[derive(Clone, Debug)]
pub(crate) struct ScalePaths {
    spec: String,
    status: String,
    selector: String,
}

impl ScalePaths {
    pub(crate) fn of_crd(crd: &Value, version: &str) -> Option<Self> {
        let versions = crd["spec"]["versions"].as_array()?;
        let found = versions
            .iter()
            .find(|candidate| candidate["name"] == version)?;
        let scale = found["subresources"].get("scale")?;
        let pointer = |field: &str| scale[field].as_str().unwrap_or_default().replace('.', "/");
        Some(Self {
            spec: pointer("specReplicasPath"),
            status: pointer("statusReplicasPath"),
            selector: pointer("labelSelectorPath"),
        })
    }
}

fn show(object: &Value, paths: &ScalePaths) -> Value {
    let number = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_i64)
            .unwrap_or_default()
    };
    let mut scale = json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": object::name(object),
            "namespace": object::namespace(object),
            "uid": object::uid(object),
            "resourceVersion": object::text(object, "resourceVersion"),
            "creationTimestamp": object["metadata"]["creationTimestamp"],
        },
        "spec": { "replicas": number(&paths.spec) },
        "status": { "replicas": number(&paths.status) },
    });
    if let Some(selector) = object
        .pointer(&paths.selector)
        .filter(|_| !paths.selector.is_empty())
    {
        scale["status"]["selector"] = selector.clone();
    }
    scale
}

fn set(object: &mut Value, pointer: &str, value: Value) {
    let mut here = object;
    for step in pointer.split('/').skip(1) {
        if !here.is_object() {
            *here = json!({});
        }
        here = &mut here[step];
    }
    *here = value;
}
