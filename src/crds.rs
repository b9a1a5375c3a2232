//! `flink-operator crds`: prints the definitions, or installs them.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client};

use crate::args::CrdsCommand;
use crate::cluster;

/// The field manager of everything that this program applies.
const FIELD_MANAGER: &str = "flink-operator";

/// Carries the command out.
pub(crate) fn run(command: Option<&CrdsCommand>) -> Result<()> {
    match command {
        None => print(&flink_operator_api::crd_yaml()),
        Some(CrdsCommand::Apply {
            kubeconfig,
            timeout,
        }) => {
            cluster::install_tls()?;
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .context("cannot start the runtime")?
                .block_on(within(*timeout, apply(kubeconfig.as_deref())))
        }
    }
}

fn print(text: &str) -> Result<()> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("cannot write to standard output")
}

async fn within(limit: Duration, work: impl Future<Output = Result<()>>) -> Result<()> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => {
            bail!("not done within {limit:?}; look at the API server, or allow more with --timeout")
        }
    }
}

async fn apply(kubeconfig: Option<&Path>) -> Result<()> {
    let config = cluster::config(kubeconfig).await?;
    let server = config.cluster_url.clone();
    let client = Client::try_from(config).context("cannot make a client for the API server")?;
    let api: Api<CustomResourceDefinition> = Api::all(client);
    for definition in flink_operator_api::crds() {
        let name = definition.metadata.name.clone().unwrap_or_default();
        let doing = || format!("cannot apply {name} at {server}");
        let before = api.get_opt(&name).await.with_context(doing)?;
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let after = api
            .patch(&name, &params, &Patch::Apply(&definition))
            .await
            .with_context(doing)?;
        await_condition(api.clone(), &name, conditions::is_crd_established())
            .await
            .with_context(|| format!("cannot watch {name} until it is established"))?;
        println!("{name} {}", change(before.as_ref(), &after));
    }
    Ok(())
}

/// Says what an apply did, in kubectl's words.
fn change(
    before: Option<&CustomResourceDefinition>,
    after: &CustomResourceDefinition,
) -> &'static str {
    match before {
        None => "created",
        // Field ownership may change without the definition itself.
        Some(before) if before.metadata.generation == after.metadata.generation => "unchanged",
        Some(_) => "upgraded",
    }
}
