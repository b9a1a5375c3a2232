//! Options of FlinkBlueGreenDeployment, read from its `spec.configuration` only.

use std::time::Duration;

use super::options;

options! {
    BlueGreen live "kubernetes.operator." {
        /// Time for a new child to become ready before the transition is aborted.
        BLUEGREEN_ABORT_GRACE_PERIOD: Duration = "bluegreen.abort.grace-period",
            default "10 min", since "1.14";
        /// How often a transition is looked at.
        BLUEGREEN_RESCHEDULE_INTERVAL: Duration = "bluegreen.reconciliation.reschedule-interval",
            default "15 s", since "1.14";
        /// Wait before the old child is deleted.
        BLUEGREEN_DEPLOYMENT_DELETION_DELAY: Duration = "bluegreen.deployment-deletion.delay",
            default "0 ms", since "1.14";
    }
}
