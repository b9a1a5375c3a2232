//! Everything that an instance runs outside its actors, so that it can be waited for and cut off.

use std::future::Future;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The task set of one instance; clones are the same set.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    cut: CancellationToken,
}

/// A task was cut off before it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut;

impl Tasks {
    /// Begins an empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs a task until it ends or the set is cut.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<Result<F::Output, Cut>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let cut = self.cut.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                biased;
                () = cut.cancelled() => Err(Cut),
                output = task => Ok(output),
            }
        })
    }

    /// Gives a token that falls with this set, or alone.
    pub fn token(&self) -> CancellationToken {
        self.cut.child_token()
    }

    /// Returns how many tasks are running.
    pub fn running(&self) -> usize {
        self.tracker.len()
    }

    /// Stops every task at its next await, and those that are spawned later at once.
    pub fn cut(&self) {
        self.cut.cancel();
        self.tracker.close();
    }

    /// Returns whether the set has been cut.
    pub fn is_cut(&self) -> bool {
        self.cut.is_cancelled()
    }

    /// Waits until all tasks have ended.
    pub async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Cut, Tasks};

    #[tokio::test(start_paused = true)]
    async fn a_cut_set_ends_all_its_tasks_and_takes_no_more() {
        let tasks = Tasks::new();
        let endless = tasks.spawn(std::future::pending::<()>());
        let quick = tasks.spawn(async { 1 });
        assert_eq!(quick.await.unwrap(), Ok(1));
        assert_eq!(tasks.running(), 1);
        tasks.cut();
        assert_eq!(endless.await.unwrap(), Err(Cut));
        assert_eq!(tasks.spawn(async { 2 }).await.unwrap(), Err(Cut));
        tasks.ended().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_the_task_s_alone() {
        let tasks = Tasks::new();
        let failed = tasks.spawn(async { panic!("on purpose") });
        assert!(failed.await.unwrap_err().is_panic());
        assert_eq!(tasks.spawn(async { 3 }).await.unwrap(), Ok(3));
    }
}
