//! One plan on its stage: the play up to the change, the change with its fault, and the verdict.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flink_operator_oracle::history::{Calm, Goal, History, Moment, Verb};
use flink_operator_world::api::{Delivery, DeliveryAction, EventType, WireControl};
use flink_operator_world::cluster::World;
use flink_operator_world::points::{Action, Cut, Failure, Point};
use serde_json::Value;
use tokio::sync::watch;

use crate::plan::{Fault, Moments};
use crate::play::{self, ELECTION, NAME, NAMESPACE, Operator};
use crate::sweep::{Before, Sweep};
use crate::sweeps;

/// The instance that is disturbed.
const FIRST: &str = "op-1";
/// The instance that comes after or beside it.
const SECOND: &str = "op-2";
/// How long a play may take until it is where it leads.
const BOUND: Duration = Duration::from_secs(180);
/// How long a fault may take until it happens.
const PATIENCE: Duration = Duration::from_secs(60);
/// After this long a leader that stands still has been replaced: the lease lasts 15 seconds.
const TAKEN_OVER: Duration = Duration::from_secs(17);
/// So late arrives a write that was overtaken: the successor waits 20 seconds until it holds it for lost, and then has
/// stored an attempt of its own, whose first request is this long on its way.
const OVERTAKEN: Duration = Duration::from_secs(22);
const SLOW: Duration = Duration::from_secs(3);
/// How long an operator may still write once the goal is reached, and how long it must be silent then.
const SETTLE: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_secs(60);

/// What came of a plan.
pub struct Outcome {
    /// The moments that were passed until the goal was reached.
    pub moments: Moments,
    /// What is wrong, if something is, in one line each.
    pub complaints: Vec<String>,
    history: History,
}

impl Outcome {
    /// Tells the whole story. It is long: only who fails or replays wants it.
    pub fn story(&self) -> String {
        flink_operator_oracle::tell(&self.history)
    }
}

/// Counts moments of the first instance and disturbs the one that the plan names.
struct Saboteur {
    fault: Fault,
    moments: Mutex<Moments>,
    /// Whether the first creation of the successor was slowed down.
    slowed: AtomicBool,
    /// Rings when the fault has happened.
    bell: watch::Sender<bool>,
}

impl Saboteur {
    fn new(fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            fault,
            moments: Mutex::default(),
            slowed: AtomicBool::new(false),
            bell: watch::Sender::new(false),
        })
    }

    fn counted(&self, count: impl FnOnce(&mut Moments) -> u64) -> u64 {
        count(&mut self.moments.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn moments(&self) -> Moments {
        *self.moments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, line: &WireControl, point: &Point) -> Action {
        if point.call.contains(" leases ") {
            return Action::Proceed;
        }
        if point.instance != FIRST {
            let creates = point.call.starts_with("create deployments ");
            return match self.fault {
                Fault::Overtaken(_) if creates && !self.slowed.swap(true, Ordering::Relaxed) => {
                    Action::DelayBefore(SLOW)
                }
                _ => Action::Proceed,
            };
        }
        let number = self.counted(|moments| {
            moments.writes += 1;
            moments.writes
        });
        let (at, action) = match self.fault {
            Fault::CrashBefore(at) => (at, Action::CutBefore(Cut::Silent)),
            Fault::CrashAfter(at) => (at, Action::CutAfter(Cut::Silent)),
            Fault::LoseRequest(at) => (at, Action::FailBefore(Failure::Reset)),
            Fault::LoseReply(at) => (at, Action::FailAfter(Failure::Reset)),
            Fault::Refuse(at) => (at, Action::FailBefore(Failure::Status(500))),
            Fault::Pause { write, late } => (write, Action::DelayBefore(Duration::from_secs(late))),
            Fault::Takeover(at) => (at, Action::DelayBefore(TAKEN_OVER)),
            Fault::Overtaken(at) => (at, Action::DelayBefore(OVERTAKEN)),
            Fault::Twin(at) => (at, Action::Proceed),
            Fault::None | Fault::DropEvent(_) | Fault::DelayEvent(_) => return Action::Proceed,
        };
        if number != at {
            return Action::Proceed;
        }
        if let Fault::Pause { .. } | Fault::Takeover(_) | Fault::Overtaken(_) = self.fault {
            // What is on its way arrives; nothing else leaves or is heard until the line is mended.
            line.cut(Cut::Silent);
        }
        self.bell.send_replace(true);
        action
    }

    fn event(&self, delivery: &Delivery) -> DeliveryAction {
        if delivery.instance != FIRST || delivery.event == EventType::Bookmark {
            return DeliveryAction::Deliver;
        }
        let number = self.counted(|moments| {
            moments.events += 1;
            moments.events
        });
        let (at, action) = match self.fault {
            Fault::DropEvent(at) => (at, DeliveryAction::Drop),
            Fault::DelayEvent(at) => (at, DeliveryAction::Delay(Duration::from_secs(8))),
            Fault::None
            | Fault::CrashBefore(_)
            | Fault::CrashAfter(_)
            | Fault::LoseRequest(_)
            | Fault::LoseReply(_)
            | Fault::Refuse(_)
            | Fault::Pause { .. }
            | Fault::Twin(_)
            | Fault::Takeover(_)
            | Fault::Overtaken(_) => return DeliveryAction::Deliver,
        };
        if number != at {
            return DeliveryAction::Deliver;
        }
        self.bell.send_replace(true);
        action
    }
}

/// Plays one plan in a world of its own.
pub fn play(sweep: &Sweep, fault: Fault) -> Outcome {
    play::in_virtual_time(on_stage(sweep, fault))
}

async fn on_stage(sweep: &Sweep, fault: Fault) -> Outcome {
    let world = play::world();
    let (first, standby) = start(&world, fault).await;
    let mut complaints = Vec::new();
    if let Err(what) = prepare(&world, sweep).await {
        complaints.push(what);
    }
    let saboteur = Saboteur::new(fault);
    // The hooks live in the world: they must not hold it, or it would never end.
    let (of_writes, line) = (Arc::clone(&saboteur), world.api.control(FIRST));
    world
        .api
        .on_mutation(move |point| of_writes.write(&line, point));
    let of_events = Arc::clone(&saboteur);
    world
        .api
        .on_delivery(move |delivery| of_events.event(delivery));
    let before = deployment(&world);
    let changed = moment(&world);
    (sweep.change)(&world);
    let happened = wait_for(&saboteur).await;
    if !happened {
        complaints.push(format!(
            "{fault} did not happen: the play passed only {:?}",
            saboteur.moments()
        ));
    }
    let mut operators = aftermath(&world, fault, first).await;
    operators.extend(standby);
    let goal = sweep.goal.clone();
    let done =
        |world: &World| reached(world, NAME, &goal) && is_new(world, &goal, before.as_deref());
    if play::until(&world, BOUND, done).await.is_err() {
        complaints.push(format!("{goal:?} was not reached within {BOUND:?}"));
    }
    // Two leaders are a state that ends: the one that came last stays.
    for former in operators.drain(..operators.len() - 1) {
        former.crash();
    }
    play::pass(1.0).await;
    let moments = saboteur.moments();
    play::pass(SETTLE.as_secs_f64()).await;
    let since = moment(&world);
    play::pass(SILENCE.as_secs_f64()).await;
    let goals = vec![(NAMESPACE.to_owned(), NAME.to_owned(), goal)];
    let verdict = world.verdict(
        |_| true,
        Some(Calm {
            since,
            rest_by: since.at,
            goals,
        }),
    );
    complaints.extend(verdict.violations.iter().map(ToString::to_string));
    complaints.extend(needless(fault, sweep, &verdict.history, changed));
    Outcome {
        moments,
        complaints,
        history: verdict.history,
    }
}

/// Names what a stale cache caused: it may delay an action, never cause one.
fn needless(fault: Fault, sweep: &Sweep, history: &History, since: Moment) -> Option<String> {
    let (Fault::None | Fault::DropEvent(_) | Fault::DelayEvent(_)) = fault else {
        return None;
    };
    let wanted = usize::from(sweep.goal == Goal::Running);
    let creations = history.requests.iter().filter(|request| {
        request.moment > since && request.verb == Verb::Create && request.resource == "deployments"
    });
    let count = creations.count();
    (count != wanted).then(|| format!("{count} Deployments were created instead of {wanted}"))
}

/// Gives the uid of the JobManager Deployment.
fn deployment(world: &World) -> Option<String> {
    let found = world.api.look("Deployment", NAMESPACE, NAME)?;
    found["metadata"]["uid"].as_str().map(str::to_owned)
}

/// Tells whether what runs is not what ran before: none of the changes leaves the Deployment in place, and for a
/// moment after its loss everything still looks as before.
fn is_new(world: &World, goal: &Goal, before: Option<&str>) -> bool {
    let now = deployment(world);
    match goal {
        Goal::Running => now.is_some() && now.as_deref() != before,
        Goal::Suspended | Goal::Waiting(_) | Goal::Ended(_) | Goal::Gone => now.is_none(),
    }
}

/// Starts the first instance, and a standby if the fault needs one.
async fn start(world: &World, fault: Fault) -> (Operator, Option<Operator>) {
    match fault {
        Fault::Takeover(_) => {
            let first = Operator::with(world, FIRST, &ELECTION);
            play::pass(1.0).await;
            (first, Some(Operator::with(world, SECOND, &ELECTION)))
        }
        Fault::None
        | Fault::CrashBefore(_)
        | Fault::CrashAfter(_)
        | Fault::LoseRequest(_)
        | Fault::LoseReply(_)
        | Fault::Refuse(_)
        | Fault::Pause { .. }
        | Fault::Twin(_)
        | Fault::Overtaken(_)
        | Fault::DropEvent(_)
        | Fault::DelayEvent(_) => (Operator::start(world, FIRST), None),
    }
}

pub fn moment(world: &World) -> Moment {
    let moment = world.api.clock().moment();
    Moment::new(moment.order, moment.at)
}

/// Brings the resource, undisturbed, to where the change begins.
async fn prepare(world: &World, sweep: &Sweep) -> Result<(), String> {
    let late = |what: &str| format!("the play does not begin: not {what} within {BOUND:?}");
    match sweep.before {
        Before::Nothing => {}
        Before::Stable | Before::Suspended => {
            sweeps::create_it(world, (sweep.resource)());
            let stable =
                play::until(world, BOUND, |world| reached(world, NAME, &Goal::Running)).await;
            stable.map_err(|_| late("stable"))?;
        }
    }
    if let Before::Suspended = sweep.before {
        sweeps::set_state(world, "suspended");
        let suspended =
            play::until(world, BOUND, |world| reached(world, NAME, &Goal::Suspended)).await;
        suspended.map_err(|_| late("suspended"))?;
    }
    play::pass(2.0).await;
    Ok(())
}

async fn wait_for(saboteur: &Saboteur) -> bool {
    if saboteur.fault == Fault::None {
        return true;
    }
    let mut bell = saboteur.bell.subscribe();
    tokio::time::timeout(PATIENCE, bell.wait_for(|rung| *rung))
        .await
        .is_ok()
}

/// Does what follows the fault; gives the instances that live on.
async fn aftermath(world: &World, fault: Fault, first: Operator) -> Vec<Operator> {
    match fault {
        Fault::None | Fault::LoseRequest(_) | Fault::LoseReply(_) | Fault::Refuse(_) => vec![first],
        Fault::CrashBefore(_) | Fault::CrashAfter(_) => {
            // The write is on its way for a moment before the line is cut behind it.
            play::pass(0.1).await;
            first.crash();
            play::pass(0.5).await;
            vec![Operator::start(world, SECOND)]
        }
        Fault::Pause { late, .. } => {
            play::pass(1.0).await;
            let second = Operator::start(world, SECOND);
            play::pass(Duration::from_secs(late).as_secs_f64() + 2.0).await;
            world.api.control(FIRST).mend();
            vec![first, second]
        }
        Fault::Twin(_) => vec![first, Operator::start(world, SECOND)],
        Fault::Overtaken(_) => {
            play::pass(TAKEN_OVER.as_secs_f64()).await;
            let second = Operator::start(world, SECOND);
            play::pass(13.0).await;
            world.api.control(FIRST).mend();
            vec![first, second]
        }
        Fault::Takeover(_) => {
            play::pass((TAKEN_OVER + Duration::from_secs(5)).as_secs_f64()).await;
            world.api.control(FIRST).mend();
            play::pass(5.0).await;
            vec![first]
        }
        Fault::DropEvent(_) => {
            play::pass(30.0).await;
            world.api.control(FIRST).expire_watches();
            vec![first]
        }
        Fault::DelayEvent(_) => {
            play::pass(8.0).await;
            vec![first]
        }
    }
}

/// Tells whether a resource is where it should be, as a user would look.
pub fn reached(world: &World, name: &str, goal: &Goal) -> bool {
    let resource = world.api.look("FlinkDeployment", NAMESPACE, name);
    let no_pods = || {
        let pods = world.api.look_at_all("Pod", NAMESPACE);
        pods.iter()
            .all(|pod| pod["metadata"]["labels"]["app"] != name)
    };
    let Some(resource) = resource else {
        return matches!(goal, Goal::Gone) && no_pods();
    };
    let status = &resource["status"];
    let settled = status["observedGeneration"] == resource["metadata"]["generation"]
        && status["operation"].is_null();
    let running = || {
        let jobs = world.cluster.jobs(NAMESPACE, name);
        jobs.len() == 1
            && jobs
                .iter()
                .all(|(_, state)| *state == flink_operator_world::flink::job::State::Running)
    };
    match goal {
        Goal::Running => {
            settled
                && status["lifecycleState"] == "STABLE"
                && status["jobStatus"]["state"] == "RUNNING"
                && running()
        }
        // An edit of what is suspended is taken up when it is resumed. What was suspended before it was ever deployed
        // stays as it was created.
        Goal::Suspended => {
            let undeployed = status["reconciliationStatus"]["lastReconciledSpec"].is_null()
                && has_reason(status, "Suspended");
            let state = if undeployed { "CREATED" } else { "SUSPENDED" };
            status["operation"].is_null() && status["lifecycleState"] == state && no_pods()
        }
        Goal::Waiting(reason) => has_reason(status, reason),
        Goal::Ended(state) => status["jobStatus"]["state"] == **state,
        Goal::Gone => false,
    }
}

fn has_reason(status: &Value, reason: &str) -> bool {
    let conditions = status["conditions"].as_array();
    conditions.is_some_and(|all| all.iter().any(|condition| condition["reason"] == *reason))
}
