//! Crash points: every request that changes something passes one, numbered in one sequence for the
//! API server and for Flink, and a test decides what happens there.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::clock::{Clock, Moment};

/// How a client learns that a request failed without an answer from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The connection breaks.
    Reset,
    /// Nothing is heard any more.
    Hang,
    /// An answer with this status comes instead.
    Status(u16),
}

/// How an instance is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Nothing gets through and nothing is heard: a crash, a partition.
    Silent,
    /// Connections break and are refused.
    Refusing,
}

/// What happens to one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// Nothing unusual.
    #[default]
    Proceed,
    /// The request never arrives.
    FailBefore(Failure),
    /// The request is carried out and its reply is lost.
    FailAfter(Failure),
    /// The instance is cut off for good just before the request leaves.
    CutBefore(Cut),
    /// The instance is cut off for good between the effect and the reply.
    CutAfter(Cut),
    /// The request arrives late, also if the client has given it up by then.
    DelayBefore(Duration),
    /// The reply arrives late.
    DelayAfter(Duration),
}

/// One request that changes something, on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Counts the points of this world from 1.
    pub number: u64,
    /// Which instance sends it.
    pub instance: String,
    /// What it is: `create deployments demo/basic`, `cancel job …`.
    pub call: String,
    /// When it leaves.
    pub moment: Moment,
}

type Hook = Box<dyn FnMut(&Point) -> Action + Send>;

#[derive(Default)]
struct Inner {
    passed: Vec<Point>,
    hook: Option<Hook>,
}

/// The crash points of one world; clones are the same points.
#[derive(Clone)]
pub struct CrashPoints {
    clock: Clock,
    inner: Arc<Mutex<Inner>>,
}

impl fmt::Debug for CrashPoints {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("CrashPoints")
            .field("passed", &self.lock().passed.len())
            .finish_non_exhaustive()
    }
}

impl CrashPoints {
    /// Starts a sequence.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            inner: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .expect("no hook panics while a point is passed")
    }

    /// Sets who decides. The hook must not pass points itself.
    pub fn decide_by(&self, hook: impl FnMut(&Point) -> Action + Send + 'static) {
        self.lock().hook = Some(Box::new(hook));
    }

    /// Passes a point and gets to know what happens there.
    pub fn pass(&self, instance: &str, call: impl Into<String>) -> (Point, Action) {
        let mut inner = self.lock();
        let number = u64::try_from(inner.passed.len()).expect("a test passes fewer points") + 1;
        let point = Point {
            number,
            instance: instance.to_owned(),
            call: call.into(),
            moment: self.clock.moment(),
        };
        inner.passed.push(point.clone());
        let action = inner
            .hook
            .as_mut()
            .map(|hook| hook(&point))
            .unwrap_or_default();
        (point, action)
    }

    /// Lists the points passed so far.
    pub fn passed(&self) -> Vec<Point> {
        self.lock().passed.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_hook_decides_by_number() {
        let points = CrashPoints::new(Clock::new());
        points.decide_by(|point| {
            if point.number == 2 {
                Action::CutAfter(Cut::Silent)
            } else {
                Action::Proceed
            }
        });
        assert_eq!(points.pass("op", "create a").1, Action::Proceed);
        assert_eq!(
            points.clone().pass("op", "create b").1,
            Action::CutAfter(Cut::Silent)
        );
        assert_eq!(points.passed().len(), 2);
    }
}
