//! The newest Flink 2, from create to delete.

use serde_json::json;

use crate::flink::{ask, runs};
use crate::leftovers;
use crate::operator::Operator;
use crate::resource::job_id;
use crate::stage::play;

#[test]
fn a_job_runs_on_the_newest_flink_2() {
    play("smoke-2", async |scene| {
        let operator = Operator::start(scene).await;
        let example = scene.example("flink-2.yaml", |_| {}).await;
        let status = example.stable().await;
        assert_eq!(
            status["clusterInfo"]["flink-version"]
                .as_str()
                .map(|version| &version[..3]),
            Some("2.3")
        );
        let overview = ask(scene, &example.name, "/jobs/overview").await.unwrap();
        assert_eq!(overview["jobs"][0]["jid"], json!(job_id(&status)));

        example.delete().await;
        example.gone().await;
        leftovers::none(scene).await;
        assert_eq!(runs(scene).len(), 1, "{:#?}", runs(scene));
        operator.stop().await;
    });
}
