//! Rules for metadata: names, labels, owner references.

use serde_json::Value;

use super::kinds::Kind;
use super::object;
use super::violation::Violation;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
/// What is said of something that is no label.
pub(crate) const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// Lists what is wrong with an object's metadata.
pub(crate) fn metadata(kind: &Kind, object: &Value) -> Vec<Violation> {
    let mut found = name(kind, object);
    found.extend(labels(object));
    found.extend(annotations(object));
    found.extend(owner_references(object));
    found
}

fn name(kind: &Kind, object: &Value) -> Vec<Violation> {
    let given = object::name(object);
    if given.is_empty() {
        return vec![Violation::required(
            "metadata.name",
            "name or generateName is required",
        )];
    }
    let mut found = Vec::new();
    let mut add = |why: &str| {
        found.push(Violation::invalid(
            "metadata.name",
            &object["metadata"]["name"],
            why,
        ));
    };
    let (limit, valid, rule) = match kind.kind {
        "Service" => (
            63,
            is_label(given) && given.starts_with(|first: char| first.is_ascii_lowercase()),
            LABEL_1035,
        ),
        "Namespace" => (63, is_label(given), LABEL),
        _ => (253, given.split('.').all(is_label), SUBDOMAIN),
    };
    if given.len() > limit {
        add(&format!("must be no more than {limit} characters"));
    }
    if !valid {
        add(rule);
    }
    found
}

/// Tells whether a text is a label of a DNS name.
pub(crate) fn is_label(text: &str) -> bool {
    let inner =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    !text.is_empty() && text.chars().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn labels(object: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    for (_, value) in object["metadata"]["labels"]
        .as_object()
        .into_iter()
        .flatten()
    {
        let Some(text) = value.as_str() else {
            found.push(Violation::invalid(
                "metadata.labels",
                value,
                "must be a string",
            ));
            continue;
        };
        if text.len() > 63 {
            found.push(Violation::invalid(
                "metadata.labels",
                value,
                "must be no more than 63 bytes",
            ));
        }
        if !is_label_value(text) {
            found.push(Violation::invalid("metadata.labels", value, LABEL_VALUE));
        }
    }
    found
}

fn is_label_value(text: &str) -> bool {
    let inner = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let outer = |letter: char| letter.is_ascii_alphanumeric();
    text.is_empty() || (text.chars().all(inner) && text.starts_with(outer) && text.ends_with(outer))
}

fn annotations(object: &Value) -> Vec<Violation> {
    const LIMIT: usize = 256 * 1024;
    let given = object["metadata"]["annotations"].as_object();
    let size: usize = given
        .into_iter()
        .flatten()
        .map(|(name, value)| name.len() + value.as_str().map_or(0, str::len))
        .sum();
    if size <= LIMIT {
        return Vec::new();
    }
    vec![Violation::too_long("metadata.annotations", LIMIT)]
}

fn owner_references(object: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    for owner in object::owners(object) {
        let parts = [
            (
                "apiVersion",
                &owner.api_version,
                "version must not be empty",
            ),
            ("kind", &owner.kind, "must not be empty"),
            ("name", &owner.name, "must not be empty"),
            ("uid", &owner.uid, "must not be empty"),
        ];
        for (field, value, why) in parts {
            if value.is_empty() {
                let field = format!("metadata.ownerReferences.{field}");
                found.push(Violation::invalid(
                    field,
                    &Value::String(String::new()),
                    why,
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wrong(kind: &str, object: &Value) -> Vec<Violation> {
        metadata(Kind::find(kind).expect("a known kind"), object)
    }

    #[test]
    fn names_have_limits_that_depend_on_the_kind() {
        let named = |length: usize| json!({ "metadata": { "name": "a".repeat(length) } });
        assert!(wrong("ConfigMap", &named(253)).is_empty());
        assert_eq!(wrong("ConfigMap", &named(254)).len(), 1);
        assert!(wrong("Service", &named(63)).is_empty());
        assert_eq!(wrong("Service", &named(64)).len(), 1);
        assert_eq!(
            wrong("Service", &json!({ "metadata": { "name": "1a" } })).len(),
            1
        );
        assert_eq!(
            wrong("ConfigMap", &json!({ "metadata": { "name": "Upper" } })).len(),
            1
        );
    }

    #[test]
    fn label_values_are_short() {
        let labelled =
            |value: &str| json!({ "metadata": { "name": "a", "labels": { "app": value } } });
        assert!(wrong("Pod", &labelled(&"x".repeat(63))).is_empty());
        assert_eq!(
            wrong("Pod", &labelled(&"x".repeat(64)))[0].field,
            "metadata.labels"
        );
        assert_eq!(wrong("Pod", &labelled("-x")).len(), 1);
    }

    #[test]
    fn an_owner_needs_a_uid() {
        let owned = json!({ "metadata": { "name": "a", "ownerReferences": [
            { "apiVersion": "v1", "kind": "Pod", "name": "p" }
        ] } });
        assert_eq!(
            wrong("ConfigMap", &owned)[0].field,
            "metadata.ownerReferences.uid"
        );
    }
}
