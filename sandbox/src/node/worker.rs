//! One task per pod: lets the pod live, tells its status, and takes it away in the end.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Node;
use super::container::{Report, grace};
use super::life::Life;
use super::status::{Progress, RestartPolicy};

/// How long to wait before repeating a request that failed.
const AFTER_ERROR: Duration = Duration::from_millis(500);

/// What the API server last said about a pod.
#[derive(Debug, Clone)]
pub(super) struct Sighting {
    pub(super) pod: Arc<Pod>,
    /// The object is not there any more.
    pub(super) gone: bool,
}

/// Looks after one pod until its object is gone.
pub(super) async fn look_after(node: Arc<Node>, mut sightings: watch::Receiver<Sighting>) {
    let pod = sightings.borrow_and_update().pod.clone();
    let uid = pod.uid().unwrap_or_default();
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    let over = matches!(phase, Some("Failed" | "Succeeded"));
    if !over && pod.metadata.deletion_timestamp.is_none() {
        live(&node, &pod, &mut sightings).await;
    }
    let to_delete =
        |sighting: &Sighting| sighting.gone || sighting.pod.metadata.deletion_timestamp.is_some();
    // An error means that the node is ending.
    let Ok(last) = sightings
        .wait_for(to_delete)
        .await
        .map(|sighting| sighting.clone())
    else {
        return;
    };
    if !last.gone {
        delete(&node.config.client, &pod).await;
    }
    if let Err(error) = crate::cache::remove_tree(&node.pod_directory(&uid)) {
        tracing::warn!(
            pod = pod.name_any(),
            error = format!("{error:#}"),
            "cannot remove a pod's files"
        );
    }
}

/// Runs the pod's containers until they have ended for good, or the pod is to be deleted and they have ended.
async fn live(node: &Arc<Node>, pod: &Arc<Pod>, sightings: &mut watch::Receiver<Sighting>) {
    let uid = pod.uid().unwrap_or_default();
    let mut progress = Progress::new(pod, node.host_ip(), Timestamp::now());
    if RestartPolicy::of(pod) == RestartPolicy::Never {
        progress
            .main
            .iter_mut()
            .for_each(super::status::Record::end_if_lost);
    }
    let mut writer = StatusWriter::start(node.config.client.clone(), pod);
    writer.write(progress.status(Timestamp::now()));
    let (stop, stopping) = watch::channel(None);
    let (reports, mut reported) = mpsc::unbounded_channel();
    if !progress.is_over() {
        let (init, main) = (progress.init.clone(), progress.main.clone());
        let life = Life {
            node: node.clone(),
            pod: pod.clone(),
            init,
            main,
            reports,
            stop: stopping,
        };
        let mut life = std::pin::pin!(life.run());
        loop {
            tokio::select! {
                biased;
                Some(report) = reported.recv() => {
                    take(&mut progress, report);
                    let ready = progress.is_ready();
                    node.hosts.update(&uid, sightings.borrow().pod.labels(), ready);
                    writer.write(progress.status(Timestamp::now()));
                }
                Ok(()) = sightings.changed() => follow(&sightings.borrow_and_update(), &stop, node),
                () = &mut life => break,
            }
        }
    }
    while let Ok(report) = reported.try_recv() {
        take(&mut progress, report);
    }
    progress.stopped = stop.borrow().is_some();
    writer.write(progress.status(Timestamp::now()));
    let gone = sightings.borrow().gone;
    writer.finish(gone).await;
}

fn take(progress: &mut Progress, report: Report) {
    match report {
        Report::Address(ip) => progress.ip = Some(ip),
        Report::Container(record) => {
            if let Some(known) = progress.record_mut(&record.name) {
                *known = *record;
            }
        }
    }
}

/// Stops the containers if the pod is to be deleted, or earlier than thought if it is deleted again with less grace.
fn follow(sighting: &Sighting, stop: &watch::Sender<Option<Instant>>, node: &Node) {
    let deadline = match &sighting.pod.metadata.deletion_timestamp {
        _ if sighting.gone => Instant::now(),
        Some(_) => Instant::now() + grace(&sighting.pod),
        None => return,
    };
    let first = stop.borrow().is_none();
    if first {
        for container in sighting.pod.spec.iter().flat_map(|spec| &spec.containers) {
            node.events.normal(
                &sighting.pod,
                "Killing",
                format!("Stopping container {}", container.name),
            );
        }
    }
    stop.send_if_modified(|known| {
        let earlier = known.is_none_or(|known| deadline < known);
        if earlier {
            *known = Some(deadline);
        }
        earlier
    });
}

/// Deletes the object of a pod whose containers have ended.
async fn delete(client: &Client, pod: &Pod) {
    let api = Api::<Pod>::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let preconditions = Preconditions {
        uid: pod.uid(),
        resource_version: None,
    };
    let parameters = DeleteParams {
        grace_period_seconds: Some(0),
        preconditions: Some(preconditions),
        ..DeleteParams::default()
    };
    loop {
        match api.delete(&pod.name_any(), &parameters).await {
            Ok(_) => return,
            // Gone, or another pod of this name.
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {
                return;
            }
            Err(error) => {
                tracing::warn!(pod = pod.name_any(), %error, "cannot delete a pod; trying again");
            }
        }
        tokio::time::sleep(AFTER_ERROR).await;
    }
}

/// Writes the status of one pod in the background: always the newest, never two at a time.
struct StatusWriter {
    newest: watch::Sender<Option<PodStatus>>,
    task: JoinHandle<()>,
}

impl StatusWriter {
    fn start(client: Client, pod: &Arc<Pod>) -> Self {
        let (newest, mut statuses) = watch::channel(None);
        let (api, pod) = (
            Api::<Pod>::namespaced(client, &pod.namespace().unwrap_or_default()),
            pod.clone(),
        );
        let task = tokio::spawn(async move {
            while statuses.changed().await.is_ok() {
                let status: Option<PodStatus> = statuses.borrow_and_update().clone();
                let body = json!({ "metadata": { "uid": pod.uid() }, "status": status });
                let patch = api
                    .patch_status(
                        &pod.name_any(),
                        &PatchParams::default(),
                        &Patch::Strategic(body),
                    )
                    .await;
                match patch {
                    Ok(_) => {}
                    Err(kube::Error::Api(status))
                        if status.is_not_found() || status.is_conflict() =>
                    {
                        return;
                    }
                    Err(error) => {
                        tracing::warn!(pod = pod.name_any(), %error, "cannot write a pod's status; trying again");
                        tokio::time::sleep(AFTER_ERROR).await;
                        statuses.mark_changed();
                    }
                }
            }
        });
        Self { newest, task }
    }

    fn write(&mut self, status: PodStatus) {
        self.newest.send_if_modified(|known| {
            let changed = known.as_ref() != Some(&status);
            *known = Some(status);
            changed
        });
    }

    /// Waits until the newest status is written, unless nobody can see it any more.
    async fn finish(self, gone: bool) {
        drop(self.newest);
        if gone {
            self.task.abort();
        }
        if let Err(error) = self.task.await
            && !error.is_cancelled()
        {
            tracing::warn!(%error, "the writer of a pod's status ended early");
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// An API server that keeps the bodies of requests and answers each with the next given code.
    fn server(codes: &[u16]) -> (Client, Arc<Mutex<Vec<serde_json::Value>>>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let codes = Arc::new(Mutex::new(codes.iter().rev().copied().collect::<Vec<_>>()));
        let log = seen.clone();
        let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
            let (log, codes) = (log.clone(), codes.clone());
            async move {
                let body = request.into_body().collect_bytes().await.unwrap();
                log.lock()
                    .unwrap()
                    .push(serde_json::from_slice(&body).unwrap());
                let code = codes.lock().unwrap().pop().unwrap_or(200);
                let answer = if code == 200 {
                    json!({ "metadata": {} })
                } else {
                    json!({ "code": code, "status": "Failure", "reason": if code == 409 { "Conflict" } else { "InternalError" } })
                };
                let body = kube::client::Body::from(serde_json::to_vec(&answer).unwrap());
                Ok::<_, std::io::Error>(http::Response::builder().status(code).body(body).unwrap())
            }
        });
        (Client::new(service, "default"), seen)
    }

    fn pod() -> Arc<Pod> {
        let pod = json!({ "metadata": { "name": "p", "namespace": "default", "uid": "u" } });
        Arc::new(serde_json::from_value(pod).unwrap())
    }

    fn phase(phase: &str) -> PodStatus {
        PodStatus {
            phase: Some(phase.to_owned()),
            ..PodStatus::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_status_is_written_before_the_writer_ends() {
        let (client, seen) = server(&[500]);
        let mut writer = StatusWriter::start(client, &pod());
        writer.write(phase("Running"));
        writer.write(phase("Failed"));
        writer.finish(false).await;
        let seen = seen.lock().unwrap();
        assert_eq!(seen.last().unwrap()["status"]["phase"], "Failed");
        assert_eq!(seen.last().unwrap()["metadata"]["uid"], "u");
        assert_eq!(seen.len(), 2, "one refused, one repeated: {seen:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_status_of_another_pod_of_this_name_is_left_alone() {
        let (client, seen) = server(&[409]);
        let mut writer = StatusWriter::start(client, &pod());
        writer.write(phase("Running"));
        writer.finish(false).await;
        assert_eq!(seen.lock().unwrap().len(), 1);
    }
}
