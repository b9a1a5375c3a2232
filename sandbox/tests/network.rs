//! The pods' network in the real kernel. Needs root, or `flink-sandbox unshare`.
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use flink_sandbox::network::Network;
use nix::sched::{CloneFlags, setns};

/// Runs work inside a pod's network.
fn inside<T: Send + 'static>(
    namespace: &Path,
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let namespace = File::open(namespace).unwrap();
    thread::spawn(move || {
        setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET).unwrap();
        work()
    })
}

fn fetch(address: SocketAddr) -> String {
    let mut text = String::new();
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).unwrap();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// Answers connections with the address they come from.
fn serve(listener: &TcpListener, connections: usize) {
    for _ in 0..connections {
        let (mut stream, from) = listener.accept().unwrap();
        write!(stream, "{}", from.ip()).unwrap();
    }
}

/// A place for an instance whose devices go away with it, also when a test fails.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let place = self.0.path();
        let removal = || {
            tokio::runtime::Runtime::new()
                .unwrap()
                .block_on(Network::remove(place))
        };
        // A runtime cannot be entered on a thread that already is in one.
        thread::scope(|scope| scope.spawn(removal).join().unwrap()).unwrap();
    }
}

#[tokio::test]
async fn pods_and_host_reach_each_other_and_nothing_is_left() {
    let place = Place::new();
    let instance = place.0.path();
    let network = Network::create(instance).await.unwrap();
    let (one, two) = (
        network.attach_pod().await.unwrap(),
        network.attach_pod().await.unwrap(),
    );
    assert_ne!(one.ip(), two.ip());
    assert_eq!(Network::devices(instance).await.unwrap().len(), 3);

    let address = SocketAddr::from((one.ip(), 8081));
    let listener = inside(one.namespace(), || {
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8081)).unwrap()
    })
    .join()
    .unwrap();
    let server = thread::spawn(move || serve(&listener, 3));
    assert_eq!(fetch(address), network.gateway().to_string());
    assert_eq!(
        inside(two.namespace(), move || fetch(address))
            .join()
            .unwrap(),
        two.ip().to_string()
    );
    assert_eq!(
        inside(one.namespace(), move || fetch(address))
            .join()
            .unwrap(),
        one.ip().to_string()
    );
    server.join().unwrap();

    let gateway = network.gateway();
    let api_server = TcpListener::bind((gateway, 0)).unwrap();
    let address = api_server.local_addr().unwrap();
    let server = thread::spawn(move || serve(&api_server, 1));
    assert_eq!(
        inside(two.namespace(), move || fetch(address))
            .join()
            .unwrap(),
        two.ip().to_string()
    );
    server.join().unwrap();

    let others = Place::new();
    let other = Network::create(others.0.path()).await.unwrap();
    assert_ne!(
        other.gateway(),
        gateway,
        "two instances do not share addresses"
    );
    Network::remove(others.0.path()).await.unwrap();
    assert_eq!(Network::devices(instance).await.unwrap().len(), 3);

    drop((one, two));
    Network::remove(instance).await.unwrap();
    assert!(Network::devices(instance).await.unwrap().is_empty());
    Network::remove(instance).await.unwrap();
}

#[tokio::test]
async fn many_pods_are_attached_at_once() {
    let place = Place::new();
    let network = Network::create(place.0.path()).await.unwrap();
    let pods = futures::future::try_join_all((0..20).map(|_| network.attach_pod()))
        .await
        .unwrap();
    let addresses: std::collections::BTreeSet<_> = pods
        .iter()
        .map(flink_sandbox::network::PodNetwork::ip)
        .collect();
    assert_eq!(addresses.len(), 20);
    drop(pods);
    Network::remove(place.0.path()).await.unwrap();
    assert!(Network::devices(place.0.path()).await.unwrap().is_empty());
}
