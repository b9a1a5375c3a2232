//! Plans: at which moment of a play which fault happens.

use std::fmt;
use std::str::FromStr;

use crate::deeds::{Deed, When};

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
    /// Flink, or somebody else, does something to the cluster.
    Flink {
        /// What.
        deed: Deed,
        /// At which moment.
        when: When,
    },
}

/// Which moments a play has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moments {
    /// Requests that change something, at the API server and at Flink.
    pub writes: u64,
    /// Events of watches.
    pub events: u64,
}

/// Which faults a sweep is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinds {
    /// Those of operators and API servers, at each write and each event.
    Operator,
    /// The same, and requests that arrive as late as a direct call to Flink can.
    LateCalls,
    /// One of each sort at each write, for changes that differ from another in one thing.
    Few,
    /// Requests that arrive minutes later, as calls through the proxy of the API server can.
    LateByMinutes,
    /// Requests that arrive while what others asked for instead is still going on.
    LateInBetween,
    /// What Flink and others do to the cluster, in the middle of a stop and at each write until then; what kills
    /// processes at each later write, too.
    Flink {
        /// By which write the old cluster is gone.
        until: u64,
    },
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

/// So late can a direct call arrive: four seconds it may wait to leave, four it may take, and one for doubt.
const LATE: [Make; 1] = [|write| Fault::Pause { write, late: 9 }];

/// How few faults are chosen.
const FEW: [Make; 5] = [
    Fault::CrashBefore,
    Fault::CrashAfter,
    Fault::LoseReply,
    Fault::Twin,
    |write| Fault::Pause { write, late: 9 },
];

/// How calls through the proxy are disturbed: of these alone the proxy makes something new.
const BY_PROXY: [Make; 3] = [Fault::CrashAfter, Fault::LoseReply, |write| Fault::Pause {
    write,
    late: 180,
}];

/// How a change is disturbed whose middle takes long.
const IN_BETWEEN: [Make; 2] = [Fault::LoseReply, |write| Fault::Pause { write, late: 25 }];

/// How an event is disturbed.
const OF_EVENTS: [Make; 2] = [Fault::DropEvent, Fault::DelayEvent];

impl Moments {
    /// Lists every plan with one fault.
    pub fn plans(self, kinds: Kinds) -> Vec<Fault> {
        fn over(count: u64, makes: &[Make]) -> impl Iterator<Item = Fault> {
            makes.iter().flat_map(move |make| (1..=count).map(make))
        }
        match kinds {
            Kinds::Operator => over(self.writes, &OF_WRITES)
                .chain(over(self.events, &OF_EVENTS))
                .collect(),
            Kinds::LateCalls => over(self.writes, &OF_WRITES)
                .chain(over(self.writes, &LATE))
                .chain(over(self.events, &OF_EVENTS))
                .collect(),
            Kinds::Few => over(self.writes, &FEW).collect(),
            Kinds::LateByMinutes => over(self.writes, &BY_PROXY).collect(),
            Kinds::LateInBetween => over(self.writes, &IN_BETWEEN).collect(),
            Kinds::Flink { until } => {
                let at = |deed: Deed| {
                    let last = if deed.kills() { self.writes } else { until };
                    When::all(last).map(move |when| Fault::Flink { deed, when })
                };
                Deed::ALL.into_iter().flat_map(at).collect()
            }
        }
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
            Self::Flink { deed, when } => write!(out, "{}-{when}", deed.name()),
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
        if let Some(deed) = Deed::ALL.into_iter().find(|deed| deed.name() == name) {
            let when = at.parse().map_err(|()| unknown())?;
            return Ok(Self::Flink { deed, when });
        }
        let at: u64 = at.parse().map_err(|_| unknown())?;
        let makes = [&OF_WRITES[..], &LATE, &FEW, &BY_PROXY, &OF_EVENTS];
        let made = makes.into_iter().flatten().map(|make| make(at));
        let named = |fault: &Self| fault.to_string() == text;
        made.into_iter().find(named).ok_or_else(unknown)
    }
}

#[test]
fn every_plan_has_a_name_that_leads_back_to_it() {
    let moments = Moments {
        writes: 2,
        events: 3,
    };
    let of_operator = 2 * OF_WRITES.len() + 3 * OF_EVENTS.len();
    for (kinds, count) in [
        (Kinds::Operator, of_operator),
        (Kinds::LateCalls, of_operator + 2),
        (Kinds::Few, 2 * FEW.len()),
        (Kinds::LateByMinutes, 2 * BY_PROXY.len()),
        (Kinds::LateInBetween, 2 * IN_BETWEEN.len()),
        (Kinds::Flink { until: 1 }, 4 * Deed::ALL.len() + 2),
    ] {
        let plans = moments.plans(kinds);
        assert_eq!(plans.len(), count, "{kinds:?}");
        for fault in plans {
            assert_eq!(fault.to_string().parse(), Ok(fault));
        }
    }
    for wrong in ["crash-during-3", "crash-before-x", "results-evicted-soon"] {
        assert!(wrong.parse::<Fault>().is_err());
    }
}
