//! The leader elector: one Lease, guarded by resourceVersion, judged by local monotonic time.
//!
//! What the lease says about time is never compared with this machine's clock: a lease has expired when it has
//! not changed for its duration while we watched.

use crate::clock::Clock;
use crate::health::{Health, Part};
use crate::leadership::Leadership;
use crate::supervisor::CutOff;
use crate::tasks::Tasks;
use actix::prelude::*;
use http::StatusCode;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Api;
use kube::api::PostParams;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// The deadline of one request for the lease.
const REQUEST: Duration = Duration::from_secs(4);
/// How often a standby looks at the lease, at least: a hand-over is noticed within this time.
const STANDBY: Duration = Duration::from_millis(500);

/// How the election is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Election {
    /// The namespace of the Lease.
    pub namespace: String,
    /// The name of the Lease.
    pub lease: String,
    /// Who we are: the name of the pod. No two processes that live at the same time may share it.
    pub identity: String,
    /// Time after which a silent leader is replaced.
    pub duration: Duration,
    /// Time after which a leader that cannot renew gives up; shorter than the duration by more than a request takes.
    pub renew_deadline: Duration,
    /// Pause between renewals.
    pub retry: Duration,
}

/// Why an election cannot be held as configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadElection {
    /// The leader would still act when another one begins.
    #[error(
        "leader-election.renew-deadline ({deadline:?}) must be at least {REQUEST:?} shorter than \
         leader-election.lease-duration ({duration:?}): raise the duration or lower the deadline"
    )]
    TooLate {
        /// The renew deadline.
        deadline: Duration,
        /// The lease duration.
        duration: Duration,
    },
    /// The leader would give up between two renewals.
    #[error(
        "leader-election.retry-period ({retry:?}) must be shorter than leader-election.renew-deadline \
         ({deadline:?}) and longer than zero"
    )]
    TooRare {
        /// The retry period.
        retry: Duration,
        /// The renew deadline.
        deadline: Duration,
    },
    /// The name of the lease or the identity is empty.
    #[error("leader election needs leader-election.lease-name and an identity (HOSTNAME)")]
    Unnamed,
}

impl Election {
    /// Checks that a former leader has stopped acting before another one begins.
    pub fn check(&self) -> Result<(), BadElection> {
        let (deadline, duration, retry) = (self.renew_deadline, self.duration, self.retry);
        if self.lease.is_empty() || self.identity.is_empty() || self.namespace.is_empty() {
            return Err(BadElection::Unnamed);
        }
        if deadline + REQUEST > duration {
            return Err(BadElection::TooLate { deadline, duration });
        }
        if retry.is_zero() || retry >= deadline {
            return Err(BadElection::TooRare { retry, deadline });
        }
        Ok(())
    }
}

/// Whether this instance has gained or lost the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Standing {
    /// It waits for the lease.
    #[default]
    Waiting,
    /// It holds the lease.
    Leading,
    /// It held the lease and does no more. The process ends: what it knows may be out of date.
    Lost,
}

/// Give the lease back and take it no more; answered when that is done or has failed.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Release(pub oneshot::Sender<()>);

/// What came of one look at the lease or one write.
#[derive(Debug)]
enum Look {
    /// We wrote the lease; it counts from the moment before the request.
    Written { lease: Box<Lease>, began: Duration },
    /// The lease as somebody else wrote it.
    Seen(Box<Lease>),
    /// There is none.
    Absent,
    /// Somebody else wrote it first.
    Outrun,
    /// No answer, or none that helps.
    Failed(String),
}

enum State {
    /// Somebody else holds the lease, or nobody; `since` is when it last changed while we watched.
    Waiting {
        seen: Option<Box<Lease>>,
        since: Duration,
    },
    /// We hold it until `until`, unless it is renewed.
    Leading { lease: Box<Lease>, until: Duration },
    /// We give it back; `written` says that the request for that has left.
    Releasing {
        written: bool,
        answer: oneshot::Sender<()>,
    },
    /// We hold it no more and take it no more.
    Ended,
}

/// The leader elector of one instance.
pub struct LeaderElector {
    election: Election,
    client: kube::Client,
    clock: Clock,
    leadership: Leadership,
    health: Health,
    tasks: Tasks,
    standing: watch::Sender<Standing>,
    state: State,
    asking: bool,
}

impl LeaderElector {
    /// Makes a candidate. What comes of it is told through `standing` and `leadership`.
    pub fn new(
        election: Election,
        client: kube::Client,
        (clock, leadership): (Clock, Leadership),
        (health, tasks): (Health, Tasks),
        standing: watch::Sender<Standing>,
    ) -> Self {
        let state = State::Waiting {
            seen: None,
            since: Duration::ZERO,
        };
        Self {
            election,
            client,
            clock,
            leadership,
            health,
            tasks,
            standing,
            state,
            asking: false,
        }
    }

    /// Takes the next step: look, take or renew. One request at a time.
    fn step(&mut self, ctx: &mut Context<Self>) {
        if self.asking {
            return;
        }
        let now = self.clock.monotonic();
        let request = match &self.state {
            State::Waiting { seen: None, .. } => Request::Look,
            State::Waiting {
                seen: Some(lease),
                since,
            } => {
                if is_free(lease, &self.election, now.saturating_sub(*since)) {
                    Request::Write(Box::new(taken(lease, &self.election, self.clock.now())))
                } else {
                    Request::Look
                }
            }
            State::Leading { lease, .. } => {
                Request::Write(Box::new(taken(lease, &self.election, self.clock.now())))
            }
            State::Releasing { .. } | State::Ended => return,
        };
        self.ask(request, ctx);
    }

    fn ask(&mut self, request: Request, ctx: &mut Context<Self>) {
        self.asking = true;
        let api: Api<Lease> = Api::namespaced(self.client.clone(), &self.election.namespace);
        let (name, clock) = (self.election.lease.clone(), self.clock.clone());
        let asked = self.tasks.spawn(async move {
            match tokio::time::timeout(REQUEST, request.send(&api, &name, &clock)).await {
                Ok(look) => look,
                Err(_) => Look::Failed("no answer in time".to_owned()),
            }
        });
        ctx.spawn(asked.into_actor(self).map(|look, actor, ctx| {
            actor.asking = false;
            match look {
                Ok(Ok(look)) => actor.looked(look, ctx),
                Ok(Err(_)) | Err(_) => ctx.stop(),
            }
        }));
    }

    fn looked(&mut self, look: Look, ctx: &mut Context<Self>) {
        if let State::Releasing { written, .. } = self.state {
            return self.releasing(look, written, ctx);
        }
        match look {
            Look::Written { lease, began } => self.written(lease, began),
            Look::Seen(lease) => self.seen(lease, ctx),
            Look::Absent => match self.state {
                State::Waiting { .. } => {
                    let metadata = ObjectMeta {
                        name: Some(self.election.lease.clone()),
                        ..ObjectMeta::default()
                    };
                    let lease = Lease {
                        metadata,
                        spec: None,
                    };
                    let lease = taken(&lease, &self.election, self.clock.now());
                    self.ask(Request::Create(Box::new(lease)), ctx);
                }
                State::Leading { .. } => self.lose("the lease was deleted"),
                State::Releasing { .. } | State::Ended => {}
            },
            // Who holds it now decides; also an annotation by a third party changes the version.
            Look::Outrun => self.ask(Request::Look, ctx),
            Look::Failed(error) => {
                tracing::warn!(
                    lease = self.election.lease,
                    error,
                    "request for the lease failed"
                );
                self.expire(self.clock.monotonic());
            }
        }
    }

    fn written(&mut self, lease: Box<Lease>, began: Duration) {
        let until = began + self.election.renew_deadline;
        let first = match self.state {
            State::Waiting { .. } => true,
            State::Leading { .. } => false,
            State::Releasing { .. } | State::Ended => return,
        };
        self.leadership.hold_until(until);
        self.state = State::Leading { lease, until };
        if first {
            tracing::info!(
                lease = self.election.lease,
                identity = self.election.identity,
                "leading"
            );
            self.standing.send_replace(Standing::Leading);
        }
    }

    fn seen(&mut self, lease: Box<Lease>, ctx: &mut Context<Self>) {
        let now = self.clock.monotonic();
        match &mut self.state {
            State::Waiting { seen, since } => {
                let version = |lease: &Lease| lease.metadata.resource_version.clone();
                if seen
                    .as_ref()
                    .is_none_or(|seen| version(seen) != version(&lease))
                {
                    *since = now;
                }
                let free = is_free(&lease, &self.election, now.saturating_sub(*since));
                *seen = Some(lease);
                if free {
                    self.step(ctx);
                }
            }
            // Our lease under a newer version: renew it at once under that one.
            State::Leading { lease: known, .. } if is_held_by(&lease, &self.election) => {
                *known = lease;
                self.step(ctx);
            }
            State::Leading { .. } => self.lose("another instance holds the lease"),
            State::Releasing { .. } | State::Ended => {}
        }
    }

    /// Gives the lease back, whatever request was under way when that was asked for.
    fn releasing(&mut self, look: Look, written: bool, ctx: &mut Context<Self>) {
        match look {
            Look::Written { lease, .. } if !written => self.write_release(&lease, ctx),
            Look::Seen(lease) if !written && is_held_by(&lease, &self.election) => {
                self.write_release(&lease, ctx);
            }
            Look::Outrun | Look::Failed(_) if !written => self.ask(Request::Look, ctx),
            // Done, or not ours any more; failing that, others wait until it expires.
            Look::Written { .. }
            | Look::Seen(_)
            | Look::Absent
            | Look::Outrun
            | Look::Failed(_) => self.released(ctx),
        }
    }

    fn write_release(&mut self, lease: &Lease, ctx: &mut Context<Self>) {
        if let State::Releasing { written, .. } = &mut self.state {
            *written = true;
        }
        tracing::info!(lease = self.election.lease, "releasing the lease");
        self.ask(
            Request::Write(Box::new(released(lease, self.clock.now()))),
            ctx,
        );
    }

    fn released(&mut self, ctx: &mut Context<Self>) {
        if let State::Releasing { answer, .. } = std::mem::replace(&mut self.state, State::Ended) {
            // Whoever asked may have lost patience.
            let _ = answer.send(());
        }
        ctx.stop();
    }

    /// Gives up once the lease could not be renewed for too long.
    fn expire(&mut self, now: Duration) {
        if let State::Leading { until, .. } = self.state
            && now >= until
        {
            self.lose("the lease could not be renewed in time");
        }
    }

    fn lose(&mut self, why: &'static str) {
        tracing::error!(
            lease = self.election.lease,
            why,
            "leadership lost; this process ends"
        );
        self.leadership.lose();
        self.state = State::Ended;
        self.health.rest(Part::Elector);
        self.standing.send_replace(Standing::Lost);
    }
}

/// One request for the lease.
enum Request {
    Look,
    Create(Box<Lease>),
    Write(Box<Lease>),
}

impl Request {
    async fn send(self, api: &Api<Lease>, name: &str, clock: &Clock) -> Look {
        let began = clock.monotonic();
        let params = PostParams::default();
        let written = match self {
            Self::Look => {
                return match api.get_opt(name).await {
                    Ok(Some(lease)) => Look::Seen(Box::new(lease)),
                    Ok(None) => Look::Absent,
                    Err(error) => Look::Failed(error.to_string()),
                };
            }
            Self::Create(lease) => api.create(&params, &lease).await,
            Self::Write(lease) => api.replace(name, &params, &lease).await,
        };
        match written {
            Ok(lease) => Look::Written {
                lease: Box::new(lease),
                began,
            },
            Err(kube::Error::Api(status)) if status.code == StatusCode::CONFLICT.as_u16() => {
                Look::Outrun
            }
            Err(kube::Error::Api(status)) if status.code == StatusCode::NOT_FOUND.as_u16() => {
                Look::Absent
            }
            Err(error) => Look::Failed(error.to_string()),
        }
    }
}

fn holder(lease: &Lease) -> Option<&str> {
    let holder = lease
        .spec
        .as_ref()
        .and_then(|spec| spec.holder_identity.as_deref());
    holder.filter(|holder| !holder.is_empty())
}

fn is_held_by(lease: &Lease, election: &Election) -> bool {
    holder(lease) == Some(election.identity.as_str())
}

/// Tells whether a lease that has not changed for `quiet` may be taken.
fn is_free(lease: &Lease, election: &Election, quiet: Duration) -> bool {
    let stated = lease
        .spec
        .as_ref()
        .and_then(|spec| spec.lease_duration_seconds)
        .unwrap_or_default();
    let stated = Duration::from_secs(u64::try_from(stated).unwrap_or_default());
    match holder(lease) {
        None => true,
        Some(holder) if holder == election.identity => true,
        Some(_) => quiet >= election.duration.max(stated),
    }
}

/// Writes us into a lease that is free, or ours already.
fn taken(lease: &Lease, election: &Election, now: Timestamp) -> Lease {
    let before = lease.spec.clone().unwrap_or_default();
    let ours = before.holder_identity.as_deref() == Some(election.identity.as_str());
    let transitions = before.lease_transitions.unwrap_or_default();
    let spec = LeaseSpec {
        holder_identity: Some(election.identity.clone()),
        acquire_time: if ours {
            before.acquire_time
        } else {
            Some(micros(now))
        },
        renew_time: Some(micros(now)),
        lease_duration_seconds: Some(whole_seconds(election.duration)),
        lease_transitions: Some(if ours {
            transitions
        } else {
            transitions.saturating_add(1)
        }),
        ..before
    };
    Lease {
        spec: Some(spec),
        ..lease.clone()
    }
}

/// Writes nobody into our lease, so that another instance takes it at once.
fn released(lease: &Lease, now: Timestamp) -> Lease {
    let before = lease.spec.clone().unwrap_or_default();
    let spec = LeaseSpec {
        holder_identity: Some(String::new()),
        renew_time: Some(micros(now)),
        lease_duration_seconds: Some(1),
        ..before
    };
    Lease {
        spec: Some(spec),
        ..lease.clone()
    }
}

/// The API server takes microseconds and no finer.
fn micros(now: Timestamp) -> MicroTime {
    MicroTime(Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now))
}

fn whole_seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX).max(1)
}

impl Actor for LeaderElector {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.health.beat(Part::Elector);
        self.step(ctx);
        let pause = self.election.retry.min(STANDBY);
        let mut last_renewal = self.clock.monotonic();
        ctx.run_interval(pause, move |elector, ctx| {
            let now = elector.clock.monotonic();
            match elector.state {
                State::Waiting { .. } => {
                    elector.health.beat(Part::Elector);
                    elector.step(ctx);
                }
                State::Leading { .. } => {
                    elector.health.beat(Part::Elector);
                    elector.expire(now);
                    if now.saturating_sub(last_renewal) >= elector.election.retry {
                        last_renewal = now;
                        elector.step(ctx);
                    }
                }
                State::Releasing { .. } | State::Ended => {}
            }
        });
    }
}

impl Handler<Release> for LeaderElector {
    type Result = ();

    fn handle(&mut self, Release(answer): Release, ctx: &mut Self::Context) {
        self.leadership.stop();
        self.health.rest(Part::Elector);
        match std::mem::replace(
            &mut self.state,
            State::Releasing {
                written: false,
                answer,
            },
        ) {
            // A request under way decides what there is to give back.
            State::Leading { .. } | State::Waiting { .. } if self.asking => {}
            State::Leading { lease, .. } => self.write_release(&lease, ctx),
            State::Waiting { .. } | State::Releasing { .. } | State::Ended => self.released(ctx),
        }
    }
}

impl Handler<CutOff> for LeaderElector {
    type Result = ();

    fn handle(&mut self, _: CutOff, ctx: &mut Self::Context) {
        self.health.rest(Part::Elector);
        ctx.stop();
    }
}
