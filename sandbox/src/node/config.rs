//! What the node is given by the sandbox that runs it.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::path::PathBuf;

use crate::cache::Cache;
use crate::launcher::Launcher;
use crate::network::Network;
use crate::progress::Progress;

/// Everything a node needs from the outside. The node starts nothing that is not recorded through it.
#[derive(Clone)]
pub struct NodeConfig {
    /// Talks to the API server as the node's own user, with all rights.
    pub client: kube::Client,
    /// Name of the Node object.
    pub node_name: String,
    /// Directory that exists and belongs to the node alone; it disappears with the sandbox.
    ///
    /// Below it the node may mount what it likes: what is still mounted there is unmounted when the sandbox is cleaned up.
    pub state_dir: PathBuf,
    /// Directory of the containers' logs, see [`crate::logs::log_file`].
    pub log_dir: PathBuf,
    /// Holds Flink distributions between runs.
    pub cache: Cache,
    /// Image names that are mapped to directories by hand, beside those that the node knows itself.
    pub images: BTreeMap<String, PathBuf>,
    /// Where pods reach the API server; its certificate is valid for this address.
    pub api_server: SocketAddrV4,
    /// The authority that signed the API server's certificate.
    pub ca_pem: String,
    /// Gives each pod its own network namespace and address.
    pub network: Network,
    /// Starts processes that are recorded and die with the sandbox.
    pub launcher: Launcher,
    /// Reports work that somebody waits for, such as a download.
    pub progress: Progress,
}
