//! Refusals as the real server words them: code, reason, message and details that clients match on.

use serde_json::{Map, Value, json};

use super::kinds::Kind;
use super::violation::Violation;

/// A refused request: what becomes the `Status` body of the reply.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    /// HTTP status code.
    pub code: u16,
    /// Machine-readable reason, for example `AlreadyExists`.
    pub reason: &'static str,
    /// Sentence for people.
    pub message: String,
    /// `details` of the `Status`; null if there are none.
    pub details: Value,
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} {}: {}", self.code, self.reason, self.message)
    }
}

impl std::error::Error for ApiError {}

impl ApiError {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: Value::Null,
        }
    }

    fn about(mut self, name: &str, group: &str, kind: &str) -> Self {
        let mut details = Map::new();
        for (key, value) in [("name", name), ("group", group), ("kind", kind)] {
            if !value.is_empty() {
                details.insert(key.to_owned(), value.into());
            }
        }
        self.details = Value::Object(details);
        self
    }

    pub(crate) fn not_found(kind: &Kind, name: &str) -> Self {
        let message = format!("{} {name:?} not found", kind.qualified_resource());
        Self::new(404, "NotFound", message).about(name, kind.group, kind.resource)
    }

    pub(crate) fn already_exists(kind: &Kind, name: &str) -> Self {
        let message = format!("{} {name:?} already exists", kind.qualified_resource());
        Self::new(409, "AlreadyExists", message).about(name, kind.group, kind.resource)
    }

    pub(crate) fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} {name:?}: {why}",
            kind.qualified_resource()
        );
        Self::new(409, "Conflict", message).about(name, kind.group, kind.resource)
    }

    /// A write whose resourceVersion is not the stored one.
    pub(crate) fn stale(kind: &Kind, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(kind, name, why)
    }

    /// A deletion whose preconditions do not hold; the real server names the kind here, not the plural.
    pub(crate) fn precondition(kind: &Kind, name: &str, why: &str) -> Self {
        let subject = if kind.group.is_empty() {
            kind.kind.to_owned()
        } else {
            format!("{}.{}", kind.kind, kind.group)
        };
        let message = format!("Operation cannot be fulfilled on {subject} {name:?}: {why}");
        Self::new(409, "Conflict", message).about(name, kind.group, kind.kind)
    }

    /// An apply that would take over fields of other managers.
    pub(crate) fn apply_conflict(causes: &[(String, String)]) -> Self {
        let message = match causes {
            [(manager, field)] => {
                format!("Apply failed with 1 conflict: conflict with {manager}: {field}")
            }
            more => {
                let mut message = format!("Apply failed with {} conflicts:", more.len());
                let mut last = "";
                for (manager, field) in more {
                    if manager != last {
                        message.push_str(if last.is_empty() {
                            " conflicts with "
                        } else {
                            "\nconflicts with "
                        });
                        message.push_str(manager);
                        message.push(':');
                        last = manager;
                    }
                    message.push_str("\n- ");
                    message.push_str(field);
                }
                message
            }
        };
        let mut error = Self::new(409, "Conflict", message);
        let causes: Vec<Value> = causes
            .iter()
            .map(|(manager, field)| {
                json!({
                    "reason": "FieldManagerConflict",
                    "message": format!("conflict with {manager}"),
                    "field": field,
                })
            })
            .collect();
        error.details = json!({ "causes": causes });
        error
    }

    pub(crate) fn invalid(kind: &Kind, name: &str, violations: &[Violation]) -> Self {
        if kind.group == "events.k8s.io" {
            // Events are checked in their older form.
            return Self::invalid_as(kind.kind, "", kind.kind, name, violations);
        }
        Self::invalid_as(
            &kind.qualified_kind(),
            kind.group,
            kind.kind,
            name,
            violations,
        )
    }

    /// As [`Self::invalid`], naming the plural: what the real server does for a missing resourceVersion.
    pub(crate) fn unguarded(kind: &Kind, name: &str) -> Self {
        let violation = Violation {
            field: "metadata.resourceVersion".into(),
            reason: "FieldValueInvalid",
            message: "Invalid value: 0: must be specified for an update".into(),
        };
        Self::invalid_as(
            &kind.qualified_resource(),
            kind.group,
            kind.resource,
            name,
            &[violation],
        )
    }

    /// Options of a request that do not make sense.
    pub(crate) fn invalid_options(options: &str, violations: &[Violation]) -> Self {
        let group = "meta.k8s.io";
        Self::invalid_as(
            &format!("{options}.{group}"),
            group,
            options,
            "",
            violations,
        )
    }

    fn invalid_as(
        subject: &str,
        group: &str,
        kind: &str,
        name: &str,
        violations: &[Violation],
    ) -> Self {
        let mut lines: Vec<String> = Vec::new();
        for violation in violations {
            let line = if violation.field.is_empty() {
                violation.message.clone()
            } else {
                format!("{}: {}", violation.field, violation.message)
            };
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let told = if let [only] = lines.as_slice() {
            only.clone()
        } else {
            format!("[{}]", lines.join(", "))
        };
        let mut error = Self::new(
            422,
            "Invalid",
            format!("{subject} {name:?} is invalid: {told}"),
        )
        .about(name, group, kind);
        let causes: Vec<Value> = violations
            .iter()
            .map(|violation| {
                let mut cause = json!({ "reason": violation.reason, "message": violation.message });
                if !violation.field.is_empty() {
                    cause["field"] = violation.field.as_str().into();
                }
                cause
            })
            .collect();
        error.details["causes"] = causes.into();
        error
    }

    pub(crate) fn forbidden(kind: &Kind, name: &str, why: &str) -> Self {
        let subject = kind.qualified_resource();
        let message = if name.is_empty() {
            format!("{subject} is forbidden: {why}")
        } else {
            format!("{subject} {name:?} is forbidden: {why}")
        };
        Self::new(403, "Forbidden", message).about(name, kind.group, kind.resource)
    }

    /// A creation in a namespace that is going away.
    pub(crate) fn terminating(kind: &Kind, name: &str, namespace: &str) -> Self {
        let why = format!(
            "unable to create new content in namespace {namespace} because it is being terminated"
        );
        let mut error = Self::forbidden(kind, name, &why);
        error.details["causes"] = json!([{
            "reason": "NamespaceTerminating",
            "message": format!("namespace {namespace} is being terminated"),
            "field": "metadata.namespace",
        }]);
        error
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    pub(crate) fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::new(415, "UnsupportedMediaType", message)
    }

    pub(crate) fn method_not_allowed() -> Self {
        let mut error = Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        );
        error.details = json!({});
        error
    }

    /// What the server says of a path that leads nowhere: text, and no `Status`.
    pub(crate) fn no_such_path() -> Self {
        Self::new(404, "", "404 page not found")
    }

    /// Tells whether the answer is plain text.
    pub(crate) fn is_text(&self) -> bool {
        self.code == 404 && self.reason.is_empty()
    }

    /// What the server says of a part that a kind does not have.
    pub(crate) fn no_such_part() -> Self {
        let mut error = Self::new(
            404,
            "NotFound",
            "the server could not find the requested resource",
        );
        error.details = json!({});
        error
    }

    /// A resourceVersion that is no number; a watch is refused in other words than a list.
    pub(crate) fn bad_version(given: &str, watch: bool) -> Self {
        let why = format!(
            "resourceVersion: Invalid value: {given:?}: strconv.ParseUint: parsing {given:?}: invalid syntax"
        );
        if watch {
            Self::new(500, "", why)
        } else {
            Self::bad_request(format!("invalid resource version: {why}"))
        }
    }

    /// A list that is to show a future that has not come.
    pub(crate) fn too_large_version(asked: u64, current: u64) -> Self {
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        let mut error = Self::new(504, "Timeout", message);
        let cause =
            json!({ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" });
        error.details = json!({ "causes": [cause], "retryAfterSeconds": 1 });
        error
    }

    pub(crate) fn internal(why: &str) -> Self {
        let mut error = Self::new(
            500,
            "InternalError",
            format!("Internal error occurred: {why}"),
        );
        error.details = json!({ "causes": [{ "message": why }] });
        error
    }

    /// Builds an injected answer of any code, worded as the real server words that code.
    pub fn injected(code: u16) -> Self {
        let (reason, message) = match code {
            400 => ("BadRequest", "injected bad request"),
            401 => ("Unauthorized", "Unauthorized"),
            403 => ("Forbidden", "forbidden: injected refusal"),
            404 => (
                "NotFound",
                "the server could not find the requested resource",
            ),
            409 => (
                "Conflict",
                "Operation cannot be fulfilled: the object has been modified; please apply your changes to the latest version and try again",
            ),
            410 => (
                "Expired",
                "The resourceVersion for the provided watch is too old.",
            ),
            422 => ("Invalid", "injected validation failure"),
            429 => (
                "TooManyRequests",
                "too many requests, please try again later",
            ),
            500 => ("InternalError", "Internal error occurred: injected failure"),
            503 => (
                "ServiceUnavailable",
                "the server is currently unable to handle the request",
            ),
            504 => (
                "Timeout",
                "Timeout: request did not complete within the allotted timeout",
            ),
            _ => ("", "injected failure"),
        };
        let mut error = Self::new(code, reason, message);
        if code == 429 {
            error.details = json!({ "retryAfterSeconds": 1 });
        }
        error
    }

    /// Gives the `Status` object.
    pub fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        });
        if !self.reason.is_empty() {
            status["reason"] = self.reason.into();
        }
        if !self.details.is_null() {
            status["details"] = self.details.clone();
        }
        status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pods() -> &'static Kind {
        Kind::find("Pod").expect("pods are known")
    }

    #[test]
    fn the_core_group_is_left_out_of_details() {
        let status = ApiError::not_found(pods(), "a").status();
        assert_eq!(status["message"], "pods \"a\" not found");
        assert_eq!(status["details"], json!({ "name": "a", "kind": "pods" }));
    }

    #[test]
    fn two_violations_are_told_in_brackets_and_one_without() {
        let one = Violation::required("spec.image", "");
        let two = Violation::invalid("spec.replicas", &json!(-1), "must be positive");
        let alone = ApiError::invalid(pods(), "a", std::slice::from_ref(&one));
        assert_eq!(
            alone.message,
            "Pod \"a\" is invalid: spec.image: Required value"
        );
        let both = ApiError::invalid(pods(), "a", &[one, two]);
        assert_eq!(
            both.message,
            "Pod \"a\" is invalid: [spec.image: Required value, spec.replicas: Invalid value: -1: must be positive]"
        );
        assert_eq!(both.details["causes"][1]["field"], "spec.replicas");
    }

    #[test]
    fn kube_recognises_the_reasons() {
        let parse = |error: &ApiError| -> kube::core::Status {
            serde_json::from_value(error.status()).expect("a Status that kube can read")
        };
        assert!(parse(&ApiError::stale(pods(), "a")).is_conflict());
        assert!(parse(&ApiError::already_exists(pods(), "a")).is_already_exists());
        assert!(parse(&ApiError::terminating(pods(), "a", "ns")).is_forbidden());
    }
}
