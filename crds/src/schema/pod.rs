//! The schemas of templates: a complete Pod, and metadata, in which nothing is required.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::transform::Transform;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use super::{NOT_IN_THE_CONTRACT, WithoutKeywords, inlined};

/// Keywords of the Pod schema that are left out beyond those that no schema has here. Descriptions would
/// make the CRD larger than etcd takes; the keys of a list would have to be required, but a template
/// may leave them to the other template that it is merged with.
const NOT_IN_TEMPLATES: [&str; 4] = [
    "description",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-map-type",
];

/// Returns the schema of a Pod in which nothing is required.
pub(crate) fn pod() -> Schema {
    let mut schema = in_template::<Pod>();
    for field in newer_fields() {
        // Once Kubernetes' own types have the field, theirs counts.
        properties_at(&mut schema, &field.of)
            .entry(field.name)
            .or_insert(field.schema);
    }
    schema
}

/// Returns the schema of metadata that is no object's own: that of a template.
pub(crate) fn object_meta() -> Schema {
    in_template::<ObjectMeta>()
}

/// Returns the schema of a type of Kubernetes' own, as it can stand in a template.
fn in_template<T: JsonSchema>() -> Schema {
    let mut schema = inlined::<T>();
    WithoutKeywords(&NOT_IN_THE_CONTRACT).transform(&mut schema);
    WithoutKeywords(&NOT_IN_TEMPLATES).transform(&mut schema);
    schema
}

/// A field of a Pod that the Kubernetes types built in here do not have yet.
struct NewerField {
    /// The object that it belongs to, from the Pod downwards.
    of: Vec<&'static str>,
    name: &'static str,
    schema: Value,
}

/// Lists what upstream's Pod schema, which is that of Kubernetes 1.36, has beyond ours.
fn newer_fields() -> Vec<NewerField> {
    let field = |of: &[&'static str], name, schema| NewerField {
        of: of.to_vec(),
        name,
        schema,
    };
    let text = || json!({ "type": "string" });
    let object = |properties: Value| json!({ "type": "object", "properties": properties });
    let list = |items: Value| json!({ "type": "array", "items": items });

    let amounts = json!({
        "type": "object",
        "additionalProperties": { "x-kubernetes-int-or-string": true },
    });
    let claim = object(json!({
        "containers": list(text()), "resourceClaimName": text(), "resources": amounts,
    }));
    let image = object(json!({ "imageRef": text() }));
    let volume = object(json!({ "image": image }));

    let mut fields = vec![
        field(
            &["spec"],
            "schedulingGroup",
            object(json!({ "podGroupName": text() })),
        ),
        field(
            &["status"],
            "nodeAllocatableResourceClaimStatuses",
            list(claim),
        ),
    ];
    for containers in [
        "containerStatuses",
        "ephemeralContainerStatuses",
        "initContainerStatuses",
    ] {
        let resources = [
            "status",
            containers,
            "allocatedResourcesStatus",
            "resources",
        ];
        fields.push(field(&resources, "message", text()));
        fields.push(field(
            &["status", containers, "volumeMounts"],
            "volumeStatus",
            volume.clone(),
        ));
    }
    fields
}

/// Finds the properties of the object at a path, stepping into the items of lists.
fn properties_at<'a>(
    schema: &'a mut Schema,
    path: &[&str],
) -> &'a mut serde_json::Map<String, Value> {
    const KNOWN: &str = "the Pod schema has the objects that newer fields are put into";
    let mut object = schema.as_object_mut().expect(KNOWN);
    for name in path {
        object = object
            .get_mut("properties")
            .and_then(|properties| properties.get_mut(*name))
            .and_then(Value::as_object_mut)
            .expect(KNOWN);
        if object.contains_key("items") {
            object = object
                .get_mut("items")
                .and_then(Value::as_object_mut)
                .expect(KNOWN);
        }
    }
    object
        .get_mut("properties")
        .and_then(Value::as_object_mut)
        .expect(KNOWN)
}
