//! The actor itself: a `match` on what it is doing.

use super::echo::{Store, Written};
use super::shown;
use super::{ChildNews, Crew, Order, PassEnded, Wake};
use crate::health::{Activity as Shown, Due};
use crate::lanes::{Lane, Ticket};
use crate::pace::{Next, Pace, is_failure};
use crate::pass::{End, PassReport};
use crate::tasks::Cut;
use actix::WeakRecipient;
use actix::prelude::*;
use operator_core::name::Key;
use operator_core::resource::Broken;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinError;

/// The shortest pause between two passes that nothing woke.
const BREATH: Duration = Duration::from_millis(10);
/// How long the echo of our own write is waited for: a watch that is late must not stop anything.
const ECHO: Duration = Duration::from_secs(1);
/// Looks that are due within this time belong to something under way, which goes before polls.
const UNDER_WAY: Duration = Duration::from_secs(2);

/// What the actor is doing. Passes run as tasks, so the mailbox stays open meanwhile.
enum Activity {
    Idle,
    /// A pass waits or runs; `again` is what has asked for another one since it began.
    Busy {
        ticket: Arc<Ticket>,
        again: Again,
    },
    /// The store does not show yet what the last pass wrote; a pass would only meet a conflict.
    CatchingUp {
        then: Then,
    },
    /// Finishing the running pass, then stopping.
    Draining,
}

/// What has asked for another pass while one was running.
#[derive(Clone, Copy, Debug, Default)]
struct Again {
    /// Changes of the resource itself, perhaps our own; by a user if in the lane of changes.
    resource: Option<Lane>,
    /// Everything else.
    other: Option<Lane>,
}

/// What comes after a pass.
#[derive(Clone, Copy, Debug)]
enum Then {
    Now(Lane),
    Later(Next, Lane),
}

/// The actor of one resource.
pub struct ResourceActor {
    key: Key,
    incarnation: u64,
    crew: Arc<Crew>,
    supervisor: WeakRecipient<ChildNews>,
    activity: Activity,
    pace: Pace,
    written: Written,
    /// Why its status cannot be read, once that has been told.
    unreadable: Option<Broken>,
    timer: Option<SpawnHandle>,
}

/// What comes of the task of a pass; nothing if it was withdrawn.
type Joined = Result<Result<Option<(Duration, PassReport)>, Cut>, JoinError>;

impl ResourceActor {
    /// Makes the actor of a resource; `incarnation` tells its lives apart.
    pub fn new(
        key: Key,
        incarnation: u64,
        crew: Arc<Crew>,
        supervisor: WeakRecipient<ChildNews>,
    ) -> Self {
        let pace = Pace::new(crew.retry, crew.limit);
        let (activity, written, timer) = (Activity::Idle, Written::default(), None);
        Self {
            key,
            incarnation,
            crew,
            supervisor,
            activity,
            pace,
            written,
            unreadable: None,
            timer,
        }
    }

    fn wake(&mut self, wake: Wake, ctx: &mut Context<Self>) {
        let store = self.store();
        let echo = wake.may_be_echo() && store == Store::Echo;
        // What failed or met a conflict is tried again in its time: a change of the status alone is no reason to hurry.
        // One that is older than our last write is our own.
        let patient = store == Store::Behind || self.pace.is_backing_off();
        let ignored = echo || (wake == Wake::Touched && patient);
        match &mut self.activity {
            Activity::Idle if ignored => {}
            Activity::Idle => self.begin(wake.lane(), ctx),
            Activity::Busy { ticket, again } => {
                if ticket.has_begun() {
                    let place = if wake.may_be_echo() {
                        &mut again.resource
                    } else {
                        &mut again.other
                    };
                    *place = (*place).max(Some(wake.lane()));
                } else if wake.lane() == Lane::Change {
                    ticket.hurry();
                }
            }
            Activity::CatchingUp { then } => {
                if !ignored {
                    let lane = match then {
                        Then::Now(lane) => wake.lane().max(*lane),
                        Then::Later(..) => wake.lane(),
                    };
                    *then = Then::Now(lane);
                }
                if store != Store::Behind {
                    self.caught_up(ctx);
                }
            }
            Activity::Draining => {}
        }
    }

    fn store(&self) -> Store {
        self.written.compare(&self.crew.stores, &self.key)
    }

    /// Begins a pass now, or when the rate limit allows it.
    fn begin(&mut self, lane: Lane, ctx: &mut Context<Self>) {
        let held_up = self.pace.held_up(self.crew.clock.monotonic());
        if held_up.is_zero() {
            self.start_pass(lane, ctx);
        } else {
            let next = Next {
                after: Some(held_up),
                why: "rate-limit",
            };
            self.schedule(next, lane, ctx);
        }
    }

    fn start_pass(&mut self, lane: Lane, ctx: &mut Context<Self>) {
        self.cancel_timer(ctx);
        let ticket = Arc::new(Ticket::default());
        self.activity = Activity::Busy {
            ticket: Arc::clone(&ticket),
            again: Again::default(),
        };
        self.show(Shown::Queued);
        let (crew, key) = (Arc::clone(&self.crew), self.key.clone());
        let asked = tokio::time::Instant::now();
        let pass = self.crew.tasks.spawn(async move {
            let work = async {
                let queued = asked.elapsed();
                let now = crew.clock.now();
                crew.health.of_actor(&key, |actor| {
                    if actor.activity == Shown::Queued {
                        actor.turn(Shown::Busy, now);
                    }
                });
                (queued, (crew.work)(key.clone()).await)
            };
            crew.lanes.run(lane, &ticket, work).await
        });
        ctx.spawn(
            pass.into_actor(self)
                .map(|joined, actor, ctx| actor.finish_pass(joined, ctx)),
        );
    }

    fn finish_pass(&mut self, joined: Joined, ctx: &mut Context<Self>) {
        let retry = self.pace.failures() > 0;
        let now = self.crew.clock.monotonic();
        let (queued, report, next) = match joined {
            Ok(Ok(Some((queued, report)))) => {
                let next = self.pace.after(&report, now);
                (queued, Some(report), next)
            }
            Ok(Ok(None) | Err(Cut)) => return ctx.stop(),
            Err(error) if error.is_cancelled() => return ctx.stop(),
            Err(_) => {
                tracing::error!(resource = %self.key, "pass panicked; this is a bug in the operator");
                (Duration::ZERO, None, self.pace.after_panic(now))
            }
        };
        self.tell(report.as_ref());
        let again = match std::mem::replace(&mut self.activity, Activity::Idle) {
            Activity::Busy { again, .. } => again,
            Activity::Idle | Activity::CatchingUp { .. } => Again::default(),
            Activity::Draining => {
                self.count(queued, report, retry);
                return ctx.stop();
            }
        };
        let end = report.as_ref().map(|report| report.end.clone());
        self.written
            .note(report.as_ref().and_then(|report| report.written.as_ref()));
        self.count(queued, report, retry);
        let store = self.store();
        let backing_off = self.pace.is_backing_off();
        let resource = again
            .resource
            .filter(|lane| store == Store::News && (*lane == Lane::Change || !backing_off));
        let then = match resource.max(again.other) {
            Some(lane) => Then::Now(lane),
            None if end == Some(End::Gone) => {
                let (key, incarnation) = (self.key.clone(), self.incarnation);
                self.tell_supervisor(ChildNews::Gone { key, incarnation });
                // The store may show it a little longer; the supervisor retires us once it does not.
                return self.go_on(Then::Later(next, Lane::Look), ctx);
            }
            // What was done is looked at as soon as the store shows it.
            None if end == Some(End::Acted) => Then::Now(Lane::Change),
            None => Then::Later(next, lane_of(next, end.as_ref())),
        };
        if store == Store::Behind {
            self.catch_up(then, ctx);
        } else {
            self.go_on(then, ctx);
        }
    }

    /// Waits for the echo of our own write, but not for ever.
    fn catch_up(&mut self, then: Then, ctx: &mut Context<Self>) {
        self.activity = Activity::CatchingUp { then };
        self.show(Shown::Idle);
        self.timer = Some(ctx.run_later(ECHO, |actor, ctx| {
            actor.timer = None;
            // The next pass may see less than we wrote, so whatever the watch brings then is news.
            actor.written = Written::default();
            actor.caught_up(ctx);
        }));
    }

    fn caught_up(&mut self, ctx: &mut Context<Self>) {
        match self.activity {
            Activity::CatchingUp { then } => self.go_on(then, ctx),
            Activity::Idle | Activity::Busy { .. } | Activity::Draining => {}
        }
    }

    fn go_on(&mut self, then: Then, ctx: &mut Context<Self>) {
        self.activity = Activity::Idle;
        match then {
            Then::Now(lane) => self.begin(lane, ctx),
            Then::Later(next, lane) => self.schedule(next, lane, ctx),
        }
    }

    /// Sets the timer for the next look.
    fn schedule(&mut self, next: Next, lane: Lane, ctx: &mut Context<Self>) {
        self.cancel_timer(ctx);
        self.show(Shown::Idle);
        let now = self.crew.clock.now();
        let after = next.after.map(|after| {
            let held_up = self.pace.held_up(self.crew.clock.monotonic());
            after.max(held_up).max(BREATH)
        });
        let at = after.map(|after| now.saturating_add(after).unwrap_or(now));
        let due = Due { at, why: next.why };
        self.crew
            .health
            .of_actor(&self.key, |actor| actor.next = Some(due));
        if let Some(after) = after {
            self.timer = Some(ctx.run_later(after, move |actor, ctx| {
                actor.timer = None;
                match actor.activity {
                    Activity::Idle => actor.begin(lane, ctx),
                    Activity::Busy { .. } | Activity::CatchingUp { .. } | Activity::Draining => {}
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
        self.crew
            .health
            .of_actor(&self.key, |actor| actor.turn(activity, now));
    }

    fn count(&self, queued: Duration, report: Option<PassReport>, retry: bool) {
        let key = self.key.clone();
        self.crew.counting.do_send(PassEnded {
            key,
            queued,
            report,
            retry,
        });
    }

    /// Shows and logs what came of a pass; no report means that it panicked.
    fn tell(&mut self, report: Option<&PassReport>) {
        let failures = self.pace.failures();
        if let Some(report) = report {
            if is_failure(&report.end) {
                let (outcome, error) = (report.end.label(), shown::detail(&report.end));
                let error = error.unwrap_or_default();
                tracing::warn!(resource = %self.key, outcome, error, failures, "pass failed");
            }
            self.tell_unreadable(&report.end);
        }
        let now = self.crew.clock.now();
        self.crew.health.of_actor(&self.key, |actor| {
            shown::pass(actor, report, failures, now);
        });
    }

    /// Logs that the status cannot be read, once and not after every pass.
    fn tell_unreadable(&mut self, end: &End) {
        match end {
            End::Unreadable(broken) => {
                if self.unreadable.as_ref() != Some(broken) {
                    tracing::warn!(resource = %self.key, error = %broken, "stored status cannot be read; nothing is done");
                    self.unreadable = Some(broken.clone());
                }
            }
            // It was read.
            End::Quiet | End::Stored | End::Acted => self.unreadable = None,
            End::Conflict
            | End::Refused(_)
            | End::Unknown(_)
            | End::CrdOutdated
            | End::Gone
            | End::Undecided
            | End::NotLeader
            | End::TimedOut => {}
        }
    }

    fn tell_supervisor(&self, news: ChildNews) {
        if let Some(supervisor) = self.supervisor.upgrade() {
            supervisor.do_send(news);
        }
    }
}

/// Returns the queue for a look that nothing but time asks for: what is under way goes on, polls wait.
fn lane_of(next: Next, end: Option<&End>) -> Lane {
    let soon = next.after.is_some_and(|after| after <= UNDER_WAY);
    if soon && end == Some(&End::Stored) {
        Lane::Change
    } else {
        Lane::Look
    }
}

impl Actor for ResourceActor {
    type Context = Context<Self>;

    /// Only tells the supervisor: this runs while a crash unwinds, too.
    fn stopped(&mut self, _: &mut Self::Context) {
        let (key, incarnation) = (self.key.clone(), self.incarnation);
        self.tell_supervisor(ChildNews::Stopped { key, incarnation });
    }
}

impl Handler<Order> for ResourceActor {
    type Result = ();

    fn handle(&mut self, order: Order, ctx: &mut Self::Context) {
        match (order, &self.activity) {
            (Order::Wake(wake), _) => self.wake(wake, ctx),
            (Order::Retire, Activity::Idle | Activity::CatchingUp { .. }) | (Order::Cut, _) => {
                ctx.stop();
            }
            // Nothing is lost by not looking; and a JobManager that hangs must not hold up the end.
            (Order::Retire, Activity::Busy { ticket, .. }) if ticket.withdraw() => ctx.stop(),
            (Order::Retire, Activity::Busy { .. } | Activity::Draining) => {
                self.activity = Activity::Draining;
                self.show(Shown::Draining);
            }
        }
    }
}
