//! One behaviour, one sentence: decisions for a `FlinkDeployment` on hand-made observations.
#![allow(clippy::unwrap_used)]

mod changing;
mod deleting;
mod deploying;
mod halves;
mod judging;
mod observing;
mod refusing;
mod restoring;
mod scene;
mod stopping;
mod upgrading;
