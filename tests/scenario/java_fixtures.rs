//! What releases of the Java operator left behind, as files: a world, a status in it, and what must
//! come of it. A file without a test, or a test without a file, is a failure.

use std::collections::BTreeMap;
use std::path::Path;

use flink_operator_oracle::history::{Moment, Snapshot};
use serde_json::{Value, json};

use crate::play::{NAME, NAMESPACE, Operator, application, pass};
use crate::scene::{Scene, scene};

const GENERATION: &str = "flinkdeployment.flink.apache.org/generation";
const FINALIZER: &str = "flinkdeployments.flink.apache.org/finalizer";

/// Reads all fixtures by name.
pub(crate) fn all() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenario/java");
    let files = std::fs::read_dir(folder).unwrap();
    let named = files.map(|file| {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (
            name,
            serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap(),
        )
    });
    named.collect()
}

/// What there is to lose, or to have twice.
#[derive(Debug, PartialEq)]
struct Belongings {
    deployment: String,
    ha_maps: Vec<String>,
    runs: usize,
}

fn belongings(scene: &Scene) -> Belongings {
    Belongings {
        deployment: scene.deployment(),
        ha_maps: scene.ha_maps(),
        runs: scene.world.cluster.runs().len(),
    }
}

/// Plays what the fixture of this name tells, and proves its outcome.
pub(crate) fn prove(name: &str) {
    let fixture = all().remove(name).unwrap();
    scene(async |mut scene| {
        let before = plant(&mut scene, &fixture).await;
        let mark = scene.mark();
        scene.operator = Some(Operator::start(&scene.world, "op-2"));
        match fixture["outcome"]["kind"].as_str().unwrap() {
            "adopted" => adopted(&scene, &fixture, &before, mark).await,
            "waits" => waits(&scene, &fixture, &before, mark).await,
            "continues" => continues(&scene, &fixture, &before).await,
            other => panic!("unknown outcome {other}"),
        }
        scene
    });
}

/// One status write, no other effect, and silence.
async fn adopted(scene: &Scene, fixture: &Value, before: &Belongings, mark: usize) {
    pass(300.0).await;
    let (planted, now) = (&fixture["status"], scene.status());
    // Only what is news to the status is told.
    let news = planted["jobStatus"]["state"] != now["jobStatus"]["state"];
    let mut writes = scene.writes_since(mark);
    writes.retain(|write| !(news && write.starts_with("create events")));
    assert_eq!(
        writes,
        ["update flinkdeployments/status default/basic"],
        "{now:#}"
    );
    assert_eq!(&belongings(scene), before);
    let expected = &fixture["outcome"]["lifecycleState"];
    assert_eq!(&now["lifecycleState"], expected);
    assert_eq!(
        scene.condition("Degraded")["status"],
        "False",
        "{:#}",
        scene.status()
    );
    kept(planted, &now);
}

/// What Java stored about snapshots stays there, field by field.
fn kept(planted: &Value, now: &Value) {
    for field in ["savepointInfo", "checkpointInfo", "upgradeSavepointPath"] {
        let planted = without_nulls(&planted["jobStatus"][field]);
        assert_eq!(without_nulls(&now["jobStatus"][field]), planted, "{field}");
    }
    let stable = &planted["reconciliationStatus"]["lastStableSpec"];
    let text = &now["reconciliationStatus"]["lastReconciledSpec"];
    let was = &planted["reconciliationStatus"]["lastReconciledSpec"];
    let known = [was, stable];
    let same =
        |one: &Value| one.as_str().map(without_generation) == text.as_str().map(without_generation);
    assert!(
        known.into_iter().any(same),
        "the record was written anew: {text}"
    );
}

/// The generation in a record is filled in when it is planted.
fn without_generation(text: &str) -> String {
    let (Some(begin), Some(end)) = (
        text.find("\"metadata\":{\"generation\":"),
        text.find(",\"firstDeployment\""),
    ) else {
        return text.to_owned();
    };
    format!("{}{}", &text[..begin], &text[end..])
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, value)| !value.is_null());
            kept.map(|(name, value)| (name.clone(), without_nulls(value)))
                .collect()
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

/// Nothing but the status is touched; it says why, once, and then there is silence.
async fn waits(scene: &Scene, fixture: &Value, before: &Belongings, mark: usize) {
    let reason = fixture["outcome"]["reason"].as_str().unwrap();
    scene
        .until("waiting", |scene| scene.has_reason("Progressing", reason))
        .await;
    // Progress of checkpoints may be written after five minutes.
    pass(290.0).await;
    let writes = scene.writes_since(mark);
    let of_status =
        |write: &&String| write.as_str() == "update flinkdeployments/status default/basic";
    let others: Vec<_> = writes
        .iter()
        .filter(|write| !of_status(write) && !write.starts_with("create events"))
        .collect();
    assert_eq!(others, [""; 0]);
    assert_eq!(writes.iter().filter(of_status).count(), 1, "{writes:?}");
    let event = fixture["outcome"]["event"].as_str().unwrap_or(reason);
    assert_eq!(scene.events(event).len(), 1, "told once");
    assert!(
        scene.has_reason("Progressing", reason),
        "{:#}",
        scene.status()
    );
    assert_eq!(&belongings(scene), before);
    let path = &fixture["status"]["jobStatus"]["upgradeSavepointPath"];
    assert_eq!(&scene.status()["jobStatus"]["upgradeSavepointPath"], path);
}

/// What was begun is brought to its end, with one job at the end.
async fn continues(scene: &Scene, fixture: &Value, before: &Belongings) {
    scene.until_state("STABLE").await;
    pass(60.0).await;
    let after = belongings(scene);
    match fixture["outcome"]["cluster"].as_str().unwrap() {
        "same" => assert_eq!(&after, before),
        "new" => {
            assert_ne!(after.deployment, before.deployment);
            assert_eq!(after.runs, before.runs + 1);
        }
        other => panic!("unknown cluster {other}"),
    }
    let running = scene.world.cluster.jobs(NAMESPACE, NAME);
    assert_eq!(running.len(), 1, "{running:?}");
    if let Some(path) = fixture["outcome"]["restored"].as_str() {
        let runs = scene.world.cluster.runs();
        let restored = runs.last().and_then(|run| run.restored.as_ref());
        assert_eq!(restored.map(|restored| restored.path.as_str()), Some(path));
    }
}

/// Makes the world of a fixture, with no operator in it; gives what there is.
async fn plant(scene: &mut Scene, fixture: &Value) -> Belongings {
    let mut resource = application();
    merge(&mut resource["spec"], &fixture["spec"]);
    let world = fixture["world"].as_str().unwrap();
    if world == "nothing" {
        scene.operator.take().unwrap().crash();
        resource["metadata"]["finalizers"] = json!([FINALIZER]);
        scene.create(resource);
    } else {
        scene.run(resource).await;
        pass(30.0).await;
        scene.operator.take().unwrap().crash();
    }
    let last = scene.status();
    bring_to(scene, world).await;
    if let Some(path) = fixture["outcome"]["restored"].as_str() {
        lay_savepoint(scene, path);
    }
    scene.edit(|spec| merge(spec, &fixture["edit"]));
    let generation = scene.resource()["metadata"]["generation"].clone();
    scene
        .world
        .api
        .update("FlinkDeployment", NAMESPACE, NAME, |resource| {
            resource["status"] = filled(&fixture["status"], &last["jobStatus"], &generation);
        })
        .unwrap();
    if !scene.deployment().is_empty() {
        let annotation = fixture["annotation"].as_str().unwrap();
        scene
            .world
            .api
            .update("Deployment", NAMESPACE, NAME, |deployment| {
                annotate(deployment, annotation, &generation);
            })
            .unwrap();
    }
    belongings(scene)
}

/// Lays the savepoint there that the Java operator had the job take at its end.
fn lay_savepoint(scene: &Scene, path: &str) {
    let runs = scene.world.cluster.runs();
    let run = runs.last().expect("the job ran");
    let moment = scene.world.api.clock().moment();
    let savepoint = Snapshot {
        path: path.to_owned(),
        namespace: run.namespace.clone(),
        cluster: run.cluster.clone(),
        job: run.job.clone(),
        checkpoint: 1,
        savepoint: true,
        stop: true,
        progress: run.progress,
        run: runs.len() - 1,
        completed: Moment::new(moment.order, moment.at),
        discarded: None,
    };
    scene
        .world
        .cluster
        .with_files(|files| files.snapshots.push(savepoint));
}

async fn bring_to(scene: &Scene, world: &str) {
    match world {
        "running" | "nothing" => {}
        "finished" => scene.world.cluster.finish_jobs(NAMESPACE, NAME),
        "deleted" => scene
            .world
            .api
            .delete("Deployment", NAMESPACE, NAME)
            .unwrap(),
        other => panic!("unknown world {other}"),
    }
    pass(30.0).await;
    if world == "deleted" {
        assert_eq!((scene.deployment(), scene.pods()), (String::new(), 0));
    }
}

/// Leaves Java's annotation alone, of the generation that the fixture names.
fn annotate(deployment: &mut Value, which: &str, generation: &Value) {
    let annotations = deployment["metadata"]["annotations"]
        .as_object_mut()
        .unwrap();
    annotations.retain(|name, _| name == GENERATION);
    match which {
        "none" => annotations.clear(),
        "deployed" => {}
        "current" => {
            annotations.insert(GENERATION.to_owned(), generation.to_string().into());
        }
        other => panic!("unknown annotation {other}"),
    }
}

/// Fills in what only a world knows.
fn filled(value: &Value, job: &Value, generation: &Value) -> Value {
    match value {
        Value::String(text) => match text.as_str() {
            "$JOB" => job["jobId"].clone(),
            "$START" => job["startTime"].clone(),
            "$GENERATION" => generation.clone(),
            text => text.replace("$GENERATION", &generation.to_string()).into(),
        },
        Value::Object(fields) => {
            let filled = fields
                .iter()
                .map(|(name, value)| (name.clone(), filled(value, job, generation)));
            filled.filter(|(_, value)| !value.is_null()).collect()
        }
        Value::Array(items) => items
            .iter()
            .map(|item| filled(item, job, generation))
            .collect(),
        other => other.clone(),
    }
}

/// Changes a document by a merge patch.
fn merge(document: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *document = patch.clone();
        return;
    };
    if !document.is_object() {
        *document = json!({});
    }
    let fields = document.as_object_mut().unwrap();
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}
