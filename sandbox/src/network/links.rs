//! Devices, addresses and routes, by netlink.

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

use anyhow::{Context, Result};
use futures::TryStreamExt;
use nix::errno::Errno;
use rtnetlink::packet_route::address::AddressAttribute;
use rtnetlink::packet_route::link::{InfoData, InfoVeth, LinkAttribute};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute};
use rtnetlink::{
    Error, Handle, LinkBridge, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder,
};
use tokio::task::JoinHandle;

use super::addresses::Subnet;

/// Speaks with the kernel about the network namespace in which it was opened.
#[derive(Debug)]
pub(super) struct Links {
    handle: Handle,
    connection: JoinHandle<()>,
}

impl Drop for Links {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Links {
    /// Opens a connection from the network namespace of the current thread.
    pub(super) fn open() -> Result<Self> {
        let (connection, handle, _) =
            rtnetlink::new_connection().context("cannot open a netlink socket")?;
        Ok(Self {
            handle,
            connection: tokio::spawn(connection),
        })
    }

    /// Lists the ranges that addresses and routes of this namespace use; default routes excepted.
    pub(super) async fn ranges(&self) -> Result<Vec<Subnet>> {
        let mut ranges = Vec::new();
        let mut addresses = self.handle.address().get().execute();
        while let Some(message) = addresses
            .try_next()
            .await
            .context("cannot list addresses")?
        {
            for attribute in message.attributes {
                if let AddressAttribute::Address(IpAddr::V4(address)) = attribute {
                    ranges.push(Subnet::containing(address, message.header.prefix_len));
                }
            }
        }
        let mut routes = self
            .handle
            .route()
            .get(RouteMessageBuilder::<Ipv4Addr>::new().build())
            .execute();
        while let Some(message) = routes.try_next().await.context("cannot list routes")? {
            for attribute in message.attributes {
                if let RouteAttribute::Destination(RouteAddress::Inet(address)) = attribute {
                    ranges.push(Subnet::containing(
                        address,
                        message.header.destination_prefix_length,
                    ));
                }
            }
        }
        Ok(ranges)
    }

    /// Lists names and indexes of all devices.
    pub(super) async fn names(&self) -> Result<Vec<(String, u32)>> {
        let mut names = Vec::new();
        let mut links = self.handle.link().get().execute();
        while let Some(message) = links
            .try_next()
            .await
            .context("cannot list network devices")?
        {
            for attribute in message.attributes {
                if let LinkAttribute::IfName(name) = attribute {
                    names.push((name, message.header.index));
                }
            }
        }
        Ok(names)
    }

    async fn index(&self, device: &str) -> Result<u32> {
        let found = self
            .names()
            .await?
            .into_iter()
            .find(|(name, _)| name == device);
        found
            .map(|(_, index)| index)
            .with_context(|| format!("network device {device} has disappeared"))
    }

    /// Creates a bridge with a constant hardware address and brings it up; returns its index.
    ///
    /// Without an address of its own a bridge takes the lowest of its ports, which changes as pods come and go,
    /// while pods remember the old one.
    pub(super) async fn add_bridge(
        &self,
        name: &str,
        hardware: [u8; 6],
        address: Ipv4Addr,
    ) -> Result<u32> {
        let message = LinkMessageBuilder::<LinkBridge>::new(name)
            .address(hardware.to_vec())
            .up()
            .build();
        let created = self.handle.link().add(message).execute().await;
        created.with_context(|| {
            format!("cannot create the bridge {name}; is the kernel module `bridge` available?")
        })?;
        let index = self.index(name).await?;
        self.add_address(index, address).await?;
        Ok(index)
    }

    /// Creates a pair of devices: `name` here in the bridge, `eth0` in the pod's namespace.
    pub(super) async fn add_pair(
        &self,
        name: &str,
        bridge: u32,
        namespace: BorrowedFd<'_>,
    ) -> Result<()> {
        let peer = LinkMessageBuilder::<LinkUnspec>::new()
            .name("eth0")
            .setns_by_fd(namespace.as_raw_fd())
            .build();
        let pair = LinkMessageBuilder::<LinkVeth>::new(name, "eth0")
            .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)));
        let created = self
            .handle
            .link()
            .add(pair.controller(bridge).up().build())
            .execute()
            .await;
        created.with_context(|| {
            format!("cannot create the device pair {name}; is the kernel module `veth` available?")
        })
    }

    /// Sets up the inside of a pod's namespace: `lo`, the address of `eth0`, the way out.
    pub(super) async fn configure_pod(&self, address: Ipv4Addr, gateway: Ipv4Addr) -> Result<()> {
        self.bring_up("lo").await?;
        let eth0 = self.bring_up("eth0").await?;
        self.add_address(eth0, address).await?;
        let route = RouteMessageBuilder::<Ipv4Addr>::new()
            .gateway(gateway)
            .build();
        self.handle
            .route()
            .add(route)
            .execute()
            .await
            .context("cannot add the default route of a pod")
    }

    /// Brings a device up; returns its index.
    pub(super) async fn bring_up(&self, device: &str) -> Result<u32> {
        let index = self.index(device).await?;
        let message = LinkUnspec::new_with_index(index).up().build();
        let changed = self.handle.link().set(message).execute().await;
        changed.with_context(|| format!("cannot bring up the network device {device}"))?;
        Ok(index)
    }

    async fn add_address(&self, index: u32, address: Ipv4Addr) -> Result<()> {
        let added = self
            .handle
            .address()
            .add(index, address.into(), Subnet::LENGTH)
            .execute()
            .await;
        added.with_context(|| format!("cannot give the address {address} to a network device"))
    }

    /// Removes a device; one that is not there any more is fine.
    pub(super) async fn remove(&self, index: u32) -> Result<()> {
        match self.handle.link().del(index).execute().await {
            Ok(()) => Ok(()),
            Err(Error::NetlinkError(error)) if error.raw_code() == -(Errno::ENODEV as i32) => {
                Ok(())
            }
            Err(error) => Err(error).context("cannot remove a network device"),
        }
    }
}
