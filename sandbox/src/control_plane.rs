//! etcd, kube-apiserver and kube-controller-manager as child processes.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use futures::future::select_all;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client};
use tokio::net::TcpStream;
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};

use crate::certificates::Certificates;
use crate::instance::Instance;
use crate::kubeconfig::{self, Endpoint};
use crate::launcher::Launcher;
use crate::tools::Programs;

/// What a control plane is made of and how it is set up.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) programs: Programs,
    /// Where the API server listens.
    pub(crate) bind: Ipv4Addr,
    /// Whether every request is written to the audit log.
    pub(crate) audit: bool,
    /// Arguments for the API server behind those given here.
    pub(crate) api_server_arguments: Vec<String>,
}

/// A running control plane. Dropping it kills its processes.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    launcher: Launcher,
    parts: Vec<Part>,
    api_server: SocketAddrV4,
}

#[derive(Debug)]
struct Part {
    role: &'static str,
    child: Child,
    log: PathBuf,
}

/// How often a start is tried with other ports.
const ATTEMPTS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(20);

/// The controllers that make Deployments, clean up after them, give pods what they need to start, and lead the service proxy to them,
/// which in the API server still goes by Endpoints.
const CONTROLLERS: &str = "deployment-controller,replicaset-controller,garbage-collector-controller,\
    serviceaccount-controller,namespace-controller,endpoints-controller,endpointslice-controller,\
    job-controller,resourcequota-controller,root-ca-certificate-publisher-controller";

const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n";

impl ControlPlane {
    /// Starts all parts and waits until the API server is ready and pods could be created.
    pub(crate) async fn start(
        plan: &Plan,
        instance: &Instance,
        certificates: &Certificates,
        launcher: &Launcher,
    ) -> Result<Self> {
        let mut attempt = 1;
        loop {
            match Self::try_start(plan, instance, certificates, launcher).await {
                Ok(plane) => return Ok(plane),
                Err(error) if attempt < ATTEMPTS && lost_a_port(&error) => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    async fn try_start(
        plan: &Plan,
        instance: &Instance,
        certificates: &Certificates,
        launcher: &Launcher,
    ) -> Result<Self> {
        let [client_port, peer_port] = free_ports(Ipv4Addr::LOCALHOST)?;
        let [api_port] = free_ports(plan.bind)?;
        let etcd = SocketAddrV4::new(Ipv4Addr::LOCALHOST, client_port);
        let peer = SocketAddrV4::new(Ipv4Addr::LOCALHOST, peer_port);
        let api_server = SocketAddrV4::new(plan.bind, api_port);
        let mut plane = Self {
            launcher: launcher.clone(),
            parts: Vec::new(),
            api_server,
        };

        crate::cache::remove_tree(&instance.store())?;
        plane.launch(
            "etcd",
            &plan.programs.etcd,
            etcd_arguments(&instance.store(), etcd, peer),
            instance,
        )?;
        plane
            .until("etcd accepts connections", async || {
                TcpStream::connect(etcd).await.is_ok()
            })
            .await?;

        let endpoint = Endpoint {
            address: api_server,
            authority: &certificates.authority(),
        };
        endpoint.write(&instance.kubeconfig(), "admin", &certificates.tokens.admin)?;
        let controllers = instance.certificates().join("controllers.kubeconfig");
        endpoint.write(
            &controllers,
            "controllers",
            &certificates.tokens.controllers,
        )?;
        let arguments = api_server_arguments(plan, etcd, api_server, certificates, instance)?;
        plane.launch(
            "kube-apiserver",
            &plan.programs.api_server,
            arguments,
            instance,
        )?;
        let client = kubeconfig::client(&controllers).await?;
        plane
            .until("kube-apiserver is ready", || is_ready(&client))
            .await?;

        let arguments = controller_arguments(&controllers, certificates);
        plane.launch(
            "kube-controller-manager",
            &plan.programs.controller_manager,
            arguments,
            instance,
        )?;
        // No pod is admitted to a namespace before its service account is there.
        let accounts: Api<ServiceAccount> = Api::namespaced(client, "default");
        plane
            .until("kube-controller-manager works", async || {
                matches!(accounts.get_opt("default").await, Ok(Some(_)))
            })
            .await?;
        Ok(plane)
    }

    /// Returns where the API server listens.
    pub(crate) fn api_server(&self) -> SocketAddrV4 {
        self.api_server
    }

    /// Waits until a part ends, which none should do by itself.
    pub(crate) async fn ended(&mut self) -> anyhow::Error {
        let ends = self.parts.iter_mut().map(|part| {
            Box::pin(async {
                let status = part.child.wait().await;
                describe_end(part.role, &part.log, status)
            })
        });
        select_all(ends).await.0
    }

    /// Ends all parts at once: what they hold is given up anyway.
    pub(crate) async fn stop(mut self) {
        for part in self.parts.iter_mut().rev() {
            // A part that has ended already cannot be killed.
            let _ = part.child.kill().await;
            self.launcher.forget(part.role);
        }
    }

    fn launch(
        &mut self,
        role: &'static str,
        program: &Path,
        arguments: Vec<String>,
        instance: &Instance,
    ) -> Result<()> {
        let log = instance.logs().join(format!("{role}.log"));
        let output =
            File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
        let mut command = self.launcher.command(role, program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        // Settings of the surroundings, proxies above all, are not meant for these.
        for variable in [
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "ALL_PROXY",
            "http_proxy",
            "https_proxy",
            "all_proxy",
            "KUBECONFIG",
        ] {
            command.env_remove(variable);
        }
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {role}"))?;
        self.parts.push(Part { role, child, log });
        Ok(())
    }

    /// Waits for a condition as long as all parts live.
    async fn until(&mut self, what: &str, holds: impl AsyncFn() -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(true) = timeout(Duration::from_secs(5), holds()).await {
                return Ok(());
            }
            for part in &mut self.parts {
                if let Some(status) = part.child.try_wait()? {
                    return Err(describe_end(part.role, &part.log, Ok(status)));
                }
            }
            if Instant::now() > deadline {
                let part = self
                    .parts
                    .last()
                    .expect("something was started before it is waited for");
                bail!(
                    "waited {PATIENCE:?} in vain until {what}; the end of {}:\n{}",
                    part.log.display(),
                    last_lines(&part.log)
                );
            }
            sleep(POLL).await;
        }
    }
}

/// Asks `/readyz`; not being able to ask means not ready.
async fn is_ready(client: &Client) -> bool {
    let Ok(request) = http::Request::get("/readyz").body(Vec::new()) else {
        return false;
    };
    client
        .request_text(request)
        .await
        .is_ok_and(|text| text == "ok")
}

fn etcd_arguments(store: &Path, clients: SocketAddrV4, peers: SocketAddrV4) -> Vec<String> {
    vec![
        format!("--data-dir={}", store.display()),
        format!("--listen-client-urls=http://{clients}"),
        format!("--advertise-client-urls=http://{clients}"),
        format!("--listen-peer-urls=http://{peers}"),
        format!("--initial-advertise-peer-urls=http://{peers}"),
        format!("--initial-cluster=default=http://{peers}"),
        // The store never outlives its processes.
        "--unsafe-no-fsync".into(),
        "--quota-backend-bytes=8589934592".into(),
        "--log-level=warn".into(),
    ]
}

fn api_server_arguments(
    plan: &Plan,
    etcd: SocketAddrV4,
    address: SocketAddrV4,
    certificates: &Certificates,
    instance: &Instance,
) -> Result<Vec<String>> {
    let mut arguments = vec![
        format!("--etcd-servers=http://{etcd}"),
        format!("--bind-address={}", address.ip()),
        format!("--secure-port={}", address.port()),
        format!("--tls-cert-file={}", certificates.server().display()),
        format!(
            "--tls-private-key-file={}",
            certificates.server_key().display()
        ),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        format!(
            "--service-account-key-file={}",
            certificates.account_public_key().display()
        ),
        format!(
            "--service-account-signing-key-file={}",
            certificates.account_key().display()
        ),
        format!("--token-auth-file={}", certificates.users().display()),
        "--authorization-mode=RBAC".into(),
        "--service-cluster-ip-range=10.96.0.0/12".into(),
        "--allow-privileged=true".into(),
        "--max-requests-inflight=3000".into(),
        "--max-mutating-requests-inflight=1000".into(),
        "--profiling=false".into(),
    ];
    if address.ip().is_loopback() {
        // An endpoint must not be a loopback address; without pods nobody looks for it.
        arguments.push("--endpoint-reconciler-type=none".into());
    } else {
        arguments.push(format!("--advertise-address={}", address.ip()));
    }
    if plan.audit {
        let policy = instance.certificates().join("audit-policy.yaml");
        fs::write(&policy, AUDIT_POLICY)
            .with_context(|| format!("cannot write {}", policy.display()))?;
        arguments.push(format!("--audit-policy-file={}", policy.display()));
        arguments.push(format!(
            "--audit-log-path={}",
            instance.audit_log().display()
        ));
    }
    arguments.extend(plan.api_server_arguments.iter().cloned());
    Ok(arguments)
}

fn controller_arguments(kubeconfig: &Path, certificates: &Certificates) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--root-ca-file={}", certificates.authority().display()),
        format!("--controllers={CONTROLLERS}"),
        "--leader-elect=false".into(),
        // It serves nothing that is needed here.
        "--secure-port=0".into(),
        "--kube-api-qps=500".into(),
        "--kube-api-burst=1000".into(),
        "--concurrent-deployment-syncs=20".into(),
        "--concurrent-replicaset-syncs=20".into(),
        "--profiling=false".into(),
    ]
}

/// Finds ports that nobody uses now; all are held until the last one is found.
fn free_ports<const N: usize>(address: Ipv4Addr) -> Result<[u16; N]> {
    let mut listeners = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((address, 0))
            .with_context(|| format!("cannot listen on {address}"))?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

fn lost_a_port(error: &anyhow::Error) -> bool {
    error.to_string().contains("address already in use")
}

fn describe_end(role: &str, log: &Path, status: std::io::Result<ExitStatus>) -> anyhow::Error {
    let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
    anyhow!(
        "{role} ended with {status}; the end of {}:\n{}",
        log.display(),
        last_lines(log)
    )
}

fn last_lines(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_free_and_different() {
        let ports: [u16; 8] = free_ports(Ipv4Addr::LOCALHOST).unwrap();
        let different: std::collections::BTreeSet<_> = ports.into_iter().collect();
        assert_eq!(different.len(), 8);
        TcpListener::bind((Ipv4Addr::LOCALHOST, ports[0])).unwrap();
    }

    #[test]
    fn an_end_is_told_with_the_last_lines_of_the_log() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("etcd.log");
        let lines: Vec<_> = (1..=30).map(|line| format!("line {line}")).collect();
        fs::write(&log, lines.join("\n")).unwrap();
        let told = describe_end("etcd", &log, Ok(ExitStatus::default())).to_string();
        assert!(told.starts_with("etcd ended with exit status: 0"), "{told}");
        assert!(
            told.ends_with("line 29\nline 30") && !told.contains("line 20\n"),
            "{told}"
        );
    }

    #[test]
    fn only_a_lost_port_is_tried_again() {
        assert!(lost_a_port(&anyhow!(
            "etcd ended: listen tcp 127.0.0.1:1: bind: address already in use"
        )));
        assert!(!lost_a_port(&anyhow!("etcd ended: permission denied")));
    }
}
