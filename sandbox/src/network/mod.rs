//! The network of the pods: one bridge on the host, one network namespace per pod.
//!
//! A pod's namespace has no name and no mount: it lives as long as [`PodNetwork`] holds it open or a
//! process runs in it, and with it the kernel removes its devices. So only the bridge can be left
//! behind by a killed sandbox, and its name follows from the instance's state directory.

mod addresses;
mod links;
mod namespace;

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::unistd::{Uid, getpid};

use addresses::{Addresses, Subnet};
use links::Links;

/// Hands out addresses and network namespaces. Clones share one bridge.
#[derive(Debug, Clone)]
pub struct Network {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    devices: Devices,
    bridge: u32,
    gateway: Ipv4Addr,
    addresses: Mutex<Addresses>,
    links: Links,
}

impl Inner {
    fn addresses(&self) -> MutexGuard<'_, Addresses> {
        self.addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Network {
    /// Creates the bridge of the instance with this state directory.
    pub async fn create(instance: &Path) -> Result<Self> {
        check_rights()?;
        let devices = Devices::of(instance);
        let links = Links::open()?;
        links.bring_up("lo").await?;
        let _turn = Turn::take().await?;
        let Some(subnet) = Subnet::choose(devices.hash, &links.ranges().await?) else {
            bail!(
                "every address range the sandbox could use is taken by an address or a route of this machine; see `ip route`"
            );
        };
        let gateway = subnet.gateway();
        let bridge = links
            .add_bridge(&devices.bridge(), devices.hardware(), gateway)
            .await?;
        let addresses = Mutex::new(Addresses::new(subnet));
        Ok(Self {
            inner: Arc::new(Inner {
                devices,
                bridge,
                gateway,
                addresses,
                links,
            }),
        })
    }

    /// Returns the host's own address on the pods' network; the API server listens there.
    pub fn gateway(&self) -> Ipv4Addr {
        self.inner.gateway
    }

    /// Makes the network of one pod: a namespace with `lo` and `eth0` up, an address and a default route.
    ///
    /// The address is free again when the returned value is dropped.
    pub async fn attach_pod(&self) -> Result<PodNetwork> {
        let Some(ip) = self.inner.addresses().take() else {
            bail!("all addresses of the pods' network are in use");
        };
        let lease = Lease {
            network: Arc::clone(&self.inner),
            ip,
        };
        let namespace = namespace::create().await?;
        let device = self.inner.devices.port(ip);
        self.inner
            .links
            .add_pair(&device, self.inner.bridge, namespace.as_fd())
            .await?;
        namespace::configure(&namespace, ip, self.inner.gateway).await?;
        let path = PathBuf::from(format!("/proc/{}/fd/{}", getpid(), namespace.as_raw_fd()));
        Ok(PodNetwork {
            lease,
            path,
            _namespace: namespace,
        })
    }

    /// Removes the devices of the instance with this state directory, if there are any.
    pub async fn remove(instance: &Path) -> Result<()> {
        let devices = Devices::of(instance);
        let links = Links::open()?;
        for (name, index) in links.names().await? {
            if devices.owns(&name) {
                links.remove(index).await?;
            }
        }
        Ok(())
    }

    /// Lists the devices of the instance with this state directory.
    pub async fn devices(instance: &Path) -> Result<Vec<String>> {
        let devices = Devices::of(instance);
        let names = Links::open()?.names().await?;
        Ok(names
            .into_iter()
            .map(|(name, _)| name)
            .filter(|name| devices.owns(name))
            .collect())
    }
}

/// Checks that this process may create network devices and namespaces.
pub fn check_rights() -> Result<()> {
    if Uid::effective().is_root() {
        return Ok(());
    }
    bail!(
        "running pods needs root: use sudo, or begin with `flink-sandbox unshare -- bash` and do everything inside \
         (a user namespace, where the machine allows that); a control plane alone (--no-node) needs neither"
    );
}

/// Describes a hazard of this machine that makes pods unable to reach each other, if there is one.
pub fn hazard() -> Option<&'static str> {
    let filtered = std::fs::read_to_string("/proc/sys/net/bridge/bridge-nf-call-iptables")
        .is_ok_and(|text| text.trim() == "1");
    // The setting alone does no harm; Docker adds rules that drop what it does not know.
    (filtered && Path::new("/sys/class/net/docker0").exists()).then_some(
        "Docker's packet filter may separate the pods: if they cannot reach each other, \
         sysctl -w net.bridge.bridge-nf-call-iptables=0",
    )
}

/// The network of one pod. Keep it as long as the pod lives, over restarts of its container.
#[derive(Debug)]
pub struct PodNetwork {
    lease: Lease,
    path: PathBuf,
    _namespace: File,
}

impl PodNetwork {
    /// Returns the pod's address.
    pub fn ip(&self) -> Ipv4Addr {
        self.lease.ip
    }

    /// Returns a file for `setns` with `CLONE_NEWNET`, valid in other processes while this value exists.
    pub fn namespace(&self) -> &Path {
        &self.path
    }
}

#[derive(Debug)]
struct Lease {
    network: Arc<Inner>,
    ip: Ipv4Addr,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.network.addresses().give_back(self.ip);
    }
}

/// Names the devices of one instance; device names have at most 15 characters.
#[derive(Debug, Clone, Copy)]
struct Devices {
    hash: u32,
}

impl Devices {
    /// Hashes with FNV-1a: stable between versions of this program, which must find what older ones left.
    fn of(instance: &Path) -> Self {
        let bytes = instance.as_os_str().as_encoded_bytes();
        Self {
            hash: bytes.iter().fold(0x811c_9dc5, |hash, byte| {
                (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
            }),
        }
    }

    fn bridge(self) -> String {
        format!("fs{:08x}", self.hash)
    }

    fn port(self, ip: Ipv4Addr) -> String {
        format!("{}-{:04x}", self.bridge(), ip.to_bits() & 0xffff)
    }

    fn owns(self, device: &str) -> bool {
        device
            .strip_prefix(&self.bridge())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }

    /// A locally administered hardware address.
    fn hardware(self) -> [u8; 6] {
        let [a, b, c, d] = self.hash.to_be_bytes();
        [0x02, 0xf5, a, b, c, d]
    }
}

/// The turn to choose an address range, one instance of this network namespace at a time.
///
/// An abstract socket name exists once per network namespace and goes away with its owner.
struct Turn {
    _socket: UnixListener,
}

impl Turn {
    async fn take() -> Result<Self> {
        let name = SocketAddr::from_abstract_name("flink-sandbox-address-range")
            .context("cannot name a socket")?;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        loop {
            match UnixListener::bind_addr(&name) {
                Ok(socket) => return Ok(Self { _socket: socket }),
                Err(_) if tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(error) => {
                    return Err(error)
                        .context("another instance has been choosing its addresses for 10 s");
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn device_names_fit_and_belong_to_one_instance() {
        let devices = Devices::of(Path::new("/cache/sandboxes/demo"));
        let port = devices.port(Ipv4Addr::new(10, 231, 255, 254));
        assert!(port.len() <= 15, "{port}");
        assert!(devices.owns(&port) && devices.owns(&devices.bridge()));
        let other = Devices::of(Path::new("/cache/sandboxes/test"));
        assert!(!other.owns(&port) && !other.owns(&devices.bridge()));
        assert!(!devices.owns("eth0"));
    }

    #[test]
    fn names_are_the_same_as_those_of_older_versions() {
        assert_eq!(Devices::of(Path::new("/a")).bridge(), "fs70d2182d");
    }
}
