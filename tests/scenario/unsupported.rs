//! What is accepted and not carried out yet gets a condition and a Warning, never silence.

use serde_json::{Value, json};

use crate::play::application;
use crate::scene::scene;

fn is_announced(resource: Value, word: &str) {
    scene(async |scene| {
        scene.create(resource);
        scene
            .until("announced", |scene| {
                scene.has_reason("Progressing", "NotSupported")
            })
            .await;
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
