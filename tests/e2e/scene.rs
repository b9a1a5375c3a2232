//! One test's part of the sandbox: namespace, accounts, files, and waiting for what should come.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, Namespace, ServiceAccount};
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
};
use kube::core::GroupVersionKind;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::chronicle::Chronicle;
use crate::resource::FlinkResource;
use crate::stage::{Stage, repository};

/// The longest time between two looks at what is waited for.
const LOOK: Duration = Duration::from_millis(100);

/// One test's namespace, and what is in it.
pub(crate) struct Scene {
    pub(crate) stage: Arc<Stage>,
    pub(crate) client: Client,
    pub(crate) namespace: String,
    /// Logs and files of this test, kept until it runs again.
    pub(crate) folder: PathBuf,
    pub(crate) chronicle: Chronicle,
}

impl Scene {
    /// Makes the namespace, with the accounts and rights that the chart installs.
    pub(crate) async fn open(stage: Arc<Stage>, name: &str) -> Self {
        let client = stage.client.clone();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("e2e")
            .join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let namespace = object::<Namespace>(json!({ "metadata": { "name": name } }));
        Api::all(client.clone())
            .create(&PostParams::default(), &namespace)
            .await
            .unwrap();
        let chronicle = Chronicle::begin(&client, name);
        let scene = Self {
            stage,
            client,
            namespace: name.to_owned(),
            folder,
            chronicle,
        };
        scene.install().await;
        scene
    }

    /// Applies the shipped manifest, which is written for the namespace `default`.
    async fn install(&self) {
        let manifest =
            std::fs::read_to_string(repository().join("helm/manifests/rbac.yaml")).unwrap();
        let documents = serde_saphyr::from_multiple::<Value>(&manifest).unwrap();
        // Comments in front of the first document are a document without content.
        for mut document in documents.into_iter().filter(Value::is_object) {
            if document["metadata"]["namespace"] == "default" {
                document["metadata"]["namespace"] = json!(self.namespace);
            } else if document["kind"] == "ClusterRoleBinding" {
                // The only object of the cluster that names an account, and so one for each test.
                let name = document["metadata"]["name"].as_str().unwrap();
                document["metadata"]["name"] = json!(format!("{name}-{}", self.namespace));
            }
            for subject in document
                .get_mut("subjects")
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                subject["namespace"] = json!(self.namespace);
            }
            self.put(document).await;
        }
    }

    /// Applies any object, in the namespace that it names.
    pub(crate) async fn put(&self, document: Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (group, version) = match document["apiVersion"].as_str().unwrap().split_once('/') {
            Some((group, version)) => (group.to_owned(), version.to_owned()),
            None => (String::new(), text(&document["apiVersion"])),
        };
        let kind = GroupVersionKind::gvk(&group, &version, &text(&document["kind"]));
        let resource = ApiResource::from_gvk(&kind);
        let api: Api<DynamicObject> = match document["metadata"]["namespace"].as_str() {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        let name = text(&document["metadata"]["name"]);
        let parameters = PatchParams::apply("e2e").force();
        api.patch(&name, &parameters, &Patch::Apply(&document))
            .await
            .unwrap_or_else(|error| panic!("cannot apply {} {name}: {error}", kind.kind));
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Lists all objects of a kind as JSON.
    pub(crate) async fn list<K>(&self) -> Vec<Value>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Serialize,
        K::DynamicType: Default,
    {
        let objects = self.api::<K>().list(&ListParams::default()).await.unwrap();
        objects
            .items
            .iter()
            .map(|object| serde_json::to_value(object).unwrap())
            .collect()
    }

    /// Creates a resource from an example of the repository, after `edit`.
    pub(crate) async fn example(
        &self,
        file: &str,
        edit: impl FnOnce(&mut Value),
    ) -> FlinkResource<'_> {
        let text = std::fs::read_to_string(repository().join("examples").join(file)).unwrap();
        let mut resource: Value = serde_saphyr::from_str(&text).unwrap();
        edit(&mut resource);
        FlinkResource::create(self, &resource).await
    }

    /// Waits until something is there; if it does not come, says what was waited for.
    pub(crate) async fn until<T>(
        &self,
        patience: Duration,
        what: &str,
        look: impl AsyncFn() -> Option<T>,
    ) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = look().await {
                self.chronicle
                    .note(&format!("{what} (after {:.1?})", began.elapsed()));
                return found;
            }
            assert!(
                began.elapsed() < patience,
                "waited {patience:?} in vain until {what}"
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Makes a token of the account that the manifest has for the operator.
    pub(crate) async fn operator_token(&self) -> String {
        let request = object(json!({ "spec": { "audiences": [], "expirationSeconds": 3600 } }));
        let request = self
            .api::<ServiceAccount>()
            .create_token_request("flink-operator", &PostParams::default(), &request)
            .await
            .unwrap();
        request.status.unwrap().token
    }

    /// Shows what there is to see of a failure.
    pub(crate) async fn show(&self) {
        println!("\n=== {}: what happened", self.namespace);
        println!("{}", self.chronicle.text());
        println!("=== {}: events", self.namespace);
        for event in self.list::<Event>().await {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let about = &event["involvedObject"];
            println!(
                "{} {}/{} {} {}: {}",
                event["lastTimestamp"]
                    .as_str()
                    .or(event["eventTime"].as_str())
                    .unwrap_or_default(),
                text(&about["kind"]),
                text(&about["name"]),
                text(&event["type"]),
                text(&event["reason"]),
                text(&event["message"]),
            );
        }
        println!("=== {}: resources", self.namespace);
        for resource in FlinkResource::all(self).await {
            println!("{resource:#}");
        }
        println!("=== {}: the end of the operator's log", self.namespace);
        let log = std::fs::read_to_string(self.folder.join("operator.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        println!("{}", lines[lines.len().saturating_sub(80)..].join("\n"));
        println!("=== all logs are in {}", self.folder.display());
    }

    /// Keeps the logs of the pods, and ends what a failed test left running.
    pub(crate) async fn close(self) {
        let deployments = self.api::<Deployment>();
        let ended = deployments
            .delete_collection(&DeleteParams::default(), &ListParams::default())
            .await;
        if let Err(error) = ended {
            println!("{}: cannot end what is left: {error}", self.namespace);
        }
        std::fs::write(self.folder.join("chronicle.txt"), self.chronicle.text()).unwrap();
        let pods = self
            .stage
            .sandbox
            .instance()
            .pod_logs()
            .join(&self.namespace);
        copy(&pods, &self.folder.join("pods"));
    }
}

/// Reads an object that a test writes down as JSON.
pub(crate) fn object<K: DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}

/// Copies a directory; what is not there is nothing.
fn copy(from: &Path, to: &Path) {
    let Ok(entries) = std::fs::read_dir(from) else {
        return;
    };
    std::fs::create_dir_all(to).unwrap();
    for entry in entries.flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
