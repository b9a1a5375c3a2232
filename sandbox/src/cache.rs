//! Where built and downloaded things are kept between runs.
//!
//! An entry is either complete or absent: it is filled in a temporary directory next to its place
//! and renamed when done. Two processes that want the same entry don't both make it: the second waits.

use std::fs::{self, File, TryLockError};
use std::future::Future;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::progress::Progress;

/// Names the environment variable that moves the cache elsewhere.
pub const CACHE_VARIABLE: &str = "FLINK_OPERATOR_CACHE";

/// Keeps what is expensive to make, in one directory of the user.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// Finds the cache directory: `FLINK_OPERATOR_CACHE`, else `flink-operator` in the user's cache directory.
    pub fn resolve() -> Result<Self> {
        let variable = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let root = variable(CACHE_VARIABLE)
            .or_else(|| variable("XDG_CACHE_HOME").map(|caches| caches.join("flink-operator")))
            .or_else(|| variable("HOME").map(|home| home.join(".cache/flink-operator")));
        let Some(root) = root else {
            bail!(
                "no cache directory: none of {CACHE_VARIABLE}, XDG_CACHE_HOME and HOME is set; set {CACHE_VARIABLE}"
            );
        };
        Ok(Self::at(std::path::absolute(root)?))
    }

    /// Uses a given directory.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Returns the directory that holds everything.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns where an entry is, or would be.
    pub fn entry(&self, kind: &str, key: &str) -> PathBuf {
        self.root.join(kind).join(key)
    }

    /// Returns the entry's directory, after `fill` has made its content if it was not there.
    ///
    /// `fill` gets an empty directory; what it leaves there becomes the entry when it returns `Ok`.
    pub async fn ensure<F, Fut>(
        &self,
        kind: &str,
        key: &str,
        progress: &Progress,
        fill: F,
    ) -> Result<PathBuf>
    where
        F: FnOnce(PathBuf) -> Fut,
        Fut: Future<Output = Result<()>>,
    {
        let entry = self.entry(kind, key);
        if entry.exists() {
            return Ok(entry);
        }
        let parent = self.root.join(kind);
        fs::create_dir_all(&parent)
            .with_context(|| format!("cannot create the cache directory {}", parent.display()))?;
        let _lock = lock(&parent.join(format!(".{key}.lock")), key, progress).await?;
        if entry.exists() {
            return Ok(entry);
        }
        let partial = Partial::create(parent.join(format!(".{key}.partial")))?;
        fill(partial.path.clone()).await?;
        fs::rename(&partial.path, &entry)
            .with_context(|| format!("cannot move {key} to {}", entry.display()))?;
        Ok(entry)
    }
}

/// A directory that is being filled; it goes away unless it was moved to its place.
struct Partial {
    path: PathBuf,
}

impl Partial {
    fn create(path: PathBuf) -> Result<Self> {
        remove_tree(&path)?;
        fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path })
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next who makes this entry.
        let _ = remove_tree(&self.path);
    }
}

/// Takes the lock of one entry; the operating system releases it however this process ends.
async fn lock(path: &Path, key: &str, progress: &Progress) -> Result<File> {
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {
            progress.note(&format!("waiting for another process that is making {key}"));
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock {}", path.display()));
        }
    }
    let file = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await?;
    file.with_context(|| format!("cannot lock {}", path.display()))
}

/// Removes a directory and what is in it; one that is not there is fine.
pub fn remove_tree(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot remove {}", path.display())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn scratch() -> (tempfile::TempDir, Cache) {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path());
        (directory, cache)
    }

    #[tokio::test]
    async fn an_entry_is_made_once() {
        let (_directory, cache) = scratch();
        let fill = |path: PathBuf| async move { Ok(fs::write(path.join("content"), "first")?) };
        let entry = cache
            .ensure("tools", "thing-1", &Progress::silent(), fill)
            .await
            .unwrap();
        let again = |_| async { bail!("made twice") };
        assert_eq!(
            cache
                .ensure("tools", "thing-1", &Progress::silent(), again)
                .await
                .unwrap(),
            entry
        );
        assert_eq!(fs::read_to_string(entry.join("content")).unwrap(), "first");
    }

    #[tokio::test]
    async fn a_failed_or_killed_fill_leaves_no_entry() {
        let (_directory, cache) = scratch();
        let fail = |path: PathBuf| async move {
            fs::write(path.join("half"), "")?;
            bail!("no network")
        };
        let error = cache
            .ensure("tools", "thing-1", &Progress::silent(), fail)
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "no network");
        assert!(!cache.entry("tools", "thing-1").exists());
        assert!(!cache.root().join("tools/.thing-1.partial").exists());

        let killed = cache.root().join("tools/.thing-1.partial");
        fs::create_dir_all(&killed).unwrap();
        fs::write(killed.join("half"), "").unwrap();
        let fill = |path: PathBuf| async move { Ok(fs::write(path.join("whole"), "")?) };
        let entry = cache
            .ensure("tools", "thing-1", &Progress::silent(), fill)
            .await
            .unwrap();
        assert!(entry.join("whole").exists() && !entry.join("half").exists());
    }

    #[tokio::test]
    async fn the_second_of_two_waits_and_takes_what_the_first_made() {
        let (_directory, cache) = scratch();
        let (started, wait) = tokio::sync::oneshot::channel();
        let (go, proceed) = tokio::sync::oneshot::channel();
        let slow = cache.clone();
        let first = tokio::spawn(async move {
            let fill = |_| async move {
                started.send(()).unwrap();
                Ok(proceed.await?)
            };
            slow.ensure("tools", "thing-1", &Progress::silent(), fill)
                .await
                .unwrap()
        });
        wait.await.unwrap();
        let second = tokio::spawn(async move {
            let fill = |_| async { bail!("made twice") };
            cache
                .ensure("tools", "thing-1", &Progress::silent(), fill)
                .await
                .unwrap()
        });
        go.send(()).unwrap();
        assert_eq!(first.await.unwrap(), second.await.unwrap());
    }
}
