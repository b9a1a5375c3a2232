//! How long things take in the simulated Flink.

use jiff::SignedDuration;

/// Durations of a JobManager's life; the defaults are near what real clusters needed on a small machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// From the start of the process until its REST port is bound.
    pub listen: SignedDuration,
    /// From binding the port until leadership is won, no older lease being in the way.
    pub election: SignedDuration,
    /// How long a lease outlives a holder that did not give it back.
    pub lease: SignedDuration,
    /// How long the `main` method of the application takes.
    pub main: SignedDuration,
    /// How long a job stays INITIALIZING.
    pub initializing: SignedDuration,
    /// From enough TaskManagers being there until all tasks run.
    pub deploying: SignedDuration,
    /// How long a TaskManager needs to register, once its container runs.
    pub registering: SignedDuration,
    /// How long a checkpoint takes.
    pub checkpoint: SignedDuration,
    /// How long a savepoint takes.
    pub savepoint: SignedDuration,
    /// How long tasks need to stop when cancelled.
    pub cancel: SignedDuration,
    /// From the loss of TaskManagers until the JobManager notices it.
    pub notice: SignedDuration,
    /// How long a job waits before it starts again after a failure.
    pub restart: SignedDuration,
    /// From the end of the job until the JobManager ends itself, where it does.
    pub shutdown: SignedDuration,
    /// How long the clean-up after a job's end takes; a crash in it leaves traces.
    pub cleanup: SignedDuration,
}

impl Default for Pace {
    fn default() -> Self {
        let millis = SignedDuration::from_millis;
        Self {
            listen: millis(3_000),
            election: millis(200),
            lease: millis(15_000),
            main: millis(1_000),
            initializing: millis(300),
            deploying: millis(500),
            registering: millis(1_000),
            checkpoint: millis(100),
            savepoint: millis(300),
            cancel: millis(100),
            notice: millis(2_500),
            restart: millis(2_000),
            shutdown: millis(300),
            cleanup: millis(1_000),
        }
    }
}
