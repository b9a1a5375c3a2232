//! Silence: what is at rest costs the API server nothing.

use serde_json::json;

use crate::play::{application, pass};
use crate::scene::scene;

/// Seconds of a day.
const DAY: f64 = 86_400.0;

#[test]
fn a_resource_at_rest_causes_no_request_but_watches_for_a_day() {
    scene(async |scene| {
        scene.run(application()).await;
        pass(30.0).await;
        let mark = scene.mark();
        pass(DAY).await;
        let requests = scene
            .requests_since(mark)
            .into_iter()
            .map(|record| record.request);
        // Everything is listed again now and then, which repairs what a watch never told.
        let others = requests.filter(|request| {
            request.verb != Some(flink_operator_world::api::Verb::List)
                || !request.namespace.is_empty()
        });
        assert_eq!(
            others
                .map(|request| request.to_string())
                .collect::<Vec<_>>(),
            [""; 0]
        );
        scene
    });
}

#[test]
fn a_suspended_resource_causes_no_request_but_watches_for_a_day() {
    scene(async |scene| {
        scene.run(application()).await;
        scene.edit(|spec| spec["job"]["state"] = json!("suspended"));
        scene.until_state("SUSPENDED").await;
        pass(30.0).await;
        let mark = scene.mark();
        pass(DAY).await;
        assert_eq!(scene.writes_since(mark), [""; 0]);
        let calls = scene.world.cluster.calls().len();
        pass(3_600.0).await;
        assert_eq!(
            scene.world.cluster.calls().len(),
            calls,
            "nobody asks a Flink that is not there"
        );
        scene
    });
}

#[test]
fn a_job_with_checkpoints_causes_at_most_one_status_write_in_five_minutes() {
    scene(async |scene| {
        let mut resource = application();
        resource["spec"]["flinkConfiguration"]["execution.checkpointing.interval"] = json!("5 s");
        resource["spec"]["flinkConfiguration"]["state.checkpoints.dir"] = json!("file:///cp");
        scene.run(resource).await;
        pass(60.0).await;
        let mark = scene.mark();
        pass(3_600.0).await;
        let writes = scene
            .requests_since(mark)
            .into_iter()
            .filter(|record| record.request.mutates());
        let times: Vec<_> = writes.map(|record| record.sent.at).collect();
        assert!(
            (10..=12).contains(&times.len()),
            "an hour of checkpoints: {times:?}"
        );
        let closest = times
            .windows(2)
            .map(|pair| pair[1].duration_since(pair[0]))
            .min()
            .unwrap();
        assert!(closest >= jiff::SignedDuration::from_mins(5), "{closest:?}");
        let newest = scene.status()["lineage"]["newest"]["id"].as_i64().unwrap();
        assert!(newest > 600, "progress is reported: {newest}");
        scene
    });
}
