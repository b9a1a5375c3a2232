//! The cases of the rules that the definitions carry, which an API server checks.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::cases::{Case, merge};

#[derive(Deserialize)]
pub(crate) struct Definitions {
    sound: BTreeMap<String, Value>,
    cases: Vec<Attempt>,
}

/// An object that is created, or an edit of one.
#[derive(Deserialize)]
struct Attempt {
    rule: Option<String>,
    kind: String,
    name: String,
    sound: Option<Value>,
    create: Option<Value>,
    last: Option<Value>,
    edit: Option<Value>,
    refused: Option<String>,
}

impl Definitions {
    pub(crate) fn read() -> Self {
        let text = include_str!("../../../crds/tests/rules/cases.json");
        serde_json::from_str(text).unwrap()
    }

    /// Counts the refused objects of a rule.
    pub(crate) fn count_of(&self, rule: &str) -> usize {
        let cases = self.cases.iter();
        cases
            .filter(|case| case.rule.as_deref() == Some(rule) && case.refused.is_some())
            .count()
    }

    /// Returns the refused objects with what is said about them.
    pub(crate) fn refused(&self) -> Vec<(Case, &str)> {
        let mut refused = vec![];
        for case in &self.cases {
            let Some(said) = case.refused.as_deref() else {
                continue;
            };
            let (_, said) = said.split_once(": ").unwrap();
            let mut object = self.sound[&case.kind].clone();
            for patch in [&case.sound, &case.create, &case.edit]
                .into_iter()
                .flatten()
            {
                merge(&mut object, patch);
            }
            let mut last = case.last.clone();
            if case.kind == "FlinkSessionJob" {
                last = last.map(session_job);
            }
            refused.push((Case::whole(&case.kind, &case.name, object, last), said));
        }
        refused
    }
}

/// Returns the recorded spec of a session job, in either form.
fn session_job(last: Value) -> Value {
    let whole: Value = match last {
        Value::String(text) => serde_json::from_str(&text).unwrap(),
        spec => spec,
    };
    whole.get("spec").cloned().unwrap_or(whole)
}
