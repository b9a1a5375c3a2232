//! `flink-operator config explain`: what an option means.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::{Context, Result, bail};
use operator_core::config::{ConfigOption, Scope, nearest, options};

/// What most keys begin with; may be left out when asking.
const PREFIX: &str = "kubernetes.operator.";

/// Prints one option, those that begin with a key, or all.
pub(crate) fn run(key: Option<&str>) -> Result<()> {
    let blocks: Vec<String> = chosen(key)?.into_iter().map(block).collect();
    std::io::stdout()
        .write_all(blocks.join("\n").as_bytes())
        .context("cannot write to standard output")
}

fn chosen(key: Option<&str>) -> Result<Vec<&'static ConfigOption>> {
    let Some(key) = key else {
        return Ok(options::all().collect());
    };
    let key = key.trim().trim_end_matches('.');
    let full = format!("{PREFIX}{key}");
    for name in [key, &full] {
        if let Some(option) = options::named(name) {
            return Ok(vec![option]);
        }
    }
    for name in [key, &full] {
        let below: Vec<_> = options::all()
            .filter(|option| {
                option
                    .key
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with('.'))
            })
            .collect();
        if !below.is_empty() {
            return Ok(below);
        }
    }
    match nearest(key).or_else(|| nearest(&full)) {
        Some(near) => bail!("{key} is not an option; did you mean {near}?"),
        None => bail!("{key} is not an option; `flink-operator config explain` lists all"),
    }
}

fn block(option: &ConfigOption) -> String {
    let mut text = format!("{}\n", option.key);
    let mut line = |name: &str, value: &str| {
        writeln!(text, "  {name:<9} {value}").expect("writing to a String never fails");
    };
    line("type", &option.kind.to_string());
    line("default", default(option));
    line("scope", scope(option.scope));
    if option.scope != Scope::Flink {
        line("change", change(option));
    }
    if !option.aliases.is_empty() {
        line("old names", &option.aliases.join(", "));
    }
    line("since", since(option.since));
    line("meaning", option.text);
    text
}

fn default(option: &ConfigOption) -> &str {
    match option.default {
        None => "none",
        Some("") => "empty",
        Some(default) => default,
    }
}

fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Base => "operator: its configuration only",
        Scope::Namespace => "operator: its configuration, also per namespace and Flink version",
        Scope::Resource => "resource: the operator's configuration, and spec.flinkConfiguration",
        Scope::BlueGreen => "blue/green: spec.configuration of a FlinkBlueGreenDeployment",
        Scope::Flink => "Flink: an option of the cluster that the operator reads or writes",
    }
}

fn change(option: &ConfigOption) -> &'static str {
    if option.live {
        "takes effect while the operator runs"
    } else {
        "takes effect when the operator is started again"
    }
}

fn since(since: &'static str) -> &'static str {
    if since == "main" {
        "after the newest release of the Java operator"
    } else {
        since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(key: &str) -> Vec<&'static str> {
        chosen(Some(key))
            .unwrap()
            .into_iter()
            .map(|option| option.key)
            .collect()
    }

    #[test]
    fn an_option_is_found_by_each_of_its_names() {
        let interval = ["kubernetes.operator.reconcile.interval"];
        for name in [
            "kubernetes.operator.reconcile.interval",
            "reconcile.interval",
            "reconciler.reschedule.interval",
        ] {
            assert_eq!(keys(name), interval, "{name}");
        }
    }

    #[test]
    fn the_beginning_of_names_finds_them_all() {
        let found = keys("leader-election");
        assert_eq!(found.len(), 5, "{found:?}");
        assert_eq!(keys("leader-election."), found);
        assert!(
            found
                .iter()
                .all(|key| key.starts_with("kubernetes.operator.leader-election."))
        );
    }

    #[test]
    fn a_misspelt_key_is_answered_with_the_nearest() {
        let error = chosen(Some("kubernetes.operator.reconcile.intervall")).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("did you mean kubernetes.operator.reconcile.interval?"),
            "{error}"
        );
    }

    #[test]
    fn everything_is_told_and_nothing_twice() {
        let all = chosen(None).unwrap();
        assert_eq!(all.len(), options::all().count());
        let block = block(options::named("kubernetes.operator.retry.max.interval").unwrap());
        assert!(block.contains("default   none"), "{block}");
    }
}
