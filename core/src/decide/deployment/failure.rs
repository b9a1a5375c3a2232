//! Pods that cannot start: named in the status within one look.

use super::draft::Draft;
use super::view::View;
use crate::decision::Notice;
use crate::observed::{Deployment, Pod};
use crate::status::conditions::Reason;
use crate::status::error::Problem;
use flink_operator_api::{FlinkJobState, JobManagerDeploymentStatus as JobManager};
use jiff::SignedDuration;

/// The kubelet's reasons that do not go away by waiting.
const FATAL: [&str; 8] = [
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "ErrImagePull",
    "InvalidImageName",
    "RunContainerError",
    "CreateContainerConfigError",
    "CreateContainerError",
    "OOMKilled",
];

/// How long a pod may wait for its volumes before that counts as a failure: the ConfigMap is
/// created last, and a kubelet retries a failed mount after up to two minutes.
const MOUNT_PATIENCE: SignedDuration = SignedDuration::from_secs(150);

/// How long a job may take to run before its TaskManagers are looked at.
const TASK_MANAGERS_TAKE: SignedDuration = SignedDuration::from_secs(20);

/// Finds out why no JobManager pod gets ready; returns whether that is a failure.
pub(super) fn apply(view: &View<'_>, draft: &mut Draft, deployment: &Deployment) -> bool {
    let pods = job_manager_pods(view);
    let found = replica_failure(deployment)
        .or_else(|| container_trouble(pods))
        .or_else(|| mount_trouble(view));
    let Some((reason, message)) = found else {
        // Between two crashes a container runs for a moment: that alone is no recovery.
        let crashed = pods.iter().any(|pod| pod.restarts > 0);
        return draft.job_manager() == JobManager::Error && crashed && keep(draft);
    };
    draft.set_job_manager(JobManager::Error);
    if !draft.job_is_terminal() {
        draft.job().state = Some(FlinkJobState::Reconciling);
    }
    draft.degrade(Reason::DeploymentFailed, format!("{reason}: {message}"));
    draft.wait(
        Reason::DeploymentFailed,
        format!("the JobManager cannot start ({reason}); correct the spec, or what it refers to"),
    );
    let notice = Notice::warning("JobManagerDeployment", &reason, message.clone());
    draft.fail(Problem::DeploymentFailed, Some(&reason), &message, notice);
    true
}

/// Repeats the stored complaint.
fn keep(draft: &mut Draft) -> bool {
    let stored = draft.doc.typed.conditions.iter().flatten();
    let complaint = stored
        .filter(|condition| condition.type_ == "Degraded")
        .find(|condition| condition.reason.as_deref() == Some(Reason::DeploymentFailed.as_str()))
        .and_then(|condition| condition.message.clone());
    if let Some(message) = complaint {
        let reason = message.split(':').next().unwrap_or_default().to_owned();
        draft.degrade(Reason::DeploymentFailed, message);
        draft.wait(
            Reason::DeploymentFailed,
            format!(
                "the JobManager cannot start ({reason}); correct the spec, or what it refers to"
            ),
        );
    }
    true
}

/// Says that no node takes a pod, which another node or a smaller request can change.
pub(super) fn unschedulable(view: &View<'_>, draft: &mut Draft) {
    let Some(message) = job_manager_pods(view)
        .iter()
        .find_map(|pod| pod.unschedulable.clone())
    else {
        return;
    };
    draft.complain_once(Reason::Unschedulable, "JobManagerDeployment", &message);
    draft.wait(
        Reason::Unschedulable,
        format!("waiting for a node that takes the JobManager's pod: {message}"),
    );
}

/// Returns whether a JobManager pod has been waiting for its volumes for too long.
pub(super) fn mounting_takes_long(view: &View<'_>) -> bool {
    let reconciliation = view.stored.typed.reconciliation_status.as_ref();
    let since = reconciliation.and_then(|reconciliation| reconciliation.reconciliation_timestamp);
    let patience = i64::try_from(MOUNT_PATIENCE.as_millis()).unwrap_or(i64::MAX);
    let over = since.is_some_and(|since| view.now.as_millisecond() - since > patience);
    over && job_manager_pods(view)
        .iter()
        .any(|pod| pod.preparing && !pod.deleting)
}

/// Returns whether a job has been waiting for its tasks for so long that its TaskManagers are worth a look.
pub(super) fn tasks_take_long(view: &View<'_>) -> bool {
    let ready = view.observed.job_managers.value().into_iter().flatten();
    let since = ready.filter_map(|pod| pod.ready_since).max();
    since.is_some_and(|since| view.now.duration_since(since) > TASK_MANAGERS_TAKE)
}

/// Says what keeps TaskManagers from working, which a job that does not run waits for.
pub(super) fn task_managers(view: &View<'_>, draft: &mut Draft) {
    let pods = view.observed.answers.task_manager_pods.value();
    let alive = || pods.into_iter().flatten().filter(|pod| !pod.deleting);
    let trouble = alive().find_map(|pod| {
        let (reason, message) = trouble_of(pod)?;
        Some((
            Reason::DeploymentFailed,
            pod,
            format!("{reason}: {message}"),
        ))
    });
    let unplaced = || {
        let found = alive().find_map(|pod| Some((pod, pod.unschedulable.clone()?)));
        found.map(|(pod, message)| (Reason::Unschedulable, pod, message))
    };
    let Some((reason, pod, message)) = trouble.or_else(unplaced) else {
        return;
    };
    let message = format!("TaskManager pod {} cannot start: {message}", pod.name);
    draft.complain_once(reason, "JobManagerDeployment", &message);
    draft.wait(
        Reason::WaitingForJob,
        format!("the job waits for slots; {message}"),
    );
}

fn job_manager_pods<'a>(view: &View<'a>) -> &'a [Pod] {
    view.observed
        .job_managers
        .value()
        .map_or(&[], Vec::as_slice)
}

fn replica_failure(deployment: &Deployment) -> Option<(String, String)> {
    deployment
        .replica_failure
        .clone()
        .map(|message| ("FailedCreate".to_owned(), message))
}

fn container_trouble(pods: &[Pod]) -> Option<(String, String)> {
    let mut alive = pods
        .iter()
        .filter(|pod| pod.is_job_manager && !pod.deleting);
    alive.find_map(trouble_of)
}

fn trouble_of(pod: &Pod) -> Option<(String, String)> {
    let mut troubles = pod.troubles.iter();
    let trouble = troubles.find(|trouble| FATAL.contains(&trouble.reason.as_str()))?;
    let message = match (&trouble.last_termination, trouble.reason.as_str()) {
        (Some(last), "CrashLoopBackOff") => format!("[{}] CrashLoop - {last}", trouble.container),
        _ => format!("[{}] {}", trouble.container, trouble.message),
    };
    Some((trouble.reason.clone(), stable(&message)))
}

fn mount_trouble(view: &View<'_>) -> Option<(String, String)> {
    let events = view.observed.answers.pod_events.value()?;
    let newest = events
        .iter()
        .filter(|event| event.reason == "FailedMount")
        .max_by_key(|event| event.at)?;
    Some((newest.reason.clone(), stable(&newest.message)))
}

/// Cuts off the growing delay that a kubelet puts in front of the message, so that it is the same
/// message from look to look.
fn stable(message: &str) -> String {
    match message.split_once("back-off ") {
        Some((before, rest)) => {
            let rest = rest.split_once(' ').map_or(rest, |(_, rest)| rest);
            format!("{before}back-off {rest}")
        }
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::stable;

    #[test]
    fn a_growing_back_off_does_not_change_the_message() {
        let first = stable("[flink-main-container] back-off 10s restarting failed container");
        let later = stable("[flink-main-container] back-off 5m0s restarting failed container");
        assert_eq!(first, later);
        assert_eq!(
            first,
            "[flink-main-container] back-off restarting failed container"
        );
    }
}
