//! The part of the Flink image that the distribution lacks: start scripts of ours, and jobs to run.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tokio::process::Command;

use super::release::Release;
use super::run;
use crate::prerequisites::{self, Prerequisite};

/// Where Flink is in the image.
const HOME: &str = "opt/flink";

/// Executable files: place in the image and content.
const SCRIPTS: [(&str, &str); 4] = [
    (
        "docker-entrypoint.sh",
        include_str!("../../../image/docker-entrypoint.sh"),
    ),
    (
        "opt/flink/bin/kubernetes-jobmanager.sh",
        include_str!("../../../image/kubernetes-jobmanager.sh"),
    ),
    (
        "opt/flink/bin/kubernetes-taskmanager.sh",
        include_str!("../../../image/kubernetes-taskmanager.sh"),
    ),
    (
        "opt/flink/bin/start-flink.sh",
        include_str!("../../../image/start-flink.sh"),
    ),
];

const LOGGING: (&str, &str) = (
    "opt/flink/share/log4j-console.properties",
    include_str!("../../../image/log4j-console.properties"),
);

macro_rules! sources {
    ($($path:literal),* $(,)?) => { [$(($path, include_str!(concat!("../../../jobs/", $path)))),*] };
}

const SOURCES: [(&str, &str); 13] = sources![
    "sandbox/jobs/CountPerKey.java",
    "sandbox/jobs/FailAt.java",
    "sandbox/jobs/Job.java",
    "sandbox/jobs/Journal.java",
    "sandbox/jobs/KeyOf.java",
    "sandbox/jobs/Numbers.java",
    "sandbox/jobs/Pace.java",
    "sandbox/jobs/Parameters.java",
    "sandbox/jobs/Tasks.java",
    "sandbox/jobs/Trouble.java",
    "org/apache/flink/streaming/examples/statemachine/StateMachineExample.java",
    "org/apache/flink/streaming/examples/windowing/TopSpeedWindowing.java",
    "org/apache/flink/streaming/examples/wordcount/WordCount.java",
];

/// Jars with the same classes: place in the image and main class.
const JARS: [(&str, &str); 4] = [
    (
        "opt/flink/examples/streaming/StateMachineExample.jar",
        "org.apache.flink.streaming.examples.statemachine.StateMachineExample",
    ),
    (
        "opt/flink/examples/streaming/TopSpeedWindowing.jar",
        "org.apache.flink.streaming.examples.windowing.TopSpeedWindowing",
    ),
    (
        "opt/flink/examples/streaming/WordCount.jar",
        "org.apache.flink.streaming.examples.wordcount.WordCount",
    ),
    ("opt/flink/usrlib/sandbox-jobs.jar", "sandbox.jobs.Job"),
];

/// Records the classes that Flink loads.
const RECORDER: (&str, &str) = (
    "opt/flink/bin/record-classes.sh",
    include_str!("../../../image/record-classes.sh"),
);

/// Names the content of this part: another content, another name.
pub(super) fn fingerprint() -> String {
    hash(&(SCRIPTS, RECORDER, LOGGING, SOURCES, JARS))
}

/// Names the way in which classes are recorded.
pub(super) fn recording_fingerprint() -> String {
    hash(&RECORDER)
}

fn hash(content: &impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Makes this part of the image in an empty directory; `distribution` is the other part.
pub(super) async fn fill(directory: PathBuf, distribution: &Path, release: Release) -> Result<()> {
    prerequisites::check(&[Prerequisite::Jdk]).await?;
    for (place, content) in SCRIPTS.into_iter().chain([RECORDER]) {
        write(&directory.join(place), content)?;
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(directory.join(place), executable)
            .with_context(|| format!("cannot make {place} executable"))?;
    }
    write(&directory.join(LOGGING.0), LOGGING.1)?;
    for empty in ["conf", "log", "usrlib", "examples/streaming"] {
        let path = directory.join(HOME).join(empty);
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
    }

    let work = directory.join("work");
    let (sources, classes) = (work.join("sources"), work.join("classes"));
    fs::create_dir_all(&classes).with_context(|| format!("cannot make {}", classes.display()))?;
    let mut javac = Command::new("javac");
    javac
        .arg("--release")
        .arg(release.java().to_string())
        .args(["-Xlint:-options", "-encoding", "UTF-8"]);
    javac
        .arg("-classpath")
        .arg(distribution.join(HOME).join("lib/*"))
        .arg("-d")
        .arg(&classes);
    for (place, content) in SOURCES {
        write(&sources.join(place), content)?;
        javac.arg(sources.join(place));
    }
    run(
        javac,
        &format!("cannot compile the jobs against Flink {release}"),
    )
    .await?;
    for (place, main_class) in JARS {
        let mut jar = Command::new("jar");
        jar.arg("--create").arg("--file").arg(directory.join(place));
        jar.args(["--main-class", main_class, "-C"])
            .arg(&classes)
            .arg(".");
        run(jar, &format!("cannot make {place}")).await?;
    }
    crate::cache::remove_tree(&work)
}

fn write(path: &Path, content: &str) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    }
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}
