//! What the server tells of itself: version, health, kinds, and what a client may do.

use bytes::Bytes;
use serde_json::{Value, json};

use super::ApiServer;
use super::error::ApiError;
use super::journal::Request;
use super::kinds::{Kind, Quirk};
use super::link::Link;
use super::route::Verb;

/// Answers a request that is to no kind.
pub(crate) fn answer(
    server: &ApiServer,
    link: &Link,
    path: &str,
    body: &Bytes,
) -> Result<(u16, Value), ApiError> {
    let segments: Vec<&str> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect();
    match segments.as_slice() {
        ["version"] => Ok((
            200,
            json!({ "major": "1", "minor": "35", "gitVersion": "v1.35.4", "gitCommit": "", "gitTreeState": "", "buildDate": "", "goVersion": "", "compiler": "gc", "platform": "linux/amd64" }),
        )),
        ["healthz" | "livez" | "readyz"] => Ok((200, json!("ok"))),
        ["api"] => Ok((200, json!({ "kind": "APIVersions", "versions": ["v1"] }))),
        ["apis"] => Ok((200, groups(server))),
        ["api", version] => resources(server, "", version),
        ["apis", group, version] => resources(server, group, version),
        [
            "apis",
            "authorization.k8s.io",
            "v1",
            "selfsubjectaccessreviews",
        ] => review(link, body),
        _ => Err(ApiError::no_such_path()),
    }
}

fn served(server: &ApiServer) -> Vec<&'static Kind> {
    let state = server.state();
    Kind::all()
        .iter()
        .filter(|kind| state.serves(kind))
        .collect()
}

fn groups(server: &ApiServer) -> Value {
    let mut found: Vec<(&str, &str)> = served(server)
        .iter()
        .map(|kind| (kind.group, kind.version))
        .filter(|(group, _)| !group.is_empty())
        .collect();
    found.dedup();
    let group = |(group, version): &(&str, &str)| {
        let version = json!({ "groupVersion": format!("{group}/{version}"), "version": version });
        json!({ "name": group, "versions": [version], "preferredVersion": version })
    };
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": found.iter().map(group).collect::<Vec<_>>() })
}

fn resources(server: &ApiServer, group: &str, version: &str) -> Result<(u16, Value), ApiError> {
    let verbs: Vec<&str> = [
        Verb::Create,
        Verb::Delete,
        Verb::DeleteCollection,
        Verb::Get,
        Verb::List,
        Verb::Patch,
        Verb::Update,
        Verb::Watch,
    ]
    .map(Verb::word)
    .to_vec();
    let mut list = Vec::new();
    for kind in served(server) {
        if kind.group != group || kind.version != version {
            continue;
        }
        let mut entry = |name: String, verbs: &[&str]| {
            list.push(json!({
                "name": name,
                "singularName": kind.kind.to_lowercase(),
                "namespaced": kind.is_namespaced(),
                "kind": kind.kind,
                "verbs": verbs,
            }));
        };
        entry(kind.resource.to_owned(), &verbs);
        if kind.has(Quirk::Status) {
            entry(
                format!("{}/status", kind.resource),
                &["get", "patch", "update"],
            );
        }
    }
    if list.is_empty() {
        return Err(ApiError::no_such_path());
    }
    let name = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    Ok((
        200,
        json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": list }),
    ))
}

/// Answers a client that asks what it may do, by the rules of its own wire.
fn review(link: &Link, body: &Bytes) -> Result<(u16, Value), ApiError> {
    let mut review: Value = serde_json::from_slice(body).map_err(|error| {
        ApiError::bad_request(format!("the object provided is unrecognized: {error}"))
    })?;
    let asked = &review["spec"]["resourceAttributes"];
    let text = |field: &str| asked[field].as_str().unwrap_or_default().to_owned();
    let verbs = [
        Verb::Get,
        Verb::List,
        Verb::Watch,
        Verb::Create,
        Verb::Update,
        Verb::Patch,
        Verb::Delete,
        Verb::DeleteCollection,
    ];
    let request = Request {
        instance: link.instance().to_owned(),
        verb: verbs.into_iter().find(|verb| verb.word() == text("verb")),
        group: text("group"),
        resource: text("resource"),
        subresource: text("subresource"),
        namespace: text("namespace"),
        name: text("name"),
        ..Request::default()
    };
    review["status"] = json!({ "allowed": !link.forbids(&request) });
    Ok((201, review))
}
