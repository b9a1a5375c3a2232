//! What an account has asked of the API server, from the server's own audit log.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};

use jiff::Timestamp;
use serde::Deserialize;

use super::plane::Plane;
use super::space::Space;

/// One request, once it was answered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asked {
    pub(crate) at: Timestamp,
    pub(crate) verb: String,
    pub(crate) group: String,
    /// With the subresource, if there is one: `pods/status`.
    pub(crate) resource: String,
    pub(crate) name: String,
    pub(crate) code: u16,
    /// Whether it only asked what would happen.
    pub(crate) dry_run: bool,
}

/// What a rule grants: group, resource and verb.
pub(crate) type Right = (String, String, String);

impl Asked {
    /// Returns the right that the request needed.
    pub(crate) fn right(&self) -> Right {
        (self.group.clone(), self.resource.clone(), self.verb.clone())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    stage: String,
    verb: String,
    #[serde(rename = "requestURI")]
    uri: String,
    user: User,
    #[serde(default)]
    object_ref: ObjectRef,
    response_status: Option<Status>,
    request_received_timestamp: Timestamp,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef {
    resource: String,
    name: String,
    api_group: String,
    subresource: String,
}

#[derive(Deserialize)]
struct Status {
    code: Option<u16>,
}

/// Names the operator's account of a test as the API server does.
pub(crate) fn operator(space: &Space) -> String {
    format!(
        "system:serviceaccount:{}:{}",
        space.name,
        super::accounts::OPERATOR
    )
}

/// Returns everything that a user has asked, in the order of the log.
///
/// A watch is there as soon as it has begun, and once.
pub(crate) fn asked_by(plane: &Plane, user: &str) -> Vec<Asked> {
    let log = BufReader::new(File::open(plane.sandbox().audit_log()).unwrap());
    let mut asked = Vec::new();
    for line in log.lines() {
        let line = line.unwrap();
        if !line.contains(user) {
            continue;
        }
        // The last line may be half written; what it tells was not yet answered.
        let Ok(line) = serde_json::from_str::<Line>(&line) else {
            continue;
        };
        let watches = line.verb == "watch";
        let counts = if watches {
            line.stage != "ResponseComplete" || failed(&line)
        } else {
            line.stage == "ResponseComplete"
        };
        if line.user.username != user || !counts {
            continue;
        }
        let object = line.object_ref;
        let resource = if object.subresource.is_empty() {
            object.resource
        } else {
            format!("{}/{}", object.resource, object.subresource)
        };
        asked.push(Asked {
            at: line.request_received_timestamp,
            verb: line.verb,
            group: object.api_group,
            resource,
            name: object.name,
            dry_run: line.uri.contains("dryRun="),
            code: line
                .response_status
                .and_then(|status| status.code)
                .unwrap_or_default(),
        });
    }
    asked
}

fn failed(line: &Line) -> bool {
    line.response_status
        .as_ref()
        .and_then(|status| status.code)
        .is_some_and(|code| code >= 400)
}

/// Returns the rights that requests needed.
pub(crate) fn rights(asked: &[Asked]) -> BTreeSet<Right> {
    asked.iter().map(Asked::right).collect()
}
