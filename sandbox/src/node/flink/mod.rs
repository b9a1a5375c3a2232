//! Flink as images: a distribution from the package registry, with scripts and jobs of ours.

mod archive;
mod install;
mod jobs;
mod release;

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

pub(super) use archive::class_archive;
pub use install::install_flink;
pub use release::Release;

use crate::cache::Cache;
use crate::progress::Progress;

/// Returns the layers of a release's image, the topmost first, making them if needed.
pub(super) async fn layers(
    cache: &Cache,
    release: Release,
    progress: &Progress,
) -> Result<Vec<PathBuf>> {
    let distribution = install::distribution(cache, release, progress).await?;
    let key = format!("{release}-{}", jobs::fingerprint());
    let fill = |directory| {
        let distribution = distribution.clone();
        async move {
            let step = progress.begin(
                format!("compile jobs for Flink {release}"),
                Duration::from_secs(5),
            );
            step.during(jobs::fill(directory, &distribution, release))
                .await?;
            step.done();
            Ok(())
        }
    };
    let ours = cache.ensure("flink-image", &key, progress, fill).await?;
    Ok(vec![ours, distribution])
}

/// Runs a command to its end; the error holds what it printed.
async fn run(mut command: Command, problem: &str) -> Result<()> {
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| problem.to_owned())?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        bail!("{problem}: {}", String::from_utf8_lossy(&text).trim());
    }
    Ok(())
}
