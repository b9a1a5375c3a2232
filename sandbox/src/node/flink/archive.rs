//! Classes of Flink in the form in which a JVM has them in memory: with them it starts in half the time.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use super::jobs;
use super::release::Release;
use crate::cache::Cache;
use crate::node::image::Image;
use crate::node::init::{CommandSpec, InitSpec, MountSpec, RunSpec, START_FAILED};
use crate::progress::Progress;

/// Where the start script looks for the archive.
const PLACE: &str = "opt/flink/share/classes.jsa";

/// Where the recording container sees the directory of the result.
const OUTPUT: &str = "/output";

/// The container's host name.
const HOST: &str = "recording";

/// What became of a recording.
enum Recording {
    Done,
    /// This process may not make containers; another may.
    NotAllowed(String),
}

/// Returns a layer with the archive of a release, recording it if needed; `None` if it cannot be had now.
///
/// `image` is the release's image without the archive, `program` is `flink-sandbox`.
pub(in crate::node) async fn class_archive(
    cache: &Cache,
    release: Release,
    image: &Image,
    program: &Path,
    progress: &Progress,
) -> Result<Option<PathBuf>> {
    let key = format!(
        "{release}-{}-{}",
        jobs::recording_fingerprint(),
        java_version(image)
    );
    let fill = |directory: PathBuf| async move {
        let step = progress.begin(
            format!("record the classes of Flink {release}"),
            Duration::from_secs(20),
        );
        let recording = step.during(record(&directory, image, program)).await?;
        match recording {
            Recording::Done => step.done(),
            Recording::NotAllowed(why) => bail!("{why}"),
        }
        Ok(())
    };
    match cache.ensure("flink-classes", &key, progress, fill).await {
        Ok(layer) => Ok(Some(layer)),
        Err(why) => {
            progress.note(&format!(
                "Flink {release} will start slower, its classes could not be recorded: {why:#}"
            ));
            Ok(None)
        }
    }
}

/// Runs the image once, to record; a failure of Flink leaves an empty layer, so that it is not repeated each time.
async fn record(directory: &Path, image: &Image, program: &Path) -> Result<Recording> {
    let work = directory.join("work");
    let (root, output) = (work.join("root"), work.join("output"));
    for path in [&root, &output] {
        fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
    }
    // Without them the machine's name servers would be asked for the container's name, which takes a minute.
    let (hosts, resolver) = (work.join("hosts"), work.join("resolv.conf"));
    fs::write(&hosts, format!("127.0.0.1 localhost {HOST}\n"))
        .context("cannot write a hosts file")?;
    fs::write(&resolver, "").context("cannot write resolv.conf")?;
    let mount = |source: &Path, target: &str| MountSpec {
        source: source.into(),
        target: target.into(),
        read_only: false,
    };
    let mounts = vec![
        mount(&output, OUTPUT),
        mount(&hosts, "/etc/hosts"),
        mount(&resolver, "/etc/resolv.conf"),
    ];
    let ports = free_ports()?.map(|port| port.to_string());
    let argv = ["/opt/flink/bin/record-classes.sh", "/output/classes.jsa"]
        .map(str::to_owned)
        .into_iter()
        .chain(ports);
    let own = std::process::id();
    let spec = InitSpec::Run(Box::new(RunSpec {
        node_pid: own.try_into().context("process ids fit into 31 bits")?,
        network: format!("/proc/{own}/ns/net").into(),
        hostname: HOST.to_owned(),
        root,
        layers: image.layers.clone(),
        host_directories: image.host_directories.clone(),
        mounts,
        command: CommandSpec {
            argv: argv.collect(),
            environment: image.environment.clone().into_variables(),
            directory: image.directory.clone(),
        },
        pid_file: work.join("pid"),
        failure_file: work.join("failure"),
    }));
    let spec_file = work.join("spec.json");
    fs::write(&spec_file, serde_json::to_vec(&spec)?)
        .context("cannot write the spec of a container")?;
    let mut command = Command::new(program);
    command
        .arg("pod-init")
        .arg(&spec_file)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let ended = command
        .output()
        .await
        .with_context(|| format!("cannot start {}", program.display()))?;
    if ended.status.code() == Some(START_FAILED) {
        return Ok(Recording::NotAllowed(
            fs::read_to_string(work.join("failure")).unwrap_or_default(),
        ));
    }
    let recorded = output.join("classes.jsa");
    if recorded.exists() {
        let place = directory.join(PLACE);
        fs::create_dir_all(place.parent().unwrap_or(directory))
            .context("cannot make the directory of the archive")?;
        fs::rename(&recorded, &place).context("cannot move the archive")?;
    } else {
        let log = [ended.stdout, ended.stderr].concat();
        tracing::warn!(log = %String::from_utf8_lossy(&log), "no class archive");
    }
    crate::cache::remove_tree(&work)?;
    Ok(Recording::Done)
}

/// Finds two ports that are free at the moment.
fn free_ports() -> Result<[u16; 2]> {
    let bind = || TcpListener::bind(("127.0.0.1", 0)).context("cannot find a free port");
    let (first, second) = (bind()?, bind()?);
    Ok([first.local_addr()?.port(), second.local_addr()?.port()])
}

/// Names the JDK: an archive is good for exactly one.
fn java_version(image: &Image) -> String {
    let home = image.environment.get("JAVA_HOME").unwrap_or_default();
    let release = fs::read_to_string(Path::new(home).join("release")).unwrap_or_default();
    let version = release.lines().find_map(|line| {
        line.strip_prefix("JAVA_RUNTIME_VERSION=")
            .or_else(|| line.strip_prefix("JAVA_VERSION="))
    });
    let version = version.unwrap_or("unknown").trim_matches('"');
    version.replace(
        |letter: char| !letter.is_ascii_alphanumeric() && letter != '.',
        "_",
    )
}
