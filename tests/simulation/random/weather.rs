//! What befalls single requests and events while the weather is bad.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flink_operator_world::api::{DeliveryAction, EventType};
use flink_operator_world::cluster::World;
use flink_operator_world::points::{Action, Failure};

use super::dice::Dice;

/// One write in so many is disturbed.
const WRITES: u64 = 12;
/// One read of Flink in so many is disturbed.
const READS: u64 = 40;
/// One event of a watch in so many is disturbed.
const EVENTS: u64 = 25;
/// The codes with which an API server refuses what it did not do.
const REFUSALS: [u16; 4] = [409, 429, 500, 503];

/// The weather of one world.
#[derive(Clone, Debug)]
pub struct Weather {
    bad: Arc<AtomicBool>,
}

impl Weather {
    /// Lets the weather turn bad, for every instance.
    pub fn begin(world: &World, dice: &mut Dice) -> Self {
        let bad = Arc::new(AtomicBool::new(true));
        let weather = Self {
            bad: Arc::clone(&bad),
        };
        // The hooks live in the world: they must not hold it, or it would never end.
        let mut luck = Luck::new(&bad, dice);
        world.api.on_mutation(move |point| {
            let about = format!("{} {}", point.instance, point.call);
            luck.spoils(&about, WRITES)
                .map_or(Action::Proceed, |mut dice| of_write(&mut dice))
        });
        let mut luck = Luck::new(&bad, dice);
        world.cluster.on_read(move |read| {
            let about = format!("{} {}", read.instance, read.path);
            luck.spoils(&about, READS)
                .map_or(Action::Proceed, |mut dice| of_read(&mut dice))
        });
        let mut luck = Luck::new(&bad, dice);
        world.api.on_delivery(move |delivery| {
            if delivery.event == EventType::Bookmark {
                return DeliveryAction::Deliver;
            }
            let about = format!(
                "{} {} {}",
                delivery.instance, delivery.kind.kind, delivery.name
            );
            luck.spoils(&about, EVENTS)
                .map_or(DeliveryAction::Deliver, |mut dice| of_event(&mut dice))
        });
        weather
    }

    /// Lets the weather clear up for good.
    pub fn end(&self) {
        self.bad.store(false, Ordering::Relaxed);
    }
}

/// Who decides which request has bad luck. What decides is the how-manieth request of its sort it is, so that requests
/// of different sorts may pass in any order: tokio does not promise one.
struct Luck {
    bad: Arc<AtomicBool>,
    seed: String,
    seen: HashMap<String, u64>,
}

impl Luck {
    fn new(bad: &Arc<AtomicBool>, dice: &mut Dice) -> Self {
        Self {
            bad: Arc::clone(bad),
            seed: dice.below(u64::MAX).to_string(),
            seen: HashMap::new(),
        }
    }

    /// Gives the dice of a request that is disturbed.
    fn spoils(&mut self, about: &str, odds: u64) -> Option<Dice> {
        if !self.bad.load(Ordering::Relaxed) {
            return None;
        }
        let seen = self.seen.entry(about.to_owned()).or_default();
        *seen += 1;
        let mut dice = Dice::of(&format!("{}/{about}", self.seed), *seen);
        dice.once_in(odds).then_some(dice)
    }
}

fn of_write(dice: &mut Dice) -> Action {
    match dice.below(7) {
        0 => Action::FailBefore(Failure::Reset),
        1 => Action::FailAfter(Failure::Reset),
        2 => Action::FailAfter(Failure::Hang),
        3 => Action::FailBefore(Failure::Status(dice.pick(&REFUSALS))),
        4 => Action::DelayBefore(dice.millis(500, 4_000)),
        5 => Action::DelayBefore(dice.millis(4_000, 9_000)),
        _ => Action::DelayAfter(dice.millis(500, 6_000)),
    }
}

fn of_read(dice: &mut Dice) -> Action {
    match dice.below(4) {
        0 => Action::FailBefore(Failure::Reset),
        1 => Action::FailBefore(Failure::Hang),
        2 => Action::FailBefore(Failure::Status(500)),
        _ => Action::DelayAfter(dice.millis(500, 6_000)),
    }
}

fn of_event(dice: &mut Dice) -> DeliveryAction {
    match dice.below(4) {
        0 => DeliveryAction::Drop,
        1 => DeliveryAction::Expire,
        2 => DeliveryAction::End,
        _ => DeliveryAction::Delay(Duration::from_secs(1 + dice.below(20))),
    }
}
