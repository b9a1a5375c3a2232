//! One life after another under the rights that are shipped, and what of them was used.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::kinds;
use crate::stage::accounts;
use crate::stage::audit::{self, Right};
use crate::stage::node::{BAD_IMAGE, Node, Pace};
use crate::stage::operator::{Operator, Settings};
use crate::stage::plane::{Plane, ROOT};
use crate::stage::space::{Space, application, eventually};

const RULES: &str = "helm/rbac.yaml";

#[tokio::test]
async fn shipped_rights_suffice_for_whole_lives_and_each_is_used() {
    let plane = Plane::shared().await;
    let space = Space::new(plane, "life").await;
    accounts::install(&space).await;
    let node = Node::start(&space, Pace::default());
    let settings = Settings {
        options: vec![
            ("leader-election.enabled", "true".into()),
            ("leader-election.lease-name", "life".into()),
            ("reconcile.interval", "2 s".into()),
            ("observer.progress-check.interval", "1 s".into()),
            // Nobody edits this often.
            ("rate-limiter.limit", "100".into()),
        ],
        ..Settings::default()
    };
    let operator = Operator::start(plane, &space, &settings).await;
    stateless(&space, &node).await;
    highly_available(&space).await;
    stateful(&space, &node).await;
    bad_image(&space, &node).await;
    no_volume(&space).await;
    kinds::come_and_go(&space).await;
    operator.stop().await;

    let asked = audit::asked_by(plane, &audit::operator(&space));
    let refused: Vec<_> = asked
        .iter()
        .filter(|asked| matches!(asked.code, 401 | 403))
        .collect();
    assert!(refused.is_empty(), "refused: {refused:#?}");
    let used = audit::rights(&asked);
    let granted = granted();
    let unused: Vec<_> = granted.difference(&used).collect();
    assert!(
        unused.is_empty(),
        "granted by {RULES} and never used: {unused:#?}"
    );
    let beyond: Vec<_> = used
        .difference(&granted)
        .filter(|right| !right.1.is_empty())
        .collect();
    assert!(
        beyond.is_empty(),
        "used, but granted only by what every account may: {beyond:#?}"
    );
}

/// Created, edited, suspended, resumed, deleted.
async fn stateless(space: &Space, node: &Node) {
    space.create(&application("plain")).await;
    let first = space.until_state("plain", "STABLE").await;
    assert_eq!(node.running(), [job(&first)]);
    assert_eq!(first["status"]["jobManagerDeploymentStatus"], "READY");
    assert_eq!(first["status"]["clusterInfo"]["flink-version"], "1.20.1");

    space
        .edit("plain", &json!({ "spec": { "job": { "parallelism": 4 } } }))
        .await;
    let second = space.until_state("plain", "STABLE").await;
    assert_ne!(job(&second), job(&first));
    assert_eq!(node.running(), [job(&second)], "the old job has ended");

    space
        .edit(
            "plain",
            &json!({ "spec": { "job": { "state": "suspended" } } }),
        )
        .await;
    space.until_state("plain", "SUSPENDED").await;
    assert_eq!(space.parts("plain").await, Vec::<String>::new());
    assert_eq!(node.running(), Vec::<String>::new());

    space
        .edit(
            "plain",
            &json!({ "spec": { "job": { "state": "running" } } }),
        )
        .await;
    let third = space.until_state("plain", "STABLE").await;
    assert_eq!(node.running(), [job(&third)]);
    assert_eq!(
        node.started(),
        [job(&first), job(&second), job(&third)],
        "no job was ever started beside these"
    );

    space.delete("plain").await;
    space.until_gone("plain").await;
    assert_eq!(node.running(), Vec::<String>::new());
    nothing_left(space, "plain").await;
}

/// An edit, a suspension and a resumption that carry the state over.
async fn stateful(space: &Space, node: &Node) {
    let mut resource = application("counts");
    resource["spec"]["job"]["upgradeMode"] = json!("savepoint");
    resource["spec"]["flinkConfiguration"] = json!({
        "taskmanager.numberOfTaskSlots": "2",
        "execution.checkpointing.interval": "1 s",
        "state.checkpoints.dir": "file:///checkpoints",
        "state.savepoints.dir": "file:///savepoints",
    });
    space.create(&resource).await;
    let first = space.until_state("counts", "STABLE").await;
    space
        .edit(
            "counts",
            &json!({ "spec": { "job": { "parallelism": 4 } } }),
        )
        .await;
    let second = space.until_state("counts", "STABLE").await;
    assert_ne!(job(&second), job(&first));
    let path = second["status"]["jobStatus"]["upgradeSavepointPath"].clone();
    assert!(says(&path, "file:///savepoints/savepoint-"), "{path}");
    let snapshots = format!(
        "/apis/flink.apache.org/v1beta1/namespaces/{}/flinkstatesnapshots",
        space.name
    );
    let recorded = space.send(Method::GET, &snapshots, None).await.ok();
    assert_eq!(recorded["items"][0]["status"]["path"], path);
    assert_eq!(recorded["items"][0]["status"]["state"], "COMPLETED");

    for (state, until) in [("suspended", "SUSPENDED"), ("running", "STABLE")] {
        space
            .edit("counts", &json!({ "spec": { "job": { "state": state } } }))
            .await;
        space.until_state("counts", until).await;
    }
    let started = node.started();
    assert_eq!(
        started[started.len() - 3..][..2],
        [job(&first), job(&second)]
    );
    space.delete("counts").await;
    space.until_gone("counts").await;
    nothing_left(space, "counts").await;
}

/// High-availability data of an earlier cluster is there, and its own data when it ends.
async fn highly_available(space: &Space) {
    let maps = format!("/api/v1/namespaces/{}/configmaps", space.name);
    let graph = "jobGraph-00000000000000000000000000000001";
    let leftover = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "kept-cluster-config-map", "labels": { "app": "kept", "type": "flink-native-kubernetes", "configmap-type": "high-availability" } },
        "data": { graph: "rO0ABXNyAA==" },
    });
    space.send(Method::POST, &maps, Some(&leftover)).await.ok();
    let mut kept = application("kept");
    let config = &mut kept["spec"]["flinkConfiguration"];
    config["high-availability.type"] = json!("kubernetes");
    config["high-availability.storageDir"] = json!("file:///flink-data/ha");
    space.create(&kept).await;
    space.until_state("kept", "STABLE").await;
    let map = space
        .send(
            Method::GET,
            &format!("{maps}/kept-cluster-config-map"),
            None,
        )
        .await
        .ok();
    assert!(
        map["data"].get(graph).is_none(),
        "an old graph would run again: {}",
        map["data"]
    );

    space
        .edit(
            "kept",
            &json!({ "spec": { "job": { "state": "suspended" } } }),
        )
        .await;
    space.until_state("kept", "SUSPENDED").await;
    assert_eq!(
        space.parts("kept").await,
        Vec::<String>::new(),
        "a stateless end keeps nothing"
    );
    space.delete("kept").await;
    space.until_gone("kept").await;
}

/// The status names the image; an edit heals it.
async fn bad_image(space: &Space, node: &Node) {
    let mut bad = application("bad-image");
    bad["spec"]["image"] = json!(BAD_IMAGE);
    space.create(&bad).await;
    let failing = space
        .until("bad-image", "an error that names the image", |object| {
            says(&object["status"]["error"], BAD_IMAGE)
        })
        .await;
    assert!(
        says(&failing["status"]["error"], "ErrImagePull"),
        "{}",
        failing["status"]["error"]
    );
    space
        .edit("bad-image", &json!({ "spec": { "image": "flink:1.20" } }))
        .await;
    let healed = space.until_state("bad-image", "STABLE").await;
    assert_eq!(healed["status"]["error"], Value::Null);
    assert_eq!(node.running(), [job(&healed)]);
    space.delete("bad-image").await;
    space.until_gone("bad-image").await;
}

/// A volume that is not there keeps the pod from starting; the kubelet says so in an event only.
async fn no_volume(space: &Space) {
    let mut waiting = application("no-volume");
    waiting["spec"]["image"] = json!(crate::stage::node::STUCK_IMAGE);
    space.create(&waiting).await;
    let pod = eventually("a pod", async || {
        let pods = space.parts("no-volume").await;
        pods.into_iter()
            .find_map(|part| part.strip_prefix("pods/").map(ToOwned::to_owned))
            .ok_or_else(|| "none yet".to_owned())
    })
    .await;
    let now = Timestamp::now().strftime("%FT%TZ").to_string();
    let event = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": { "name": "mount" }, "type": "Warning",
        "involvedObject": { "apiVersion": "v1", "kind": "Pod", "namespace": space.name, "name": pod },
        "reason": "FailedMount", "message": "secret \"tls\" not found", "firstTimestamp": now, "lastTimestamp": now,
    });
    space
        .send(
            Method::POST,
            &format!("/api/v1/namespaces/{}/events", space.name),
            Some(&event),
        )
        .await
        .ok();
    space
        .until("no-volume", "waiting for its pod", |object| {
            object["status"]["jobManagerDeploymentStatus"] == "DEPLOYING"
        })
        .await;
    // Its patience is minutes, so the time of the deployment is put back.
    let before = Timestamp::now() - SignedDuration::from_mins(10);
    let earlier = json!({ "status": { "reconciliationStatus": { "reconciliationTimestamp": before.as_millisecond() } } });
    space
        .send(
            Method::PATCH,
            &format!("{}/status", space.path("no-volume")),
            Some(&earlier),
        )
        .await
        .ok();
    space
        .until(
            "no-volume",
            "an error with the words of the kubelet",
            |object| says(&object["status"]["error"], "secret \"tls\" not found"),
        )
        .await;
    space.delete("no-volume").await;
    space.until_gone("no-volume").await;
    nothing_left(space, "no-volume").await;
}

async fn nothing_left(space: &Space, name: &str) {
    eventually("nothing is left", async || {
        let parts = space.parts(name).await;
        if parts.is_empty() {
            Ok(())
        } else {
            Err(parts.join(", "))
        }
    })
    .await;
}

fn job(object: &Value) -> String {
    object["status"]["jobStatus"]["jobId"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn says(text: &Value, part: &str) -> bool {
    // An error is JSON within a string.
    text.as_str()
        .is_some_and(|text| text.replace("\\\"", "\"").contains(part))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Table {
    operator: Vec<Rule>,
    own_namespace: Vec<Rule>,
    #[serde(rename = "job")]
    _job: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    api_groups: Vec<String>,
    resources: Vec<String>,
    verbs: Vec<String>,
    #[serde(rename = "why")]
    _why: String,
    when: Option<String>,
    checked_by: Option<String>,
}

/// Returns the rights that the defaults grant, except those that somebody else asks for.
fn granted() -> BTreeSet<Right> {
    let table: Table =
        serde_saphyr::from_str(&fs::read_to_string(Path::new(ROOT).join(RULES)).unwrap()).unwrap();
    let rules = table.operator.iter().chain(&table.own_namespace);
    let rules = rules.filter(|rule| rule.when.is_none() && rule.checked_by.is_none());
    let mut rights = BTreeSet::new();
    for rule in rules {
        for group in &rule.api_groups {
            for resource in &rule.resources {
                rights.extend(
                    rule.verbs
                        .iter()
                        .map(|verb| (group.clone(), resource.clone(), verb.clone())),
                );
            }
        }
    }
    rights
}
