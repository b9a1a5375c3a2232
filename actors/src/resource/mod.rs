//! The actor of one resource: one pass at a time, changes coalesced to one bit, the next look on a timer.
//!
//! It holds a key and bookkeeping, never a copy of the resource, and does no IO itself.

mod actor;
mod echo;
mod shown;

pub use actor::ResourceActor;

use crate::clock::Clock;
use crate::health::Health;
use crate::lanes::{Lane, Lanes};
use crate::pace::{RateLimit, Retry};
use crate::pass::PassReport;
use crate::stores::Stores;
use crate::tasks::Tasks;
use actix::prelude::*;
use futures::future::BoxFuture;
use operator_core::name::Key;
use std::sync::Arc;
use std::time::Duration;

/// What a pass is: given a key, takes the resource one step forward.
pub type Work = Arc<dyn Fn(Key) -> BoxFuture<'static, PassReport> + Send + Sync>;

/// A command to the actor of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum Order {
    /// Look at the resource.
    Wake(Wake),
    /// Finish the running pass, then end.
    Retire,
    /// End at once.
    Cut,
}

/// Why a resource is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// It was listed, or this instance has begun to lead.
    Listed,
    /// The configuration of the operator changed.
    Reconfigured,
    /// Its status changed.
    Touched,
    /// Its Deployment or one of its pods changed.
    Child,
    /// A user changed it.
    Edited,
}

impl Wake {
    /// Returns the queue for the pass: users first, polls last.
    fn lane(self) -> Lane {
        match self {
            Self::Listed | Self::Reconfigured | Self::Touched => Lane::Look,
            Self::Child | Self::Edited => Lane::Change,
        }
    }

    /// Returns whether it is about the resource itself, so that it may be the echo of our own write.
    fn may_be_echo(self) -> bool {
        match self {
            Self::Touched | Self::Edited => true,
            Self::Listed | Self::Reconfigured | Self::Child => false,
        }
    }
}

/// What the actor of a resource tells its supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum ChildNews {
    /// It has ended, as told or by a crash.
    Stopped {
        /// Its resource.
        key: Key,
        /// Which life of the actor it was.
        incarnation: u64,
    },
    /// Its pass found no resource.
    Gone {
        /// Its resource.
        key: Key,
        /// Which life of the actor it is.
        incarnation: u64,
    },
}

/// A pass has ended; for whoever counts.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct PassEnded {
    /// The resource.
    pub key: Key,
    /// How long the pass waited for its turn.
    pub queued: Duration,
    /// What it reported; nothing if it panicked.
    pub report: Option<PassReport>,
    /// Whether it was a try after a failure.
    pub retry: bool,
}

/// What the actors of all resources share.
pub struct Crew {
    /// What a pass is.
    pub work: Work,
    /// What the watches have seen: only versions are looked at.
    pub stores: Stores,
    /// Bounds how many passes run.
    pub lanes: Lanes,
    /// Runs the passes.
    pub tasks: Tasks,
    /// Where actors show how they fare.
    pub health: Health,
    /// The time.
    pub clock: Clock,
    /// How failures are tried again.
    pub retry: Retry,
    /// How many passes may act or fail in a while.
    pub limit: RateLimit,
    /// Is told of every pass.
    pub counting: Recipient<PassEnded>,
}
