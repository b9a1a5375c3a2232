//! Plans: at which moment of a play which fault happens.

use std::fmt;
use std::str::FromStr;

/// How an instance is disturbed. Moments are counted from 1, from the change that the play is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing happens.
    None,
    /// The operator is killed before this write leaves; another is started.
    CrashBefore(u64),
    /// The operator is killed after this write was carried out, before it hears of it.
    CrashAfter(u64),
    /// The write never arrives.
    LoseRequest(u64),
    /// The write is carried out and its reply is lost.
    LoseReply(u64),
    /// The write is answered with 500 and not carried out.
    Refuse(u64),
    /// The operator stands still, the write arrives after a while, another instance acts meanwhile,
    /// and then the first goes on as if nothing had been.
    Pause {
        /// The write.
        write: u64,
        /// How late it arrives, in seconds.
        late: u64,
    },
    /// Another instance starts to act beside this one.
    Twin(u64),
    /// Two instances hold an election; the leader stands still, its write arrives when the other
    /// one leads already, and then it goes on and has to notice that it leads no more.
    Takeover(u64),
    /// The operator stands still, another takes over and begins anew, and while its first creation is on its way the
    /// write arrives.
    Overtaken(u64),
    /// The event never arrives; half a minute later the watch is found to be broken.
    DropEvent(u64),
    /// The event arrives eight seconds late, and all that follows on its watch behind it.
    DelayEvent(u64),
}

/// Which moments a play has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moments {
    /// Requests that change something, at the API server and at Flink.
    pub writes: u64,
    /// Events of watches.
    pub events: u64,
}

type Make = fn(u64) -> Fault;

/// How a write is disturbed, one fault after the other.
const OF_WRITES: [Make; 10] = [
    Fault::CrashBefore,
    Fault::CrashAfter,
    Fault::LoseRequest,
    Fault::LoseReply,
    Fault::Refuse,
    |write| Fault::Pause { write, late: 3 },
    |write| Fault::Pause { write, late: 25 },
    Fault::Twin,
    Fault::Takeover,
    Fault::Overtaken,
];

/// How an event is disturbed.
const OF_EVENTS: [Make; 2] = [Fault::DropEvent, Fault::DelayEvent];

impl Moments {
    /// Lists every plan with one fault.
    pub fn plans(self) -> Vec<Fault> {
        let over = |count: u64, make: Make| (1..=count).map(make);
        let writes = OF_WRITES
            .into_iter()
            .flat_map(|make| over(self.writes, make));
        let events = OF_EVENTS
            .into_iter()
            .flat_map(|make| over(self.events, make));
        writes.chain(events).collect()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => out.write_str("none"),
            Self::CrashBefore(at) => write!(out, "crash-before-{at}"),
            Self::CrashAfter(at) => write!(out, "crash-after-{at}"),
            Self::LoseRequest(at) => write!(out, "lose-request-{at}"),
            Self::LoseReply(at) => write!(out, "lose-reply-{at}"),
            Self::Refuse(at) => write!(out, "refuse-{at}"),
            Self::Pause { write, late } => write!(out, "pause-{late}s-{write}"),
            Self::Twin(at) => write!(out, "twin-{at}"),
            Self::Takeover(at) => write!(out, "takeover-{at}"),
            Self::Overtaken(at) => write!(out, "overtaken-{at}"),
            Self::DropEvent(at) => write!(out, "drop-event-{at}"),
            Self::DelayEvent(at) => write!(out, "delay-event-{at}"),
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || {
            format!("{text:?} is no fault: write none, or one as crash-before-3 with its moment")
        };
        if text == "none" {
            return Ok(Self::None);
        }
        let (name, at) = text.rsplit_once('-').ok_or_else(unknown)?;
        let at: u64 = at.parse().map_err(|_| unknown())?;
        let made = OF_WRITES.into_iter().chain(OF_EVENTS).map(|make| make(at));
        let named = |fault: &Self| fault.to_string() == format!("{name}-{at}");
        made.into_iter().find(named).ok_or_else(unknown)
    }
}

#[test]
fn every_plan_has_a_name_that_leads_back_to_it() {
    let plans = Moments {
        writes: 2,
        events: 3,
    }
    .plans();
    assert_eq!(plans.len(), 2 * OF_WRITES.len() + 3 * OF_EVENTS.len());
    for fault in plans {
        assert_eq!(fault.to_string().parse(), Ok(fault));
    }
    assert!("crash-during-3".parse::<Fault>().is_err());
}
