//! The newest restore point: remembered while the job runs, because nobody can ask afterwards.

use super::draft::Draft;
use super::view::View;
use crate::decision::Notice;
use crate::fact::Fact;
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
    if is_another_run(view, draft) {
        return;
    }
    if !restored(view, draft, statistics) {
        // What the newest state was must stay known until somebody has decided about it.
        return;
    }
    let ended = draft.job_is_terminal();
    if ended {
        note_left(view, draft);
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
    // The savepoint of a stop, whose number is not known yet, is the last that a run leaves.
    let known = lineage
        .newest
        .as_ref()
        .map(|point| (point.segment, point.id.unwrap_or(i64::MAX)));
    if known.is_some_and(|known| (segment, newest.id) <= known) {
        return;
    }
    // Progress alone is written at intervals: a checkpoint every second must not be a write every second.
    let progress_only = known.is_some_and(|(of, _)| of == segment);
    // What an ended job left is no progress: a start may follow.
    let due = !progress_only || ended || is_due(view, lineage);
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

/// Notes what this life of the job began with; returns whether that was the newest state, as far as can be told.
fn restored(view: &View<'_>, draft: &mut Draft, statistics: &Checkpoints) -> bool {
    let current = of_now(view, draft).is_some();
    let newest = {
        let lineage = draft.doc.typed.lineage.as_ref();
        lineage.and_then(|lineage| lineage.newest.clone())
    };
    let segment = draft.status().lineage.as_mut();
    let Some(segment) = segment.and_then(|lineage| lineage.segments.last_mut()) else {
        return true;
    };
    let first_told = segment.restored_id.is_none();
    if first_told {
        segment.restored_id = statistics.restored_id;
    }
    let (number, restored_id) = (segment.number, segment.restored_id);
    let job = segment.job_id.clone();
    let Some(newest) = newest.filter(|newest| newest.segment < number) else {
        return true;
    };
    if began_again(view, draft) {
        return older(draft);
    }
    match restored_id {
        // Nothing was restored: sure only once the statistics are no copy of the moments before.
        None if !current => false,
        // It ended before it began: nothing was restored, and nothing was made.
        None if draft.job_is_terminal() && statistics.newest.is_none() => true,
        None => {
            // Later statistics may name a checkpoint that this run has made and restored by itself.
            note_restored(draft, NOTHING);
            older(draft)
        }
        Some(NOTHING) => older(draft),
        Some(id) if newest.id.is_some_and(|newest| id < newest) => older(draft),
        Some(id) => {
            if first_told {
                let same = newest.id.is_none_or(|newest| newest == id);
                let message = match newest.path.filter(|_| same) {
                    Some(path) => format!("job {job} was restored from {path} (checkpoint {id})"),
                    None => format!("job {job} was restored from checkpoint {id}"),
                };
                draft.notice(Notice::normal("Job", "Restored", message));
            }
            true
        }
    }
}

/// Returns whether Flink itself runs the job again from what it was first started from, which it does without high
/// availability: checkpoints of this run, which it may restore later, are no proof then.
fn began_again(view: &View<'_>, draft: &Draft) -> bool {
    let Some(lineage) = &draft.doc.typed.lineage else {
        return false;
    };
    let (Some(newest), Some(last)) = (&lineage.newest, lineage.segments.last()) else {
        return false;
    };
    let mut segments = lineage.segments.iter();
    let made_it = segments.find(|segment| segment.number == newest.segment);
    // From a savepoint a start begins that was asked for.
    let checkpoint = newest.kind == RestorePointKind::Checkpoint;
    let again = made_it
        .is_some_and(|before| before.job_id == last.job_id && before.start_time != last.start_time);
    again && checkpoint && !view.options.high_availability
}

/// Stands for "nothing" where the id of a restored checkpoint is stored: Flink counts from 1.
const NOTHING: i64 = 0;

fn note_restored(draft: &mut Draft, id: i64) {
    let lineage = draft.status().lineage.as_mut();
    if let Some(segment) = lineage.and_then(|lineage| lineage.segments.last_mut()) {
        segment.restored_id = Some(id);
    }
}

/// Says that Flink itself started the job from older state than the newest known.
pub(super) fn older(draft: &mut Draft) -> bool {
    let message = "Flink itself started the job again from an older state than the newest restore point known; \
                   see status.lineage.newest, and whether its files are still there. To go back to that, set \
                   spec.job.initialSavepointPath to it and change spec.job.savepointRedeployNonce; to go on from what the \
                   job has now, take a savepoint of it with Flink and do the same with that; upgradeMode stateless with another restartNonce starts empty";
    draft.complain_once(Reason::RestoredFromOlderState, "Job", message);
    false
}

/// Whether the running job has the newest state that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carries {
    Newest,
    /// What it was restored from has not been told yet.
    NotKnownYet,
    Older,
}

/// Tells whether the running job has the newest state that is known, so that it may take its place.
pub(super) fn carries(view: &View<'_>, draft: &Draft) -> Carries {
    let Some(lineage) = &draft.doc.typed.lineage else {
        return Carries::Newest;
    };
    let (Some(newest), Some(segment)) = (&lineage.newest, lineage.segments.last()) else {
        return Carries::Newest;
    };
    if newest.segment >= segment.number {
        return Carries::Newest;
    }
    if began_again(view, draft) {
        return Carries::Older;
    }
    match (segment.restored_id, newest.id) {
        (Some(NOTHING), _) => Carries::Older,
        (Some(restored), Some(newest)) if restored < newest => Carries::Older,
        (Some(_), _) => Carries::Newest,
        (None, _) if of_now(view, draft).is_some() => Carries::Older,
        (None, _) => Carries::NotKnownYet,
    }
}

/// Returns whether the JobManager lists another run of the job than the one that the status is about: an ended job that
/// a restarted JobManager runs again. What that one leaves is nothing to go on from.
pub(super) fn is_another_run(view: &View<'_>, draft: &Draft) -> bool {
    let Some(jobs) = view.observed.answers.jobs.value() else {
        return false;
    };
    let id = draft.job_id();
    let listed = jobs.iter().find(|job| Some(job.id.as_str()) == id);
    let job = draft.doc.typed.job_status.as_ref();
    let known = job.and_then(|job| job.start_time.as_deref());
    listed.is_some_and(|listed| known.is_some_and(|known| known != listed.start_time.to_string()))
}

/// Returns the statistics if they are no copy of before the job's last change of state.
pub(super) fn of_now<'a>(view: &View<'a>, draft: &Draft) -> Option<&'a Checkpoints> {
    let Fact::Known(seen) = &view.observed.answers.checkpoints else {
        return None;
    };
    if is_another_run(view, draft) {
        return None;
    }
    let changed = draft.job_changed_at()?;
    (seen.at.duration_since(changed) >= view.options.statistics_lag).then_some(&seen.value)
}

/// Returns whether it is noted where an ended job left its state; the Java operator notes that and nothing else.
pub(super) fn is_left_noted(draft: &Draft) -> bool {
    let Some(lineage) = &draft.doc.typed.lineage else {
        return true;
    };
    let job = draft.doc.typed.job_status.as_ref();
    let noted = job.and_then(|job| job.upgrade_savepoint_path.as_deref());
    let run = lineage.segments.last().map(|segment| segment.number);
    // What a run began with says nothing of what it left.
    let of_run = |newest: &&RestorePoint| run.is_none_or(|run| newest.segment >= run);
    let newest = lineage.newest.as_ref().filter(of_run);
    noted.is_some() && newest.and_then(|newest| newest.path.as_deref()) == noted
}

/// Notes where an ended job left its state, as upstream does, so that another start can go on from there.
pub(super) fn note_left(view: &View<'_>, draft: &mut Draft) {
    let Some(statistics) = of_now(view, draft) else {
        return;
    };
    let left = statistics.newest.as_ref();
    let highest = statistics.highest_id;
    let state = draft.job_state();
    if let Some(lineage) = draft.status().lineage.as_mut()
        && let (Some(known), Some(run)) = (lineage.newest.as_mut(), lineage.segments.last())
    {
        // Ids go on from what the run began with.
        let own = |id: i64| run.restored_id.is_none_or(|began| id > began);
        if known.segment == run.number {
            let gone = |known: i64| left.is_none_or(|left| left.id < known);
            let made = |known: i64| own(known) && highest.is_some_and(|highest| highest >= known);
            if known.id.is_some_and(|known| made(known) && gone(known)) {
                // Flink deletes the checkpoints of a job that finishes: they are still the newest state there was.
                known.path = None;
            }
        } else if left.is_none() {
            // It left what it began with, unless it made checkpoints that are gone.
            known.segment = run.number;
            let newer = |id: &i64| own(*id) && known.id.is_none_or(|known| *id > known);
            if let Some(made) = highest.filter(newer) {
                (known.id, known.path) = (Some(made), None);
            }
        }
    }
    let newest = draft.doc.typed.lineage.as_ref();
    let newest = newest.and_then(|lineage| lineage.newest.clone());
    match (left, newest) {
        (Some(left), _) => draft.job().upgrade_savepoint_path = Some(left.path.clone()),
        // Without a checkpoint of its own it left what it was restored from.
        (None, Some(newest)) if state == Some(FlinkJobState::Canceled) => {
            draft.job().upgrade_savepoint_path = newest.path;
        }
        (None, _) => {}
    }
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
