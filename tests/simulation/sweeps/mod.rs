//! The changes that are swept.

mod stops;

use flink_operator_oracle::history::Goal;
use flink_operator_world::cluster::World;
use serde_json::{Value, json};

use crate::play::{NAME, NAMESPACE, application, highly_available, pass};
use crate::sweep::{Before, Sweep};

pub use stops::*;

/// The user creates a resource.
pub fn create() -> Sweep {
    Sweep::new(
        "create",
        application,
        Before::Nothing,
        |world| create_it(world, application()),
        Goal::Running,
    )
}

pub fn create_with_ha() -> Sweep {
    let change = |world: &World| create_it(world, highly_available());
    Sweep::new(
        "create_with_ha",
        highly_available,
        Before::Nothing,
        change,
        Goal::Running,
    )
}

/// The user creates a resource of a name that had a cluster before, whose job graph is still in its HA data.
pub fn create_beside_an_old_graph() -> Sweep {
    fn change(world: &World) {
        let graph = "jobGraph-0123456789abcdef0123456789abcdef";
        let left = world.api.create(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": format!("{NAME}-cluster-config-map"), "namespace": NAMESPACE,
                "labels": { "app": NAME, "type": "flink-native-kubernetes", "configmap-type": "high-availability" },
            },
            "data": { graph: "rO0ABX" },
        }));
        left.expect("nothing is there yet");
        create_it(world, highly_available());
    }
    Sweep::new(
        "create_beside_an_old_graph",
        highly_available,
        Before::Nothing,
        change,
        Goal::Running,
    )
}

/// The user says the job's id: all attempts have the same content then, and only their ids tell them apart.
pub fn create_with_own_job_id() -> Sweep {
    fn resource() -> Value {
        let mut resource = application();
        resource["spec"]["flinkConfiguration"]["$internal.pipeline.job-id"] =
            json!("0123456789abcdef0123456789abcdef");
        resource
    }
    Sweep::new(
        "create_with_own_job_id",
        resource,
        Before::Nothing,
        |world| create_it(world, resource()),
        Goal::Running,
    )
}

/// The user edits a spec that keeps no state.
pub fn edit() -> Sweep {
    Sweep::new("edit", application, Before::Stable, scale, Goal::Running)
}

pub fn edit_with_ha() -> Sweep {
    Sweep::new(
        "edit_with_ha",
        highly_available,
        Before::Stable,
        scale,
        Goal::Running,
    )
}

/// The same, and eight seconds later the old JobManager dies, if it is still there. That is so only in plans whose
/// fault holds the operator up: what Flink said can't be asked again then, and counts only if it was stored.
pub fn edit_with_ha_and_loss() -> Sweep {
    Sweep::new(
        "edit_with_ha_and_loss",
        highly_available,
        Before::Stable,
        scale_and_lose,
        Goal::Running,
    )
}

/// The user suspends a job.
pub fn suspend() -> Sweep {
    Sweep::new(
        "suspend",
        application,
        Before::Stable,
        |world| set_state(world, "suspended"),
        Goal::Suspended,
    )
}

pub fn suspend_with_ha() -> Sweep {
    let change = |world: &World| set_state(world, "suspended");
    Sweep::new(
        "suspend_with_ha",
        highly_available,
        Before::Stable,
        change,
        Goal::Suspended,
    )
}

/// The user resumes a suspended job.
pub fn resume() -> Sweep {
    Sweep::new(
        "resume",
        application,
        Before::Suspended,
        |world| set_state(world, "running"),
        Goal::Running,
    )
}

pub fn resume_with_ha() -> Sweep {
    let change = |world: &World| set_state(world, "running");
    Sweep::new(
        "resume_with_ha",
        highly_available,
        Before::Suspended,
        change,
        Goal::Running,
    )
}

/// The user deletes a resource whose job runs.
pub fn delete() -> Sweep {
    Sweep::new("delete", application, Before::Stable, delete_it, Goal::Gone)
}

pub fn delete_with_ha() -> Sweep {
    Sweep::new(
        "delete_with_ha",
        highly_available,
        Before::Stable,
        delete_it,
        Goal::Gone,
    )
}

/// Somebody deletes the JobManager Deployment of a running job.
pub fn job_manager_lost() -> Sweep {
    Sweep::new(
        "job_manager_lost",
        application,
        Before::Stable,
        lose_job_manager,
        Goal::Running,
    )
}

/// The same with high availability: recovery from its data is not there yet, and nothing else may be done.
pub fn job_manager_lost_with_ha() -> Sweep {
    let goal = Goal::Waiting("JobManagerMissing".to_owned());
    Sweep::new(
        "job_manager_lost_with_ha",
        highly_available,
        Before::Stable,
        lose_job_manager,
        goal,
    )
}

pub fn create_it(world: &World, resource: Value) {
    world
        .api
        .create(resource)
        .expect("the resource is valid and new");
}

pub fn set_state(world: &World, state: &str) {
    edit_it(world, |spec| spec["job"]["state"] = json!(state));
}

fn scale(world: &World) {
    edit_it(world, |spec| spec["job"]["parallelism"] = json!(4));
}

fn scale_and_lose(world: &World) {
    let deployment = |world: &World| {
        let found = world.api.look("Deployment", NAMESPACE, NAME)?;
        let metadata = &found["metadata"];
        metadata["deletionTimestamp"]
            .is_null()
            .then(|| metadata["uid"].clone())
    };
    let before = deployment(world);
    scale(world);
    let world = world.clone();
    tokio::task::spawn_local(async move {
        pass(8.0).await;
        if before.is_some() && deployment(&world) == before {
            world.cluster.kill_job_manager(NAMESPACE, NAME);
        }
    });
}

fn edit_it(world: &World, change: impl FnOnce(&mut Value)) {
    let edited = world
        .api
        .update("FlinkDeployment", NAMESPACE, NAME, |resource| {
            change(&mut resource["spec"]);
        });
    edited.expect("the resource is there");
}

fn delete_it(world: &World) {
    world
        .api
        .delete("FlinkDeployment", NAMESPACE, NAME)
        .expect("the resource is there");
}

fn lose_job_manager(world: &World) {
    world
        .api
        .delete("Deployment", NAMESPACE, NAME)
        .expect("the Deployment is there");
}
