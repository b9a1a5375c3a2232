//! What all tests share: one runtime, one sandbox with the CRDs, and room for two clusters at a time.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Weak};

use flink_sandbox::{Options, Sandbox};
use futures::FutureExt;
use kube::Client;
use tokio::process::Command;
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, Semaphore};

use crate::scene::Scene;

/// Connections of the sandbox belong to a runtime, so it has to outlive any one test.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// Held by the tests that run: the last one to finish ends the sandbox.
static SHARED: Mutex<Weak<Stage>> = Mutex::const_new(Weak::new());

/// A Flink cluster takes 0.6 GB and, while it starts, a core.
static ROOM: Semaphore = Semaphore::const_new(2);

/// The sandbox and the way to its API server.
pub(crate) struct Stage {
    pub(crate) sandbox: Sandbox,
    pub(crate) client: Client,
}

impl Stage {
    async fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().await;
        if let Some(stage) = shared.upgrade() {
            return stage;
        }
        let stage = Arc::new(Self::up().await);
        *shared = Arc::downgrade(&stage);
        stage
    }

    async fn up() -> Self {
        let options = Options {
            audit: true,
            binary: Some(sandbox_program()),
            ..Options::default()
        };
        let sandbox = Sandbox::up(options).await.unwrap();
        let client = sandbox.client().await.unwrap();
        let applied = Command::new(operator_program())
            .args(["crds", "apply", "--kubeconfig"])
            .arg(sandbox.kubeconfig())
            .output()
            .await
            .unwrap();
        assert!(
            applied.status.success(),
            "`crds apply` failed:\n{}",
            String::from_utf8_lossy(&applied.stderr)
        );
        Self { sandbox, client }
    }
}

/// Returns the program under test.
pub(crate) fn operator_program() -> &'static str {
    env!("CARGO_BIN_EXE_flink-operator")
}

/// Returns the program of the sandbox, which Cargo builds beside the program under test.
pub(crate) fn sandbox_program() -> PathBuf {
    Path::new(operator_program()).with_file_name("flink-sandbox")
}

/// Returns the directory of the repository.
pub(crate) fn repository() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

/// Tells whether everything is to be run, and not only what fits into the gate.
pub(crate) fn full_scope() -> bool {
    std::env::var("FLINK_OPERATOR_TEST_SCOPE").is_ok_and(|scope| scope == "full")
}

/// Runs a test in a namespace of its own; if it fails, shows what there is to see.
pub(crate) fn play(name: &str, flow: impl AsyncFnOnce(&Scene)) {
    RUNTIME.block_on(async {
        let _room = ROOM.acquire().await.unwrap();
        let scene = Scene::open(Stage::shared().await, name).await;
        let outcome = AssertUnwindSafe(flow(&scene)).catch_unwind().await;
        if outcome.is_err() {
            scene.show().await;
        }
        scene.close().await;
        if let Err(panic) = outcome {
            resume_unwind(panic);
        }
    });
}
