//! Bounded concurrency of passes, in two lanes: what users change overtakes what is merely looked at.
//!
//! A lane has two bounds. Few passes work at a time. More may be under way, since those that wait for a JobManager
//! only wait; but not any number, since each holds what it has read.

use std::cell::RefCell;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Passes that look, per pass that may act: looking is cheap, and most of it is waiting.
const LOOKING_PER_ACTING: usize = 4;
/// Passes that look and are under way at a time, at least: nearly all of them wait for JobManagers that hang. It takes
/// seconds to give each of thousands of those its chance, and some tens of kilobytes for each that is given one now.
const LOOKING_UNDER_WAY: usize = 1024;
/// The same for passes of changes.
const CHANGING_UNDER_WAY: usize = 512;

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
    change: Bounds,
    look: Bounds,
}

/// The bounds of one lane.
#[derive(Clone, Debug)]
struct Bounds {
    /// Passes that have begun and not ended. Whoever comes back from a wait competes with these alone, and not with all
    /// that have not begun yet.
    under_way: Arc<Semaphore>,
    /// Passes that work, and do not wait for a JobManager.
    working: Arc<Semaphore>,
}

impl Bounds {
    fn new(working: usize, under_way: usize) -> Self {
        Self {
            under_way: Arc::new(Semaphore::new(under_way.max(working))),
            working: Arc::new(Semaphore::new(working)),
        }
    }
}

/// The place of one pass in its queue, and how far it has come.
#[derive(Debug, Default)]
pub struct Ticket {
    hurry: Notify,
    stage: AtomicU8,
    withdrawn: Notify,
}

/// How far a pass has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Stage {
    /// It waits for its turn.
    Queued,
    /// It runs, so that it may have read already.
    Begun,
    /// It waits for a JobManager that was asked something, and has changed nothing so far.
    Asking,
    /// It is not wanted any more.
    Withdrawn,
}

impl Ticket {
    /// Moves a waiting pass to the lane of changes.
    pub fn hurry(&self) {
        self.hurry.notify_one();
    }

    /// Returns whether the pass has begun, so that it may have read already.
    pub fn has_begun(&self) -> bool {
        self.stage.load(Ordering::Acquire) != Stage::Queued as u8
    }

    /// Takes the pass back if that leaves nothing half done: while it waits for its turn, or for a JobManager that was
    /// only asked. Returns whether it did.
    pub fn withdraw(&self) -> bool {
        let taken = self.step(Stage::Queued, Stage::Withdrawn)
            || self.step(Stage::Asking, Stage::Withdrawn);
        if taken {
            self.withdrawn.notify_one();
        }
        taken
    }

    fn step(&self, from: Stage, to: Stage) -> bool {
        let (from, to) = (from as u8, to as u8);
        let stepped = self
            .stage
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
        stepped.is_ok()
    }
}

/// What a running pass holds.
struct Held {
    lanes: Lanes,
    lane: Lane,
    permit: Option<OwnedSemaphorePermit>,
    ticket: Arc<Ticket>,
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
            change: Bounds::new(acting, CHANGING_UNDER_WAY),
            look: Bounds::new(looking, LOOKING_UNDER_WAY),
        }
    }

    /// Runs a pass when its turn has come; gives nothing if it was withdrawn.
    pub async fn run<F: Future>(
        &self,
        lane: Lane,
        ticket: &Arc<Ticket>,
        pass: F,
    ) -> Option<F::Output> {
        let turn = async {
            match lane {
                Lane::Change => (lane, self.enter(lane).await),
                Lane::Look => tokio::select! {
                    biased;
                    entered = self.enter(Lane::Look) => (Lane::Look, entered),
                    () = ticket.hurry.notified() => (Lane::Change, self.enter(Lane::Change).await),
                },
            }
        };
        let whole = async {
            let (lane, (_under_way, permit)) = turn.await;
            if !ticket.step(Stage::Queued, Stage::Begun) {
                return None;
            }
            let held = Held {
                lanes: self.clone(),
                lane,
                permit: Some(permit),
                ticket: Arc::clone(ticket),
            };
            Some(HELD.scope(RefCell::new(held), pass).await)
        };
        tokio::select! {
            biased;
            () = ticket.withdrawn.notified() => None,
            output = whole => output,
        }
    }

    async fn enter(&self, lane: Lane) -> (OwnedSemaphorePermit, OwnedSemaphorePermit) {
        let under_way = acquire(&self.bounds(lane).under_way).await;
        (under_way, self.work(lane).await)
    }

    async fn work(&self, lane: Lane) -> OwnedSemaphorePermit {
        acquire(&self.bounds(lane).working).await
    }

    fn bounds(&self, lane: Lane) -> &Bounds {
        match lane {
            Lane::Change => &self.change,
            Lane::Look => &self.look,
        }
    }
}

async fn acquire(semaphore: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    Arc::clone(semaphore)
        .acquire_owned()
        .await
        .expect("the lanes are never closed")
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
        let permit = lanes.work(lane).await;
        HELD.with(|held| held.borrow_mut().permit = Some(permit));
    }
    output
}

/// Waits aside for an answer to questions; the pass may be withdrawn meanwhile.
///
/// To be used only before a pass has begun to change anything.
pub async fn asking<F: Future>(answer: F) -> F::Output {
    let ticket = HELD.try_with(|held| Arc::clone(&held.borrow().ticket)).ok();
    let ticket = ticket.filter(|ticket| ticket.step(Stage::Begun, Stage::Asking));
    let output = aside(answer).await;
    if let Some(ticket) = ticket
        && !ticket.step(Stage::Asking, Stage::Begun)
    {
        // Withdrawn: whoever runs this pass is about to drop it here.
        std::future::pending::<()>().await;
    }
    output
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Lane, Lanes, Ticket, aside, asking};
    use std::future::pending;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::Relaxed;
    use std::time::Duration;
    use tokio::time::{sleep, timeout};

    const SOON: Duration = Duration::from_secs(1);

    /// Fills a lane with passes that never end.
    async fn fill(lanes: &Lanes, lane: Lane, passes: usize) {
        for _ in 0..passes {
            let lanes = lanes.clone();
            tokio::spawn(async move { lanes.run(lane, &Arc::default(), pending::<()>()).await });
        }
        sleep(Duration::from_millis(1)).await;
    }

    async fn admitted(lanes: &Lanes, lane: Lane) -> bool {
        timeout(SOON, lanes.run(lane, &Arc::default(), async {}))
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
        assert_eq!(waiting.await.unwrap(), Some("done"));
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
                lanes.run(Lane::Change, &Arc::default(), pass).await;
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
    async fn passes_that_wait_aside_are_bounded_and_come_back_before_others_begin() {
        let lanes = Lanes::new(1);
        let (mut most, begun, ended) = (0, counter(), counter());
        for _ in 0..5_000 {
            let (lanes, begun, ended) = (lanes.clone(), begun.clone(), ended.clone());
            tokio::spawn(async move {
                let pass = async {
                    begun.fetch_add(1, Relaxed);
                    aside(sleep(SOON)).await;
                    ended.fetch_add(1, Relaxed);
                };
                lanes.run(Lane::Look, &Arc::default(), pass).await;
            });
        }
        while ended.load(Relaxed) < 5_000 {
            sleep(SOON / 10).await;
            most = most.max(begun.load(Relaxed) - ended.load(Relaxed));
            assert!(
                admitted(&lanes, Lane::Change).await,
                "a change waits for none of them"
            );
        }
        assert_eq!(most, super::LOOKING_UNDER_WAY);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pass_can_be_withdrawn_while_it_waits_and_not_while_it_acts() {
        let lanes = Lanes::new(1);
        let done = counter();
        let begin = |lanes: &Lanes| {
            let (lanes, done, ticket) = (lanes.clone(), done.clone(), Arc::<Ticket>::default());
            let kept = Arc::clone(&ticket);
            let pass = async move {
                sleep(SOON).await;
                asking(sleep(SOON)).await;
                aside(sleep(SOON)).await;
                done.fetch_add(1, Relaxed);
            };
            let running =
                tokio::spawn(async move { lanes.run(Lane::Change, &ticket, pass).await.is_some() });
            (kept, running)
        };
        let working = SOON / 2;
        for (after, withdrawn) in [
            (working, false),
            (SOON + working, true),
            (SOON * 2 + working, false),
        ] {
            let (ticket, running) = begin(&lanes);
            sleep(after).await;
            assert_eq!(ticket.withdraw(), withdrawn, "after {after:?}");
            let asked = tokio::time::Instant::now();
            assert_eq!(running.await.unwrap(), !withdrawn, "after {after:?}");
            assert_eq!(asked.elapsed().is_zero(), withdrawn, "after {after:?}");
        }
        assert_eq!(done.load(Relaxed), 2);
        fill(&lanes, Lane::Change, 1).await;
        let (ticket, running) = begin(&lanes);
        sleep(SOON).await;
        assert!(ticket.withdraw() && !ticket.withdraw());
        assert!(!running.await.unwrap(), "it has never begun");
    }

    fn counter() -> Arc<AtomicUsize> {
        Arc::default()
    }

    #[tokio::test(start_paused = true)]
    async fn minus_one_means_no_limit() {
        let lanes = Lanes::new(-1);
        fill(&lanes, Lane::Change, 500).await;
        assert!(admitted(&lanes, Lane::Change).await);
    }
}
