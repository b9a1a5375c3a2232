//! Schemas as a Kubernetes API server takes them.

use k8s_openapi::api::core::v1::Pod;
use schemars::{JsonSchema, Schema, SchemaGenerator};

/// Returns the schema of a Pod in which nothing is required.
pub(crate) fn pod(generator: &mut SchemaGenerator) -> Schema {
    Pod::json_schema(generator)
}
