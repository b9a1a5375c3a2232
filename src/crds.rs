//! `flink-operator crds`: prints the definitions, or installs them.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client};

use crate::args::{Crds, CrdsCommand};
use crate::cluster;

/// The field manager of everything that this program applies.
const FIELD_MANAGER: &str = "flink-operator";

/// Carries the command out.
pub(crate) fn run(crds: &Crds) -> Result<()> {
    match &crds.command {
        None => print(&flink_operator_api::to_yaml(&definitions(
            crds.without_rules,
        ))),
        Some(CrdsCommand::Apply {
            kubeconfig,
            timeout,
        }) => {
            cluster::install_tls()?;
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .context("cannot start the runtime")?
                .block_on(within(
                    *timeout,
                    apply(kubeconfig.as_deref(), crds.without_rules),
                ))
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

fn definitions(without_rules: bool) -> Vec<CustomResourceDefinition> {
    let all = flink_operator_api::crds();
    if without_rules {
        all.into_iter()
            .map(flink_operator_api::without_rules)
            .collect()
    } else {
        all
    }
}

async fn apply(kubeconfig: Option<&Path>, without_rules: bool) -> Result<()> {
    let config = cluster::config(kubeconfig).await?;
    let server = config.cluster_url.clone();
    let client = Client::try_from(config).context("cannot make a client for the API server")?;
    let version = client
        .apiserver_version()
        .await
        .with_context(|| format!("cannot ask {server} for its version"))?;
    let checks_always = checks_rules_always(&version.major, &version.minor);
    if checks_always && !without_rules {
        println!(
            "Kubernetes {}.{} would check rules at every write, also of objects that are to be deleted: they are left out",
            version.major, version.minor
        );
    }
    let api: Api<CustomResourceDefinition> = Api::all(client);
    for definition in definitions(without_rules || checks_always) {
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

/// Tells whether an API server asks all rules at every write; newer ones ask only those about what was changed
/// (CRD validation ratcheting, on by default since 1.30).
fn checks_rules_always(major: &str, minor: &str) -> bool {
    // Providers append to the number: "29+".
    let number = |text: &str| -> Option<u32> {
        let digits = text.split(|other: char| !other.is_ascii_digit()).next();
        digits.and_then(|digits| digits.parse().ok())
    };
    match (number(major), number(minor)) {
        (Some(major), Some(minor)) => (major, minor) < (1, 30),
        // What is not understood is most likely newer than this program.
        (None, _) | (_, None) => false,
    }
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

#[cfg(test)]
mod tests {
    use super::checks_rules_always;

    #[test]
    fn rules_are_left_out_where_they_would_bind_old_objects() {
        for (major, minor, always) in [
            ("1", "29", true),
            ("1", "29+", true),
            ("1", "30", false),
            ("1", "35+", false),
            ("2", "0", false),
            ("", "new", false),
        ] {
            assert_eq!(checks_rules_always(major, minor), always, "{major}.{minor}");
        }
    }
}
