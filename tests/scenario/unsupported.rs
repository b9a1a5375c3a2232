//! What is accepted and not carried out yet gets a condition and a Warning, never silence.

use serde_json::{Value, json};

use crate::play::{NAME, NAMESPACE, application, pass};
use crate::scene::{condition, scene};

fn is_announced(resource: Value, word: &str) {
    scene(async |scene| {
        scene.create(resource);
        scene.until_reason("Progressing", "NotSupported").await;
        let message = scene.condition("Progressing")["message"].clone();
        assert!(message.as_str().unwrap().contains(word), "{message}");
        let told = scene.events("NotSupported");
        assert!(told.len() == 1 && told[0].contains(word), "{told:?}");
        scene
            .stays(120.0, "undeployed", |scene| scene.deployment().is_empty())
            .await;
        scene.delete();
        scene
            .until("gone", |scene| scene.resource().is_null())
            .await;
        scene
    });
}

#[test]
fn a_session_cluster_is_accepted_and_not_carried_out() {
    let mut resource = application();
    resource["spec"].as_object_mut().unwrap().remove("job");
    is_announced(resource, "session");
}

#[test]
fn a_standalone_cluster_is_accepted_and_not_carried_out() {
    let mut resource = application();
    resource["spec"]["mode"] = json!("standalone");
    is_announced(resource, "standalone");
}

/// Kinds of which nothing is carried out yet, each with the place of its CRD among ours.
const KINDS: [(&str, usize); 3] = [
    ("FlinkSessionJob", 1),
    ("FlinkStateSnapshot", 2),
    ("FlinkBlueGreenDeployment", 3),
];

fn other(kind: &str) -> Value {
    let mut spec = json!({ "deploymentName": "session", "job": { "jarURI": "local:///job.jar" } });
    if kind == "FlinkStateSnapshot" {
        spec =
            json!({ "savepoint": {}, "jobReference": { "kind": "FlinkDeployment", "name": NAME } });
    }
    if kind == "FlinkBlueGreenDeployment" {
        spec = json!({ "template": { "spec": application()["spec"] } });
    }
    json!({
        "apiVersion": "flink.apache.org/v1beta1", "kind": kind,
        "metadata": { "name": "other", "namespace": NAMESPACE }, "spec": spec,
    })
}

#[test]
fn kinds_that_are_not_carried_out_say_so_once_and_the_job_beside_them_runs_on() {
    scene(async |scene| {
        let crds = flink_operator_api::crds();
        for (_, index) in KINDS {
            let crd = serde_json::to_value(&crds[index]).unwrap();
            scene.world.api.install_crd(&crd);
        }
        scene.run(application()).await;
        pass(30.0).await;
        let (mark, deployment) = (scene.mark(), scene.deployment());
        for (kind, _) in KINDS {
            scene.create(other(kind));
        }
        pass(86_400.0).await;
        let mut writes = scene.writes_since(mark);
        // Making Warnings of it is a request, too; what they say is looked at below.
        writes.retain(|write| !write.starts_with("create events"));
        writes.sort();
        assert_eq!(
            writes,
            [
                "patch flinkbluegreendeployments/status default/other",
                "patch flinksessionjobs/status default/other",
                "patch flinkstatesnapshots/status default/other",
            ]
        );
        let told = scene.events("NotSupported");
        assert_eq!(told.len(), KINDS.len(), "{told:?}");
        for (kind, _) in KINDS {
            let status = scene.get(kind, "other").unwrap()["status"].clone();
            for type_ in ["Ready", "Progressing"] {
                let condition = condition(&status, type_);
                assert_eq!(condition["reason"], "NotSupported", "{status:#}");
                assert!(condition["message"].as_str().unwrap().contains(kind));
            }
            assert_eq!(
                status.as_object().unwrap().len(),
                1,
                "nothing but conditions"
            );
            assert!(told.iter().any(|message| message.contains(kind)));
            scene.world.api.delete(kind, NAMESPACE, "other").unwrap();
            assert_eq!(scene.get(kind, "other"), None);
        }
        assert_eq!(scene.deployment(), deployment);
        assert_eq!(scene.status()["lifecycleState"], "STABLE");
        scene
    });
}
