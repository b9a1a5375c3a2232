//! `flink-operator render`.

use std::fmt::Write as _;
use std::fs;

use serde_json::{Value, json};

use crate::command::{finish, program, root, run, run_with_input};

const SMALL: &str = "\
apiVersion: flink.apache.org/v1beta1
kind: FlinkDeployment
metadata:
  name: small
spec:
  image: flink:1.20
  flinkVersion: v1_20
  serviceAccount: flink
  jobManager:
    resource: { cpu: 1, memory: 1600m }
  taskManager:
    resource: { cpu: 1, memory: 1728m }
  job:
    jarURI: local:///job.jar
    parallelism: 1
";

fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap()
}

fn render_text(text: &str, arguments: &[&str]) -> crate::command::Done {
    run_with_input(&[&["render", "-f", "-"], arguments].concat(), text)
}

#[test]
fn the_example_becomes_these_objects() {
    let text = run(&["render", "-f", "examples/basic.yaml"]).quietly();
    insta::assert_snapshot!("basic-objects", text);
}

#[test]
fn the_configuration_is_one_flat_map() {
    let text = run(&["render", "-f", "examples/basic.yaml", "--stage", "config"]).quietly();
    insta::assert_snapshot!("basic-config", text);
    let config: Value = serde_saphyr::from_str(&text).unwrap();
    assert!(
        config.as_object().unwrap().values().all(Value::is_string),
        "{config}"
    );
}

#[test]
fn every_example_renders_and_repeats_byte_for_byte() {
    let mut count = 0;
    for entry in fs::read_dir(root().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "yaml") {
            continue;
        }
        let file = path.to_str().unwrap();
        let (one, two) = (run(&["render", "-f", file]), run(&["render", "-f", file]));
        assert_eq!(one.code, 0, "{file}: {}", one.err);
        assert_eq!(one.out, two.out, "{file}");
        count += 1;
    }
    assert!(count >= 5, "{count} examples");
}

#[test]
fn every_identity_is_a_flag() {
    let ids = [
        ["--owner-uid", "own"],
        ["--deployment-uid", "dep"],
        ["--attempt-id", "att"],
        ["--job-id", "0123456789abcdef0123456789abcdef"],
        ["--job-result-store-id", "res"],
        ["--generation", "7"],
        ["--namespace", "jobs"],
        ["--restore-from", "s3://b/sp-1"],
    ];
    let ha = format!(
        "{SMALL}  flinkConfiguration:\n    high-availability.type: kubernetes\n    high-availability.storageDir: s3://b/ha\n"
    );
    let done = render_text(&ha, &ids.concat());
    let objects = documents(&done.quietly());
    let deployment = &objects[0];
    assert_eq!(deployment["metadata"]["ownerReferences"][0]["uid"], "own");
    let annotations = &deployment["metadata"]["annotations"];
    assert_eq!(annotations["flink.apache.org/attempt"], "att");
    assert_eq!(
        annotations["flinkdeployment.flink.apache.org/generation"],
        "7"
    );
    for object in &objects[1..] {
        assert_eq!(
            object["metadata"]["ownerReferences"][0]["uid"], "dep",
            "{object}"
        );
    }
    let config = objects.last().unwrap()["data"]["flink-conf.yaml"]
        .as_str()
        .unwrap();
    for line in [
        "$internal.pipeline.job-id: 0123456789abcdef0123456789abcdef",
        "execution.savepoint.path: s3://b/sp-1",
        "job-result-store.storage-path: s3://b/ha/job-result-store/small/res",
        "kubernetes.namespace: jobs",
    ] {
        assert!(
            config.lines().any(|there| there == line),
            "{line} in\n{config}"
        );
    }
}

#[test]
fn identities_of_the_resource_itself_are_kept() {
    let text = SMALL.replace(
        "name: small",
        "name: small\n  namespace: here\n  uid: mine\n  generation: 3",
    );
    let objects = documents(&render_text(&text, &[]).quietly());
    let metadata = &objects[0]["metadata"];
    assert_eq!(metadata["ownerReferences"][0]["uid"], "mine");
    assert_eq!(
        metadata["annotations"]["flinkdeployment.flink.apache.org/generation"],
        "3"
    );
    let config = objects.last().unwrap()["data"]["flink-conf.yaml"]
        .as_str()
        .unwrap();
    assert!(config.contains("kubernetes.namespace: here\n"), "{config}");
}

#[test]
fn defaults_come_from_both_directories_and_log_files_from_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let (base, over) = (folder.path().join("base"), folder.path().join("over"));
    for dir in [&base, &over] {
        fs::create_dir(dir).unwrap();
    }
    fs::write(
        base.join("flink-conf.yaml"),
        "a.b: base\na.c: base\nkubernetes.operator.default-configuration.flink-version.v1_20.a.d: version\n",
    )
    .unwrap();
    fs::write(
        base.join("log4j-console.properties"),
        "rootLogger.level = INFO\n",
    )
    .unwrap();
    fs::write(over.join("config.yaml"), "a:\n  c: over\n").unwrap();
    let file = folder.path().join("small.yaml");
    fs::write(&file, SMALL).unwrap();
    let render = |command: &mut std::process::Command| documents(&finish(command).quietly());
    let flags = render(
        program()
            .args(["render", "-f"])
            .arg(&file)
            .args(["--config-dir"])
            .arg(&base)
            .arg("--override-dir")
            .arg(&over),
    );
    let variables = render(
        program()
            .args(["render", "-f"])
            .arg(&file)
            .env("FLINK_CONF_DIR", &base)
            .env("CONF_OVERRIDE_DIR", &over),
    );
    assert_eq!(flags, variables);
    let data = &flags.last().unwrap()["data"];
    let config = data["flink-conf.yaml"].as_str().unwrap();
    for line in ["a.b: base", "a.c: over", "a.d: version"] {
        assert!(
            config.lines().any(|there| there == line),
            "{line} in\n{config}"
        );
    }
    assert!(!config.contains("kubernetes.operator"), "{config}");
    assert_eq!(
        data["log4j-console.properties"],
        "rootLogger.level = INFO\n"
    );
}

#[test]
fn what_is_broken_is_an_error_that_names_the_field() {
    let cases: [(&str, &str, &str); 12] = [
        (
            "  image: flink:1.20\n",
            "  imagee: x\n",
            "spec.imagee: there is no such field; did you mean image?",
        ),
        (
            "parallelism: 1",
            "parallelism: one",
            "spec.job.parallelism: must be a whole number, found a text",
        ),
        (
            "memory: 1600m",
            "memory: -5m",
            "spec.jobManager.resource.memory",
        ),
        (
            "flinkVersion: v1_20",
            "flinkVersion: v1_12",
            "spec.flinkVersion: \"v1_12\" must be one of",
        ),
        (
            "flinkVersion: v1_20\n",
            "podTemplate: [1]\n",
            "spec.podTemplate: must be a map of fields, found a list",
        ),
        (
            "  flinkVersion: v1_20\n",
            "",
            "spec.flinkVersion: Flink Version must be defined.",
        ),
        (
            "parallelism: 1",
            "parallelism: 0",
            "spec.job.parallelism: Job parallelism must be larger than 0",
        ),
        (
            "kind: FlinkDeployment",
            "kind: Deployment",
            "kind: must be FlinkDeployment, found \"Deployment\"",
        ),
        (
            "v1beta1",
            "v2",
            "apiVersion: must be flink.apache.org/v1beta1, found \"flink.apache.org/v2\"",
        ),
        (
            "  name: small\n",
            "  name: \"\"\n",
            "metadata.name: is missing",
        ),
        ("spec:\n", "spec: {\n", "not well-formed YAML"),
        (
            "kind: FlinkDeployment",
            "kind: FlinkDeployment\nkind: FlinkDeployment",
            "not well-formed YAML",
        ),
    ];
    for (from, to, expected) in cases {
        let broken = SMALL.replacen(from, to, 1);
        assert_ne!(broken, SMALL, "{from}");
        let error = render_text(&broken, &[]).failed();
        assert!(error.contains(expected), "{to}: {error}");
    }
    let long = SMALL.replace("name: small", &format!("name: {}", "a".repeat(300)));
    let error = render_text(&long, &[]).failed();
    assert!(
        error.contains("metadata.name") && error.len() < 1500,
        "{error}"
    );
}

#[test]
fn all_misspelt_fields_are_told_at_once() {
    let broken = SMALL
        .replace("image:", "imagee:")
        .replace("cpu:", "cpus:")
        .replace("parallelism", "paralelism");
    let error = render_text(&broken, &[]).failed();
    for path in [
        "spec.imagee",
        "spec.jobManager.resource.cpus",
        "spec.taskManager.resource.cpus",
        "spec.job.paralelism",
    ] {
        assert!(error.contains(&format!("\n  {path}: ")), "{path}: {error}");
    }
}

#[test]
fn a_file_holds_one_resource() {
    let error = render_text(&format!("{SMALL}---\n{SMALL}"), &[]).failed();
    assert!(error.contains("the file holds 2 documents"), "{error}");
    let error = render_text("# nothing\n---\n", &[]).failed();
    assert!(error.contains("the file is empty"), "{error}");
    let error = run(&["render", "-f", "/no/such/file"]).failed();
    assert!(error.contains("cannot read /no/such/file"), "{error}");
    let one = render_text(&format!("---\n{SMALL}---\n"), &[]).quietly();
    assert_eq!(one, render_text(SMALL, &[]).quietly());
}

#[test]
fn json_is_read_like_yaml() {
    let value: Value = serde_saphyr::from_str(SMALL).unwrap();
    assert_eq!(
        render_text(&value.to_string(), &[]).quietly(),
        render_text(SMALL, &[]).quietly()
    );
}

#[test]
fn what_a_server_adds_does_not_disturb() {
    let mut value: Value = serde_saphyr::from_str(SMALL).unwrap();
    value["metadata"]["resourceVersion"] = json!("12");
    value["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    value["metadata"]["finalizers"] = json!(["flinkdeployments.flink.apache.org/finalizer"]);
    value["metadata"]["managedFields"] = json!([{ "manager": "kubectl", "operation": "Update" }]);
    value["status"] = json!({ "jobStatus": { "state": "RUNNING" }, "later": 1 });
    assert_eq!(
        render_text(&value.to_string(), &[]).quietly(),
        render_text(SMALL, &[]).quietly()
    );
}

#[test]
fn what_is_accepted_but_surprising_is_a_warning() {
    let cases = [
        (
            "spec:\n",
            "spec:\n  flinkConfiguration: { kubernetes.operator.reconcile.intervall: 5s }\n",
            "did you mean",
        ),
        (
            "parallelism: 1",
            "parallelism: 1\n    state: suspended",
            "spec.job.state is suspended",
        ),
        (
            "parallelism: 1",
            "parallelism: 1\n    upgradeMode: savepoint",
            "the operator refuses the resource: spec.job.upgradeMode",
        ),
        (
            "name: small",
            "name: small\n  labels: { flink.apache.org/canary: \"true\" }",
            "canary",
        ),
    ];
    for (from, to, expected) in cases {
        let done = render_text(&SMALL.replacen(from, to, 1), &[]);
        assert_eq!(done.code, 0, "{}", done.err);
        assert!(
            done.err.starts_with("warning: ") && done.err.contains(expected),
            "{to}: {}",
            done.err
        );
        assert!(!done.out.is_empty());
    }
}

#[test]
fn files_beside_the_resource_or_offered_take_the_place_of_the_operators() {
    let folder = tempfile::tempdir().unwrap();
    let kerberos = |path: &str| {
        format!("{SMALL}  flinkConfiguration:\n    security.kerberos.krb5-conf.path: {path}\n")
    };
    let file = folder.path().join("app.yaml");
    let render = |path: &str, arguments: &[String]| {
        fs::write(&file, kerberos(path)).unwrap();
        finish(program().args(["render", "-f"]).arg(&file).args(arguments))
    };
    fs::write(folder.path().join("krb5.conf"), "[libdefaults]\n").unwrap();
    let beside = render("krb5.conf", &[]).quietly();
    let there = folder.path().join("krb5.conf");
    let offered = render(
        "/etc/krb5.conf",
        &[
            "--host-file".to_owned(),
            format!("/etc/krb5.conf={}", there.display()),
        ],
    )
    .quietly();
    for text in [beside, offered] {
        let objects = documents(&text);
        let map = objects
            .iter()
            .find(|object| object["data"]["krb5.conf"].is_string());
        assert_eq!(map.unwrap()["data"]["krb5.conf"], "[libdefaults]\n");
    }
    let elsewhere = render(there.to_str().unwrap(), &[]).failed();
    assert!(
        elsewhere.contains("the operator has no file"),
        "{elsewhere}"
    );
    let above = format!(
        "../{}/krb5.conf",
        folder.path().file_name().unwrap().display()
    );
    assert!(
        render(&above, &[])
            .failed()
            .contains("the operator has no file")
    );
}

#[test]
fn written_yaml_is_read_back_equal_by_readers_of_either_version() {
    let tricky = [
        "yes",
        "0x1F",
        "1:30",
        "2024-01-01",
        "~",
        "1e3",
        " blank ",
        "a: b #c",
        "- x",
        "it's \"q\"",
        "007",
    ];
    let mut entries = String::new();
    for (index, text) in tricky.iter().enumerate() {
        writeln!(entries, "    k{index}: {}", Value::from(*text)).unwrap();
    }
    let text = format!("{SMALL}  flinkConfiguration:\n{entries}");
    let done = render_text(&text, &["--stage", "config"]);
    let flat: Value = serde_saphyr::from_str(&done.out).unwrap();
    for (index, text) in tricky.iter().enumerate() {
        assert_eq!(flat[format!("k{index}")], *text);
    }
    // Words that YAML 1.1 takes for something else must stand in quotes.
    for (index, text) in tricky.iter().enumerate().take(6) {
        let plain = format!("k{index}: {text}\n");
        assert!(!done.out.contains(&plain), "{plain}");
    }
}

#[test]
fn wrong_usage_has_its_own_status() {
    let done = run(&["render"]);
    assert_eq!(done.code, 2);
    assert!(done.err.contains("--file <FILE>"), "{}", done.err);
    let done = run(&["render", "-f", "examples/basic.yaml", "--job-id", "x"]);
    assert_eq!(done.code, 2);
    assert!(done.err.contains("a job id has 32 digits"), "{}", done.err);
}

#[test]
fn every_recorded_case_gives_the_recorded_set_of_objects() {
    let native = root().join("tests/golden/cases/native");
    let below = |folder: &std::path::Path| -> Vec<std::path::PathBuf> {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect()
    };
    let mut count = 0;
    for case in below(&native).iter().flat_map(|version| below(version)) {
        let done = finish(
            program()
                .args(["render", "-f"])
                .arg(case.join("flinkdeployment.yaml")),
        );
        if case.join("expected/error.txt").exists() {
            done.failed();
            continue;
        }
        assert_eq!(done.code, 0, "{}: {}", case.display(), done.err);
        let text = |value: &Value| value.as_str().unwrap().to_ascii_lowercase();
        let mut made: Vec<String> = documents(&done.out)
            .iter()
            .map(|object| {
                format!(
                    "{}-{}.yaml",
                    text(&object["kind"]),
                    text(&object["metadata"]["name"])
                )
            })
            .collect();
        let mut recorded: Vec<String> = below(&case.join("expected"))
            .iter()
            .filter(|path| path.is_file())
            .map(|path| path.file_name().unwrap().display().to_string())
            .collect();
        made.sort();
        recorded.sort();
        assert_eq!(made, recorded, "{}", case.display());
        count += 1;
    }
    assert!(count >= 28, "{count} cases");
}
