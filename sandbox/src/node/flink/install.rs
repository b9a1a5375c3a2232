//! Downloads Flink distributions into the cache.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use super::release::Release;
use super::run;
use crate::cache::Cache;
use crate::node::image::Images;
use crate::prerequisites::{self, Prerequisite};
use crate::progress::{Progress, Step};

const PACKAGE: &str = "apache-flink-libraries";
const MEGABYTE: u64 = 1_000_000;

/// What is needed of a distribution.
const PARTS: [&str; 4] = ["lib", "opt", "plugins", "bin"];

/// Makes the image of a Flink release unless it is there, which downloads the distribution.
///
/// `version` is a release such as `1.20.5`, or `1.20` for its newest. To be called by `flink-sandbox` itself, which
/// runs itself to record what Flink loads.
pub async fn install_flink(cache: &Cache, version: &str, progress: &Progress) -> Result<()> {
    let program = std::env::current_exe().context("cannot tell which program this is")?;
    let images = Images::new(cache.clone(), progress.clone(), BTreeMap::new(), program);
    images.flink(version.parse()?).await.map(drop)
}

/// Returns the directory that has the distribution at `opt/flink`, downloading it if needed.
pub(super) async fn distribution(
    cache: &Cache,
    release: Release,
    progress: &Progress,
) -> Result<PathBuf> {
    let fill = |directory| download(directory, cache.clone(), release, progress.clone());
    cache
        .ensure("flink", &release.to_string(), progress, fill)
        .await
}

async fn download(
    directory: PathBuf,
    cache: Cache,
    release: Release,
    progress: Progress,
) -> Result<()> {
    prerequisites::check(&[Prerequisite::Python]).await?;
    let python = downloader(&cache, &progress).await?;
    let step = progress.begin(
        format!("download Flink {release} (about 300 MB)"),
        Duration::from_secs(30),
    );
    let work = directory.join("download");
    std::fs::create_dir_all(work.join("tmp"))
        .context("cannot make a directory for the download")?;
    let mut command = Command::new(python);
    command
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--no-build-isolation"])
        .args(["--disable-pip-version-check", "--no-cache-dir", "--dest"])
        .arg(&work)
        .arg(format!("{PACKAGE}=={release}"))
        // The package's set-up script is run to learn its name; it unpacks and downloads here.
        .env("TMPDIR", work.join("tmp"));
    let problem = format!("cannot download Flink {release}");
    watch_growth(run(command, &problem), &work, &step).await?;
    let archive = find_archive(&work)?;

    let home = directory.join("opt/flink");
    std::fs::create_dir_all(&home).context("cannot make opt/flink")?;
    let mut command = Command::new("tar");
    command.args([
        "--extract",
        "--gzip",
        "--no-same-owner",
        "--strip-components=2",
        "--wildcards",
        "--file",
    ]);
    command.arg(&archive).arg("--directory").arg(&home);
    command.args(PARTS.map(|part| format!("*/deps/{part}")));
    step.during(run(command, &format!("cannot unpack Flink {release}")))
        .await?;
    crate::cache::remove_tree(&work)?;
    step.done();
    Ok(())
}

/// Makes a Python environment that can download source packages, once.
async fn downloader(cache: &Cache, progress: &Progress) -> Result<PathBuf> {
    let fill = |directory: PathBuf| async move {
        let step = progress.begin(
            "prepare a Python environment for downloads",
            Duration::from_secs(10),
        );
        // The entry is moved when it is complete, which breaks its scripts but not `python -m`.
        let work = directory.join("venv");
        let mut command = Command::new("python3");
        command.args(["-m", "venv"]).arg(&work);
        step.during(run(command, "cannot make a Python environment"))
            .await?;
        let mut command = Command::new(work.join("bin/python"));
        command.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "wheel",
            "setuptools",
        ]);
        step.during(run(command, "cannot install wheel and setuptools"))
            .await?;
        step.done();
        Ok(())
    };
    let entry = cache
        .ensure("tools", "flink-downloader", progress, fill)
        .await?;
    Ok(entry.join("venv/bin/python"))
}

/// Reports the size of a growing directory while work goes on.
async fn watch_growth(
    work: impl Future<Output = Result<()>>,
    directory: &Path,
    step: &Step,
) -> Result<()> {
    tokio::pin!(work);
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            result = &mut work => return result,
            _ = tick.tick() => step.advance(&format!("{} MB", size(directory) / MEGABYTE)),
        }
    }
}

/// Adds up the files below a directory; what vanishes meanwhile does not count.
fn size(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return 0;
    };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => size(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

fn find_archive(directory: &Path) -> Result<PathBuf> {
    for entry in std::fs::read_dir(directory).context("cannot list the download")? {
        let path = entry.context("cannot list the download")?.path();
        if path.extension().is_some_and(|extension| extension == "gz") {
            return Ok(path);
        }
    }
    bail!("the package registry sent no source archive of {PACKAGE}")
}
