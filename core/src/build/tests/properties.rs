//! What holds for every valid spec.

use proptest::prelude::*;
use serde_json::Map;

use super::*;

fn option_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[ -~]{0,12}".prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::collection::vec("[a-z;']{1,4}", 0..3).prop_map(Value::from),
    ]
}

prop_compose! {
    /// Any spec that is valid, by its parts.
    fn any_spec()(
        version in prop::sample::select(flink_operator_api::FlinkVersion::WORDS.to_vec()),
        memory in 1024..8192_u32,
        cpu in 0.1..8.0_f64,
        parallelism in 1..100_i32,
        args in prop::collection::vec("[ -~]{0,8}", 0..4),
        session in any::<bool>(),
        high in any::<bool>(),
        user in prop::collection::btree_map("user\\.[a-c]{1,4}", option_value(), 0..5),
        labels in prop::collection::btree_map("[a-z]{1,5}", "[a-z]{0,5}", 0..3),
    ) -> FlinkDeploymentSpec {
        let mut options: Map<String, Value> = user.into_iter().collect();
        if high {
            options.insert("high-availability.type".to_owned(), json!("kubernetes"));
            options.insert("high-availability.storageDir".to_owned(), json!("s3://ha"));
        }
        let job = json!({ "jarURI": "local:///j.jar", "parallelism": parallelism, "args": args });
        spec(json!({
            "flinkVersion": version,
            "flinkConfiguration": options,
            "podTemplate": { "metadata": { "labels": labels } },
            "jobManager": { "resource": { "cpu": cpu, "memory": format!("{memory}m") } },
            "taskManager": { "resource": { "cpu": cpu, "memory": format!("{memory} mb") } },
            "job": if session { Value::Null } else { job },
        }))
    }
}

proptest! {
    #[test]
    fn the_same_inputs_give_the_same_bytes(spec in any_spec()) {
        let stored: FlinkDeploymentSpec =
            serde_json::from_str(&serde_json::to_string(&spec).unwrap()).unwrap();
        let build = |spec: &FlinkDeploymentSpec| {
            let built = effective(spec, &meta(), &settings(&[]), &submission(Restore::LastState)).unwrap();
            render(&built).unwrap()
        };
        let (one, two) = (build(&spec), build(&stored));
        prop_assert_eq!(one.hash(), two.hash());
        prop_assert_eq!(
            canonical_json(&Value::Array(one.with_owner("u"))),
            canonical_json(&Value::Array(two.with_owner("u")))
        );
    }

    #[test]
    fn every_option_reaches_the_cluster_as_it_is(spec in any_spec()) {
        let built =
            effective(&spec, &meta(), &settings(&[]), &submission(Restore::Nothing)).unwrap();
        let children = render(&built).unwrap();
        let data = &children.dependents().last().unwrap()["data"];
        if let Some(text) = data["config.yaml"].as_str() {
            let read = crate::config::nested::read(text).unwrap();
            for (key, value) in built.config.iter().filter(|(key, _)| key.starts_with("user.")) {
                prop_assert_eq!(read.text(key), Some(value));
            }
        }
    }
}
