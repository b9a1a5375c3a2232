//! Real Flink on the sandbox's node: native applications made by hand, with the objects an operator would make.
#![allow(clippy::unwrap_used)]

mod node_support;

use std::path::Path;
use std::time::{Duration, Instant};

use flink_sandbox::Sandbox;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};
use node_support::{Scene, merge, sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Long enough for a slow machine with other work to do.
const PATIENCE: Duration = Duration::from_secs(180);

/// The doors that Flink needs opened on Java 17, as the operator writes them.
const JAVA_OPTIONS: &str = "--add-exports=java.base/sun.net.util=ALL-UNNAMED --add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED \
    --add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.net=ALL-UNNAMED --add-opens=java.base/java.io=ALL-UNNAMED \
    --add-opens=java.base/java.nio=ALL-UNNAMED --add-opens=java.base/sun.nio.ch=ALL-UNNAMED \
    --add-opens=java.base/java.lang.reflect=ALL-UNNAMED --add-opens=java.base/java.text=ALL-UNNAMED \
    --add-opens=java.base/java.time=ALL-UNNAMED --add-opens=java.base/java.util=ALL-UNNAMED \
    --add-opens=java.base/java.util.concurrent=ALL-UNNAMED --add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED \
    --add-opens=java.base/java.util.concurrent.locks=ALL-UNNAMED";

const ENTRY_POINT: &str =
    "org.apache.flink.kubernetes.entrypoint.KubernetesApplicationClusterEntrypoint";
const JOB_ID: &str = "0123456789abcdef0123456789abcdef";

/// Sizes that fit on a small machine.
const SMALL: [(&str, &str); 7] = [
    ("taskmanager.numberOfTaskSlots", "2"),
    ("jobmanager.memory.process.size", "700m"),
    ("taskmanager.memory.process.size", "800m"),
    ("taskmanager.memory.jvm-metaspace.size", "128m"),
    ("taskmanager.memory.managed.size", "64m"),
    ("taskmanager.memory.network.min", "32m"),
    ("taskmanager.memory.network.max", "32m"),
];

/// A native application cluster, as few objects as possible.
struct Application<'a> {
    scene: &'a Scene,
    id: &'a str,
    image: &'a str,
    job_arguments: &'a str,
}

impl Application<'_> {
    /// Makes the objects in the order in which an operator makes them; the JobManager starts with the last.
    async fn create(&self) {
        self.create_account().await;
        let deployment = self.create_deployment().await;
        self.create_services().await;
        self.create_configuration(&deployment).await;
    }

    async fn create_account(&self) {
        let (scene, namespace) = (self.scene, &self.scene.namespace);
        scene
            .create::<ServiceAccount>(json!({ "metadata": { "name": "flink" } }))
            .await;
        let rules = json!([
            { "apiGroups": [""], "resources": ["pods", "configmaps"], "verbs": ["*"] },
            { "apiGroups": ["apps"], "resources": ["deployments", "deployments/finalizers"], "verbs": ["*"] },
        ]);
        scene
            .create::<Role>(json!({ "metadata": { "name": "flink" }, "rules": rules }))
            .await;
        let subject = json!({ "kind": "ServiceAccount", "name": "flink", "namespace": namespace });
        let role =
            json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "flink" });
        let binding =
            json!({ "metadata": { "name": "flink" }, "subjects": [subject], "roleRef": role });
        scene.create::<RoleBinding>(binding).await;
    }

    fn labels(&self) -> Value {
        json!({ "app": self.id, "component": "jobmanager", "type": "flink-native-kubernetes" })
    }

    async fn create_deployment(&self) -> Deployment {
        let container = json!({
            "name": "flink-main-container", "image": self.image, "command": ["/docker-entrypoint.sh"],
            "args": ["bash", "-c", "kubernetes-jobmanager.sh kubernetes-application "],
            "env": [{ "name": "_POD_IP_ADDRESS", "valueFrom": { "fieldRef": { "fieldPath": "status.podIP" } } }],
            "ports": [{ "name": "rest", "containerPort": 8081 }, { "name": "jobmanager-rpc", "containerPort": 6123 }],
            "startupProbe": { "httpGet": { "path": "/config", "port": "rest" }, "periodSeconds": 1, "failureThreshold": 2_147_483_647 },
            "volumeMounts": [
                { "name": "user-artifacts-volume", "mountPath": "/opt/flink/artifacts" },
                { "name": "flink-config-volume", "mountPath": "/opt/flink/conf" },
            ],
        });
        let volumes = json!([
            { "name": "user-artifacts-volume", "emptyDir": {} },
            { "name": "flink-config-volume", "configMap": { "name": format!("flink-config-{}", self.id) } },
        ]);
        let spec =
            json!({ "serviceAccountName": "flink", "containers": [container], "volumes": volumes });
        let template = json!({ "metadata": { "labels": self.labels() }, "spec": spec });
        let spec = json!({ "replicas": 1, "selector": { "matchLabels": self.labels() }, "template": template });
        self.scene
            .create(
                json!({ "metadata": { "name": self.id, "labels": self.labels() }, "spec": spec }),
            )
            .await
    }

    async fn create_services(&self) {
        let rest = json!({ "ports": [{ "name": "rest", "port": 8081, "targetPort": 8081 }] });
        let rpc =
            json!({ "clusterIP": "None", "ports": [{ "name": "jobmanager-rpc", "port": 6123 }] });
        for (name, mut spec) in [
            (format!("{}-rest", self.id), rest),
            (self.id.to_owned(), rpc),
        ] {
            merge(&mut spec, json!({ "selector": self.labels() }));
            self.scene
                .create::<Service>(json!({ "metadata": { "name": name }, "spec": spec }))
                .await;
        }
    }

    async fn create_configuration(&self, deployment: &Deployment) {
        let Self {
            scene,
            id,
            image,
            job_arguments,
        } = self;
        let owner = format!(
            "apiVersion:apps/v1,kind:Deployment,name:{id},uid:{}",
            deployment.uid().unwrap()
        );
        let jobmanager = format!("{id}.{}", scene.namespace);
        let settings = [
            ("jobmanager.rpc.address", jobmanager.as_str()),
            ("kubernetes.cluster-id", id),
            ("kubernetes.namespace", &scene.namespace),
            ("kubernetes.service-account", "flink"),
            ("kubernetes.container.image.ref", image),
            ("kubernetes.container.image", image),
            ("kubernetes.jobmanager.owner.reference", &owner),
            (
                "kubernetes.internal.jobmanager.entrypoint.class",
                ENTRY_POINT,
            ),
            ("execution.target", "kubernetes-application"),
            ("execution.shutdown-on-application-finish", "false"),
            ("execution.submit-failed-job-on-application-error", "true"),
            ("internal.cluster.execution-mode", "NORMAL"),
            ("$internal.pipeline.job-id", JOB_ID),
            ("$internal.application.program-args", job_arguments),
            (
                "pipeline.jars",
                "local:///opt/flink/examples/streaming/StateMachineExample.jar",
            ),
            ("pipeline.name", id),
            ("parallelism.default", "2"),
            ("taskmanager.rpc.port", "6122"),
            ("blob.server.port", "6124"),
            ("env.java.default-opts.all", JAVA_OPTIONS),
        ];
        let (file, text) = configuration(image, &[&settings, &SMALL[..]].concat());
        let mut data = json!({});
        data[file] = json!(text);
        let name = format!("flink-config-{id}");
        scene
            .create::<ConfigMap>(json!({ "metadata": { "name": name }, "data": data }))
            .await;
    }

    /// Returns the pods of the cluster.
    async fn pods(&self) -> Vec<Pod> {
        self.scene
            .api::<Pod>()
            .list(&ListParams::default().labels(&format!("app={}", self.id)))
            .await
            .unwrap()
            .items
    }

    /// Asks the JobManager at its pod's address.
    async fn ask(&self, path: &str) -> Option<Value> {
        let pods = self.pods().await;
        let manager = pods
            .iter()
            .find(|pod| pod.labels()["component"] == "jobmanager")?;
        ask(manager, path).await
    }

    /// Waits until the job's state is as wanted and returns how long that took.
    async fn job(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Duration {
        let began = Instant::now();
        let look = async || {
            let jobs = self.ask("/jobs/overview").await?;
            jobs["jobs"].as_array()?.iter().any(&wanted).then_some(())
        };
        self.scene
            .within(PATIENCE, &format!("the job {what}"), look)
            .await;
        began.elapsed()
    }

    async fn delete(&self) {
        self.scene
            .api::<Deployment>()
            .delete(self.id, &DeleteParams::default())
            .await
            .unwrap();
        self.scene
            .eventually("all pods are gone", async || {
                self.pods().await.is_empty().then_some(())
            })
            .await;
    }
}

/// Asks the Flink in a pod; `None` if it does not answer, or not with JSON.
async fn ask(pod: &Pod, path: &str) -> Option<Value> {
    let ip = pod.status.as_ref()?.pod_ip.clone()?;
    let mut stream = tokio::net::TcpStream::connect((ip.as_str(), 8081))
        .await
        .ok()?;
    // HTTP/1.0 has no chunks, so the body is what comes after the empty line.
    stream
        .write_all(format!("GET {path} HTTP/1.0\r\nHost: {ip}\r\n\r\n").as_bytes())
        .await
        .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
}

/// Writes settings in the format of the image's version: flat lines, or YAML with nested maps.
fn configuration(image: &str, settings: &[(&str, &str)]) -> (&'static str, String) {
    if !image.starts_with("flink:2") {
        let lines: Vec<String> = settings
            .iter()
            .map(|(key, value)| format!("{key}: {value}\n"))
            .collect();
        return ("flink-conf.yaml", lines.concat());
    }
    let mut root = json!({});
    for (key, value) in settings {
        // A value that has others below it stays flat.
        let nested = key
            .rsplit('.')
            .fold(json!(value), |inner, part| json!({ part: inner }));
        let is_prefix = settings
            .iter()
            .any(|(other, _)| other.starts_with(&format!("{key}.")));
        let has_prefix = settings
            .iter()
            .any(|(other, _)| key.starts_with(&format!("{other}.")));
        merge(
            &mut root,
            if is_prefix || has_prefix {
                json!({ *key: value })
            } else {
                nested
            },
        );
    }
    ("config.yaml", yaml(&root, 0))
}

fn yaml(value: &Value, depth: usize) -> String {
    let Value::Object(map) = value else {
        unreachable!("only maps are written")
    };
    let entries = map.iter().map(|(key, value)| match value {
        Value::String(text) => format!("{:1$}{key}: '{text}'\n", "", depth * 2),
        inner => format!("{:1$}{key}:\n{2}", "", depth * 2, yaml(inner, depth + 1)),
    });
    entries.collect()
}

async fn run(sandbox: &Sandbox, image: &str) {
    let scene = Scene::new(sandbox, &image.replace([':', '.'], "-")).await;
    let application = Application {
        scene: &scene,
        id: "basic",
        image,
        job_arguments: "--rate;100",
    };
    let began = Instant::now();
    application.create().await;
    application
        .job("is running", |job| job["state"] == "RUNNING")
        .await;
    let running = began.elapsed();
    application
        .job("has all its tasks running", |job| {
            job["tasks"]["running"] == job["tasks"]["total"]
        })
        .await;
    println!(
        "{image}: job RUNNING after {running:.1?}, its tasks after {:.1?}",
        began.elapsed()
    );

    let pods = application.pods().await;
    let workers: Vec<_> = pods
        .iter()
        .filter(|pod| pod.labels()["component"] == "taskmanager")
        .collect();
    assert_eq!(workers.len(), 1, "2 slots for a parallelism of 2");
    let log = flink_sandbox::logs::log_file(
        &scene.logs,
        &scene.namespace,
        &workers[0].name_any(),
        "flink-main-container",
        0,
    );
    assert!(
        std::fs::read_to_string(log)
            .unwrap()
            .contains("Successful registration at resource manager")
    );

    // A TaskManager that is killed is replaced. By another object: a JobManager that was started anew counts names from the
    // beginning.
    scene
        .api::<Pod>()
        .delete(
            &workers[0].name_any(),
            &DeleteParams::default().grace_period(0),
        )
        .await
        .unwrap();
    let replaced = async || {
        let pods = application.pods().await;
        pods.iter()
            .any(|pod| pod.labels()["component"] == "taskmanager" && pod.uid() != workers[0].uid())
            .then_some(())
    };
    scene
        .within(PATIENCE, "the TaskManager is replaced", replaced)
        .await;

    let began = Instant::now();
    application.delete().await;
    println!(
        "{image}: all pods gone {:.1?} after the deletion of the Deployment",
        began.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_runs_on_1_20() {
    let state_dir = tempfile::tempdir().unwrap();
    let sandbox = sandbox(&state_dir).await;
    run(&sandbox, "flink:1.20").await;
    sandbox.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_runs_on_the_newest_release() {
    let state_dir = tempfile::tempdir().unwrap();
    let sandbox = sandbox(&state_dir).await;
    run(&sandbox, "flink:2.3").await;
    sandbox.down().await.unwrap();
}

/// Runs the test job in a standalone cluster, whose pods also prove the image's other start words.
async fn ends(sandbox: &Sandbox, mode: &str, workers: bool, journal: &Path) -> Value {
    let scene = Scene::new(sandbox, mode).await;
    let settings = [
        ("jobmanager.rpc.address", "manager"),
        ("execution.shutdown-on-application-finish", "false"),
        ("execution.submit-failed-job-on-application-error", "true"),
        ("$internal.pipeline.job-id", JOB_ID),
        ("restart-strategy.type", "none"),
    ];
    let (file, text) = configuration("flink:1.20", &[&settings, &SMALL[..]].concat());
    let mut data = json!({});
    data[file] = json!(text);
    scene
        .create::<ConfigMap>(json!({ "metadata": { "name": "flink" }, "data": data }))
        .await;
    let service = json!({ "clusterIP": "None", "selector": { "app": "manager" }, "ports": [{ "port": 6123 }] });
    scene
        .create::<Service>(json!({ "metadata": { "name": "manager" }, "spec": service }))
        .await;
    let pod = json!({
        "metadata": { "labels": { "app": "manager" } },
        "spec": { "volumes": [
            { "name": "conf", "configMap": { "name": "flink" } },
            { "name": "journal", "hostPath": { "path": journal, "type": "DirectoryOrCreate" } },
        ] },
    });
    let container = |arguments: &[&str]| {
        let mounts = json!([
            { "name": "conf", "mountPath": "/opt/flink/conf" },
            { "name": "journal", "mountPath": "/journal" },
        ]);
        json!({ "image": "flink:1.20", "args": arguments, "volumeMounts": mounts })
    };
    let job = [
        "standalone-job",
        "--job-classname",
        "sandbox.jobs.Job",
        "--mode",
        mode,
        "--records",
        "200",
        "--rate",
        "1000",
        "--keys",
        "3",
        "--journal",
        "/journal",
    ];
    scene
        .create_pod("manager", pod.clone(), container(&job))
        .await;
    if workers {
        let worker = json!({ "metadata": { "labels": { "app": "worker" } }, "spec": pod["spec"] });
        scene
            .create_pod("worker", worker, container(&["taskmanager"]))
            .await;
    }
    let look = async || {
        let jobs = ask(&scene.pod("manager").await, "/jobs/overview").await?;
        jobs["jobs"]
            .as_array()?
            .iter()
            .find(|job| job["end-time"] != -1)
            .cloned()
    };
    let job = scene.within(PATIENCE, "the job has ended", look).await;
    for pod in ["manager", "worker"] {
        // One of the runs has no worker.
        let _ = scene
            .api::<Pod>()
            .delete(pod, &DeleteParams::default().grace_period(0))
            .await;
    }
    job
}

#[tokio::test(flavor = "multi_thread")]
async fn the_test_job_ends_as_it_is_told() {
    let state_dir = tempfile::tempdir().unwrap();
    let sandbox = sandbox(&state_dir).await;
    let journals = tempfile::tempdir().unwrap();
    let ends = async |mode: &str, workers: bool| {
        let journal = journals.path().join(mode);
        ends(&sandbox, mode, workers, &journal).await["state"].clone()
    };
    assert_eq!(ends("finish", true).await, "FINISHED");
    assert_eq!(ends("fail", true).await, "FAILED");
    assert_eq!(ends("fail-in-main", false).await, "FAILED");
    let expected: Vec<[u64; 3]> = (0..200)
        .map(|number| [number, number % 3, number / 3 + 1])
        .collect();
    assert_eq!(written(&journals.path().join("finish")), expected);
    sandbox.down().await.unwrap();
}

/// Reads number, key and count of each line that the test job has written, in the order of numbers.
fn written(journal: &Path) -> Vec<[u64; 3]> {
    let mut lines = Vec::new();
    for file in std::fs::read_dir(journal).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [key, count, number] = [0, 1, 2].map(|at| words[at].parse().unwrap());
            lines.push([number, key, count]);
        }
    }
    lines.sort_unstable();
    lines
}
