//! What holds for every valid spec and for every option.

#![allow(clippy::unwrap_used)]

mod properties {
    pub(crate) mod option_values;
    pub(crate) mod specs;
}

use flink_operator_api::{FlinkDeploymentSpec, FlinkDeploymentStatus, KubernetesDeploymentMode};
use operator_core::build::{Restore, Submission, canonical_json, effective, render};
use operator_core::config::{Configuration, flatten, nested, options};
use operator_core::diff::diff;
use operator_core::resource::Doc;
use operator_core::status::recorded::Recorded;
use operator_core::validate::flink_deployment;
use proptest::prelude::*;
use serde_json::{Value, json};

use properties::option_values::Sample;
use properties::specs::{any_spec, cluster, meta, settings};

/// Builds the objects of a spec: their bytes, in one text.
fn built(spec: &FlinkDeploymentSpec, restore: Restore) -> Result<String, TestCaseError> {
    let submission = Submission {
        job_id: "a".repeat(32),
        result_store_id: "store".to_owned(),
        restore,
    };
    let whole = effective(spec, &cluster(), &settings(), &submission)
        .map_err(|error| TestCaseError::fail(format!("{error}")))?;
    let children = render(&whole).map_err(|error| TestCaseError::fail(format!("{error}")))?;
    let mut objects = children.with_owner("u");
    objects.push(children.deployment().clone());
    objects.push(children.hash().into());
    Ok(canonical_json(&Value::Array(objects)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_valid_spec_breaks_no_rule_and_gives_the_same_bytes_again(document in any_spec()) {
        let spec: FlinkDeploymentSpec = serde_json::from_value(document.clone()).unwrap();
        prop_assert_eq!(flink_deployment(&meta(), &spec, None, &settings()), []);
        let again: FlinkDeploymentSpec = serde_json::from_str(&document.to_string()).unwrap();
        for restore in [Restore::Nothing, Restore::LastState, Restore::From("s3://s/1".to_owned())] {
            prop_assert_eq!(built(&spec, restore.clone())?, built(&again, restore)?);
        }
    }

    #[test]
    fn what_is_recorded_differs_in_nothing(document in any_spec()) {
        let spec: FlinkDeploymentSpec = serde_json::from_value(document).unwrap();
        let text = Recorded::new(spec.clone(), true).write();
        // As it comes back from an API server: one text within the status.
        let status = json!({ "reconciliationStatus": { "lastReconciledSpec": text, "state": "DEPLOYED" } });
        let stored: Doc<FlinkDeploymentStatus> = Doc::read("status", &status.to_string()).unwrap();
        let back = stored.to_json();
        let kept = back["reconciliationStatus"]["lastReconciledSpec"].as_str().unwrap();
        prop_assert_eq!(kept, text.as_str());
        let recorded = Recorded::read(kept).unwrap();
        prop_assert_eq!(recorded.write(), text.as_str());
        let mode = spec.mode.unwrap_or(KubernetesDeploymentMode::Native);
        let changes = diff(&recorded.spec, &spec, mode);
        prop_assert!(changes.is_empty(), "{}", changes);
        prop_assert!(diff(&spec, &spec, mode).is_empty());
        // It also breaks no rule about changes, and builds what was built.
        prop_assert_eq!(flink_deployment(&meta(), &spec, Some(&recorded), &settings()), []);
        prop_assert_eq!(built(&recorded.spec, Restore::Nothing)?, built(&spec, Restore::Nothing)?);
    }

    #[test]
    fn every_option_comes_back_from_its_text(sample in any::<Sample>()) {
        for option in options::all() {
            let text = sample.print(option.kind);
            prop_assert!(sample.is_read_from(option.kind, &text), "{}: {:?}", option.key, text);
            // As text in a resource, where keys nest and texts stay what they are.
            let mut resource = serde_json::Map::new();
            resource.insert(option.key.to_owned(), text.clone().into());
            let flat = flatten(&resource);
            prop_assert_eq!(flat.text(option.key), Some(text.as_str()));
        }
    }

    #[test]
    fn every_option_comes_back_from_the_operators_file(sample in any::<Sample>()) {
        for option in options::all().filter(|option| !option.key.contains(['<', '*'])) {
            let text = sample.print(option.kind);
            let quoted = serde_json::to_string(&text).unwrap();
            let read = nested::read(&format!("{}: {quoted}\n", option.key)).unwrap();
            let expected: Configuration = [(option.key, text.as_str())].into_iter().collect();
            prop_assert_eq!(read, expected);
        }
    }
}

#[test]
fn every_default_comes_back_from_its_text() {
    let mut defaults = 0;
    for option in options::all() {
        if let Some(default) = option.default {
            let printed = Sample::reprinted(option.kind, default);
            let again = Sample::reprinted(option.kind, &printed);
            assert_eq!(printed, again, "{}", option.key);
            defaults += 1;
        }
    }
    let all = options::all().count();
    println!("{all} options, {defaults} of them with a default");
    assert!(defaults > 100, "{defaults} defaults");
}
