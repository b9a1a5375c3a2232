//! Changes leave only while they may.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use flink_rest::{Denied, Error, JobId, NotSent, Permit, SystemClock};

use crate::server::{Server, ok, permit_with};

fn job() -> JobId {
    "0".repeat(32).parse().unwrap()
}

fn denied(error: &Error) -> Denied {
    assert!(error.is_surely_not_applied());
    match error {
        Error::NotSent {
            why: NotSent::Denied(denied),
            ..
        } => *denied,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_leadership_nothing_is_even_connected() {
    let server = Server::start(|_| ok("{}")).await;
    let permit = permit_with(|| Err(Denied::NotLeader));
    let error = server
        .job_manager()
        .cancel(job(), &permit)
        .await
        .unwrap_err();
    assert_eq!(denied(&error), Denied::NotLeader);
    assert_eq!(server.opened(), 0);
}

#[tokio::test]
async fn an_expired_change_is_not_sent() {
    let server = Server::start(|_| ok("{}")).await;
    let not_after = SystemTime::now() - Duration::from_secs(1);
    let permit = Permit::until(Arc::new(SystemClock), not_after, || Ok(()));
    let error = server
        .job_manager()
        .cancel(job(), &permit)
        .await
        .unwrap_err();
    assert!(matches!(denied(&error), Denied::Expired { .. }));
    assert_eq!(server.opened(), 0);
}

#[tokio::test]
async fn leadership_lost_while_connecting_stops_the_change() {
    let mut server = Server::start(|_| ok("{}")).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let permit = permit_with(move || match counted.fetch_add(1, Ordering::SeqCst) {
        0 => Ok(()),
        _ => Err(Denied::NotLeader),
    });
    let error = server
        .job_manager()
        .cancel(job(), &permit)
        .await
        .unwrap_err();
    assert_eq!(denied(&error), Denied::NotLeader);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    // The connection was made, and not one whole head came over it.
    server.until(|log| log.opened == 1 && log.closed == 1).await;
    assert_eq!(server.requests(), []);
}

#[tokio::test]
async fn a_change_over_a_kept_connection_asks_as_well() {
    let server = Server::start(|_| ok("{}")).await;
    let job_manager = server.job_manager();
    job_manager
        .cancel(job(), &permit_with(|| Ok(())))
        .await
        .unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let permit = permit_with(move || match counted.fetch_add(1, Ordering::SeqCst) {
        0 => Ok(()),
        _ => Err(Denied::Stopping),
    });
    let error = job_manager.cancel(job(), &permit).await.unwrap_err();
    assert_eq!(denied(&error), Denied::Stopping);
    assert_eq!((server.requests().len(), server.opened()), (1, 1));
}
