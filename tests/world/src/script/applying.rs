//! Steps of server-side apply.

use serde_json::{Value, json};

use super::objects::{CONFIG_MAPS, SPECIMENS};
use super::step::{Content, Step};

/// Server-side apply.
#[expect(
    clippy::too_many_lines,
    reason = "a list that is read from top to bottom"
)]
pub(super) fn applying() -> Vec<Step> {
    let path = |name: &str, manager: &str, force: bool| {
        format!("{CONFIG_MAPS}/{name}?fieldManager={manager}&force={force}")
    };
    let data = |data: &Value| json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "applied" }, "data": data });
    let parts = |list: &Value| json!({ "apiVersion": "world.flink-operator.test/v1", "kind": "Specimen", "metadata": { "name": "shared" }, "spec": { "image": "i", "parts": list } });
    let shared = |manager: &str| format!("{SPECIMENS}/shared?fieldManager={manager}");
    let labels = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "applied", "labels": { "a": "1" } }, "data": { "k": "3" } });
    vec![
        Step::patch(
            "an apply creates",
            &path("applied", "one", false),
            Content::Apply,
            data(&json!({ "k": "1", "both": "b" })),
        ),
        Step::patch(
            "the same again is no write",
            &path("applied", "one", false),
            Content::Apply,
            data(&json!({ "k": "1", "both": "b" })),
        ),
        Step::patch(
            "fields of others are a conflict",
            &path("applied", "two", false),
            Content::Apply,
            data(&json!({ "k": "2", "both": "b" })),
        ),
        Step::patch(
            "force takes them over",
            &path("applied", "two", true),
            Content::Apply,
            data(&json!({ "k": "2", "both": "b" })),
        ),
        Step::patch(
            "what is left out goes unless it belongs to others",
            &path("applied", "one", false),
            Content::Apply,
            data(&json!({ "mine": "m" })),
        ),
        Step::patch(
            "a writer takes fields too",
            &format!("{CONFIG_MAPS}/applied?fieldManager=editor"),
            Content::Merge,
            json!({ "data": { "mine": "edited" } }),
        ),
        Step::patch(
            "which is a conflict later",
            &path("applied", "one", false),
            Content::Apply,
            data(&json!({ "mine": "m" })),
        )
        .coarsely(),
        Step::patch(
            "an apply of less gives up the rest",
            &path("applied", "two", false),
            Content::Apply,
            labels,
        ),
        Step::patch(
            "an apply names its manager",
            &format!("{CONFIG_MAPS}/applied"),
            Content::Apply,
            data(&json!({})),
        ),
        Step::patch(
            "an apply names its object",
            &path("applied", "one", false),
            Content::Apply,
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": {} }),
        ),
        Step::patch(
            "an apply says what it is",
            &path("applied", "one", false),
            Content::Apply,
            json!({ "data": {} }),
        ),
        Step::patch(
            "items of a list have owners",
            &shared("one"),
            Content::Apply,
            parts(&json!([{ "name": "a", "size": 1 }])),
        ),
        Step::patch(
            "each their own",
            &shared("two"),
            Content::Apply,
            parts(&json!([{ "name": "b", "size": 2 }])),
        ),
        Step::patch(
            "who takes theirs away",
            &shared("one"),
            Content::Apply,
            parts(&json!([])),
        ),
        Step::patch(
            "status is not applied beside the spec",
            &shared("two"),
            Content::Apply,
            json!({ "apiVersion": "world.flink-operator.test/v1", "kind": "Specimen", "metadata": { "name": "shared" }, "spec": { "image": "i" }, "status": { "phase": "x" } }),
        ),
        Step::patch(
            "status is applied to status",
            &format!("{SPECIMENS}/shared/status?fieldManager=two"),
            Content::Apply,
            json!({ "apiVersion": "world.flink-operator.test/v1", "kind": "Specimen", "metadata": { "name": "shared" }, "status": { "phase": "x" } }),
        ),
    ]
}
