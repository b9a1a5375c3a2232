//! What a container may learn about its pod: the downward API.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::{Container, Pod, ResourceFieldSelector};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::quantity::Amount;

/// A pod with what the node knows about it.
#[derive(Debug, Clone)]
pub(super) struct PodFacts<'a> {
    pub(super) pod: &'a Pod,
    /// `None` until the pod has its network.
    pub(super) ip: Option<Ipv4Addr>,
    pub(super) host_ip: Ipv4Addr,
    pub(super) node: &'a str,
    /// Stands in for limits that a container does not have.
    pub(super) allocatable: &'a BTreeMap<String, Quantity>,
}

impl PodFacts<'_> {
    /// Returns the value of a `fieldRef`; the error names the path.
    pub(super) fn field(&self, path: &str) -> Result<String, String> {
        let (metadata, spec) = (&self.pod.metadata, self.pod.spec.as_ref());
        let ip = || self.ip.map(|ip| ip.to_string()).unwrap_or_default();
        if let Some((map, key)) = subscript(path) {
            let map = match map {
                "metadata.labels" => metadata.labels.as_ref(),
                "metadata.annotations" => metadata.annotations.as_ref(),
                _ => return Err(format!("fieldPath {path:?} is not supported")),
            };
            return Ok(map
                .and_then(|map| map.get(key))
                .cloned()
                .unwrap_or_default());
        }
        Ok(match path {
            "metadata.name" => metadata.name.clone().unwrap_or_default(),
            "metadata.namespace" => metadata.namespace.clone().unwrap_or_default(),
            "metadata.uid" => metadata.uid.clone().unwrap_or_default(),
            "metadata.labels" => listing(metadata.labels.as_ref()),
            "metadata.annotations" => listing(metadata.annotations.as_ref()),
            "spec.nodeName" => self.node.to_owned(),
            "spec.serviceAccountName" => spec
                .and_then(|spec| spec.service_account_name.clone())
                .unwrap_or_default(),
            "status.podIP" | "status.podIPs" => ip(),
            "status.hostIP" | "status.hostIPs" => self.host_ip.to_string(),
            _ => return Err(format!("fieldPath {path:?} is not supported")),
        })
    }

    /// Returns the value of a `resourceFieldRef` of one of the pod's containers.
    pub(super) fn resource(
        &self,
        container: &Container,
        selector: &ResourceFieldSelector,
    ) -> Result<String, String> {
        let unknown = || format!("resource {:?} is not supported", selector.resource);
        let (kind, name) = selector.resource.split_once('.').ok_or_else(unknown)?;
        let resources = container.resources.as_ref();
        let (limits, requests) = (
            resources.and_then(|resources| resources.limits.as_ref()),
            resources.and_then(|resources| resources.requests.as_ref()),
        );
        let amount = match kind {
            "limits" => limits
                .and_then(|limits| limits.get(name))
                .or_else(|| self.allocatable.get(name)),
            "requests" => requests
                .and_then(|requests| requests.get(name))
                .or_else(|| limits.and_then(|limits| limits.get(name))),
            _ => return Err(unknown()),
        };
        let amount = amount.map(Amount::from).unwrap_or_default();
        let divisor = selector
            .divisor
            .as_ref()
            .map(Amount::from)
            .unwrap_or_default();
        Ok(amount.divided_by(divisor).to_string())
    }
}

/// Splits `metadata.labels['app']` into map and key.
fn subscript(path: &str) -> Option<(&str, &str)> {
    let (map, rest) = path.split_once('[')?;
    Some((map, rest.strip_suffix(']')?.trim_matches(['\'', '"'])))
}

fn listing(map: Option<&BTreeMap<String, String>>) -> String {
    let mut text = String::new();
    for (key, value) in map.into_iter().flatten() {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{key}={value:?}");
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn answer(path: &str, resource: Option<Value>) -> Result<String, String> {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": { "name": "p", "namespace": "n", "labels": { "app": "a b" } },
            "spec": { "serviceAccountName": "flink", "containers": [
                { "name": "c", "resources": { "limits": { "memory": "1Gi" }, "requests": { "cpu": "250m" } } }
            ] },
        }))
        .unwrap();
        let allocatable = BTreeMap::from([("cpu".to_owned(), Quantity("4".to_owned()))]);
        let host_ip = Ipv4Addr::new(10, 0, 0, 1);
        let facts = PodFacts {
            pod: &pod,
            ip: Some(Ipv4Addr::new(10, 0, 0, 2)),
            host_ip,
            node: "here",
            allocatable: &allocatable,
        };
        match resource {
            None => facts.field(path),
            Some(selector) => facts.resource(
                &pod.spec.as_ref().unwrap().containers[0],
                &serde_json::from_value(selector).unwrap(),
            ),
        }
    }

    #[test]
    fn fields_have_their_values() {
        let cases = [
            ("metadata.name", "p"),
            ("metadata.labels['app']", "a b"),
            ("metadata.annotations['none']", ""),
            ("metadata.labels", "app=\"a b\"\n"),
            ("status.podIP", "10.0.0.2"),
            ("status.hostIP", "10.0.0.1"),
            ("spec.nodeName", "here"),
            ("spec.serviceAccountName", "flink"),
        ];
        for (path, value) in cases {
            assert_eq!(answer(path, None).as_deref(), Ok(value), "{path}");
        }
        assert!(
            answer("spec.color", None)
                .unwrap_err()
                .contains("spec.color")
        );
    }

    #[test]
    fn resources_fall_back_as_a_kubelet_does() {
        let resource = |name: &str, divisor: &str| {
            answer("", Some(json!({ "resource": name, "divisor": divisor })))
        };
        assert_eq!(resource("limits.memory", "1Mi").as_deref(), Ok("1024"));
        assert_eq!(resource("limits.cpu", "0").as_deref(), Ok("4"));
        assert_eq!(resource("requests.cpu", "1m").as_deref(), Ok("250"));
        assert_eq!(
            resource("requests.memory", "1").as_deref(),
            Ok("1073741824")
        );
        assert!(resource("cpu", "1").is_err());
    }
}
