//! One plan on its stage: the play up to the change, the change with its fault, and the verdict.

use std::sync::Arc;
use std::time::Duration;

use flink_operator_oracle::history::{Calm, Goal, History, Moment, Verb};
use flink_operator_world::cluster::World;
use flink_operator_world::flink::pace::Pace;
use jiff::SignedDuration;

use crate::deeds::SAVING;
use crate::goals::{arrived, deployment, reached};
use crate::plan::{Fault, Moments};
use crate::play::{self, ELECTION, NAME, NAMESPACE, Operator, Way};
use crate::saboteur::Saboteur;
use crate::sweep::{Before, Sweep};
use crate::sweeps;

/// The instance that is disturbed.
pub const FIRST: &str = "op-1";
/// The instance that comes after or beside it.
const SECOND: &str = "op-2";
/// How long a play may take until it is where it leads.
const BOUND: Duration = Duration::from_secs(180);
/// After this long a leader that stands still has been replaced: the lease lasts 15 seconds.
pub const TAKEN_OVER: Duration = Duration::from_secs(17);
/// So late arrives a write that was overtaken: the successor waits 20 seconds until it holds it for lost, and then has
/// stored an attempt of its own, whose first request is this long on its way.
pub const OVERTAKEN: Duration = Duration::from_secs(22);
pub const SLOW: Duration = Duration::from_secs(3);
/// How long an operator may still write once the goal is reached, and how long it must be silent then.
const SETTLE: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_secs(60);
/// What a job that keeps its state was restored from is noted when its checkpoints are first told, within two of the
/// operator's looks at resources at rest.
const SETTLE_WITH_STATE: Duration = Duration::from_secs(35);
/// After this long, in seconds, a job that runs has told of two checkpoints.
const CHECKPOINTED: f64 = 31.0;

/// What came of a plan.
pub struct Outcome {
    /// The moments that were passed until the goal was reached.
    pub moments: Moments,
    /// Whether the resource stands where it may stand, and not where the change leads.
    pub elsewhere: bool,
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

/// Plays one plan in a world of its own.
pub fn play(sweep: &Sweep, fault: Fault) -> Outcome {
    play::in_virtual_time(on_stage(sweep, fault))
}

async fn on_stage(sweep: &Sweep, fault: Fault) -> Outcome {
    let world = play::world();
    world.cluster.set_flink_pace(Pace {
        savepoint: SignedDuration::try_from(SAVING).expect("some seconds"),
        ..Pace::default()
    });
    let (first, standby) = start(&world, sweep.way, fault).await;
    let mut complaints = Vec::new();
    if let Err(what) = prepare(&world, sweep).await {
        complaints.push(what);
    }
    let saboteur = Saboteur::new(fault, sweep.way == Way::Proxy);
    // The hooks live in the world: they must not hold it, or it would never end.
    let (of_writes, line) = (Arc::clone(&saboteur), world.api.control(FIRST));
    world
        .api
        .on_mutation(move |point| of_writes.write(&line, point));
    let of_events = Arc::clone(&saboteur);
    world
        .api
        .on_delivery(move |delivery| of_events.event(delivery));
    let uid = deployment(&world);
    let before = uid.clone().filter(|_| sweep.replaces);
    let changed = moment(&world);
    (sweep.change)(&world);
    if !saboteur.has_struck().await {
        complaints.push(format!(
            "{fault} did not happen: the play passed only {:?}",
            saboteur.moments()
        ));
    }
    let now = deployment(&world);
    let replaced = now.is_some() && now != uid;
    let mut operators = aftermath(&world, sweep.way, fault, first).await;
    operators.extend(standby);
    let goal = sweep.goal_under(fault, replaced);
    let done = |world: &World| sweep.is_through(world) && arrived(world, &goal, before.as_deref());
    if play::until(&world, BOUND, done).await.is_err() {
        complaints.push(format!("{goal:?} was not reached within {BOUND:?}"));
    }
    // Two leaders are a state that ends: the one that came last stays.
    for former in operators.drain(..operators.len() - 1) {
        former.crash();
    }
    play::pass(1.0).await;
    let moments = saboteur.moments();
    let settle = if sweep.keeps_state() {
        SETTLE_WITH_STATE
    } else {
        SETTLE
    };
    play::pass(settle.as_secs_f64()).await;
    let since = moment(&world);
    play::pass(SILENCE.as_secs_f64()).await;
    let elsewhere = matches!(goal, Goal::OneOf(_)) && !arrived(&world, &sweep.goal, None);
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
        elsewhere,
        complaints,
        history: verdict.history,
    }
}

/// Names what a stale cache caused: it may delay an action, never cause one.
fn needless(fault: Fault, sweep: &Sweep, history: &History, since: Moment) -> Option<String> {
    let (Fault::None | Fault::DropEvent(_) | Fault::DelayEvent(_)) = fault else {
        return None;
    };
    let creations = history.requests.iter().filter(|request| {
        request.moment > since && request.verb == Verb::Create && request.resource == "deployments"
    });
    let count = creations.count();
    let wanted = &sweep.creations;
    (!wanted.contains(&count))
        .then(|| format!("{count} Deployments were created instead of {wanted:?}"))
}

/// Starts the first instance, and a standby if the fault needs one.
async fn start(world: &World, way: Way, fault: Fault) -> (Operator, Option<Operator>) {
    if let Fault::Takeover(_) = fault {
        let first = Operator::with(world, FIRST, way, &ELECTION);
        play::pass(1.0).await;
        return (first, Some(Operator::with(world, SECOND, way, &ELECTION)));
    }
    (Operator::with(world, FIRST, way, &[]), None)
}

pub fn moment(world: &World) -> Moment {
    let moment = world.api.clock().moment();
    Moment::new(moment.order, moment.at)
}

/// Brings the resource, undisturbed, to where the change begins.
async fn prepare(world: &World, sweep: &Sweep) -> Result<(), String> {
    let late = |what: &str| format!("the play does not begin: not {what} within {BOUND:?}");
    let at = async |goal: Goal| {
        let what = format!("{goal:?}");
        let reached = play::until(world, BOUND, |world| reached(world, NAME, &goal)).await;
        reached.map_err(|_| late(&what))
    };
    if sweep.before != Before::Nothing {
        sweeps::create_it(world, (sweep.resource)());
        at(Goal::Running).await?;
    }
    if let Before::Suspended | Before::Resumed = sweep.before {
        play::pass(2.0).await;
        sweeps::set_state(world, "suspended");
        at(Goal::Suspended).await?;
    }
    if sweep.before == Before::Resumed {
        sweeps::set_state(world, "running");
        at(Goal::Running).await?;
    }
    let rest = if sweep.before == Before::Checkpointed {
        CHECKPOINTED
    } else {
        2.0
    };
    play::pass(rest).await;
    Ok(())
}

/// Does what follows the fault; gives the instances that live on.
async fn aftermath(world: &World, way: Way, fault: Fault, first: Operator) -> Vec<Operator> {
    let another = || Operator::with(world, SECOND, way, &[]);
    match fault {
        Fault::None | Fault::LoseRequest(_) | Fault::LoseReply(_) | Fault::Refuse(_) => vec![first],
        Fault::CrashBefore(_) | Fault::CrashAfter(_) => {
            // The write is on its way for a moment before the line is cut behind it.
            play::pass(0.1).await;
            first.crash();
            play::pass(0.5).await;
            vec![another()]
        }
        Fault::Pause { late, .. } => {
            play::pass(1.0).await;
            let second = another();
            play::pass(Duration::from_secs(late).as_secs_f64() + 2.0).await;
            world.api.control(FIRST).mend();
            vec![first, second]
        }
        Fault::Twin(_) => vec![first, another()],
        Fault::Overtaken(_) => {
            play::pass(TAKEN_OVER.as_secs_f64()).await;
            let second = another();
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
        Fault::Flink { deed, when } => {
            tokio::time::sleep(when.after()).await;
            deed.happen(world).await;
            vec![first]
        }
    }
}
