//! The pages, asked over a real connection.

use std::time::Duration;

use flink_operator_actors::clock::Clock;
use flink_operator_actors::health::{Activity, Due, LastPass, Trouble, Waiting};
use flink_operator_actors::leadership::Leadership;
use flink_operator_actors::shell::CrdSupport;
use jiff::Timestamp;
use operator_core::name::{Key, Kind};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

fn shown() -> Shown {
    let clock = Clock::system();
    Shown {
        health: Health::new(
            clock.clone(),
            Leadership::alone(clock),
            CrdSupport::default(),
        ),
        registry: Registry::new(),
    }
}

fn key(namespace: &str, name: &str) -> Key {
    Key {
        kind: Kind::FlinkDeployment,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

/// Serves for one request, and returns the head and the body of the reply.
async fn ask(shown: &Shown, path: &str, accept: &str) -> (String, String) {
    let listener = listen(Some(([127, 0, 0, 1], 0).into()), 0).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::start(listener, pages(shown.clone()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: x\r\naccept: {accept}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    server.stop().await;
    TcpStream::connect(address).await.unwrap_err();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

async fn json(shown: &Shown, path: &str) -> (String, Value) {
    let (head, body) = ask(shown, path, "*/*").await;
    assert!(head.contains("content-type: application/json"), "{head}");
    (head, serde_json::from_str(&body).unwrap())
}

#[tokio::test]
async fn upstreams_probe_and_the_usual_name_say_whether_the_process_lives() {
    let shown = shown();
    for path in ["/", "/healthz"] {
        let (head, body) = ask(&shown, path, "*/*").await;
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert_eq!(body, "OK\n");
    }
}

#[tokio::test]
async fn readiness_comes_with_the_first_listing_and_goes_first_at_the_end() {
    let shown = shown();
    let (head, body) = json(&shown, "/readyz").await;
    assert!(head.starts_with("http/1.1 503"), "{head}");
    assert_eq!(body["ready"], false);
    shown.health.of_watch("*", |watch| watch.ready = true);
    let (head, body) = json(&shown, "/readyz").await;
    assert!(
        head.starts_with("http/1.1 200") && body["ready"] == true,
        "{head} {body}"
    );
    shown.health.draining();
    let (head, body) = json(&shown, "/readyz").await;
    assert!(head.starts_with("http/1.1 503"), "{head}");
    assert_eq!(body["details"][0], "shutting down");
}

#[tokio::test]
async fn metrics_are_prometheus_text() {
    let shown = shown();
    let counter = prometheus::IntCounter::new("looks", "Looks so far.").unwrap();
    shown.registry.register(Box::new(counter.clone())).unwrap();
    counter.inc_by(3);
    let (head, body) = ask(&shown, "/metrics", "*/*").await;
    assert!(
        head.contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    assert_eq!(
        body,
        "# HELP looks Looks so far.\n# TYPE looks counter\nlooks 3\n"
    );
}

#[tokio::test]
async fn actors_are_json_for_programs_and_can_be_chosen() {
    let shown = shown();
    for (namespace, name) in [("a", "one"), ("a", "two"), ("b", "one")] {
        shown.health.of_actor(&key(namespace, name), |_| {});
    }
    let (head, body) = json(&shown, "/actors").await;
    assert!(head.contains("vary: accept"), "{head}");
    assert_eq!(body["actors"].as_array().unwrap().len(), 3);
    assert_eq!(body["actors"][0]["name"], "one");
    let names = |body: &Value| -> Vec<String> {
        let actors = body["actors"].as_array().unwrap();
        actors
            .iter()
            .map(|actor| format!("{}/{}", actor["namespace"], actor["name"]).replace('"', ""))
            .collect()
    };
    assert_eq!(
        names(&json(&shown, "/actors?namespace=a").await.1),
        ["a/one", "a/two"]
    );
    assert_eq!(
        names(&json(&shown, "/actors?namespace=b&name=one").await.1),
        ["b/one"]
    );
    let (_, body) = ask(&shown, "/actors", "application/json, text/html").await;
    assert!(body.starts_with('{'), "{body}");
}

#[tokio::test]
async fn browsers_get_a_table_in_which_nothing_of_a_user_is_markup() {
    let shown = shown();
    shown.health.of_watch("*", |watch| {
        let trouble = Trouble {
            forbidden: true,
            message: "pods is forbidden".to_owned(),
            since: Timestamp::UNIX_EPOCH,
        };
        watch.troubles.insert("pods", trouble);
    });
    shown.health.of_actor(&key("jobs", "fine"), |_| {});
    shown.health.of_actor(&key("jobs", "troubled"), |actor| {
        actor.activity = Activity::Idle;
        actor.lifecycle = Some("DEPLOYED");
        actor.consecutive_failures = 2;
        actor.waiting = Some(Waiting {
            reason: "Unschedulable".to_owned(),
            message: "<script>alert('x')</script> & more".to_owned(),
            since: Timestamp::now() - Duration::from_secs(190),
        });
        actor.last_pass = Some(LastPass {
            ended: Timestamp::UNIX_EPOCH,
            took_seconds: Duration::from_millis(7),
            outcome: "refused",
            detail: Some("quota \"a\"".to_owned()),
        });
        actor.next = Some(Due {
            at: None,
            why: "retry",
        });
    });
    let (head, body) = ask(&shown, "/actors", BROWSER).await;
    assert!(head.contains("content-type: text/html"), "{head}");
    assert!(
        head.contains("content-security-policy: default-src 'none'"),
        "{head}"
    );
    for part in [
        "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; more",
        "quota &quot;a&quot;",
        "2 failures in a row",
        "took 7 ms",
        "on change",
        "for 3 min",
        "DEPLOYED",
        "2 actors",
        "pods is forbidden",
    ] {
        assert!(body.contains(part), "{part} in {body}");
    }
    assert!(!body.contains("<script"), "{body}");
    let place = |name: &str| body.find(&format!("<b>{name}</b>")).unwrap();
    assert!(place("troubled") < place("fine"), "trouble comes first");
}

/// Ten thousand actors in five namespaces; every hundredth waits.
fn crowd() -> Shown {
    let shown = shown();
    for number in 0..10_000 {
        let key = key(&format!("team-{}", number % 5), &format!("job-{number:05}"));
        shown.health.of_actor(&key, |actor| {
            actor.passes = 1;
            actor.activity = Activity::Idle;
            actor.lifecycle = Some("STABLE");
            actor.waiting = (number % 100 == 7).then(|| Waiting {
                reason: "JobManagerSilent".to_owned(),
                message: "the JobManager does not answer".to_owned(),
                since: Timestamp::UNIX_EPOCH,
            });
        });
    }
    shown
}

#[tokio::test]
async fn ten_thousand_actors_are_shown_in_pieces_those_that_wait_first() {
    let shown = crowd();
    let rows = |body: &str| body.matches("<tr><td>").count();
    let (_, body) = ask(&shown, "/actors", BROWSER).await;
    assert!(body.len() < 200_000, "{}", body.len());
    assert_eq!(
        (rows(&body), body.matches("JobManagerSilent").count()),
        (200, 100)
    );
    for part in [
        "1–200 of 10000",
        "<a href=\"/actors?offset=200\">next</a>",
        "<a href=\"/actors?state=waiting\">waiting&nbsp;100</a>",
        "<a href=\"/actors?state=STABLE\">STABLE&nbsp;10000</a>",
        "<a href=\"/actors?namespace=team-3\">team-3&nbsp;2000</a>",
    ] {
        assert!(body.contains(part), "{part} in {body}");
    }
    let (_, body) = ask(&shown, "/actors?namespace=team-3&offset=1900", BROWSER).await;
    assert!(body.contains("1901–2000 of 2000"), "{body}");
    assert!(
        body.contains("namespace=team-3&amp;offset=1700\">previous</a>"),
        "{body}"
    );
    assert_eq!((rows(&body), body.contains(">next<")), (100, false));
    let (_, body) = ask(&shown, "/actors?state=waiting", BROWSER).await;
    assert_eq!(rows(&body), 100);
}

#[tokio::test]
async fn programs_get_pieces_of_ten_thousand_actors_too() {
    let shown = crowd();
    let size = |body: &Value| body["actors"].as_array().unwrap().len();
    let (_, body) = json(&shown, "/actors").await;
    assert_eq!(
        (size(&body), &body["found"]),
        (10_000, &Value::from(10_000))
    );
    let (_, body) = json(&shown, "/actors?state=stable&limit=3&offset=9999").await;
    assert_eq!((size(&body), &body["found"]), (1, &Value::from(10_000)));
    let (_, body) = json(&shown, "/actors?state=JobManagerSilent&namespace=team-2").await;
    assert_eq!(size(&body), 100);
    assert_eq!(
        body["actors"][0]["waiting"]["since"],
        "1970-01-01T00:00:00Z"
    );
    assert_eq!(body["counts"]["lifecycle"]["STABLE"], 10_000);
    let (head, body) = ask(&shown, "/actors?stat=x", "*/*").await;
    assert!(head.starts_with("http/1.1 400"), "{head}");
    assert!(body.contains("stat") && body.contains("state="), "{body}");
}

#[tokio::test]
async fn other_paths_name_those_that_exist() {
    let (head, body) = ask(&shown(), "/nowhere", "*/*").await;
    assert!(head.starts_with("http/1.1 404"), "{head}");
    assert!(body.contains("/readyz"), "{body}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let error = listen(Some(address), 0).await.unwrap_err();
    assert!(
        format!("{error:#}").contains(&address.to_string()),
        "{error:#}"
    );
}
