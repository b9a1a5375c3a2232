//! Comparing fields: which are compared as a whole, what equality means, and what a change asks for.

use flink_operator_api::{FlinkDeploymentSpec, KubernetesDeploymentMode, PodTemplate};
use serde_json::{Map, Value};

use super::{Change, ChangeKind};
use crate::build::{Quantity, normalised_template};

/// Fields whose own fields are compared one by one, if both sides have them.
const COMPARED_DEEPER: [&str; 2] = ["job", "taskManager"];

/// Fields that ask for something when they get a new value, and for nothing when they lose it.
const NONCES: [&str; 2] = ["restartNonce", "job.savepointRedeployNonce"];

/// Lists the fields that differ, options aside.
pub(super) fn fields(
    old: &FlinkDeploymentSpec,
    new: &FlinkDeploymentSpec,
    mode: KubernetesDeploymentMode,
) -> Vec<Change> {
    let (old, new) = (document(old), document(new));
    let mut changes = Vec::new();
    between("", &old, &new, mode, &mut changes);
    changes
}

fn between(
    prefix: &str,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    mode: KubernetesDeploymentMode,
    changes: &mut Vec<Change>,
) {
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let value = |side: &Map<String, Value>| side.get(name).cloned().unwrap_or_default();
        let (old, new) = (value(old), value(new));
        let path = format!("{prefix}{name}");
        if let (Value::Object(old), Value::Object(new)) = (&old, &new)
            && COMPARED_DEEPER.contains(&path.as_str())
        {
            between(&format!("{path}."), old, new, mode, changes);
            continue;
        }
        let lost_nonce = new.is_null() && NONCES.contains(&path.as_str());
        if lost_nonce || comparable(name, &old) == comparable(name, &new) {
            continue;
        }
        let kind = kind_of_field(&path, mode);
        changes.push(Change {
            path,
            old,
            new,
            kind,
        });
    }
}

/// Says what a change of a field asks for.
fn kind_of_field(path: &str, mode: KubernetesDeploymentMode) -> ChangeKind {
    match path {
        "job.upgradeMode"
        | "job.allowNonRestoredState"
        | "job.initialSavepointPath"
        | "job.savepointTriggerNonce"
        | "job.checkpointTriggerNonce"
        | "job.autoscalerResetNonce" => ChangeKind::Ignore,
        "job.savepointRedeployNonce" => ChangeKind::SavepointRedeploy,
        "job.parallelism" | "taskManager.replicas" => match mode {
            KubernetesDeploymentMode::Native => ChangeKind::Upgrade,
            KubernetesDeploymentMode::Standalone => ChangeKind::Scale,
        },
        _ => ChangeKind::Upgrade,
    }
}

/// Says what a change of an option asks for.
pub(super) fn kind_of_option(key: &str, mode: KubernetesDeploymentMode) -> ChangeKind {
    const IGNORED: [&str; 3] = [
        "job.autoscaler",
        "parallelism.default",
        "kubernetes.operator",
    ];
    if IGNORED.iter().any(|prefix| key.starts_with(prefix)) {
        return ChangeKind::Ignore;
    }
    match mode {
        KubernetesDeploymentMode::Native
            if key.starts_with("pipeline.jobvertex-parallelism-overrides") =>
        {
            ChangeKind::Scale
        }
        KubernetesDeploymentMode::Native | KubernetesDeploymentMode::Standalone => {
            ChangeKind::Upgrade
        }
    }
}

/// Turns a spec into a document of fields, without options and without what pod templates may carry
/// beside metadata and spec.
fn document(spec: &FlinkDeploymentSpec) -> Map<String, Value> {
    let mut spec = spec.clone();
    spec.flink_configuration.0.clear();
    let templates = [
        spec.pod_template.as_mut(),
        spec.job_manager
            .as_mut()
            .and_then(|role| role.pod_template.as_mut()),
        spec.task_manager
            .as_mut()
            .and_then(|role| role.pod_template.as_mut()),
    ];
    for template in templates.into_iter().flatten() {
        reduce(template);
    }
    match serde_json::to_value(spec).expect("specs have text keys and finite numbers") {
        Value::Object(mut document) => {
            document.remove("flinkConfiguration");
            document
        }
        _ => unreachable!("a spec is an object"),
    }
}

/// Keeps what belongs to a pod template, in its normal form.
fn reduce(template: &mut PodTemplate) {
    template
        .0
        .retain(|key, _| matches!(key.as_str(), "metadata" | "spec"));
    let whole = Value::Object(std::mem::take(&mut template.0));
    if let Some(Value::Object(normal)) = normalised_template(whole) {
        template.0 = normal;
    }
}

/// Brings a value into a form in which equal meanings are equal: amounts as exact numbers.
fn comparable(name: &str, value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let amounts = matches!(name, "requests" | "limits" | "overhead");
            let fields = object.iter().map(|(key, value)| {
                let value = if amounts || matches!(key.as_str(), "sizeLimit" | "divisor") {
                    amount(value)
                } else {
                    comparable(key, value)
                };
                (key.clone(), value)
            });
            Value::Object(fields.collect())
        }
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| comparable("", item)).collect())
        }
        Value::Number(number) => number.as_f64().map_or_else(|| value.clone(), Value::from),
        scalar => scalar.clone(),
    }
}

fn amount(value: &Value) -> Value {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => return other.clone(),
    };
    Quantity::parse(&text)
        .and_then(Quantity::canonical)
        .map_or_else(|| value.clone(), Value::String)
}
