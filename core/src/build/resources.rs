//! CPU, memory and storage of one process, from `resource` or `resources` of the spec.

use std::collections::BTreeMap;

use flink_operator_api::{Quantity as Written, Resource, ResourceRequirements};

use super::error::BuildError;
use super::quantity::Quantity;
use crate::config::MemorySize;

/// What a spec says about the resources of a process.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ProcessResources {
    /// Text of the total process memory, as Flink reads it.
    pub memory: Option<String>,
    /// CPU cores.
    pub cpu: Option<f64>,
    /// Memory limit as a multiple of the memory.
    pub memory_limit_factor: Option<f64>,
    /// CPU limit as a multiple of the CPU.
    pub cpu_limit_factor: Option<f64>,
    /// Other requests of the main container, by resource name.
    pub requests: BTreeMap<String, String>,
    /// Other limits of the main container, by resource name.
    pub limits: BTreeMap<String, String>,
}

impl ProcessResources {
    /// Reads what a spec says; the newer field wins if it says anything.
    pub(super) fn of(
        path: &str,
        older: Option<&Resource>,
        newer: Option<&ResourceRequirements>,
    ) -> Result<Self, BuildError> {
        let says_something = |map: &&BTreeMap<_, _>| !map.is_empty();
        let requests = newer
            .and_then(|newer| newer.requests.as_ref())
            .filter(says_something);
        let limits = newer
            .and_then(|newer| newer.limits.as_ref())
            .filter(says_something);
        if requests.is_some() || limits.is_some() {
            let empty = BTreeMap::new();
            let path = format!("{path}.resources");
            return Self::of_newer(&path, requests.unwrap_or(&empty), limits.unwrap_or(&empty));
        }
        older.map_or_else(|| Ok(Self::default()), |older| Self::of_older(path, older))
    }

    fn of_older(path: &str, resource: &Resource) -> Result<Self, BuildError> {
        let memory = resource
            .memory
            .as_deref()
            .filter(|text| !text.trim().is_empty())
            .map(|text| Memory::parse(&format!("{path}.resource.memory"), text))
            .transpose()?;
        if let Some(cpu) = resource.cpu.filter(|cpu| !cpu.is_finite() || *cpu < 0.0) {
            return Err(BuildError::field(
                format!("{path}.resource.cpu"),
                format!("{cpu} is not a number of cores"),
                "write a positive number, as in 0.5 or 2",
            ));
        }
        let storage = match &resource.ephemeral_storage {
            Some(text) if Quantity::parse(text).is_none() => {
                let path = format!("{path}.resource.ephemeralStorage");
                return Err(no_quantity(&path, text));
            }
            Some(text) => BTreeMap::from([("ephemeral-storage".to_owned(), text.clone())]),
            None => BTreeMap::new(),
        };
        Ok(Self {
            memory: memory.map(|memory| memory.text),
            cpu: resource.cpu,
            requests: storage.clone(),
            limits: storage,
            ..Self::default()
        })
    }

    fn of_newer(
        path: &str,
        requests: &BTreeMap<String, Written>,
        limits: &BTreeMap<String, Written>,
    ) -> Result<Self, BuildError> {
        let memory = |section: &str, map: &BTreeMap<String, Written>| {
            map.get("memory")
                .map(|text| Memory::parse(&format!("{path}.{section}.memory"), &text.to_string()))
                .transpose()
        };
        let cpu = |section: &str, map: &BTreeMap<String, Written>| {
            map.get("cpu")
                .map(|text| cores(&format!("{path}.{section}.cpu"), text))
                .transpose()
        };
        let (memory_request, memory_limit) =
            (memory("requests", requests)?, memory("limits", limits)?);
        let (cpu_request, cpu_limit) = (cpu("requests", requests)?, cpu("limits", limits)?);
        Ok(Self {
            memory_limit_factor: factor(
                memory_request.as_ref().map(|memory| memory.bytes),
                memory_limit.as_ref().map(|memory| memory.bytes),
            ),
            cpu_limit_factor: factor(cpu_request, cpu_limit),
            memory: memory_request.or(memory_limit).map(|memory| memory.text),
            cpu: cpu_request.or(cpu_limit),
            requests: others(&format!("{path}.requests"), requests)?,
            limits: others(&format!("{path}.limits"), limits)?,
        })
    }
}

/// Returns the limit as a multiple of the request, in floating point as upstream.
fn factor(request: Option<f64>, limit: Option<f64>) -> Option<f64> {
    let (request, limit) = (request?, limit?);
    (request > 0.0).then(|| limit / request)
}

/// Returns the entries that Flink does not size itself.
fn others(
    path: &str,
    map: &BTreeMap<String, Written>,
) -> Result<BTreeMap<String, String>, BuildError> {
    map.iter()
        .filter(|(name, _)| !matches!(name.as_str(), "cpu" | "memory"))
        .map(|(name, written)| {
            let text = written.to_string();
            match Quantity::parse(&text) {
                Some(_) => Ok((name.clone(), text)),
                None => Err(no_quantity(&format!("{path}.{name}"), &text)),
            }
        })
        .collect()
}

fn cores(path: &str, written: &Written) -> Result<f64, BuildError> {
    let text = written.to_string();
    Quantity::parse(&text)
        .and_then(Quantity::as_f64)
        .filter(|cores| *cores > 0.0)
        .ok_or_else(|| no_quantity(path, &text))
}

fn no_quantity(path: &str, text: &str) -> BuildError {
    BuildError::field(
        path,
        format!("\"{text}\" is not a positive Kubernetes quantity"),
        "write a number with a suffix, as in 500m, 2 or 10Gi",
    )
}

/// An amount of memory in a spec: a Flink memory size, else a Kubernetes quantity.
struct Memory {
    text: String,
    bytes: f64,
}

impl Memory {
    fn parse(path: &str, text: &str) -> Result<Self, BuildError> {
        let wrong = |problem: String| {
            BuildError::field(
                path,
                problem,
                "write a Flink memory size such as 2048m (powers of 1024) or a quantity such as 2Gi",
            )
        };
        let (printed, bytes) = if let Ok(size) = MemorySize::parse(text) {
            (size.to_string(), size.bytes())
        } else {
            let bytes = quantity_text(text)
                .and_then(|text| Quantity::parse(&text)?.as_whole())
                .filter(|bytes| *bytes <= MemorySize::MAX.bytes())
                .ok_or_else(|| wrong(format!("\"{text}\" is not an amount of memory")))?;
            (bytes.to_string(), bytes)
        };
        if bytes == 0 {
            return Err(wrong(format!("\"{text}\" is no memory at all")));
        }
        #[allow(clippy::cast_precision_loss)] // the factor is computed in doubles, as upstream
        Ok(Self {
            text: printed,
            bytes: bytes as f64,
        })
    }
}

/// Repairs spellings of a quantity that people use: blanks, lower case and a final `b`.
fn quantity_text(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let text = text.to_ascii_uppercase();
    let text = text.strip_suffix('B').unwrap_or(&text);
    match text.strip_suffix('I') {
        Some(rest) => Some(format!("{rest}i")),
        None => (!text.is_empty()).then(|| text.to_owned()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn older(resource: serde_json::Value) -> Result<ProcessResources, BuildError> {
        let resource: Resource = serde_json::from_value(resource).unwrap();
        ProcessResources::of("spec.jobManager", Some(&resource), None)
    }

    fn newer(resources: serde_json::Value) -> Result<ProcessResources, BuildError> {
        let resources: ResourceRequirements = serde_json::from_value(resources).unwrap();
        ProcessResources::of(
            "spec.jobManager",
            Some(&Resource::default()),
            Some(&resources),
        )
    }

    #[test]
    fn memory_is_a_flink_size_or_else_a_quantity() {
        for (text, printed) in [
            ("2048m", "2 gb"),
            ("2G", "2 gb"),
            ("3 gb", "3 gb"),
            ("2Gi", "2147483648"),
            ("2 GiB", "2147483648"),
            ("2gib", "2147483648"),
            ("2.5Gi", "2684354560"),
            ("1e9", "1000000000"),
        ] {
            assert_eq!(
                older(json!({ "memory": text })).unwrap().memory.unwrap(),
                printed,
                "{text}"
            );
        }
        assert_eq!(older(json!({ "memory": " " })).unwrap().memory, None);
    }

    #[test]
    fn wrong_amounts_name_the_field() {
        for text in ["-5m", "much", "0", "1.5", "2Gx"] {
            let error = older(json!({ "memory": text })).unwrap_err();
            assert_eq!(error.path(), "spec.jobManager.resource.memory", "{text}");
        }
        let error = older(json!({ "ephemeralStorage": "lots" })).unwrap_err();
        assert_eq!(error.path(), "spec.jobManager.resource.ephemeralStorage");
        let error = older(json!({ "cpu": -1.0 })).unwrap_err();
        assert_eq!(error.path(), "spec.jobManager.resource.cpu");
        let error = newer(json!({ "limits": { "cpu": "0" } })).unwrap_err();
        assert_eq!(error.path(), "spec.jobManager.resources.limits.cpu");
        let error = newer(json!({ "requests": { "nvidia.com/gpu": "x" } })).unwrap_err();
        assert_eq!(
            error.path(),
            "spec.jobManager.resources.requests.nvidia.com/gpu"
        );
    }

    #[test]
    fn limits_become_factors() {
        let read = newer(json!({
            "requests": { "cpu": "100m", "memory": "1Gi", "ephemeral-storage": "1Gi" },
            "limits": { "cpu": "300m", "memory": "1536Mi", "nvidia.com/gpu": 1 },
        }))
        .unwrap();
        assert_eq!(read.cpu, Some(0.1));
        assert_eq!(read.cpu_limit_factor, Some(2.999_999_999_999_999_6));
        assert_eq!(read.memory_limit_factor, Some(1.5));
        assert_eq!(read.memory.as_deref(), Some("1073741824"));
        assert_eq!(read.requests["ephemeral-storage"], "1Gi");
        assert_eq!(read.limits["nvidia.com/gpu"], "1");
        let only_limit = newer(json!({ "limits": { "memory": "1g" } })).unwrap();
        assert_eq!(only_limit.memory.as_deref(), Some("1 gb"));
        assert_eq!(only_limit.memory_limit_factor, None);
    }
}
