//! The fields of the kinds, by name, type and words, are those of the contract.
//!
//! The files of `fields/` are not generated: they are upstream's contract and our additions to it written
//! down once more, so that a slip in the types cannot pass as a new version of the generated files. A line
//! is the section of the contract (`+` for an addition of ours), the path (`[]` items of a list, `{}`
//! values of a map), the type, and the words of an enum.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

/// Each kind, its number of fields, and how many of them are additions.
const KINDS: [(&str, usize, usize); 4] = [
    ("flinkdeployments", 124, 32),
    ("flinksessionjobs", 90, 38),
    ("flinkstatesnapshots", 41, 26),
    ("flinkbluegreendeployments", 151, 36),
];

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

fn contract(kind: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fields");
    let text = std::fs::read_to_string(folder.join(format!("{kind}.txt"))).unwrap();
    let lines = text.lines().map(|line| line.split_once(' ').unwrap());
    lines
        .map(|(section, line)| (section.to_owned(), line.to_owned()))
        .collect()
}

#[test]
fn every_field_is_there_with_its_type_and_words() {
    let crds = flink_operator_api::crds();
    assert_eq!(crds.len(), KINDS.len());
    for (crd, (kind, fields, additions)) in crds.iter().zip(KINDS) {
        assert_eq!(crd.spec.names.plural, kind);
        let validation = crd.spec.versions[0].schema.as_ref().unwrap();
        let mut lines = vec![];
        list(
            "",
            validation.open_api_v3_schema.as_ref().unwrap(),
            &mut lines,
        );

        let contract = contract(kind);
        let missing: Vec<_> = contract
            .iter()
            .filter(|(_, line)| !lines.contains(line))
            .collect();
        let added: Vec<_> = lines
            .iter()
            .filter(|line| !contract.iter().any(|(_, known)| known == *line))
            .collect();
        assert!(
            missing.is_empty() && added.is_empty(),
            "{kind}: missing {missing:#?}, added {added:#?}"
        );
        let ours = contract.iter().filter(|(section, _)| section == "+");
        assert_eq!(
            (contract.len(), ours.count()),
            (fields, additions),
            "{kind}"
        );
        print_coverage(kind, &contract);
    }
}

/// Prints which fields were found, by section of the contract (`cargo test -- --nocapture`).
fn print_coverage(kind: &str, contract: &[(String, String)]) {
    let mut sections: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (section, line) in contract {
        let path = line.split(':').next().unwrap();
        sections.entry(section).or_default().push(path);
    }
    println!("{kind}: {} fields", contract.len());
    for (section, paths) in sections {
        println!("  {section} ({}): {}", paths.len(), paths.join(", "));
    }
}
