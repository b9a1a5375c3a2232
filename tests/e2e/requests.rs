//! What the operator asked of the API server, from the server's own audit log.

use serde_json::Value;

use crate::scene::Scene;

/// One request that has been answered.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) verb: String,
    /// With its subresource, as in `flinkdeployments/status`.
    pub(crate) resource: String,
    pub(crate) name: String,
    pub(crate) code: u64,
}

/// Returns the requests that the operator of this test has sent, in order; a watch counts when it begins.
pub(crate) fn sent(scene: &Scene) -> Vec<Request> {
    let user = format!("system:serviceaccount:{}:flink-operator", scene.namespace);
    let log = std::fs::read_to_string(scene.stage.sandbox.audit_log()).unwrap();
    let lines = log.lines().filter(|line| line.contains(&user));
    // The last line may be in the middle of being written.
    let records = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let own = records.filter(|record| record["user"]["username"] == user);
    own.filter(|record| record["verb"] != "watch" || record["stage"] == "ResponseStarted")
        .map(|record| request(&record))
        .collect()
}

fn request(record: &Value) -> Request {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = &record["objectRef"];
    let resource = match object["subresource"].as_str() {
        Some(part) => format!("{}/{part}", text(&object["resource"])),
        None if object.is_null() => text(&record["requestURI"]),
        None => text(&object["resource"]),
    };
    Request {
        verb: text(&record["verb"]),
        resource,
        name: text(&object["name"]),
        code: record["responseStatus"]["code"]
            .as_u64()
            .unwrap_or_default(),
    }
}

/// Counts the requests of one kind that succeeded.
pub(crate) fn succeeded(requests: &[Request], verb: &str, resource: &str) -> usize {
    let wanted = |request: &&Request| {
        request.verb == verb && request.resource == resource && request.code < 300
    };
    requests.iter().filter(wanted).count()
}

/// Returns the requests that the shipped rights do not allow.
pub(crate) fn forbidden(requests: &[Request]) -> Vec<&Request> {
    requests
        .iter()
        .filter(|request| request.code == 403)
        .collect()
}
