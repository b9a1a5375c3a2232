//! What cannot be built, and that the error names the field and what to do.

use super::*;

fn refused(overrides: Value, path: &str) {
    let error = children_of(overrides).unwrap_err();
    assert_eq!(error.path(), path, "{error}");
    let tells_the_cure = error.to_string().contains("; ");
    assert!(tells_the_cure || error.label() == "unsupported", "{error}");
}

#[test]
fn a_wrong_field_is_named() {
    for (overrides, path) in [
        (json!({ "flinkVersion": null }), "spec.flinkVersion"),
        (
            json!({ "imagePullPolicy": "always" }),
            "spec.imagePullPolicy",
        ),
        (
            json!({ "jobManager": { "resource": { "memory": "-2g" } } }),
            "spec.jobManager.resource.memory",
        ),
        (
            json!({ "jobManager": {} }),
            "jobmanager.memory.process.size",
        ),
        (
            json!({ "taskManager": null }),
            "taskmanager.memory.process.size",
        ),
        (json!({ "mode": "standalone" }), "spec.mode"),
    ] {
        refused(overrides, path);
    }
}

#[test]
fn a_wrong_option_is_named() {
    for (key, value) in [
        ("blob.server.port", json!("50100-50200")),
        ("kubernetes.jobmanager.memory.limit-factor", json!(0.5)),
        ("kubernetes.taskmanager.cpu.limit-factor", json!(0.5)),
        ("kubernetes.jobmanager.labels", json!("a:b:c")),
        ("kubernetes.jobmanager.annotations", json!("a")),
        ("kubernetes.rest-service.exposed.type", json!("Magic")),
        ("kubernetes.env.secretKeyRef", json!("env:A,secret:b")),
        ("kubernetes.secrets", json!("a")),
        (
            "kubernetes.jobmanager.tolerations",
            json!("key:a,tolerationSeconds:soon"),
        ),
        (
            "kubernetes.pod-template-file.taskmanager",
            json!("/etc/passwd"),
        ),
    ] {
        let mut entries = json!({});
        entries[key] = value;
        refused(options(entries), key);
    }
}

#[test]
fn slots_must_be_a_number_where_they_count() {
    let overrides = |slots: Value| {
        json!({
            "taskManager": { "replicas": 2, "resource": { "memory": "2g" } },
            "flinkConfiguration": { "taskmanager.numberOfTaskSlots": slots },
        })
    };
    refused(overrides(json!("two")), "taskmanager.numberOfTaskSlots");
    refused(overrides(json!(0)), "taskmanager.numberOfTaskSlots");
}

#[test]
fn there_is_at_least_one_job_manager() {
    let none = json!({
        "jobManager": { "resource": { "memory": "2g" }, "replicas": 0 },
        "flinkConfiguration": { "kubernetes.jobmanager.replicas": 0 },
    });
    refused(none, "spec.jobManager.replicas");
}

#[test]
fn files_of_the_operator_are_not_for_everyone() {
    let without_principal = json!({ "security.kerberos.login.keytab": "/k" });
    refused(
        options(without_principal),
        "security.kerberos.login.principal",
    );
    let token = json!({
        "security.kerberos.login.keytab": "/run/secrets/token",
        "security.kerberos.login.principal": "p",
    });
    refused(options(token), "security.kerberos.login.keytab");
}

#[test]
fn names_are_short() {
    let long = ClusterMeta {
        name: "n".repeat(46),
        ..meta()
    };
    let built = effective(
        &spec(json!({})),
        &long,
        &settings(&[]),
        &submission(Restore::Nothing),
    );
    assert_eq!(render(&built.unwrap()).unwrap_err().path(), "metadata.name");
}
