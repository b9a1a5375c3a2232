//! Flink's own word: what a JobManager answers, and what its log says that ran.

use std::fs;
use std::path::Path;

use jiff::civil::DateTime;
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use crate::http;
use crate::scene::Scene;

/// Asks the JobManager of a cluster at its pod's address.
pub(crate) async fn ask(scene: &Scene, cluster: &str, path: &str) -> Option<Value> {
    let address = job_manager_address(scene, cluster).await?;
    http::get_json((&address, 8081), path).await
}

async fn job_manager_address(scene: &Scene, cluster: &str) -> Option<String> {
    let pods = pods(scene, cluster, "jobmanager").await;
    let alive = pods
        .iter()
        .find(|pod| pod["metadata"]["deletionTimestamp"].is_null())?;
    alive["status"]["podIP"].as_str().map(ToOwned::to_owned)
}

/// Lists the pods of a cluster that have this role.
pub(crate) async fn pods(scene: &Scene, cluster: &str, component: &str) -> Vec<Value> {
    let mut pods = scene.list::<Pod>().await;
    pods.retain(|pod| {
        let labels = &pod["metadata"]["labels"];
        labels["app"] == cluster && labels["component"] == component
    });
    pods
}

/// One run of a job, as a JobManager's log has it.
#[derive(Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) pod: String,
    pub(crate) job: String,
    /// When the job began to run.
    pub(crate) from: DateTime,
    /// When it had come to an end; without one, the last thing that this JobManager wrote.
    pub(crate) to: DateTime,
}

/// Returns every run of a job that any JobManager of this namespace has ever logged, in order of time.
pub(crate) fn runs(scene: &Scene) -> Vec<Run> {
    let logs = scene
        .stage
        .sandbox
        .instance()
        .pod_logs()
        .join(&scene.namespace);
    let mut runs = Vec::new();
    for pod in entries(&logs) {
        for log in entries(&logs.join(&pod)) {
            let text = fs::read_to_string(logs.join(&pod).join(&log)).unwrap_or_default();
            runs.extend(runs_in(&pod, &text));
        }
    }
    runs.sort_by_key(|run| run.from);
    runs
}

fn entries(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    entries
        .flatten()
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

/// Finds `Job <name> (<id>) switched from state <one> to <other>.` in a log.
fn runs_in(pod: &str, log: &str) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut open = false;
    for line in log.lines() {
        let Some(at) = time(line) else { continue };
        if let Some(run) = runs.last_mut().filter(|_| open) {
            run.to = at;
        }
        // From 2.3 on applications have states and lines of the same form.
        let said = line
            .split_once(" - Job ")
            .and_then(|(_, said)| said.split_once(") switched from state "));
        let Some((job, states)) = said else { continue };
        let (Some((_, job)), Some((_, state))) = (job.rsplit_once('('), states.split_once(" to "))
        else {
            continue;
        };
        match state.split(['.', ' ']).next() {
            Some("RUNNING") => {
                runs.push(Run {
                    pod: pod.to_owned(),
                    job: job.to_owned(),
                    from: at,
                    to: at,
                });
                open = true;
            }
            Some("CANCELED" | "FINISHED" | "FAILED" | "SUSPENDED") => open = false,
            _ => {}
        }
    }
    runs
}

fn time(line: &str) -> Option<DateTime> {
    let stamp = line.get(..23)?.replace(',', ".");
    stamp.parse().ok()
}

/// Says whether no two runs were at the same time.
pub(crate) fn one_at_a_time(runs: &[Run]) -> bool {
    runs.windows(2).all(|pair| pair[0].to <= pair[1].from)
}

#[test]
fn runs_are_read_from_logs() {
    let log = "\
2026-11-21 10:00:00,000 INFO  o.a.f.AbstractApplication [] - Application a (89) switched from state CREATED to RUNNING
2026-11-21 10:00:01,000 INFO  o.a.f.ExecutionGraph [] - Job a b (0123) switched from state CREATED to RUNNING.
no time here, so it is part of the line before
2026-11-21 10:00:02,000 INFO  o.a.f.ExecutionGraph [] - Source (1/2) (77) switched from INITIALIZING to RUNNING.
2026-11-21 10:00:03,500 INFO  o.a.f.ExecutionGraph [] - Job a b (0123) switched from state RUNNING to CANCELLING.
2026-11-21 10:00:04,000 INFO  o.a.f.ExecutionGraph [] - Job a b (0123) switched from state CANCELLING to CANCELED.
2026-11-21 10:00:09,000 INFO  o.a.f.Runner [] - bye";
    let runs = runs_in("pod", log);
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].job, "0123");
    assert_eq!(runs[0].from.to_string(), "2026-11-21T10:00:01");
    assert_eq!(
        runs[0].to.to_string(),
        "2026-11-21T10:00:04",
        "what is logged after its end is not its run"
    );
}

#[test]
fn runs_that_overlap_are_told() {
    let run = |from: &str, to: &str| Run {
        pod: "pod".to_owned(),
        job: "job".to_owned(),
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
    };
    let first = || run("2026-11-21T10:00:01", "2026-11-21T10:00:04");
    assert!(one_at_a_time(&[
        first(),
        run("2026-11-21T10:00:04", "2026-11-21T10:00:05")
    ]));
    assert!(!one_at_a_time(&[
        first(),
        run("2026-11-21T10:00:03", "2026-11-21T10:00:05")
    ]));
}
