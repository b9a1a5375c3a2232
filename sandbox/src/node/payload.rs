//! The files of ConfigMap, Secret and similar volumes, replaced all at once as a kubelet does.
//!
//! A volume holds one directory per version, a link `..data` to the current one, and a link per file through it.
//! Changing the volume is one rename of `..data`, so a program never sees a mixture.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};

const CURRENT: &str = "..data";
const NEXT: &str = "..data_tmp";

/// Content and mode of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) mode: u32,
}

/// Files by their path in the volume.
pub(super) type Payload = BTreeMap<PathBuf, Content>;

/// Makes the volume contain exactly these files; returns whether anything changed.
pub(super) fn write(volume: &Path, payload: &Payload) -> Result<bool> {
    fs::create_dir_all(volume).with_context(|| format!("cannot make {}", volume.display()))?;
    let current = fs::read_link(volume.join(CURRENT)).ok();
    if let Some(current) = &current
        && same(&volume.join(current), payload)
    {
        return Ok(false);
    }
    let version = new_version(volume)?;
    let mut names = BTreeSet::new();
    for (path, content) in payload {
        names.insert(first_component(path)?);
        let target = volume.join(&version).join(path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)
                .with_context(|| format!("cannot make {}", parent.display()))?;
        }
        fs::write(&target, &content.bytes)
            .with_context(|| format!("cannot write {}", target.display()))?;
        fs::set_permissions(&target, fs::Permissions::from_mode(content.mode))
            .with_context(|| format!("cannot set the mode of {}", target.display()))?;
    }
    replace_link(
        Path::new(&version),
        &volume.join(NEXT),
        &volume.join(CURRENT),
    )?;
    for name in &names {
        if volume.join(name).symlink_metadata().is_err() {
            symlink(Path::new(CURRENT).join(name), volume.join(name))
                .with_context(|| format!("cannot make a link in {}", volume.display()))?;
        }
    }
    remove_stale(volume, &names, &version)?;
    Ok(true)
}

fn same(version: &Path, payload: &Payload) -> bool {
    let mut found = 0;
    let mut directories = vec![version.to_path_buf()];
    while let Some(directory) = directories.pop() {
        let Ok(entries) = fs::read_dir(directory) else {
            return false;
        };
        for entry in entries.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => directories.push(entry.path()),
                Ok(_) => found += 1,
                Err(_) => return false,
            }
        }
    }
    let equal = |(path, content): (&PathBuf, &Content)| {
        fs::read(version.join(path)).is_ok_and(|bytes| bytes == content.bytes)
    };
    found == payload.len() && payload.iter().all(equal)
}

/// Makes a directory with a name that was not used before.
fn new_version(volume: &Path) -> Result<OsString> {
    for number in 0_u64.. {
        let name = format!("..{number}");
        match fs::create_dir(volume.join(&name)) {
            Ok(()) => return Ok(name.into()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot make a directory in {}", volume.display()));
            }
        }
    }
    bail!("all names for versions in {} are used", volume.display())
}

fn first_component(path: &Path) -> Result<OsString> {
    let mut first = None;
    for component in path.components() {
        let Component::Normal(name) = component else {
            bail!(
                "the path {} of a file in a volume must be relative, without `..`",
                path.display()
            );
        };
        first = first.or_else(|| Some(name.to_owned()));
    }
    first.with_context(|| "a file in a volume has an empty path".to_owned())
}

fn replace_link(target: &Path, temporary: &Path, link: &Path) -> Result<()> {
    symlink(target, temporary)
        .and_then(|()| fs::rename(temporary, link))
        .with_context(|| format!("cannot replace {}", link.display()))
}

fn remove_stale(volume: &Path, names: &BTreeSet<OsString>, version: &OsString) -> Result<()> {
    for entry in
        fs::read_dir(volume).with_context(|| format!("cannot list {}", volume.display()))?
    {
        let entry = entry?;
        let name = entry.file_name();
        if names.contains(&name) || name == *version || name == CURRENT {
            continue;
        }
        let removed = if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())
        } else {
            fs::remove_file(entry.path())
        };
        removed.with_context(|| format!("cannot remove {}", entry.path().display()))?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn payload(files: &[(&str, &str)]) -> Payload {
        let content = |text: &str| Content {
            bytes: text.into(),
            mode: 0o644,
        };
        files
            .iter()
            .map(|(path, text)| (PathBuf::from(path), content(text)))
            .collect()
    }

    #[test]
    fn a_volume_shows_exactly_its_files() {
        let volume = tempfile::tempdir().unwrap();
        assert!(write(volume.path(), &payload(&[("a", "1"), ("sub/b", "2")])).unwrap());
        assert_eq!(fs::read_to_string(volume.path().join("a")).unwrap(), "1");
        assert_eq!(
            fs::read_to_string(volume.path().join("sub/b")).unwrap(),
            "2"
        );

        assert!(!write(volume.path(), &payload(&[("a", "1"), ("sub/b", "2")])).unwrap());
        assert!(write(volume.path(), &payload(&[("a", "3")])).unwrap());
        assert_eq!(fs::read_to_string(volume.path().join("a")).unwrap(), "3");
        assert!(!volume.path().join("sub").exists());
        assert_eq!(
            fs::read_dir(volume.path()).unwrap().count(),
            3,
            "version, ..data and one file"
        );
    }

    #[test]
    fn an_open_version_is_left_whole_until_it_is_replaced() {
        let volume = tempfile::tempdir().unwrap();
        write(volume.path(), &payload(&[("a", "1")])).unwrap();
        let before = fs::read_link(volume.path().join(CURRENT)).unwrap();
        write(volume.path(), &payload(&[("a", "2")])).unwrap();
        assert_ne!(fs::read_link(volume.path().join(CURRENT)).unwrap(), before);
    }

    #[test]
    fn files_stay_inside_the_volume() {
        let volume = tempfile::tempdir().unwrap();
        assert!(
            write(volume.path(), &payload(&[("../a", "1")]))
                .unwrap_err()
                .to_string()
                .contains("../a")
        );
        assert!(write(volume.path(), &payload(&[("/a", "1")])).is_err());
    }
}
