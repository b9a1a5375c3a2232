//! What cannot be done yet waits, says so, and disturbs nothing.

use super::*;
use serde_json::json;

fn stateful() -> Value {
    let mut resource = highly_available();
    resource["spec"]["job"]["upgradeMode"] = json!("savepoint");
    resource["spec"]["flinkConfiguration"]["state.savepoints.dir"] = json!("file:///sp");
    resource
}

#[test]
fn a_stateful_edit_waits_while_the_job_runs_on() {
    in_virtual_time(async {
        let world = world();
        let _operator = Operator::start(&world, "op-1");
        world.api.create(stateful()).unwrap();
        until_stable(&world).await;
        edit(&world, |spec| spec["job"]["parallelism"] = json!(4));
        until_so(&world, "waiting", |world| {
            reason(world, "Progressing") == "StatefulUpgradeNotAvailable"
        })
        .await;
        pass(60.0).await;
        assert_eq!(world.cluster.runs().len(), 1);
        assert_eq!(lifecycle(&world), "STABLE");
        assert!(told(&world, "StatefulUpgradeNotAvailable"));
    });
}

#[test]
fn a_start_from_a_savepoint_waits_before_anything_is_created() {
    in_virtual_time(async {
        let world = world();
        let _operator = Operator::start(&world, "op-1");
        let mut resource = application();
        resource["spec"]["job"]["initialSavepointPath"] = json!("file:///sp/1");
        world.api.create(resource).unwrap();
        until_so(&world, "waiting", |world| {
            reason(world, "Progressing") == "StatefulUpgradeNotAvailable"
        })
        .await;
        pass(60.0).await;
        assert!(world.api.list("Deployment", NAMESPACE).is_empty());
    });
}

#[test]
fn session_clusters_say_that_they_are_not_carried_out() {
    in_virtual_time(async {
        let world = world();
        let _operator = Operator::start(&world, "op-1");
        let mut resource = application();
        resource["spec"].as_object_mut().unwrap().remove("job");
        world.api.create(resource).unwrap();
        until_so(&world, "said", |world| {
            reason(world, "Progressing") == "NotSupported"
        })
        .await;
    });
}

#[test]
fn a_lost_cluster_with_high_availability_waits_and_keeps_its_data() {
    in_virtual_time(async {
        let world = world();
        let _operator = Operator::start(&world, "op-1");
        world.api.create(highly_available()).unwrap();
        until_stable(&world).await;
        world.api.delete("Deployment", NAMESPACE, NAME).unwrap();
        until_so(&world, "waiting", |world| {
            reason(world, "Progressing") == "JobManagerMissing"
        })
        .await;
        pass(60.0).await;
        assert_eq!(world.cluster.runs().len(), 1);
        assert!(
            world
                .api
                .get("ConfigMap", NAMESPACE, "basic-cluster-config-map")
                .is_some()
        );
    });
}

#[test]
fn somebody_elses_service_is_named_and_left_alone() {
    in_virtual_time(async {
        let world = world();
        let _operator = Operator::start(&world, "op-1");
        let labels = json!({ "app": NAME });
        let service = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": "basic-rest", "namespace": NAMESPACE, "labels": labels },
            "spec": { "ports": [{ "port": 80 }] },
        });
        world.api.create(service).unwrap();
        world.api.create(application()).unwrap();
        until_so(&world, "named", |world| {
            reason(world, "Degraded") == "NameTaken"
        })
        .await;
        pass(30.0).await;
        assert!(world.api.get("Service", NAMESPACE, "basic-rest").is_some());
        assert!(world.api.list("Deployment", NAMESPACE).is_empty());
        world
            .api
            .delete("Service", NAMESPACE, "basic-rest")
            .unwrap();
        until_stable(&world).await;
    });
}
