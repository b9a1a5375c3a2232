//! From the name of an image to the files and defaults of a container.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::flink::{self, Release};
use crate::cache::Cache;
use crate::progress::Progress;

const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const ENTRY_POINT: &str = "/docker-entrypoint.sh";
const FLINK_HOME: &str = "/opt/flink";

/// Images without files of their own: in every container the machine's programs are visible.
const PLAIN: [&str; 4] = ["alpine", "busybox", "debian", "ubuntu"];

/// What an image gives to its containers.
#[derive(Debug, Clone)]
pub(super) struct Image {
    /// Directories laid over each other, the topmost first.
    pub(super) layers: Vec<PathBuf>,
    /// Directories of the machine that are visible too.
    pub(super) host_directories: Vec<PathBuf>,
    pub(super) environment: Environment,
    pub(super) entry_point: Vec<String>,
    pub(super) arguments: Vec<String>,
    pub(super) directory: PathBuf,
}

/// Finds images by name.
#[derive(Debug)]
pub(super) struct Images {
    cache: Cache,
    progress: Progress,
    mapped: BTreeMap<String, PathBuf>,
    /// `flink-sandbox` itself, which becomes a container.
    program: PathBuf,
    java_home: Option<PathBuf>,
}

impl Images {
    /// `mapped` comes before what the node knows itself.
    pub(super) fn new(
        cache: Cache,
        progress: Progress,
        mapped: BTreeMap<String, PathBuf>,
        program: PathBuf,
    ) -> Self {
        Self {
            cache,
            progress,
            mapped,
            program,
            java_home: java_home(),
        }
    }

    /// Finds an image, fetching what it needs; the error is what a container runtime would say.
    pub(super) async fn pull(&self, name: &str) -> Result<Image, String> {
        if let Some(directory) = self.mapped.get(name) {
            if !directory.is_dir() {
                return Err(format!(
                    "failed to pull image {name:?}: it is mapped to {}, which is no directory",
                    directory.display()
                ));
            }
            return Ok(self.mapped_image(directory));
        }
        if is_plain(name) {
            return Ok(self.image(Vec::new(), vec![], vec!["sh".to_owned()]));
        }
        let Some(release) = Release::of_image(name) else {
            return Err(format!(
                "failed to pull and unpack image {name:?}: failed to resolve reference {name:?}: not found \
                 (the sandbox knows flink:<version>, {}, and images mapped with --image NAME=DIRECTORY)",
                PLAIN.join(", ")
            ));
        };
        // Boxed because it is large, and waited for by every container.
        let image = Box::pin(self.flink(release)).await;
        image.map_err(|error| format!("failed to pull image {name:?}: {error:#}"))
    }

    /// Makes the image of a Flink release, downloading and compiling what it needs.
    pub(super) async fn flink(&self, release: Release) -> anyhow::Result<Image> {
        let layers = flink::layers(&self.cache, release, &self.progress).await?;
        let mut image = self.image(
            layers,
            vec![ENTRY_POINT.to_owned()],
            vec!["help".to_owned()],
        );
        image
            .environment
            .set("PATH", format!("{FLINK_HOME}/bin:{SYSTEM_PATH}"));
        image.environment.set("FLINK_HOME", FLINK_HOME);
        image.directory = PathBuf::from(FLINK_HOME);
        let archive =
            flink::class_archive(&self.cache, release, &image, &self.program, &self.progress)
                .await?;
        image.layers.splice(0..0, archive);
        Ok(image)
    }

    /// Tells whether an image can be used without fetching anything.
    pub(super) fn is_present(&self, name: &str) -> bool {
        let fetched = |release: Release| self.cache.entry("flink", &release.to_string()).exists();
        self.mapped.contains_key(name)
            || is_plain(name)
            || Release::of_image(name).is_some_and(fetched)
    }

    fn mapped_image(&self, directory: &Path) -> Image {
        let has_entry_point = directory.join(ENTRY_POINT.trim_start_matches('/')).exists();
        let entry_point = if has_entry_point {
            vec![ENTRY_POINT.to_owned()]
        } else {
            vec![]
        };
        self.image(vec![directory.to_path_buf()], entry_point, vec![])
    }

    fn image(
        &self,
        layers: Vec<PathBuf>,
        entry_point: Vec<String>,
        arguments: Vec<String>,
    ) -> Image {
        let mut environment = Environment::default();
        environment.set("PATH", SYSTEM_PATH);
        environment.set("HOME", "/root");
        environment.set("LANG", "C.UTF-8");
        let mut host_directories = vec![PathBuf::from("/usr"), PathBuf::from("/etc")];
        if let Some(java_home) = &self.java_home {
            environment.set("JAVA_HOME", java_home.to_string_lossy());
            if !java_home.starts_with("/usr") {
                host_directories.push(java_home.clone());
            }
        }
        Image {
            layers,
            host_directories,
            environment,
            entry_point,
            arguments,
            directory: "/".into(),
        }
    }
}

/// Tells whether the name, without registry, tag and digest, is one of the plain images.
fn is_plain(name: &str) -> bool {
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    let name = name.strip_prefix("library/").unwrap_or(name);
    PLAIN.contains(&name.split([':', '@']).next().unwrap_or_default())
}

/// Finds the JDK: `JAVA_HOME`, else the place of `javac`.
fn java_home() -> Option<PathBuf> {
    let named = std::env::var_os("JAVA_HOME")
        .map(PathBuf::from)
        .filter(|home| home.join("bin/java").exists());
    let found = || {
        let search = std::env::var_os("PATH")?;
        let javac = std::env::split_paths(&search)
            .map(|place| place.join("javac"))
            .find(|path| path.is_file())?;
        Some(javac.canonicalize().ok()?.parent()?.parent()?.to_path_buf())
    };
    // Links are resolved: inside a container only the real place is visible.
    named
        .and_then(|home| home.canonicalize().ok())
        .or_else(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn images(directory: &Path) -> Images {
        let mapped = BTreeMap::from([("flink-operator:1".to_owned(), directory.to_path_buf())]);
        Images::new(
            Cache::at(directory.join("cache")),
            Progress::silent(),
            mapped,
            "/nowhere".into(),
        )
    }

    #[tokio::test]
    async fn an_unknown_image_is_named_with_the_cure() {
        let directory = tempfile::tempdir().unwrap();
        let error = images(directory.path())
            .pull("flink:no-such-tag")
            .await
            .unwrap_err();
        assert!(
            error.contains("flink:no-such-tag") && error.contains("--image"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_mapped_image_is_its_directory() {
        let directory = tempfile::tempdir().unwrap();
        let image = images(directory.path())
            .pull("flink-operator:1")
            .await
            .unwrap();
        assert_eq!(image.layers, [directory.path()]);
        assert_eq!(image.entry_point, Vec::<String>::new());
        std::fs::write(directory.path().join("docker-entrypoint.sh"), "").unwrap();
        assert_eq!(
            images(directory.path())
                .pull("flink-operator:1")
                .await
                .unwrap()
                .entry_point,
            [ENTRY_POINT]
        );
    }

    #[tokio::test]
    async fn plain_images_show_the_machines_programs() {
        let directory = tempfile::tempdir().unwrap();
        let image = images(directory.path())
            .pull("docker.io/library/busybox:1.36")
            .await
            .unwrap();
        assert!(image.layers.is_empty() && image.host_directories.contains(&PathBuf::from("/usr")));
        assert_eq!(image.arguments, ["sh"]);
    }
}
