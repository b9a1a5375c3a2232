//! The sandbox's counting job as a resource that keeps its state, and what proves that it was kept: its own
//! journal, Flink's word about what it restored, and the snapshot that Kubernetes shows.

use std::fs::{self, File};
use std::path::PathBuf;

use kube::Api;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};

use crate::flink::{ask, pods};
use crate::journal::{Journal, Repeats};
use crate::leftovers::processes_of;
use crate::resource::{FlinkResource, SOON, condition, holds, job_id};
use crate::scene::Scene;

/// What every counting job is told; the volume of the example is the test's own folder `data`.
const ARGUMENTS: [&str; 8] = [
    "--journal",
    "/flink-data/journal",
    "--rate",
    "50",
    "--keys",
    "8",
    "--trouble-while",
    "/flink-data/trouble",
];

/// So often a job counts each key before its state is worth being proven.
const ROUNDS: usize = 3;

/// A job that counts, and the folder that outlives it.
pub(crate) struct Counting<'a> {
    scene: &'a Scene,
    pub(crate) resource: FlinkResource<'a>,
    data: PathBuf,
}

impl<'a> Counting<'a> {
    /// Creates the resource from the example of the repository.
    pub(crate) async fn create(scene: &'a Scene, edit: impl FnOnce(&mut Value)) -> Self {
        let data = scene.folder.join("data");
        fs::create_dir_all(&data).unwrap();
        let resource = scene.example("savepoint.yaml", |resource| {
            let path =
                &mut resource["spec"]["podTemplate"]["spec"]["volumes"][0]["hostPath"]["path"];
            assert!(path.is_string(), "the example keeps its data on the node");
            *path = json!(data);
            resource["spec"]["job"]["args"] = arguments(&[]);
            edit(resource);
        });
        Self {
            scene,
            resource: resource.await,
            data,
        }
    }

    /// Reads what has been counted so far, by this job and by those before.
    pub(crate) fn journal(&self) -> Journal {
        Journal::read(&self.data.join("journal"))
    }

    /// Waits until a job has counted every key some times more.
    pub(crate) async fn counts(&self, job: &str) {
        let wanted = self.journal().rounds(job) + ROUNDS;
        let counted = async || (self.journal().rounds(job) >= wanted).then_some(());
        let what = format!("job {job} has counted on");
        self.scene.until(SOON, &what, counted).await;
    }

    /// Waits for the first job, which has to begin with nothing.
    pub(crate) async fn begins(&self) -> String {
        let status = self.resource.stable().await;
        let job = job_id(&status);
        self.counts(&job).await;
        assert_eq!(self.journal().jobs(), std::slice::from_ref(&job));
        self.journal().assert_continuous(Repeats::Never);
        job
    }

    /// Edits the spec, and proves that another job goes on where this one was stopped with a savepoint.
    pub(crate) async fn upgrade(&self, change: Value, before: &str) -> String {
        let told = self.scene.chronicle.text().len();
        self.resource.edit(change).await;
        let status = self.resource.stable().await;
        let job = self.went_on(&status, before, Repeats::Never).await;
        let told = self.scene.chronicle.text().split_off(told);
        assert!(
            told.contains("UPGRADING") && told.contains("(StoppingWithSavepoint)"),
            "it was told that the job was being stopped with a savepoint:\n{told}"
        );
        job
    }

    /// Proves that another job has started from the savepoint of the newest snapshot, and counts on.
    pub(crate) async fn went_on(&self, status: &Value, before: &str, repeats: Repeats) -> String {
        let job = job_id(status);
        assert_ne!(job, before, "the new job has an id of its own");
        assert!(!holds(status, "Degraded"), "{status:#}");
        assert_eq!(status["error"], Value::Null);
        self.counts(&job).await;
        let journal = self.journal();
        journal.assert_continuous(repeats);
        let jobs = journal.jobs();
        assert!(
            jobs.ends_with(&[before.to_owned(), job.clone()]),
            "{jobs:?}"
        );
        let path = self.newest_savepoint().await;
        self.restored(&job, &path).await;
        job
    }

    /// Proves by Flink's own word that a job was restored from this savepoint.
    pub(crate) async fn restored(&self, job: &str, path: &str) {
        let page = format!("/jobs/{job}/checkpoints");
        let restored = async || {
            let told = ask(self.scene, &self.resource.name, &page).await?;
            Some(told["latest"]["restored"].clone()).filter(|restored| !restored.is_null())
        };
        let what = format!("Flink tells what job {job} was restored from");
        let restored = self.scene.until(SOON, &what, restored).await;
        assert_eq!(restored["external_path"], path, "{restored}");
        assert_eq!(restored["is_savepoint"], true, "{restored}");
    }

    /// Returns the path of the savepoint that was taken last.
    pub(crate) async fn newest_savepoint(&self) -> String {
        let snapshots = self.snapshots().await;
        let newest = snapshots.last().expect("a snapshot records the savepoint");
        let path = newest["spec"]["savepoint"]["path"].as_str().unwrap();
        let own = path.strip_prefix("file:/flink-data/").unwrap();
        assert!(
            self.data.join(own).join("_metadata").exists(),
            "{path} is a complete savepoint"
        );
        path.to_owned()
    }

    /// Lists the snapshots in order of time, after a look at what is the same in all of them.
    pub(crate) async fn snapshots(&self) -> Vec<Value> {
        let kind = GroupVersionKind::gvk("flink.apache.org", "v1beta1", "FlinkStateSnapshot");
        let api: Api<DynamicObject> = Api::namespaced_with(
            self.scene.client.clone(),
            &self.scene.namespace,
            &ApiResource::from_gvk(&kind),
        );
        let list = api.list(&ListParams::default()).await.unwrap();
        let mut snapshots: Vec<Value> = list
            .items
            .iter()
            .map(|snapshot| serde_json::to_value(snapshot).unwrap())
            .collect();
        snapshots.sort_by_key(|snapshot| snapshot["metadata"]["name"].to_string());
        let prefix = format!("{}-savepoint-upgrade-", self.resource.name);
        let reference = json!({ "kind": "FlinkDeployment", "name": self.resource.name });
        snapshots.retain(|snapshot| snapshot["spec"]["jobReference"] == reference);
        for snapshot in &snapshots {
            let name = snapshot["metadata"]["name"].as_str().unwrap();
            let millis = name.strip_prefix(&prefix);
            assert!(
                millis.is_some_and(|millis| millis.parse::<u64>().is_ok()),
                "{name}"
            );
            let labels = &snapshot["metadata"]["labels"];
            assert_eq!(labels["snapshot.trigger-type"], "UPGRADE", "{snapshot:#}");
            let savepoint = &snapshot["spec"]["savepoint"];
            assert_eq!(savepoint["alreadyExists"], true, "{snapshot:#}");
        }
        snapshots
    }

    /// Counts the savepoints that any job has begun.
    pub(crate) fn savepoints_begun(&self) -> usize {
        let entries = fs::read_dir(self.data.join("savepoints"));
        entries.into_iter().flatten().count()
    }

    /// Makes savepoints go wrong as the job's arguments say, from now on.
    pub(crate) fn trouble(&self) {
        File::create(self.data.join("trouble")).unwrap();
        self.scene.chronicle.note("trouble with savepoints begins");
    }

    /// Ends the trouble.
    pub(crate) fn mend(&self) {
        fs::remove_file(self.data.join("trouble")).unwrap();
        self.scene.chronicle.note("trouble with savepoints ends");
    }

    /// Leaves what a JobManager leaves that dies while it writes how a job ended; returns the file, which keeps every
    /// later one from starting. The cluster has to be highly available.
    pub(crate) fn tear_result(&self, job: &str) -> PathBuf {
        let results = self.data.join("ha/job-result-store");
        let of_cluster = fs::read_dir(results.join(&self.resource.name)).unwrap();
        let of_starts: Vec<PathBuf> = of_cluster.map(|entry| entry.unwrap().path()).collect();
        let [of_start] = &of_starts[..] else {
            panic!("each start has a directory of its own, and there was one: {of_starts:?}");
        };
        let file = of_start.join(format!("{job}_DIRTY.json"));
        File::create(&file).unwrap();
        self.scene
            .chronicle
            .note("there is half a result of the job");
        file
    }

    /// Makes the directory of savepoints one that nobody can write to, not even root.
    pub(crate) fn block_savepoints(&self) {
        File::create(self.data.join("savepoints")).unwrap();
    }

    /// Makes it an ordinary directory.
    pub(crate) fn unblock_savepoints(&self) {
        fs::remove_file(self.data.join("savepoints")).unwrap();
    }

    /// Waits until a stop is under way: stored, told, and known to Flink; returns the status.
    pub(crate) async fn is_stopping(&self) -> Value {
        let told = |resource: &Value| {
            let progressing = condition(&resource["status"], "Progressing");
            progressing["status"] == "True" && progressing["reason"] == "StoppingWithSavepoint"
        };
        let what = "is being stopped with a savepoint";
        let status = self.resource.until(SOON, what, told).await["status"].take();
        let trigger = &status["operation"]["trigger"];
        let (job, id) = (
            trigger["job"].as_str().unwrap(),
            trigger["id"].as_str().unwrap(),
        );
        let page = format!("/jobs/{job}/savepoints/{id}");
        let pending = async || {
            let told = ask(self.scene, &self.resource.name, &page).await?;
            (told["status"]["id"] == "IN_PROGRESS").then_some(())
        };
        let what = "Flink works at the savepoint";
        self.scene.until(SOON, what, pending).await;
        status
    }

    /// Waits until all tasks of a job run, by Flink's own word.
    pub(crate) async fn all_tasks_run(&self, job: &str) {
        let running = async || {
            let listed = ask(self.scene, &self.resource.name, "/jobs/overview").await?;
            let listed = listed["jobs"].as_array()?;
            let job = listed.iter().find(|listed| listed["jid"] == job)?;
            let tasks = &job["tasks"];
            (job["state"] == "RUNNING" && tasks["running"] == tasks["total"]).then_some(())
        };
        let what = format!("all tasks of job {job} run");
        self.scene.until(SOON, &what, running).await;
    }

    /// Waits until Flink has taken a checkpoint of a job.
    pub(crate) async fn has_checkpoint(&self, job: &str) {
        let page = format!("/jobs/{job}/checkpoints");
        let taken = async || {
            let told = ask(self.scene, &self.resource.name, &page).await?;
            told["counts"]["completed"]
                .as_u64()
                .filter(|taken| *taken > 0)
        };
        let what = format!("job {job} has a checkpoint");
        self.scene.until(SOON, &what, taken).await;
    }

    /// Finds the process of the JobManager on this machine.
    pub(crate) async fn job_manager_process(&self) -> i32 {
        let pods = pods(self.scene, &self.resource.name, "jobmanager").await;
        let [pod] = &pods[..] else {
            panic!("there should be one JobManager: {pods:#?}");
        };
        let uid = pod["metadata"]["uid"].as_str().unwrap().to_owned();
        let is_java = |id: &String| {
            let name = fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
            name.trim_end() == "java"
        };
        let processes = processes_of(&[uid]);
        let java: Vec<&String> = processes.iter().filter(|id| is_java(id)).collect();
        let [java] = java[..] else {
            panic!("one of {processes:?} should be the JobManager");
        };
        java.parse().unwrap()
    }
}

/// Lets the cluster's data outlive its JobManager.
pub(crate) fn high_availability(resource: &mut Value) {
    let configuration = &mut resource["spec"]["flinkConfiguration"];
    configuration["high-availability.type"] = json!("kubernetes");
    configuration["high-availability.storageDir"] = json!("file:///flink-data/ha");
}

/// Returns the arguments of a counting job, with these after the usual ones.
pub(crate) fn arguments(more: &[&str]) -> Value {
    json!([&ARGUMENTS[..], more].concat())
}
