//! What the REST replies look like, version by version.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::checkpoints::{Entry, RestoredFrom, Status};
use super::job::{Job, Operation, Progress, Purpose, State, Tasks};
use super::process::{Ground, JobManager, Worker};

pub(super) fn config(process: &JobManager) -> Value {
    let version = process.who.version;
    let refresh = process
        .conf
        .duration(&["web.refresh-interval"])
        .map_or(3_000, |interval| interval.as_millis());
    let mut features = Map::from_iter([("web-submit".to_owned(), json!(false))]);
    for (name, since) in [("web-cancel", 14), ("web-history", 16), ("web-rescale", 18)] {
        if version.since(1, since) {
            features.insert(name.to_owned(), json!(false));
        }
    }
    json!({
        "refresh-interval": i64::try_from(refresh).unwrap_or(3_000),
        "timezone-name": "Coordinated Universal Time",
        "timezone-offset": 0,
        "flink-version": version.release(),
        "flink-revision": "0000000 @ 2026-01-01T00:00:00+00:00",
        "features": features,
    })
}

pub(super) fn overview(process: &JobManager, workers: &[Worker]) -> Value {
    let count = |wanted: State| {
        process
            .jobs
            .iter()
            .filter(|job| job.state == wanted)
            .count()
    };
    let slots =
        usize::try_from(process.conf.number("taskmanager.numberOfTaskSlots", 1)).unwrap_or(1);
    json!({
        "taskmanagers": workers.len(),
        "slots-total": workers.len() * slots,
        "slots-available": 0,
        "jobs-running": count(State::Running),
        "jobs-finished": count(State::Finished),
        "jobs-cancelled": count(State::Canceled),
        "jobs-failed": count(State::Failed),
        "flink-version": process.who.version.release(),
        "flink-commit": "0000000",
    })
}

pub(super) fn task_managers(process: &JobManager, ground: &Ground<'_>) -> Value {
    let slots = process.conf.number("taskmanager.numberOfTaskSlots", 1);
    let registered = ground.workers.iter().filter(|worker| {
        worker
            .running
            .is_some_and(|since| since + process.pace.registering <= ground.now)
    });
    let list: Vec<Value> = registered
        .map(|worker| json!({ "id": worker.name, "path": format!("pekko.tcp://flink@{}:6122/user/rpc/taskmanager_0", worker.name),
            "slotsNumber": slots, "freeSlots": 0 }))
        .collect();
    json!({ "taskmanagers": list })
}

pub(super) fn configuration(process: &JobManager) -> Value {
    process
        .conf
        .iter()
        .map(|(key, value)| json!({ "key": key, "value": value }))
        .collect()
}

/// The list of jobs. It is the one view that never lags; its order changes from call to call.
pub(super) fn jobs(process: &JobManager, now: Timestamp) -> Value {
    let mut jobs: Vec<Value> = process
        .jobs
        .iter()
        .map(|job| entry_of(process, job, now))
        .collect();
    if !jobs.is_empty() {
        let turn = process.answered % jobs.len();
        jobs.rotate_left(turn);
    }
    json!({ "jobs": jobs })
}

fn entry_of(process: &JobManager, job: &Job, now: Timestamp) -> Value {
    let end = job.end.map_or(-1, Timestamp::as_millisecond);
    let changed = job.stamps.values().max().copied().unwrap_or(job.start);
    let mut value = json!({
        "jid": job.graph.job,
        "name": job.graph.name,
        "state": job.state.name(),
        "start-time": job.start.as_millisecond(),
        "end-time": end,
        "duration": job.end.unwrap_or(now).as_millisecond() - job.start.as_millisecond(),
        "last-modification": changed.as_millisecond(),
        "tasks": tasks(job),
    });
    if process.who.version.since(2, 3) {
        value["jobType"] = json!("STREAMING");
        value["schedulerType"] = Value::Null;
        value["pending-operators"] = json!(0);
    }
    value
}

fn tasks(job: &Job) -> Value {
    let total = match job.tasks {
        Tasks::None if job.run.is_none() => 0,
        Tasks::None
        | Tasks::Scheduled
        | Tasks::Deploying
        | Tasks::Running
        | Tasks::Lost
        | Tasks::Ended => job.graph.parallelism,
    };
    let name = match (job.tasks, job.state) {
        (Tasks::None, _) => "created",
        (Tasks::Scheduled, _) => "scheduled",
        (Tasks::Deploying, _) => "deploying",
        (Tasks::Running | Tasks::Lost, State::Cancelling) => "canceling",
        // Nobody has noticed.
        (Tasks::Running | Tasks::Lost, _) => "running",
        (Tasks::Ended, State::Finished) => "finished",
        (Tasks::Ended, State::Failed) => "failed",
        (Tasks::Ended, _) => "canceled",
    };
    let mut counts = json!({ "total": total, "created": 0, "scheduled": 0, "deploying": 0, "running": 0,
        "finished": 0, "canceling": 0, "canceled": 0, "failed": 0, "reconciling": 0, "initializing": 0 });
    counts[name] = json!(total);
    counts
}

pub(super) fn job(process: &JobManager, index: usize, ground: &Ground<'_>) -> Value {
    let job = &process.jobs[index];
    let stamps: Map<String, Value> = State::ALL
        .iter()
        .map(|state| {
            let at = job.stamps.get(state).map_or(0, |at| at.as_millisecond());
            (state.name().to_owned(), json!(at))
        })
        .collect();
    json!({
        "jid": job.graph.job,
        "name": job.graph.name,
        "isStoppable": false,
        "state": job.state.name(),
        "start-time": job.start.as_millisecond(),
        "end-time": job.end.map_or(-1, Timestamp::as_millisecond),
        "duration": job.end.unwrap_or(ground.now).as_millisecond() - job.start.as_millisecond(),
        "maxParallelism": -1,
        "now": ground.now.as_millisecond(),
        "timestamps": stamps,
        "vertices": [],
        "status-counts": tasks(job),
        "plan": { "jid": job.graph.job, "name": job.graph.name, "type": "STREAMING", "nodes": [] },
    })
}

pub(super) fn exceptions(process: &JobManager, index: usize, _: &Ground<'_>) -> Value {
    let job = &process.jobs[index];
    let labels = process.who.version.since(1, 18);
    let entries: Vec<Value> = job
        .problems
        .iter()
        .rev()
        .map(|problem| {
            let mut entry = json!({
                "exceptionName": problem.class,
                "stacktrace": format!("{}\n\tat org.apache.flink.runtime.taskmanager.Task.run(Task.java:568)", problem.message),
                "timestamp": problem.at.as_millisecond(),
                "taskName": problem.task,
                "endpoint": problem.task.as_ref().map(|_| "taskmanager:6122"),
                "taskManagerId": problem.task.as_ref().map(|_| "taskmanager"),
                "concurrentExceptions": [],
            });
            if labels {
                entry["failureLabels"] = json!({});
            }
            entry
        })
        .collect();
    let mut value = json!({ "exceptionHistory": { "entries": entries, "truncated": false } });
    if process.who.version.has_root_exception() {
        let last = job.problems.last();
        value["root-exception"] = json!(last.map(|problem| problem.message.clone()));
        value["timestamp"] = json!(last.map(|problem| problem.at.as_millisecond()));
        value["all-exceptions"] = json!([]);
        value["truncated"] = json!(false);
    }
    value
}

pub(super) fn checkpoints(process: &JobManager, index: usize, ground: &Ground<'_>) -> Value {
    let coordinator = &process.jobs[index].coordinator;
    let (completed, failed) = coordinator.counts;
    let open = coordinator
        .history
        .iter()
        .filter(|entry| entry.status == Status::InProgress)
        .count();
    let restored = coordinator.restored.as_ref();
    let times = restored.map_or(0, |restored| restored.count);
    let show = |entry: Option<&Entry>| entry.map(|entry| self::entry(process, entry, ground));
    json!({
        "counts": { "restored": times, "total": completed + failed, "in_progress": open,
            "completed": completed, "failed": failed },
        "summary": {},
        "latest": {
            "completed": show(coordinator.completed.as_ref()),
            "savepoint": show(coordinator.savepoint.as_ref()),
            "failed": show(coordinator.failed.as_ref()),
            "restored": restored.map(|restored| restored_from(restored, ground)),
        },
        "history": coordinator.history.iter().map(|entry| self::entry(process, entry, ground)).collect::<Vec<_>>(),
    })
}

fn restored_from(restored: &RestoredFrom, ground: &Ground<'_>) -> Value {
    json!({
        "id": restored.id,
        "restore_timestamp": restored.at.as_millisecond(),
        "is_savepoint": restored.is_savepoint,
        "external_path": ground.files.snapshots[restored.snapshot].path,
    })
}

pub(super) fn entry(process: &JobManager, entry: &Entry, ground: &Ground<'_>) -> Value {
    let status = match entry.status {
        Status::InProgress => "IN_PROGRESS",
        Status::Completed(_) => "COMPLETED",
        Status::Failed(_) => "FAILED",
    };
    let mut value = json!({
        process.who.version.class_field(): status.to_ascii_lowercase(),
        "id": entry.id,
        "status": status,
        "is_savepoint": entry.kind.is_savepoint(),
        "checkpoint_type": entry.kind.name(),
        "trigger_timestamp": entry.triggered.as_millisecond(),
        "latest_ack_timestamp": entry.decided.map_or(-1, Timestamp::as_millisecond),
        "state_size": 1024,
        "checkpointed_size": 1024,
        "end_to_end_duration": entry.decided.map_or(0, |at| at.as_millisecond() - entry.triggered.as_millisecond()),
        "alignment_buffered": 0,
        "processed_data": 0,
        "persisted_data": 0,
        "num_subtasks": 1,
        "num_acknowledged_subtasks": 1,
        "tasks": {},
    });
    if process.who.version.since(1, 18) {
        value["savepointFormat"] = if entry.kind.is_savepoint() {
            json!("CANONICAL")
        } else {
            Value::Null
        };
    }
    match &entry.status {
        Status::InProgress => {}
        Status::Completed(number) => {
            let snapshot = &ground.files.snapshots[*number];
            // A path is listed also when its files are gone: `discarded` alone tells.
            value["external_path"] = json!(snapshot.path);
            value["discarded"] = json!(snapshot.discarded.is_some());
        }
        Status::Failed(message) => {
            value["failure_timestamp"] = json!(entry.decided.map_or(0, Timestamp::as_millisecond));
            value["failure_message"] = json!(message);
        }
    }
    value
}

pub(super) fn execution_result(job: &Job) -> Value {
    if !job.state.terminal() {
        return json!({ "status": { "id": "IN_PROGRESS" }, "job-execution-result": null });
    }
    let status = match job.state {
        State::Finished => "SUCCEEDED",
        State::Canceled => "CANCELED",
        State::Failed
        | State::Initializing
        | State::Created
        | State::Running
        | State::Failing
        | State::Cancelling
        | State::Restarting => "FAILED",
    };
    let mut result = json!({ "id": job.graph.job, "application-status": status, "accumulator-results": {},
        "net-runtime": 0 });
    if let Some(problem) = job.problems.last().filter(|_| job.state == State::Failed) {
        result["failure-cause"] = throwable(&problem.message);
    }
    json!({ "status": { "id": "COMPLETED" }, "job-execution-result": result })
}

pub(super) fn metrics(job: &Job, query: &str) -> Value {
    let wanted = query
        .split('&')
        .find_map(|part| part.strip_prefix("get="))
        .unwrap_or_default();
    let restarts = job.restarts.to_string();
    let completed = job.coordinator.counts.0.to_string();
    let all = [
        ("fullRestarts", &restarts),
        ("numRestarts", &restarts),
        ("numberOfCompletedCheckpoints", &completed),
    ];
    let asked = |name: &str| {
        wanted.split([',']).any(|metric| metric == name) || wanted.split("%2C").any(|m| m == name)
    };
    all.iter()
        .filter(|(name, _)| asked(name))
        .map(|(name, value)| json!({ "id": name, "value": value }))
        .collect()
}

pub(super) fn operation(operation: &Operation) -> Value {
    let of_checkpoint = operation.purpose == Purpose::Checkpoint;
    match &operation.progress {
        Progress::Pending => json!({ "status": { "id": "IN_PROGRESS" }, "operation": null }),
        Progress::Done(_) if of_checkpoint => json!({ "status": { "id": "COMPLETED" },
            "operation": { "checkpointId": operation.checkpoint, "failureCause": null } }),
        Progress::Done(location) => json!({ "status": { "id": "COMPLETED" },
            "operation": { "location": location, "failure-cause": null } }),
        Progress::Failed(message) if of_checkpoint => json!({ "status": { "id": "COMPLETED" },
            "operation": { "checkpointId": null, "failureCause": throwable(message) } }),
        Progress::Failed(message) => failure(message),
    }
}

/// A completed operation that failed.
pub(super) fn failure(message: &str) -> Value {
    json!({ "status": { "id": "COMPLETED" }, "operation": { "failure-cause": throwable(message) } })
}

fn throwable(message: &str) -> Value {
    json!({
        "class": "java.util.concurrent.CompletionException",
        "stack-trace": format!(
            "java.util.concurrent.CompletionException: {message}\n\tat java.base/java.util.concurrent.CompletableFuture.encodeThrowable(Unknown Source)\nCaused by: {message}\n\t... 1 more\n"
        ),
        "serialized-throwable": "rO0ABXNyAA==",
    })
}
