//! A job that runs and does not change costs the API server nothing.

use serde_json::json;

use crate::operator::{INTERVAL, Operator};
use crate::requests::{Request, sent};
use crate::resource::{END, FlinkResource};
use crate::scene::Scene;
use crate::stage::play;

/// With an interval of 5 s, one minute.
const LOOKS: u32 = 12;

#[test]
fn jobs_at_rest_cause_no_requests() {
    play("quiet", async |scene| {
        let operator = Operator::start(scene).await;
        let basic = scene.example("basic.yaml", |_| {}).await;
        basic.stable().await;
        let checkpointing = scene.example("basic.yaml", |resource| {
            resource["metadata"]["name"] = json!("checkpointing");
            let configuration = &mut resource["spec"]["flinkConfiguration"];
            configuration["execution.checkpointing.interval"] = json!("1 s");
        });
        let checkpointing = checkpointing.await;
        checkpointing.stable().await;
        // What followed from becoming stable is over when both have been looked at once more.
        looked_at(scene, &operator, &[&basic, &checkpointing], 2).await;

        let before = sent(scene).len();
        looked_at(scene, &operator, &[&basic, &checkpointing], LOOKS).await;
        let requests: Vec<Request> = sent(scene)
            .into_iter()
            .skip(before)
            .filter(|request| request.verb != "watch")
            .collect();
        let (about_progress, others): (Vec<_>, Vec<_>) =
            requests.into_iter().partition(|request| {
                request.resource == "flinkdeployments/status" && request.name == checkpointing.name
            });
        assert!(others.is_empty(), "{others:#?}");
        assert!(
            about_progress.len() <= 1,
            "at most one in five minutes: {about_progress:#?}"
        );

        for resource in [basic, checkpointing] {
            resource.delete().await;
            resource.gone().await;
        }
        operator.stop().await;
    });
}

/// Waits until each of the resources has been looked at so many times more.
async fn looked_at(
    scene: &Scene,
    operator: &Operator<'_>,
    resources: &[&FlinkResource<'_>],
    times: u32,
) {
    let passes = async |resource: &FlinkResource<'_>| {
        let actor = operator
            .actor(&resource.name)
            .await
            .expect("the resource has an actor");
        actor["passes"].as_u64().expect("passes are counted")
    };
    for resource in resources {
        let wanted = passes(resource).await + u64::from(times);
        let what = format!("{} has been looked at {times} times", resource.name);
        let looked = async || (passes(resource).await >= wanted).then_some(());
        scene.until(INTERVAL * times + END, &what, looked).await;
    }
}
