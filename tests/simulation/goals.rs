//! Where a resource should be, as a user would look.

use flink_operator_oracle::history::Goal;
use flink_operator_world::cluster::World;
use flink_operator_world::flink::job::State;
use serde_json::Value;

use crate::play::{NAME, NAMESPACE};

/// Tells whether a resource is where it should be.
pub fn reached(world: &World, name: &str, goal: &Goal) -> bool {
    let resource = world.api.look("FlinkDeployment", NAMESPACE, name);
    let no_pods = || {
        let pods = world.api.look_at_all("Pod", NAMESPACE);
        pods.iter()
            .all(|pod| pod["metadata"]["labels"]["app"] != name)
    };
    if let Goal::OneOf(goals) = goal {
        return goals.iter().any(|goal| reached(world, name, goal));
    }
    let Some(resource) = resource else {
        return matches!(goal, Goal::Gone) && no_pods();
    };
    let status = &resource["status"];
    let settled = status["observedGeneration"] == resource["metadata"]["generation"]
        && status["operation"].is_null();
    let running = || {
        let jobs = world.cluster.jobs(NAMESPACE, name);
        jobs.len() == 1 && jobs.iter().all(|(_, state)| *state == State::Running)
    };
    match goal {
        Goal::Running => {
            settled
                && status["lifecycleState"] == "STABLE"
                && status["jobStatus"]["state"] == "RUNNING"
                && running()
        }
        // An edit of what is suspended is taken up when it is resumed. What was suspended before it was ever deployed
        // stays as it was created.
        Goal::Suspended => {
            let undeployed = status["reconciliationStatus"]["lastReconciledSpec"].is_null()
                && has_reason(status, "Suspended");
            let state = if undeployed { "CREATED" } else { "SUSPENDED" };
            status["operation"].is_null() && status["lifecycleState"] == state && no_pods()
        }
        Goal::Waiting(reason) => has_reason(status, reason),
        Goal::Ended(state) => settled && status["jobStatus"]["state"] == **state,
        Goal::Gone | Goal::OneOf(_) => false,
    }
}

/// Tells whether the resource of a sweep is where its change leads.
///
/// Where the change replaces the cluster, what runs must not be what ran before: none of these changes leaves the
/// Deployment in place, and for a moment everything still looks as before.
pub fn arrived(world: &World, goal: &Goal, replaced: Option<&str>) -> bool {
    if let Goal::OneOf(goals) = goal {
        return goals.iter().any(|goal| arrived(world, goal, replaced));
    }
    let now = deployment(world);
    let is_new = match goal {
        Goal::Running => now.is_some() && (replaced.is_none() || now.as_deref() != replaced),
        Goal::Suspended | Goal::Gone => now.is_none(),
        Goal::Waiting(_) | Goal::Ended(_) | Goal::OneOf(_) => true,
    };
    is_new && reached(world, NAME, goal)
}

/// Gives the uid of the JobManager Deployment.
pub fn deployment(world: &World) -> Option<String> {
    let found = world.api.look("Deployment", NAMESPACE, NAME)?;
    found["metadata"]["uid"].as_str().map(str::to_owned)
}

/// Tells whether a condition gives a reason.
pub fn has_reason(status: &Value, reason: &str) -> bool {
    let conditions = status["conditions"].as_array();
    conditions.is_some_and(|all| all.iter().any(|condition| condition["reason"] == *reason))
}
