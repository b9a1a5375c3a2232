//! The announcer: tells resources of kinds that this version does not carry out that it does not.
//!
//! One status write for each generation, under the version that was seen, and a Warning; nothing else of these
//! resources is ever touched, their finalizers least of all. The watches tell it what is due; it works through
//! that one by one while this instance leads.

mod board;

pub use board::{Board, Named};

use crate::api::{Api, Failure};
use crate::backoff::{Delays, Growth, Jitter};
use crate::clock::Clock;
use crate::events::{About, EventSink};
use crate::health::Health;
use crate::supervisor::{CutOff, Led};
use crate::tasks::Tasks;
use actix::prelude::*;
use kube::runtime::utils::Backoff as _;
use operator_core::announce::{Seen, announce};
use operator_core::fact::Why;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// The pauses after failures. What waits here is news and no work, so it waits long rather than often.
const RETRY: Growth = Growth {
    first: Duration::from_secs(1),
    factor: 2.0,
    longest: Duration::from_secs(300),
};

/// Something is due about this resource.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Due(pub Named);

/// What an announcer acts through.
pub struct Means {
    /// What is due.
    pub board: Board,
    /// The API server.
    pub api: Api,
    /// Where Warnings go.
    pub events: EventSink,
    /// The time.
    pub clock: Clock,
    /// Runs requests.
    pub tasks: Tasks,
    /// Where troubles are shown.
    pub health: Health,
    /// Spreads pauses.
    pub jitter: Jitter,
}

enum Activity {
    /// Another instance leads.
    Standby,
    Idle,
    /// A request is under way.
    Busy,
    /// A request failed; a timer goes on.
    Pausing,
}

/// The announcer of one instance.
pub struct Announcer {
    with: Means,
    activity: Activity,
    queue: VecDeque<Named>,
    pauses: Delays,
    /// What went wrong last, by plural and namespace.
    troubles: BTreeMap<(&'static str, String), String>,
    /// Plurals whose CRD was seen to drop conditions.
    dropping: Vec<&'static str>,
}

/// What came of one write.
enum Came {
    /// It stands there.
    Stored,
    /// It was taken, and the CRD dropped it.
    Dropped,
    /// There is a newer version, or none: the watch tells.
    Outrun,
    Failed(Failure),
}

impl Announcer {
    /// Makes an announcer that is silent until it is told that this instance leads.
    pub fn new(with: Means) -> Self {
        let pauses = Delays::new(RETRY).spread(with.jitter.clone());
        Self {
            with,
            activity: Activity::Standby,
            queue: VecDeque::new(),
            pauses,
            troubles: BTreeMap::new(),
            dropping: Vec::new(),
        }
    }

    /// Takes up the next resource about which something is still due.
    fn next(&mut self, ctx: &mut Context<Self>) {
        match self.activity {
            Activity::Idle => {}
            Activity::Standby | Activity::Busy | Activity::Pausing => return,
        }
        let Some(seen) = std::iter::from_fn(|| self.queue.pop_front())
            .find_map(|named| self.with.board.due(&named))
        else {
            // What could not be said is not due any more, either.
            if !self.troubles.is_empty() {
                self.troubles.clear();
                self.show_trouble();
            }
            return;
        };
        self.activity = Activity::Busy;
        let (api, events, clock) = (
            self.with.api.clone(),
            self.with.events.clone(),
            self.with.clock.clone(),
        );
        let told = Arc::clone(&seen);
        let write = async move { say(&told, &api, &events, &clock).await };
        let written = self.with.tasks.spawn(write);
        ctx.spawn(written.into_actor(self).map(move |came, actor, ctx| match came {
            Ok(Ok(came)) => actor.came(&seen, came, ctx),
            // Cut off with the instance, or a bug in one announcement: the others go on.
            Ok(Err(_)) => ctx.stop(),
            Err(error) => {
                tracing::error!(%error, "announcement crashed; this is a bug in the operator");
                actor.go_on(ctx);
            }
        }));
    }

    fn go_on(&mut self, ctx: &mut Context<Self>) {
        self.activity = Activity::Idle;
        self.next(ctx);
    }

    fn came(&mut self, seen: &Seen, came: Came, ctx: &mut Context<Self>) {
        match came {
            Came::Stored => self.said(seen, ctx),
            Came::Dropped => {
                let plural = seen.kind.plural();
                if !self.dropping.contains(&plural) {
                    self.dropping.push(plural);
                    tracing::warn!(
                        plural,
                        "the installed CRD drops conditions; run `flink-operator crds apply`"
                    );
                }
                self.said(seen, ctx);
            }
            Came::Outrun => self.go_on(ctx),
            // This process ends, or leads no more.
            Came::Failed(Failure {
                why: Why::NotSent(_),
                ..
            }) => {
                self.queue.push_back(Named::of(seen));
                self.activity = Activity::Standby;
            }
            Came::Failed(failure) => self.failed(seen, &failure, ctx),
        }
    }

    fn said(&mut self, seen: &Seen, ctx: &mut Context<Self>) {
        self.with.board.said(seen);
        self.pauses.reset();
        let place = (seen.kind.plural(), seen.namespace.clone());
        if self.troubles.remove(&place).is_some() {
            self.show_trouble();
        }
        self.go_on(ctx);
    }

    /// Puts a resource behind the others, and waits: mostly it would be the same with each.
    fn failed(&mut self, seen: &Seen, failure: &Failure, ctx: &mut Context<Self>) {
        let (plural, namespace) = (seen.kind.plural(), seen.namespace.clone());
        let trouble = format!(
            "namespace {namespace}: cannot write the status of {plural}, to say that this version does not carry them out: {}",
            failure.why
        );
        let place = (plural, namespace);
        if !self.troubles.contains_key(&place) {
            tracing::warn!(
                plural,
                namespace = place.1,
                name = seen.name,
                error = %failure.why,
                "cannot say that this kind is not carried out; it is tried again"
            );
        }
        self.troubles.insert(place, trouble);
        self.show_trouble();
        self.queue.push_back(Named::of(seen));
        self.activity = Activity::Pausing;
        ctx.run_later(self.pauses.pause(), Self::go_on);
    }

    fn show_trouble(&self) {
        let first = self.troubles.values().next().cloned();
        self.with.health.announcing(first);
    }
}

/// Writes the conditions of a resource under the version in which it was seen, and tells people.
async fn say(seen: &Seen, api: &Api, events: &EventSink, clock: &Clock) -> Came {
    let Some(announcement) = announce(seen, clock.now()) else {
        return Came::Stored;
    };
    let path = format!(
        "/apis/flink.apache.org/v1beta1/namespaces/{}/{}/{}/status",
        seen.namespace,
        seen.kind.plural(),
        seen.name
    );
    // A merge names the one field that is ours; whatever else is there, whoever wrote it, is not even sent.
    let body = json!({
        "metadata": { "resourceVersion": seen.resource_version.as_str(), "uid": seen.uid.as_str() },
        "status": { "conditions": announcement.conditions },
    });
    let reply = match api.merge(&path, &body).await {
        Ok(reply) => reply,
        Err(failure) if matches!(failure.code(), Some(404 | 409)) => return Came::Outrun,
        Err(failure) => return Came::Failed(failure),
    };
    if let Some(notice) = announcement.notice {
        let about = About {
            kind: seen.kind.as_str(),
            namespace: seen.namespace.clone(),
            name: seen.name.clone(),
            uid: seen.uid.clone(),
        };
        events.emit(about, notice);
    }
    match &reply["status"]["conditions"] {
        Value::Array(_) => Came::Stored,
        _ => Came::Dropped,
    }
}

impl Actor for Announcer {
    type Context = Context<Self>;
}

impl Handler<Due> for Announcer {
    type Result = ();

    fn handle(&mut self, Due(named): Due, ctx: &mut Self::Context) {
        self.queue.push_back(named);
        self.next(ctx);
    }
}

impl Handler<Led> for Announcer {
    type Result = ();

    fn handle(&mut self, _: Led, ctx: &mut Self::Context) {
        match self.activity {
            Activity::Standby => self.go_on(ctx),
            Activity::Idle | Activity::Busy | Activity::Pausing => {}
        }
    }
}

impl Handler<CutOff> for Announcer {
    type Result = ();

    fn handle(&mut self, _: CutOff, ctx: &mut Self::Context) {
        ctx.stop();
    }
}
