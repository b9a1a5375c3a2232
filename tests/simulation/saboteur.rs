//! Who counts the moments of a play and disturbs the one that the plan names.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flink_operator_world::api::{Delivery, DeliveryAction, EventType, WireControl};
use flink_operator_world::points::{Action, Cut, Failure, Point};
use tokio::sync::watch;

use crate::plan::{Fault, Moments};
use crate::stage::{FIRST, OVERTAKEN, SLOW, TAKEN_OVER};

/// How long a fault may take until it happens.
const PATIENCE: Duration = Duration::from_secs(60);
/// A direct call to Flink cannot arrive later than this: its connection is closed.
const LATEST_CALL: Duration = Duration::from_secs(9);

/// Counts moments of the first instance and disturbs the one that the plan names.
pub struct Saboteur {
    fault: Fault,
    /// Whether calls to Flink take their way through the API server.
    proxied: bool,
    moments: Mutex<Moments>,
    /// Whether the first creation of the successor was slowed down.
    slowed: AtomicBool,
    /// Rings when the fault has happened.
    bell: watch::Sender<bool>,
}

impl Saboteur {
    pub fn new(fault: Fault, proxied: bool) -> Arc<Self> {
        Arc::new(Self {
            fault,
            proxied,
            moments: Mutex::default(),
            slowed: AtomicBool::new(false),
            bell: watch::Sender::new(false),
        })
    }

    fn counted(&self, count: impl FnOnce(&mut Moments) -> u64) -> u64 {
        count(&mut self.moments.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives the moments that were passed so far.
    pub fn moments(&self) -> Moments {
        *self.moments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the fault has happened; tells whether it has.
    pub async fn has_struck(&self) -> bool {
        if self.fault == Fault::None {
            return true;
        }
        let mut bell = self.bell.subscribe();
        tokio::time::timeout(PATIENCE, bell.wait_for(|rung| *rung))
            .await
            .is_ok()
    }

    /// Tells how late a write arrives that was meant to be this late.
    fn late(&self, call: &str, late: Duration) -> Action {
        let at_once = call.starts_with("POST /jobs/") && !self.proxied;
        Action::DelayBefore(if at_once { late.min(LATEST_CALL) } else { late })
    }

    /// Says what becomes of a write.
    pub fn write(&self, line: &WireControl, point: &Point) -> Action {
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
            Fault::Pause { write, late } => {
                (write, self.late(&point.call, Duration::from_secs(late)))
            }
            Fault::Takeover(at) => (at, self.late(&point.call, TAKEN_OVER)),
            Fault::Overtaken(at) => (at, self.late(&point.call, OVERTAKEN)),
            Fault::Twin(at) => (at, Action::Proceed),
            Fault::Flink { when, .. } if when.is_at(number, &point.call) => {
                (number, Action::Proceed)
            }
            Fault::None | Fault::Flink { .. } | Fault::DropEvent(_) | Fault::DelayEvent(_) => {
                return Action::Proceed;
            }
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

    /// Says what becomes of an event.
    pub fn event(&self, delivery: &Delivery) -> DeliveryAction {
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
            | Fault::Overtaken(_)
            | Fault::Flink { .. } => return DeliveryAction::Deliver,
        };
        if number != at {
            return DeliveryAction::Deliver;
        }
        self.bell.send_replace(true);
        action
    }
}
