//! The rules for memory, CPU, storage and replicas of JobManager and TaskManagers.

use super::deployment::Violations;
use crate::build::{Quantity, memory};
use crate::config::{Configuration, MemorySize};
use flink_operator_api::{FlinkDeploymentSpec, Resource, ResourceRequirements};

/// Checks the sizes of both components.
pub(super) fn check(
    spec: &FlinkDeploymentSpec,
    config: &Configuration,
    highly_available: bool,
    found: &mut Violations,
) {
    let job_manager = spec.job_manager.as_ref();
    let task_manager = spec.task_manager.as_ref();
    component(
        &Component {
            name: "JobManager",
            path: "spec.jobManager",
            rules: ["D18", "D19", "D20"],
        },
        job_manager.and_then(|jm| jm.resource.as_ref()),
        job_manager.and_then(|jm| jm.resources.as_ref()),
        || memory::job_manager(config).is_ok(),
        found,
    );
    if let Some(job_manager) = job_manager {
        let path = "spec.jobManager.replicas";
        if job_manager.replicas < 1 {
            found.add(
                "D21",
                path,
                "JobManager replicas should not be configured less than one.",
            );
        } else if job_manager.replicas > 1 && !highly_available {
            found.add(
                "D22",
                path,
                "High availability should be enabled when starting standby JobManagers.",
            );
        }
    }
    component(
        &Component {
            name: "TaskManager",
            path: "spec.taskManager",
            rules: ["D23", "D24", "D25"],
        },
        task_manager.and_then(|tm| tm.resource.as_ref()),
        task_manager.and_then(|tm| tm.resources.as_ref()),
        || memory::task_manager(config).is_ok(),
        found,
    );
    // An application reports its replicas by the rule of its parallelism already.
    if spec.job.is_none()
        && task_manager
            .and_then(|tm| tm.replicas)
            .is_some_and(|replicas| replicas < 1)
    {
        found.add(
            "D26",
            "spec.taskManager.replicas",
            "TaskManager replicas should not be configured less than one.",
        );
    }
}

struct Component {
    name: &'static str,
    path: &'static str,
    /// The rules for: memory is defined, old form parses, new form is sound.
    rules: [&'static str; 3],
}

fn component(
    component: &Component,
    resource: Option<&Resource>,
    resources: Option<&ResourceRequirements>,
    config_suffices: impl Fn() -> bool,
    found: &mut Violations,
) {
    let [defined, parses, sound] = component.rules;
    let (name, path) = (component.name, component.path);
    let memory = resource
        .and_then(|resource| resource.memory.as_deref())
        .filter(|text| !text.trim().is_empty());
    let in_resources = resources.is_some_and(|resources| {
        let sections = [&resources.requests, &resources.limits];
        sections
            .into_iter()
            .flatten()
            .any(|section| section.contains_key("memory"))
    });
    if memory.is_none() && !in_resources && !config_suffices() {
        let message =
            format!("{name} resource memory must be defined using `{path}.resource.memory`");
        found.add(defined, &format!("{path}.resource.memory"), message);
    }
    if let Some(text) = memory.filter(|text| !is_memory(text)) {
        let message = format!(
            "{name} resource memory parse error: \"{text}\" is no amount of memory above zero; write it like 2048m or 2Gi"
        );
        found.add(parses, &format!("{path}.resource.memory"), message);
    }
    let storage = resource.and_then(|resource| resource.ephemeral_storage.as_deref());
    if let Some(text) = storage.filter(|text| amount(text).is_none_or(|amount| amount < 0.0)) {
        let message = format!(
            "{name} resource ephemeral storage parse error: \"{text}\" is no quantity; write it like 10Gi"
        );
        found.add(
            parses,
            &format!("{path}.resource.ephemeralStorage"),
            message,
        );
    }
    if let Some(resources) = resources {
        requirements(name, path, resources, sound, found);
    }
}

fn requirements(
    name: &str,
    path: &str,
    resources: &ResourceRequirements,
    rule: &'static str,
    found: &mut Violations,
) {
    for (section, entries) in [
        ("requests", &resources.requests),
        ("limits", &resources.limits),
    ] {
        for (key, quantity) in entries.iter().flatten() {
            let text = quantity.to_string();
            let sound = match key.as_str() {
                "memory" => is_memory(&text),
                "cpu" => amount(&text).is_some_and(|amount| amount > 0.0),
                _ => amount(&text).is_some_and(|amount| amount >= 0.0),
            };
            if !sound {
                let field = format!("{path}.resources.{section}.{key}");
                found.add(
                    rule,
                    &field,
                    format!("{name} resources {section} {key}: \"{text}\" is no usable quantity"),
                );
            }
        }
    }
    let get = |section: &Option<std::collections::BTreeMap<_, _>>, key: &str| {
        section
            .as_ref()
            .and_then(|entries| entries.get(key))
            .map(ToString::to_string)
    };
    for key in ["cpu", "memory"] {
        let (request, limit) = (get(&resources.requests, key), get(&resources.limits, key));
        let pair = request
            .as_deref()
            .and_then(amount)
            .zip(limit.as_deref().and_then(amount));
        if pair.is_some_and(|(request, limit)| request > limit) {
            let field = format!("{path}.resources.requests.{key}");
            found.add(
                rule,
                &field,
                format!("{name} resources {key}: the request must not be above the limit"),
            );
        }
    }
}

/// Memory in Flink's form or Kubernetes', as upstream reads it, above zero.
fn is_memory(text: &str) -> bool {
    if let Ok(size) = MemorySize::parse(text) {
        return size.bytes() > 0;
    }
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let compact = compact.to_ascii_uppercase();
    let compact = compact.strip_suffix('B').unwrap_or(&compact);
    let compact = compact
        .strip_suffix('I')
        .map_or_else(|| compact.to_owned(), |rest| format!("{rest}i"));
    Quantity::parse(&compact)
        .and_then(Quantity::as_whole)
        .is_some_and(|bytes| bytes > 0)
}

fn amount(text: &str) -> Option<f64> {
    Quantity::parse(text).and_then(Quantity::as_f64)
}
