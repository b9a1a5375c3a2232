//! Kinds that are accepted and not carried out: said once, to everybody who can be told, and then there is silence.

use super::rig::{Rig, Start, key, sleep, these};
use flink_operator_world::api::{Match, Verb};
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::time::Duration;

/// Kind, plural, and the place of its CRD among ours.
const KINDS: [(&str, &str, usize); 3] = [
    ("FlinkSessionJob", "flinksessionjobs", 1),
    ("FlinkStateSnapshot", "flinkstatesnapshots", 2),
    ("FlinkBlueGreenDeployment", "flinkbluegreendeployments", 3),
];

fn crd(index: usize) -> Value {
    static CRDS: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let crds = flink_operator_api::crds();
        let crds = crds.iter().map(|crd| serde_json::to_value(crd).unwrap());
        crds.collect()
    });
    CRDS[index].clone()
}

/// A world in which all kinds are installed.
fn rig() -> Rig {
    let rig = Rig::new().with_namespaces(&["a", "b"]);
    for (_, _, index) in KINDS {
        rig.world.api.install_crd(&crd(index));
    }
    rig
}

fn object(kind: &str, namespace: &str) -> Value {
    let spec = match kind {
        "FlinkSessionJob" => {
            json!({ "deploymentName": "session", "job": { "jarURI": "local:///job.jar" } })
        }
        "FlinkStateSnapshot" => json!({
            "checkpoint": {}, "jobReference": { "kind": "FlinkDeployment", "name": "basic" },
        }),
        _ => json!({ "template": { "spec": {
            "image": "flink:1.20", "flinkVersion": "v1_20", "serviceAccount": "flink",
            "jobManager": { "resource": { "memory": "2048m", "cpu": 1 } },
            "taskManager": { "resource": { "memory": "2048m", "cpu": 1 } },
            "job": { "jarURI": "local:///job.jar" },
        } } }),
    };
    json!({
        "apiVersion": "flink.apache.org/v1beta1", "kind": kind,
        "metadata": { "name": "one", "namespace": namespace }, "spec": spec,
    })
}

fn create(rig: &Rig, namespace: &str) {
    for (kind, ..) in KINDS {
        rig.world.api.create(object(kind, namespace)).unwrap();
    }
}

fn edit(rig: &Rig, kind: &str, namespace: &str, change: impl FnOnce(&mut Value)) {
    let edited = rig.world.api.update(kind, namespace, "one", change);
    edited.unwrap();
}

fn reason(rig: &Rig, kind: &str, namespace: &str) -> String {
    let object = rig.world.api.get(kind, namespace, "one").unwrap();
    let conditions = object["status"]["conditions"].as_array().cloned();
    let mut conditions = conditions.unwrap_or_default().into_iter();
    let ready = conditions.find(|condition| condition["type"] == "Ready");
    ready.map_or(String::new(), |ready| {
        assert_eq!(
            ready["observedGeneration"],
            object["metadata"]["generation"]
        );
        ready["reason"].as_str().unwrap().to_owned()
    })
}

fn all_told(rig: &Rig, namespace: &str) -> bool {
    KINDS
        .iter()
        .all(|(kind, ..)| reason(rig, kind, namespace) == "NotSupported")
}

/// Lists what an operator changed of these kinds.
fn writes(rig: &Rig, operator: &str) -> Vec<String> {
    let records = rig.world.api.journal_records();
    let requests = records.iter().map(|record| &record.request);
    let of_kinds = |resource: &str| {
        KINDS
            .iter()
            .any(|(_, plural, _)| resource.starts_with(plural))
    };
    requests
        .filter(|request| {
            request.instance == operator && request.mutates() && of_kinds(&request.resource)
        })
        .map(ToString::to_string)
        .collect()
}

/// Lists the Warnings about a kind, with their counts.
fn warnings(rig: &Rig, kind: &str) -> Vec<(String, i64)> {
    let events = rig.world.api.list("Event", "");
    let about = events.iter().filter(|event| {
        event["involvedObject"]["kind"] == kind
            && event["type"] == "Warning"
            && event["reason"] == "NotSupported"
    });
    about
        .map(|event| {
            let message = event["message"].as_str().unwrap().to_owned();
            (message, event["count"].as_i64().unwrap())
        })
        .collect()
}

#[actix::test]
async fn each_is_told_by_one_write_and_one_warning_and_then_there_is_silence() {
    let mut rig = rig();
    create(&rig, "a");
    let operator = rig.start(Start::named("op"));
    create(&rig, "b");
    sleep(5).await;
    assert!(all_told(&rig, "a") && all_told(&rig, "b"));
    let mut written = writes(&rig, "op");
    written.sort();
    assert_eq!(
        written,
        [
            "patch flinkbluegreendeployments/status a/one",
            "patch flinkbluegreendeployments/status b/one",
            "patch flinksessionjobs/status a/one",
            "patch flinksessionjobs/status b/one",
            "patch flinkstatesnapshots/status a/one",
            "patch flinkstatesnapshots/status b/one",
        ]
    );
    for (kind, ..) in KINDS {
        let told = warnings(&rig, kind);
        assert!(
            told.len() == 2
                && told
                    .iter()
                    .all(|(message, count)| message.contains(kind) && *count == 1),
            "{told:?}"
        );
    }
    let before = rig.requests("op");
    sleep(3_600).await;
    assert_eq!(rig.requests("op"), before);
    assert_eq!(operator.health().readiness().details, Vec::<String>::new());
    assert!(
        operator.health().snapshot().actors.is_empty(),
        "they have no actors"
    );
    drop(operator);
    let _successor = rig.start(Start::named("op-2"));
    sleep(60).await;
    assert_eq!(writes(&rig, "op-2"), [""; 0], "it is said already");
}

#[actix::test]
async fn a_new_generation_is_one_more_write_and_no_more_warning() {
    let mut rig = rig();
    let _operator = rig.start(Start::named("op"));
    create(&rig, "a");
    rig.until("told", |rig| all_told(rig, "a")).await;
    edit(&rig, "FlinkSessionJob", "a", |object| {
        object["spec"]["job"]["parallelism"] = json!(4);
    });
    sleep(60).await;
    assert_eq!(writes(&rig, "op").len(), 4);
    assert!(all_told(&rig, "a"), "of the newest generation");
    assert_eq!(warnings(&rig, "FlinkSessionJob").len(), 1);
}

#[actix::test]
async fn what_the_java_operator_recorded_stays_field_by_field() {
    let mut rig = rig();
    create(&rig, "a");
    let status = json!({
        "jobStatus": { "state": "RUNNING", "jobId": "0123456789abcdef0123456789abcdef", "startTime": "1700000000000" },
        "error": "", "observedGeneration": 1, "lifecycleState": "STABLE",
        "reconciliationStatus": {
            "lastReconciledSpec": "{\"spec\": {\"job\" : {}}}", "state": "DEPLOYED", "reconciliationTimestamp": 1_700_000_000_000_i64,
        },
    });
    edit(&rig, "FlinkSessionJob", "a", |object| {
        object["metadata"]["finalizers"] = json!(["flinksessionjobs.flink.apache.org/finalizer"]);
        object["status"] = status;
    });
    let mut before = rig.world.api.get("FlinkSessionJob", "a", "one").unwrap();
    let _operator = rig.start(Start::named("op"));
    rig.until("told", |rig| all_told(rig, "a")).await;
    let mut after = rig.world.api.get("FlinkSessionJob", "a", "one").unwrap();
    let said = after["status"]
        .as_object_mut()
        .unwrap()
        .remove("conditions");
    assert_eq!(said.unwrap().as_array().unwrap().len(), 4);
    for object in [&mut before, &mut after] {
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.retain(|field, _| field != "resourceVersion" && field != "managedFields");
    }
    assert_eq!(after, before);
}

#[actix::test]
async fn whoever_takes_the_conditions_away_is_not_fought() {
    let mut rig = rig();
    let _operator = rig.start(Start::named("op"));
    create(&rig, "a");
    rig.until("told", |rig| all_told(rig, "a")).await;
    for _ in 0..3 {
        edit(&rig, "FlinkStateSnapshot", "a", |object| {
            object["status"] = json!({ "state": "COMPLETED" });
        });
        sleep(200).await;
    }
    assert_eq!(writes(&rig, "op").len(), 3);
}

#[actix::test]
async fn a_deletion_is_not_held_up_and_says_what_another_operator_has_to_do() {
    let mut rig = rig();
    let _operator = rig.start(Start::named("op"));
    create(&rig, "a");
    create(&rig, "b");
    for (kind, plural, _) in KINDS {
        edit(&rig, kind, "b", |object| {
            object["metadata"]["finalizers"] =
                json!([format!("{plural}.flink.apache.org/finalizer")]);
        });
    }
    rig.until("told", |rig| all_told(rig, "a") && all_told(rig, "b"))
        .await;
    for (kind, plural, _) in KINDS {
        rig.world.api.delete(kind, "a", "one").unwrap();
        assert_eq!(rig.world.api.get(kind, "a", "one"), None, "gone at once");
        rig.world.api.delete(kind, "b", "one").unwrap();
        sleep(5).await;
        let told = warnings(&rig, kind);
        let finalizer = format!("{plural}.flink.apache.org/finalizer");
        assert!(
            told.iter().any(|(message, _)| message.contains(&finalizer)),
            "{told:?}"
        );
        sleep(300).await;
        let held = rig.world.api.get(kind, "b", "one").unwrap();
        assert_eq!(held["metadata"]["finalizers"], json!([finalizer]));
        assert!(
            held["status"]["conditions"]
                .to_string()
                .contains("clean-up has not been done")
        );
        edit(&rig, kind, "b", |object| {
            object["metadata"]["finalizers"] = json!([]);
        });
        assert_eq!(rig.world.api.get(kind, "b", "one"), None);
    }
    sleep(300).await;
    assert_eq!(writes(&rig, "op").len(), 9, "{:?}", writes(&rig, "op"));
}

#[actix::test]
async fn an_absent_crd_disturbs_nothing_and_is_found_once_it_is_installed() {
    let mut rig = Rig::new().with_namespaces(&["a"]);
    for (kind, ..) in KINDS {
        rig.world.api.remove_kind(kind);
    }
    let operator = rig.start(Start::named("op"));
    rig.create("default", "basic", |_| {});
    rig.until_state("default", "basic", "STABLE").await;
    sleep(1_800).await;
    let readiness = operator.health().readiness();
    assert!(
        readiness.ready && readiness.details.is_empty(),
        "{readiness:?}"
    );
    let lists = || {
        let records = rig.world.api.journal_records();
        let requests = records.iter().map(|record| &record.request);
        let listed = requests.filter(|request| {
            request.verb == Some(Verb::List) && request.resource == "flinksessionjobs"
        });
        listed.count()
    };
    let before = lists();
    sleep(3_600).await;
    let looked = lists() - before;
    assert!((10..=16).contains(&looked), "now and then: {looked}");
    for (_, _, index) in KINDS {
        rig.world.api.install_crd(&crd(index));
    }
    create(&rig, "a");
    sleep(400).await;
    assert!(all_told(&rig, "a"));
    for (kind, ..) in KINDS {
        rig.world.api.remove_kind(kind);
    }
    sleep(1_000).await;
    assert_eq!(operator.health().readiness().details, Vec::<String>::new());
}

#[actix::test]
async fn missing_rights_to_look_are_named_and_degrade_nothing_else() {
    let mut rig = rig();
    let line = rig.world.api.control("op");
    for (_, plural, _) in KINDS {
        line.forbid(Match::any().resource(plural));
    }
    let operator = rig.start(Start::named("op").watching(these(&["a", "default"])));
    rig.create("default", "basic", |_| {});
    create(&rig, "a");
    rig.until_state("default", "basic", "STABLE").await;
    sleep(600).await;
    let readiness = operator.health().readiness();
    assert!(readiness.ready, "{readiness:?}");
    assert!(
        readiness.details.len() == 6
            && readiness
                .details
                .iter()
                .all(|detail| detail.contains("forbidden")),
        "{readiness:?}"
    );
    let metrics = rig.metrics();
    assert!(
        !metrics.contains(r#"resource="flinksessionjobs",resourcens"#),
        "{metrics}"
    );
    assert_eq!(writes(&rig, "op"), [""; 0]);
    line.clear();
    sleep(400).await;
    assert!(all_told(&rig, "a"));
    assert_eq!(operator.health().readiness().details, Vec::<String>::new());
}

#[actix::test]
async fn missing_rights_to_write_are_named_and_hold_up_no_other() {
    let mut rig = rig();
    let line = rig.world.api.control("op");
    line.forbid(Match::any().verb(Verb::Patch).resource("flinksessionjobs"));
    let operator = rig.start(Start::named("op"));
    create(&rig, "a");
    rig.create("default", "basic", |_| {});
    rig.until_state("default", "basic", "STABLE").await;
    sleep(10).await;
    assert_eq!(reason(&rig, "FlinkStateSnapshot", "a"), "NotSupported");
    assert_eq!(reason(&rig, "FlinkSessionJob", "a"), "");
    sleep(600).await;
    let readiness = operator.health().readiness();
    let details = readiness.details.join("\n");
    assert!(
        readiness.ready && details.contains("cannot write the status of flinksessionjobs"),
        "{readiness:?}"
    );
    let before = writes(&rig, "op").len();
    sleep(3_600).await;
    let tried = writes(&rig, "op").len() - before;
    assert!((10..=16).contains(&tried), "now and then: {tried}");
    assert_eq!(warnings(&rig, "FlinkSessionJob"), []);
    line.clear();
    sleep(400).await;
    assert!(all_told(&rig, "a"));
    assert_eq!(warnings(&rig, "FlinkSessionJob").len(), 1);
    assert_eq!(operator.health().readiness().details, Vec::<String>::new());
}

#[actix::test]
async fn only_the_leader_tells() {
    let election = [
        ("leader-election.enabled", "true"),
        ("leader-election.lease-name", "flink-operator-lease"),
    ];
    let mut rig = rig();
    let line = rig.world.api.control("one");
    line.forbid(Match::any().verb(Verb::Patch).resource("flinksessionjobs"));
    let one = rig.start(Start::named("one").with(&election));
    sleep(1).await;
    let _two = rig.start(Start::named("two").with(&election));
    create(&rig, "a");
    sleep(120).await;
    assert_eq!(writes(&rig, "two"), [""; 0]);
    assert_eq!(reason(&rig, "FlinkStateSnapshot", "a"), "NotSupported");
    one.shutdown(Duration::from_secs(10)).await;
    sleep(5).await;
    assert_eq!(
        writes(&rig, "two"),
        ["patch flinksessionjobs/status a/one"],
        "what the former leader could not say"
    );
    assert!(all_told(&rig, "a"));
}

#[actix::test]
async fn they_follow_the_list_of_namespaces() {
    let mut rig = rig();
    let options = |watched| {
        [
            ("kubernetes.operator.watched.namespaces", watched),
            ("kubernetes.operator.dynamic.namespaces.enabled", "true"),
        ]
    };
    rig.configure(&options("a"));
    let operator = rig.start_configured("op");
    create(&rig, "a");
    create(&rig, "b");
    sleep(60).await;
    assert!(all_told(&rig, "a"));
    assert_eq!(writes(&rig, "op").len(), 3);
    rig.configure(&options("b"));
    sleep(60).await;
    assert!(all_told(&rig, "b"));
    edit(&rig, "FlinkSessionJob", "a", |object| {
        object["spec"]["job"]["parallelism"] = json!(4);
    });
    sleep(60).await;
    assert_eq!(writes(&rig, "op").len(), 6, "a is none of ours any more");
    assert!(operator.health().actor(&key("a", "one")).is_none());
}

#[actix::test]
async fn a_selector_picks_those_that_are_told() {
    let mut rig = rig();
    let _operator = rig.start(Start::named("op").with(&[("label.selector", "team=a")]));
    create(&rig, "a");
    create(&rig, "b");
    edit(&rig, "FlinkSessionJob", "a", |object| {
        object["metadata"]["labels"] = json!({ "team": "a" });
    });
    sleep(60).await;
    assert_eq!(writes(&rig, "op"), ["patch flinksessionjobs/status a/one"]);
}

#[actix::test]
async fn a_crd_without_conditions_costs_one_write_and_one_warning() {
    let mut rig = rig();
    let mut older = crd(2);
    for version in older["spec"]["versions"].as_array_mut().unwrap() {
        let status =
            &mut version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"];
        assert!(
            status
                .as_object_mut()
                .unwrap()
                .remove("conditions")
                .is_some()
        );
    }
    rig.world.api.install_crd(&older);
    let _operator = rig.start(Start::named("op"));
    create(&rig, "a");
    sleep(3_600).await;
    let snapshots = writes(&rig, "op")
        .into_iter()
        .filter(|write| write.contains("flinkstatesnapshots"));
    assert_eq!(snapshots.count(), 1);
    assert_eq!(warnings(&rig, "FlinkStateSnapshot").len(), 1);
}

#[actix::test]
async fn a_write_that_is_outrun_is_made_on_the_newer_version() {
    let mut rig = rig();
    let line = rig.world.api.control("op");
    line.on(Match::any().verb(Verb::Patch).resource("flinksessionjobs"))
        .act(flink_operator_world::points::Action::DelayBefore(
            Duration::from_secs(2),
        ));
    let _operator = rig.start(Start::named("op"));
    create(&rig, "a");
    sleep(1).await;
    edit(&rig, "FlinkSessionJob", "a", |object| {
        object["status"]["error"] = json!("from elsewhere");
    });
    sleep(30).await;
    assert!(all_told(&rig, "a"));
    let object = rig.world.api.get("FlinkSessionJob", "a", "one").unwrap();
    assert_eq!(object["status"]["error"], "from elsewhere");
    assert_eq!(warnings(&rig, "FlinkSessionJob").len(), 1);
}
