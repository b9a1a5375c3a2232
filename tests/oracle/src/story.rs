//! Writes histories by hand, one sentence a line. Everything happens to resource `demo/a`.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::history::{
    Call, Calm, Change, End, Goal, History, Moment, Request, Restored, Run, Snapshot, Verb,
};

pub(crate) const JOB: &str = "0123456789abcdef0123456789abcdef";

pub(crate) struct Story {
    pub(crate) history: History,
    order: u64,
    now: Timestamp,
    version: u64,
    deployments: u32,
}

impl Story {
    pub(crate) fn new() -> Self {
        let now = Timestamp::from_second(1_767_225_600).unwrap();
        let history = History {
            changes: Vec::new(),
            requests: Vec::new(),
            calls: Vec::new(),
            runs: Vec::new(),
            snapshots: Vec::new(),
            calm: None,
            end: Moment::new(0, now),
        };
        Self {
            history,
            order: 0,
            now,
            version: 1,
            deployments: 0,
        }
    }

    pub(crate) fn moment(&mut self) -> Moment {
        self.order += 1;
        Moment::new(self.order, self.now)
    }

    pub(crate) fn pass(&mut self, seconds: i64) -> &mut Self {
        self.now += SignedDuration::from_secs(seconds);
        self
    }

    fn current(&self, kind: &str, name: &str) -> Option<Value> {
        self.history
            .changes
            .iter()
            .rev()
            .find(|c| c.kind == kind && c.name == name)?
            .new
            .clone()
    }

    /// Somebody, perhaps the operator, puts an object into this state.
    pub(crate) fn put(&mut self, kind: &str, name: &str, new: Option<Value>) -> &mut Self {
        let old = self.current(kind, name);
        let moment = self.moment();
        self.version += 1;
        self.history.changes.push(Change {
            moment,
            kind: kind.into(),
            namespace: "demo".into(),
            name: name.into(),
            old,
            new,
        });
        self
    }

    pub(crate) fn request(
        &mut self,
        verb: Verb,
        resource: &str,
        name: &str,
        body: Option<Value>,
    ) -> &mut Request {
        let moment = self.moment();
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        self.history.requests.push(Request {
            moment,
            instance: "op".into(),
            verb,
            resource: resource.into(),
            subresource: subresource.into(),
            namespace: "demo".into(),
            name: name.into(),
            body,
            applied: true,
        });
        self.history.requests.last_mut().unwrap()
    }

    /// The operator calls the JobManager and hears the reply.
    pub(crate) fn call(
        &mut self,
        method: &str,
        path: &str,
        body: Option<Value>,
        reply: Value,
    ) -> &mut Self {
        let (moment, received) = (self.moment(), self.moment());
        self.history.calls.push(Call {
            moment,
            instance: "op".into(),
            namespace: "demo".into(),
            cluster: "a".into(),
            method: method.into(),
            path: path.into(),
            body,
            code: if method == "GET" { 200 } else { 202 },
            reply: Some(reply),
            received: Some(received),
        });
        self
    }

    /// The user creates the resource.
    pub(crate) fn resource(&mut self, spec: impl Into<Value>) -> &mut Self {
        let spec: Value = spec.into();
        let object = json!({ "metadata": { "name": "a", "uid": "r1", "generation": 1 }, "spec": spec, "status": {} });
        self.put("FlinkDeployment", "a", Some(object))
    }

    pub(crate) fn change_resource(&mut self, change: impl FnOnce(&mut Value)) -> &mut Self {
        let mut object = self.current("FlinkDeployment", "a").unwrap();
        change(&mut object);
        self.put("FlinkDeployment", "a", Some(object))
    }

    /// The user edits the spec.
    pub(crate) fn edit(&mut self, change: impl FnOnce(&mut Value)) -> &mut Self {
        self.change_resource(|object| {
            change(&mut object["spec"]);
            object["metadata"]["generation"] =
                json!(object["metadata"]["generation"].as_i64().unwrap() + 1);
        })
    }

    /// The operator writes the status.
    pub(crate) fn status(&mut self, patch: Value) -> &mut Self {
        let mut object = self.current("FlinkDeployment", "a").unwrap();
        merge(&mut object["status"], patch);
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.request(
            Verb::Update,
            "flinkdeployments/status",
            "a",
            Some(object.clone()),
        );
        self.put("FlinkDeployment", "a", Some(object))
    }

    pub(crate) fn generation(&self) -> i64 {
        self.current("FlinkDeployment", "a").unwrap()["metadata"]["generation"]
            .as_i64()
            .unwrap()
    }

    pub(crate) fn deployment_body(&self, attempt: &str) -> Value {
        json!({ "metadata": { "name": "a",
            "annotations": { "flink.apache.org/attempt": attempt, "flinkdeployment.flink.apache.org/generation": self.generation().to_string() },
            "ownerReferences": [{ "kind": "FlinkDeployment", "name": "a", "uid": "r1" }] } })
    }

    pub(crate) fn intent(&mut self, attempt: &str) -> &mut Self {
        self.status(
            json!({ "operation": { "kind": "Deploy", "attempt": { "id": attempt } },
            "jobStatus": { "state": "RECONCILING" } }),
        )
    }

    /// The operator creates the Deployment; gives its uid.
    pub(crate) fn create_deployment(&mut self, attempt: &str) -> String {
        self.deployments += 1;
        let uid = format!("d{}", self.deployments);
        let body = self.deployment_body(attempt);
        self.request(Verb::Create, "deployments", "a", Some(body.clone()));
        let mut stored = body;
        stored["metadata"]["uid"] = json!(uid);
        self.put("Deployment", "a", Some(stored));
        uid
    }

    /// The operator creates the children of a Deployment.
    pub(crate) fn children(&mut self, uid: &str) -> &mut Self {
        for (kind, resource, name) in [
            ("Service", "services", "a-rest"),
            ("ConfigMap", "configmaps", "flink-config-a"),
        ] {
            let body = json!({ "metadata": { "name": name, "labels": { "app": "a" },
                "ownerReferences": [{ "kind": "Deployment", "name": "a", "uid": uid }] } });
            self.request(Verb::Create, resource, name, Some(body.clone()));
            self.put(kind, name, Some(body));
        }
        self
    }

    pub(crate) fn pod(&mut self, name: &str) -> &mut Self {
        self.put(
            "Pod",
            name,
            Some(json!({ "metadata": { "name": name, "uid": name, "labels": { "app": "a" } } })),
        )
    }

    /// A job begins to work in a pod.
    pub(crate) fn run(&mut self, deployment: &str, pod: &str, restored: Option<usize>) -> usize {
        let restored = restored.map(|number| {
            let snapshot = &self.history.snapshots[number];
            Restored {
                path: snapshot.path.clone(),
                checkpoint: snapshot.checkpoint,
                progress: snapshot.progress,
                from_ha: false,
            }
        });
        let (started, working) = (self.moment(), self.moment());
        self.history.runs.push(Run {
            namespace: "demo".into(),
            cluster: "a".into(),
            deployment: deployment.into(),
            pod: pod.into(),
            container: 0,
            job: JOB.into(),
            started,
            working: Some(working),
            ended: None,
            progress: restored.as_ref().map_or(0, |restored| restored.progress),
            restored,
        });
        self.history.runs.len() - 1
    }

    pub(crate) fn end_run(&mut self, run: usize, end: End) -> &mut Self {
        let moment = self.moment();
        self.history.runs[run].ended = Some((moment, end));
        self
    }

    /// A run completes a checkpoint or savepoint; gives its number.
    pub(crate) fn snapshot(
        &mut self,
        run: usize,
        path: &str,
        progress: u64,
        savepoint: bool,
    ) -> usize {
        let completed = self.moment();
        self.history.snapshots.push(Snapshot {
            path: path.into(),
            namespace: "demo".into(),
            cluster: "a".into(),
            job: JOB.into(),
            checkpoint: progress,
            savepoint,
            stop: false,
            progress,
            run,
            completed,
            discarded: None,
        });
        self.history.snapshots.len() - 1
    }

    /// The operator asks Flink to stop the job with a savepoint, as it has stored that it will.
    pub(crate) fn ask_to_stop(&mut self, trigger: &str) -> &mut Self {
        self.status(
            json!({ "operation": { "kind": "Stop", "trigger": { "id": trigger, "job": JOB } } }),
        );
        self.post_stop(trigger)
    }

    /// The operator sends a stop.
    pub(crate) fn post_stop(&mut self, trigger: &str) -> &mut Self {
        let body = json!({ "targetDirectory": "file:///sp", "triggerId": trigger });
        let reply = json!({ "request-id": trigger });
        self.call("POST", &format!("/jobs/{JOB}/stop"), Some(body), reply)
    }

    /// The operator asks for the result of a stop and is told this.
    pub(crate) fn hear_of_stop(&mut self, trigger: &str, operation: &Value) -> &mut Self {
        let id = if operation.is_null() {
            "IN_PROGRESS"
        } else {
            "COMPLETED"
        };
        let reply = json!({ "status": { "id": id }, "operation": operation });
        self.call(
            "GET",
            &format!("/jobs/{JOB}/savepoints/{trigger}"),
            None,
            reply,
        )
    }

    /// A run ends with the savepoint that a stop asked for; gives the number of the savepoint.
    pub(crate) fn stopped(&mut self, run: usize, path: &str, progress: u64) -> usize {
        let number = self.snapshot(run, path, progress, true);
        self.history.snapshots[number].stop = true;
        self.end_run(run, End::Finished);
        number
    }

    /// The operator deploys by the protocol and the job comes up; gives the run.
    pub(crate) fn deploy(&mut self, attempt: &str, restored: Option<usize>) -> usize {
        self.intent(attempt);
        let uid = self.create_deployment(attempt);
        self.status(json!({ "cluster": { "deploymentUid": uid, "attemptId": attempt } }));
        self.children(&uid);
        let pod = format!("a-{uid}");
        self.pod(&pod);
        let run = self.run(&uid, &pod, restored);
        let generation = self.generation();
        self.status(
            json!({ "operation": null, "lifecycleState": "STABLE", "observedGeneration": generation,
            "jobStatus": { "jobId": JOB, "state": "RUNNING" } }),
        );
        run
    }

    pub(crate) fn delete_deployment(&mut self) -> &mut Self {
        let uid = self.current("Deployment", "a").unwrap()["metadata"]["uid"].clone();
        let options = json!({ "preconditions": { "uid": uid }, "propagationPolicy": "Foreground" });
        self.request(Verb::Delete, "deployments", "a", Some(options));
        self
    }

    /// Pods, children and the Deployment go.
    pub(crate) fn cluster_goes(&mut self) -> &mut Self {
        let uid = self.current("Deployment", "a").unwrap()["metadata"]["uid"]
            .as_str()
            .unwrap()
            .to_owned();
        self.put("Pod", &format!("a-{uid}"), None);
        self.put("Service", "a-rest", None)
            .put("ConfigMap", "flink-config-a", None)
            .put("Deployment", "a", None)
    }

    /// The operator cancels the job and removes the cluster by the protocol.
    pub(crate) fn end(&mut self, run: usize) -> &mut Self {
        self.status(json!({ "operation": { "kind": "End" } }));
        self.call(
            "PATCH",
            &format!("/jobs/{JOB}?mode=cancel"),
            None,
            json!({}),
        );
        self.end_run(run, End::Canceled);
        self.status(json!({ "jobStatus": { "state": "CANCELED" } }));
        self.delete_deployment();
        self.cluster_goes()
    }

    /// Nothing disturbs any more; the operator has a minute.
    pub(crate) fn calm(&mut self, goal: Goal) -> &mut Self {
        let since = self.moment();
        let rest_by = self.now + SignedDuration::from_mins(1);
        self.history.calm = Some(Calm {
            since,
            rest_by,
            goals: vec![("demo".into(), "a".into(), goal)],
        });
        self
    }

    /// Ends the story; gives the ids of the rules that it breaks.
    pub(crate) fn broken(&mut self) -> Vec<&'static str> {
        self.pass(3_600);
        self.history.end = self.moment();
        let mut broken: Vec<_> = crate::judge(&self.history)
            .into_iter()
            .map(|violation| violation.rule)
            .collect();
        broken.dedup();
        broken
    }
}

/// Merges like a merge patch: null removes.
fn merge(into: &mut Value, patch: Value) {
    let Value::Object(fields) = patch else {
        *into = patch;
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, value) in fields {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(&key);
        } else {
            merge(&mut into[key.as_str()], value);
        }
    }
}

pub(crate) fn stateless() -> Value {
    json!({ "job": { "upgradeMode": "stateless" } })
}

pub(crate) fn stateful() -> Value {
    json!({ "job": { "upgradeMode": "savepoint" } })
}

pub(crate) fn last_state() -> Value {
    json!({ "job": { "upgradeMode": "last-state" }, "flinkConfiguration": { "high-availability.type": "kubernetes" } })
}
