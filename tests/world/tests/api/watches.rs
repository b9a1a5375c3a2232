//! Watches, by hand and through kube's watcher.

use std::pin::pin;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{WatchEvent, WatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::json;

use flink_operator_world::api::{ApiServer, DeliveryAction, EventType, Verb};
use flink_operator_world::points::Cut;

use super::{config_map, config_maps, create, server};

fn put(server: &ApiServer, name: &str, value: &str) {
    if server.get("ConfigMap", "default", name).is_some() {
        server
            .update("ConfigMap", "default", name, |object| {
                object["data"]["key"] = value.into();
            })
            .unwrap();
    } else {
        let metadata = json!({ "name": name, "namespace": "default", "labels": { "name": name } });
        server.create(json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": { "key": value } })).unwrap();
    }
}

fn told(event: &WatchEvent<ConfigMap>) -> String {
    match event {
        WatchEvent::Added(object) => format!("added {}", object.name_any()),
        WatchEvent::Modified(object) => format!("modified {}", object.name_any()),
        WatchEvent::Deleted(object) => format!("deleted {}", object.name_any()),
        WatchEvent::Bookmark(_) => "bookmark".into(),
        WatchEvent::Error(status) => format!("error {}", status.code),
    }
}

/// Collects what a watch says until nothing has come for a while.
async fn heard(
    client: &kube::Client,
    params: &WatchParams,
    version: &str,
    patience: u64,
) -> Vec<String> {
    let api = config_maps(client);
    let mut stream = pin!(api.watch(params, version).await.unwrap());
    let mut heard = Vec::new();
    while let Ok(Some(event)) =
        tokio::time::timeout(Duration::from_secs(patience), stream.next()).await
    {
        heard.push(told(&event.unwrap()));
    }
    heard
}

#[tokio::test(start_paused = true)]
async fn a_watch_goes_on_from_a_version() {
    let (server, client) = server();
    let first = create(&config_maps(&client), config_map("a")).await;
    put(&server, "b", "1");
    put(&server, "a", "2");
    server.delete("ConfigMap", "default", "b").unwrap();
    let all = heard(
        &client,
        &WatchParams::default(),
        &first.resource_version().unwrap(),
        5,
    )
    .await;
    assert_eq!(all, ["added b", "modified a", "deleted b"]);
    let from_now = heard(&client, &WatchParams::default(), "0", 5).await;
    assert_eq!(from_now, ["added a"]);
}

#[tokio::test(start_paused = true)]
async fn objects_enter_and_leave_a_selection() {
    let (server, client) = server();
    let start = create(&config_maps(&client), config_map("start"))
        .await
        .resource_version()
        .unwrap();
    put(&server, "a", "1");
    server
        .update("ConfigMap", "default", "a", |object| {
            object["metadata"]["labels"]["name"] = "z".into();
        })
        .unwrap();
    server
        .update("ConfigMap", "default", "a", |object| {
            object["metadata"]["labels"]["name"] = "a".into();
        })
        .unwrap();
    let heard = heard(&client, &WatchParams::default().labels("name=a"), &start, 5).await;
    assert_eq!(heard, ["added a", "deleted a", "added a"]);
}

#[tokio::test(start_paused = true)]
async fn bookmarks_come_each_minute_and_the_watch_ends_at_its_time() {
    let (server, client) = server();
    let version = create(&config_maps(&client), config_map("a"))
        .await
        .resource_version()
        .unwrap();
    let heard = heard(&client, &WatchParams::default().timeout(200), &version, 100).await;
    assert_eq!(heard, ["bookmark", "bookmark", "bookmark"]);
    assert_eq!(server.clock().elapsed().as_secs(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_streaming_list_ends_with_a_mark() {
    let (server, client) = server();
    put(&server, "a", "1");
    let params = WatchParams::streaming_lists();
    let heard = heard(&client, &params, "0", 5).await;
    assert_eq!(heard, ["added a", "bookmark"]);
}

#[tokio::test(start_paused = true)]
async fn an_expired_version_is_gone() {
    let (server, client) = server();
    let old = create(&config_maps(&client), config_map("a"))
        .await
        .resource_version()
        .unwrap();
    put(&server, "a", "2");
    server.compact();
    let heard = heard(&client, &WatchParams::default(), &old, 5).await;
    assert_eq!(heard, ["error 410"]);
}

/// Runs kube's watcher in the background and gives what it reports.
fn reports(client: &kube::Client) -> tokio::sync::mpsc::UnboundedReceiver<String> {
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    let stream = watcher(config_maps(client), watcher::Config::default()).default_backoff();
    tokio::spawn(stream.for_each(move |event| {
        let line = match event {
            Ok(watcher::Event::Init) => "init".to_owned(),
            Ok(watcher::Event::InitApply(object)) => format!("listed {}", object.name_any()),
            Ok(watcher::Event::InitDone) => "ready".to_owned(),
            Ok(watcher::Event::Apply(object)) => format!("applied {}", object.name_any()),
            Ok(watcher::Event::Delete(object)) => format!("deleted {}", object.name_any()),
            Err(_) => "error".to_owned(),
        };
        drop(tell.send(line));
        std::future::ready(())
    }));
    told
}

async fn drain(reports: &mut tokio::sync::mpsc::UnboundedReceiver<String>) -> Vec<String> {
    tokio::time::sleep(Duration::from_secs(60)).await;
    let mut lines = Vec::new();
    while let Ok(line) = reports.try_recv() {
        lines.push(line);
    }
    lines
}

#[tokio::test(start_paused = true)]
async fn kubes_watcher_lists_anew_after_410() {
    let (server, client) = server();
    put(&server, "a", "1");
    let mut reports = reports(&client);
    assert_eq!(drain(&mut reports).await, ["init", "listed a", "ready"]);
    put(&server, "b", "1");
    assert_eq!(drain(&mut reports).await, ["applied b"]);
    server.control("op-1").expire_watches();
    server.delete("ConfigMap", "default", "a").unwrap();
    assert_eq!(
        drain(&mut reports).await,
        ["error", "init", "listed b", "ready"]
    );
    put(&server, "c", "1");
    assert_eq!(drain(&mut reports).await, ["applied c"]);
}

#[tokio::test(start_paused = true)]
async fn kubes_watcher_resumes_after_a_plain_end() {
    let (server, client) = server();
    let mut reports = reports(&client);
    drain(&mut reports).await;
    server.control("op-1").end_watches();
    put(&server, "a", "1");
    assert_eq!(drain(&mut reports).await, ["applied a"]);
    let lists = server
        .journal_records()
        .iter()
        .filter(|record| record.request.verb == Some(Verb::List))
        .count();
    assert_eq!(lists, 1, "no second list");
}

#[tokio::test(start_paused = true)]
async fn single_events_are_dropped_or_held_back() {
    let (server, client) = server();
    let mut reports = reports(&client);
    drain(&mut reports).await;
    server.on_delivery(|delivery| match (delivery.name.as_str(), delivery.event) {
        ("lost", _) => DeliveryAction::Drop,
        ("late", EventType::Added) => DeliveryAction::Delay(Duration::from_secs(90)),
        _ => DeliveryAction::Deliver,
    });
    for name in ["first", "lost", "late", "behind"] {
        put(&server, name, "1");
    }
    assert_eq!(drain(&mut reports).await, ["applied first"]);
    assert_eq!(
        drain(&mut reports).await,
        ["applied late", "applied behind"]
    );
    assert_eq!(server.delivery_count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_cut_line_hears_nothing_until_it_is_mended() {
    let (server, client) = server();
    let mut mine = reports(&client);
    let mut other = reports(&server.client("op-2"));
    drain(&mut mine).await;
    drain(&mut other).await;
    server.control("op-1").cut(Cut::Silent);
    put(&server, "a", "1");
    assert_eq!(drain(&mut mine).await, [""; 0]);
    assert_eq!(drain(&mut other).await, ["applied a"]);
    server.control("op-1").mend();
    let after = drain(&mut mine).await;
    assert!(after.contains(&"applied a".to_owned()), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn subscribers_of_the_world_hear_of_all() {
    let (server, client) = server();
    let mut changes = server.subscribe();
    let created = create(&config_maps(&client), config_map("a")).await;
    server.delete("ConfigMap", "default", "a").unwrap();
    let (first, second) = (changes.next().await, changes.next().await);
    assert_eq!(
        first.version.to_string(),
        created.resource_version().unwrap()
    );
    assert_eq!(
        (&*first.author.instance, &*second.author.instance),
        ("op-1", "world")
    );
    assert!(first.moment < second.moment);
    assert!(second.new.is_none());
    assert!(changes.try_next().is_none());
}

#[tokio::test(start_paused = true)]
async fn metadata_can_be_watched_alone() {
    let (server, client) = server();
    put(&server, "a", "1");
    let api = config_maps(&client);
    let mut stream = pin!(
        api.watch_metadata(&WatchParams::default(), "0")
            .await
            .unwrap()
    );
    let Some(WatchEvent::Added(object)) = stream.try_next().await.unwrap() else {
        panic!("nothing added")
    };
    assert_eq!(object.name_any(), "a");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_missed_what_is_forgotten_is_gone() {
    let (server, client) = server();
    let mut reports = reports(&client);
    drain(&mut reports).await;
    server.on_delivery(|delivery| match delivery.number {
        1 => DeliveryAction::Delay(Duration::from_secs(30)),
        _ => DeliveryAction::Deliver,
    });
    put(&server, "a", "1");
    tokio::time::sleep(Duration::from_secs(1)).await;
    put(&server, "b", "1");
    server.forget();
    assert!(server.history().is_empty() && server.journal_records().is_empty());
    let after = drain(&mut reports).await;
    let expected = [
        "applied a",
        "error",
        "init",
        "listed a",
        "listed b",
        "ready",
    ];
    assert_eq!(after, expected);
}
