//! Observations that read like prose.

use crate::config::{Configuration, HostFiles, OperatorSettings};
use crate::decide;
use crate::decision::{Decision, Step};
use crate::effect::{Effect, Outcome, Receipt};
use crate::fact::{Fact, JobManagers, Subject, Why};
use crate::name::{
    AttemptId, Ids, JobId, Key, Kind, ResourceVersion, ResultStoreId, TriggerId, Uid,
};
use crate::observed::{
    Answers, Checkpoint, Checkpoints, Child, ChildKind, ContainerTrouble, Deployment, HaMap, Job,
    JobFailure, Observed, Origin, Pod, Trigger,
};
use crate::resource::{Meta, Resource, Status};
use flink_operator_api::{Condition, FlinkDeploymentStatus, ResourceLifecycleState};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const JOB: &str = "00000000000000000000000000000001";
pub(super) const DEPLOYMENT: &str = "uid-of-deployment";

/// What one pass sees, and the time.
#[derive(Clone)]
pub(super) struct Scene {
    pub(super) observed: Observed,
    pub(super) now: Timestamp,
    spec: Value,
    status: Value,
}

pub(super) fn ids(number: u8) -> Ids {
    Ids {
        operation: format!("operation-{number}"),
        attempt: AttemptId::new(format!("attempt-{number}")),
        job: JobId::new(format!("{number:032x}")),
        result_store: ResultStoreId::new(format!("store-{number}")),
        trigger: TriggerId::new(format!("{number:032x}")),
    }
}

impl Scene {
    /// A resource as a user creates it, with our finalizer, seen at the API server, nothing else there.
    pub(super) fn created() -> Self {
        let spec = json!({
            "image": "flink:1.20", "flinkVersion": "v1_20", "serviceAccount": "flink",
            "jobManager": { "resource": { "memory": "2048m", "cpu": 1 } },
            "taskManager": { "resource": { "memory": "2048m", "cpu": 1 } },
            "job": { "jarURI": "local:///opt/a.jar", "parallelism": 2, "upgradeMode": "stateless" },
        });
        let meta = Meta {
            key: Key {
                kind: Kind::FlinkDeployment,
                namespace: "default".into(),
                name: "basic".into(),
            },
            uid: Uid::new("uid-of-resource"),
            resource_version: ResourceVersion::new("7"),
            generation: 1,
            deleted_at: None,
            finalizers: vec![Kind::FlinkDeployment.finalizer().to_owned()],
            labels: std::collections::BTreeMap::default(),
            annotations: std::collections::BTreeMap::default(),
        };
        let base: Configuration = [("parallelism.default", "1")].into_iter().collect();
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let subject = Subject::Resource(meta.uid.clone());
        let observed = Observed {
            resource: Resource::parse(meta, &spec.to_string(), None),
            settings: Arc::new(OperatorSettings::new(base, HostFiles::default())),
            crd_outdated: false,
            origin: Origin::Server,
            deployment: Fact::known(None, subject.clone(), now),
            job_managers: Fact::known(Vec::new(), subject.clone(), now),
            answers: Answers {
                pods: Fact::known(Vec::new(), subject.clone(), now),
                children: Fact::known(Vec::new(), subject.clone(), now),
                ha: Fact::known(Vec::new(), subject, now),
                ..Answers::default()
            },
        };
        Self {
            observed,
            now,
            spec,
            status: json!({}),
        }
    }

    /// The same resource, deployed and at rest with its job running.
    pub(super) fn running() -> Self {
        Self::running_with(|_| {})
    }

    /// The same with another spec from the beginning.
    pub(super) fn running_with(change: impl FnOnce(&mut Value)) -> Self {
        let mut scene = Self::created().edit(change);
        scene.observed.resource.meta.generation = 1;
        let first = scene.act(1);
        scene.store(&first, &done(&first));
        scene
            .with_cluster("attempt-1")
            .with_job("RUNNING")
            .settled()
    }

    /// Runs a pass and stores what it decides, without effects.
    pub(super) fn settled(mut self) -> Self {
        let decision = self.act(9);
        assert_eq!(decision.effects, [], "{:#?}", decision.notices);
        self.put(&decision.status);
        self
    }

    fn reparse(&mut self) {
        let meta = self.observed.resource.meta.clone();
        self.observed.resource =
            Resource::parse(meta, &self.spec.to_string(), Some(&self.status.to_string()));
    }

    pub(super) fn put(&mut self, status: &Status) {
        self.status = status.to_json().unwrap();
        self.reparse();
    }

    /// Stores what settles after these outcomes.
    pub(super) fn store(&mut self, decision: &Decision, outcomes: &[Outcome]) {
        let settled = decide::settle(&self.observed, decision, outcomes, self.now);
        self.put(&settled.status);
    }

    /// Stores a status as it is.
    pub(super) fn with_status(mut self, status: &Status) -> Self {
        self.put(status);
        self
    }

    /// The status as it is stored.
    pub(super) fn stored(&self) -> FlinkDeploymentStatus {
        serde_json::from_value(self.status.clone()).unwrap()
    }

    /// The JobManager that answers.
    pub(super) fn subject_of_flink(&self) -> Subject {
        Subject::JobManager(self.observed.ready_job_managers())
    }

    /// Stores the intent alone, as a crash right after it leaves it.
    pub(super) fn crash_after_intent(mut self, decision: &Decision) -> Self {
        self.put(decision.intent.as_ref().unwrap());
        self
    }

    pub(super) fn edit(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.spec);
        self.observed.resource.meta.generation += 1;
        self.reparse();
        self
    }

    pub(super) fn later(mut self, by: SignedDuration) -> Self {
        self.now += by;
        self
    }

    pub(super) fn deleted(mut self) -> Self {
        self.observed.resource.meta.deleted_at = Some(self.now);
        self
    }

    pub(super) fn seen_in_stores(mut self) -> Self {
        self.observed.origin = Origin::Stores;
        self.observed.answers = Answers::default();
        self
    }

    fn of_resource(&self) -> Subject {
        Subject::Resource(self.observed.resource.meta.uid.clone())
    }

    pub(super) fn with_deployment(mut self, deployment: Deployment) -> Self {
        self.observed.deployment = Fact::known(Some(deployment), self.of_resource(), self.now);
        self
    }

    /// The Deployment of an attempt, complete, with a ready pod.
    pub(super) fn with_cluster(self, attempt: &str) -> Self {
        let hash = self.status["operation"]["attempt"]["childrenHash"]
            .as_str()
            .map(ToOwned::to_owned);
        self.with_deployment(deployment(attempt, hash))
            .with_children(DEPLOYMENT)
            .with_ready_pod()
    }

    pub(super) fn with_ready_pod(mut self) -> Self {
        let pod = Pod {
            name: "basic-1".into(),
            uid: "uid-of-pod".into(),
            is_job_manager: true,
            ready: true,
            ..Pod::default()
        };
        self.observed.job_managers = Fact::known(vec![pod.clone()], self.of_resource(), self.now);
        self.observed.answers.pods = Fact::known(vec![pod], self.of_resource(), self.now);
        self
    }

    pub(super) fn with_pods(mut self, pods: Vec<Pod>) -> Self {
        self.observed.job_managers = Fact::known(pods.clone(), self.of_resource(), self.now);
        self.observed.answers.pods = Fact::known(pods, self.of_resource(), self.now);
        self
    }

    /// The JobManager's pod has crashed before and is not ready: it waits for this reason, or runs for a moment.
    pub(super) fn crashing(self, waits: Option<&str>) -> Self {
        let trouble = waits.map(|reason| ContainerTrouble {
            container: "flink-main-container".into(),
            reason: reason.into(),
            message: "back-off 10s restarting failed container".into(),
            last_termination: None,
        });
        let pod = Pod {
            name: "basic-1".into(),
            is_job_manager: true,
            restarts: 2,
            troubles: trouble.into_iter().collect(),
            ..Pod::default()
        };
        self.with_pods(vec![pod]).silent(Why::NoJobManager)
    }

    pub(super) fn with_children(mut self, owner: &str) -> Self {
        let child = |kind, name: &str| Child {
            kind,
            name: name.into(),
            uid: format!("uid-of-{name}"),
            owners: if owner.is_empty() {
                Vec::new()
            } else {
                vec![owner.to_owned()]
            },
        };
        let all = vec![
            child(ChildKind::Service, "basic"),
            child(ChildKind::Service, "basic-rest"),
            child(ChildKind::ConfigMap, "flink-config-basic"),
        ];
        self.observed.answers.children = Fact::known(all, self.of_resource(), self.now);
        self
    }

    pub(super) fn without_children(mut self) -> Self {
        self.observed.answers.children = Fact::known(Vec::new(), self.of_resource(), self.now);
        self
    }

    pub(super) fn without_cluster(mut self) -> Self {
        self.observed.deployment = Fact::known(None, self.of_resource(), self.now);
        self.with_pods(Vec::new()).without_children()
    }

    pub(super) fn with_ha(mut self, name: &str, keys: &[&str]) -> Self {
        let map = HaMap {
            name: name.into(),
            uid: Uid::new("uid-of-map"),
            resource_version: ResourceVersion::new("3"),
            deleting: false,
            keys: keys.iter().map(ToString::to_string).collect(),
        };
        self.observed.answers.ha = Fact::known(vec![map], self.of_resource(), self.now);
        self
    }

    pub(super) fn with_job(mut self, state: &str) -> Self {
        let job = Job {
            id: JobId::new(JOB),
            name: "basic".into(),
            state: state.into(),
            start_time: 1000,
        };
        self.observed.answers.jobs = Fact::known(vec![job], of_flink(), self.now);
        self
    }

    /// The list of savepoints in the status holds this one.
    pub(super) fn with_listed_savepoint(mut self, path: &str) -> Self {
        let savepoint = json!({ "location": path, "triggerType": "UPGRADE" });
        self.status["jobStatus"]["savepointInfo"] =
            json!({ "lastSavepoint": savepoint, "savepointHistory": [savepoint] });
        self.reparse();
        self
    }

    /// Flink has no checkpoint statistics of the job.
    pub(super) fn without_statistics(mut self) -> Self {
        self.observed.answers.checkpoints = Fact::Unknown(Why::Status {
            code: 404,
            message: "Checkpointing is not enabled".into(),
        });
        self
    }

    pub(super) fn without_jobs(mut self) -> Self {
        self.observed.answers.jobs = Fact::known(Vec::new(), of_flink(), self.now);
        self
    }

    pub(super) fn silent(mut self, why: Why) -> Self {
        self.observed.answers.jobs = Fact::Unknown(why);
        self
    }

    pub(super) fn with_checkpoint(mut self, id: i64) -> Self {
        let newest = Checkpoint {
            id,
            path: format!("s3://a/chk-{id}"),
            savepoint: false,
            at: Some(self.now),
        };
        let statistics = Checkpoints {
            newest: Some(newest),
            highest_id: Some(id),
            state_size: Some(10),
            ..Checkpoints::default()
        };
        self.observed.answers.checkpoints = Fact::known(statistics, of_flink(), self.now);
        self
    }

    /// The statistics name the savepoint of a stop as the newest of all.
    pub(super) fn with_stop_savepoint(mut self, id: i64, path: &str) -> Self {
        let savepoint = Checkpoint {
            id,
            path: path.into(),
            savepoint: true,
            at: Some(self.now),
        };
        let statistics = Checkpoints {
            newest: Some(savepoint.clone()),
            newest_stop: Some(savepoint),
            highest_id: Some(id),
            ..Checkpoints::default()
        };
        self.observed.answers.checkpoints = Fact::known(statistics, of_flink(), self.now);
        self
    }

    /// The statistics say from what the job was restored.
    pub(super) fn with_restored(mut self, id: Option<i64>) -> Self {
        let statistics = Checkpoints {
            restored_id: id,
            highest_id: id,
            ..Checkpoints::default()
        };
        self.observed.answers.checkpoints = Fact::known(statistics, of_flink(), self.now);
        self
    }

    pub(super) fn with_trigger(mut self, trigger: Trigger) -> Self {
        self.observed.answers.trigger = Fact::known(trigger, of_flink(), self.now);
        self
    }

    /// The job as another JobManager process started it again.
    pub(super) fn with_job_since(mut self, state: &str, start_time: i64) -> Self {
        let job = Job {
            id: JobId::new(JOB),
            name: "basic".into(),
            state: state.into(),
            start_time,
        };
        self.observed.answers.jobs = Fact::known(vec![job], of_flink(), self.now);
        self
    }

    pub(super) fn after(self, seconds: i64) -> Self {
        self.later(SignedDuration::from_secs(seconds))
    }

    /// The job has failed, with this cause, some seconds ago; or never.
    pub(super) fn with_root_cause(mut self, failure: Option<(&str, i64)>) -> Self {
        let failure = failure.map(|(cause, seconds)| JobFailure {
            cause: cause.into(),
            at: Some(self.now - SignedDuration::from_secs(seconds)),
        });
        self.observed.answers.root_cause = Fact::known(failure, of_flink(), self.now);
        self
    }

    pub(super) fn step(&self, number: u8) -> Step {
        decide::decide(&self.observed, self.now, &ids(number))
    }

    pub(super) fn act(&self, number: u8) -> Decision {
        match self.step(number) {
            Step::Act(decision) => *decision,
            Step::Ask(wanted) => panic!("asks for {wanted:?}"),
        }
    }
}

/// Makes a spec one that keeps its state in savepoints.
pub(super) fn stateful(spec: &mut Value) {
    spec["job"]["upgradeMode"] = json!("savepoint");
    spec["flinkConfiguration"] =
        json!({ "state.checkpoints.dir": "s3://a", "state.savepoints.dir": "s3://b" });
}

fn of_flink() -> Subject {
    Subject::JobManager(JobManagers(vec![(Uid::new("uid-of-pod"), 0)]))
}

pub(super) fn deployment(attempt: &str, children_hash: Option<String>) -> Deployment {
    Deployment {
        uid: DEPLOYMENT.into(),
        owners: vec!["uid-of-resource".into()],
        generation: Some(1),
        attempt: Some(AttemptId::new(attempt)),
        children_hash,
        available: 1,
        ..Deployment::default()
    }
}

/// Every effect done; a created Deployment gets the usual uid.
pub(super) fn done(decision: &Decision) -> Vec<Outcome> {
    let receipt = |effect: &Effect| match effect {
        Effect::CreateDeployment { .. } => Receipt::Created(Uid::new(DEPLOYMENT)),
        _ => Receipt::Nothing,
    };
    decision
        .effects
        .iter()
        .map(|effect| Outcome::Done(receipt(effect)))
        .collect()
}

pub(super) fn labels(decision: &Decision) -> Vec<&'static str> {
    decision.effects.iter().map(Effect::label).collect()
}

pub(super) fn typed(status: &Status) -> &FlinkDeploymentStatus {
    match status {
        Status::FlinkDeployment(doc) => &doc.typed,
        Status::Unreadable(broken) => panic!("{broken}"),
    }
}

pub(super) fn lifecycle(decision: &Decision) -> ResourceLifecycleState {
    typed(&decision.status).lifecycle_state.unwrap()
}

/// The reason of a condition.
pub(super) fn reason(decision: &Decision, type_: &str) -> String {
    condition(decision, type_).reason.clone().unwrap()
}

pub(super) fn message(decision: &Decision, type_: &str) -> String {
    condition(decision, type_).message.clone().unwrap()
}

fn condition<'a>(decision: &'a Decision, type_: &str) -> &'a Condition {
    let conditions = typed(&decision.status).conditions.as_ref().unwrap();
    let mut found = conditions.iter();
    found.find(|condition| condition.type_ == type_).unwrap()
}
