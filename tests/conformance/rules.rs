//! The rules that stand in the definitions themselves, as the server applies them to every kind.

use std::fs;

use http::Method;
use serde_json::{Value, json};

use crate::stage::plane::{Plane, ROOT};
use crate::stage::space::{Reply, Space};

/// Objects that break the rules, and such as must pass; the file says how it is meant.
pub(crate) const CASES: &str = "crds/tests/rules/cases.json";

#[tokio::test]
async fn every_rule_refuses_what_breaks_it_and_nothing_else() {
    let text = fs::read_to_string(format!("{ROOT}/{CASES}")).unwrap();
    let table: Value = serde_json::from_str(&text).unwrap();
    let space = Space::new(Plane::shared().await, "rules").await;
    let cases = table["cases"].as_array().unwrap();
    let mut wrong = Vec::new();
    for case in cases {
        let reply = try_case(&space, &table["sound"], case).await;
        let said = refusal(&reply);
        if said.as_deref() != case["refused"].as_str() {
            let (rule, name) = (&case["rule"], &case["name"]);
            wrong.push(format!(
                "{rule} {name}: expected {}, got {said:?}",
                case["refused"]
            ));
        }
    }
    let refused = cases.iter().filter(|case| case["refused"].is_string());
    println!("{} cases, {} refused", cases.len(), refused.count());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Sends a case and removes what it made.
async fn try_case(space: &Space, sound: &Value, case: &Value) -> Reply {
    let kind = case["kind"].as_str().unwrap();
    let all = format!(
        "/apis/flink.apache.org/v1beta1/namespaces/{}/{}s",
        space.name,
        kind.to_lowercase()
    );
    let mut object = sound[kind].clone();
    merge(&mut object, &case["sound"]);
    merge(&mut object, &case["create"]);
    let one = format!("{all}/{}", object["metadata"]["name"].as_str().unwrap());
    let created = space.send(Method::POST, &all, Some(&object)).await;
    if case["create"].is_object() {
        if created.code.is_success() {
            space.send(Method::DELETE, &one, None).await.ok();
        }
        return created;
    }
    created.ok();
    if !case["last"].is_null() {
        let recorded = json!({ "spec": case["last"],
            "resource_metadata": { "apiVersion": "flink.apache.org/v1beta1", "firstDeployment": true } });
        let text = case["last"]
            .as_str()
            .map_or_else(|| recorded.to_string(), str::to_owned);
        let status =
            json!({ "status": { "reconciliationStatus": { "lastReconciledSpec": text } } });
        let path = format!("{one}/status");
        space.send(Method::PATCH, &path, Some(&status)).await.ok();
    }
    let edited = space.send(Method::PATCH, &one, Some(&case["edit"])).await;
    space.send(Method::DELETE, &one, None).await.ok();
    edited
}

/// Applies a merge patch.
pub(crate) fn merge(object: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        if !patch.is_null() {
            *object = patch.clone();
        }
        return;
    };
    if !object.is_object() {
        *object = json!({});
    }
    let fields = object.as_object_mut().unwrap();
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name).or_insert(Value::Null), value);
        }
    }
}

/// Returns what a refusal says, as `field: message` without the value that was refused.
fn refusal(reply: &Reply) -> Option<String> {
    if reply.code.is_success() {
        return None;
    }
    let causes = reply.body["details"]["causes"].as_array();
    let causes = causes.map(Vec::as_slice).unwrap_or_default();
    if causes.is_empty() {
        return Some(reply.message().to_owned());
    }
    let said = causes.iter().map(|cause| {
        let field = cause["field"].as_str().unwrap_or_default();
        let message = cause["message"].as_str().unwrap_or_default();
        format!("{field}: {}", without_value(message))
    });
    Some(said.collect::<Vec<_>>().join(" | "))
}

/// Cuts off the kind of refusal and the value, which the server puts first.
fn without_value(message: &str) -> &str {
    let Some(rest) = message
        .strip_prefix("Invalid value: ")
        .or_else(|| message.strip_prefix("Required value: "))
    else {
        return message;
    };
    let after_text = || {
        let (_, rest) = rest.strip_prefix('"')?.split_once("\": ")?;
        Some(rest)
    };
    let after_number = || {
        let (value, rest) = rest.split_once(": ")?;
        value.parse::<i64>().is_ok().then_some(rest)
    };
    after_text().or_else(after_number).unwrap_or(rest)
}
