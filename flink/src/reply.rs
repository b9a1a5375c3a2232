//! Reads replies within bounds, and says what is wrong with one without repeating it.

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::Body;
use http_body_util::BodyExt;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::reason::Reason;
use crate::route::Route;
use crate::stack_trace;
use crate::transport::{ReplyBody, TransportError};

/// How much of a reply with an error status is read.
pub(crate) const ERROR_LIMIT: usize = 64 * 1024;

/// How much of each of Flink's error texts is kept.
const KEPT: usize = 4 * 1024;

/// What a body was read to.
pub(crate) enum Read {
    /// Its end.
    Whole(Bytes),
    /// The limit; the rest was left, and the connection with it.
    Cut(Bytes),
}

/// Reads at most `limit` bytes.
pub(crate) async fn read(mut body: ReplyBody, limit: usize) -> Result<Read, TransportError> {
    if body.size_hint().lower() > limit as u64 && limit != ERROR_LIMIT {
        return Ok(Read::Cut(Bytes::new()));
    }
    let mut gathered = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        if gathered.len() + data.len() > limit {
            gathered.extend_from_slice(&data[..limit - gathered.len()]);
            return Ok(Read::Cut(gathered.freeze()));
        }
        gathered.extend_from_slice(&data);
    }
    Ok(Read::Whole(gathered.freeze()))
}

/// Understands a reply as JSON of a known shape.
pub(crate) fn understand<T: DeserializeOwned>(route: Route, reply: &[u8]) -> Result<T, Error> {
    let mut json = serde_json::Deserializer::from_slice(reply);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        not_understood(route, &path, error.inner())
    })?;
    json.end()
        .map_err(|error| not_understood(route, ".", &error))?;
    Ok(value)
}

fn not_understood(route: Route, path: &str, error: &serde_json::Error) -> Error {
    let place = format!("line {} column {}", error.line(), error.column());
    let at = if path == "." {
        place
    } else {
        format!("{path} ({place})")
    };
    Error::NotUnderstood {
        route,
        what: expectation(error),
        at,
    }
}

/// Says what was expected. The rest of serde's message may hold what was found, hence a secret.
fn expectation(error: &serde_json::Error) -> String {
    use serde_json::error::Category;

    match error.classify() {
        Category::Syntax | Category::Io => "expected JSON".to_owned(),
        Category::Eof => "expected JSON that is complete".to_owned(),
        Category::Data => {
            let message = error.to_string();
            if message.starts_with("missing field") {
                return message
                    .split(" at line")
                    .next()
                    .unwrap_or_default()
                    .to_owned();
            }
            let expected = message
                .rfind("expected ")
                .map_or("expected another type", |at| &message[at..]);
            expected
                .split(" at line")
                .next()
                .unwrap_or_default()
                .to_owned()
        }
    }
}

/// Accepts the reply of a change that answers nothing: empty, or any JSON object.
///
/// Something else (an HTML page with status 200) did not come from Flink.
pub(crate) fn acknowledge(route: Route, reply: &[u8]) -> Result<(), Error> {
    if reply.iter().all(u8::is_ascii_whitespace) {
        return Ok(());
    }
    // A map, because a derived struct would accept a list as well.
    understand::<serde_json::Map<String, serde_json::Value>>(route, reply).map(drop)
}

/// Makes an error of a reply whose status is not 2xx.
pub(crate) fn refusal(route: Route, status: StatusCode, body: &[u8], proxied: bool) -> Error {
    let text = String::from_utf8_lossy(body);
    if proxied && let Some(error) = answer_of_proxy(route, status, &text) {
        return error;
    }
    let errors = errors_in(&text);
    let told = errors
        .iter()
        .rfind(|text| *text != "Internal server error.")
        .or(errors.last());
    let cause = match told.map(|text| stack_trace::innermost_cause(text)) {
        Some(cause) if !cause.is_empty() => cause.to_owned(),
        Some(_) | None => "no text in the reply".to_owned(),
    };
    let reason = Reason::of(&errors.join("\n"));
    let errors = errors
        .iter()
        .map(|text| stack_trace::cut(text, KEPT).to_owned())
        .collect();
    Error::Status {
        route,
        status,
        reason,
        cause,
        errors,
    }
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<String>,
}

/// The API server's own way to say that something failed.
#[derive(Deserialize)]
struct ServerStatus {
    kind: String,
    message: String,
}

fn errors_in(text: &str) -> Vec<String> {
    if let Ok(Errors { errors }) = serde_json::from_str(text) {
        return errors;
    }
    if let Some(message) = server_status(text) {
        return vec![message];
    }
    if text.trim_start().starts_with('{') {
        // Cut in the middle: the ends of lines are still escaped.
        return vec![text.replace("\\n", "\n").replace("\\t", "\t")];
    }
    vec![without_tags(text)]
}

fn server_status(text: &str) -> Option<String> {
    let status: ServerStatus = serde_json::from_str(text).ok()?;
    (status.kind == "Status").then_some(status.message)
}

/// Reduces a page to its words.
fn without_tags(text: &str) -> String {
    let mut plain = String::new();
    let mut within = false;
    for letter in text.chars().take(KEPT) {
        match letter {
            '<' => within = true,
            '>' if within => {
                within = false;
                plain.push(' ');
            }
            _ if within => {}
            _ => plain.push(letter),
        }
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Recognizes what a proxy says about its own way to Flink; a 404 of it is no 404 of Flink.
fn answer_of_proxy(route: Route, status: StatusCode, text: &str) -> Option<Error> {
    let message = server_status(text);
    let why = message.as_deref().unwrap_or(text);
    let trouble = why
        .to_ascii_lowercase()
        .contains("error trying to reach service");
    let has = |parts: &[&str]| parts.iter().any(|part| why.contains(part));
    let refused = match status.as_u16() {
        404 => message.is_some(),
        _ if trouble => has(&[
            "connection refused",
            "no route to host",
            "no such host",
            "dial tcp",
        ]),
        503 => has(&["no endpoints available", "no service port"]),
        _ => false,
    };
    let why = stack_trace::cut(why.trim(), KEPT).to_owned();
    if refused {
        return Some(Error::Refused { route, why });
    }
    trouble.then_some(Error::Closed { route, why })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn direct(status: u16, body: &str) -> Error {
        refusal(
            Route::JobDetails,
            StatusCode::from_u16(status).unwrap(),
            body.as_bytes(),
            false,
        )
    }

    fn proxied(status: u16, body: &str) -> Error {
        refusal(
            Route::JobDetails,
            StatusCode::from_u16(status).unwrap(),
            body.as_bytes(),
            true,
        )
    }

    fn cause(error: Error) -> (Reason, String) {
        match error {
            Error::Status { reason, cause, .. } => (reason, cause),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn the_cause_is_dug_out_of_flinks_envelope() {
        let body = r#"{"errors":["Internal server error.","<Exception on server side:\njava.util.concurrent.CompletionException: x\n\tat a.b(C.java:1)\nCaused by: a.b.C: does not support changing the parallelism\n\tat d\n\nEnd of exception on server side>"]}"#;
        let (reason, text) = cause(direct(500, body));
        assert_eq!(reason, Reason::CannotRescale);
        assert_eq!(text, "a.b.C: does not support changing the parallelism");
        let (_, text) = cause(direct(500, r#"{"errors":["Internal server error."]}"#));
        assert_eq!(text, "Internal server error.");
    }

    #[test]
    fn pages_empty_bodies_and_cut_texts_have_a_cause_too() {
        let page = "<html><head><title>503 Service Unavailable</title></head><body><h1>Sorry</h1></body></html>";
        assert_eq!(cause(direct(503, page)).1, "503 Service Unavailable Sorry");
        assert_eq!(cause(direct(502, "")).1, "no text in the reply");
        let cut = r#"{"errors":["a.B: outer\n\tat x\nCaused by: c.D: Could not find Flink job (1)\n\tat y"#;
        assert_eq!(
            cause(direct(404, cut)),
            (
                Reason::JobNotFound,
                "c.D: Could not find Flink job (1)".into()
            )
        );
    }

    #[test]
    fn a_missing_service_is_not_a_missing_job() {
        let body = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"services \"x-rest\" not found","reason":"NotFound","code":404}"#;
        assert!(matches!(proxied(404, body), Error::Refused { .. }));
        let flinks = r#"{"errors":["Job 8f3c0a4e5b6d7c8e9f0a1b2c3d4e5f60 not found"]}"#;
        assert_eq!(cause(proxied(404, flinks)).0, Reason::JobNotFound);
    }

    #[test]
    fn a_proxy_that_cannot_reach_flink_is_told_from_one_that_lost_it() {
        let status = |message: &str| {
            format!(r#"{{"kind":"Status","status":"Failure","message":"{message}","code":503}}"#)
        };
        let never =
            "error trying to reach service: dial tcp 10.0.0.9:8081: connect: connection refused";
        assert!(matches!(
            proxied(503, &status(never)),
            Error::Refused { .. }
        ));
        let never = "no endpoints available for service x-rest:rest";
        assert!(matches!(
            proxied(503, &status(never)),
            Error::Refused { .. }
        ));
        let perhaps = "error trying to reach service: EOF";
        assert!(matches!(proxied(502, perhaps), Error::Closed { .. }));
        let perhaps = "error trying to reach service: readfrom tcp 10.0.0.1:57836->10.0.0.9:8081: \
                       write tcp 10.0.0.1:57836->10.0.0.9:8081: use of closed network connection";
        assert!(matches!(
            proxied(503, &status(perhaps)),
            Error::Closed { .. }
        ));
        let forbidden = status("services x-rest:rest is forbidden");
        assert!(matches!(proxied(403, &forbidden), Error::Status { .. }));
    }

    #[test]
    fn what_was_found_is_never_repeated() {
        #[derive(Debug, Deserialize)]
        struct Jobs {
            #[expect(dead_code)]
            jobs: Vec<Job>,
        }
        #[derive(Debug, Deserialize)]
        struct Job {
            #[expect(dead_code)]
            total: u32,
        }
        let tell = |text: &str| {
            understand::<Jobs>(Route::JobsOverview, text.as_bytes())
                .unwrap_err()
                .to_string()
        };
        let told = tell(r#"{"jobs":[{"total":1},{"total":"expected s3cret"}]}"#);
        assert!(
            told.contains("expected u32, at jobs[1].total (line 1 column"),
            "{told}"
        );
        assert!(!told.contains("s3cret"), "{told}");
        assert!(tell("{}").contains("missing field `jobs`"));
        assert!(tell("<html>s3cret").contains("expected JSON, at line 1"));
        assert!(tell(r#"{"jobs":["#).contains("complete"));
        assert!(tell(r#"{"jobs":[]} s3cret"#).contains("expected JSON, at line 1 column"));
    }

    #[test]
    fn only_nothing_or_an_object_acknowledges() {
        assert!(acknowledge(Route::Cancel, b"").is_ok());
        assert!(acknowledge(Route::Cancel, b" {\"new\": [1]}\n").is_ok());
        assert!(acknowledge(Route::Cancel, b"<html>").is_err());
        assert!(acknowledge(Route::Cancel, b"[]").is_err());
    }
}
