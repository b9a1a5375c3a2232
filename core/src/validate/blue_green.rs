//! The rules for a `FlinkBlueGreenDeployment`.

use super::{Violation, Violations, configuration, deployment, ingress};
use crate::config::OperatorSettings;
use flink_operator_api::FlinkBlueGreenDeploymentSpec;

/// What the operator adds to the name of a blue/green deployment for its clusters.
const LONGEST_SUFFIX: &str = "-green";

/// Checks what the clusters of a blue/green deployment would be refused for.
///
/// Upstream has no rules for this kind: the faults show as clusters that cannot be created. Whoever
/// decides about admission must not refuse the object for them; they are for telling a person earlier.
pub fn flink_blue_green_deployment(
    namespace: &str,
    name: &str,
    spec: &FlinkBlueGreenDeploymentSpec,
    settings: &OperatorSettings,
) -> Vec<Violation> {
    let mut found = Violations::default();
    if let Some(template) = spec
        .template
        .as_ref()
        .and_then(|template| template.spec.as_ref())
    {
        let child = format!("{name}{LONGEST_SUFFIX}");
        for mut violation in deployment::named(namespace, &child, template, None, settings) {
            if let Some(rest) = violation.path.strip_prefix("spec.") {
                violation.path = format!("spec.template.spec.{rest}");
            }
            found.0.push(violation);
        }
        if template.job.is_none() {
            found.add(
                "config",
                "spec.template.spec.job",
                "both clusters are application clusters: spec.template.spec.job must be set",
            );
        }
    } else {
        found.add(
            "config",
            "spec.template.spec",
            "there is nothing to make the clusters from: spec.template.spec must be set",
        );
    }
    if let Some(written) = &spec.ingress {
        ingress::check(written, namespace, name, &mut found);
    }
    let options = spec.configuration.iter().flatten().collect();
    configuration::malformed(&options, "spec.configuration", &mut found);
    found.0
}
