//! The newest restore point: remembered while the job runs, because nobody can ask afterwards.

use super::draft::Draft;
use super::view::View;
use crate::decision::Notice;
use crate::observed::{Checkpoint, Checkpoints};
use crate::status::conditions::Reason;
use flink_operator_api::{FlinkJobState, Lineage, RestorePoint, RestorePointKind};
use jiff::Timestamp;

/// Notes the newest checkpoint and what the job was restored from.
///
/// The statistics lag behind the list of jobs by up to 3 s, so that those of another life of the job
/// may still be shown right after its start; they are taken only for a job that runs.
pub(super) fn apply(view: &View<'_>, draft: &mut Draft) {
    let Some(statistics) = view.observed.answers.checkpoints.value() else {
        return;
    };
    if draft.job_state() != Some(FlinkJobState::Running) && !draft.job_is_terminal() {
        return;
    }
    if restored(draft, statistics) {
        // What the newest state was must stay known until somebody has decided about it.
        return;
    }
    let Some(newest) = &statistics.newest else {
        return;
    };
    let Some(lineage) = draft.status().lineage.as_mut() else {
        return;
    };
    let Some(segment) = lineage.segments.last().map(|segment| segment.number) else {
        return;
    };
    let known = lineage
        .newest
        .as_ref()
        .map(|point| (point.segment, point.id.unwrap_or_default()));
    if known.is_some_and(|known| (segment, newest.id) <= known) {
        return;
    }
    // Progress alone is written at intervals: a checkpoint every second must not be a write every second.
    let progress_only = known.is_some_and(|(of, _)| of == segment);
    let due = !progress_only || is_due(view, lineage);
    let point = point(segment, newest);
    if due {
        store(draft, point, statistics.state_size);
    } else {
        draft.progress = Some((point, statistics.state_size));
    }
}

/// Stores a restore point, if its lineage has not been reset meanwhile.
pub(super) fn store(draft: &mut Draft, point: RestorePoint, state_size: Option<i64>) {
    let Some(lineage) = draft.status().lineage.as_mut() else {
        return;
    };
    lineage.newest = Some(point);
    if let Some(size) = state_size {
        let info = draft.status().cluster_info.get_or_insert_default();
        info.insert("state-size".to_owned(), size.to_string());
    }
}

/// Notes what this life of the job began with, and says so if that was not the newest state; returns whether so.
fn restored(draft: &mut Draft, statistics: &Checkpoints) -> bool {
    let Some(lineage) = draft.status().lineage.as_mut() else {
        return false;
    };
    let newest = lineage.newest.clone();
    let Some(segment) = lineage.segments.last_mut() else {
        return false;
    };
    if segment.restored_id.is_none() {
        segment.restored_id = statistics.restored_id;
    }
    let older = newest.is_some_and(|newest| {
        newest.segment < segment.number && segment.restored_id.unwrap_or(0) < newest.id.unwrap_or(0)
    });
    if older {
        let message = "Flink itself started the job again from an older state than the newest restore point known; \
                       see status.lineage.newest. Edit the spec with upgradeMode stateless to accept the loss";
        let told = draft
            .doc
            .typed
            .conditions
            .iter()
            .flatten()
            .any(|condition| {
                condition.reason.as_deref() == Some(Reason::RestoredFromOlderState.as_str())
            });
        draft.degrade(Reason::RestoredFromOlderState, message);
        if !told {
            draft.notice(Notice::warning(
                "Job",
                Reason::RestoredFromOlderState.as_str(),
                message,
            ));
        }
    }
    older
}

fn is_due(view: &View<'_>, lineage: &Lineage) -> bool {
    let at = lineage
        .newest
        .as_ref()
        .and_then(|point| point.at.as_deref());
    let then = at.and_then(|at| at.parse::<Timestamp>().ok());
    then.is_none_or(|then| view.now.duration_since(then) >= view.options.checkpoint_report_interval)
}

fn point(segment: i64, newest: &Checkpoint) -> RestorePoint {
    RestorePoint {
        segment,
        id: Some(newest.id),
        path: Some(newest.path.clone()),
        kind: if newest.savepoint {
            RestorePointKind::Savepoint
        } else {
            RestorePointKind::Checkpoint
        },
        at: newest.at.map(|at| at.to_string()),
    }
}
