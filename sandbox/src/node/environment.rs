//! The environment, command and arguments of a container.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, EnvFromSource, EnvVar};

use super::facts::PodFacts;
use super::sources::{Data, Problem, Reference, Sources};

/// Variables in the order in which they were given; a later one replaces an earlier one of its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Environment {
    variables: Vec<(String, String)>,
}

impl Environment {
    pub(super) fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        self.variables.retain(|(existing, _)| *existing != name);
        self.variables.push((name, value));
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.variables
            .iter()
            .find(|(existing, _)| existing == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn into_variables(self) -> Vec<(String, String)> {
        self.variables
    }

    /// Replaces `$(NAME)` by the variable; `$$` is one dollar, and an unknown name stays as it is.
    pub(super) fn expand(&self, text: &str) -> String {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            expanded.push_str(&rest[..dollar]);
            rest = &rest[dollar..];
            if let Some(after) = rest.strip_prefix("$$") {
                expanded.push('$');
                rest = after;
            } else if let Some((name, after)) = rest
                .strip_prefix("$(")
                .and_then(|inner| inner.split_once(')'))
            {
                match self.get(name) {
                    Some(value) => expanded.push_str(value),
                    None => expanded.push_str(&rest[..name.len() + 3]),
                }
                rest = after;
            } else {
                expanded.push('$');
                rest = &rest[1..];
            }
        }
        expanded.push_str(rest);
        expanded
    }

    /// Adds what a container asks for with `envFrom` and `env`.
    pub(super) async fn add_container(
        &mut self,
        container: &Container,
        facts: &PodFacts<'_>,
        sources: &Sources,
    ) -> Result<(), Problem> {
        for from in container.env_from.iter().flatten() {
            let (reference, optional) = bulk_reference(from);
            let Some(data) = sources.read(&reference, optional).await? else {
                continue;
            };
            let prefix = from.prefix.as_deref().unwrap_or_default();
            for (key, value) in data {
                self.set(format!("{prefix}{key}"), String::from_utf8_lossy(&value));
            }
        }
        let mut read = BTreeMap::new();
        for variable in container.env.iter().flatten() {
            if let Some(value) = self
                .value(variable, container, facts, sources, &mut read)
                .await?
            {
                self.set(variable.name.as_str(), value);
            }
        }
        Ok(())
    }

    /// Returns the value of a variable; `None` if its source is optional and not there.
    async fn value(
        &self,
        variable: &EnvVar,
        container: &Container,
        facts: &PodFacts<'_>,
        sources: &Sources,
        read: &mut BTreeMap<String, Option<Data>>,
    ) -> Result<Option<String>, Problem> {
        let Some(from) = &variable.value_from else {
            return Ok(Some(
                self.expand(variable.value.as_deref().unwrap_or_default()),
            ));
        };
        let unsupported = |message: String| Problem::Unsupported {
            message: format!("env {}: {message}", variable.name),
        };
        if let Some(field) = &from.field_ref {
            return facts
                .field(&field.field_path)
                .map(Some)
                .map_err(unsupported);
        }
        if let Some(selector) = &from.resource_field_ref {
            return facts
                .resource(container, selector)
                .map(Some)
                .map_err(unsupported);
        }
        let (what, key, optional) = if let Some(selector) = &from.config_map_key_ref {
            (
                Reference::ConfigMap(selector.name.clone()),
                &selector.key,
                selector.optional,
            )
        } else if let Some(selector) = &from.secret_key_ref {
            (
                Reference::Secret(selector.name.clone()),
                &selector.key,
                selector.optional,
            )
        } else {
            return Err(unsupported(
                "its valueFrom is of a kind the sandbox does not know".to_owned(),
            ));
        };
        let optional = optional.unwrap_or(false);
        let name = what.to_string();
        if !read.contains_key(&name) {
            let data = sources.read(&what, optional).await?;
            read.insert(name.clone(), data);
        }
        match read
            .get(&name)
            .and_then(Option::as_ref)
            .and_then(|data| data.get(key))
        {
            Some(value) => Ok(Some(String::from_utf8_lossy(value).into_owned())),
            None if optional => Ok(None),
            None => Err(Problem::Missing {
                message: format!("couldn't find key {key} in {what}"),
                what,
            }),
        }
    }
}

fn bulk_reference(from: &EnvFromSource) -> (Reference, bool) {
    if let Some(source) = &from.secret_ref {
        return (
            Reference::Secret(source.name.clone()),
            source.optional.unwrap_or(false),
        );
    }
    // The API server accepts exactly one of the two.
    let source = from.config_map_ref.clone().unwrap_or_default();
    (
        Reference::ConfigMap(source.name),
        source.optional.unwrap_or(false),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_expanded_as_kubernetes_does() {
        let mut environment = Environment::default();
        environment.set("A", "1");
        let cases = [
            ("x$(A)y", "x1y"),
            ("$(A)$(A)", "11"),
            ("$(B)", "$(B)"),
            ("$$(A)", "$(A)"),
            ("$A ${A}", "$A ${A}"),
            ("$(A", "$(A"),
            ("cost: 5$", "cost: 5$"),
        ];
        for (text, expanded) in cases {
            assert_eq!(environment.expand(text), expanded, "{text}");
        }
    }

    #[test]
    fn the_last_of_equal_names_wins() {
        let mut environment = Environment::default();
        environment.set("A", "1");
        environment.set("B", "2");
        environment.set("A", "3");
        assert_eq!(
            environment.into_variables(),
            [
                ("B".to_owned(), "2".to_owned()),
                ("A".to_owned(), "3".to_owned())
            ]
        );
    }
}
