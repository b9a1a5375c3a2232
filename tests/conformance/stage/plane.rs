//! Real control planes.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;

use flink_sandbox::cache::Cache;
use flink_sandbox::progress::Progress;
use flink_sandbox::tools::{Tool, ensure};
use flink_sandbox::{Options, Sandbox};
use kube::Client;
use serde_json::Value;
use tokio::process::Command;
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

use super::space::eventually;

/// The project's directory.
pub(crate) const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The CRDs as the chart ships them.
pub(crate) const CRD: &str = "helm/flink-kubernetes-operator/crds";

/// Returns the program under test.
pub(crate) fn operator_program() -> &'static str {
    env!("CARGO_BIN_EXE_flink-operator")
}

/// Returns the program of the sandbox: as it was built beside the program under test, else in any profile.
pub(crate) fn sandbox_program() -> PathBuf {
    let own = Path::new(operator_program()).with_file_name("flink-sandbox");
    let others = ["../debug/flink-sandbox", "../release/flink-sandbox"];
    let mut all = std::iter::once(own.clone()).chain(others.map(|other| own.with_file_name(other)));
    all.find(|program| program.is_file()).unwrap_or_else(|| {
        panic!(
            "{} is missing: `cargo build --workspace --bin flink-sandbox` makes it",
            own.display()
        )
    })
}

/// A running control plane without pods.
#[derive(Debug)]
pub(crate) struct Plane {
    sandbox: Sandbox,
    kubectl: PathBuf,
}

/// What a command printed, and whether it succeeded.
#[derive(Debug)]
pub(crate) struct Printed {
    pub(crate) ok: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Plane {
    /// Returns the control plane that all tests share, with our CRD installed.
    ///
    /// It ends with this process.
    pub(crate) async fn shared() -> &'static Self {
        static PLANE: OnceCell<Plane> = OnceCell::const_new();
        // What reads the sandbox's messages has to outlive the runtime of the first test.
        static RUNTIME: OnceLock<Runtime> = OnceLock::new();
        PLANE
            .get_or_init(|| async {
                let runtime = RUNTIME.get_or_init(|| Runtime::new().unwrap());
                let plane = runtime.spawn(Self::bare(&[])).await.unwrap();
                plane.install(Path::new(CRD)).await;
                plane
            })
            .await
    }

    /// Starts another control plane, without any CRD.
    pub(crate) async fn bare(api_server_arguments: &[&str]) -> Self {
        let cache = Cache::resolve().unwrap();
        let tools = ensure(&[Tool::Kubectl], &cache, &Progress::silent()).await;
        let kubectl = tools.unwrap().remove(0);
        let options = Options {
            audit: true,
            binary: Some(sandbox_program()),
            api_server_arguments: api_server_arguments
                .iter()
                .map(ToString::to_string)
                .collect(),
            ..Options::control_plane()
        };
        let sandbox = Sandbox::up(options).await.unwrap();
        Self { sandbox, kubectl }
    }

    /// Makes an administrator's client for the runtime that asks.
    pub(crate) async fn client(&self) -> Client {
        self.sandbox.client().await.unwrap()
    }

    /// Returns the sandbox behind it.
    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Returns where its API server listens.
    pub(crate) fn api_server(&self) -> SocketAddr {
        let text = fs::read_to_string(self.sandbox.kubeconfig()).unwrap();
        let config: Value = serde_json::from_str(&text).unwrap();
        let url = config["clusters"][0]["cluster"]["server"].as_str().unwrap();
        url.strip_prefix("https://").unwrap().parse().unwrap()
    }

    /// Ends it, and waits until nothing of it is left.
    pub(crate) async fn down(self) {
        self.sandbox.down().await.unwrap();
    }

    /// Applies a CRD and waits until its kind is served.
    pub(crate) async fn install(&self, crd: &Path) -> Printed {
        let file = Path::new(ROOT).join(crd);
        let printed = self
            .kubectl(&[
                "apply",
                "--server-side",
                "--force-conflicts",
                "-f",
                file.to_str().unwrap(),
            ])
            .await;
        assert!(printed.ok, "{}", printed.err);
        // The kind is served a moment before it is listed and explained.
        eventually("the kind is explained", async || {
            let explained = self.kubectl(&["explain", "flinkdeployments.spec"]).await;
            if explained.ok {
                Ok(())
            } else {
                Err(explained.err)
            }
        })
        .await;
        printed
    }

    /// Runs kubectl as the administrator.
    pub(crate) async fn kubectl(&self, arguments: &[&str]) -> Printed {
        let done = Command::new(&self.kubectl)
            .args(arguments)
            .env("KUBECONFIG", self.sandbox.kubeconfig())
            // Its cache of what the server offers must not be one of another server at the same port.
            .env("KUBECACHEDIR", self.sandbox.instance().directory().join("kubectl"))
            .env_remove("HTTPS_PROXY")
            .env_remove("https_proxy")
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        Printed {
            ok: done.status.success(),
            out: String::from_utf8(done.stdout).unwrap(),
            err: String::from_utf8(done.stderr).unwrap(),
        }
    }
}
