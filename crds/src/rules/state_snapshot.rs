//! Rules for a `FlinkStateSnapshot`.

use super::Rule;

pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule::new(
            "N1",
            "spec",
            "has(self.savepoint) != has(self.checkpoint)",
            "Exactly one of checkpoint or savepoint configurations has to be set.",
        ),
        Rule::new(
            "N3",
            "spec",
            "has(self.jobReference) || \
             (has(self.savepoint) && has(self.savepoint.alreadyExists) && self.savepoint.alreadyExists)",
            "Job reference must be supplied for this snapshot",
        )
        .missing(".jobReference"),
    ]
}
