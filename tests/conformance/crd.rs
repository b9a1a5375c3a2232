//! The CRD that is shipped, on the server that has to take it.

use std::fs;
use std::path::Path;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::stage::plane::{CRD, Plane, ROOT};
use crate::stage::space::{Space, application, send};

const DEFINITION: &str =
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/flinkdeployments.flink.apache.org";

#[tokio::test]
async fn it_is_established_and_nothing_is_wrong_with_it() {
    let plane = Plane::shared().await;
    let client = plane.client().await;
    let definition = send(&client, Method::GET, DEFINITION, None).await.ok();
    let conditions = definition["status"]["conditions"].as_array().unwrap();
    let holding: Vec<&str> = conditions
        .iter()
        .filter(|condition| condition["status"] == "True")
        .map(|condition| condition["type"].as_str().unwrap())
        .collect();
    // NonStructuralSchema or KubernetesAPIApprovalPolicyConformant would be here if something were wrong.
    assert_eq!(holding, ["NamesAccepted", "Established"]);
    let again = plane.install(Path::new(CRD)).await;
    assert_eq!(again.err, "", "kubectl warns about the CRD");
}

#[tokio::test]
async fn every_field_is_explained() {
    let plane = Plane::shared().await;
    let explain = async |path: &str| {
        let printed = plane.kubectl(&["explain", path]).await;
        assert!(printed.ok, "{path}: {}", printed.err);
        printed.out
    };
    let containers = explain("flinkdeployment.spec.podTemplate.spec.containers").await;
    for field in ["image\t", "env\t", "volumeMounts\t", "resources\t"] {
        assert!(
            containers.contains(field),
            "{field} is not explained:\n{containers}"
        );
    }
    for path in [
        "spec",
        "spec.job",
        "spec.jobManager",
        "spec.taskManager",
        "status",
        "status.jobStatus",
        "status.operation",
    ] {
        let text = explain(&format!("flinkdeployment.{path}")).await;
        let (_, fields) = text.split_once("FIELDS:").unwrap();
        assert!(!fields.contains("<no description>"), "{path}:\n{text}");
        assert!(
            !text.contains("<empty>"),
            "{path} has no description:\n{text}"
        );
    }
}

#[tokio::test]
async fn it_can_be_scaled() {
    let plane = Plane::shared().await;
    let space = Space::new(plane, "scale").await;
    let mut wanted = application("scaled");
    wanted["spec"]["taskManager"]["replicas"] = json!(2);
    space
        .send(Method::POST, &space.all(), Some(&wanted))
        .await
        .ok();
    let path = format!("{}/scale", space.path("scaled"));
    let scale = space.send(Method::GET, &path, None).await.ok();
    assert_eq!(scale["spec"]["replicas"], 2);

    let printed = plane
        .kubectl(&[
            "scale",
            "flinkdep/scaled",
            "--replicas=5",
            "--namespace=scale",
        ])
        .await;
    assert!(printed.ok, "{}", printed.err);
    let scaled = space
        .send(Method::GET, &space.path("scaled"), None)
        .await
        .ok();
    assert_eq!(scaled["spec"]["taskManager"]["replicas"], 5);
    assert_eq!(scaled["metadata"]["generation"], 2, "scaling is an edit");

    let status = json!({ "status": { "taskManager": { "replicas": 4, "labelSelector": "component=taskmanager,app=scaled" } } });
    space
        .send(
            Method::PATCH,
            &format!("{}/status", space.path("scaled")),
            Some(&status),
        )
        .await
        .ok();
    let scale = space.send(Method::GET, &path, None).await.ok();
    assert_eq!(
        scale["status"],
        json!({ "replicas": 4, "selector": "component=taskmanager,app=scaled" })
    );
}

#[tokio::test]
async fn examples_are_accepted_strictly() {
    let space = Space::new(Plane::shared().await, "examples").await;
    let mut accepted = 0;
    for file in fs::read_dir(Path::new(ROOT).join("examples")).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let example: Value = serde_saphyr::from_str(&text).unwrap();
        let path = format!("{}?fieldValidation=Strict", space.all());
        let reply = space.send(Method::POST, &path, Some(&example)).await;
        assert_eq!(reply.warnings, Vec::<String>::new(), "{}", file.display());
        reply.ok();
        accepted += 1;
    }
    assert!(accepted >= 5, "{accepted} examples");
}

#[tokio::test]
async fn resources_that_the_java_operator_carried_out_are_accepted_strictly() {
    let space = Space::new(Plane::shared().await, "recorded").await;
    let below = |folder: &Path| {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
    };
    let versions = below(&Path::new(ROOT).join("tests/golden/cases/native"));
    let mut accepted = 0;
    for case in versions.flat_map(|version| below(&version).collect::<Vec<_>>()) {
        let text = fs::read_to_string(case.join("flinkdeployment.yaml")).unwrap();
        let mut resource: Value = serde_saphyr::from_str(&text).unwrap();
        for given in ["namespace", "uid", "generation", "resourceVersion"] {
            resource["metadata"].as_object_mut().unwrap().remove(given);
        }
        let path = format!("{}?fieldValidation=Strict&dryRun=All", space.all());
        let reply = space.send(Method::POST, &path, Some(&resource)).await;
        assert_eq!(reply.warnings, Vec::<String>::new(), "{}", case.display());
        assert!(
            reply.code.is_success(),
            "{}: {}",
            case.display(),
            reply.message()
        );
        accepted += 1;
    }
    assert_eq!(accepted, 32);
}

/// An edit of a valid object that the server must refuse, and what its message must say.
struct Broken {
    what: &'static str,
    change: fn(&mut Value),
    says: &'static [&'static str],
}

const BROKEN: &[Broken] = &[
    Broken {
        what: "a field that does not exist",
        change: |object| object["spec"]["job"]["paralellism"] = json!(2),
        says: &["unknown field \"spec.job.paralellism\""],
    },
    Broken {
        what: "a number as text",
        change: |object| object["spec"]["job"]["parallelism"] = json!("two"),
        says: &["spec.job.parallelism", "must be of type integer"],
    },
    Broken {
        what: "a Flink version that nobody knows",
        change: |object| object["spec"]["flinkVersion"] = json!("v9_9"),
        says: &[
            "spec.flinkVersion",
            "\"v9_9\"",
            "supported values",
            "\"v1_20\"",
        ],
    },
    Broken {
        what: "an upgrade mode that nobody knows",
        change: |object| object["spec"]["job"]["upgradeMode"] = json!("sideways"),
        says: &["spec.job.upgradeMode", "\"sideways\"", "\"last-state\""],
    },
    Broken {
        what: "a pod template that is text",
        change: |object| object["spec"]["podTemplate"] = json!("containers: []"),
        says: &["spec.podTemplate", "must be of type object"],
    },
    Broken {
        what: "a misspelt field deep in a pod template",
        change: |object| {
            object["spec"]["podTemplate"] = json!({ "spec": { "containers": [{ "name": "flink-main-container", "imagePulPolicy": "Always" }] } });
        },
        says: &["unknown field \"spec.podTemplate.spec.containers[0].imagePulPolicy\""],
    },
    Broken {
        what: "a name of 300 characters",
        change: |object| object["metadata"]["name"] = json!("n".repeat(300)),
        says: &["metadata.name", "no more than 253"],
    },
    Broken {
        what: "a list as configuration",
        change: |object| object["spec"]["jobManager"] = json!([]),
        says: &["spec.jobManager", "must be of type object"],
    },
];

#[tokio::test]
async fn a_broken_object_is_refused_with_the_name_of_its_field() {
    let space = Space::new(Plane::shared().await, "broken").await;
    for broken in BROKEN {
        let mut object = application("broken");
        (broken.change)(&mut object);
        // What kubectl sends unless told otherwise.
        let path = format!("{}?fieldValidation=Strict", space.all());
        let reply = space.send(Method::POST, &path, Some(&object)).await;
        assert!(reply.code.is_client_error(), "{} was accepted", broken.what);
        for part in broken.says {
            assert!(
                reply.message().contains(part),
                "{}: {part} is not in: {}",
                broken.what,
                reply.message()
            );
        }
        assert!(
            reply.message().len() < 2400,
            "{}: a message for people: {}",
            broken.what,
            reply.message()
        );
    }
}

#[tokio::test]
async fn spec_and_status_are_written_apart() {
    let space = Space::new(Plane::shared().await, "apart").await;
    let mut with_status = application("apart");
    with_status["status"] = json!({ "lifecycleState": "STABLE" });
    let created = space
        .send(Method::POST, &space.all(), Some(&with_status))
        .await
        .ok();
    assert_eq!(
        created["status"],
        Value::Null,
        "a user cannot create a status"
    );

    let mut both = created.clone();
    both["spec"]["job"]["parallelism"] = json!(3);
    both["status"] = json!({ "lifecycleState": "CREATED", "error": null });
    let path = format!("{}/status", space.path("apart"));
    let written = space.send(Method::PUT, &path, Some(&both)).await.ok();
    assert_eq!(
        (
            &written["spec"]["job"]["parallelism"],
            &written["metadata"]["generation"]
        ),
        (&json!(2), &json!(1))
    );
    assert_eq!(written["status"]["lifecycleState"], "CREATED");

    // The version that was written on is used up.
    let late = space.send(Method::PUT, &path, Some(&both)).await;
    assert_eq!(
        (late.code, &late.body["reason"]),
        (StatusCode::CONFLICT, &json!("Conflict"))
    );

    let mut edited = written;
    edited["spec"]["job"]["parallelism"] = json!(4);
    edited["status"] = json!({ "lifecycleState": "FAILED" });
    let edited = space
        .send(Method::PUT, &space.path("apart"), Some(&edited))
        .await
        .ok();
    assert_eq!(
        (
            &edited["metadata"]["generation"],
            &edited["status"]["lifecycleState"]
        ),
        (&json!(2), &json!("CREATED"))
    );
}

#[tokio::test]
async fn every_status_that_was_ever_stored_survives() {
    let space = Space::new(Plane::shared().await, "statuses").await;
    let folder = Path::new(ROOT).join("crds/tests/statuses");
    let mut stored = 0;
    for (number, file) in fs::read_dir(folder).unwrap().enumerate() {
        let file = file.unwrap().path();
        let status: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let name = format!("status-{number}");
        let mut object = space
            .send(Method::POST, &space.all(), Some(&application(&name)))
            .await
            .ok();
        object["status"] = status.clone();
        let path = format!("{}/status", space.path(&name));
        let reply = space.send(Method::PUT, &path, Some(&object)).await.ok();
        assert_eq!(reply["status"], without_nulls(status), "{}", file.display());
        stored += 1;
    }
    assert!(stored >= 11, "{stored} statuses");
}

/// The server drops nulls of fields that are not nullable, which mean the same as absence.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, field)| !field.is_null());
            Value::Object(
                kept.map(|(name, field)| (name, without_nulls(field)))
                    .collect(),
            )
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}
