//! Whether this instance may change anything now.

use crate::clock::Clock;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The right to act, asked immediately before every request that changes something.
#[derive(Clone, Debug)]
pub struct Leadership {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// No election: this instance is the only one.
    Alone,
    /// Leading until this time of the monotonic clock, unless the lease is renewed.
    Until(Duration),
    /// Another instance may lead.
    Standby,
    /// This instance is ending.
    Stopping,
}

/// Why a request must not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotLeader {
    /// Another instance may be leading by now.
    #[error("this instance does not lead")]
    Standby,
    /// This instance was told to stop.
    #[error("this instance is stopping")]
    Stopping,
}

impl Leadership {
    /// Grants the right for good: no election is configured.
    pub fn alone(clock: Clock) -> Self {
        Self {
            clock,
            state: Arc::new(Mutex::new(State::Alone)),
        }
    }

    /// Begins without the right, until an election is won.
    pub fn standby(clock: Clock) -> Self {
        Self {
            clock,
            state: Arc::new(Mutex::new(State::Standby)),
        }
    }

    /// Asks for the right, now.
    pub fn permit(&self) -> Result<(), NotLeader> {
        match *self.lock() {
            State::Alone => Ok(()),
            State::Until(end) if self.clock.monotonic() < end => Ok(()),
            State::Until(_) | State::Standby => Err(NotLeader::Standby),
            State::Stopping => Err(NotLeader::Stopping),
        }
    }

    /// Holds the right until a time of the monotonic clock: the lease was written before that.
    pub fn hold_until(&self, end: Duration) {
        let mut state = self.lock();
        if !matches!(*state, State::Stopping) {
            *state = State::Until(end);
        }
    }

    /// Gives the right up.
    pub fn lose(&self) {
        let mut state = self.lock();
        if !matches!(*state, State::Stopping) {
            *state = State::Standby;
        }
    }

    /// Gives the right up for good.
    pub fn stop(&self) {
        *self.lock() = State::Stopping;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
