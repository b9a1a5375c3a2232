//! The rules for memory, CPU, storage and replicas of JobManager and TaskManagers.

use std::collections::BTreeMap;

use super::Violations;
use super::configuration::is_highly_available;
use crate::build::{Quantity, memory};
use crate::config::{Configuration, MemorySize};
use flink_operator_api::{
    FlinkDeploymentSpec, Quantity as Written, Resource, ResourceRequirements,
};

/// Checks the sizes of both components.
pub(super) fn check(spec: &FlinkDeploymentSpec, config: &Configuration, found: &mut Violations) {
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
        } else if job_manager.replicas > 1 && !is_highly_available(config) {
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
    let [defined, parses, _] = component.rules;
    let (name, path) = (component.name, component.path);
    let memory = resource.and_then(|resource| resource.memory.as_deref());
    let in_resources = resources.is_some_and(|resources| {
        [&resources.requests, &resources.limits]
            .into_iter()
            .any(|section| entry(section.as_ref(), "memory").is_some())
    });
    let given = memory.is_some_and(|text| !text.trim().is_empty());
    if !given && !in_resources && !config_suffices() {
        let message = format!(
            "{name} resource memory must be defined using `{path}.resource.memory` or `{path}.resources.requests.memory`"
        );
        found.add(defined, &format!("{path}.resource.memory"), message);
    }
    if let Some(text) = memory
        && bytes(text).is_none_or(|bytes| bytes == 0)
    {
        let message = format!(
            "{name} resource memory parse error: {}; \"{text}\" is no amount of memory above zero: write it like 2048m or 2Gi",
            trouble(text)
        );
        found.add(parses, &format!("{path}.resource.memory"), message);
    }
    let storage = resource.and_then(|resource| resource.ephemeral_storage.as_deref());
    if let Some(text) = storage
        && amount(text).is_none_or(|amount| amount < 0.0)
    {
        let message = format!(
            "{name} resource ephemeral storage parse error: {}; \"{text}\" is no amount of storage: write it like 10Gi",
            trouble(text)
        );
        let path = format!("{path}.resource.ephemeralStorage");
        found.add(parses, &path, message);
    }
    if let Some(resources) = resources {
        requirements(component, resources, found);
    }
}

fn requirements(component: &Component, resources: &ResourceRequirements, found: &mut Violations) {
    let (name, path, rule) = (component.name, component.path, component.rules[2]);
    let sections = [
        ("requests", &resources.requests),
        ("limits", &resources.limits),
    ];
    for (section, entries) in sections {
        for (key, quantity) in entries.iter().flatten() {
            let text = quantity.to_string();
            let size = if key == "memory" {
                bytes(&text).map(as_f64)
            } else {
                amount(&text)
            };
            let zero_is_wrong = matches!(key.as_str(), "memory" | "cpu");
            let wrong = match size {
                Some(size) if zero_is_wrong && size <= 0.0 => {
                    format!("must be positive: {text}")
                }
                Some(size) if size < 0.0 => format!("must not be negative: {text}"),
                Some(_) => continue,
                None => format!(
                    "parse error: {}; \"{text}\" is no quantity: write it like {}",
                    trouble(&text),
                    if key == "cpu" { "500m or 1.5" } else { "2Gi" }
                ),
            };
            let field = format!("{path}.resources.{section}.{key}");
            let message = format!("{name} resource requirements {section} {key} {wrong}");
            found.add(rule, &field, message);
        }
    }
    for key in ["cpu", "memory"] {
        let request = entry(resources.requests.as_ref(), key);
        let limit = entry(resources.limits.as_ref(), key);
        let (Some(request), Some(limit)) = (request, limit) else {
            continue;
        };
        let size = |text: &str| match key {
            "memory" => bytes(text).map(as_f64),
            _ => amount(text),
        };
        let both = size(&request).zip(size(&limit));
        if both.is_some_and(|(request, limit)| request > limit) {
            let message = format!(
                "{name} resource requirements {key} request ({request}) must not exceed its limit ({limit})"
            );
            found.add(rule, &format!("{path}.resources.requests.{key}"), message);
        }
    }
}

fn entry(section: Option<&BTreeMap<String, Written>>, key: &str) -> Option<String> {
    section?.get(key).map(ToString::to_string)
}

/// Reads memory in Flink's form or Kubernetes', as upstream does.
fn bytes(text: &str) -> Option<u64> {
    if let Ok(size) = MemorySize::parse(text) {
        return Some(size.bytes());
    }
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let compact = compact.to_ascii_uppercase();
    let compact = compact.strip_suffix('B').unwrap_or(&compact);
    let compact = compact
        .strip_suffix('I')
        .map_or_else(|| compact.to_owned(), |rest| format!("{rest}i"));
    Quantity::parse(&compact).and_then(Quantity::as_whole)
}

#[allow(clippy::cast_precision_loss)] // as Java compares them
fn as_f64(bytes: u64) -> f64 {
    bytes as f64
}

fn amount(text: &str) -> Option<f64> {
    Quantity::parse(text).and_then(Quantity::as_f64)
}

/// Says in Java's words why a text is no amount.
fn trouble(text: &str) -> String {
    match text.trim().chars().next() {
        None => "Invalid quantity string format passed.".to_owned(),
        Some('-') => "text does not start with a number".to_owned(),
        Some(first) => {
            let wrong = text
                .trim()
                .chars()
                .find(|c| !c.is_ascii_digit() && !".+-".contains(*c));
            let wrong = wrong.unwrap_or(first);
            format!(
                "Character {wrong} is neither a decimal digit number, decimal point, nor \"e\" notation exponential mark."
            )
        }
    }
}
