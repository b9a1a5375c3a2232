//! The network of the pods: one bridge on the host, one network namespace per pod.
//!
//! A pod's namespace has no name and no mount: it lives as long as [`PodNetwork`] holds it open or a
//! process runs in it, and with it the kernel removes its devices. So only the bridge can be left
//! behind by a killed sandbox, and that is recorded.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;

/// Hands out addresses and network namespaces. Clones share one bridge.
#[derive(Debug, Clone)]
pub struct Network {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    gateway: Ipv4Addr,
}

impl Network {
    /// Returns the host's own address on the pods' network; the API server listens there.
    pub fn gateway(&self) -> Ipv4Addr {
        self.inner.gateway
    }

    /// Makes the network of one pod: a namespace with `lo` and `eth0` up, an address and a default route.
    ///
    /// The address is free again when the returned value is dropped.
    pub async fn attach_pod(&self) -> Result<PodNetwork> {
        unimplemented!()
    }
}

/// The network of one pod. Keep it as long as the pod lives, over restarts of its container.
#[derive(Debug)]
pub struct PodNetwork {
    ip: Ipv4Addr,
    namespace: PathBuf,
}

impl PodNetwork {
    /// Returns the pod's address.
    pub fn ip(&self) -> Ipv4Addr {
        self.ip
    }

    /// Returns a file for `setns` with `CLONE_NEWNET`, valid for children of this process too.
    pub fn namespace(&self) -> &std::path::Path {
        &self.namespace
    }
}
