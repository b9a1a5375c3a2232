//! Ways to the API server: files for programs, clients for this one.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddrV4;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use k8s_openapi::ByteString;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::json;

/// The address and authority of an API server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Endpoint<'a> {
    pub(crate) address: SocketAddrV4,
    pub(crate) authority: &'a Path,
}

impl Endpoint<'_> {
    fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Writes a kubeconfig that only its owner can read.
    ///
    /// It is complete in itself, so that it can be copied elsewhere.
    pub(crate) fn write(&self, path: &Path, user: &str, token: &str) -> Result<()> {
        let authority = ByteString(std::fs::read(self.authority)?);
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "sandbox", "cluster": { "server": self.url(), "certificate-authority-data": authority } }],
            "users": [{ "name": user, "user": { "token": token } }],
            "contexts": [{ "name": "sandbox", "context": { "cluster": "sandbox", "user": user, "namespace": "default" } }],
            "current-context": "sandbox",
        });
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        // JSON is YAML, and every reader of kubeconfigs reads YAML.
        writeln!(file, "{config:#}").with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Makes a client from a kubeconfig, never from this process's environment.
pub async fn client(kubeconfig: &Path) -> Result<Client> {
    let file = Kubeconfig::read_from(kubeconfig)
        .with_context(|| format!("cannot read {}", kubeconfig.display()))?;
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    // A proxy of the environment knows nothing of this machine's own addresses.
    config.proxy_url = None;
    // Whoever waits for an API server that is being started asks again by himself, and sooner.
    config.default_retry = false;
    Client::try_from(config).context("cannot make a client")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_written_file_is_understood_by_the_client() {
        let directory = tempfile::tempdir().unwrap();
        let (authority, kubeconfig) = (
            directory.path().join("ca.crt"),
            directory.path().join("kubeconfig"),
        );
        std::fs::write(&authority, "certificate").unwrap();
        let endpoint = Endpoint {
            address: "127.0.0.1:6443".parse().unwrap(),
            authority: &authority,
        };
        endpoint.write(&kubeconfig, "admin", "secret").unwrap();
        let file = Kubeconfig::read_from(&kubeconfig).unwrap();
        let cluster = file.clusters[0].cluster.as_ref().unwrap();
        assert_eq!(cluster.server.as_deref(), Some("https://127.0.0.1:6443"));
        assert_eq!(
            cluster.certificate_authority_data.as_deref(),
            Some("Y2VydGlmaWNhdGU=")
        );
    }
}
