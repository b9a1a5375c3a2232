//! Pod templates: merging the common one with a role's, and what the operator adds to them.

use flink_operator_api::{FlinkDeploymentSpec, PodTemplate};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::{Map, Value, json};

use super::error::BuildError;
use super::resources::ProcessResources;
use crate::config::{Configuration, ValueError, options as opt};

/// Name of the container that runs Flink.
pub const MAIN_CONTAINER: &str = "flink-main-container";

type Object = Map<String, Value>;

/// The role whose template is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    JobManager,
    TaskManager,
}

/// Makes the template of a role; `None` if nobody asks for one.
pub(super) fn of_role(
    spec: &FlinkDeploymentSpec,
    role: Role,
    resources: &ProcessResources,
    config: &Configuration,
) -> Result<Option<Value>, BuildError> {
    let common = read("spec.podTemplate", spec.pod_template.as_ref())?;
    let (path, own) = match role {
        Role::JobManager => (
            "spec.jobManager.podTemplate",
            spec.job_manager
                .as_ref()
                .and_then(|role| role.pod_template.as_ref()),
        ),
        Role::TaskManager => (
            "spec.taskManager.podTemplate",
            spec.task_manager
                .as_ref()
                .and_then(|role| role.pod_template.as_ref()),
        ),
    };
    let own = read(path, own)?;
    let by_name = config.get(&opt::POD_TEMPLATE_MERGE_ARRAYS_BY_NAME)?;
    let mut template = match (common, own) {
        (Some(common), Some(own)) => {
            let merged = merge(common, own, by_name);
            check("spec.podTemplate", &merged)?;
            Some(merged)
        }
        (common, own) => own.or(common),
    };
    if !resources.requests.is_empty() || !resources.limits.is_empty() {
        let main = main_container(template.get_or_insert_with(|| json!({})));
        put_resources(main, resources);
    }
    if role == Role::JobManager && config.get(&opt::JM_DEPLOYMENT_STARTUP_PROBE_ENABLED)? {
        let main = main_container(template.get_or_insert_with(|| json!({})));
        main.entry("startupProbe").or_insert_with(startup_probe);
    }
    Ok(template)
}

/// Reads a template file of the operator's container.
pub(super) fn of_file(path: &str, content: &[u8]) -> Result<Value, BuildError> {
    let wrong = |problem: String| {
        BuildError::option(
            path,
            problem,
            "correct the file; it must hold a Pod or PodTemplateSpec",
        )
    };
    let text = std::str::from_utf8(content).map_err(|error| wrong(error.to_string()))?;
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    let template: Value = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| wrong(error.to_string()))?;
    let template = normalised("", template).unwrap_or_else(|| json!({}));
    check(path, &template)?;
    Ok(template)
}

fn startup_probe() -> Value {
    // It only holds back the other probes until REST answers; it never kills a JobManager.
    json!({
        "httpGet": { "path": "/config", "port": "rest" },
        "periodSeconds": 1,
        "failureThreshold": i32::MAX,
    })
}

fn read(path: &str, template: Option<&PodTemplate>) -> Result<Option<Value>, BuildError> {
    let Some(template) = template else {
        return Ok(None);
    };
    let template = normalised("", Value::Object(template.0.clone())).unwrap_or_else(|| json!({}));
    check(path, &template)?;
    Ok(Some(template))
}

/// Checks that a template has the form of a pod, naming the innermost field that has not.
fn check(path: &str, template: &Value) -> Result<(), BuildError> {
    serde_path_to_error::deserialize::<_, PodTemplateSpec>(template)
        .map(drop)
        .map_err(|error| {
            let inner = error.path().to_string();
            let path = if inner == "." {
                path.to_owned()
            } else {
                format!("{path}.{inner}")
            };
            let problem = ValueError::new(error.into_inner().to_string()).to_string();
            BuildError::field(path, problem, "write it as in a Pod")
        })
}

/// Brings a whole template into its normal form; `None` means that nothing is left.
pub(crate) fn normalised_template(template: Value) -> Option<Value> {
    normalised("", template)
}

/// Brings a template into the form in which Kubernetes clients write it: no nulls, no empty lists and
/// maps of texts, quantities as text. `None` means that nothing is left.
fn normalised(name: &str, value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Array(items) => {
            let items: Vec<Value> = items
                .into_iter()
                // An entry that is empty still counts: lists are merged by position.
                .map(|item| normalised("", item).unwrap_or_else(|| json!({})))
                .collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(object) => {
            let of_quantities = is_map_of_quantities(name);
            let object: Object = object
                .into_iter()
                .filter_map(|(key, value)| {
                    let value = match value {
                        Value::Number(number) if of_quantities || is_quantity(&key) => {
                            Value::String(number.to_string())
                        }
                        other => normalised(&key, other)?,
                    };
                    Some((key, value))
                })
                .collect();
            let drop = object.is_empty() && (of_quantities || is_map_of_texts(name));
            (!drop).then_some(Value::Object(object))
        }
        other => Some(other),
    }
}

fn is_map_of_quantities(name: &str) -> bool {
    matches!(name, "requests" | "limits" | "overhead")
}

fn is_quantity(name: &str) -> bool {
    matches!(name, "sizeLimit" | "divisor")
}

fn is_map_of_texts(name: &str) -> bool {
    matches!(
        name,
        "labels" | "annotations" | "nodeSelector" | "matchLabels" | "volumeAttributes" | "options"
    )
}

/// Merges a role's template into the common one: objects by field, lists by position or by name.
pub(super) fn merge(common: Value, own: Value, by_name: bool) -> Value {
    match (common, own) {
        (Value::Object(mut common), Value::Object(own)) => {
            for (key, value) in own {
                let merged = match common.remove(&key) {
                    Some(existing) => merge(existing, value, by_name),
                    None => value,
                };
                common.insert(key, merged);
            }
            Value::Object(common)
        }
        (Value::Array(common), Value::Array(own)) => {
            if by_name && has_names(&common) && has_names(&own) {
                merge_by_name(common, own)
            } else {
                merge_by_position(common, own, by_name)
            }
        }
        // Upstream keeps an object against a scalar or list, and nothing else.
        (common @ Value::Object(_), _) => common,
        (_, own) => own,
    }
}

fn has_names(items: &[Value]) -> bool {
    items
        .iter()
        .all(|item| item.get("name").is_some_and(Value::is_string))
}

fn merge_by_name(mut common: Vec<Value>, own: Vec<Value>) -> Value {
    for item in own {
        match common
            .iter_mut()
            .find(|existing| existing.get("name") == item.get("name"))
        {
            Some(existing) => *existing = merge(existing.take(), item, true),
            None => common.push(item),
        }
    }
    Value::Array(common)
}

fn merge_by_position(common: Vec<Value>, own: Vec<Value>, by_name: bool) -> Value {
    let mut own = own.into_iter();
    let mut merged: Vec<Value> = common
        .into_iter()
        .map(|item| match own.next() {
            Some(over) => merge(item, over, by_name),
            None => item,
        })
        .collect();
    merged.extend(own);
    Value::Array(merged)
}

/// Returns the main container, adding an empty one behind the others if there is none.
fn main_container(template: &mut Value) -> &mut Object {
    let containers = object(object_of(template), "spec").entry("containers");
    let Value::Array(containers) = containers.or_insert_with(|| json!([])) else {
        unreachable!("the template was checked: containers is a list");
    };
    let at = containers
        .iter()
        .position(|container| container["name"] == MAIN_CONTAINER);
    let at = at.unwrap_or_else(|| {
        containers.push(json!({ "name": MAIN_CONTAINER }));
        containers.len() - 1
    });
    object_of(&mut containers[at])
}

fn put_resources(main: &mut Object, resources: &ProcessResources) {
    let of_container = object(main, "resources");
    for (section, amounts) in [
        ("requests", &resources.requests),
        ("limits", &resources.limits),
    ] {
        if amounts.is_empty() {
            continue;
        }
        let section = object(of_container, section);
        for (name, amount) in amounts {
            section.insert(name.clone(), json!(amount));
        }
    }
}

/// Returns a field that is an object, making an empty one if it is absent.
pub(super) fn object<'a>(parent: &'a mut Object, field: &str) -> &'a mut Object {
    object_of(parent.entry(field).or_insert_with(|| json!({})))
}

fn object_of(value: &mut Value) -> &mut Object {
    match value {
        Value::Object(object) => object,
        _ => unreachable!("the template was checked: this field is an object"),
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
