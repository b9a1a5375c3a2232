//! Rules for a `FlinkSessionJob`.

use super::{DEPLOYED, LAST, Rule, has, is_cluster_name, no_cluster_name};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        // The webhook fails here, without a message of its own.
        Rule::new(
            "S1",
            "spec",
            "has(self.deploymentName) || !has(self.job)",
            "spec.deploymentName must be defined",
        )
        .missing(".deploymentName"),
        Rule::computed(
            "S1",
            "spec.deploymentName",
            is_cluster_name("self"),
            no_cluster_name("self"),
        ),
        Rule::new(
            "S2",
            "spec",
            "has(self.job) || !has(self.deploymentName)",
            "The job spec should not be empty",
        )
        .missing(".job"),
        cluster_stays(),
        // What has no colon has no scheme; whether the rest is one is for a parser of URIs to say.
        Rule::new(
            "S5",
            "spec.job.jarURI",
            "!self.matches('^[-A-Za-z0-9._~/]*$') || self.startsWith('//')",
            "jarURI must include a scheme",
        ),
    ]
}

/// A job stays on its cluster. The name that was deployed last follows the name of the field in the text.
fn cluster_stays() -> Rule {
    let named = has("self", "spec.deploymentName");
    let unchanged = format!(
        "({} && oldSelf.spec.deploymentName == self.spec.deploymentName)",
        has("oldSelf", "spec.deploymentName")
    );
    let field = "'\"deploymentName\":\"'";
    let same = format!(
        "({LAST}.contains({field}) && {LAST}.split({field})[1].startsWith(self.spec.deploymentName + '\"'))"
    );
    Rule::new(
        "S3",
        "",
        format!("!({named} && !{unchanged} && {DEPLOYED} && !{same})"),
        "The deploymentName can't be changed",
    )
    .wrong(".spec.deploymentName")
}
