//! The REST API of a JobManager: which path does what, and how each version says no.

use bytes::Bytes;
use flink_operator_oracle::history::Moment;
use http::{Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};

use super::conf::duration;
use super::job::{Progress, Purpose, State};
use super::process::{Ground, JobManager, Phase};
use super::views;

/// What Flink writes where a checkpoint has no path of its own.
pub const NOT_ADDRESSABLE: &str = "<checkpoint-not-externally-addressable>";

/// A reply before it is turned into bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// Status.
    pub code: StatusCode,
    /// Body.
    pub body: Value,
}

impl Reply {
    fn ok(body: Value) -> Self {
        Self {
            code: StatusCode::OK,
            body,
        }
    }

    fn accepted(body: Value) -> Self {
        Self {
            code: StatusCode::ACCEPTED,
            body,
        }
    }

    /// Makes an error in the form that Flink uses: messages with stack traces, no codes.
    pub fn error(code: StatusCode, message: &str) -> Self {
        let errors = if code == StatusCode::INTERNAL_SERVER_ERROR {
            json!([
                "Internal server error.",
                format!(
                    "<Exception on server side:\n{message}\n\tat org.apache.flink.runtime.rest.handler\nEnd of exception on server side>"
                )
            ])
        } else {
            json!([message])
        };
        Self {
            code,
            body: json!({ "errors": errors }),
        }
    }

    fn bad_request(message: &str) -> Self {
        Self::error(StatusCode::BAD_REQUEST, message)
    }

    fn missing(message: &str) -> Self {
        Self::error(StatusCode::NOT_FOUND, message)
    }

    /// Turns the reply into bytes.
    pub fn into_response(self) -> Response<Bytes> {
        Response::builder()
            .status(self.code)
            .header(header::CONTENT_TYPE, "application/json; charset=UTF-8")
            .body(Bytes::from(self.body.to_string()))
            .expect("a status and a constant header make a response")
    }
}

impl JobManager {
    /// Answers a request; `None` while the port is not bound.
    pub fn answer(&mut self, request: &Request<Bytes>, ground: &mut Ground<'_>) -> Option<Reply> {
        match self.phase {
            Phase::Starting | Phase::Ended => None,
            Phase::Electing => Some(unavailable()),
            // Handlers open one after the other; this one is late.
            Phase::Leading { since }
                if request.uri().path() == "/overview"
                    && ground.now.duration_since(since) < LATE_HANDLER =>
            {
                Some(unavailable())
            }
            Phase::Leading { .. } => {
                self.answered += 1;
                self.forget_old_results(ground);
                let path = request.uri().path().to_owned();
                let segments: Vec<&str> = path
                    .split('/')
                    .filter(|segment| !segment.is_empty())
                    .collect();
                Some(self.route(request, &path, &segments, ground))
            }
        }
    }

    fn route(
        &mut self,
        request: &Request<Bytes>,
        path: &str,
        segments: &[&str],
        ground: &mut Ground<'_>,
    ) -> Reply {
        let query = request.uri().query().unwrap_or_default();
        match (request.method(), segments) {
            (&Method::GET, ["config"]) => Reply::ok(views::config(self)),
            (&Method::GET, ["overview"]) => Reply::ok(views::overview(self, ground.workers)),
            (&Method::GET, ["taskmanagers"]) => Reply::ok(views::task_managers(self, ground)),
            (&Method::GET, ["jobmanager", "config"]) => Reply::ok(views::configuration(self)),
            (&Method::GET, ["jobs", "overview"]) => Reply::ok(views::jobs(self, ground.now)),
            (&Method::GET, ["jobs", job]) => self.cached(job, "job", ground, views::job),
            (&Method::GET, ["jobs", job, "exceptions"]) => {
                self.cached(job, "exceptions", ground, views::exceptions)
            }
            (&Method::GET, ["jobs", job, "checkpoints"]) => self.checkpoints(job, ground),
            (&Method::GET, ["jobs", job, "checkpoints", "details", id]) => {
                self.checkpoint(job, id, ground)
            }
            (&Method::GET, ["jobs", job, "checkpoints", trigger])
                if self.who.version.triggers_checkpoints() =>
            {
                self.operation(job, trigger)
            }
            (&Method::GET, ["jobs", job, "savepoints", trigger]) => self.operation(job, trigger),
            (&Method::GET, ["jobs", job, "execution-result"]) => match self.index(job) {
                Some(index) => Reply::ok(views::execution_result(&self.jobs[index])),
                None => not_found(job),
            },
            (&Method::GET, ["jobs", job, "metrics"]) => match self.index(job) {
                Some(index) => Reply::ok(views::metrics(&self.jobs[index], query)),
                None => Reply::ok(json!([])),
            },
            (&Method::PATCH, ["jobs", job]) => self.cancel_requested(job, query, ground),
            (&Method::POST, ["jobs", job, "stop"]) => {
                self.stop_requested(job, request.body(), ground)
            }
            (&Method::POST, ["jobs", job, "savepoints"]) => {
                self.savepoint_requested(job, request.body(), ground)
            }
            (&Method::POST, ["jobs", job, "checkpoints"])
                if self.who.version.triggers_checkpoints() =>
            {
                self.checkpoint_requested(job, request.body(), ground)
            }
            (&Method::POST, ["savepoint-disposal"]) => {
                self.disposal_requested(request.body(), ground)
            }
            (&Method::GET, ["savepoint-disposal", trigger]) => self.disposal(trigger),
            (&Method::GET, _) => Reply::missing(&format!("Unable to load requested file {path}.")),
            (_, _) if self.who.version.since(1, 14) => {
                Reply::missing(&format!("Not found: {path}"))
            }
            (_, _) => Reply::missing("Not found."),
        }
    }

    fn index(&self, job: &str) -> Option<usize> {
        self.jobs
            .iter()
            .position(|candidate| candidate.graph.job == job)
    }

    /// Answers from a copy that is up to a refresh interval old.
    fn cached(
        &mut self,
        job: &str,
        view: &'static str,
        ground: &Ground<'_>,
        render: fn(&JobManager, usize, &Ground<'_>) -> Value,
    ) -> Reply {
        let Some(index) = self.index(job) else {
            return not_found(job);
        };
        let key = (job.to_owned(), view);
        let interval = self.refresh_interval(view);
        if let Some((at, value)) = self.caches.get(&key)
            && ground.now.duration_since(*at) < interval
        {
            return Reply::ok(value.clone());
        }
        let value = render(self, index, ground);
        self.caches.insert(key, (ground.now, value.clone()));
        Reply::ok(value)
    }

    fn refresh_interval(&self, view: &str) -> jiff::SignedDuration {
        let own = (view == "checkpoints" && self.who.version.since(1, 18))
            .then(|| {
                self.conf
                    .duration(&["rest.cache.checkpoint-statistics.timeout"])
            })
            .flatten();
        own.or_else(|| self.conf.text("web.refresh-interval").and_then(duration))
            .unwrap_or(jiff::SignedDuration::from_secs(3))
    }

    fn checkpoints(&mut self, job: &str, ground: &Ground<'_>) -> Reply {
        let Some(index) = self.index(job) else {
            return not_found(job);
        };
        if self.jobs[index].placeholder {
            return Reply::missing("Checkpointing has not been enabled.");
        }
        self.cached(job, "checkpoints", ground, views::checkpoints)
    }

    fn checkpoint(&self, job: &str, id: &str, ground: &Ground<'_>) -> Reply {
        let Some(index) = self.index(job) else {
            return not_found(job);
        };
        let history = &self.jobs[index].coordinator.history;
        match history.iter().find(|entry| entry.id.to_string() == id) {
            Some(entry) => Reply::ok(views::entry(self, entry, ground)),
            None => Reply::missing(&format!(
                "Could not find checkpointing statistics for checkpoint {id}."
            )),
        }
    }

    fn cancel_requested(&mut self, job: &str, query: &str, ground: &mut Ground<'_>) -> Reply {
        if query.contains("mode=stop") {
            return Reply::error(
                StatusCode::PERMANENT_REDIRECT,
                "The termination mode \"stop\" is no longer supported.",
            );
        }
        let Some(index) = self.index(job) else {
            return Reply::missing(&format!(
                "Job could not be found. Could not find Flink job ({job})"
            ));
        };
        let version = self.who.version;
        match self.jobs[index].state {
            State::Cancelling => Reply::accepted(json!({})),
            State::Canceled if version.cancels_again() => Reply::accepted(json!({})),
            state @ (State::Finished | State::Failed) if version.cancel_conflicts() => {
                Reply::error(
                    StatusCode::CONFLICT,
                    &format!(
                        "Job cancellation failed because the job has already reached another terminal state ({}).",
                        state.name()
                    ),
                )
            }
            State::Canceled | State::Finished | State::Failed => {
                Reply::missing("Job could not be found.")
            }
            State::Initializing
            | State::Created
            | State::Running
            | State::Failing
            | State::Restarting => {
                self.cancel(index, ground);
                Reply::accepted(json!({}))
            }
        }
    }

    fn stop_requested(&mut self, job: &str, body: &Bytes, ground: &mut Ground<'_>) -> Reply {
        let known = ["targetDirectory", "drain", "formatType", "triggerId"];
        self.trigger(
            job,
            body,
            &known,
            "targetDirectory",
            |_| Purpose::Stop,
            ground,
        )
    }

    fn savepoint_requested(&mut self, job: &str, body: &Bytes, ground: &mut Ground<'_>) -> Reply {
        let known = ["target-directory", "cancel-job", "formatType", "triggerId"];
        let purpose = |body: &Value| {
            if body["cancel-job"] == json!(true) {
                Purpose::SavepointAndCancel
            } else {
                Purpose::Savepoint
            }
        };
        self.trigger(job, body, &known, "target-directory", purpose, ground)
    }

    fn checkpoint_requested(&mut self, job: &str, body: &Bytes, ground: &mut Ground<'_>) -> Reply {
        self.trigger(
            job,
            body,
            &["checkpointType", "triggerId"],
            "",
            |_| Purpose::Checkpoint,
            ground,
        )
    }

    /// Accepts an asynchronous operation. Only a malformed request is refused at once: 202 proves nothing.
    fn trigger(
        &mut self,
        job: &str,
        body: &Bytes,
        known: &[&str],
        directory_field: &str,
        purpose: fn(&Value) -> Purpose,
        ground: &mut Ground<'_>,
    ) -> Reply {
        let body = match self.body(body, known) {
            Ok(body) => body,
            Err(refusal) => return refusal,
        };
        let chosen = match body["triggerId"].as_str().map(trigger_id).transpose() {
            Ok(chosen) => chosen,
            Err(message) => return Reply::bad_request(&message),
        };
        let purpose = purpose(&body);
        let configured = self.conf.first(&[
            "execution.checkpointing.savepoint-dir",
            "state.savepoints.dir",
        ]);
        let directory = body[directory_field]
            .as_str()
            .or(configured)
            .map(str::to_owned);
        let Some(directory) =
            directory.or_else(|| (purpose == Purpose::Checkpoint).then(String::new))
        else {
            let key = self.who.version.savepoint_directory_key();
            return Reply::bad_request(&format!(
                "Config key [{key}] is not set. Property [{directory_field}] must be provided."
            ));
        };
        let id = chosen.unwrap_or_else(|| {
            let (head, tail) = (ground.files.next_name(), ground.files.next_name());
            format!("{head}{tail}00000000")
        });
        // One key space per job for savepoints and stops; what is known is never done again.
        let repeated = self
            .index(job)
            .is_some_and(|index| self.jobs[index].operations.contains_key(&id))
            || self.strays.contains_key(&(job.to_owned(), id.clone()));
        if !repeated {
            if self.index(job).is_none() {
                self.strays.insert((job.to_owned(), id.clone()), ground.now);
            }
            self.operate(job, &id, purpose, &directory, ground);
        }
        Reply::accepted(json!({ "request-id": id }))
    }

    /// Reads a JSON body and refuses fields that the version does not know.
    fn body(&self, body: &Bytes, known: &[&str]) -> Result<Value, Reply> {
        let value: Value = if body.is_empty() {
            json!({})
        } else {
            serde_json::from_slice(body)
                .map_err(|_| Reply::bad_request("Request did not match expected format."))?
        };
        let version = self.who.version;
        let recent = |field: &str| {
            (field == "triggerId" || field == "formatType") && !version.takes_trigger_id()
        };
        let stranger = value.as_object().and_then(|fields| {
            fields
                .keys()
                .find(|field| !known.contains(&field.as_str()) || recent(field))
        });
        match stranger {
            Some(field) if version.rejects_unknown_fields() => Err(Reply::bad_request(&format!(
                "Request did not match expected format. Unrecognized field \"{field}\" (class org.apache.flink.runtime.rest.messages), not marked as ignorable"
            ))),
            Some(_) | None => Ok(value),
        }
    }

    fn operation(&self, job: &str, trigger: &str) -> Reply {
        let trigger = trigger.to_ascii_lowercase();
        let found = self
            .index(job)
            .and_then(|index| self.jobs[index].operations.get(&trigger));
        if let Some(operation) = found {
            return Reply::ok(views::operation(operation));
        }
        if self.strays.contains_key(&(job.to_owned(), trigger.clone())) {
            let message = format!(
                "org.apache.flink.runtime.messages.FlinkJobNotFoundException: Could not find Flink job ({job})"
            );
            return Reply::ok(views::failure(&message));
        }
        if self.who.version.takes_trigger_id() {
            Reply::missing(&format!(
                "There is no savepoint operation with triggerId={trigger} for job {job}."
            ))
        } else {
            Reply::missing(&format!("Operation not found under key: {trigger}"))
        }
    }

    fn disposal_requested(&mut self, body: &Bytes, ground: &mut Ground<'_>) -> Reply {
        let body = match self.body(body, &["savepoint-path"]) {
            Ok(body) => body,
            Err(refusal) => return refusal,
        };
        let path = body["savepoint-path"].as_str().unwrap_or_default();
        let id = format!(
            "{}{}00000000",
            ground.files.next_name(),
            ground.files.next_name()
        );
        let outcome = match ground.files.readable(path) {
            Some(number) => {
                let moment: Moment = ground.moment();
                ground.files.discard(number, moment);
                Progress::Done(String::new())
            }
            None => Progress::Failed(format!(
                "java.io.FileNotFoundException: Cannot find checkpoint or savepoint file/directory '{path}' on file system 'file'."
            )),
        };
        self.disposals.insert(id.clone(), outcome);
        Reply::ok(json!({ "request-id": id }))
    }

    fn disposal(&self, trigger: &str) -> Reply {
        match self.disposals.get(trigger) {
            None => Reply::missing(&format!("Operation not found under key: {trigger}")),
            Some(Progress::Failed(message)) => Reply::ok(views::failure(&format!(
                "Could not dispose savepoint. {message}"
            ))),
            Some(Progress::Pending | Progress::Done(_)) => {
                Reply::ok(json!({ "status": { "id": "COMPLETED" }, "operation": {} }))
            }
        }
    }

    /// Drops the results of all operations that are decided, as time does.
    pub fn forget_results(&mut self) {
        for job in &mut self.jobs {
            let operations = &mut job.operations;
            operations.retain(|_, operation| operation.decided.is_none());
        }
        self.strays.clear();
    }

    /// Drops results that have been kept long enough; from 1.15, where the time can be set.
    fn forget_old_results(&mut self, ground: &Ground<'_>) {
        if !self.who.version.takes_trigger_id() {
            return;
        }
        let kept = self
            .conf
            .duration(&["rest.async.store-duration"])
            .unwrap_or(jiff::SignedDuration::from_mins(5));
        let fresh = |at: jiff::Timestamp| ground.now.duration_since(at) < kept;
        for job in &mut self.jobs {
            job.operations
                .retain(|_, operation| operation.decided.is_none_or(fresh));
        }
        self.strays.retain(|_, at| fresh(*at));
        let expiration = self.conf.number("jobstore.expiration-time", 3_600);
        let expired = |end: jiff::Timestamp| {
            ground.now.duration_since(end).as_secs() >= i64::from(expiration)
        };
        self.jobs.retain(|job| !job.end.is_some_and(expired));
    }
}

/// How much later than others the handler of `/overview` opens.
const LATE_HANDLER: jiff::SignedDuration = jiff::SignedDuration::from_millis(300);

fn unavailable() -> Reply {
    Reply::error(
        StatusCode::SERVICE_UNAVAILABLE,
        "Service temporarily unavailable due to an ongoing leader election. Please refresh.",
    )
}

fn not_found(job: &str) -> Reply {
    Reply::missing(&format!(
        "org.apache.flink.runtime.rest.handler.RestHandlerException: Job {job} not found\nCaused by: org.apache.flink.runtime.messages.FlinkJobNotFoundException: Could not find Flink job ({job})"
    ))
}

/// Reads a trigger id as Flink does: 32 hex digits of any case.
fn trigger_id(text: &str) -> Result<String, String> {
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(format!(
            "Request did not match expected format. For input string: \"{text}\""
        ));
    }
    if text.len() != 32 {
        return Err(
            "Request did not match expected format. Argument bytes must by an array of 16 bytes"
                .to_owned(),
        );
    }
    Ok(text.to_ascii_lowercase())
}
