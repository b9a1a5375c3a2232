//! One set of requests for two servers: the in-memory one has to answer it like the real one.
//!
//! The requests are data ([`steps`]), the answers are stripped of what differs from run to run
//! ([`Answers`]), and [`run`] sends the ones and collects the others. What the real server answered is
//! kept in `tests/world/script/recorded.json`, so that every change here is compared with it at once;
//! the conformance layer runs the same script on a real server and so keeps the record true.

mod applying;
mod normal;
mod objects;
mod rules;
mod special;
mod step;

use std::collections::BTreeMap;
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::Value;

pub use normal::Answers;
pub use step::{Content, Step};

/// Lists all requests in order.
pub fn steps() -> Vec<Step> {
    let mut all = special::kind();
    all.extend(objects::creating());
    all.extend(objects::updating());
    all.extend(objects::status());
    all.extend(objects::patching());
    all.extend(objects::deleting());
    all.extend(applying::applying());
    all.extend(special::reading());
    all.extend(special::watching());
    all.extend(special::built_in());
    all.extend(rules::workloads());
    all.extend(rules::others());
    all.extend(rules::older_events());
    all.extend(special::propagating());
    all.extend(special::leaving());
    all
}

/// One answer as it came.
#[derive(Clone, Debug)]
struct Answer {
    code: u16,
    /// One document, or one per line of a watch.
    body: Value,
}

/// Sends all steps to the server of a client and gives the answers in comparable form.
///
/// The namespace must not exist yet; it is created and deleted by the script.
///
/// # Errors
/// Fails if the server cannot be reached.
pub async fn run(client: &kube::Client, namespace: &str) -> Result<Vec<Value>, kube::Error> {
    let mut saved: BTreeMap<&'static str, Value> = BTreeMap::new();
    let mut answers = Answers::new(namespace);
    for step in steps() {
        let mut answer = send(client, namespace, &step, &saved).await?;
        for _ in 0..step.patience {
            if step.waits_for.is_none_or(|code| code == answer.code) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
            answer = send(client, namespace, &step, &saved).await?;
        }
        answers.add(&step, answer.code, answer.body.clone());
        if let Some(name) = step.saves {
            saved.insert(name, answer.body);
        }
    }
    Ok(answers.finish())
}

async fn send(
    client: &kube::Client,
    namespace: &str,
    step: &Step,
    saved: &BTreeMap<&'static str, Value>,
) -> Result<Answer, kube::Error> {
    let (path, body) = step.resolve(namespace, saved);
    let mut request = Request::builder().method(step.method).uri(path);
    if let Some(content) = step.content {
        request = request.header("content-type", content.media_type());
    }
    if let Some(accept) = step.accept {
        request = request.header("accept", accept);
    }
    let bytes = body
        .map(|body| body.to_string().into_bytes())
        .unwrap_or_default();
    let request = request
        .body(Body::from(bytes))
        .expect("steps have valid methods, paths and headers");
    let response = client.send(request).await?;
    let code = response.status().as_u16();
    let text = response.into_body().collect().await?.to_bytes();
    let text = String::from_utf8_lossy(&text);
    let parse = |text: &str| {
        serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.trim().to_owned()))
    };
    let body = if step.watches() {
        text.lines().map(parse).collect()
    } else {
        parse(&text)
    };
    Ok(Answer { code, body })
}
