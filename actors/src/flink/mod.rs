//! Ways to JobManagers: by Service name, at the ready pod's address, or through the API server.

mod circuit;
mod facts;
mod proxy;

pub use circuit::{Circuits, Turn};
pub use facts::{checkpoints, flink_info, job, root_cause, trigger, why};
pub use proxy::through_api_server;

use crate::clock::Clock;
use flink_rest::{Client, Endpoint, Host, JobManager, Limits, Transport};
use operator_core::fact::Why;
use operator_core::name::Key;
use operator_core::observed::Pod;
use std::net::IpAddr;
use std::sync::Arc;

/// How a JobManager is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Its REST Service by DNS name: inside a cluster.
    Service,
    /// The address of its ready pod: where pod addresses are routed.
    Pod,
    /// The service proxy of the API server: outside a cluster.
    Proxy,
}

impl std::str::FromStr for Way {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "service" => Ok(Self::Service),
            "pod" => Ok(Self::Pod),
            "proxy" => Ok(Self::Proxy),
            other => Err(format!(
                "\"{other}\" is no way to a JobManager: write service, pod or proxy"
            )),
        }
    }
}

/// Reaches the JobManagers of all resources.
#[derive(Clone, Debug)]
pub struct FlinkAccess {
    direct: Client,
    proxied: Client,
    way: Way,
    circuits: Arc<Circuits>,
}

impl FlinkAccess {
    /// Makes the access from a transport to pods and Services, and one through the API server.
    pub fn new(way: Way, direct: Transport, proxied: Transport, clock: Clock) -> Self {
        let limits = Limits::default();
        Self {
            direct: Client::new(direct, limits),
            proxied: Client::new(proxied, limits),
            way,
            circuits: Arc::new(Circuits::new(clock)),
        }
    }

    /// Reports every call to `meter`.
    #[must_use]
    pub fn metered(self, meter: &Arc<dyn flink_rest::Meter>) -> Self {
        Self {
            direct: self.direct.metered(Arc::clone(meter)),
            proxied: self.proxied.metered(Arc::clone(meter)),
            ..self
        }
    }

    /// Returns the circuits, one per resource.
    pub fn circuits(&self) -> &Circuits {
        &self.circuits
    }

    /// Addresses the JobManager of a resource, given its JobManager pods.
    pub fn job_manager(&self, key: &Key, pods: &[Pod], port: u16) -> Result<JobManager, Why> {
        let unusable = |error: flink_rest::BadAddress| Why::NotUnderstood(error.to_string());
        match self.way {
            Way::Service => {
                let host = Host::name(format!("{}-rest.{}.svc", key.name, key.namespace))
                    .map_err(unusable)?;
                Ok(self.direct.job_manager(Endpoint::http(host, port)))
            }
            Way::Pod => {
                let ready = pods
                    .iter()
                    .find(|pod| pod.is_job_manager && pod.ready && !pod.deleting);
                let address = ready
                    .and_then(|pod| pod.ip.as_deref())
                    .and_then(|ip| ip.parse::<IpAddr>().ok());
                let address = address.ok_or(Why::NoJobManager)?;
                Ok(self.direct.job_manager(Endpoint::http(address, port)))
            }
            Way::Proxy => {
                let host = Host::name("api-server").map_err(unusable)?;
                let service = format!("{}-rest:rest", key.name);
                let path = [
                    "api",
                    "v1",
                    "namespaces",
                    &key.namespace,
                    "services",
                    &service,
                    "proxy",
                ];
                let endpoint = Endpoint::http(host, 80).below(path).map_err(unusable)?;
                Ok(self.proxied.job_manager(endpoint))
            }
        }
    }
}
