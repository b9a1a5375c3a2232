//! Which name or address leads to which pod.

use serde_json::Value;

use super::pod::Pod;
use super::state::State;

/// Where a connection leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// To a pod, by its uid; whether something listens there is another matter.
    Pod(String),
    /// The name does not resolve.
    NoSuchHost,
    /// Nothing has the address.
    Unreachable,
    /// The Service has no ready pod.
    NoEndpoints,
}

impl State {
    /// Resolves the host of a URL as DNS and the service proxy of a node do.
    pub(super) fn resolve(&self, host: &str, port: u16) -> Target {
        if host.parse::<std::net::IpAddr>().is_ok() {
            let pod = self
                .pods
                .iter()
                .find(|(_, pod)| pod.ip.as_deref() == Some(host));
            return pod.map_or(Target::Unreachable, |(uid, _)| Target::Pod(uid.clone()));
        }
        let host = host.trim_end_matches('.');
        let host = host.strip_suffix(".cluster.local").unwrap_or(host);
        let host = host.strip_suffix(".svc").unwrap_or(host);
        let Some((service, namespace)) = host.split_once('.') else {
            return Target::NoSuchHost;
        };
        let target = self.service(namespace, service, &port.to_string());
        let headless = self
            .api
            .look("Service", namespace, service)
            .is_some_and(|s| s["spec"]["clusterIP"] == "None");
        if headless && target == Target::NoEndpoints {
            Target::NoSuchHost
        } else {
            target
        }
    }

    /// Finds a ready pod behind a Service.
    pub(super) fn service(&self, namespace: &str, name: &str, port: &str) -> Target {
        let Some(service) = self.api.look("Service", namespace, name) else {
            return Target::NoSuchHost;
        };
        let ports = service["spec"]["ports"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let known = ports.iter().any(|known| {
            known["name"] == port
                || known["port"]
                    .as_u64()
                    .is_some_and(|number| number.to_string() == port)
        });
        let pods = self.api.look_at_all("Pod", namespace);
        let behind = pods
            .iter()
            .find(|pod| known && selects(&service, pod) && self.serves(pod));
        behind.map_or(Target::NoEndpoints, |pod| {
            Target::Pod(
                pod["metadata"]["uid"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
            )
        })
    }

    fn serves(&self, pod: &Value) -> bool {
        let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
        // A pod leaves the endpoints as soon as it is marked for deletion.
        pod["metadata"]["deletionTimestamp"].is_null()
            && self.pods.get(uid).is_some_and(Pod::is_ready)
    }
}

fn selects(service: &Value, pod: &Value) -> bool {
    let Some(selector) = service["spec"]["selector"].as_object() else {
        return false;
    };
    !selector.is_empty()
        && selector
            .iter()
            .all(|(key, value)| pod["metadata"]["labels"][key] == *value)
}
