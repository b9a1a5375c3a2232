//! Random mixtures: several resources, users who change their minds, and everything that can go wrong.
//!
//! An episode is a world of its own that lives for some virtual minutes: a storm, in which users and
//! faults act as the dice say, and then calm, in which every resource must come to where its users
//! want it, be silent, and the oracle must have nothing to say about the whole history. Worlds keep
//! their history; that is why there are many short ones and not one long one.

mod dice;
mod fleet;
mod storm;
mod weather;

use std::time::{Duration, Instant};

use flink_operator_oracle::history::{Calm, Goal, History};

use crate::play::{self, NAMESPACE};
use crate::{goals, stage};
use dice::Dice;
use fleet::{Crew, Wish};
use storm::Storm;
use weather::Weather;

/// The seed of those who give none.
const SEED: &str = "1";
/// How long episodes are begun, in real time: in the gate, and in a full run.
const GATE: Duration = Duration::from_secs(20);
const FULL: Duration = Duration::from_secs(600);
/// How many turns a storm has. With pauses of at most 15 seconds it ends after 10 minutes at the latest.
const TURNS: u64 = 40;
/// How long the resources may take to get to their goals once it is calm.
const BOUND: Duration = Duration::from_secs(420);
/// How long an operator may still write once the goals are reached, and how long it must be silent then.
const SETTLE: f64 = 30.0;
const SILENCE: f64 = 60.0;

/// What came of an episode.
struct Outcome {
    /// What was done, in order.
    deeds: Vec<String>,
    complaints: Vec<String>,
    history: History,
}

/// Plays one episode after the other until the time is over; fails with the first that fails.
pub fn run() {
    let seed = std::env::var("FLINK_OPERATOR_SEED").unwrap_or_else(|_| SEED.to_owned());
    let full = std::env::var("FLINK_OPERATOR_TEST_SCOPE").is_ok_and(|scope| scope == "full");
    let limit = if full { FULL } else { GATE };
    println!("random: seed {seed}, episodes are begun for {limit:?}");
    let began = Instant::now();
    let (mut episodes, mut deeds) = (0, 0);
    let mut failed = Vec::new();
    while began.elapsed() < limit {
        episodes += 1;
        // So that the last one is known if anything panics.
        println!("random/{seed}/{episodes}");
        let outcome = play(&seed, episodes);
        deeds += outcome.deeds.len();
        if !outcome.complaints.is_empty() {
            let failure = format!(
                "random/{seed}/{episodes}: {}",
                outcome.complaints.join("; ")
            );
            // At once: a long run may be ended from outside.
            println!("{failure}");
            failed.push(failure);
        }
    }
    println!(
        "random: {episodes} episodes with {deeds} deeds, {} failed",
        failed.len()
    );
    assert!(
        failed.is_empty(),
        "replay one with PLAN=<name> cargo test --test simulation one_plan -- --nocapture\n{}",
        failed.join("\n")
    );
}

/// Plays one episode by its name, `<seed>/<number>`, and tells its story.
pub fn replay(name: &str) {
    let (seed, episode) = name
        .rsplit_once('/')
        .expect("PLAN is random/<seed>/<number> for an episode");
    let episode = episode
        .parse()
        .expect("an episode's name ends with its number");
    let outcome = play(seed, episode);
    println!("{}", flink_operator_oracle::tell(&outcome.history));
    println!("{}", outcome.deeds.join("\n"));
    assert!(
        outcome.complaints.is_empty(),
        "{}",
        outcome.complaints.join("\n")
    );
}

fn play(seed: &str, episode: u64) -> Outcome {
    play::in_virtual_time(on_stage(Dice::of(seed, episode)))
}

async fn on_stage(mut dice: Dice) -> Outcome {
    let world = play::world();
    let weather = Weather::begin(&world, &mut dice);
    let mut storm = Storm::new(&world, Crew::start(&world), Wish::all(&mut dice));
    for _ in 0..TURNS {
        tokio::time::sleep(dice.millis(100, 15_000)).await;
        storm.turn(&mut dice);
    }
    weather.end();
    let (mut crew, wishes, deeds) = storm.end();
    // Two operators without an election are a state that ends: the one that came last stays.
    crew.go_on();
    play::pass(5.0).await;
    crew.keep_last();
    crew.break_watches();
    let reached = |wish: &Wish, world: &_| goals::reached(world, wish.name, &wish.outcome());
    let all = |world: &_| wishes.iter().all(|wish| reached(wish, world));
    let mut complaints = Vec::new();
    if play::until(&world, BOUND, all).await.is_err() {
        let short = wishes.iter().filter(|wish| !reached(wish, &world));
        let short = short.map(|wish| format!("{} is not {:?}", wish.name, wish.outcome()));
        complaints.extend(short);
    }
    play::pass(SETTLE).await;
    let since = stage::moment(&world);
    play::pass(SILENCE).await;
    let goals: Vec<(String, String, Goal)> = wishes
        .iter()
        .map(|wish| (NAMESPACE.to_owned(), wish.name.to_owned(), wish.outcome()))
        .collect();
    let calm = Calm {
        since,
        rest_by: since.at,
        goals,
    };
    let verdict = world.verdict(|_| true, Some(calm));
    complaints.extend(verdict.violations.iter().map(ToString::to_string));
    Outcome {
        deeds,
        complaints,
        history: verdict.history,
    }
}
