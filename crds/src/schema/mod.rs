//! Schemas as a Kubernetes API server and upstream's users take them.
//!
//! What the types derive is stricter than the contract: upstream's schemas require nothing, default
//! nothing, know no null and no number format. Defaults in particular must stay out: the API server
//! would store them, and a stored spec that changes by itself redeploys jobs.

mod pod;

use std::borrow::Cow;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

pub(crate) use pod::{object_meta, pod};

use crate::{
    FlinkBlueGreenDeployment, FlinkBlueGreenDeploymentSpec, FlinkBlueGreenDeploymentStatus,
    FlinkDeployment, FlinkDeploymentSpec, FlinkDeploymentStatus, FlinkSessionJob,
    FlinkSessionJobSpec, FlinkSessionJobStatus, FlinkStateSnapshot, FlinkStateSnapshotSpec,
    FlinkStateSnapshotStatus,
};

/// Keywords that the contract does not use at any level.
const NOT_IN_THE_CONTRACT: [&str; 5] = ["default", "format", "nullable", "required", "title"];

/// Gives a kind the schema of its spec and status.
macro_rules! schema_of {
    ($kind:ident, $spec:ty, $status:ty, $description:literal) => {
        impl JsonSchema for $kind {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($kind).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                resource::<$spec, $status>($description)
            }
        }
    };
}

schema_of!(
    FlinkDeployment,
    FlinkDeploymentSpec,
    FlinkDeploymentStatus,
    "A Flink cluster on Kubernetes: an application cluster with its job, or a session cluster."
);
schema_of!(
    FlinkSessionJob,
    FlinkSessionJobSpec,
    FlinkSessionJobStatus,
    "A Flink job on a session cluster."
);
schema_of!(
    FlinkStateSnapshot,
    FlinkStateSnapshotSpec,
    FlinkStateSnapshotStatus,
    "A savepoint or checkpoint of a Flink job."
);
schema_of!(
    FlinkBlueGreenDeployment,
    FlinkBlueGreenDeploymentSpec,
    FlinkBlueGreenDeploymentStatus,
    "A Flink application whose changes go from a blue cluster to a green one and back."
);

/// Returns the schema of a custom resource.
fn resource<Spec: JsonSchema, Status: JsonSchema>(description: &str) -> Schema {
    let mut schema = json_schema!({
        "description": description,
        "type": "object",
        "properties": { "spec": inlined::<Spec>(), "status": inlined::<Status>() },
    });
    WithoutKeywords(&NOT_IN_THE_CONTRACT).transform(&mut schema);
    OneLineDescriptions.transform(&mut schema);
    RequiredListKeys.transform(&mut schema);
    schema
}

/// Removes what kube puts back on its way from our schema to the definition.
pub(crate) fn without_additions(schema: JSONSchemaProps) -> JSONSchemaProps {
    const SCHEMA: &str = "a schema stays one when keywords are removed";
    let value = serde_json::to_value(schema).expect(SCHEMA);
    let mut schema = Schema::try_from(value).expect(SCHEMA);
    WithoutKeywords(&["nullable", "title"]).transform(&mut schema);
    serde_json::from_value(schema.to_value()).expect(SCHEMA)
}

/// Returns the schema of a type without references: a CRD cannot hold definitions.
fn inlined<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::openapi3().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings
        .with_transform(OptionIsAbsence)
        .into_generator()
        .into_root_schema_for::<T>()
}

/// Removes keywords at every level.
struct WithoutKeywords(&'static [&'static str]);

impl Transform for WithoutKeywords {
    fn transform(&mut self, schema: &mut Schema) {
        for keyword in self.0 {
            schema.remove(*keyword);
        }
        transform_subschemas(self, schema);
    }
}

/// Turns "this or null", which is how an `Option` is derived, into "this": null means absent, and the
/// API server drops it on its own.
#[derive(Clone)]
struct OptionIsAbsence;

impl Transform for OptionIsAbsence {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        if let Some(types) = schema
            .get_mut("type")
            .and_then(|types| types.as_array_mut())
        {
            types.retain(|name| name != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                schema.insert("type".to_owned(), only);
            }
        }
        if let Some(values) = schema
            .get_mut("enum")
            .and_then(|values| values.as_array_mut())
        {
            values.retain(|value| !value.is_null());
        }
        if let Some(serde_json::Value::Array(mut choices)) = schema.remove("anyOf") {
            choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
            choices.retain(|choice| {
                choice
                    .get("enum")
                    .is_none_or(|values| *values != serde_json::json!([null]))
            });
            let choice = choices.pop().filter(|_| choices.is_empty());
            let choice = choice.expect("no type of this crate is one of several forms");
            for (keyword, value) in choice.as_object().into_iter().flatten() {
                // The field's own description stands before its type's.
                if schema.get(keyword).is_none() {
                    schema.insert(keyword.clone(), value.clone());
                }
            }
        }
    }
}

/// Joins the lines into which source code breaks a description.
struct OneLineDescriptions;

impl Transform for OneLineDescriptions {
    fn transform(&mut self, schema: &mut Schema) {
        let description = schema.get("description").and_then(|text| text.as_str());
        if let Some(joined) = description.map(|text| text.replace("\n\n", " ").replace('\n', " ")) {
            schema.insert("description".to_owned(), joined.into());
        }
        transform_subschemas(self, schema);
    }
}

/// Requires the keys of lists that merge by key, as the API server insists. The one such list is
/// `conditions`, and upstream always writes its key.
struct RequiredListKeys;

impl Transform for RequiredListKeys {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(keys) = schema.get("x-kubernetes-list-map-keys").cloned() else {
            return;
        };
        if let Some(items) = schema
            .get_mut("items")
            .and_then(|items| items.as_object_mut())
        {
            items.insert("required".to_owned(), keys);
        }
    }
}
