//! The fields of the kinds, by name, type and words, are those of the contract.
//!
//! `fields.txt` is not generated: it is upstream's contract and our additions to it written down once
//! more, so that a slip in the types cannot pass as a new version of the generated files. A line is
//! the path (`[]` items of a list, `{}` values of a map), the type, and the words of an enum.

#![allow(clippy::unwrap_used)]

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

fn list(path: &str, schema: &JSONSchemaProps, lines: &mut Vec<String>) {
    if path.ends_with("podTemplate") {
        lines.push(format!("{path}: Pod"));
    } else if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        list(&format!("{path}[]"), items, lines);
    } else if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
        list(&format!("{path}{{}}"), values, lines);
    } else if let Some(properties) = &schema.properties {
        for (name, property) in properties {
            list(
                format!("{path}.{name}").trim_start_matches('.'),
                property,
                lines,
            );
        }
    } else {
        let is_int_or_string = schema.x_kubernetes_int_or_string == Some(true);
        let untyped = if is_int_or_string {
            "int-or-string"
        } else {
            "any"
        };
        let kind = schema.type_.as_deref().unwrap_or(untyped);
        let words = schema
            .enum_
            .iter()
            .flatten()
            .map(|word| word.0.as_str().unwrap());
        let line: Vec<_> = std::iter::once(kind).chain(words).collect();
        lines.push(format!("{path}: {}", line.join(" ")));
    }
}

#[test]
fn every_field_is_there_with_its_type_and_words() {
    let crd = flink_operator_api::crds().remove(0);
    let validation = crd.spec.versions[0].schema.as_ref().unwrap();
    let mut lines = vec![];
    list(
        "",
        validation.open_api_v3_schema.as_ref().unwrap(),
        &mut lines,
    );

    let contract: Vec<&str> = include_str!("fields.txt").lines().collect();
    let missing: Vec<_> = contract
        .iter()
        .filter(|line| !lines.contains(&line.to_string()))
        .collect();
    let added: Vec<_> = lines
        .iter()
        .filter(|line| !contract.contains(&line.as_str()))
        .collect();
    assert!(
        missing.is_empty() && added.is_empty(),
        "missing {missing:#?}, added {added:#?}"
    );
    assert_eq!(contract.len(), 121, "fields of the contract");
}
