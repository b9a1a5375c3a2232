//! A simulated Flink behind the seam, in virtual time; and what the meter is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use flink_rest::{Client, Denied, Endpoint, Host, Limits, Meter, Route, Transport, TransportError};
use http::{Request, Response};
use http_body_util::Full;
use tokio::time::Instant;

use crate::server::{permit, permit_with};

type Answer = Result<Response<Full<Bytes>>, TransportError>;

fn simulated(
    answer: impl Fn(&Request<Bytes>) -> (Duration, Answer) + Send + Sync + 'static,
) -> Transport {
    let answer = Arc::new(answer);
    Transport::buffered(tower::service_fn(move |request: Request<Bytes>| {
        let (delay, answer) = answer(&request);
        async move {
            tokio::time::sleep(delay).await;
            answer
        }
    }))
}

fn said(text: &'static str) -> Response<Full<Bytes>> {
    Response::new(Full::new(Bytes::from_static(text.as_bytes())))
}

fn endpoint() -> Endpoint {
    Endpoint::http(Host::name("basic-rest.default.svc").unwrap(), 8081)
}

#[tokio::test(start_paused = true)]
async fn deadlines_pass_in_virtual_time() {
    let transport = simulated(|_| (Duration::from_secs(3600), Ok(said("{}"))));
    let job_manager = Client::new(transport, Limits::default()).job_manager(endpoint());
    let started = Instant::now();
    assert_eq!(job_manager.jobs().await.unwrap_err().label(), "timed_out");
    assert_eq!(started.elapsed().as_secs(), 10);
    let job = "0".repeat(32).parse().unwrap();
    let started = Instant::now();
    assert_eq!(
        job_manager
            .cancel(job, &permit())
            .await
            .unwrap_err()
            .label(),
        "timed_out"
    );
    assert_eq!(started.elapsed().as_secs(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_simulation_sees_whole_requests_and_only_permitted_ones() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = seen.clone();
    let transport = simulated(move |request| {
        let line = format!("{} {}", request.method(), request.uri());
        noted.lock().unwrap().push((line, request.body().clone()));
        (Duration::ZERO, Ok(said("{}")))
    });
    let job_manager = Client::new(transport, Limits::default()).job_manager(endpoint());
    let job = "0".repeat(32).parse().unwrap();
    job_manager.cancel(job, &permit()).await.unwrap();
    let asked = Mutex::new(0);
    let twice = permit_with(move || {
        let mut asked = asked.lock().unwrap();
        *asked += 1;
        if *asked == 1 {
            Ok(())
        } else {
            Err(Denied::NotLeader)
        }
    });
    assert_eq!(
        job_manager.cancel(job, &twice).await.unwrap_err().label(),
        "not_sent"
    );
    let line = format!("PATCH http://basic-rest.default.svc:8081/jobs/{job}?mode=cancel");
    assert_eq!(*seen.lock().unwrap(), [(line, Bytes::from_static(b"{}"))]);
}

#[tokio::test(start_paused = true)]
async fn failures_of_a_simulation_are_told_apart() {
    let cases = [
        (TransportError::Refused("x".into()), "refused"),
        (TransportError::ConnectTimedOut, "connect_timed_out"),
        (TransportError::Closed("x".into()), "closed"),
        (TransportError::NotHttp("x".into()), "not_understood"),
        (TransportError::Denied(Denied::Stopping), "not_sent"),
    ];
    for (failure, label) in cases {
        let transport = simulated(move |_| (Duration::ZERO, Err(failure.clone())));
        let job_manager = Client::new(transport, Limits::default()).job_manager(endpoint());
        assert_eq!(job_manager.config().await.unwrap_err().label(), label);
    }
}

type Told = (Route, &'static str, Duration);

#[derive(Default)]
struct Notes(Mutex<Vec<Told>>);

impl Meter for Notes {
    fn finished(&self, route: Route, outcome: &'static str, elapsed: Duration) {
        self.0.lock().unwrap().push((route, outcome, elapsed));
    }
}

#[tokio::test(start_paused = true)]
async fn every_call_is_counted_once_without_any_identity() {
    let second = Duration::from_secs(1);
    let transport = simulated(move |request| match request.uri().path() {
        "/config" => (second, Ok(said(r#"{"flink-version":"1.20.5"}"#))),
        _ => (second, Ok(said("not json"))),
    });
    let notes = Arc::new(Notes::default());
    let client = Client::new(transport, Limits::default()).metered(notes.clone());
    let job_manager = client.job_manager(endpoint());
    job_manager.config().await.unwrap();
    job_manager.jobs().await.unwrap_err();
    let given_up = tokio::time::timeout(second / 2, job_manager.config()).await;
    assert!(given_up.is_err());
    // The timer is good to a millisecond.
    let tenths = |told: &Told| (told.0, told.1, told.2.as_millis() / 100);
    let told: Vec<_> = notes.0.lock().unwrap().iter().map(tenths).collect();
    let expected = [
        (Route::Config, "ok", 10),
        (Route::JobsOverview, "not_understood", 10),
        (Route::Config, "abandoned", 5),
    ];
    assert_eq!(told, expected);
}
