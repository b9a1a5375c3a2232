//! What the autoscaler of the Java operator decided, which stands nowhere but in the recorded spec.
//!
//! Java puts its decisions into the spec in memory, so that they are in `lastReconciledSpec` and not in
//! what the user wrote. Read as an edit, their absence would restart the job without them.

use super::recorded::Recorded;
use crate::config::{Configuration, flatten, options};
use flink_operator_api::FlinkDeploymentSpec;

/// Options that memory tuning sets; it removes the other sizes of a TaskManager's memory.
const TUNED: &str = "taskmanager.memory.";
/// What memory tuning always sets, and hardly anybody else.
const TUNING_MARK: &str = "taskmanager.memory.framework.heap.size";

/// Returns whether a record has options that the autoscaler sets.
pub fn are_in(recorded: &Recorded) -> bool {
    let old = flatten(&recorded.spec.flink_configuration.0);
    let parallelisms = options::PIPELINE_PARALLELISM_OVERRIDES.option().key;
    old.text(parallelisms).is_some() || old.text(TUNING_MARK).is_some()
}

/// Returns a spec with the decisions of the autoscaler that are in the record.
///
/// `config` is the configuration of the spec with all layers below it. Whoever switches the autoscaler
/// off takes its decisions back.
pub fn keep(
    recorded: &Recorded,
    spec: &FlinkDeploymentSpec,
    config: &Configuration,
) -> FlinkDeploymentSpec {
    let mut kept = spec.clone();
    let on = |key| config.get(key).unwrap_or(false);
    if !on(&options::AUTOSCALER_ENABLED) {
        return kept;
    }
    let old = flatten(&recorded.spec.flink_configuration.0);
    let own = flatten(&spec.flink_configuration.0);
    let key = options::PIPELINE_PARALLELISM_OVERRIDES.option().key;
    if let Some(decided) = old.text(key) {
        let text = merged(own.text(key), decided);
        kept.flink_configuration
            .0
            .insert(key.to_owned(), text.into());
    }
    let tuned = old.text(TUNING_MARK).is_some() && own.text(TUNING_MARK).is_none();
    if tuned && on(&options::AUTOSCALER_MEMORY_TUNING_ENABLED) {
        tune(recorded, &old, &mut kept);
    }
    kept
}

/// Puts the decided parallelisms over the user's; the text stays as it was if that says the same.
fn merged(own: Option<&str>, decided: &str) -> String {
    let vertices = |text: &str| -> Vec<(String, String)> {
        let entries = text.trim_matches(['{', '}']).split(',');
        let pairs = entries.filter_map(|entry| entry.split_once(':'));
        let bare = |text: &str| text.trim().trim_matches(['\'', '"']).to_owned();
        pairs.map(|(id, count)| (bare(id), bare(count))).collect()
    };
    let known = vertices(decided);
    let more: Vec<String> = vertices(own.unwrap_or_default())
        .into_iter()
        .filter(|(id, _)| known.iter().all(|(other, _)| other != id))
        .map(|(id, count)| format!("{id}:{count}"))
        .collect();
    if more.is_empty() {
        return decided.to_owned();
    }
    let known = known.iter().map(|(id, count)| format!("{id}:{count}"));
    known.chain(more).collect::<Vec<_>>().join(",")
}

/// Takes the TaskManager's memory from the record.
fn tune(recorded: &Recorded, old: &Configuration, kept: &mut FlinkDeploymentSpec) {
    let own = flatten(&kept.flink_configuration.0);
    let mut options: serde_json::Map<_, _> = own
        .iter()
        .filter(|(key, _)| !key.starts_with(TUNED))
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect();
    let decided = old.iter().filter(|(key, _)| key.starts_with(TUNED));
    options.extend(decided.map(|(key, value)| (key.to_owned(), value.into())));
    kept.flink_configuration.0 = options;
    let (Some(role), Some(old)) = (&mut kept.task_manager, &recorded.spec.task_manager) else {
        return;
    };
    if let (Some(resource), Some(old)) = (&mut role.resource, &old.resource) {
        resource.memory.clone_from(&old.memory);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::diff;
    use flink_operator_api::KubernetesDeploymentMode;
    use serde_json::{Value, json};

    fn spec(options: &Value, memory: &str) -> FlinkDeploymentSpec {
        serde_json::from_value(json!({
            "job": { "jarURI": "local:///a.jar", "parallelism": 2 },
            "taskManager": { "resource": { "memory": memory, "cpu": 1 } },
            "flinkConfiguration": options,
        }))
        .unwrap()
    }

    fn kept(recorded: &Value, own: &Value) -> FlinkDeploymentSpec {
        let own = spec(own, "2g");
        let config = flatten(&own.flink_configuration.0);
        keep(&Recorded::new(spec(recorded, "1g"), false), &own, &config)
    }

    fn overrides(recorded: &str, own: &Value) -> Option<String> {
        let key = "pipeline.jobvertex-parallelism-overrides";
        let kept = kept(&json!({ key: recorded }), own);
        flatten(&kept.flink_configuration.0)
            .text(key)
            .map(str::to_owned)
    }

    #[test]
    fn parallelisms_are_kept_while_the_autoscaler_is_on() {
        for switch in [
            "job.autoscaler.enabled",
            "kubernetes.operator.job.autoscaler.enabled",
        ] {
            let own = json!({ switch: "true" });
            for text in ["a:1,b:2", "{a: '1', b: '2'}"] {
                assert_eq!(overrides(text, &own).as_deref(), Some(text));
            }
        }
        assert_eq!(overrides("a:1", &json!({})), None);
        assert_eq!(
            overrides("a:1", &json!({ "job.autoscaler.enabled": "false" })),
            None
        );
    }

    #[test]
    fn the_users_own_parallelisms_give_way_and_are_not_lost() {
        let key = "pipeline.jobvertex-parallelism-overrides";
        let own = |text| json!({ "job": { "autoscaler": { "enabled": true } }, key: text });
        assert_eq!(
            overrides("a:1,b:2", &own("a:9")).as_deref(),
            Some("a:1,b:2")
        );
        assert_eq!(
            overrides("{a: '1'}", &own("c:9")).as_deref(),
            Some("a:1,c:9")
        );
    }

    #[test]
    fn tuned_memory_is_kept_while_tuning_is_on() {
        let recorded = json!({
            "taskmanager.memory.framework.heap.size": "0 bytes",
            "taskmanager.memory.network.min": "100 bytes",
            "job.autoscaler.enabled": "true",
        });
        let own = json!({
            "job.autoscaler.enabled": "true", "job.autoscaler.memory.tuning.enabled": "true",
            "taskmanager.memory.flink.size": "1g",
        });
        let tuned = kept(&recorded, &own);
        let change = diff::diff(
            &spec(&recorded, "1g"),
            &tuned,
            KubernetesDeploymentMode::Native,
        );
        assert_eq!(change.kind, diff::ChangeKind::Ignore, "{change}");
        let untuned = kept(&recorded, &json!({ "job.autoscaler.enabled": "true" }));
        assert_eq!(
            untuned,
            spec(&json!({ "job.autoscaler.enabled": "true" }), "2g")
        );
    }
}
