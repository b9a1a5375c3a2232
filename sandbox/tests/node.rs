//! Pods on the sandbox's node, on the real control plane: they live and die as on a real one.
#![allow(clippy::unwrap_used)]

mod node_support;

use flink_sandbox::Sandbox;
use flink_sandbox::launcher::MARK_VARIABLE;
use flink_sandbox::process::with_variable;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use kube::api::{DeleteParams, LogParams, Patch, PatchParams};
use node_support::{Scene, condition, sandbox};
use serde_json::json;
use std::os::unix::ffi::OsStrExt;

/// One sandbox for all scenarios, which run side by side: starting one for each would take most of the time.
#[tokio::test(flavor = "multi_thread")]
async fn pods_live_and_die_as_on_a_real_node() {
    let state_dir = tempfile::tempdir().unwrap();
    let sandbox = sandbox(&state_dir).await;
    tokio::join!(
        a_pod_sees_what_it_asked_for(&sandbox),
        a_pod_ends_in_its_grace_period(&sandbox),
        an_unknown_image_is_named(&sandbox),
        a_crash_loop_says_why(&sandbox),
        a_late_config_map_is_waited_for(&sandbox),
        a_changed_secret_reaches_a_later_restart(&sandbox),
        an_unsatisfiable_pod_is_explained(&sandbox),
        probes_decide_about_readiness_and_restarts(&sandbox),
        init_containers_and_helpers_come_first(&sandbox),
        services_have_names(&sandbox),
        a_command_that_is_not_there_is_named(&sandbox),
    );
    let instance = sandbox.instance().clone();
    sandbox.down().await.unwrap();
    let left = with_variable(MARK_VARIABLE, instance.directory().as_os_str().as_bytes()).unwrap();
    assert_eq!(left, [], "processes of pods are left");
}

async fn a_pod_sees_what_it_asked_for(sandbox: &Sandbox) {
    let scene = Scene::new(sandbox, "sees").await;
    scene
        .create::<ConfigMap>(
            json!({ "metadata": { "name": "settings" }, "data": { "a": "1", "b": "2" } }),
        )
        .await;
    scene
        .create::<Secret>(
            json!({ "metadata": { "name": "keys" }, "stringData": { "password": "secret" } }),
        )
        .await;
    let script = "echo ip=$IP key=$KEY a=$X_a limit=$LIMIT twice=$TWICE; cat /config/renamed/b; echo; ls /config; cat /sub; echo;
        cat /labels; hostname; pwd; stat -Lc %a /keys/password; echo \"$@\"; echo $$$$ is the first;
        test -s /var/run/secrets/kubernetes.io/serviceaccount/token && echo token; grep SigBlk /proc/self/status; touch /data/x /usr/private && echo writable";
    let env = json!([
        { "name": "IP", "valueFrom": { "fieldRef": { "fieldPath": "status.podIP" } } },
        { "name": "KEY", "valueFrom": { "secretKeyRef": { "name": "keys", "key": "password" } } },
        { "name": "LIMIT", "valueFrom": { "resourceFieldRef": { "resource": "limits.memory", "divisor": "1Mi" } } },
        { "name": "TWICE", "value": "$(KEY)$(KEY)" },
    ]);
    let mounts = json!([
        { "name": "config", "mountPath": "/config" },
        { "name": "config", "mountPath": "/sub", "subPath": "renamed/b" },
        { "name": "keys", "mountPath": "/keys" },
        { "name": "labels", "mountPath": "/labels", "subPath": "labels" },
        { "name": "data", "mountPath": "/data" },
    ]);
    let volumes = json!([
        { "name": "config", "configMap": { "name": "settings", "items": [{ "key": "b", "path": "renamed/b" }] } },
        { "name": "keys", "secret": { "secretName": "keys", "defaultMode": 0o400 } },
        { "name": "labels", "downwardAPI": { "items": [{ "path": "labels", "fieldRef": { "fieldPath": "metadata.labels" } }] } },
        { "name": "data", "emptyDir": {} },
    ]);
    let pod = json!({ "metadata": { "labels": { "app": "x" } }, "spec": { "restartPolicy": "Never", "volumes": volumes } });
    let container = json!({
        "command": ["sh", "-ec", script, "name"], "args": ["$(TWICE)", "$(NONE)"], "env": env, "volumeMounts": mounts,
        "envFrom": [{ "prefix": "X_", "configMapRef": { "name": "settings" } }],
        "resources": { "limits": { "memory": "64Mi" } }, "workingDir": "/work/here",
    });
    scene.create_pod("p", pod, container).await;
    let status = scene.phase("p", "Succeeded").await;
    let ip = status["podIP"].as_str().unwrap();
    let expected = format!(
        "ip={ip} key=secret a=1 limit=64 twice=secretsecret\n2\nrenamed\n2\napp=\"x\"\np\n/work/here\n400\n\
         secretsecret $(NONE)\n1 is the first\ntoken\nSigBlk:\t0000000000000000\nwritable\n"
    );
    assert_eq!(scene.log("p", 0), expected);
    let tail = LogParams {
        tail_lines: Some(1),
        ..LogParams::default()
    };
    assert_eq!(
        scene.api::<Pod>().logs("p", &tail).await.unwrap(),
        "writable\n",
        "what `kubectl logs` shows"
    );
    assert!(
        !std::path::Path::new("/usr/private").exists(),
        "the machine's files are not the pod's"
    );
    assert_eq!(
        status["containerStatuses"][0]["state"]["terminated"]["reason"],
        "Completed"
    );
}

async fn a_pod_ends_in_its_grace_period(sandbox: &Sandbox) {
    let scene = Scene::new(sandbox, "ends").await;
    let polite = "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.1; done";
    scene
        .create_pod(
            "polite",
            json!({}),
            json!({ "command": ["sh", "-c", polite] }),
        )
        .await;
    // A first process without a handler doesn't hear SIGTERM: the kernel protects it, as in any container.
    scene
        .create_pod(
            "deaf",
            json!({ "spec": { "terminationGracePeriodSeconds": 600 } }),
            json!({ "command": ["sh", "-c", "echo up; sleep 1000; :"] }),
        )
        .await;
    scene.logged("polite", "up").await;
    scene.logged("deaf", "up").await;
    let pods = scene.api::<Pod>();
    pods.delete("polite", &DeleteParams::default())
        .await
        .unwrap();
    pods.delete("deaf", &DeleteParams::default()).await.unwrap();
    scene.gone("polite").await;
    assert_eq!(scene.log("polite", 0), "up\nbye\n");
    assert!(
        scene
            .pod("deaf")
            .await
            .metadata
            .deletion_timestamp
            .is_some()
    );
    // Less grace the second time.
    pods.delete("deaf", &DeleteParams::default().grace_period(1))
        .await
        .unwrap();
    scene.gone("deaf").await;

    // Deleted without grace, the object is gone at once, and its process follows.
    let marker = format!("{}-forced", sandbox.instance().name());
    scene.create_pod("forced", json!({}), json!({ "command": ["sh", "-c", "echo up; sleep 1000; :"], "env": [{ "name": "MARKER", "value": marker }] })).await;
    scene.logged("forced", "up").await;
    assert!(
        !with_variable("MARKER", marker.as_bytes())
            .unwrap()
            .is_empty()
    );
    pods.delete("forced", &DeleteParams::default().grace_period(0))
        .await
        .unwrap();
    scene
        .eventually("the process is gone", async || {
            with_variable("MARKER", marker.as_bytes())
                .unwrap()
                .is_empty()
                .then_some(())
        })
        .await;
}

async fn an_unknown_image_is_named(sandbox: &Sandbox) {
    let scene = Scene::new(sandbox, "images").await;
    scene
        .create_pod("p", json!({}), json!({ "image": "flink:no-such-tag" }))
        .await;
    let reason = |wanted: &'static str| {
        move |status: &serde_json::Value| {
            status["containerStatuses"][0]["state"]["waiting"]["reason"] == wanted
        }
    };
    let status = scene
        .status("p", "has an image error", reason("ErrImagePull"))
        .await;
    assert_eq!(status["phase"], "Pending");
    let status = scene
        .status("p", "waits to pull again", reason("ImagePullBackOff"))
        .await;
    let message = status["containerStatuses"][0]["state"]["waiting"]["message"]
        .as_str()
        .unwrap();
    assert!(
        message.starts_with("Back-off pulling image \"flink:no-such-tag\": ErrImagePull: ")
            && message.contains("not found"),
        "{message}"
    );
    assert_eq!(
        condition(&status, "Ready")["message"],
        "containers with unready status: [c]"
    );
    scene
        .event("p", "Failed", "Failed to pull image \"flink:no-such-tag\"")
        .await;
    scene
        .api::<Pod>()
        .delete("p", &DeleteParams::default())
        .await
        .unwrap();
    scene.gone("p").await;
}

async fn a_crash_loop_says_why(sandbox: &Sandbox) {
    let scene = Scene::new(sandbox, "crashes").await;
    let script = "echo starting; echo no disk > /dev/termination-log; exit 3";
    scene
        .create_pod("p", json!({}), json!({ "command": ["sh", "-c", script] }))
        .await;
    let status = scene
        .status("p", "is in a crash loop", |status| {
            status["containerStatuses"][0]["state"]["waiting"]["reason"] == "CrashLoopBackOff"
        })
        .await;
    let container = &status["containerStatuses"][0];
    let last = &container["lastState"]["terminated"];
    assert_eq!(
        (&last["exitCode"], &last["message"], &last["reason"]),
        (&json!(3), &json!("no disk\n"), &json!("Error"))
    );
    assert_eq!(
        (&status["phase"], &container["restartCount"]),
        (&json!("Running"), &json!(1))
    );
    assert!(
        container["state"]["waiting"]["message"]
            .as_str()
            .unwrap()
            .starts_with("back-off 10s restarting failed container=c pod=p_crashes(")
    );
    assert_eq!(
        (scene.log("p", 0), scene.log("p", 1)),
        ("starting\n".to_owned(), "starting\n".to_owned())
    );
    scene
        .api::<Pod>()
        .delete("p", &DeleteParams::default())
        .await
        .unwrap();
    scene.gone("p").await;

    let pod = json!({ "spec": { "restartPolicy": "Never" } });
    let container = json!({ "command": ["sh", "-c", "echo the reason; kill -9 $$$$; exit 9"], "terminationMessagePolicy": "FallbackToLogsOnError" });
    scene.create_pod("once", pod, container).await;
    let status = scene.phase("once", "Failed").await;
    let end = &status["containerStatuses"][0]["state"]["terminated"];
    // A first process can't kill itself, so it goes on to the exit.
    assert_eq!(
        (&end["exitCode"], &end["message"]),
        (&json!(9), &json!("the reason\n"))
    );
}

async fn a_late_config_map_is_waited_for(sandbox: &Sandbox) {
    let scene = Scene::new(sandbox, "late").await;
    let pod = json!({ "spec": { "volumes": [{ "name": "v", "configMap": { "name": "late" } }] } });
    let container = json!({ "command": ["sh", "-c", "cat /v/key; sleep 1000"], "volumeMounts": [{ "name": "v", "mountPath": "/v" }] });
    scene.create_pod("p", pod, container).await;
    scene
        .event(
            "p",
            "FailedMount",
            "MountVolume.SetUp failed for volume \"v\" : configmap \"late\" not found",
        )
        .await;
    let status = scene
        .status("p", "waits", |status| {
            condition(status, "PodReadyToStartContainers")["status"] == "False"
        })
        .await;
    assert_eq!(
        (&status["phase"], &status["podIP"]),
        (&json!("Pending"), &json!(null))
    );
    scene
        .create::<ConfigMap>(json!({ "metadata": { "name": "late" }, "data": { "key": "value" } }))
        .await;
    scene.ready("p").await;
    scene.logged("p", "value").await;
}

async fn a_changed_secret_reaches_a_later_restart(sandbox: &Sandbox) {
    let scene = Scene::new(sandbox, "refs").await;
    let env =
        json!([{ "name": "A", "valueFrom": { "secretKeyRef": { "name": "s", "key": "a" } } }]);
    scene
        .create_pod(
            "p",
            json!({}),
            json!({ "command": ["sh", "-c", "echo A=$A; sleep 1000"], "env": env }),
        )
        .await;
    let waiting = |message: &'static str| {
        move |status: &serde_json::Value| {
            let waiting = &status["containerStatuses"][0]["state"]["waiting"];
            waiting["reason"] == "CreateContainerConfigError" && waiting["message"] == message
        }
    };
    scene
        .status("p", "names the secret", waiting("secret \"s\" not found"))
        .await;
    scene
        .create::<Secret>(json!({ "metadata": { "name": "s" }, "stringData": { "b": "2" } }))
        .await;
    scene
        .status(
            "p",
            "names the key",
            waiting("couldn't find key a in secret \"s\""),
        )
        .await;
    let change = Patch::Merge(json!({ "stringData": { "a": "1" } }));
    scene
        .api::<Secret>()
        .patch("s", &PatchParams::default(), &change)
        .await
        .unwrap();
    scene.logged("p", "A=1").await;
}

async fn an_unsatisfiable_pod_is_explained(sandbox: &Sandbox) {
    let scene = Scene::new(sandbox, "huge").await;
    scene
        .create_pod(
            "p",
            json!({}),
            json!({ "resources": { "requests": { "cpu": "1000" } } }),
        )
        .await;
    let status = scene
        .status("p", "is unschedulable", |status| {
            condition(status, "PodScheduled")["reason"] == "Unschedulable"
        })
        .await;
    let message = condition(&status, "PodScheduled")["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        message.starts_with("0/1 nodes are available: 1 Insufficient cpu."),
        "{message}"
    );
    scene
        .event("p", "FailedScheduling", "1 Insufficient cpu")
        .await;
    scene
        .api::<Pod>()
        .delete("p", &DeleteParams::default())
        .await
        .unwrap();
    scene.gone("p").await;
}

async fn probes_decide_about_readiness_and_restarts(sandbox: &Sandbox) {
    let scene = Scene::new(sandbox, "probes").await;
    let exec = |script: &str, period: u32| json!({ "exec": { "command": ["sh", "-c", script] }, "periodSeconds": period, "timeoutSeconds": 5 });
    let container = json!({
        "command": ["sh", "-c", "echo up; sleep 1000"],
        "startupProbe": exec("test -e /data/started", 1),
        "readinessProbe": exec("test -e /data/ready", 1),
        "livenessProbe": exec("test ! -e /data/sick || { rm /data/sick; exit 1; }", 1),
        "volumeMounts": [{ "name": "data", "mountPath": "/data" }],
    });
    let data = tempfile::tempdir().unwrap();
    let mut container = container;
    node_support::merge(
        &mut container,
        json!({ "startupProbe": { "failureThreshold": 1000 }, "livenessProbe": { "failureThreshold": 1 } }),
    );
    let volumes = json!([{ "name": "data", "hostPath": { "path": data.path() } }]);
    scene
        .create_pod(
            "p",
            json!({ "spec": { "volumes": volumes, "terminationGracePeriodSeconds": 0 } }),
            container,
        )
        .await;
    scene.event("p", "Unhealthy", "Startup probe failed").await;
    let container = |status: &serde_json::Value| status["containerStatuses"][0].clone();
    let status = scene.phase("p", "Running").await;
    assert_eq!(
        (&container(&status)["started"], &container(&status)["ready"]),
        (&json!(false), &json!(false))
    );
    std::fs::write(data.path().join("started"), "").unwrap();
    scene
        .status("p", "has started", |status| {
            container(status)["started"] == true
        })
        .await;
    assert_eq!(
        condition(&scene.phase("p", "Running").await, "Ready")["status"],
        "False"
    );
    std::fs::write(data.path().join("ready"), "").unwrap();
    scene.ready("p").await;
    std::fs::write(data.path().join("sick"), "").unwrap();
    let status = scene
        .status("p", "was restarted", |status| {
            container(status)["restartCount"] == 1
        })
        .await;
    assert_eq!(
        container(&status)["lastState"]["terminated"]["exitCode"],
        137
    );
    scene.ready("p").await;
}

async fn init_containers_and_helpers_come_first(sandbox: &Sandbox) {
    let scene = Scene::new(sandbox, "init").await;
    let mount = json!([{ "name": "data", "mountPath": "/data" }]);
    let init = |name: &str, script: &str| json!({ "name": name, "image": "busybox", "command": ["sh", "-c", script], "volumeMounts": mount });
    let mut helper = init("helper", "echo helper >> /data/order; sleep 1000");
    helper["restartPolicy"] = json!("Always");
    // The helper is known to be started when it has written its line.
    helper["startupProbe"] = json!({ "exec": { "command": ["test", "-e", "/data/order"] }, "periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 100 });
    let pod = json!({ "spec": {
        "restartPolicy": "Never", "volumes": [{ "name": "data", "emptyDir": {} }], "terminationGracePeriodSeconds": 0,
        "initContainers": [helper, init("first", "echo first >> /data/order")],
    }});
    scene
        .create_pod(
            "p",
            pod,
            json!({ "command": ["sh", "-c", "cat /data/order"], "volumeMounts": mount }),
        )
        .await;
    scene.phase("p", "Succeeded").await;
    assert_eq!(scene.log("p", 0), "helper\nfirst\n");

    let failing = json!({ "spec": { "restartPolicy": "Never", "initContainers": [{ "name": "i", "image": "busybox", "command": ["false"] }] } });
    scene
        .create_pod("bad", failing, json!({ "command": ["true"] }))
        .await;
    let status = scene.phase("bad", "Failed").await;
    assert_eq!(
        status["initContainerStatuses"][0]["state"]["terminated"]["exitCode"],
        1
    );
    assert_eq!(
        status["containerStatuses"][0]["state"]["waiting"]["reason"],
        "PodInitializing"
    );
}

async fn services_have_names(sandbox: &Sandbox) {
    let scene = Scene::new(sandbox, "names").await;
    let service = json!({ "metadata": { "name": "svc" }, "spec": { "selector": { "app": "server" }, "ports": [{ "port": 80 }] } });
    scene.create::<Service>(service).await;
    let server = json!({ "metadata": { "labels": { "app": "server" } } });
    scene
        .create_pod("server", server, json!({ "command": ["sleep", "1000"] }))
        .await;
    let ip = scene.ready("server").await["podIP"]
        .as_str()
        .unwrap()
        .to_owned();
    let ask = "until getent hosts svc svc.names svc.names.svc svc.names.svc.cluster.local; do sleep 0.1; done";
    scene
        .create_pod(
            "client",
            json!({ "spec": { "restartPolicy": "Never" } }),
            json!({ "command": ["sh", "-c", ask] }),
        )
        .await;
    scene.phase("client", "Succeeded").await;
    let log = scene.log("client", 0);
    assert_eq!(
        log.lines().filter(|line| line.starts_with(&ip)).count(),
        4,
        "{log}"
    );
}

async fn a_command_that_is_not_there_is_named(sandbox: &Sandbox) {
    let scene = Scene::new(sandbox, "typo").await;
    scene
        .create_pod(
            "p",
            json!({ "spec": { "restartPolicy": "Never" } }),
            json!({ "command": ["flinkk"] }),
        )
        .await;
    let status = scene.phase("p", "Failed").await;
    let end = &status["containerStatuses"][0]["state"]["terminated"];
    assert_eq!(
        (&end["exitCode"], &end["reason"]),
        (&json!(128), &json!("StartError"))
    );
    assert!(
        end["message"]
            .as_str()
            .unwrap()
            .contains("\"flinkk\": executable file not found in $PATH"),
        "{end}"
    );
}
