//! From an HTTP request to a call: verb, kind, names, options and body.

use std::collections::BTreeMap;

use http::{HeaderMap, Method, Uri, header};
use serde_json::Value;

use super::error::ApiError;
use super::kinds::Kind;

/// What a request does, in the words of RBAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Reads one object.
    Get,
    /// Reads many.
    List,
    /// Follows changes.
    Watch,
    /// Makes an object.
    Create,
    /// Replaces an object.
    Update,
    /// Changes parts of an object.
    Patch,
    /// Deletes an object.
    Delete,
    /// Deletes many.
    DeleteCollection,
}

impl Verb {
    /// Gives the word that RBAC uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }

    /// Tells whether the verb changes anything.
    pub fn mutates(self) -> bool {
        match self {
            Self::Get | Self::List | Self::Watch => false,
            Self::Create | Self::Update | Self::Patch | Self::Delete | Self::DeleteCollection => {
                true
            }
        }
    }
}

/// A request to a kind.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) verb: Verb,
    pub(crate) kind: &'static Kind,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) subresource: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) content_type: String,
    /// Only metadata is to be answered.
    pub(crate) metadata_only: bool,
    pub(crate) body: Value,
}

impl Call {
    pub(crate) fn option(&self, name: &str) -> &str {
        self.query.get(name).map(String::as_str).unwrap_or_default()
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.option(name), "true" | "1")
    }
}

/// A request passed on to a pod or a service.
#[derive(Clone, Debug)]
pub(crate) struct Proxied {
    pub(crate) namespace: String,
    /// `services` or `pods`.
    pub(crate) resource: String,
    /// The name as written, perhaps with scheme and port: `http:basic-rest:8081`.
    pub(crate) name: String,
    pub(crate) path: String,
}

/// Where a request goes.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Kind(Box<Call>),
    Proxy(Proxied),
    /// `/version`, `/readyz`, lists of groups and kinds, access reviews.
    Server(String),
}

/// Finds out what a request asks for.
pub(crate) fn parse(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Target, ApiError> {
    let path = uri.path();
    let segments: Vec<String> = path
        .split('/')
        .filter(|part| !part.is_empty())
        .map(decode)
        .collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (group, version, rest) = match segments.as_slice() {
        ["api", version, rest @ ..] if !rest.is_empty() => ("", *version, rest),
        ["apis", group, version, rest @ ..] if !rest.is_empty() => (*group, *version, rest),
        _ => return Ok(Target::Server(path.to_owned())),
    };
    let place = Place::of(rest);
    if let ["proxy", way @ ..] = place.rest
        && group.is_empty()
        && ["pods", "services"].contains(&place.resource)
    {
        let query = uri
            .query()
            .map(|query| format!("?{query}"))
            .unwrap_or_default();
        return Ok(Target::Proxy(Proxied {
            namespace: place.namespace.to_owned(),
            resource: place.resource.to_owned(),
            name: place.name.to_owned(),
            path: format!("/{}{query}", way.join("/")),
        }));
    }
    if group == "authorization.k8s.io" {
        return Ok(Target::Server(path.to_owned()));
    }
    let kind = Kind::at(group, version, place.resource).ok_or_else(ApiError::no_such_path)?;
    let query: BTreeMap<String, String> =
        form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    let watches = query
        .get("watch")
        .is_some_and(|value| matches!(value.as_str(), "true" | "1"));
    let verb = verb(method, place.name, watches)?;
    let subresource = place.rest.join("/");
    if kind.is_namespaced()
        && place.namespace.is_empty()
        && !matches!(verb, Verb::List | Verb::Watch)
    {
        return Err(ApiError::method_not_allowed());
    }
    let text = |name: header::HeaderName| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    Ok(Target::Kind(Box::new(Call {
        verb,
        kind,
        namespace: place.namespace.to_owned(),
        name: place.name.to_owned(),
        subresource,
        query,
        content_type: text(header::CONTENT_TYPE).to_owned(),
        metadata_only: text(header::ACCEPT).contains("as=PartialObjectMetadata"),
        body: read(body)?,
    })))
}

struct Place<'a> {
    namespace: &'a str,
    resource: &'a str,
    name: &'a str,
    rest: &'a [&'a str],
}

impl<'a> Place<'a> {
    fn of(rest: &'a [&'a str]) -> Self {
        let (namespace, rest) = match rest {
            ["namespaces", namespace, resource, ..]
                if !["status", "finalize"].contains(resource) =>
            {
                (*namespace, &rest[2..])
            }
            _ => ("", rest),
        };
        let at = |index: usize| rest.get(index).copied().unwrap_or_default();
        Self {
            namespace,
            resource: at(0),
            name: at(1),
            rest: rest.get(2..).unwrap_or_default(),
        }
    }
}

fn verb(method: &Method, name: &str, watches: bool) -> Result<Verb, ApiError> {
    match (method.as_str(), name) {
        ("GET", _) if watches => Ok(Verb::Watch),
        ("GET", "") => Ok(Verb::List),
        ("GET", _) => Ok(Verb::Get),
        ("POST", "") => Ok(Verb::Create),
        ("PUT", name) if !name.is_empty() => Ok(Verb::Update),
        ("PATCH", name) if !name.is_empty() => Ok(Verb::Patch),
        ("DELETE", "") => Ok(Verb::DeleteCollection),
        ("DELETE", _) => Ok(Verb::Delete),
        _ => Err(ApiError::method_not_allowed()),
    }
}

fn read(body: &[u8]) -> Result<Value, ApiError> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body).map_err(|error| {
        ApiError::bad_request(format!(
            "the object provided is unrecognized (must be JSON): {error}"
        ))
    })
}

/// Decodes `%3A` and the like in a path segment.
fn decode(segment: &str) -> String {
    if !segment.contains('%') {
        return segment.to_owned();
    }
    // A plus sign is a plus sign in a path, but a blank in a form.
    let escaped = segment.replace('+', "%2B");
    form_urlencoded::parse(escaped.as_bytes())
        .next()
        .map(|(name, _)| name.into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parsed(method: &str, path: &str) -> Result<Target, ApiError> {
        parse(
            &method.parse().unwrap(),
            &path.parse().unwrap(),
            &HeaderMap::new(),
            b"",
        )
    }

    fn call(method: &str, path: &str) -> Call {
        let Ok(Target::Kind(call)) = parsed(method, path) else {
            panic!("{path} is no call")
        };
        *call
    }

    #[test]
    fn paths_lead_to_kinds() {
        let one = call("GET", "/apis/apps/v1/namespaces/demo/deployments/basic");
        assert_eq!(
            (one.verb, one.kind.kind, one.name.as_str()),
            (Verb::Get, "Deployment", "basic")
        );
        let all = call("GET", "/api/v1/pods?watch=true&labelSelector=a%3Db");
        assert_eq!(
            (all.verb, all.option("labelSelector")),
            (Verb::Watch, "a=b")
        );
        let status = call(
            "PUT",
            "/apis/flink.apache.org/v1beta1/namespaces/demo/flinkdeployments/x/status",
        );
        assert_eq!(
            (status.verb, status.subresource.as_str()),
            (Verb::Update, "status")
        );
        let namespace = call("DELETE", "/api/v1/namespaces/demo");
        assert_eq!(
            (namespace.kind.kind, namespace.name.as_str()),
            ("Namespace", "demo")
        );
        assert_eq!(
            call("DELETE", "/api/v1/namespaces/demo/pods").verb,
            Verb::DeleteCollection
        );
    }

    #[test]
    fn a_proxy_path_keeps_its_query() {
        let Ok(Target::Proxy(proxied)) = parsed(
            "GET",
            "/api/v1/namespaces/demo/services/basic-rest:8081/proxy/jobs/overview?a=b",
        ) else {
            panic!("not proxied")
        };
        assert_eq!(
            (proxied.name.as_str(), proxied.path.as_str()),
            ("basic-rest:8081", "/jobs/overview?a=b")
        );
    }

    #[test]
    fn unknown_paths_and_methods_are_refused() {
        assert_eq!(parsed("GET", "/apis/x.y/v1/things").unwrap_err().code, 404);
        assert_eq!(parsed("POST", "/api/v1/pods").unwrap_err().code, 405);
    }
}
