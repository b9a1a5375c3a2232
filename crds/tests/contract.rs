//! What the schema accepts can be read, and reading and writing it back loses nothing.
//!
//! The random objects are made from the schema itself, so that a field which is in the schema but not
//! in the types, or is read and not written, cannot hide.

#![allow(clippy::unwrap_used)]

use std::sync::LazyLock;

use flink_operator_api::{
    FlinkBlueGreenDeploymentSpec, FlinkBlueGreenDeploymentStatus, FlinkDeploymentSpec,
    FlinkDeploymentStatus, FlinkSessionJobSpec, FlinkSessionJobStatus, FlinkStateSnapshotSpec,
    FlinkStateSnapshotStatus, crds,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Makes random values that a schema accepts.
fn accepted(schema: &JSONSchemaProps) -> BoxedStrategy<Value> {
    if let Some(words) = &schema.enum_ {
        let words: Vec<Value> = words.iter().map(|word| word.0.clone()).collect();
        return prop::sample::select(words).boxed();
    }
    if schema.x_kubernetes_int_or_string == Some(true) {
        return prop_oneof![
            any::<i64>().prop_map(Value::from),
            "[0-9]{1,4}(m|Mi|)".prop_map(Value::from)
        ]
        .boxed();
    }
    if schema.x_kubernetes_preserve_unknown_fields == Some(true) {
        return options().boxed();
    }
    match schema.type_.as_deref() {
        Some("string") => "[ -~é]{0,12}".prop_map(Value::from).boxed(),
        // 32 bits: wider ones are accepted and cannot be read, as upstream.
        Some("integer") => any::<i32>().prop_map(Value::from).boxed(),
        Some("number") => (-1000_i32..1000)
            .prop_map(|n| json!(f64::from(n) / 8.0))
            .boxed(),
        Some("boolean") => any::<bool>().prop_map(Value::from).boxed(),
        Some("array") => {
            let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items else {
                panic!("a list has one schema for its items")
            };
            prop::collection::vec(accepted(items), 0..3)
                .prop_map(Value::from)
                .boxed()
        }
        Some("object") => object(schema),
        other => panic!("no values of type {other:?}"),
    }
}

fn object(schema: &JSONSchemaProps) -> BoxedStrategy<Value> {
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
        let entries = prop::collection::btree_map("[a-z./]{1,8}", accepted(values), 0..3);
        return entries
            .prop_map(|map| Value::Object(map.into_iter().collect()))
            .boxed();
    }
    let required = schema.required.as_deref().unwrap_or_default();
    let fields = schema.properties.iter().flatten().map(|(name, property)| {
        let value = match name.as_str() {
            // Raw JSON; random pods from their thousands of fields would take minutes.
            "podTemplate" | "metadata" => options().boxed(),
            _ => accepted(property),
        };
        let value = if required.contains(name) {
            value.prop_map(Some).boxed()
        } else {
            prop::option::of(value).boxed()
        };
        (Just(name.clone()), value)
    });
    fields
        .collect::<Vec<_>>()
        .prop_map(|fields| {
            let set = fields
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)));
            Value::Object(set.collect::<Map<_, _>>())
        })
        .boxed()
}

/// Makes random maps, as Flink options are: flat and nested, of every scalar type.
fn options() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z]{0,5}".prop_map(Value::from),
        Just(Value::Null),
    ];
    let nested = scalar.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z.]{1,6}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::btree_map("[a-z.]{1,10}", nested, 0..3)
        .prop_map(|map| Value::Object(map.into_iter().collect()))
}

/// The definitions; making them takes longer than a case.
static CRDS: LazyLock<Vec<CustomResourceDefinition>> = LazyLock::new(crds);

/// Returns the schema of `spec` or `status` of a kind, without the named fields.
fn schema_of(kind: &str, part: &str, without: &[&str]) -> JSONSchemaProps {
    let crd = CRDS.iter().find(|crd| crd.spec.names.kind == kind).unwrap();
    let validation = crd.spec.versions[0].schema.as_ref().unwrap();
    let root = validation.open_api_v3_schema.as_ref().unwrap();
    let mut schema = root.properties.as_ref().unwrap()[part].clone();
    schema
        .properties
        .as_mut()
        .unwrap()
        .retain(|name, _| !without.contains(&name.as_str()));
    schema
}

/// Writes the defaults into a spec that reading fills in, and removes what writing leaves out.
fn with_defaults(mut spec: Value, kind: &str) -> Value {
    if let Some(job) = spec.get_mut("job").and_then(Value::as_object_mut) {
        job.entry("state").or_insert(json!("running"));
        job.entry("upgradeMode").or_insert(json!("stateless"));
        job.retain(|name, value| {
            !(name == "args" && *value == json!([]) || name == "parallelism" && *value == json!(0))
        });
    }
    if let Some(job_manager) = spec.get_mut("jobManager").and_then(Value::as_object_mut) {
        job_manager.entry("replicas").or_insert(json!(1));
    }
    if spec.get("flinkConfiguration") == Some(&json!({})) {
        spec.as_object_mut().unwrap().remove("flinkConfiguration");
    }
    if let Some(inner) = spec
        .get_mut("template")
        .and_then(|template| template.get_mut("spec"))
    {
        *inner = with_defaults(inner.take(), "FlinkDeployment");
    }
    if kind == "FlinkStateSnapshot" {
        let fields = spec.as_object_mut().unwrap();
        fields.entry("backoffLimit").or_insert(json!(-1));
        if let Some(savepoint) = fields.get_mut("savepoint").and_then(Value::as_object_mut) {
            savepoint.entry("formatType").or_insert(json!("CANONICAL"));
            savepoint.entry("disposeOnDelete").or_insert(json!(true));
            savepoint.entry("alreadyExists").or_insert(json!(false));
        }
    }
    spec
}

/// Puts explicit nulls, as the Java operator writes them, where a field is absent.
fn with_nulls(mut value: Value, schema: &JSONSchemaProps) -> Value {
    let Some(object) = value.as_object_mut() else {
        return value;
    };
    for (name, property) in schema.properties.iter().flatten() {
        // The free form, pods and metadata hold what the user wrote; nulls there are values.
        if matches!(
            name.as_str(),
            "flinkConfiguration" | "podTemplate" | "metadata"
        ) {
            continue;
        }
        let field = object
            .remove(name)
            .map_or(Value::Null, |field| with_nulls(field, property));
        object.insert(name.clone(), field);
    }
    value
}

/// Says whether what a schema accepts is read and kept, in a kind's spec or status.
macro_rules! kept {
    ($test:ident, $kind:literal, $spec:ty, $status:ty) => {
        mod $test {
            use super::*;

            static SPEC: LazyLock<JSONSchemaProps> =
                LazyLock::new(|| schema_of($kind, "spec", &[]));

            /// What only this operator writes has a form of its own, tried in `statuses.rs`.
            static STATUS: LazyLock<JSONSchemaProps> =
                LazyLock::new(|| schema_of($kind, "status", &["operation", "cluster", "lineage"]));

            /// A condition without its type cannot be stored; elsewhere null is absence.
            static PADDED_STATUS: LazyLock<JSONSchemaProps> =
                LazyLock::new(|| schema_of($kind, "status", &["conditions"]));

            proptest! {
                #![proptest_config(ProptestConfig {
                    cases: 64,
                    failure_persistence: None,
                    ..Default::default()
                })]

                #[test]
                fn any_accepted_spec(spec in accepted(&SPEC)) {
                    let read: $spec = serde_json::from_value(spec.clone()).unwrap();
                    let written = serde_json::to_value(&read).unwrap();
                    prop_assert_eq!(written, with_defaults(spec.clone(), $kind));

                    let padded = with_nulls(spec, &SPEC);
                    prop_assert_eq!(serde_json::from_value::<$spec>(padded).unwrap(), read);
                }

                #[test]
                fn any_accepted_status(status in accepted(&STATUS)) {
                    let read: $status = serde_json::from_value(status.clone()).unwrap();
                    prop_assert_eq!(serde_json::to_value(&read).unwrap(), status.clone());

                    let padded = with_nulls(status, &PADDED_STATUS);
                    prop_assert_eq!(serde_json::from_value::<$status>(padded).unwrap(), read);
                }
            }
        }
    };
}

kept!(
    a_deployment_is_read_and_kept,
    "FlinkDeployment",
    FlinkDeploymentSpec,
    FlinkDeploymentStatus
);
kept!(
    a_session_job_is_read_and_kept,
    "FlinkSessionJob",
    FlinkSessionJobSpec,
    FlinkSessionJobStatus
);
kept!(
    a_snapshot_is_read_and_kept,
    "FlinkStateSnapshot",
    FlinkStateSnapshotSpec,
    FlinkStateSnapshotStatus
);
kept!(
    a_blue_green_deployment_is_read_and_kept,
    "FlinkBlueGreenDeployment",
    FlinkBlueGreenDeploymentSpec,
    FlinkBlueGreenDeploymentStatus
);
