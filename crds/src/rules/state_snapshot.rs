//! Rules for a `FlinkStateSnapshot`. The numbers are those of the webhook's rules, in its order.

use super::Rule;

pub(crate) fn rules() -> Vec<Rule> {
    vec![one_of_two(), job_is_named()]
}

/// N1.
fn one_of_two() -> Rule {
    Rule::at("spec")
        .holds("has(self.savepoint) != has(self.checkpoint)")
        .says("Exactly one of checkpoint or savepoint configurations has to be set.")
}

/// N3: a savepoint from elsewhere is of no job here.
fn job_is_named() -> Rule {
    Rule::at("spec")
        .holds(
            "has(self.jobReference) || \
             (has(self.savepoint) && has(self.savepoint.alreadyExists) && self.savepoint.alreadyExists)",
        )
        .says("Job reference must be supplied for this snapshot")
        .missing(".jobReference")
}
