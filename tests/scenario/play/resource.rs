//! Resources as users write them.

use serde_json::{Value, json};

/// Namespace of the resource that most plays are about.
pub(crate) const NAMESPACE: &str = "default";
/// Name of the resource that most plays are about.
pub(crate) const NAME: &str = "basic";

/// A stateless application on Flink 1.20, small and complete.
pub(crate) fn application() -> Value {
    json!({
        "apiVersion": "flink.apache.org/v1beta1",
        "kind": "FlinkDeployment",
        "metadata": { "name": NAME, "namespace": NAMESPACE },
        "spec": {
            "image": "flink:1.20",
            "flinkVersion": "v1_20",
            "serviceAccount": "flink",
            "flinkConfiguration": { "taskmanager.numberOfTaskSlots": "2" },
            "jobManager": { "resource": { "memory": "2048m", "cpu": 1 } },
            "taskManager": { "resource": { "memory": "2048m", "cpu": 1 } },
            "job": {
                "jarURI": "local:///opt/flink/examples/streaming/StateMachineExample.jar",
                "parallelism": 2,
                "upgradeMode": "stateless",
            },
        },
    })
}

/// The same with high availability, which leaves data behind that an end without state has to remove.
pub(crate) fn highly_available() -> Value {
    let mut resource = with_ha(application());
    let configuration = &mut resource["spec"]["flinkConfiguration"];
    configuration["execution.checkpointing.interval"] = json!("10 s");
    configuration["state.checkpoints.dir"] = json!("file:///cp");
    resource
}

/// An application that keeps its state by savepoints, and takes checkpoints.
pub(crate) fn keeping() -> Value {
    let mut resource = application();
    resource["spec"]["job"]["upgradeMode"] = json!("savepoint");
    let configuration = &mut resource["spec"]["flinkConfiguration"];
    configuration["execution.checkpointing.interval"] = json!("10 s");
    configuration["state.checkpoints.dir"] = json!("file:///cp");
    configuration["state.savepoints.dir"] = json!("file:///sp");
    resource
}

/// Gives a resource high availability.
pub(crate) fn with_ha(mut resource: Value) -> Value {
    let configuration = &mut resource["spec"]["flinkConfiguration"];
    configuration["high-availability.type"] = json!("kubernetes");
    configuration["high-availability.storageDir"] = json!("file:///ha");
    resource
}
