//! Makes every call against a real session cluster and prints what came back.
//!
//! `cargo run -p flink-rest --example tour -- <address> <port> <jar> <directory for savepoints>`
//!
//! The jar's `main` must submit a job that runs until it is stopped. It exits with an error at the
//! first answer that is not as expected, so it tells whether a new version of Flink still fits.

use std::error::Error;
use std::fmt::Debug;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use flink_rest::{
    CheckpointRequest, Client, Endpoint, FlinkVersion, JarName, JobId, JobManager, JobOverview,
    JobState, Limits, Network, Operation, Permit, Reason, RunRequest, SavepointRequest,
    StopRequest, SystemClock, TriggerId,
};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn show(what: &str, answer: &impl Debug) {
    let text = format!("{answer:?}");
    println!("{what}: {}", text.chars().take(300).collect::<String>());
}

fn permit() -> Permit {
    let soon = SystemTime::now() + Duration::from_secs(10);
    Permit::until(Arc::new(SystemClock), soon, || Ok(()))
}

/// Asks until an answer fits, for a minute.
async fn until<T: Debug>(
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<T, flink_rest::Error>,
    fits: impl Fn(&T) -> bool,
) -> Outcome<T> {
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    for _ in 0..600 {
        pace.tick().await;
        let answer = ask().await?;
        if fits(&answer) {
            show(what, &answer);
            return Ok(answer);
        }
    }
    Err(format!("{what}: waited for a minute in vain").into())
}

fn expect(what: &str, error: &flink_rest::Error, reason: &Reason) -> Outcome {
    show(what, &error.to_string());
    match error.reason() {
        Some(found) if found == reason => Ok(()),
        found => Err(format!("{what}: expected {reason:?}, found {found:?}").into()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let mut args = std::env::args().skip(1);
    let mut next = |what: &str| {
        args.next()
            .ok_or_else(|| format!("argument missing: {what}"))
    };
    let address: IpAddr = next("address")?.parse()?;
    let port: u16 = next("port")?.parse()?;
    let jar = PathBuf::from(next("jar")?);
    let directory = next("directory for savepoints")?;
    let client = Client::new(Network::default().transport()?, Limits::default());
    let flink = client.job_manager(Endpoint::http(address, port));

    let config = flink.config().await?;
    show("config", &config);
    let version = config.version().ok_or("the version is not a number")?;
    until(
        "task managers",
        async || flink.task_managers().await,
        |found| !found.is_empty(),
    )
    .await?;
    show(
        "lines of configuration",
        &flink.effective_config().await?.len(),
    );

    // From the clock, so that a second tour of the same cluster has ids of its own.
    let now = SystemTime::UNIX_EPOCH.elapsed()?.as_nanos();
    let job = JobId::from_bytes(now.to_be_bytes());
    run(&flink, version, job, &jar).await?;
    snapshots(&flink, version, job, &directory, now).await?;
    stop(&flink, version, job, directory, now).await?;
    cancel(&flink, JobId::from_bytes((now + 1).to_be_bytes()), &jar).await?;
    strangers(&flink, JobId::from_bytes([0xee; 16])).await?;
    println!("all answers are as expected on {}", config.flink_version);
    Ok(())
}

async fn run(flink: &JobManager, version: FlinkVersion, job: JobId, jar: &Path) -> Outcome {
    let uploaded = flink
        .upload_jar(jar, &JarName::new("tour.jar")?, &permit())
        .await?;
    show("uploaded", &uploaded);
    let listed = flink.jars().await?;
    if !listed.iter().any(|one| one.id == uploaded) {
        return Err("the uploaded jar is not listed".into());
    }
    let request = RunRequest {
        job: Some(job),
        parallelism: Some(1),
        ..RunRequest::default()
    };
    show("run", &flink.run_jar(&uploaded, &request, &permit()).await?);
    let running = async || Ok(flink.jobs().await?.into_iter().find(|one| one.jid == job));
    until("overview", running, |one| {
        one.as_ref()
            .and_then(|one| one.tasks)
            .is_some_and(|tasks| tasks.are_all_up())
    })
    .await?;
    show("details", &flink.job(job).await?);
    show("exceptions", &flink.exceptions(job).await?);
    show("result", &flink.execution_result(job).await?);
    show(
        "metrics",
        &flink
            .job_metrics(job, &["numRestarts", "fullRestarts", "none"])
            .await?,
    );
    rescale(flink, job).await?;
    let again = flink.run_jar(&uploaded, &request, &permit()).await;
    let error = again.err().ok_or("a job id was accepted twice")?;
    expect("run again", &error, &Reason::DuplicateSubmission)?;
    flink.delete_jar(&uploaded, &permit()).await?;
    let error = flink
        .delete_jar(&uploaded, &permit())
        .await
        .err()
        .ok_or("deleted twice")?;
    expect("delete again", &error, &Reason::JarMissing)?;
    show("version", &version);
    Ok(())
}

/// Puts the bounds back that are there, if the scheduler has any.
async fn rescale(flink: &JobManager, job: JobId) -> Outcome {
    match flink.resource_requirements(job).await {
        Ok(bounds) => {
            show("requirements", &bounds);
            Ok(flink
                .put_resource_requirements(job, &bounds, &permit())
                .await?)
        }
        Err(error) if error.reason() == Some(&Reason::RouteMissing) => Ok(()),
        Err(error) => expect("requirements", &error, &Reason::CannotRescale),
    }
}

/// Runs a second job and cancels it twice.
async fn cancel(flink: &JobManager, job: JobId, jar: &Path) -> Outcome {
    let uploaded = flink
        .upload_jar(jar, &JarName::new("tour.jar")?, &permit())
        .await?;
    let request = RunRequest {
        job: Some(job),
        ..RunRequest::default()
    };
    flink.run_jar(&uploaded, &request, &permit()).await?;
    flink.cancel(job, &permit()).await?;
    let found = async || Ok(flink.jobs().await?.into_iter().find(|one| one.jid == job));
    let canceled = |one: &Option<JobOverview>| {
        one.as_ref()
            .is_some_and(|one| one.state == JobState::Canceled)
    };
    until("canceled", found, canceled).await?;
    show("canceled again", &flink.cancel(job, &permit()).await);
    Ok(flink.delete_jar(&uploaded, &permit()).await?)
}

async fn snapshots(
    flink: &JobManager,
    version: FlinkVersion,
    job: JobId,
    directory: &str,
    seed: u128,
) -> Outcome {
    let trigger = TriggerId::from_bytes((seed + 1).to_be_bytes());
    let request = SavepointRequest {
        directory: Some(directory.to_owned()),
        trigger: version.takes_trigger_id().then_some(trigger),
        ..SavepointRequest::default()
    };
    let trigger = flink.trigger_savepoint(job, &request, &permit()).await?;
    let done = settle("savepoint", async || {
        flink.savepoint_status(job, trigger).await
    })
    .await?;
    let Operation::Done(location) = done else {
        return Err("the savepoint failed".into());
    };
    let disposal = flink.dispose_savepoint(&location, &permit()).await?;
    settle("disposal", async || flink.disposal_status(disposal).await).await?;
    let disposal = flink.dispose_savepoint(&location, &permit()).await?;
    match settle("disposal again", async || {
        flink.disposal_status(disposal).await
    })
    .await?
    {
        Operation::Failed(cause) if cause.reason() == Reason::SavepointMissing => {}
        other => return Err(format!("disposed of twice: {other:?}").into()),
    }
    if version.triggers_checkpoints() {
        let request = CheckpointRequest::default();
        let trigger = flink.trigger_checkpoint(job, &request, &permit()).await?;
        let status = async || flink.checkpoint_status(job, trigger).await;
        let Operation::Done(id) = settle("checkpoint", status).await? else {
            return Err("the checkpoint failed".into());
        };
        let statistics = async || flink.checkpoints(job).await;
        let known = |all: &flink_rest::CheckpointStatistics| {
            all.newest_completed().is_some_and(|newest| newest.id >= id)
        };
        until("checkpoints", statistics, known).await?;
        show("checkpoint details", &flink.checkpoint(job, id).await?);
    }
    let error = flink
        .checkpoint(job, 4711)
        .await
        .err()
        .ok_or("checkpoint 4711 exists")?;
    expect("unknown checkpoint", &error, &Reason::CheckpointUnknown)?;
    let unknown = TriggerId::from_bytes([0xee; 16]);
    let error = flink
        .savepoint_status(job, unknown)
        .await
        .err()
        .ok_or("unknown id is known")?;
    expect("unknown trigger", &error, &Reason::OperationNotFound)
}

async fn settle<T: Debug>(
    what: &str,
    ask: impl AsyncFnMut() -> Result<Operation<T>, flink_rest::Error>,
) -> Outcome<Operation<T>> {
    until(what, ask, |status| !matches!(status, Operation::InProgress)).await
}

async fn stop(
    flink: &JobManager,
    version: FlinkVersion,
    job: JobId,
    directory: String,
    seed: u128,
) -> Outcome {
    let trigger = TriggerId::from_bytes((seed + 2).to_be_bytes());
    let request = StopRequest {
        directory: Some(directory),
        trigger: version.takes_trigger_id().then_some(trigger),
        ..StopRequest::default()
    };
    let trigger = flink.stop_with_savepoint(job, &request, &permit()).await?;
    let done = settle("stop", async || flink.savepoint_status(job, trigger).await).await?;
    let Operation::Done(location) = done else {
        return Err("the stop failed".into());
    };
    let ended = flink.jobs().await?.into_iter().find(|one| one.jid == job);
    if ended.is_none_or(|one| one.state != JobState::Finished) {
        return Err("the job is not finished".into());
    }
    let statistics = async || flink.checkpoints(job).await;
    let last = |all: &flink_rest::CheckpointStatistics| {
        let newest = all.newest_completed();
        newest.is_some_and(|one| one.is_stop() && one.restore_path() == Some(&location))
    };
    until("checkpoints after the stop", statistics, last).await?;
    show("result", &flink.execution_result(job).await?);
    let error = flink.cancel(job, &permit()).await.err();
    show(
        "cancel of a finished job",
        &error.map(|error| error.to_string()),
    );
    Ok(())
}

/// Asks about a job that never was.
async fn strangers(flink: &JobManager, job: JobId) -> Outcome {
    let error = flink.job(job).await.err().ok_or("unknown job is known")?;
    expect("unknown job", &error, &Reason::JobNotFound)?;
    let error = flink
        .cancel(job, &permit())
        .await
        .err()
        .ok_or("unknown job was cancelled")?;
    expect("cancel of an unknown job", &error, &Reason::JobNotFound)?;
    let request = StopRequest {
        trigger: None,
        ..StopRequest::default()
    };
    match flink.stop_with_savepoint(job, &request, &permit()).await {
        Err(error) => expect(
            "stop without directory",
            &error,
            &Reason::NoSavepointDirectory,
        ),
        Ok(trigger) => {
            let status = async || flink.savepoint_status(job, trigger).await;
            settle("stop of an unknown job", status).await.map(|_| ())
        }
    }
}
