//! The wire as the operator's Flink client wants it.

use std::time::{Duration, SystemTime};

use flink_rest::{Transport, TransportError};
use tower::util::MapErr;

use super::wire::{FlinkWire, WireError};
use crate::clock::Clock;

impl From<WireError> for TransportError {
    fn from(error: WireError) -> Self {
        if error.before_connection() {
            Self::Refused(error.to_string())
        } else {
            Self::Closed(error.to_string())
        }
    }
}

impl FlinkWire {
    /// Gives the wire as a transport for `flink_rest::Client`.
    pub fn transport(&self) -> Transport {
        Transport::buffered(MapErr::new(self.clone(), TransportError::from))
    }
}

/// The world's clock as the two clocks of permits. Virtual time is never set back and never sleeps.
#[derive(Clone, Debug)]
pub struct WorldClock(pub Clock);

impl flink_rest::Clock for WorldClock {
    fn wall(&self) -> SystemTime {
        self.0.now().into()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}
