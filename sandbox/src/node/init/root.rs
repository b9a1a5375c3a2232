//! The private root of a container, made inside its own mount namespace.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{chdir, pivot_root, sethostname};

use super::spec::{MountSpec, RunSpec};

const NOTHING: Option<&str> = None;

/// Device files every program may expect.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Makes the container's root and enters it; the machine's files are then out of reach.
pub(super) fn enter(run: &RunSpec) -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC)
        .context("cannot make mount, UTS and IPC namespaces")?;
    sethostname(&run.hostname).context("cannot set the host name")?;
    mount(
        NOTHING,
        "/",
        NOTHING,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        NOTHING,
    )
    .context("cannot make mounts private")?;
    let overlay = Overlay {
        base: &run.root,
        layers: &run.layers,
    };
    overlay.prepare()?;
    let root = overlay.root()?;
    overlay.machine(&root, &run.host_directories)?;
    add_program_links(&root)?;
    add_kernel_directories(&root)?;
    for volume in &run.mounts {
        add_volume(&root, volume)?;
    }
    chdir(&root).context("cannot enter the new root")?;
    pivot_root(".", ".").context("cannot change the root")?;
    umount2(".", MntFlags::MNT_DETACH).context("cannot let go of the machine's root")?;
    chdir("/").context("cannot enter the new root")
}

/// Directories of the writable part of a root, in memory.
struct Overlay<'a> {
    base: &'a Path,
    layers: &'a [PathBuf],
}

impl Overlay<'_> {
    /// Prepares the place in memory.
    fn prepare(&self) -> Result<()> {
        mount(
            Some("tmpfs"),
            self.base,
            Some("tmpfs"),
            MsFlags::empty(),
            Some("mode=755"),
        )
        .context("cannot mount a tmpfs")?;
        make_directory(&self.base.join("empty"))
    }

    /// Lays directories over each other at `target`, with a writable one on top that is named `name`.
    fn lay(&self, name: &str, lower: &[PathBuf], target: &Path) -> Result<()> {
        let empty = [self.base.join("empty")];
        let (upper, work) = (self.base.join(name), self.base.join(format!("{name}.work")));
        for directory in [upper.as_path(), work.as_path(), target] {
            make_directory(directory)?;
        }
        let mut layers = Vec::new();
        // A lower layer is required, also by an image without files.
        for layer in if lower.is_empty() { &empty } else { lower } {
            layers.push(overlay_path(layer)?);
        }
        let (upper, work) = (overlay_path(&upper)?, overlay_path(&work)?);
        let options = format!(
            "lowerdir={},upperdir={upper},workdir={work}",
            layers.join(":")
        );
        mount(
            Some("overlay"),
            target,
            Some("overlay"),
            MsFlags::empty(),
            Some(options.as_str()),
        )
        .with_context(|| {
            format!(
                "cannot mount an overlay file system at {} (the kernel needs overlayfs)",
                target.display()
            )
        })
    }

    /// Makes the root from the image's layers.
    fn root(&self) -> Result<PathBuf> {
        let root = self.base.join("root");
        self.lay("upper", self.layers, &root)?;
        Ok(root)
    }

    /// Shows directories of the machine at their own place, under what the image has there; writes stay private.
    fn machine(&self, root: &Path, directories: &[PathBuf]) -> Result<()> {
        for (number, directory) in directories.iter().enumerate() {
            let inside = directory.strip_prefix("/").unwrap_or(directory);
            let mut lower: Vec<PathBuf> =
                self.layers.iter().map(|layer| layer.join(inside)).collect();
            lower.retain(|path| path.is_dir());
            lower.push(directory.clone());
            self.lay(
                &format!("machine-{number}"),
                &lower,
                &place(root, directory)?,
            )?;
        }
        Ok(())
    }
}

fn overlay_path(path: &Path) -> Result<&str> {
    let text = path
        .to_str()
        .with_context(|| format!("the path {} is not UTF-8", path.display()))?;
    if text.contains([':', ',', '\\']) {
        bail!(
            "the path {text} contains one of `:,\\`, which overlayfs takes for its own; use another directory"
        );
    }
    Ok(text)
}

/// Adds `/bin`, `/lib` and so on: links into `/usr`, or directories on machines that have not merged them.
fn add_program_links(root: &Path) -> Result<()> {
    for name in ["bin", "sbin", "lib", "lib32", "lib64"] {
        let (on_machine, inside) = (Path::new("/").join(name), root.join(name));
        if inside.symlink_metadata().is_ok() {
            continue;
        }
        match fs::symlink_metadata(&on_machine) {
            Ok(kind) if kind.is_symlink() => symlink(fs::read_link(&on_machine)?, &inside)
                .with_context(|| format!("cannot make the link {}", on_machine.display()))?,
            Ok(_) => add_volume(
                root,
                &MountSpec {
                    source: on_machine.clone(),
                    target: on_machine,
                    read_only: true,
                },
            )?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot look at {}", on_machine.display()));
            }
        }
    }
    Ok(())
}

/// Adds `/proc`, `/sys`, `/dev`, `/run` and `/tmp`.
fn add_kernel_directories(root: &Path) -> Result<()> {
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let proc = root.join("proc");
    make_directory(&proc)?;
    mount(
        Some("proc"),
        &proc,
        Some("proc"),
        safe | MsFlags::MS_NOEXEC,
        NOTHING,
    )
    .context("cannot mount /proc")?;
    add_volume(
        root,
        &MountSpec {
            source: "/sys".into(),
            target: "/sys".into(),
            read_only: false,
        },
    )?;

    let dev = root.join("dev");
    make_directory(&dev)?;
    mount(
        Some("tmpfs"),
        &dev,
        Some("tmpfs"),
        MsFlags::MS_NOSUID,
        Some("mode=755"),
    )
    .context("cannot mount /dev")?;
    for device in DEVICES {
        let path = Path::new("/dev").join(device);
        if path.exists() {
            add_volume(
                root,
                &MountSpec {
                    source: path.clone(),
                    target: path,
                    read_only: false,
                },
            )?;
        }
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "fd/0"),
        ("stdout", "fd/1"),
        ("stderr", "fd/2"),
    ] {
        symlink(target, dev.join(name)).with_context(|| format!("cannot make /dev/{name}"))?;
    }
    let shared_memory = dev.join("shm");
    make_directory(&shared_memory)?;
    mount(
        Some("tmpfs"),
        &shared_memory,
        Some("tmpfs"),
        safe,
        Some("mode=1777"),
    )
    .context("cannot mount /dev/shm")?;

    for (name, mode) in [
        ("tmp", 0o1777),
        ("run", 0o755),
        ("var", 0o755),
        ("var/tmp", 0o1777),
    ] {
        let path = root.join(name);
        make_directory(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))
            .with_context(|| format!("cannot open up /{name}"))?;
    }
    let var_run = root.join("var/run");
    if var_run.symlink_metadata().is_err() {
        symlink("/run", var_run).context("cannot make /var/run")?;
    }
    Ok(())
}

fn add_volume(root: &Path, volume: &MountSpec) -> Result<()> {
    let target = place(root, &volume.target)?;
    let describe = || {
        format!(
            "cannot mount {} at {}",
            volume.source.display(),
            volume.target.display()
        )
    };
    let kind = fs::metadata(&volume.source).with_context(describe)?;
    if kind.is_dir() {
        make_directory(&target)?;
    } else if !target.exists() {
        if let Some(parent) = target.parent() {
            make_directory(parent)?;
        }
        File::create(&target).with_context(describe)?;
    }
    mount(
        Some(&volume.source),
        &target,
        NOTHING,
        MsFlags::MS_BIND | MsFlags::MS_REC,
        NOTHING,
    )
    .with_context(describe)?;
    if volume.read_only {
        let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        // In a user namespace flags such as nodev may be locked; then they have to be given again.
        mount(NOTHING, &target, NOTHING, flags, NOTHING)
            .or_else(|_| {
                mount(
                    NOTHING,
                    &target,
                    NOTHING,
                    flags | MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
                    NOTHING,
                )
            })
            .with_context(describe)?;
    }
    Ok(())
}

/// Finds the place of an absolute path of the container below its root, following links as the container would.
fn place(root: &Path, target: &Path) -> Result<PathBuf> {
    let mut path = root.to_path_buf();
    for component in target.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => path = follow(root, path.join(name)),
            Component::ParentDir | Component::Prefix(_) => {
                bail!("the mount path {} must not contain `..`", target.display())
            }
        }
    }
    Ok(path)
}

/// Resolves a link such as `/var/run`; an absolute one starts at the container's root.
fn follow(root: &Path, path: PathBuf) -> PathBuf {
    match fs::read_link(&path) {
        Ok(link) if link.is_absolute() => root.join(link.strip_prefix("/").unwrap_or(&link)),
        Ok(link) => path.parent().unwrap_or(root).join(link),
        Err(_) => path,
    }
}

fn make_directory(path: &Path) -> Result<()> {
    fs::create_dir_all(path)
        .with_context(|| format!("cannot make the directory {}", path.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn links_of_the_container_lead_into_the_container() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("var")).unwrap();
        symlink("/run", root.path().join("var/run")).unwrap();
        let found = place(root.path(), Path::new("/var/run/secrets/token")).unwrap();
        assert_eq!(found, root.path().join("run/secrets/token"));
        assert!(place(root.path(), Path::new("/a/../../etc")).is_err());
    }

    #[test]
    fn a_path_that_overlayfs_would_misread_is_refused() {
        let error = overlay_path(Path::new("/tmp/a:b")).unwrap_err();
        assert!(error.to_string().contains("/tmp/a:b"), "{error}");
    }
}
