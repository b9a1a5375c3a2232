//! What stops a spec from being carried out: broken, against a rule, or not supported yet.

use super::view::View;
use crate::status::conditions::Reason;
use crate::validate;
use flink_operator_api::{FlinkDeploymentSpec, KubernetesDeploymentMode};

/// Returns the first complaint about the current spec, in upstream's order.
pub(super) fn check(view: &View<'_>) -> Option<String> {
    match view.spec {
        Err(broken) => Some(broken.to_string()),
        Ok(spec) => {
            let recorded = view.recorded.as_ref();
            let violations =
                validate::flink_deployment(view.meta, spec, recorded, &view.observed.settings);
            validate::summary(&violations)
        }
    }
}

/// Returns why a valid spec is not carried out by this version.
pub(super) fn not_supported(spec: &FlinkDeploymentSpec) -> Option<(Reason, String)> {
    if spec.job.is_none() {
        let message = "session clusters (a spec without spec.job) are accepted but not carried out by this version yet";
        return Some((Reason::NotSupported, message.to_owned()));
    }
    if spec.mode == Some(KubernetesDeploymentMode::Standalone) {
        let message =
            "spec.mode: standalone is accepted but not carried out by this version yet; use native";
        return Some((Reason::NotSupported, message.to_owned()));
    }
    None
}
