//! The in-memory API server of the other layers answers as the real one does today.

use std::time::Duration;

use flink_operator_world::api::ApiServer;
use flink_operator_world::clock::Clock;
use flink_operator_world::script;

use crate::stage::plane::Plane;

#[tokio::test]
async fn both_servers_answer_one_script_alike() {
    let memory = ApiServer::new(Clock::new());
    let controllers = memory
        .clone()
        .run_garbage_collector(Duration::from_millis(100));
    let controllers = tokio::spawn(controllers);
    let real = Plane::shared().await.client().await;
    let simulated = memory.client("script");
    let (ours, theirs) = tokio::try_join!(
        script::run(&simulated, "world-script"),
        script::run(&real, "world-script")
    )
    .unwrap();
    controllers.abort();

    assert_eq!(ours.len(), theirs.len());
    assert!(
        ours.len() > 100,
        "the script has become short: {} answers",
        ours.len()
    );
    let differing: Vec<String> = ours
        .iter()
        .zip(&theirs)
        .filter(|(ours, theirs)| ours != theirs)
        .map(|(ours, theirs)| format!("{}\n  real:   {theirs}\n  memory: {ours}", theirs["step"]))
        .collect();
    assert!(
        differing.is_empty(),
        "{} answers differ:\n{}",
        differing.len(),
        differing.join("\n")
    );
}
