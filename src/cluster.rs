//! The way to the API server: kubeconfig or the pod's own account.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// Makes ring the one TLS provider of this process. Clients panic if there is none, or two.
pub(crate) fn install_tls() -> Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow!("a TLS provider is installed already"))
}

/// Finds out how to reach the API server.
///
/// The client made from it never retries: kube's default would repeat writes, too.
pub(crate) async fn config(kubeconfig: Option<&Path>) -> Result<Config> {
    let mut config = match kubeconfig {
        Some(path) => from_file(path).await?,
        None => Config::infer().await.context(
            "no way to a cluster: set KUBECONFIG, write ~/.kube/config, or run in a pod with a service account",
        )?,
    };
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    if is_local(config.cluster_url.host()) {
        // As kubectl does: a proxy of the environment is no way to this very machine.
        config.proxy_url = None;
    }
    Ok(config)
}

async fn from_file(path: &Path) -> Result<Config> {
    let named = || format!("kubeconfig {}", path.display());
    let read = Kubeconfig::read_from(path).with_context(named)?;
    Config::from_custom_kubeconfig(read, &KubeConfigOptions::default())
        .await
        .with_context(named)
}

fn is_local(host: Option<&str>) -> bool {
    let Some(host) = host else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn only_this_machine_is_reached_without_the_proxy() {
        for host in ["localhost", "127.0.0.1", "127.1.2.3", "[::1]"] {
            assert!(is_local(Some(host)), "{host}");
        }
        for host in [
            "10.0.0.1",
            "kubernetes.default.svc",
            "localhost.example.com",
        ] {
            assert!(!is_local(Some(host)), "{host}");
        }
        assert!(!is_local(None));
    }
}
