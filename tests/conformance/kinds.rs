//! Kinds that are accepted and not carried out: told once, and their deletion is nobody's affair but the user's.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::stage::accounts;
use crate::stage::audit;
use crate::stage::operator::{Operator, Settings};
use crate::stage::plane::Plane;
use crate::stage::space::{Space, application, eventually};

/// Kind and plural.
const KINDS: [(&str, &str); 3] = [
    ("FlinkSessionJob", "flinksessionjobs"),
    ("FlinkStateSnapshot", "flinkstatesnapshots"),
    ("FlinkBlueGreenDeployment", "flinkbluegreendeployments"),
];

fn collection(space: &Space, plural: &str) -> String {
    format!(
        "/apis/flink.apache.org/v1beta1/namespaces/{}/{plural}",
        space.name
    )
}

fn object(kind: &str, name: &str) -> Value {
    let spec = match kind {
        "FlinkSessionJob" => {
            json!({ "deploymentName": "session", "job": { "jarURI": "local:///job.jar" } })
        }
        "FlinkStateSnapshot" => {
            json!({ "savepoint": {}, "jobReference": { "kind": "FlinkDeployment", "name": "basic" } })
        }
        _ => json!({ "template": { "spec": application("any")["spec"] } }),
    };
    json!({
        "apiVersion": "flink.apache.org/v1beta1", "kind": kind, "metadata": { "name": name }, "spec": spec,
    })
}

/// Waits until a resource says, for its newest generation, that it is not carried out.
async fn until_told(space: &Space, path: &str, word: &str) -> Value {
    eventually(&format!("{path} says {word}"), async || {
        let object = space.send(Method::GET, path, None).await.ok();
        let conditions = object["status"]["conditions"].as_array().cloned();
        let told = conditions.unwrap_or_default().iter().any(|condition| {
            condition["type"] == "Ready"
                && condition["reason"] == "NotSupported"
                && condition["observedGeneration"] == object["metadata"]["generation"]
                && condition["message"].as_str().unwrap().contains(word)
        });
        if told {
            Ok(object)
        } else {
            Err(format!("{object:#}"))
        }
    })
    .await
}

/// Creates one of each kind, waits until each is told, and deletes them.
pub(crate) async fn come_and_go(space: &Space) {
    for (kind, plural) in KINDS {
        let all = collection(space, plural);
        let one = object(kind, "told");
        space.send(Method::POST, &all, Some(&one)).await.ok();
        let path = format!("{all}/told");
        until_told(space, &path, kind).await;
        space.send(Method::DELETE, &path, None).await.ok();
        let gone = space.send(Method::GET, &path, None).await;
        assert_eq!(
            gone.code,
            StatusCode::NOT_FOUND,
            "a deletion waits for nobody"
        );
    }
}

#[tokio::test]
async fn each_is_told_by_one_write_for_each_generation_and_keeps_what_java_left() {
    let plane = Plane::shared().await;
    let space = Space::new(plane, "kinds").await;
    accounts::install(&space).await;
    for (kind, plural) in KINDS {
        let all = collection(&space, plural);
        let mut left = object(kind, "left");
        let finalizer = format!("{plural}.flink.apache.org/finalizer");
        left["metadata"]["finalizers"] = json!([finalizer]);
        space.send(Method::POST, &all, Some(&left)).await.ok();
        let status = json!({ "status": { "error": "by Java", "observedGeneration": 1 } });
        let path = format!("{all}/left/status");
        space.send(Method::PATCH, &path, Some(&status)).await.ok();
    }
    let operator = Operator::start(plane, &space, &Settings::default()).await;
    for (kind, plural) in KINDS {
        let path = format!("{}/left", collection(&space, plural));
        let told = until_told(&space, &path, kind).await;
        assert_eq!(told["status"]["error"], "by Java");
        assert_eq!(told["status"]["observedGeneration"], 1);
        space.send(Method::DELETE, &path, None).await.ok();
        let finalizer = format!("{plural}.flink.apache.org/finalizer");
        let held = until_told(&space, &path, &finalizer).await;
        assert_eq!(held["metadata"]["finalizers"], json!([finalizer]));
        let free = json!({ "metadata": { "finalizers": null } });
        space.send(Method::PATCH, &path, Some(&free)).await.ok();
        let gone = space.send(Method::GET, &path, None).await;
        assert_eq!(gone.code, StatusCode::NOT_FOUND);
    }
    eventually("each is told by Warnings", async || {
        let told = space.events("left").await;
        let about = told.iter().filter(|(reason, _)| reason == "NotSupported");
        // One when it was seen first, one about its deletion.
        if about.count() == 2 * KINDS.len() {
            Ok(())
        } else {
            Err(format!("{told:#?}"))
        }
    })
    .await;
    operator.stop().await;
    let asked = audit::asked_by(plane, &audit::operator(&space));
    let writes = asked.iter().filter(|asked| {
        KINDS
            .iter()
            .any(|(_, plural)| asked.resource.starts_with(plural))
            && !matches!(asked.verb.as_str(), "list" | "watch")
    });
    let writes: Vec<_> = writes.collect();
    assert_eq!(writes.len(), 2 * KINDS.len(), "{writes:#?}");
    assert!(
        writes
            .iter()
            .all(|asked| asked.verb == "patch" && asked.resource.ends_with("/status")),
        "{writes:#?}"
    );
}
