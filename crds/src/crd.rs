//! The custom resource definitions, generated from the types.

use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use crate::rules::Rule;
use crate::{
    FlinkBlueGreenDeployment, FlinkDeployment, FlinkSessionJob, FlinkStateSnapshot, rules, schema,
};

/// The first lines of every generated document.
const HEAD: &str = "# Generated from the types of the API crate by `make generate`: do not edit.\n";

/// Returns the definitions of all kinds.
///
/// These, and not what the kinds' own `crd()` returns, are the ones to install: kube adds to that what
/// the contract does not have.
///
/// ```
/// let kinds: Vec<_> =
///     flink_operator_api::crds().into_iter().map(|crd| crd.spec.names.kind).collect();
/// let all =
///     ["FlinkDeployment", "FlinkSessionJob", "FlinkStateSnapshot", "FlinkBlueGreenDeployment"];
/// assert_eq!(kinds, all);
/// ```
pub fn crds() -> Vec<CustomResourceDefinition> {
    // Always the same, and made of thousands of fields: tests and tools ask for them often.
    static CRDS: LazyLock<Vec<CustomResourceDefinition>> = LazyLock::new(generated);
    CRDS.clone()
}

fn generated() -> Vec<CustomResourceDefinition> {
    let definitions = [
        (FlinkDeployment::crd(), rules::deployment()),
        (FlinkSessionJob::crd(), rules::session_job()),
        (FlinkStateSnapshot::crd(), rules::state_snapshot()),
        // Its clusters are held to their rules when they are created.
        (FlinkBlueGreenDeployment::crd(), vec![]),
    ];
    definitions
        .into_iter()
        .map(|(crd, rules)| as_contracted(crd, &rules))
        .collect()
}

fn as_contracted(mut crd: CustomResourceDefinition, rules: &[Rule]) -> CustomResourceDefinition {
    for validation in crd
        .spec
        .versions
        .iter_mut()
        .filter_map(|version| version.schema.as_mut())
    {
        validation.open_api_v3_schema = validation
            .open_api_v3_schema
            .take()
            .map(schema::without_additions);
    }
    rules::add(rules, &mut crd);
    crd
}

/// Returns a definition without the rules that the API server would check (`x-kubernetes-validations`).
///
/// For API servers before 1.30: they ask every rule at every write, so that an object which was accepted
/// without them could not be deleted any more. The operator checks the same rules and more, and says in
/// the status what it finds.
///
/// ```
/// use flink_operator_api::{crds, without_rules};
///
/// let plain: Vec<_> = crds().into_iter().map(without_rules).collect();
/// assert!(!serde_json::to_string(&plain)?.contains("x-kubernetes-validations"));
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn without_rules(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    rules::remove(&mut crd);
    crd
}

/// Returns the definitions of all kinds as YAML, one document for each.
///
/// ```
/// let yaml = flink_operator_api::crd_yaml();
/// assert!(yaml.contains("kind: CustomResourceDefinition"));
/// ```
pub fn crd_yaml() -> String {
    to_yaml(&crds())
}

/// Returns definitions as YAML, one document for each.
///
/// ```
/// use flink_operator_api::{crds, to_yaml, without_rules};
///
/// let plain: Vec<_> = crds().into_iter().map(without_rules).collect();
/// assert!(!to_yaml(&plain).contains("x-kubernetes-validations"));
/// ```
pub fn to_yaml(crds: &[CustomResourceDefinition]) -> String {
    crds.iter().map(document).collect::<Vec<_>>().join("---\n")
}

/// Returns the definitions of all kinds as YAML files: name and content of each.
pub fn crd_files() -> Vec<(String, String)> {
    crds()
        .iter()
        .map(|crd| {
            let name = crd
                .metadata
                .name
                .as_deref()
                .expect("a generated definition has a name");
            (format!("{name}-v1.yml"), document(crd))
        })
        .collect()
}

fn document(crd: &CustomResourceDefinition) -> String {
    let yaml = yaml_writer::to_string(crd).expect("a definition is plain data");
    format!("{HEAD}{yaml}")
}
