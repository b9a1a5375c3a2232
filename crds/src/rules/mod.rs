//! Rules that the API server checks when an object is written: `x-kubernetes-validations`.
//!
//! These are the rules of the Java operator's webhook that can be decided from the object alone, with
//! its messages. What needs the operator's configuration, another object or Flink's own parsers is left
//! to the operator, which checks everything again and says what it finds in the status.
//!
//! # What is never refused
//!
//! * **What the webhook lets pass.** Canary resources are not validated there, and a rule cannot see
//!   labels; but a canary describes no cluster and no job, so nothing is asked of a spec that does not
//!   either. A `FlinkBlueGreenDeployment` has no rules at all, since the webhook has none for it.
//! * **Bookkeeping on an object from earlier days**: a status, a finalizer (and with it the end of a
//!   deletion), a label, although the object breaks a rule. Three means, for three sorts of rules:
//!   1. Rules about a spec stand at the smallest part of it that they need, below the root. An API
//!      server (1.30 and later) does not ask a rule again where the part it stands at stays as it was.
//!      A rule about one field also leaves the rest of an old spec editable; one about several fields, or
//!      about a missing one, is asked at each change of the spec, as the webhook asks it.
//!   2. Rules that hold a spec against what was deployed last stand at the root, where nothing ever
//!      stays as it was: the status is in it. They compare with `oldSelf` and hold whenever the field
//!      that they are about does not change.
//!   3. The rule about the name is asked at creation only; a name cannot change later.
//! * **The way back.** What was deployed last is read from `lastReconciledSpec`, not from the object as it
//!   was before: a mistake made while nobody checked can be undone. Texts of every release are
//!   understood, since only words are looked for that stand in one place of a spec.
//!
//! An API server before 1.30 asks every rule at every write. There the rules could hold up a deletion, so
//! the definitions must not be installed with them: see [`without_rules`](crate::without_rules).

mod deployment;
mod resources;
mod session_job;
mod state_snapshot;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
    ValidationRule,
};

pub(crate) use deployment::rules as deployment;
pub(crate) use session_job::rules as session_job;
pub(crate) use state_snapshot::rules as state_snapshot;

/// A rule, in the language of the API server (CEL).
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// The part of the object that it stands at, such as `spec.job`; empty: the object itself.
    at: String,
    /// What must hold.
    holds: String,
    message: Message,
    /// The field to blame, below `at`, such as `.job.parallelism`.
    field: Option<&'static str>,
    /// Whether something is missing, and not wrong.
    is_missing: bool,
    when: When,
}

/// What is said if a rule does not hold.
#[derive(Clone, Debug)]
enum Message {
    Text(String),
    /// An expression whose value is the message, for messages with a part of the object in them.
    Computed(String),
}

/// When a rule is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// At each write. A rule that compares with `oldSelf` is asked at changes only.
    Written,
    /// When the object is created.
    Created,
}

impl Rule {
    /// Begins a rule that stands at a part of the object.
    fn at(part: &str) -> Self {
        Self {
            at: part.to_owned(),
            holds: String::new(),
            message: Message::Text(String::new()),
            field: None,
            is_missing: false,
            when: When::Written,
        }
    }

    /// Sets the expression that must hold.
    fn holds(self, expression: impl Into<String>) -> Self {
        Self {
            holds: expression.into(),
            ..self
        }
    }

    /// Sets what is said otherwise.
    fn says(self, text: &str) -> Self {
        Self {
            message: Message::Text(text.to_owned()),
            ..self
        }
    }

    /// Sets the expression of what is said otherwise.
    fn computes(self, expression: impl Into<String>) -> Self {
        Self {
            message: Message::Computed(expression.into()),
            ..self
        }
    }

    /// Blames a field below the part that the rule stands at.
    fn wrong(self, field: &'static str) -> Self {
        Self {
            field: Some(field),
            ..self
        }
    }

    /// Blames a field for being absent.
    fn missing(self, field: &'static str) -> Self {
        Self {
            is_missing: true,
            ..self.wrong(field)
        }
    }

    /// Asks the rule at creation only.
    fn once(self) -> Self {
        Self {
            when: When::Created,
            ..self
        }
    }

    fn written(self) -> ValidationRule {
        let (message, message_expression) = match self.message {
            Message::Text(text) => (Some(text), None),
            Message::Computed(expression) => (None, Some(expression)),
        };
        let (rule, optional_old_self) = match self.when {
            When::Written => (self.holds, None),
            When::Created => (format!("oldSelf.hasValue() || {}", self.holds), Some(true)),
        };
        ValidationRule {
            field_path: self.field.map(str::to_owned),
            message,
            message_expression,
            optional_old_self,
            reason: self.is_missing.then(|| "FieldValueRequired".to_owned()),
            rule,
        }
    }
}

/// Writes rules into a definition.
pub(crate) fn add(rules: &[Rule], crd: &mut CustomResourceDefinition) {
    for root in roots(crd) {
        for rule in rules {
            let part = part_of(root, &rule.at);
            part.x_kubernetes_validations
                .get_or_insert_default()
                .push(rule.clone().written());
        }
    }
}

/// Takes every rule out of a definition.
pub(crate) fn remove(crd: &mut CustomResourceDefinition) {
    for root in roots(crd) {
        forget(root);
    }
}

fn roots(crd: &mut CustomResourceDefinition) -> impl Iterator<Item = &mut JSONSchemaProps> {
    let versions = crd.spec.versions.iter_mut();
    versions.filter_map(|version| version.schema.as_mut()?.open_api_v3_schema.as_mut())
}

/// Finds the schema at a path such as `spec.job`.
fn part_of<'a>(root: &'a mut JSONSchemaProps, path: &str) -> &'a mut JSONSchemaProps {
    let names = path.split('.').filter(|name| !name.is_empty());
    names.fold(root, |schema, name| {
        let property = schema
            .properties
            .as_mut()
            .and_then(|fields| fields.get_mut(name));
        property.unwrap_or_else(|| unreachable!("a rule stands at {path}, and there is no {name}"))
    })
}

fn forget(schema: &mut JSONSchemaProps) {
    schema.x_kubernetes_validations = None;
    schema
        .properties
        .iter_mut()
        .flatten()
        .for_each(|(_, property)| forget(property));
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        forget(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        forget(values);
    }
}

/// What a name must look like from which Flink derives names of up to 63 characters, as an expression
/// about `name`.
fn is_cluster_name(name: &str) -> String {
    format!("{name}.matches('^[a-z]([-a-z0-9]{{0,43}}[a-z0-9])?$')")
}

/// The message about a name that is none, as an expression.
fn no_cluster_name(name: &str) -> String {
    format!(
        "'The FlinkDeployment name: ' + {name} + ' is invalid, must consist of lower case alphanumeric \
         characters or \\'-\\', start with an alphabetic character, and end with an alphanumeric \
         character (e.g. \\'my-name\\',  or \\'abc-123\\'), and the length must be no more than 45 \
         characters.'"
    )
}

/// The text of the spec that was deployed last, as an expression about the whole object.
const LAST: &str = "self.status.reconciliationStatus.lastReconciledSpec";

/// That something was deployed before, as an expression about the whole object. What else is to be
/// asked about it stands after this one and `&&`.
const DEPLOYED: &str = "has(self.status) && has(self.status.reconciliationStatus) && \
    has(self.status.reconciliationStatus.lastReconciledSpec)";

/// That a field of a spec is set, as an expression; `of` is `self` or `oldSelf`.
fn has(of: &str, path: &str) -> String {
    let mut whole = of.to_owned();
    let parts = path.split('.').map(|name| {
        whole = format!("{whole}.{name}");
        format!("has({whole})")
    });
    parts.collect::<Vec<_>>().join(" && ")
}
