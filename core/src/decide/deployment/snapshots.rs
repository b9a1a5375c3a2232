//! How a savepoint of an upgrade is recorded: as a `FlinkStateSnapshot`, or in the status's own list.

use super::draft::Draft;
use super::view::View;
use crate::effect::{Effect, SavepointFormat};
use flink_operator_api::names::{
    JOB_REFERENCE_KIND_LABEL, JOB_REFERENCE_NAME_LABEL, SNAPSHOT_STATE_LABEL,
    SNAPSHOT_TRIGGER_TYPE_LABEL, SNAPSHOT_TYPE_LABEL,
};
use flink_operator_api::{
    OperationKind, RestorePoint, Savepoint, SavepointFormatType, SnapshotTriggerType, Trigger,
};
use jiff::Timestamp;
use serde_json::json;

/// How many savepoints the status's own list holds: upstream's default of `savepoint.history.max.count`.
const LONGEST_LIST: usize = 10;

/// Returns what records the savepoint of the end that is under way, if nothing has yet.
pub(super) fn unrecorded(view: &View<'_>, draft: &Draft) -> Option<Effect> {
    let operation = draft.operation()?;
    if operation.kind != OperationKind::End {
        return None;
    }
    let trigger = operation.trigger.as_ref()?;
    let path = trigger.path.as_ref()?;
    let asked_at = trigger.asked_at.as_deref()?.parse::<Timestamp>().ok()?;
    let (name, namespace) = (view.name(), &view.meta.key.namespace);
    let triggered = newest(draft).and_then(|point| point.at.clone());
    let savepoints = &view.options.savepoints;
    let body = json!({
        "apiVersion": "flink.apache.org/v1beta1",
        "kind": "FlinkStateSnapshot",
        "metadata": {
            "name": format!("{name}-savepoint-upgrade-{}", asked_at.as_millisecond()),
            "namespace": namespace,
            "labels": {
                SNAPSHOT_TYPE_LABEL: "SAVEPOINT",
                SNAPSHOT_TRIGGER_TYPE_LABEL: "UPGRADE",
                SNAPSHOT_STATE_LABEL: "COMPLETED",
                JOB_REFERENCE_KIND_LABEL: "FlinkDeployment",
                JOB_REFERENCE_NAME_LABEL: name,
            },
        },
        "spec": {
            "jobReference": { "kind": "FlinkDeployment", "name": name },
            "savepoint": {
                "path": path,
                "formatType": format_type(savepoints.format).as_str(),
                "disposeOnDelete": savepoints.dispose_on_delete,
                "alreadyExists": true,
            },
        },
        "status": {
            "state": "COMPLETED",
            "path": path,
            "triggerTimestamp": trigger.asked_at,
            "resultTimestamp": triggered,
            "failures": 0,
        },
    });
    Some(Effect::RecordSnapshot {
        body: Box::new(body),
    })
}

/// Notes that the savepoint is recorded.
pub(super) fn recorded(draft: &mut Draft) {
    if let Some(operation) = draft.status().operation.as_mut() {
        operation.trigger = None;
    }
}

/// Records the savepoint in the status, where no resource is wanted or can be made.
pub(super) fn list(draft: &mut Draft, trigger: &Trigger, format: SavepointFormat) {
    let at = newest(draft).and_then(|point| point.at.as_deref()?.parse::<Timestamp>().ok());
    let savepoint = Savepoint {
        time_stamp: at.map(Timestamp::as_millisecond),
        location: trigger.path.clone(),
        trigger_type: Some(SnapshotTriggerType::Upgrade),
        format_type: Some(format_type(format)),
        trigger_nonce: None,
    };
    let info = draft.job().savepoint_info.get_or_insert_default();
    info.last_savepoint = Some(savepoint.clone());
    let history = info.savepoint_history.get_or_insert_default();
    if !history.iter().any(|one| one.location == savepoint.location) {
        history.push(savepoint);
    }
    let surplus = history.len().saturating_sub(LONGEST_LIST);
    history.drain(..surplus);
    recorded(draft);
}

fn newest(draft: &Draft) -> Option<&RestorePoint> {
    draft.doc.typed.lineage.as_ref()?.newest.as_ref()
}

fn format_type(format: SavepointFormat) -> SavepointFormatType {
    match format {
        SavepointFormat::Canonical => SavepointFormatType::Canonical,
        SavepointFormat::Native => SavepointFormatType::Native,
    }
}
