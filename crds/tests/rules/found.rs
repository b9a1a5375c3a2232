//! The rules that the definitions carry, and what their expressions are made of.

use flink_operator_api::crds;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool, ValidationRule,
};

/// A rule where it was found.
pub(crate) struct Found {
    pub(crate) kind: String,
    /// The part of the object that it stands at, such as `spec.job`; empty: the object itself.
    pub(crate) at: String,
    pub(crate) rule: ValidationRule,
    schema: JSONSchemaProps,
}

impl Found {
    /// Finds every rule of every kind.
    pub(crate) fn all() -> Vec<Self> {
        let mut found = vec![];
        for crd in crds() {
            let version = crd.spec.versions.into_iter().next().unwrap();
            let root = version.schema.unwrap().open_api_v3_schema.unwrap();
            collect(&crd.spec.names.kind, "", &root, &mut found);
        }
        found
    }

    /// Returns the field that is blamed, as an API server names it.
    pub(crate) fn blamed(&self) -> String {
        let field = self.rule.field_path.as_deref().unwrap_or_default();
        let path = format!("{}{field}", self.at);
        match path.trim_start_matches('.') {
            "" => "<nil>".to_owned(),
            path => path.to_owned(),
        }
    }

    /// Says whether the part that the rule stands at has a field.
    pub(crate) fn has_field(&self, path: &str) -> bool {
        // The only metadata that a rule can see.
        if self.at.is_empty() && path == "metadata.name" {
            return true;
        }
        let mut schema = Some(&self.schema);
        for name in path.split('.') {
            schema = schema
                .and_then(|schema| schema.properties.as_ref())
                .and_then(|properties| properties.get(name));
        }
        schema.is_some()
    }
}

fn collect(kind: &str, at: &str, schema: &JSONSchemaProps, found: &mut Vec<Found>) {
    for rule in schema.x_kubernetes_validations.iter().flatten() {
        found.push(Found {
            kind: kind.to_owned(),
            at: at.to_owned(),
            rule: rule.clone(),
            schema: schema.clone(),
        });
    }
    for (name, property) in schema.properties.iter().flatten() {
        let path = format!("{at}.{name}");
        collect(kind, path.trim_start_matches('.'), property, found);
    }
    // Within lists and maps the cost of a rule is multiplied by what they may hold: there are none.
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        let mut inner = vec![];
        collect(kind, at, items, &mut inner);
        assert!(inner.is_empty(), "a rule within the list {at}");
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
        let mut inner = vec![];
        collect(kind, at, values, &mut inner);
        assert!(inner.is_empty(), "a rule within the map {at}");
    }
}

/// Lists the fields of `self` and `oldSelf` that an expression names.
pub(crate) fn names(expression: &str) -> Vec<String> {
    let (code, _) = split(expression);
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut names = vec![];
    for (at, _) in code.match_indices("elf.") {
        let rest = &code[at + "elf.".len()..];
        let end = rest.find(|letter| !is_name(letter) && letter != '.');
        let (path, after) = rest.split_at(end.unwrap_or(rest.len()));
        // What is called is a function, and no field.
        let path = match path.rsplit_once('.') {
            Some((path, _)) if after.starts_with('(') => path,
            None if after.starts_with('(') => "",
            Some(_) | None => path,
        };
        if !path.is_empty() {
            names.push(path.to_owned());
        }
    }
    names
}

/// Lists the texts that an expression joins, without those within calls.
pub(crate) fn literals(expression: &str) -> Vec<String> {
    split(expression).1
}

/// Splits an expression into its code, with texts emptied, and the texts outside of brackets.
fn split(expression: &str) -> (String, Vec<String>) {
    let (mut code, mut texts, mut depth) = (String::new(), vec![], 0);
    let mut letters = expression.chars();
    while let Some(letter) = letters.next() {
        code.push(letter);
        match letter {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '\'' => {
                let mut text = String::new();
                loop {
                    match letters.next().expect("a text ends") {
                        '\\' => text.extend(letters.next()),
                        '\'' => break,
                        other => text.push(other),
                    }
                }
                code.push('\'');
                if depth == 0 {
                    texts.push(text);
                }
            }
            _ => {}
        }
    }
    assert_eq!(depth, 0, "brackets of {expression}");
    (code, texts)
}
