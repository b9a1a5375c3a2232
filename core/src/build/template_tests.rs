//! Merging and normalising pod templates.

use serde_json::from_value;

use super::*;

fn spec(value: Value) -> FlinkDeploymentSpec {
    from_value(value).unwrap()
}

fn built(value: Value, role: Role, config: &[(&str, &str)]) -> Option<Value> {
    let config = config.iter().copied().collect();
    of_role(&spec(value), role, &ProcessResources::default(), &config).unwrap()
}

const NO_PROBE: (&str, &str) = (
    "kubernetes.operator.jm-deployment.startup.probe.enabled",
    "false",
);

#[test]
fn lists_are_merged_by_position_unless_names_are_asked_for() {
    let both = json!({
        "podTemplate": { "spec": { "volumes": [
            { "name": "a", "emptyDir": {} }, { "name": "b", "emptyDir": {} }] } },
        "taskManager": { "podTemplate": { "spec": { "volumes": [
            { "name": "b", "emptyDir": { "medium": "Memory" } }] } } },
    });
    let by_position = built(both.clone(), Role::TaskManager, &[]).unwrap();
    assert_eq!(
        by_position["spec"]["volumes"],
        json!([{ "name": "b", "emptyDir": { "medium": "Memory" } }, { "name": "b", "emptyDir": {} }])
    );
    let named = [(
        "kubernetes.operator.pod-template.merge-arrays-by-name",
        "true",
    )];
    let by_name = built(both, Role::TaskManager, &named).unwrap();
    assert_eq!(
        by_name["spec"]["volumes"],
        json!([{ "name": "a", "emptyDir": {} }, { "name": "b", "emptyDir": { "medium": "Memory" } }])
    );
}

#[test]
fn an_object_stands_against_a_scalar() {
    assert_eq!(
        merge(json!({ "a": { "b": 1 } }), json!({ "a": 2 }), false),
        json!({ "a": { "b": 1 } })
    );
    assert_eq!(
        merge(json!({ "a": [1] }), json!({ "a": 2 }), false),
        json!({ "a": 2 })
    );
    assert_eq!(
        merge(json!({ "a": 1 }), json!({ "a": { "b": 2 } }), false),
        json!({ "a": { "b": 2 } })
    );
}

#[test]
fn without_a_wish_there_is_no_template() {
    assert_eq!(built(json!({}), Role::TaskManager, &[]), None);
    assert_eq!(built(json!({}), Role::JobManager, &[NO_PROBE]), None);
    let probed = built(json!({}), Role::JobManager, &[]).unwrap();
    assert_eq!(
        probed["spec"]["containers"][0]["startupProbe"]["periodSeconds"],
        1
    );
}

#[test]
fn a_probe_of_the_user_stays() {
    let own = json!({ "podTemplate": { "spec": { "containers": [
        { "name": "side" },
        { "name": MAIN_CONTAINER, "startupProbe": { "tcpSocket": { "port": 1 } } }] } } });
    let template = built(own.clone(), Role::JobManager, &[]).unwrap();
    assert_eq!(
        template["spec"]["containers"],
        own["podTemplate"]["spec"]["containers"]
    );
}

#[test]
fn templates_take_the_form_of_clients() {
    let template = built(
        json!({ "podTemplate": {
            "metadata": { "labels": {}, "annotations": null },
            "spec": {
                "containers": [{ "name": "c", "env": [], "resources": { "limits": { "cpu": 1 } } }],
                "volumes": [{ "name": "v", "emptyDir": { "sizeLimit": 5 } }, { "name": "w", "emptyDir": {} }],
            },
        } }),
        Role::TaskManager,
        &[],
    );
    assert_eq!(
        template.unwrap(),
        json!({
            "metadata": {},
            "spec": {
                "containers": [{ "name": "c", "resources": { "limits": { "cpu": "1" } } }],
                "volumes": [{ "name": "v", "emptyDir": { "sizeLimit": "5" } }, { "name": "w", "emptyDir": {} }],
            },
        })
    );
}

#[test]
fn a_broken_template_names_its_field() {
    for (broken, path) in [
        (
            json!({ "podTemplate": { "spec": { "containers": "none" } } }),
            "spec.podTemplate.spec.containers",
        ),
        (
            json!({ "podTemplate": { "spec": { "containers": [{ "name": "a" }, { "ports": [{ "containerPort": "x" }] }] } } }),
            "spec.podTemplate.spec.containers[1].ports[0].containerPort",
        ),
        (
            json!({ "jobManager": { "podTemplate": { "metadata": ["x"] } } }),
            "spec.jobManager.podTemplate.metadata",
        ),
        (
            json!({ "podTemplate": { "spec": 1 } }),
            "spec.podTemplate.spec",
        ),
    ] {
        let error = of_role(
            &spec(broken),
            Role::JobManager,
            &ProcessResources::default(),
            &Configuration::default(),
        )
        .unwrap_err();
        assert_eq!(error.path(), path, "{error}");
    }
}

#[test]
fn template_files_are_read() {
    let file = of_file("/t.yaml", b"kind: Pod\nspec:\n  nodeSelector: {a: b}\n").unwrap();
    assert_eq!(file["spec"]["nodeSelector"]["a"], "b");
    assert_eq!(
        of_file("/t.yaml", b"spec: [").unwrap_err().path(),
        "/t.yaml"
    );
}
