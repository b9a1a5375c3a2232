//! `flink-operator run`, and `crds apply`, against the in-memory world.

use flink_operator_world::api::ApiServer;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::path::Path;
use tokio::io::AsyncReadExt;
use tokio::time::{sleep, timeout};

use crate::operator::{LOOK, PATIENCE, Served, configuration, kubeconfig, program, until};

const LEASE: [(&str, &str); 2] = [
    ("leader-election.enabled", "true"),
    ("leader-election.lease-name", "lease"),
];

const DEFINITIONS: [&str; 4] = [
    "flinkdeployments.flink.apache.org",
    "flinksessionjobs.flink.apache.org",
    "flinkstatesnapshots.flink.apache.org",
    "flinkbluegreendeployments.flink.apache.org",
];

fn example() -> Value {
    let text = include_str!("../../examples/basic.yaml");
    let mut resource: Value = serde_saphyr::from_str(text).unwrap();
    resource["metadata"]["namespace"] = json!("default");
    resource
}

#[tokio::test(start_paused = true)]
async fn it_runs_a_job_tells_about_it_and_ends_in_good_order() {
    let served = Served::with_crds().await;
    let mut operator = served.operator("one", &[]).await;
    operator.ready().await;
    served.world.api.create(example()).unwrap();
    let actor = until("the job is STABLE", async || {
        let (_, page) = operator.json("/actors").await?;
        let actor = page["actors"].get(0)?.clone();
        (actor["lifecycle"] == "STABLE").then_some(actor)
    })
    .await;
    assert_eq!(
        (&actor["namespace"], &actor["name"]),
        (&json!("default"), &json!("basic-example"))
    );
    let (status, metrics) = operator.page("/metrics").await.unwrap();
    assert_eq!(status, 200);
    assert!(
        metrics
            .lines()
            .any(|line| line.starts_with("flink_k8soperator_namespace_") && line.ends_with(" 1")),
        "{metrics}"
    );
    assert_eq!(operator.page("/").await.unwrap().0, 200);

    operator.signal(Signal::SIGTERM);
    assert_eq!(operator.ended().await, 0);
    let lines = operator.lines();
    let resource = "FlinkDeployment default/basic-example";
    assert!(
        lines.iter().any(|line| line["resource"] == resource),
        "{lines:?}"
    );
    let messages: Vec<&str> = lines
        .iter()
        .filter_map(|line| line["message"].as_str())
        .collect();
    assert_eq!(messages.last(), Some(&"ended"), "{messages:?}");
    let status = &served
        .world
        .api
        .get("FlinkDeployment", "default", "basic-example")
        .unwrap()["status"];
    assert_eq!(
        status["lifecycleState"], "STABLE",
        "a job outlives its operator"
    );
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_ends_gives_its_lease_to_the_one_that_stands_by() {
    let served = Served::with_crds().await;
    let role = async |operator: &crate::operator::Operator, wanted: &str| {
        until(wanted, async || {
            let (_, page) = operator.json("/readyz").await?;
            (page["role"] == wanted).then_some(())
        })
        .await;
    };
    let mut one = served.operator("one", &LEASE).await;
    role(&one, "leading").await;
    let mut two = served.operator("two", &LEASE).await;
    two.ready().await;
    role(&two, "standby").await;
    one.signal(Signal::SIGINT);
    assert_eq!(one.ended().await, 0);
    role(&two, "leading").await;
    // Somebody takes the lease away by force: the process must not go on as if nothing had happened.
    served
        .world
        .api
        .update("Lease", "default", "lease", |lease| {
            lease["spec"]["holderIdentity"] = json!("three");
        })
        .unwrap();
    assert_eq!(two.ended().await, 3);
}

// Nothing of this needs a world, so that real time is all there is.
#[tokio::test]
async fn what_keeps_it_from_starting_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = kubeconfig(folder.path(), "127.0.0.1:9");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let wrong = configuration(folder.path(), "wrong", &[("health.probe.port", "many")]);
    let nameless = [("leader-election.enabled", "true")];
    let nameless = configuration(folder.path(), "nameless", &nameless);
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let absent = text(&folder.path().join("deeper"));
    let unused = "127.0.0.1:0".to_owned();
    let cases = [
        ("--http-address", address.clone(), address.as_str()),
        (
            "--config-dir",
            text(&wrong),
            "kubernetes.operator.health.probe.port",
        ),
        (
            "--config-dir",
            text(&nameless),
            "leader-election.lease-name",
        ),
        ("--config-dir", absent, "deeper"),
        ("--watch-namespaces", "A_b".to_owned(), "WATCH_NAMESPACES"),
        ("--log-filter", "a=b=c".to_owned(), "RUST_LOG"),
    ];
    for (flag, value, expected) in cases {
        let mut arguments = vec![("--log-filter", "error"), ("--http-address", &unused)];
        arguments.retain(|(other, _)| *other != flag);
        let mut command = program(&nowhere);
        command.arg("run").arg(flag).arg(&value);
        for (flag, value) in arguments {
            command.arg(flag).arg(value);
        }
        let mut child = command.spawn().unwrap();
        let mut error = String::new();
        let mut said = child.stderr.take().unwrap();
        let status = timeout(PATIENCE, async {
            said.read_to_string(&mut error).await.unwrap();
            child.wait().await.unwrap()
        });
        let status = status.await;
        assert!(
            status.is_ok(),
            "{flag} {value} did not keep it from starting: {error}"
        );
        assert_eq!(status.unwrap().code(), Some(1), "{flag} {value}: {error}");
        assert!(
            error.starts_with("error: ") && error.contains(expected),
            "{flag} {value}: {error}"
        );
    }
}

/// Does what the real API server does a moment after a definition was created.
async fn establish(api: ApiServer) {
    for name in DEFINITIONS {
        while api.get("CustomResourceDefinition", "", name).is_none() {
            sleep(LOOK).await;
        }
        let established = json!([{ "type": "Established", "status": "True" }]);
        api.update("CustomResourceDefinition", "", name, |crd| {
            crd["status"]["conditions"] = established.clone();
        })
        .unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn definitions_are_created_then_left_alone_then_upgraded() {
    let served = Served::start(&[]).await;
    tokio::spawn(establish(served.world.api.clone()));
    let apply = async || {
        let output = served
            .program()
            .args(["crds", "apply"])
            .output()
            .await
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{error}");
        String::from_utf8(output.stdout).unwrap()
    };
    let told = |of: fn(&str) -> &'static str| {
        let lines = DEFINITIONS.map(|name| format!("{name} {}\n", of(name)));
        lines.concat()
    };
    assert_eq!(apply().await, told(|_| "created"));
    assert_eq!(apply().await, told(|_| "unchanged"));
    served
        .world
        .api
        .update("CustomResourceDefinition", "", DEFINITIONS[1], |crd| {
            crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"] =
                json!({ "type": "object" });
        })
        .unwrap();
    let one = |name: &str| {
        if name == DEFINITIONS[1] {
            "upgraded"
        } else {
            "unchanged"
        }
    };
    assert_eq!(apply().await, told(one));
}
