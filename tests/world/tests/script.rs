//! The in-memory server answers the common script as the real one did when it was recorded.

use std::time::Duration;

use flink_operator_world::api::ApiServer;
use flink_operator_world::clock::Clock;
use flink_operator_world::script;
use serde_json::Value;

#[tokio::test(start_paused = true)]
async fn the_in_memory_server_answers_like_the_recorded_real_one() {
    let server = ApiServer::new(Clock::new());
    tokio::spawn(
        server
            .clone()
            .run_garbage_collector(Duration::from_millis(100)),
    );
    let answers = script::run(&server.client("script"), "world-script")
        .await
        .expect("the server is reachable");
    let recorded = include_str!("../script/recorded.json");
    let recorded: Vec<Value> = serde_json::from_str(recorded).expect("the record is a list");
    assert_eq!(
        answers.len(),
        recorded.len(),
        "renew the record: see examples/record.rs"
    );
    let mut differing = 0;
    for (ours, theirs) in answers.iter().zip(&recorded) {
        if ours != theirs {
            differing += 1;
            println!(
                "{}\n  real:   {}\n  memory: {}",
                theirs["step"],
                told(theirs),
                told(ours)
            );
        }
    }
    assert_eq!(differing, 0, "answers differ, see above");
}

fn told(answer: &Value) -> String {
    format!("{} {}", answer["code"], answer["body"])
}
