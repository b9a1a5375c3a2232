//! The actor of one resource: one pass at a time, changes coalesced to one bit, the next look on a timer.
//!
//! It holds a key and bookkeeping, never a copy of the resource, and does no IO itself.

use crate::health::{Activity as Shown, Due, Health, LastPass, Waiting};
use crate::clock::Clock;
use crate::lanes::{Lane, Lanes, Ticket};
use crate::pace::{Next, Pace, RateLimit, Retry, is_failure};
use crate::pass::{End, PassReport};
use crate::tasks::{Cut, Tasks};
use actix::prelude::*;
use actix::WeakRecipient;
use futures::future::BoxFuture;
use operator_core::name::Key;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinError;

/// What a pass is: given a key, takes the resource one step forward.
pub type Work = Arc<dyn Fn(Key) -> BoxFuture<'static, PassReport> + Send + Sync>;

/// The shortest pause between two passes that nothing woke: the watch catches up with our own writes.
const CATCH_UP: Duration = Duration::from_millis(10);
/// Looks that are due within this time belong to something under way, which goes before polls.
const UNDER_WAY: Duration = Duration::from_secs(2);

/// A command to the actor of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum Order {
    /// Look at the resource.
    Wake(Wake),
    /// Finish the running pass, then end.
    Retire,
    /// End at once.
    Cut,
}

/// Why a resource is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// It was listed, or this instance has begun to lead.
    Listed,
    /// Its status changed.
    Touched,
    /// Its Deployment or one of its pods changed.
    Child,
    /// A user changed it.
    Edited,
}

impl Wake {
    fn lane(self) -> Lane {
        match self {
            Self::Listed | Self::Touched => Lane::Look,
            Self::Child | Self::Edited => Lane::Change,
        }
    }
}

/// What the actor of a resource tells its supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum ChildNews {
    /// It has ended, as told or by a crash.
    Stopped {
        /// Its resource.
        key: Key,
        /// Which life of the actor it was.
        incarnation: u64,
    },
    /// Its pass found no resource.
    Gone {
        /// Its resource.
        key: Key,
        /// Which life of the actor it is.
        incarnation: u64,
    },
}

/// A pass has ended; for whoever counts.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct PassEnded {
    /// The resource.
    pub key: Key,
    /// How long the pass waited for its turn.
    pub queued: Duration,
    /// What it reported; nothing if it panicked.
    pub report: Option<PassReport>,
    /// Whether it was a try after a failure.
    pub retry: bool,
}

/// What the actors of all resources share.
pub struct Crew {
    /// What a pass is.
    pub work: Work,
    /// Bounds how many passes run.
    pub lanes: Lanes,
    /// Runs the passes.
    pub tasks: Tasks,
    /// Where actors show how they fare.
    pub health: Health,
    /// The time.
    pub clock: Clock,
    /// How failures are tried again.
    pub retry: Retry,
    /// How many passes may act or fail in a while.
    pub limit: RateLimit,
    /// Is told of every pass.
    pub counting: Recipient<PassEnded>,
}

/// What the actor is doing. Passes run as tasks, so the mailbox stays open meanwhile.
enum Activity {
    Idle,
    /// A pass waits or runs; `again` says in which lane something asked for another since it began.
    Busy { ticket: Arc<Ticket>, again: Option<Lane> },
    /// Finishing the running pass, then stopping.
    Draining,
}

/// The actor of one resource.
pub struct ResourceActor {
    key: Key,
    incarnation: u64,
    crew: Arc<Crew>,
    supervisor: WeakRecipient<ChildNews>,
    activity: Activity,
    pace: Pace,
    timer: Option<SpawnHandle>,
}

type Joined = Result<Result<(Duration, PassReport), Cut>, JoinError>;

impl ResourceActor {
    /// Makes the actor of a resource; `incarnation` tells its lives apart.
    pub fn new(key: Key, incarnation: u64, crew: Arc<Crew>, supervisor: WeakRecipient<ChildNews>) -> Self {
        let pace = Pace::new(crew.retry, crew.limit);
        Self { key, incarnation, crew, supervisor, activity: Activity::Idle, pace, timer: None }
    }

    /// Begins a pass now, or when the rate limit allows it.
    fn begin(&mut self, lane: Lane, ctx: &mut Context<Self>) {
        let held_up = self.pace.held_up(self.crew.clock.monotonic());
        if held_up.is_zero() {
            self.start_pass(lane, ctx);
        } else {
            self.schedule(Next { after: Some(held_up), why: "rate-limit" }, lane, ctx);
        }
    }

    fn start_pass(&mut self, lane: Lane, ctx: &mut Context<Self>) {
        self.cancel_timer(ctx);
        let ticket = Arc::new(Ticket::default());
        self.activity = Activity::Busy { ticket: Arc::clone(&ticket), again: None };
        self.show(Shown::Queued);
        let (crew, key) = (Arc::clone(&self.crew), self.key.clone());
        let asked = tokio::time::Instant::now();
        let pass = self.crew.tasks.spawn(async move {
            let work = async {
                let queued = asked.elapsed();
                let now = crew.clock.now();
                crew.health.of_actor(&key, |actor| actor.turn(Shown::Busy, now));
                (queued, (crew.work)(key.clone()).await)
            };
            crew.lanes.run(lane, &ticket, work).await
        });
        ctx.spawn(pass.into_actor(self).map(|joined, actor, ctx| actor.finish_pass(joined, ctx)));
    }

    fn finish_pass(&mut self, joined: Joined, ctx: &mut Context<Self>) {
        let retry = self.pace.failures() > 0;
        let now = self.crew.clock.monotonic();
        let (queued, report, next) = match joined {
            Ok(Ok((queued, report))) => {
                let next = self.pace.after(&report, now);
                (queued, Some(report), next)
            }
            Ok(Err(Cut)) => return ctx.stop(),
            Err(error) if error.is_cancelled() => return ctx.stop(),
            Err(_) => {
                tracing::error!(resource = %self.key, "pass panicked; this is a bug in the operator");
                (Duration::ZERO, None, self.pace.after_panic(now))
            }
        };
        self.tell(report.as_ref());
        let gone = report.as_ref().is_some_and(|report| report.end == End::Gone);
        let changed = report.as_ref().is_some_and(|report| matches!(report.end, End::Acted | End::Stored));
        self.crew.counting.do_send(PassEnded { key: self.key.clone(), queued, report, retry });
        match std::mem::replace(&mut self.activity, Activity::Idle) {
            Activity::Draining => ctx.stop(),
            Activity::Busy { again: Some(lane), .. } => self.begin(lane, ctx),
            Activity::Busy { again: None, .. } | Activity::Idle if gone => {
                self.show(Shown::Idle);
                let news = ChildNews::Gone { key: self.key.clone(), incarnation: self.incarnation };
                self.tell_supervisor(news);
            }
            Activity::Busy { again: None, .. } | Activity::Idle => {
                let soon = next.after.is_some_and(|after| after <= UNDER_WAY);
                let lane = if soon && changed { Lane::Change } else { Lane::Look };
                self.schedule(next, lane, ctx);
            }
        }
    }

    /// Sets the timer for the next look.
    fn schedule(&mut self, next: Next, lane: Lane, ctx: &mut Context<Self>) {
        self.cancel_timer(ctx);
        self.show(Shown::Idle);
        let now = self.crew.clock.now();
        let after = next.after.map(|after| {
            let held_up = self.pace.held_up(self.crew.clock.monotonic());
            after.max(held_up).max(CATCH_UP)
        });
        let at = after.map(|after| now.saturating_add(after).unwrap_or(now));
        self.crew.health.of_actor(&self.key, |actor| actor.next = Some(Due { at, why: next.why }));
        if let Some(after) = after {
            self.timer = Some(ctx.run_later(after, move |actor, ctx| {
                actor.timer = None;
                match actor.activity {
                    Activity::Idle => actor.begin(lane, ctx),
                    Activity::Busy { .. } | Activity::Draining => {}
                }
            }));
        }
    }

    fn cancel_timer(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
    }

    fn show(&self, activity: Shown) {
        let now = self.crew.clock.now();
        self.crew.health.of_actor(&self.key, |actor| actor.turn(activity, now));
    }

    /// Shows and logs what came of a pass; no report means that it panicked.
    fn tell(&self, report: Option<&PassReport>) {
        let ended = self.crew.clock.now();
        let (outcome, detail, took) = match report {
            Some(report) => (report.end.label(), detail(&report.end), report.took),
            None => ("panicked", None, Duration::ZERO),
        };
        let failures = self.pace.failures();
        if report.is_some_and(|report| is_failure(&report.end)) {
            let error = detail.as_deref().unwrap_or_default();
            tracing::warn!(resource = %self.key, outcome, error, failures, "pass failed");
        }
        self.crew.health.of_actor(&self.key, |actor| {
            actor.passes += 1;
            actor.consecutive_failures = failures;
            actor.last_pass = Some(LastPass { ended, took_seconds: took, outcome, detail });
            if let Some(summary) = report.and_then(|report| report.summary.as_ref()) {
                actor.lifecycle = summary.lifecycle;
                actor.job_manager = summary.job_manager;
                actor.job = summary.job;
                let waiting = |(reason, message): &(String, String)| Waiting {
                    reason: reason.clone(),
                    message: message.clone(),
                };
                actor.waiting = summary.waiting.as_ref().map(waiting);
            }
        });
    }

    fn tell_supervisor(&self, news: ChildNews) {
        if let Some(supervisor) = self.supervisor.upgrade() {
            supervisor.do_send(news);
        }
    }
}

/// Says more about an end that is not good.
fn detail(end: &End) -> Option<String> {
    match end {
        End::Refused(why) | End::Unknown(why) => Some(why.to_string()),
        End::Unreadable(broken) => Some(broken.to_string()),
        End::TimedOut => Some("the deadline of the pass went by".to_owned()),
        End::CrdOutdated => Some("the installed CRD drops status fields".to_owned()),
        End::Quiet
        | End::Stored
        | End::Acted
        | End::Conflict
        | End::Gone
        | End::Undecided
        | End::NotLeader => None,
    }
}

impl Actor for ResourceActor {
    type Context = Context<Self>;

    /// Only tells the supervisor: this runs while a crash unwinds, too.
    fn stopped(&mut self, _: &mut Self::Context) {
        self.tell_supervisor(ChildNews::Stopped { key: self.key.clone(), incarnation: self.incarnation });
    }
}

impl Handler<Order> for ResourceActor {
    type Result = ();

    fn handle(&mut self, order: Order, ctx: &mut Self::Context) {
        match (order, &mut self.activity) {
            (Order::Wake(wake), Activity::Idle) => self.begin(wake.lane(), ctx),
            (Order::Wake(wake), Activity::Busy { ticket, again }) => {
                if ticket.has_begun() {
                    *again = (*again).max(Some(wake.lane()));
                } else if wake.lane() == Lane::Change {
                    ticket.hurry();
                }
            }
            (Order::Wake(_), Activity::Draining) => {}
            (Order::Retire, Activity::Idle) | (Order::Cut, _) => ctx.stop(),
            (Order::Retire, Activity::Busy { .. } | Activity::Draining) => {
                self.activity = Activity::Draining;
                self.show(Shown::Draining);
            }
        }
    }
}
