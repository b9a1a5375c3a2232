//! The programs of a control plane: taken from `KUBEBUILDER_ASSETS`, else built once from their Go modules.
//!
//! Published modules and their checksums are all that is needed; the module files are part of this program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::cache::Cache;
use crate::prerequisites::{self, Prerequisite};
use crate::progress::{Progress, Step};

/// Names the environment variable with a directory of ready-made programs, the ecosystem's convention.
pub const ASSETS_VARIABLE: &str = "KUBEBUILDER_ASSETS";

/// Names one program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Tool {
    /// The store behind the API server.
    Etcd,
    /// The API server.
    KubeApiserver,
    /// The controllers.
    KubeControllerManager,
    /// The command line for people.
    Kubectl,
    /// The package manager that installs charts.
    Helm,
}

/// The programs of a control plane.
#[derive(Debug, Clone)]
pub struct Programs {
    pub(crate) etcd: PathBuf,
    pub(crate) api_server: PathBuf,
    pub(crate) controller_manager: PathBuf,
}

impl Programs {
    /// Finds or builds them, and kubectl for the people who will use the control plane.
    pub async fn ensure(cache: &Cache, progress: &Progress) -> Result<Self> {
        let tools = [
            Tool::Etcd,
            Tool::KubeApiserver,
            Tool::KubeControllerManager,
            Tool::Kubectl,
        ];
        let mut programs = ensure(&tools, cache, progress).await?.into_iter();
        let mut next = || {
            programs
                .next()
                .context("a program is missing that was asked for")
        };
        Ok(Self {
            etcd: next()?,
            api_server: next()?,
            controller_manager: next()?,
        })
    }
}

/// A Go module of ours that requires the published one.
struct Module {
    version: &'static str,
    files: &'static [(&'static str, &'static str)],
    linker: &'static str,
}

macro_rules! module_file {
    ($module:literal, $name:literal) => {
        (
            $name,
            include_str!(concat!("../control-plane/", $module, "/", $name)),
        )
    };
}

const KUBERNETES: Module = Module {
    version: "1.35.4",
    files: &[
        module_file!("kubernetes", "go.mod"),
        module_file!("kubernetes", "go.sum"),
        module_file!("kubernetes", "tools.go"),
    ],
    linker: "-s -w -X k8s.io/component-base/version.gitVersion=v1.35.4 \
             -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=35",
};

const ETCD: Module = Module {
    version: "3.6.16",
    files: &[
        module_file!("etcd", "go.mod"),
        module_file!("etcd", "go.sum"),
        module_file!("etcd", "main.go"),
    ],
    linker: "-s -w",
};

const HELM: Module = Module {
    version: "3.22.0",
    files: &[
        module_file!("helm", "go.mod"),
        module_file!("helm", "go.sum"),
        module_file!("helm", "tools.go"),
    ],
    linker: "-s -w -X helm.sh/helm/v3/internal/version.version=v3.22.0",
};

impl Tool {
    /// Returns the name of the program's file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::Kubectl => "kubectl",
            Self::Helm => "helm",
        }
    }

    /// Returns the program's version when it is built here.
    pub fn version(self) -> &'static str {
        self.module().version
    }

    fn module(self) -> &'static Module {
        match self {
            Self::Etcd => &ETCD,
            Self::KubeApiserver | Self::KubeControllerManager | Self::Kubectl => &KUBERNETES,
            Self::Helm => &HELM,
        }
    }

    fn package(self) -> &'static str {
        match self {
            Self::Etcd => ".",
            Self::KubeApiserver => "k8s.io/kubernetes/cmd/kube-apiserver",
            Self::KubeControllerManager => "k8s.io/kubernetes/cmd/kube-controller-manager",
            Self::Kubectl => "k8s.io/kubernetes/cmd/kubectl",
            Self::Helm => "helm.sh/helm/v3/cmd/helm",
        }
    }

    /// How long a build takes on two cores, in the order in which [`ensure`] is usually called.
    fn usual_build(self) -> Duration {
        Duration::from_secs(match self {
            Self::Etcd => 25,
            Self::KubeApiserver => 170,
            Self::KubeControllerManager => 35,
            Self::Kubectl => 20,
            Self::Helm => 65,
        })
    }

    fn key(self) -> String {
        format!("{}-{}", self.name(), self.version())
    }

    /// Returns the program if it is there already.
    pub fn find(self, cache: &Cache, assets: Option<&Path>) -> Option<PathBuf> {
        let given = assets.map(|assets| assets.join(self.name()));
        let built = cache.entry("tools", &self.key()).join(self.name());
        given
            .into_iter()
            .chain([built])
            .find(|program| program.is_file())
    }
}

/// Reads where ready-made programs are.
pub fn assets() -> Option<PathBuf> {
    std::env::var_os(ASSETS_VARIABLE)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// Returns the paths of programs, in the given order, after building those that are missing.
pub async fn ensure(tools: &[Tool], cache: &Cache, progress: &Progress) -> Result<Vec<PathBuf>> {
    let assets = assets();
    let missing: Vec<Tool> = tools
        .iter()
        .copied()
        .filter(|tool| tool.find(cache, assets.as_deref()).is_none())
        .collect();
    if !missing.is_empty() {
        prerequisites::check(&[Prerequisite::Go]).await?;
        let total: Duration = missing.iter().map(|tool| tool.usual_build()).sum();
        let place = cache.root().join("tools");
        progress.note(&format!(
            "building {} from Go modules into {}, once, in about {}",
            missing
                .iter()
                .map(|tool| tool.name())
                .collect::<Vec<_>>()
                .join(", "),
            place.display(),
            crate::progress::duration(total),
        ));
    }
    let mut programs = Vec::new();
    for tool in tools {
        let program = if let Some(program) = tool.find(cache, assets.as_deref()) {
            program
        } else {
            let fill = |directory| build(*tool, directory, progress);
            cache
                .ensure("tools", &tool.key(), progress, fill)
                .await?
                .join(tool.name())
        };
        programs.push(program);
    }
    Ok(programs)
}

/// Builds a program into a directory; the module's files are there only meanwhile.
async fn build(tool: Tool, directory: PathBuf, progress: &Progress) -> Result<()> {
    let step = progress.begin(
        format!("build {} {}", tool.name(), tool.version()),
        tool.usual_build(),
    );
    let sources = directory.join("module");
    // Here, so that it goes with the rest: a compiler that is killed leaves its files.
    let temporary = directory.join("tmp");
    fs::create_dir(&sources)?;
    fs::create_dir(&temporary)?;
    for (name, content) in tool.module().files {
        fs::write(sources.join(name), content)?;
    }
    let mut go = Command::new("go");
    go.current_dir(&sources)
        .args(["build", "-ldflags", tool.module().linker, "-o"])
        .arg(directory.join(tool.name()))
        .arg(tool.package());
    go.env("CGO_ENABLED", "0")
        .env("GOTMPDIR", &temporary)
        .env("GOWORK", "off")
        .env("GOFLAGS", "-mod=readonly -trimpath -buildvcs=false");
    step.during(run(&mut go, &step))
        .await
        .with_context(|| format!("cannot build {}", tool.name()))?;
    fs::remove_dir_all(&sources)?;
    fs::remove_dir_all(&temporary)?;
    step.done();
    Ok(())
}

/// Runs a command to its end; an error ends with the last lines it wrote.
async fn run(command: &mut Command, step: &Step) -> Result<()> {
    const KEPT: usize = 15;
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut group = Group(command.spawn().context("cannot start go")?);
    let output = group
        .0
        .stderr
        .take()
        .expect("the output was asked for as a pipe");
    let mut lines = BufReader::new(output).lines();
    let mut last = Vec::new();
    while let Some(line) = lines.next_line().await? {
        step.advance(line.trim());
        if last.len() == KEPT {
            last.remove(0);
        }
        last.push(line);
    }
    let status = group.0.wait().await?;
    if !status.success() {
        bail!("go ended with {status}:\n{}", last.join("\n"));
    }
    Ok(())
}

/// A process group that ends when this is dropped: `go` starts compilers of its own.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // No id means that it was waited for.
        if let Some(id) = self.0.id().and_then(|id| i32::try_from(id).ok()) {
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn ready_made_programs_come_before_built_ones() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path().join("cache"));
        let assets = directory.path().join("assets");
        assert_eq!(Tool::Etcd.find(&cache, Some(&assets)), None);

        let built = cache.entry("tools", "etcd-3.6.16").join("etcd");
        fs::create_dir_all(built.parent().unwrap()).unwrap();
        fs::write(&built, "").unwrap();
        assert_eq!(Tool::Etcd.find(&cache, Some(&assets)), Some(built.clone()));

        fs::create_dir(&assets).unwrap();
        fs::write(assets.join("etcd"), "").unwrap();
        assert_eq!(
            Tool::Etcd.find(&cache, Some(&assets)),
            Some(assets.join("etcd"))
        );
        assert_eq!(Tool::Etcd.find(&cache, None), Some(built));
    }

    #[test]
    fn versions_are_those_of_the_modules() {
        for tool in [Tool::Etcd, Tool::KubeApiserver, Tool::Helm] {
            let (_, manifest) = tool.module().files[0];
            assert!(
                manifest.contains(&format!(" v{}", tool.version())),
                "{}",
                tool.name()
            );
            let linked = tool
                .module()
                .linker
                .contains(&format!("v{}", tool.version()));
            assert!(
                linked || tool == Tool::Etcd,
                "{} tells another version",
                tool.name()
            );
        }
    }

    #[test]
    fn every_library_of_kubernetes_has_the_version_that_belongs_to_it() {
        let (_, manifest) = KUBERNETES.files[0];
        let replaced: Vec<_> = manifest
            .lines()
            .filter(|line| line.contains(" => "))
            .collect();
        assert_eq!(replaced.len(), 31);
        assert!(
            replaced.iter().all(|line| line.ends_with(" v0.35.4")),
            "{replaced:?}"
        );
    }
}
