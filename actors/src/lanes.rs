//! Bounded concurrency of passes, in two lanes: what users change overtakes what is merely looked at.

use std::cell::RefCell;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Passes that look, per pass that may act: looking is cheap, and most of it is waiting.
const LOOKING_PER_ACTING: usize = 4;

/// Which queue a pass waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Polls, retries, and first looks after a start.
    Look,
    /// Changes by users, and what follows from them.
    Change,
}

/// The two lanes of one instance; clones are the same lanes.
#[derive(Clone, Debug)]
pub struct Lanes {
    change: Arc<Semaphore>,
    look: Arc<Semaphore>,
}

/// The place of one pass in its queue.
#[derive(Debug, Default)]
pub struct Ticket {
    hurry: Notify,
    begun: AtomicBool,
}

impl Ticket {
    /// Moves a waiting pass to the lane of changes.
    pub fn hurry(&self) {
        self.hurry.notify_one();
    }

    /// Returns whether the pass has begun, so that it may have read already.
    pub fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Acquire)
    }
}

/// What a running pass holds.
struct Held {
    lanes: Lanes,
    lane: Lane,
    permit: Option<OwnedSemaphorePermit>,
}

tokio::task_local! {
    /// The permit of the pass that this task runs.
    static HELD: RefCell<Held>;
}

impl Lanes {
    /// Makes lanes for this many acting passes; zero or less means no limit.
    pub fn new(parallelism: i32) -> Self {
        let acting = usize::try_from(parallelism)
            .ok()
            .filter(|limit| *limit > 0)
            .unwrap_or(Semaphore::MAX_PERMITS);
        let looking = acting
            .saturating_mul(LOOKING_PER_ACTING)
            .min(Semaphore::MAX_PERMITS);
        Self {
            change: Arc::new(Semaphore::new(acting)),
            look: Arc::new(Semaphore::new(looking)),
        }
    }

    /// Runs a pass when its turn has come.
    pub async fn run<F: Future>(&self, lane: Lane, ticket: &Ticket, pass: F) -> F::Output {
        let (lane, permit) = match lane {
            Lane::Change => (lane, self.acquire(lane).await),
            Lane::Look => tokio::select! {
                biased;
                permit = self.acquire(Lane::Look) => (Lane::Look, permit),
                () = ticket.hurry.notified() => (Lane::Change, self.acquire(Lane::Change).await),
            },
        };
        ticket.begun.store(true, Ordering::Release);
        let held = Held {
            lanes: self.clone(),
            lane,
            permit: Some(permit),
        };
        HELD.scope(RefCell::new(held), pass).await
    }

    async fn acquire(&self, lane: Lane) -> OwnedSemaphorePermit {
        let semaphore = match lane {
            Lane::Change => &self.change,
            Lane::Look => &self.look,
        };
        Arc::clone(semaphore)
            .acquire_owned()
            .await
            .expect("the lanes are never closed")
    }
}

/// Waits for something slow, such as a JobManager, without holding the permit of the current pass.
///
/// Outside of a pass that was admitted by [`Lanes::run`], and within another wait of this kind, it only waits.
pub async fn aside<F: Future>(slow: F) -> F::Output {
    let held = HELD.try_with(|held| {
        let mut held = held.borrow_mut();
        let lane = held.permit.take().map(|_| held.lane);
        lane.map(|lane| (held.lanes.clone(), lane))
    });
    let output = slow.await;
    if let Ok(Some((lanes, lane))) = held {
        let permit = lanes.acquire(lane).await;
        HELD.with(|held| held.borrow_mut().permit = Some(permit));
    }
    output
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Lane, Lanes, Ticket, aside};
    use std::future::pending;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::time::{sleep, timeout};

    const SOON: Duration = Duration::from_secs(1);

    /// Fills a lane with passes that never end.
    async fn fill(lanes: &Lanes, lane: Lane, passes: usize) {
        for _ in 0..passes {
            let lanes = lanes.clone();
            tokio::spawn(async move { lanes.run(lane, &Ticket::default(), pending::<()>()).await });
        }
        sleep(Duration::from_millis(1)).await;
    }

    async fn admitted(lanes: &Lanes, lane: Lane) -> bool {
        timeout(SOON, lanes.run(lane, &Ticket::default(), async {}))
            .await
            .is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn looking_passes_do_not_hold_up_changes() {
        let lanes = Lanes::new(2);
        fill(&lanes, Lane::Look, 8).await;
        assert!(!admitted(&lanes, Lane::Look).await);
        assert!(admitted(&lanes, Lane::Change).await);
        fill(&lanes, Lane::Change, 2).await;
        assert!(!admitted(&lanes, Lane::Change).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_look_can_be_hurried() {
        let lanes = Lanes::new(1);
        fill(&lanes, Lane::Look, 4).await;
        let ticket = Arc::new(Ticket::default());
        let waiting = tokio::spawn({
            let (lanes, ticket) = (lanes.clone(), Arc::clone(&ticket));
            async move { lanes.run(Lane::Look, &ticket, async { "done" }).await }
        });
        sleep(SOON).await;
        assert!(!ticket.has_begun());
        ticket.hurry();
        assert_eq!(waiting.await.unwrap(), "done");
        assert!(ticket.has_begun());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_aside_holds_no_permit_meanwhile() {
        let lanes = Lanes::new(1);
        let slow = tokio::spawn({
            let lanes = lanes.clone();
            async move {
                let pass = async {
                    aside(aside(sleep(SOON * 10))).await;
                    pending::<()>().await;
                };
                lanes.run(Lane::Change, &Ticket::default(), pass).await;
            }
        });
        sleep(Duration::from_millis(1)).await;
        assert!(
            admitted(&lanes, Lane::Change).await,
            "the slow one waits aside"
        );
        sleep(SOON * 10).await;
        assert!(!admitted(&lanes, Lane::Change).await, "it is back");
        slow.abort();
        assert!(slow.await.unwrap_err().is_cancelled());
        assert!(
            admitted(&lanes, Lane::Change).await,
            "a dropped pass gives its permit back"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn minus_one_means_no_limit() {
        let lanes = Lanes::new(-1);
        fill(&lanes, Lane::Change, 500).await;
        assert!(admitted(&lanes, Lane::Change).await);
    }
}
