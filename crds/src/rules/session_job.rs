//! Rules for a `FlinkSessionJob`. The numbers are those of the webhook's rules, in its order.

use super::{DEPLOYED, LAST, Rule, has, is_cluster_name, no_cluster_name};

pub(crate) fn rules() -> Vec<Rule> {
    vec![
        cluster_is_named(),
        cluster_can_be(),
        job_is_set(),
        cluster_stays(),
        jar_has_a_scheme(),
    ]
}

/// S1, for no name at all: there the webhook fails, without a message of its own.
fn cluster_is_named() -> Rule {
    Rule::at("spec")
        .holds("has(self.deploymentName) || !has(self.job)")
        .says("spec.deploymentName must be defined")
        .missing(".deploymentName")
}

/// S1.
fn cluster_can_be() -> Rule {
    Rule::at("spec.deploymentName")
        .holds(is_cluster_name("self"))
        .computes(no_cluster_name("self"))
}

/// S2: a canary has neither job nor cluster.
fn job_is_set() -> Rule {
    Rule::at("spec")
        .holds("has(self.job) || !has(self.deploymentName)")
        .says("The job spec should not be empty")
        .missing(".job")
}

/// S3: the name that was deployed last follows the name of the field in the text.
fn cluster_stays() -> Rule {
    let is_set = has("self", "spec.deploymentName");
    let unchanged = format!(
        "({} && oldSelf.spec.deploymentName == self.spec.deploymentName)",
        has("oldSelf", "spec.deploymentName")
    );
    let name = "'\"deploymentName\":\"'";
    let same = format!(
        "({LAST}.contains({name}) && {LAST}.split({name})[1].startsWith(self.spec.deploymentName + '\"'))"
    );
    Rule::at("")
        .holds(format!(
            "!({is_set} && !{unchanged} && {DEPLOYED} && !{same})"
        ))
        .says("The deploymentName can't be changed")
        .wrong(".spec.deploymentName")
}

/// S5: what has no colon has no scheme. Whether anything else is a URI is for a parser to say.
fn jar_has_a_scheme() -> Rule {
    Rule::at("spec.job.jarURI")
        .holds("!self.matches('^[-A-Za-z0-9._~/]*$') || self.startsWith('//')")
        .says("jarURI must include a scheme")
}
