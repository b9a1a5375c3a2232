//! Faults on the wire, crash points, and the journal.

use std::time::Duration;

use kube::api::{ListParams, PostParams};
use tokio::time::timeout;

use flink_operator_world::api::{Match, Outcome, Record, Verb};
use flink_operator_world::points::{Action, Cut, Failure};

use super::{config_map, config_maps, create, refusal, server};

fn last(records: &[Record]) -> &Record {
    records.last().unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_injected_answer_hits_the_nth_request_that_matches() {
    let (server, client) = server();
    let api = config_maps(&client);
    let creates = Match::any().verb(Verb::Create).resource("configmaps");
    server
        .control("op-1")
        .on(creates)
        .nth(2)
        .act(Action::FailBefore(Failure::Status(503)));
    create(&api, config_map("a")).await;
    api.list(&ListParams::default()).await.unwrap();
    let status = refusal(api.create(&PostParams::default(), &config_map("b")).await);
    assert_eq!(
        (status.code, status.reason.as_str()),
        (503, "ServiceUnavailable")
    );
    assert_eq!(last(&server.journal_records()).outcome, Outcome::Lost);
    create(&api, config_map("b")).await;
}

#[tokio::test(start_paused = true)]
async fn other_instances_do_not_notice() {
    let (server, client) = server();
    server
        .control("op-1")
        .on(Match::any())
        .always()
        .act(Action::FailBefore(Failure::Status(500)));
    assert_eq!(refusal(config_maps(&client).get("a").await).code, 500);
    assert!(
        config_maps(&server.client("op-2"))
            .get_opt("a")
            .await
            .unwrap()
            .is_none()
    );
    server.control("op-1").clear();
    assert!(config_maps(&client).get_opt("a").await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_leaves_its_effect() {
    let (server, client) = server();
    let api = config_maps(&client);
    server
        .control("op-1")
        .on(Match::mutating())
        .act(Action::FailAfter(Failure::Reset));
    let error = api
        .create(&PostParams::default(), &config_map("a"))
        .await
        .unwrap_err();
    assert!(matches!(error, kube::Error::Service(_)), "{error:?}");
    let records = server.journal_records();
    assert_eq!(last(&records).outcome, Outcome::Unheard(201));
    assert!(last(&records).outcome.succeeded());
    assert!(
        refusal(api.create(&PostParams::default(), &config_map("a")).await).is_already_exists()
    );
}

#[tokio::test(start_paused = true)]
async fn a_delayed_request_arrives_though_its_client_gave_up() {
    let (server, client) = server();
    let api = config_maps(&client);
    let late = Action::DelayBefore(Duration::from_secs(30));
    server.control("op-1").on(Match::mutating()).act(late);
    let (params, object) = (PostParams::default(), config_map("a"));
    assert!(
        timeout(Duration::from_secs(5), api.create(&params, &object))
            .await
            .is_err()
    );
    assert!(server.get("ConfigMap", "default", "a").is_none());
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(server.get("ConfigMap", "default", "a").is_some());
    let records = server.journal_records();
    let record = last(&records);
    assert_eq!(
        record
            .arrived
            .unwrap()
            .at
            .duration_since(record.sent.at)
            .as_secs(),
        30
    );
}

#[tokio::test(start_paused = true)]
async fn every_mutation_passes_a_numbered_point() {
    let (server, client) = server();
    let api = config_maps(&client);
    create(&api, config_map("a")).await;
    api.get("a").await.unwrap();
    api.delete("a", &kube::api::DeleteParams::default())
        .await
        .unwrap();
    let calls: Vec<(u64, String)> = server
        .points()
        .passed()
        .into_iter()
        .map(|point| (point.number, point.call))
        .collect();
    assert_eq!(
        calls,
        [
            (1, "create configmaps default/a".to_owned()),
            (2, "delete configmaps default/a".to_owned())
        ]
    );
    let points: Vec<Option<u64>> = server
        .journal_records()
        .iter()
        .map(|record| record.point)
        .collect();
    assert_eq!(points, [Some(1), None, Some(2)]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_or_after_a_point_differs_by_its_effect() {
    for (action, applied) in [
        (Action::CutBefore(Cut::Silent), false),
        (Action::CutAfter(Cut::Silent), true),
    ] {
        let (server, client) = server();
        let api = config_maps(&client);
        server.on_mutation(move |point| {
            if point.number == 1 {
                action.clone()
            } else {
                Action::Proceed
            }
        });
        let (params, object) = (PostParams::default(), config_map("a"));
        let hour = Duration::from_secs(3600);
        assert!(
            timeout(hour, api.create(&params, &object)).await.is_err(),
            "nothing is heard"
        );
        assert_eq!(server.get("ConfigMap", "default", "a").is_some(), applied);
        assert!(server.control("op-1").is_cut());
        assert!(timeout(hour, api.get("a")).await.is_err(), "nor ever again");
        assert!(
            config_maps(&server.client("op-2"))
                .list(&ListParams::default())
                .await
                .is_ok()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusing_line_fails_at_once() {
    let (server, client) = server();
    server.control("op-1").cut(Cut::Refusing);
    assert!(matches!(
        config_maps(&client).get("a").await.unwrap_err(),
        kube::Error::Service(_)
    ));
    server.control("op-1").mend();
    assert!(config_maps(&client).get_opt("a").await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn requests_under_way_break_with_the_line() {
    let (server, client) = server();
    server.set_latency(Duration::from_secs(10));
    let api = config_maps(&client);
    let object = config_map("a");
    let params = PostParams::default();
    let cutting = async {
        tokio::time::sleep(Duration::from_secs(7)).await;
        server.control("op-1").cut(Cut::Refusing);
    };
    let (result, ()) = tokio::join!(api.create(&params, &object), cutting);
    assert!(result.is_err());
    assert!(
        server.get("ConfigMap", "default", "a").is_some(),
        "it had arrived after five seconds"
    );
    assert_eq!(
        last(&server.journal_records()).outcome,
        Outcome::Unheard(201)
    );
}

#[tokio::test(start_paused = true)]
async fn too_many_requests_says_when_to_come_back() {
    let (server, client) = server();
    server.control("op-1").fail_next(Match::any(), 429);
    let status = refusal(config_maps(&client).get("a").await);
    assert_eq!(status.details.unwrap().retry_after_seconds, 1);
}

#[tokio::test(start_paused = true)]
async fn proxied_requests_reach_whoever_answers_them() {
    use bytes::Bytes;

    let (server, client) = server();
    let request = || {
        http::Request::get(
            "/api/v1/namespaces/default/services/basic-rest:8081/proxy/jobs/overview?x=1",
        )
    };
    let refused = client
        .request_text(request().body(Vec::new()).unwrap())
        .await;
    assert_eq!(
        refusal(refused).message,
        "services \"basic-rest\" not found"
    );
    let service = serde_json::json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "basic-rest", "namespace": "default" }, "spec": { "ports": [{ "port": 8081 }] } });
    server.create(service).unwrap();
    let refused = client
        .request_text(request().body(Vec::new()).unwrap())
        .await;
    assert_eq!(refusal(refused).code, 503);
    server.set_proxy(|call| {
        let text = format!(
            "{} {} {} {}",
            call.instance,
            call.name,
            call.port,
            call.request.uri()
        );
        Box::pin(async move { http::Response::new(Bytes::from(text)) })
    });
    let text = client
        .request_text(request().body(Vec::new()).unwrap())
        .await
        .unwrap();
    assert_eq!(text, "op-1 basic-rest 8081 /jobs/overview?x=1");
    let records = server.journal_records();
    assert_eq!(
        last(&records).request.to_string(),
        "get services/proxy default/basic-rest:8081"
    );
}

/// Plays one story with faults and gives everything that was recorded of it.
async fn story() -> String {
    let (server, client) = server();
    tokio::spawn(server.clone().run_garbage_collector(Duration::from_secs(1)));
    server.on_mutation(|point| match point.number {
        2 => Action::FailAfter(Failure::Reset),
        3 => Action::DelayAfter(Duration::from_secs(3)),
        _ => Action::Proceed,
    });
    let api = config_maps(&client);
    for name in ["a", "b", "c"] {
        drop(api.create(&PostParams::default(), &config_map(name)).await);
    }
    drop(api.list(&ListParams::default()).await);
    server.create_namespace("other");
    server.delete("Namespace", "", "other").unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    format!("{:#?} {:#?}", server.journal_records(), server.history())
}

#[test]
fn the_same_story_is_the_same_to_the_byte() {
    let tell = || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        runtime.block_on(story())
    };
    assert_eq!(tell(), tell());
}
