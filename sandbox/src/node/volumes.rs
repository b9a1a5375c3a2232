//! The volumes of a pod, as directories of the machine.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{
    Container, DownwardAPIVolumeFile, HostPathVolumeSource, KeyToPath, Pod, ProjectedVolumeSource,
    Volume, VolumeProjection,
};

use super::environment::Environment;
use super::facts::PodFacts;
use super::init::MountSpec;
use super::payload::{self, Content, Payload};
use super::sources::{Data, Problem, Reference, Sources};

const DEFAULT_MODE: u32 = 0o644;
const DEFAULT_TOKEN_SECONDS: i64 = 3_600;

/// Says which volume could not be prepared, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VolumeProblem {
    pub(super) volume: String,
    pub(super) problem: Problem,
}

/// A token of a service account, and when to replace it.
#[derive(Debug)]
struct Token {
    text: String,
    renew: Instant,
}

/// Fills the volumes of one pod and keeps them up to date.
pub(super) struct Volumes {
    sources: Sources,
    directory: PathBuf,
    /// By volume and path.
    tokens: BTreeMap<(String, String), Token>,
}

impl Volumes {
    /// Keeps the volumes' files below `directory`.
    pub(super) fn new(sources: Sources, directory: PathBuf) -> Self {
        Self {
            sources,
            directory,
            tokens: BTreeMap::new(),
        }
    }

    /// Makes or refreshes all volumes; stops at the first that can't be made.
    pub(super) async fn prepare(&mut self, facts: &PodFacts<'_>) -> Result<(), VolumeProblem> {
        for volume in volumes(facts.pod) {
            self.prepare_one(volume, facts)
                .await
                .map_err(|problem| VolumeProblem {
                    volume: volume.name.clone(),
                    problem,
                })?;
        }
        Ok(())
    }

    async fn prepare_one(&mut self, volume: &Volume, facts: &PodFacts<'_>) -> Result<(), Problem> {
        let path = self.path(volume);
        if let Some(host) = &volume.host_path {
            return prepare_host_path(host);
        }
        if volume.empty_dir.is_some() {
            return writable_directory(&path);
        }
        let mut files = Payload::new();
        if let Some(source) = &volume.config_map {
            let what = Reference::ConfigMap(source.name.clone());
            let mode = mode(source.default_mode);
            self.add_object(
                &mut files,
                what,
                source.items.as_deref(),
                source.optional,
                mode,
            )
            .await?;
        } else if let Some(source) = &volume.secret {
            let what = Reference::Secret(source.secret_name.clone().unwrap_or_default());
            let mode = mode(source.default_mode);
            self.add_object(
                &mut files,
                what,
                source.items.as_deref(),
                source.optional,
                mode,
            )
            .await?;
        } else if let Some(source) = &volume.downward_api {
            add_downward(
                &mut files,
                source.items.as_deref(),
                facts,
                mode(source.default_mode),
            )?;
        } else if let Some(source) = &volume.projected {
            self.add_projected(&mut files, &volume.name, source, facts)
                .await?;
        } else {
            let message = "the sandbox has no volumes of this kind; it knows configMap, secret, projected, downwardAPI, emptyDir, hostPath";
            return Err(Problem::Unsupported {
                message: message.to_owned(),
            });
        }
        payload::write(&path, &files)
            .map(drop)
            .map_err(|error| Problem::Refused {
                message: format!("{error:#}"),
            })
    }

    async fn add_projected(
        &mut self,
        files: &mut Payload,
        volume: &str,
        source: &ProjectedVolumeSource,
        facts: &PodFacts<'_>,
    ) -> Result<(), Problem> {
        let mode = mode(source.default_mode);
        for projection in source.sources.iter().flatten() {
            let VolumeProjection {
                config_map,
                secret,
                downward_api,
                service_account_token,
                ..
            } = projection;
            if let Some(source) = config_map {
                let what = Reference::ConfigMap(source.name.clone());
                self.add_object(files, what, source.items.as_deref(), source.optional, mode)
                    .await?;
            } else if let Some(source) = secret {
                let what = Reference::Secret(source.name.clone());
                self.add_object(files, what, source.items.as_deref(), source.optional, mode)
                    .await?;
            } else if let Some(source) = downward_api {
                add_downward(files, source.items.as_deref(), facts, mode)?;
            } else if let Some(source) = service_account_token {
                let seconds = source.expiration_seconds.unwrap_or(DEFAULT_TOKEN_SECONDS);
                let text = self
                    .token(
                        volume,
                        &source.path,
                        source.audience.as_deref(),
                        seconds,
                        facts.pod,
                    )
                    .await?;
                files.insert(
                    PathBuf::from(&source.path),
                    Content {
                        bytes: text.into_bytes(),
                        mode,
                    },
                );
            } else {
                let message = "the sandbox projects configMap, secret, downwardAPI and serviceAccountToken only".to_owned();
                return Err(Problem::Unsupported { message });
            }
        }
        Ok(())
    }

    /// Returns a token that is good for a while, a new one only if needed.
    async fn token(
        &mut self,
        volume: &str,
        path: &str,
        audience: Option<&str>,
        seconds: i64,
        pod: &Pod,
    ) -> Result<String, Problem> {
        let key = (volume.to_owned(), path.to_owned());
        if let Some(token) = self.tokens.get(&key)
            && Instant::now() < token.renew
        {
            return Ok(token.text.clone());
        }
        let text = self.sources.token(pod, audience, seconds).await?;
        // As a kubelet does: after four fifths of its life.
        let life = Duration::from_secs(seconds.try_into().unwrap_or_default());
        let renew = Instant::now() + life.mul_f32(0.8);
        self.tokens.insert(
            key,
            Token {
                text: text.clone(),
                renew,
            },
        );
        Ok(text)
    }

    async fn add_object(
        &self,
        files: &mut Payload,
        what: Reference,
        items: Option<&[KeyToPath]>,
        optional: Option<bool>,
        mode: u32,
    ) -> Result<(), Problem> {
        let optional = optional.unwrap_or(false);
        let Some(data) = self.sources.read(&what, optional).await? else {
            return Ok(());
        };
        let chosen = choose(data, items.unwrap_or_default(), optional, mode);
        files.extend(chosen.map_err(|key| Problem::Missing {
            message: format!("{what} has no key {key:?}"),
            what,
        })?);
        Ok(())
    }

    /// Returns the directory of a volume on the machine.
    fn path(&self, volume: &Volume) -> PathBuf {
        match &volume.host_path {
            Some(host) => PathBuf::from(&host.path),
            None => self.directory.join(&volume.name),
        }
    }

    /// Lists what to mount into a container, parents before what is inside them.
    pub(super) fn mounts(
        &self,
        pod: &Pod,
        container: &Container,
        environment: &Environment,
    ) -> Result<Vec<MountSpec>, Problem> {
        let mut mounts = Vec::new();
        for mount in container.volume_mounts.iter().flatten() {
            let volume = volumes(pod).find(|volume| volume.name == mount.name);
            // The API server has checked the name.
            let Some(volume) = volume else { continue };
            let mut source = self.path(volume);
            let expanded = mount
                .sub_path_expr
                .as_deref()
                .map(|text| environment.expand(text));
            if let Some(inside) = expanded.as_deref().or(mount.sub_path.as_deref()) {
                source.push(inside);
                if !source.exists() {
                    writable_directory(&source)?;
                }
            }
            let target = PathBuf::from(&mount.mount_path);
            mounts.push(MountSpec {
                source,
                target,
                read_only: mount.read_only.unwrap_or(false),
            });
        }
        mounts.sort_by_key(|mount| mount.target.components().count());
        Ok(mounts)
    }
}

fn volumes(pod: &Pod) -> impl Iterator<Item = &Volume> {
    pod.spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten())
}

fn mode(mode: Option<i32>) -> u32 {
    mode.and_then(|mode| mode.try_into().ok())
        .unwrap_or(DEFAULT_MODE)
}

/// Picks the files of an object: the named keys, or all; the error is the key that is not there.
fn choose(
    mut data: Data,
    items: &[KeyToPath],
    optional: bool,
    default_mode: u32,
) -> Result<Payload, String> {
    if items.is_empty() {
        return Ok(data
            .into_iter()
            .map(|(key, bytes)| {
                (
                    key.into(),
                    Content {
                        bytes,
                        mode: default_mode,
                    },
                )
            })
            .collect());
    }
    let mut files = Payload::new();
    for item in items {
        match data.remove(&item.key) {
            Some(bytes) => {
                let mode = item.mode.map_or(default_mode, |own| mode(Some(own)));
                files.insert(PathBuf::from(&item.path), Content { bytes, mode });
            }
            None if optional => {}
            None => return Err(item.key.clone()),
        }
    }
    Ok(files)
}

fn add_downward(
    files: &mut Payload,
    items: Option<&[DownwardAPIVolumeFile]>,
    facts: &PodFacts<'_>,
    default: u32,
) -> Result<(), Problem> {
    for item in items.unwrap_or_default() {
        let unsupported = |message: String| Problem::Unsupported {
            message: format!("downwardAPI {}: {message}", item.path),
        };
        let text = if let Some(field) = &item.field_ref {
            facts.field(&field.field_path).map_err(unsupported)?
        } else if let Some(selector) = &item.resource_field_ref {
            let name = selector.container_name.as_deref().unwrap_or_default();
            let containers = facts.pod.spec.iter().flat_map(|spec| &spec.containers);
            let container = containers
                .into_iter()
                .find(|container| container.name == name);
            let container =
                container.ok_or_else(|| unsupported(format!("there is no container {name:?}")))?;
            facts.resource(container, selector).map_err(unsupported)?
        } else {
            return Err(unsupported(
                "it has neither fieldRef nor resourceFieldRef".to_owned(),
            ));
        };
        let mode = item.mode.map_or(default, |own| mode(Some(own)));
        files.insert(
            PathBuf::from(&item.path),
            Content {
                bytes: text.into_bytes(),
                mode,
            },
        );
    }
    Ok(())
}

fn prepare_host_path(host: &HostPathVolumeSource) -> Result<(), Problem> {
    let path = Path::new(&host.path);
    let kind = host.type_.as_deref().unwrap_or_default();
    let mismatch = |what: &str| Problem::Unsupported {
        message: format!("hostPath type check failed: {} is not {what}", host.path),
    };
    match kind {
        "File" if !path.is_file() => Err(mismatch("a file")),
        "Directory" if !path.is_dir() => Err(mismatch("a directory")),
        "FileOrCreate" if !path.exists() => {
            fs::File::create(path)
                .map(drop)
                .map_err(|error| Problem::Refused {
                    message: format!("cannot create {}: {error}", host.path),
                })
        }
        // Container runtimes make a missing path a directory, whoever asks.
        "" | "DirectoryOrCreate" if !path.exists() => writable_directory(path),
        _ => Ok(()),
    }
}

/// Makes a directory that programs of any user may fill.
fn writable_directory(path: &Path) -> Result<(), Problem> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o777)))
        .map_err(|error| Problem::Refused {
            message: format!("cannot make {}: {error}", path.display()),
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn data() -> Data {
        Data::from([
            ("a".to_owned(), b"1".to_vec()),
            ("b".to_owned(), b"2".to_vec()),
        ])
    }

    fn item(key: &str, path: &str, mode: Option<i32>) -> KeyToPath {
        KeyToPath {
            key: key.to_owned(),
            path: path.to_owned(),
            mode,
        }
    }

    #[test]
    fn all_keys_or_the_named_ones_become_files() {
        assert_eq!(choose(data(), &[], false, 0o600).unwrap().len(), 2);
        let files = choose(data(), &[item("b", "x/y", Some(0o400))], false, 0o600).unwrap();
        let expected = Content {
            bytes: b"2".to_vec(),
            mode: 0o400,
        };
        assert_eq!(files, Payload::from([(PathBuf::from("x/y"), expected)]));
    }

    #[test]
    fn a_missing_key_is_named_unless_it_is_optional() {
        assert_eq!(
            choose(data(), &[item("c", "c", None)], false, 0o600).unwrap_err(),
            "c"
        );
        assert!(
            choose(data(), &[item("c", "c", None)], true, 0o600)
                .unwrap()
                .is_empty()
        );
    }
}
