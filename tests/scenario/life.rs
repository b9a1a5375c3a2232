//! One job's life: creation, edits, suspension, loss, deletion.

use super::*;
use serde_json::json;

fn job_id(world: &World) -> Value {
    resource(world).unwrap()["status"]["jobStatus"]["jobId"].clone()
}

#[test]
fn a_deployment_is_stable_within_seconds_and_its_job_is_the_only_one() {
    in_virtual_time(async {
        let world = world();
        let _operator = Operator::start(&world, "op-1");
        world.api.create(application()).unwrap();
        until_stable(&world).await;
        assert_eq!(world.cluster.runs().len(), 1);
        assert_eq!(reason(&world, "Ready"), "JobRunning");
    });
}

#[test]
fn an_edit_ends_the_old_job_before_the_new_one_starts() {
    in_virtual_time(async {
        let world = world();
        let _operator = Operator::start(&world, "op-1");
        world.api.create(application()).unwrap();
        until_stable(&world).await;
        let old = job_id(&world);
        edit(&world, |spec| spec["job"]["parallelism"] = json!(4));
        until_stable(&world).await;
        assert_ne!(job_id(&world), old);
        let verdict = world.verdict(|instance| instance.starts_with("op"), None);
        assert!(verdict.violations.is_empty(), "{}", verdict.complaint());
    });
}

#[test]
fn a_restart_nonce_starts_the_job_again() {
    in_virtual_time(async {
        let world = world();
        let _operator = Operator::start(&world, "op-1");
        world.api.create(application()).unwrap();
        until_stable(&world).await;
        let old = job_id(&world);
        edit(&world, |spec| spec["restartNonce"] = json!(1));
        until_stable(&world).await;
        assert_ne!(job_id(&world), old);
    });
}

#[test]
fn a_suspended_job_leaves_nothing_and_comes_back() {
    in_virtual_time(async {
        let world = world();
        let _operator = Operator::start(&world, "op-1");
        world.api.create(highly_available()).unwrap();
        until_stable(&world).await;
        edit(&world, |spec| spec["job"]["state"] = json!("suspended"));
        until_so(&world, "SUSPENDED", |world| lifecycle(world) == "SUSPENDED").await;
        assert!(world.api.list("Deployment", NAMESPACE).is_empty());
        let left: Vec<_> = world.api.list("ConfigMap", NAMESPACE);
        let left: Vec<_> = left
            .iter()
            .filter_map(|map| map["metadata"]["name"].as_str())
            .collect();
        assert!(
            left.iter().all(|name| !name.starts_with("basic-")),
            "{left:?}"
        );
        edit(&world, |spec| spec["job"]["state"] = json!("running"));
        until_stable(&world).await;
    });
}

#[test]
fn a_lost_stateless_cluster_is_recovered() {
    in_virtual_time(async {
        let world = world();
        let _operator = Operator::start(&world, "op-1");
        world.api.create(application()).unwrap();
        until_stable(&world).await;
        world.api.delete("Deployment", NAMESPACE, NAME).unwrap();
        until_so(&world, "recovered", |world| {
            told(world, "RecoverDeployment") && world.cluster.runs().len() == 2
        })
        .await;
        until_stable(&world).await;
    });
}

#[test]
fn a_deletion_leaves_nothing_of_the_resource() {
    in_virtual_time(async {
        let world = world();
        let _operator = Operator::start(&world, "op-1");
        world.api.create(application()).unwrap();
        until_stable(&world).await;
        world
            .api
            .delete("FlinkDeployment", NAMESPACE, NAME)
            .unwrap();
        until_so(&world, "gone", |world| resource(world).is_none()).await;
        assert!(world.api.list("Pod", NAMESPACE).is_empty());
        let verdict = world.verdict(|instance| instance.starts_with("op"), None);
        assert!(verdict.violations.is_empty(), "{}", verdict.complaint());
    });
}

#[test]
fn another_operator_goes_on_where_one_was_killed() {
    in_virtual_time(async {
        let world = world();
        let first = Operator::start(&world, "op-1");
        world.api.create(application()).unwrap();
        until_so(&world, "begun", |world| {
            world.api.get("Deployment", NAMESPACE, NAME).is_some()
        })
        .await;
        first.crash();
        let _second = Operator::start(&world, "op-2");
        until_stable(&world).await;
        assert_eq!(world.cluster.runs().len(), 1);
    });
}
