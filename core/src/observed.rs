//! Everything one pass knows when it decides.

use crate::config::OperatorSettings;
use crate::fact::{Fact, JobManagers, Subject, Why};
use crate::name::{AttemptId, JobId, ResourceVersion, Uid};
use crate::question::{Question, Wanted};
use crate::resource::Resource;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a decision is made from: one resource, one configuration snapshot, facts.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The managed resource.
    pub resource: Resource,
    /// The configuration of the operator for the whole pass.
    pub settings: Arc<OperatorSettings>,
    /// Whether the installed CRD drops the status fields that effects rely on.
    pub crd_outdated: bool,
    /// Where the resource and its Deployment were read.
    pub origin: Origin,
    /// The JobManager Deployment of the resource's name.
    pub deployment: Fact<Option<Deployment>>,
    /// JobManager pods, from the watch store or the API server.
    pub job_managers: Fact<Vec<Pod>>,
    /// Answers to the questions of this pass.
    pub answers: Answers,
}

/// Where the resource and its Deployment were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From the watch stores: perhaps stale, so that nothing irreversible may follow.
    Stores,
    /// From the API server, in this pass.
    Server,
}

/// One field per question of [`Question`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// See [`Question::Jobs`].
    pub jobs: Fact<Vec<Job>>,
    /// See [`Question::Checkpoints`].
    pub checkpoints: Fact<Checkpoints>,
    /// See [`Question::FlinkInfo`].
    pub flink: Fact<FlinkInfo>,
    /// See [`Question::TaskManagers`].
    pub task_managers: Fact<u32>,
    /// See [`Question::RootCause`].
    pub root_cause: Fact<Option<JobFailure>>,
    /// See [`Question::Trigger`].
    pub trigger: Fact<Trigger>,
    /// See [`Question::PodEvents`].
    pub pod_events: Fact<Vec<PodEvent>>,
    /// See [`Question::TaskManagerPods`].
    pub task_manager_pods: Fact<Vec<Pod>>,
    /// See [`Question::Pods`].
    pub pods: Fact<Vec<Pod>>,
    /// See [`Question::Children`].
    pub children: Fact<Vec<Child>>,
    /// See [`Question::Ha`].
    pub ha: Fact<Vec<HaMap>>,
}

/// A JobManager Deployment, slim.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Deployment {
    /// The uid of the Deployment; empty only in tests.
    pub uid: String,
    /// The uids of its owners.
    pub owners: Vec<String>,
    /// The generation of the spec it was made from (`flinkdeployment.flink.apache.org/generation`).
    pub generation: Option<i64>,
    /// The attempt that made it (`flink.apache.org/attempt`); absent if Java did.
    pub attempt: Option<AttemptId>,
    /// The hash of all children of that attempt (`flink.apache.org/children`).
    pub children_hash: Option<String>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Pods that are available, as its controller counts.
    pub available: i32,
    /// Why its controller cannot create pods (quota, admission), if so.
    pub replica_failure: Option<String>,
    /// Whether it has never been available since its creation, proven by its condition's times.
    pub never_available: bool,
}

/// A pod of a cluster, slim.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools)] // independent observations, not states of one machine
pub struct Pod {
    /// The name of the pod.
    pub name: String,
    /// The uid of the pod.
    pub uid: String,
    /// The uids of its owners.
    pub owners: Vec<String>,
    /// Whether it is a JobManager.
    pub is_job_manager: bool,
    /// The address of the pod, once it has one.
    pub ip: Option<String>,
    /// Whether all its containers are ready.
    pub ready: bool,
    /// Since when they are, if they are.
    pub ready_since: Option<Timestamp>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Whether all its containers have ended for good.
    pub ended: bool,
    /// Restarts of the main container.
    pub restarts: i32,
    /// Why the scheduler does not place it, if so.
    pub unschedulable: Option<String>,
    /// Containers that do not run, with the reason.
    pub troubles: Vec<ContainerTrouble>,
    /// Whether volumes or sandbox are not set up yet.
    pub preparing: bool,
}

/// Why a container does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerTrouble {
    /// The name of the container.
    pub container: String,
    /// The kubelet's reason, such as `ImagePullBackOff`.
    pub reason: String,
    /// The kubelet's message; empty if it gave none.
    pub message: String,
    /// The message of the last termination, if there was one.
    pub last_termination: Option<String>,
}

/// An event about a pod of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodEvent {
    /// The reason, such as `FailedMount`.
    pub reason: String,
    /// The message.
    pub message: String,
    /// When it was last seen.
    pub at: Timestamp,
}

/// A Service or ConfigMap that is rendered for a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// `Service` or `ConfigMap`.
    pub kind: ChildKind,
    /// The name of the object.
    pub name: String,
    /// The uid of the object.
    pub uid: String,
    /// The uids of its owners.
    pub owners: Vec<String>,
}

/// The kinds of rendered children besides the Deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChildKind {
    /// core/v1 Service.
    Service,
    /// core/v1 ConfigMap.
    ConfigMap,
    /// core/v1 Secret: the keytab of a cluster.
    Secret,
}

impl ChildKind {
    /// Returns the kind as it stands in objects.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }
}

/// One ConfigMap with high-availability data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HaMap {
    /// The name of the ConfigMap.
    pub name: String,
    /// The uid of the ConfigMap.
    pub uid: Uid,
    /// The version that was read.
    pub resource_version: ResourceVersion,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// The keys of its data.
    pub keys: Vec<String>,
}

/// A job as `/jobs/overview` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The id of the job.
    pub id: JobId,
    /// The name of the job.
    pub name: String,
    /// The state, with `CREATED` for a job that runs without all its tasks.
    pub state: String,
    /// When this life of the job began, in epoch milliseconds.
    pub start_time: i64,
}

/// Checkpoint statistics of a job.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Checkpoints {
    /// The newest completed checkpoint or savepoint that is not discarded.
    pub newest: Option<Checkpoint>,
    /// The newest entry of all, if it is the savepoint of a stop: completed and not discarded.
    pub newest_stop: Option<Checkpoint>,
    /// The highest id of what was completed or restored.
    pub highest_id: Option<i64>,
    /// When the newest checkpoint was triggered, if it is not complete yet.
    pub pending_since: Option<Timestamp>,
    /// The id of what the job was restored from.
    pub restored_id: Option<i64>,
    /// Bytes of state in the newest completed checkpoint.
    pub state_size: Option<i64>,
}

/// A completed checkpoint or savepoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The id, counted per job.
    pub id: i64,
    /// Where it is stored.
    pub path: String,
    /// Whether it is a savepoint.
    pub savepoint: bool,
    /// When it was triggered.
    pub at: Option<Timestamp>,
}

/// A savepoint or stop under its trigger id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Not ended yet.
    InProgress,
    /// Completed with a location.
    Completed(String),
    /// Completed with a failure.
    Failed {
        /// The innermost cause.
        cause: String,
        /// Where the savepoint is that exists all the same: the job failed while it stopped.
        savepoint: Option<String>,
    },
    /// The JobManager does not know the id.
    NotFound,
}

impl Trigger {
    /// Returns where the savepoint is, if there is one: also where the job failed while it stopped.
    pub fn savepoint(&self) -> Option<&str> {
        match self {
            Self::Completed(path)
            | Self::Failed {
                savepoint: Some(path),
                ..
            } => Some(path),
            Self::InProgress | Self::Failed { .. } | Self::NotFound => None,
        }
    }
}

/// The last failure of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFailure {
    /// Flink's words, cut to a readable length.
    pub cause: String,
    /// When it happened, by the JobManager's clock.
    pub at: Option<Timestamp>,
}

/// What the running Flink says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlinkInfo {
    /// The version, such as `1.20.1`.
    pub version: String,
    /// Commit and date of the build.
    pub revision: String,
}

impl Deployment {
    /// Returns whether the resource with this uid owns it.
    pub fn owned_by(&self, resource: &str) -> bool {
        self.owners.iter().any(|uid| uid == resource)
    }
}

impl Observed {
    /// Returns the ready JobManager containers, which are the subject of every Flink fact.
    pub fn ready_job_managers(&self) -> JobManagers {
        let pods = self.job_managers.value().map_or(&[][..], Vec::as_slice);
        JobManagers::ready(pods)
    }

    /// Forgets Flink facts that are about other JobManagers than the ones ready now.
    #[must_use]
    pub fn forget_strangers(mut self) -> Self {
        let subject = Subject::JobManager(self.ready_job_managers());
        let answers = &mut self.answers;
        retain(&mut answers.jobs, &subject);
        retain(&mut answers.checkpoints, &subject);
        retain(&mut answers.flink, &subject);
        retain(&mut answers.task_managers, &subject);
        retain(&mut answers.root_cause, &subject);
        retain(&mut answers.trigger, &subject);
        self
    }

    /// Returns which of these questions have not been asked yet, or whose answer proves nothing
    /// because the resource and its Deployment come from the stores.
    pub fn missing(&self, wanted: &Wanted) -> Wanted {
        let stale = self.origin == Origin::Stores;
        wanted
            .iter()
            .filter(|question| !self.answers.asked(question) || (stale && question.is_proof()))
            .cloned()
            .collect()
    }
}

impl JobManagers {
    /// Lists the ready ones among these pods, sorted.
    pub fn ready(pods: &[Pod]) -> Self {
        let mut ready: Vec<_> = pods
            .iter()
            .filter(|pod| pod.is_job_manager && pod.ready && !pod.deleting)
            .map(|pod| (Uid::new(&pod.uid), pod.restarts))
            .collect();
        ready.sort();
        Self(ready)
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Answers {
    /// Returns whether a question has been asked, answered or not.
    pub fn asked(&self, question: &Question) -> bool {
        match question {
            Question::Jobs => self.jobs.asked(),
            Question::Checkpoints(_) => self.checkpoints.asked(),
            Question::FlinkInfo => self.flink.asked(),
            Question::TaskManagers => self.task_managers.asked(),
            Question::RootCause(_) => self.root_cause.asked(),
            Question::Trigger(..) => self.trigger.asked(),
            Question::PodEvents => self.pod_events.asked(),
            Question::TaskManagerPods => self.task_manager_pods.asked(),
            Question::Pods => self.pods.asked(),
            Question::Children => self.children.asked(),
            Question::Ha => self.ha.asked(),
        }
    }

    /// Answers a question with `Unknown`.
    pub fn unknown(&mut self, question: &Question, why: Why) {
        match question {
            Question::Jobs => self.jobs = Fact::Unknown(why),
            Question::Checkpoints(_) => self.checkpoints = Fact::Unknown(why),
            Question::FlinkInfo => self.flink = Fact::Unknown(why),
            Question::TaskManagers => self.task_managers = Fact::Unknown(why),
            Question::RootCause(_) => self.root_cause = Fact::Unknown(why),
            Question::Trigger(..) => self.trigger = Fact::Unknown(why),
            Question::PodEvents => self.pod_events = Fact::Unknown(why),
            Question::TaskManagerPods => self.task_manager_pods = Fact::Unknown(why),
            Question::Pods => self.pods = Fact::Unknown(why),
            Question::Children => self.children = Fact::Unknown(why),
            Question::Ha => self.ha = Fact::Unknown(why),
        }
    }
}

fn retain<T>(fact: &mut Fact<T>, subject: &Subject) {
    *fact = std::mem::take(fact).only_about(subject);
}

/// Labels as the API server holds them.
pub type Labels = BTreeMap<String, String>;
